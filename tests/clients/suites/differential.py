#!/usr/bin/env python3
"""The same seeded requests to Headwater and to Apache Kafka, compared field by field.

    differential.py [--ci] [--headwater BINARY] [OPTION...]

Starts both on loopback, with the same settings, runs `differential` of the crate
headwater-differential against them, and ends with its exit code. Options that are not known here
are passed on: `--seed N`, `--sequences N`, `--sequence N`, `--only API`, `--shrink N`.
"""

import argparse
import os
import subprocess
import sys

from harness import PROJECT, Server, cargo_metadata, free_port

# Sequences that CI has time for: four of each kind, within three minutes.
CI = ["--sequences", "104", "--jobs", "6"]
WHOLE = ["--sequences", "780", "--jobs", "6", "--shrink", "20"]


def build(*arguments):
    subprocess.run(["cargo", "build", "--quiet", *arguments], cwd=PROJECT, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ci", action="store_true", help="the selection that CI has time for")
    parser.add_argument(
        "--headwater",
        default=os.environ.get("HEADWATER"),
        help="the binary under test; default: the project's release build",
    )
    given, passed_on = parser.parse_known_args()
    target = cargo_metadata()["target_directory"]
    headwater = given.headwater
    if headwater is None:
        build("--release")
        headwater = os.path.join(target, "release", "headwater")
    build("--package", "headwater-differential")
    # Groups get their assignments at once, and in the request that asks, so that answers do not
    # depend on the moment.
    settings = {"group.consumer.assignment.interval.ms": "0"}
    only_kafka = {"group.consumer.assignor.offload.enable": "false"}
    with (
        Server("headwater", headwater, settings, free_port()) as ours,
        Server("kafka", None, {**settings, **only_kafka}, free_port()) as kafka,
    ):
        compare = [
            os.path.join(target, "debug", "differential"),
            *("--headwater", ours.bootstrap),
            *("--kafka", kafka.bootstrap),
            *(CI if given.ci else WHOLE),
            *passed_on,
        ]
        sys.exit(subprocess.run(compare).returncode)


if __name__ == "__main__":
    main()

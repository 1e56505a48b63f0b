#!/usr/bin/env python3
"""The same seeded requests to Headwater and to Apache Kafka, compared field by field.

    differential.py [--ci] [--headwater BINARY] [OPTION...] [KIND|API...]

Starts both on loopback, with the same settings, and runs `differential` of the crate
headwater-differential against them. Each kind of sequence is a test.
"""

import os
import re
import sys
import time

from harness import Server, Suite, cargo, cargo_metadata, free_port, run

# Sequences that CI has time for: four of each kind, within some minutes.
CI = ["--sequences", "112", "--jobs", "6"]
WHOLE = ["--sequences", "784", "--jobs", "6", "--shrink", "20"]
PASSED_ON = ("seed", "sequences", "sequence", "jobs", "shrink")
# Groups get their assignments at once, and in the request that asks, so that answers do not
# depend on the moment.
SETTINGS = {"group.consumer.assignment.interval.ms": "0"}
ONLY_KAFKA = {"group.consumer.assignor.offload.enable": "false"}
KIND = re.compile(r"^kind +(\S+) +(\d+) requests +(\d+) differences$", re.M)


def main():
    arguments = [([f"--{name}"], {"type": int, "metavar": "N"}) for name in PASSED_ON]
    suite = Suite("differential", __doc__.splitlines()[0], arguments)
    if suite.against == "kafka":
        sys.exit("this compares Headwater with Apache Kafka: there is no other server to name")
    cargo("build", "--package", "headwater-differential")
    compare = [os.path.join(cargo_metadata()["target_directory"], "debug", "differential")]
    compare += CI if suite.ci else WHOLE
    for name in PASSED_ON:
        value = getattr(suite.given, name)
        compare += [] if value is None else [f"--{name}", str(value)]
    for only in suite.given.tests:
        compare += ["--only", only]
    began = time.monotonic()
    with (
        suite.server(SETTINGS, free_port()) as ours,
        Server("kafka", None, {**SETTINGS, **ONLY_KAFKA}, free_port()) as kafka,
    ):
        compare += ["--headwater", ours.bootstrap, "--kafka", kafka.bootstrap]
        done = run(compare, 1800 if suite.ci else 7200)
    seconds = time.monotonic() - began
    print(done.out + done.err)
    found = KIND.findall(done.out)
    for kind, requests, differences in found:
        outcome = "pass" if differences == "0" else "fail"
        reason = f"{requests} requests" if outcome == "pass" else f"{differences} differences"
        suite.result(kind, outcome, seconds / len(found), reason)
    # What is no difference of a kind: a version never sent, a mistake of a sequence.
    if done.code != 0 and not any(differences != "0" for *_, differences in found):
        how = "its time was up" if done.code is None else f"it ended with {done.code}"
        suite.result("as a whole", "fail", seconds, f"{how}: {done.err[-200:]}")
    suite.finish()


if __name__ == "__main__":
    main()

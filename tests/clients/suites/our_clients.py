#!/usr/bin/env python3
"""Headwater's own client and command line against Apache Kafka.

The tests that `cargo test` runs against a node, with HEADWATER_TEST_KAFKA naming a broker of
Apache Kafka that is started here: those of the client, and those of the command line that have a
server from outside.
"""

import os
import re
import sys
import time

from harness import PROJECT, Server, Suite, cargo, run, workplace

# Names of the test binaries, and which of their tests.
TESTS = {"cluster": [], "cli": ["kafka::"]}
# With the features of the workspace, as `cargo test` has them: nothing is built twice.
COMMAND = ["test", "--workspace", "--locked"]
# The tests of one binary take a minute or two, in seconds.
LIMIT = 900
# As the node of those tests is.
SETTINGS = {"group.consumer.assignment.interval.ms": "0"}
RESULT = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)", re.M)
PANIC = re.compile(r"^thread '([^']+)'[^\n]* panicked at ([^\n]*(?:\n(?!note:|\n)[^\n]*){1,3})", re.M)
OUTCOMES = {"ok": "pass", "FAILED": "fail", "ignored": "skip"}


def main():
    suite = Suite("our_clients", __doc__.splitlines()[0])
    if suite.against == "kafka":
        sys.exit("these run against Apache Kafka in any case: leave --against out")
    suite.shown = "kafka"
    cargo(*COMMAND, *(part for name in TESTS for part in ("--test", name)), "--no-run")
    with Server("kafka", None, SETTINGS, None) as kafka:
        environment = dict(os.environ, HEADWATER_TEST_KAFKA=kafka.bootstrap, RUST_BACKTRACE="0")
        for name, filters in TESTS.items():
            if not suite.wants(name):
                continue
            command = ["cargo", *COMMAND, "--test", name, "--", *filters]
            began = time.monotonic()
            done = run(command, LIMIT, cwd=PROJECT, env=environment)
            seconds = time.monotonic() - began
            said = done.out + done.err
            with open(workplace("logs", f"our_clients-{name}.log"), "w") as log:
                log.write(said)
            panics = dict(PANIC.findall(said))
            found = RESULT.findall(done.out)
            for test, state in found:
                reason = panics.get(test, "") if state == "FAILED" else ""
                suite.result(f"{name} {test}", OUTCOMES[state], seconds / len(found), reason)
            # A binary that crashed has told of some tests only, one that does not build of none.
            failed = any(state == "FAILED" for _, state in found)
            if not found or (not failed and done.code != 0):
                how = "its time was up" if done.code is None else f"it ended with {done.code}"
                suite.result(name, "fail", seconds, f"{how}: {done.err[-200:]}")
    suite.finish()


if __name__ == "__main__":
    main()

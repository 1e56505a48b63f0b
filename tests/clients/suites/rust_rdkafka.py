#!/usr/bin/env python3
"""rust-rdkafka's own tests, from the sources of the crate that Cargo.lock pins."""

import os
import re
import shutil
import time

import harness
from harness import KAFKA_VERSION, Suite, crate_source, need, once, run, workplace

# With zlib from a crate. With zstd, the crate's own Cargo.lock asks for libclang.
FEATURES = ["--no-default-features", "--features", "tokio,libz-static"]
# As its own test cluster is.
SETTINGS = {"node.id": "0", "num.partitions": "3"}
# Where these look for a server, whatever they are told.
PORT = 9092
WANT_PORT = {
    "test_high_producers": ["test_future_producer_send", "test_future_producer_send_fail"],
    "test_metadata": ["test_metadata"],
}
RESULT = re.compile(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)", re.M)
PANIC = re.compile(r"^thread '([^']+)'[^\n]* panicked at ([^\n]*(?:\n(?!note:|\n)[^\n]*){1,3})", re.M)


def copy():
    """A copy of the crate that can be built: the registry's own is not to be written to."""
    source = crate_source("rdkafka")
    folder = workplace(os.path.basename(source))

    def make():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        # It may lie below the project's folder and is no part of its workspace.
        with open(os.path.join(folder, "Cargo.toml"), "a") as manifest:
            manifest.write("\n[workspace]\n")

    once(workplace(os.path.basename(source) + ".done"), make)
    return folder


def tests_of(folder):
    """Names of the crate's test binaries."""
    with open(os.path.join(folder, "Cargo.toml")) as manifest:
        return re.findall(r'^\[\[test\]\]\nname = "(test_\w+)"', manifest.read(), re.M)


def main():
    suite = Suite("rust_rdkafka", __doc__.splitlines()[0])
    need("make", "build-essential")
    folder = copy()
    environment = dict(os.environ, CARGO_TARGET_DIR=workplace("rust_rdkafka"), RUST_BACKTRACE="0")
    environment["KAFKA_VERSION"] = KAFKA_VERSION
    cargo = ["cargo", "test", "--locked", "--quiet", *FEATURES]
    names = [name for name in tests_of(folder) if suite.wants(name)]
    chosen = [part for name in names for part in ("--test", name)]
    built = run([*cargo, "--no-run", *chosen], 3000, cwd=folder, env=environment)
    if built.code != 0:
        raise SystemExit("rust-rdkafka's tests do not build:\n" + built.err[-3000:])
    is_free = harness.is_free(PORT)
    with suite.server(SETTINGS, PORT if is_free else None) as server:
        environment["KAFKA_HOST"] = server.bootstrap
        for name in names:
            began = time.monotonic()
            # Without --quiet, so that each test is named.
            command = ["cargo", "test", "--locked", *FEATURES, "--test", name, "--", "--test-threads=2"]
            command += [] if is_free else ["--exact"]
            for test in [] if is_free else WANT_PORT.get(name, []):
                # They would write to whoever is there.
                command += ["--skip", test]
                reason = f"it wants a server on port {PORT}, which is taken"
                suite.result(f"{name} {test}", "skip", reason=reason)
            done = run(command, 900, cwd=folder, env=environment)
            with open(workplace("logs", f"rust_rdkafka-{suite.against}-{name}.log"), "w") as log:
                log.write(done.out + done.err)
            panics = dict(PANIC.findall(done.out + done.err))
            found = RESULT.findall(done.out)
            seconds = time.monotonic() - began
            for test, state in found:
                outcome = {"ok": "pass", "FAILED": "fail", "ignored": "skip"}[state]
                reason = panics.get(test, "") if state == "FAILED" else ""
                if state == "ignored":
                    reason = "ignored by the crate itself"
                suite.result(f"{name} {test}", outcome, seconds / max(len(found), 1), reason)
            failed = any(state == "FAILED" for _, state in found)
            # A binary that crashed has told of some tests only.
            if done.code is None or (not failed and done.code != 0):
                how = "its time was up" if done.code is None else f"it ended with {done.code}"
                suite.result(name, "fail", seconds, f"{how}: {done.err[-200:]}")
    suite.finish()


if __name__ == "__main__":
    main()

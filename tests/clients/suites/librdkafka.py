#!/usr/bin/env python3
"""librdkafka's own suite, built from the sources of the rdkafka-sys crate that Cargo.lock pins.

    librdkafka.py                               every broker test that one node can serve
    librdkafka.py --group-protocol consumer     the same with the protocol of KIP-848
    librdkafka.py --idempotent                  the same with idempotent producers
    librdkafka.py --quick                       the suite's own quick mode, which leaves out parts
    librdkafka.py 0081 0103                     only these
"""

import concurrent.futures
import os
import re
import shutil
import sys
import time

import kafka_scripts
from harness import KAFKA_VERSION, Suite, crate_source, logged, need, once, run, workplace

ACLS = "access control lists come with security"
SKIPPED = {
    "0028": "librdkafka's own known issue",
    "0047": "librdkafka's own known issue",
    "0115": ACLS,
    "0119": ACLS,
}
# Told an older version of the broker, 0109 leaves out its part with access control lists, and
# runs all the rest.
BROKER_VERSION = {"0109": "2.0.0.0"}
NO_AUTO_CREATE = {"auto.create.topics.enable": "false"}
# These end at their first failure, so each of their parts runs by itself.
IN_PARTS = {"0081", "0113"}
# Parts that one node without security cannot serve.
SKIPPED_PARTS = {
    "do_test_CreateAcls": ACLS,
    "do_test_DescribeAcls": ACLS,
    "do_test_DeleteAcls": ACLS,
    "o_java_interop": "it takes librdkafka's default sasl.mechanism for a cluster with SASL",
    "do_test_UserScramCredentials": "SCRAM comes with security",
}
# What CI has time for: the areas where other brokers are known to fail, less what takes longest.
CI = {
    "librdkafka": "0002 0003 0007 0011 0012 0014 0015 0017 0019 0022 0029 0030 0031 0035 0036 0040 "
    "0044 0045 0048 0050 0052 0054 0059 0061 0069 0070 0073 0081 0085 0090 0093 0099 0103 0107 0109 "
    "0111 0112 0118 0127 0129 0130 0132 0140".split(),
    "librdkafka/consumer": "0014 0019 0022 0029 0030 0050 0061 0099 0118 0130 0132 0140 0153".split(),
    "librdkafka/idempotent": "0011 0012 0017 0090".split(),
}
# What is changed in the suite's sources, and how often each is found there. Its own cluster has
# three brokers, and it makes topics with three replicas. And Kafka 4 refuses segments of less than
# 1 MiB but by an internal name, which Kafka's own tests use as well.
REPLICAS = "NewTopic_new(topicname, partition_cnt, %s,"
CHANGES = {
    "test.c": (REPLICAS % "replication_factor", REPLICAS % "1"),
    "0077-compaction.c": ('"--config segment.bytes', '"--config internal.segment.bytes'),
    "0129-fetch_aborted_msgs.c": ('"segment.bytes"', '"internal.segment.bytes"'),
}
SUMMARY = re.compile(r"^\| +(\d{4}_\w+) +\| +(\w+) +\| +([\d.]+)s +\| *(.*)$", re.M)
FAILURE = re.compile(r'^### Test "(\d{4}\w+)[^\n]*? failed at (\S+) at [^\n]*\n([^\n]*)', re.M)
PART = re.compile(r"\[ (\w+:\d+[^\n]*?): (PASS|SKIP)(?: \([\d.]+s\))?(?:: )?([^\]\n]*)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m|\x1b\(B")


def build():
    """Builds the library and its runner once; gives the folder of its tests."""
    need("make", "build-essential")
    need("/usr/include/zlib.h", "zlib1g-dev")
    need("/usr/include/zstd.h", "libzstd-dev")
    need("/usr/include/openssl/ssl.h", "libssl-dev")
    need("/usr/include/rapidjson/rapidjson.h", "rapidjson-dev")
    need("javac", "openjdk-17-jdk-headless")
    source = os.path.join(crate_source("rdkafka-sys"), "librdkafka")
    crate = os.path.basename(os.path.dirname(source))
    folder = workplace(crate)

    def make():
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        configure = ["./configure", "--disable-curl", "--disable-sasl"]
        change(os.path.join(folder, "tests"))
        logged("librdkafka-configure", configure, cwd=folder)
        logged("librdkafka-make", ["make", "-j2", "libs"], cwd=folder)
        logged("librdkafka-make-tests", ["make", "-j2", "-C", "tests", "build"], cwd=folder)

    once(workplace(crate + ".done"), make)
    return os.path.join(folder, "tests")


def change(tests):
    """Makes the changes to the sources that one node of Kafka 4 needs."""
    for name, (old, new) in CHANGES.items():
        source = os.path.join(tests, name)
        with open(source) as file:
            text = file.read()
        if text.count(old) != 1:
            sys.exit(f"{source} is not as it was: {old}")
        with open(source, "w") as file:
            file.write(text.replace(old, new))


def parts_of(tests, number):
    """Names of the functions that are parts of a test, from its source."""
    (source,) = [name for name in os.listdir(tests) if re.match(number + r"-.*\.c(pp)?$", name)]
    with open(os.path.join(tests, source)) as file:
        functions = re.split(r"^(?:static )?\w[\w :]*?\b(\w+) *\(", file.read(), flags=re.M)
    bodies = dict(zip(functions[1::2], functions[2::2]))
    local = "".join(body for name, body in bodies.items() if re.match(r"main_.*_local", name))
    parts = [name for name, body in bodies.items() if re.search(r"\bSUB_TEST(_QUICK)?\(", body)]
    return [name for name in parts if name not in local]


def broker_tests(tests):
    """Numbers of the tests that talk to a broker, by scenario, from the runner's own table."""
    with open(os.path.join(tests, "test.c")) as source:
        table = re.findall(r"^    _TEST\(((?:[^()]|\([^()]*\))*)\)", source.read(), re.M)
    scenarios = {"default": set(), "noautocreate": set()}
    for entry in table:
        if re.search(r"TEST_F_(LOCAL|MANUAL)", entry):
            continue
        given = re.search(r'\.scenario\s*=\s*"([^"]*)"', entry)
        for scenario in scenarios:
            if scenario in (given.group(1) if given else "default"):
                scenarios[scenario].add(entry[:4])
    return {scenario: sorted(numbers) for scenario, numbers in scenarios.items()}


class Librdkafka:
    def __init__(self):
        self.suite = Suite(
            "librdkafka",
            __doc__.splitlines()[0],
            [
                (["--group-protocol"], {"choices": ("classic", "consumer"), "default": "classic"}),
                (["--idempotent"], {"action": "store_true", "help": "the runner's -P"}),
                (["--quick"], {"action": "store_true", "help": "the runner's -Q"}),
                (["--scenario"], {"choices": ("default", "noautocreate"), "help": "only this one"}),
                (["--jobs"], {"type": int, "default": 1, "help": "tests at the same time"}),
            ],
        )
        given = self.suite.given
        self.quick = given.quick
        self.idempotent = given.idempotent
        self.protocol = given.group_protocol
        if self.protocol == "consumer":
            self.suite.rename("librdkafka/consumer")
        elif self.idempotent:
            self.suite.rename("librdkafka/idempotent")
        self.tests = build()
        self.kafka = kafka_scripts.make()

    def run_all(self):
        numbers = broker_tests(self.tests)
        self.run_scenario("default", numbers["default"])
        self.run_scenario("noautocreate", numbers["noautocreate"], NO_AUTO_CREATE)
        self.suite.finish()

    def run_scenario(self, scenario, numbers, settings=None):
        if self.suite.given.scenario not in (None, scenario):
            return
        wanted = [n for n in numbers if self.suite.wants(n)]
        if self.suite.ci:
            wanted = [n for n in wanted if n in CI[self.suite.name]]
        if not wanted:
            return
        with self.suite.server(settings) as server:
            for number in wanted:
                if number in SKIPPED:
                    self.suite.result(number, "skip", reason=SKIPPED[number])
            left = [task for n in wanted if n not in SKIPPED for task in self.tasks(n)]
            with concurrent.futures.ThreadPoolExecutor(self.suite.given.jobs) as pool:
                done = pool.map(lambda task: self.run_one(server, scenario, *task), left)
                for results in done:
                    for result in results:
                        self.suite.result(*result)

    def tasks(self, number):
        """What to run for a number, each in a process of its own: all of it, or its parts."""
        if number not in IN_PARTS:
            yield number, None
            return
        for part in parts_of(self.tests, number):
            if part in SKIPPED_PARTS:
                self.suite.result(f"{number} {part}", "skip", reason=SKIPPED_PARTS[part])
            else:
                yield number, part

    def run_one(self, server, scenario, number, part):
        """Runs a number, or one part of it; gives the results it tells of."""
        name = self.suite.name.replace("/", "-")
        label = "-".join((name, self.suite.against, scenario, number, part or "all"))
        config = workplace("logs", label + ".conf")
        with open(config, "w") as out:
            # Java's clients may be given to the runner as peers: the address has to be IPv4.
            out.write(f"bootstrap.servers={server.bootstrap}\nbroker.address.family=v4\n")
            out.write("test.timeout.multiplier=2\n")
        environment = dict(
            os.environ,
            TESTS=number,
            RDKAFKA_TEST_CONF=config,
            TEST_CONSUMER_GROUP_PROTOCOL=self.protocol,
            LD_LIBRARY_PATH="../src:../src-cpp",
            KAFKA_PATH=self.kafka,
            BROKERS=server.bootstrap,
        )
        if part:
            environment["SUBTESTS"] = part + ":"
        # The runner's own idea of CI makes it lenient about what it measures.
        environment.pop("CI", None)
        version = BROKER_VERSION.get(number, KAFKA_VERSION)
        command = ["./test-runner", "-p1", "-L", "-s", scenario, "-V", version]
        command += ["-Q"] if self.quick else []
        command += ["-P"] if self.idempotent else []
        began = time.monotonic()
        outcome = run(command, 600, cwd=self.tests, env=environment)
        seconds = time.monotonic() - began
        said = COLOUR.sub("", outcome.out + outcome.err)
        with open(workplace("logs", label + ".log"), "w") as log:
            log.write(said)
        results = list(self.results(number, said, outcome.code, seconds))
        if part and results:
            _, state, _, reason = results[0]
            if state == "pass" and not reason:
                state, reason = "skip", "has no part for this protocol, version or mode"
            results = [(f"{number} {part}", state, seconds, reason)]
        return results

    def results(self, number, said, code, seconds):
        states = {"PASSED": "pass", "SKIPPED": "skip"}
        found = [row for row in SUMMARY.findall(said) if row[0].startswith(number)]
        failed = FAILURE.search(said)
        if not found and failed:
            name, place, why = failed.groups()
            yield name, "fail", seconds, f"{place}: {why}"
        elif not found:
            how = "its time was up" if code is None else f"the runner ended with {code}"
            yield number, "fail", seconds, f"{how} without a summary"
        elif code != 0 and all(state in states for _, state, _, _ in found):
            yield number, "fail", seconds, f"the runner ended with {code}"
        else:
            for name, state, took, reason in found:
                if state == "PASSED":
                    state, reason = self.parts(name, said)
                elif state == "SKIPPED" and (not reason or "test flags" in reason):
                    continue  # of another scenario, or without a broker
                yield name, states.get(state, "fail"), float(took), reason

    @staticmethod
    def parts(name, said):
        """What a passed test says of its parts: how many passed, and which were skipped and why.
        It is skipped itself if all of them were."""
        told = "\n".join(line for line in said.splitlines() if line.startswith("[" + name))
        parts = PART.findall(told)
        skipped = [f"{part} skipped: {why}" for part, state, why in parts if state == "SKIP"]
        passed = len(parts) - len(skipped)
        state = "SKIPPED" if skipped and not passed else "PASSED"
        return state, "; ".join(([f"{passed} parts"] if parts else []) + skipped)


if __name__ == "__main__":
    Librdkafka().run_all()

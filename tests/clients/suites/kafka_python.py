#!/usr/bin/env python3
"""kafka-python's integration tests, from its source package."""

import glob
import os
import shutil
import sys
import tarfile
import time
import xml.etree.ElementTree as xml

from harness import KAFKA_VERSION, Suite, logged, need, once, run, workplace

VERSION = "3.0.12"
SERVICE = """
class ExternalService:
    def __init__(self, host, port):
        pass

    def open(self):
        pass

    def close(self):
        pass


class SpawnedService:
    pass
"""
SKIPPED = {"test_create_describe_delete_acls": "access control lists come with security"}
# As the brokers are that it starts itself.
SETTINGS = {"node.id": "0", "group.min.session.timeout.ms": "1000"}
FILES = ("producer", "consumer", "admin")


def install():
    """Its sources, and a Python environment to run them in; gives the folder and the python."""
    environment, folder = workplace("kafka_python", "venv"), workplace("kafka_python", "source")

    def make():
        need("/usr/share/doc/python3-venv", "python3-venv")
        shutil.rmtree(environment, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        logged("venv", [sys.executable, "-m", "venv", environment])
        pip = [os.path.join(environment, "bin", "pip"), "--quiet"]
        packages = workplace("kafka_python", "packages")
        source = ["download", "--no-deps", "--no-binary", ":all:", "--dest", packages]
        logged("pip-download", [*pip, *source, f"kafka-python=={VERSION}"])
        (package,) = glob.glob(os.path.join(packages, "kafka_python-*.tar.gz"))
        with tarfile.open(package) as archive:
            archive.extractall(packages)
        os.rename(package.removesuffix(".tar.gz"), folder)
        # The package leaves out two files: the mark of a package (Python has a `test` of its own),
        # and the module that starts brokers, of which a broker from outside needs next to nothing.
        open(os.path.join(folder, "test", "__init__.py"), "w").close()
        with open(os.path.join(folder, "test", "service.py"), "w") as service:
            service.write(SERVICE)
        logged("pip-install", [*pip, "install", folder + "[testing,lz4,snappy,zstd,crc32c]"])

    once(workplace("kafka_python", f"{VERSION}.done"), make)
    return folder, os.path.join(environment, "bin", "python")


def main():
    suite = Suite("kafka_python", __doc__.splitlines()[0])
    folder, python = install()
    with suite.server(SETTINGS) as server:
        environment = dict(os.environ, KAFKA_VERSION=KAFKA_VERSION)
        environment["KAFKA_URI"] = f"kafka://{server.bootstrap}"
        # Some folder that exists: no broker is started from it.
        environment["KAFKA_ROOT"] = folder
        for name in FILES:
            if not suite.wants(name):
                continue
            report = workplace("logs", f"kafka_python-{suite.against}-{name}.xml")
            file = os.path.join("test", "integration", f"test_{name}_integration.py")
            command = [python, "-m", "pytest", "-q", "--timeout=180", f"--junit-xml={report}", file]
            if name == "admin":
                for test, reason in SKIPPED.items():
                    command.append(f"--deselect={file}::{test}")
                    suite.result(f"{name} {test}", "skip", reason=reason)
            # A run that ends before its report must not be counted by the last one's.
            if os.path.exists(report):
                os.remove(report)
            began = time.monotonic()
            done = run(command, 1200, cwd=folder, env=environment)
            with open(report.removesuffix("xml") + "log", "w") as log:
                log.write(done.out + done.err)
            if done.code is None or not os.path.exists(report):
                how = "its time was up" if done.code is None else f"it ended with {done.code}"
                suite.result(name, "fail", time.monotonic() - began, f"{how}: {done.out[-200:]}")
                continue
            cases = list(xml.parse(report).iter("testcase"))
            failed = False
            for case in cases:
                outcome, reason = "pass", ""
                for child in case:
                    if child.tag in ("failure", "error", "skipped"):
                        outcome = "skip" if child.tag == "skipped" else "fail"
                        reason = child.get("message", "")
                failed |= outcome == "fail"
                suite.result(f"{name} {case.get('name')}", outcome, float(case.get("time")), reason)
            # 0: all passed; 1: some failed, which the report then says. All else is no result.
            if not cases or done.code not in ((1,) if failed else (0,)):
                how = f"pytest ended with {done.code} after {len(cases)} tests: {done.out[-200:]}"
                suite.result(name, "fail", time.monotonic() - began, how)
    for name in ("ssl", "sasl"):
        if suite.wants(name):
            suite.result(name, "skip", reason="encryption and authentication come with security")
    suite.finish()


if __name__ == "__main__":
    main()

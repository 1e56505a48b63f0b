"""What the suites share: servers under test, a table of results, and the things they need.

A suite is a script that makes a `Suite`, runs its tests against `suite.server(...)`, tells each
result with `suite.result(...)`, and ends with `suite.finish()`.
"""

import argparse
import atexit
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.abspath(os.path.join(HERE, "..", "..", ".."))
KAFKA_VERSION = "4.3.1"

# What librdkafka's suite expects of its cluster; the internal topics are small, so that a node
# starts at once. Both servers clean as often as Kafka does by default.
SETTINGS = {
    "node.id": "1",
    "num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "log.retention.check.interval.ms": "300000",
}

_metadata = None
# What was started and not yet ended, each with the signal that ends it.
_children = {}
_is_ending = False


def cargo_metadata():
    """`cargo metadata` of the project, asked once."""
    global _metadata
    if _metadata is None:
        command = ["cargo", "metadata", "--format-version", "1", "--locked"]
        _metadata = json.loads(subprocess.check_output(command, cwd=PROJECT))
    return _metadata


def cargo(*arguments):
    """Runs cargo in the project; it must succeed."""
    child = start(["cargo", *arguments, "--quiet"], cwd=PROJECT)
    if child.wait() != 0:
        sys.exit(f"cargo {' '.join(arguments)} failed with {child.returncode}")
    _children.pop(child, None)


def crate_source(name):
    """The folder of the sources that Cargo.lock pins for a crate."""
    for package in cargo_metadata()["packages"]:
        if package["name"] == name:
            return os.path.dirname(package["manifest_path"])
    sys.exit(f"no crate {name} in Cargo.lock")


def workplace(*parts):
    """A path under `target/suites`, where everything is that the suites install or write."""
    path = os.path.join(cargo_metadata()["target_directory"], "suites", *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def need(present, *packages):
    """Installs Debian packages if a command or a file is missing."""
    if shutil.which(present) or os.path.exists(present):
        return
    quiet = {"stdout": subprocess.DEVNULL, "check": True}
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    subprocess.run(["apt-get", "update", "-qq"], env=environment, **quiet)
    subprocess.run(["apt-get", "install", "-y", "-qq", *packages], env=environment, **quiet)


def once(mark, build):
    """Calls `build` unless the file `mark` is there, which is written when it has succeeded."""
    if not os.path.exists(mark):
        build()
        os.makedirs(os.path.dirname(mark), exist_ok=True)
        open(mark, "w").close()


def logged(name, command, **kwargs):
    """Runs a command that must succeed, its output in a log that is shown when it does not."""
    log = workplace("logs", name + ".log")
    with open(log, "w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, **kwargs)
    if done.returncode != 0:
        with open(log, errors="replace") as text:
            sys.stderr.write("".join(text.readlines()[-40:]))
        sys.exit(f"{name} failed with {done.returncode}: {' '.join(command)}")


def jars():
    """The folder of Kafka's published jars with all that they need, fetched by Maven once."""
    need("java", "openjdk-17-jre-headless")
    folder = workplace("jars")

    def fetch():
        need("mvn", "maven")
        pom = os.path.join(HERE, "pom.xml")
        copy = "dependency:copy-dependencies"
        logged("maven", ["mvn", "-B", "-f", pom, copy, "-DoutputDirectory=" + folder])

    once(workplace("jars.done"), fetch)
    return folder


def java(class_name, *arguments, heap="192m", classpath=""):
    """The command line that runs a class of Kafka's jars."""
    path = os.path.join(jars(), "*") + (os.pathsep + classpath if classpath else "")
    logging = "-Dlog4j2.configurationFile=" + os.path.join(HERE, "log4j2.properties")
    # Tools live for seconds: the first compiler and the simplest collector start fastest.
    options = ["-Xmx" + heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", logging]
    return ["java", *options, "-cp", path, class_name, *arguments]


@dataclasses.dataclass
class Outcome:
    """How a command ended; `code` is None when its time was up."""

    code: int
    out: str
    err: str


def run(command, timeout, text=None, **kwargs):
    """Runs a command with all its children to its end, or kills them when the time is up."""
    pipe = subprocess.PIPE
    child = start(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace", **kwargs)
    try:
        out, err = child.communicate(text, timeout=timeout)
    except subprocess.TimeoutExpired:
        end(child, signal.SIGKILL)
        out, err = child.communicate()
        return Outcome(None, out, err)
    except BaseException:
        end(child, signal.SIGKILL)
        raise
    _children.pop(child, None)
    return Outcome(child.returncode, out, err)


def start(command, how=signal.SIGKILL, **kwargs):
    """Starts a command in a process group of its own, which does not outlive this process: it is
    ended with the signal `how` at the latest when this process ends."""
    if _is_ending:
        sys.exit(143)
    child = subprocess.Popen(command, start_new_session=True, **kwargs)
    _children[child] = how
    if _is_ending:
        _kill(child, how)
    return child


def end(child, how=signal.SIGTERM, patience=60):
    """Ends a command started by `start` with all its children."""
    _children.pop(child, None)
    _kill(child, how)
    try:
        child.wait(patience)
    except subprocess.TimeoutExpired:
        _kill(child, signal.SIGKILL)
        child.wait()


def _kill(child, how):
    # Once its end has been seen its number may be another's.
    if child.returncode is None:
        try:
            os.killpg(child.pid, how)
        except ProcessLookupError:
            pass


@atexit.register
def _end_all():
    for child, how in list(_children.items()):
        end(child, how)


def _told_to_end(number, _):
    global _is_ending
    _is_ending = True
    # Before anything else: threads that wait for these would hold up the end of this process.
    for child, how in list(_children.items()):
        _kill(child, how)
    sys.exit(128 + number)


for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, _told_to_end)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_free(port):
    """Whether nobody listens on a port of this machine."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            return True
        except OSError:
            return False


def until(what, condition, patience=60):
    """Polls a condition until it gives something, and fails when the time is up."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience} s for {what}")
        time.sleep(0.05)


class Server:
    """A node on loopback and a fresh directory: Headwater's, or Apache Kafka's."""

    def __init__(self, against, headwater, settings, port):
        self.against = against
        self.settings = {**SETTINGS, **settings}
        self.port = port
        self.folder = tempfile.mkdtemp(prefix="server-", dir=os.path.dirname(workplace("x")))
        self.log = os.path.join(self.folder, "server.log")
        self.child = None
        starts = self._start_kafka if against == "kafka" else lambda: self._start(headwater)
        try:
            starts()
        except BaseException:
            self.stop()
            raise

    def _start(self, headwater):
        command = [headwater, "serve", "--data-dir", os.path.join(self.folder, "data")]
        command += ["--listen", f"127.0.0.1:{self.port or 0}"]
        for listener in ("--sql-listen", "--connect-listen"):
            command += [listener, "127.0.0.1:0"]
        for name, value in self.settings.items():
            command += ["--set", f"{name}={value}"]
        self._spawn(command)

        def address():
            for line in self._lines():
                if line.startswith("Kafka") and "listens on" in line:
                    return line.split()[-1]

        self.bootstrap = until("the node's address", address)

    def _start_kafka(self):
        port, controller = self.port or free_port(), free_port()
        plain = f"PLAINTEXT://127.0.0.1:{port}"
        properties = {
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"{self.settings['node.id']}@127.0.0.1:{controller}",
            "listeners": f"{plain},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": plain,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": os.path.join(self.folder, "data"),
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            **self.settings,
        }
        config = os.path.join(self.folder, "server.properties")
        with open(config, "w") as out:
            out.writelines(f"{name}={value}\n" for name, value in properties.items())
        tool = "kafka.tools.StorageTool"
        cluster = "aGVhZHdhdGVyLXN1aXRlcw"
        logged("format", java(tool, "format", "-t", cluster, "--config", config))
        self._spawn(java("kafka.Kafka", config, heap="768m"))
        self.bootstrap = f"127.0.0.1:{port}"

        # It says so itself: who answers at the port may be another that took it first.
        def has_started():
            return any("Kafka Server started" in line for line in self._lines())

        until("Kafka's start", has_started, 120)

    def _spawn(self, command):
        with open(self.log, "w") as out:
            self.child = start(command, stdout=out, stderr=out)

    def _lines(self):
        if self.child.poll() is not None:
            with open(self.log, errors="replace") as text:
                sys.exit(f"the server ended with {self.child.returncode}:\n{text.read()[-4000:]}")
        with open(self.log, errors="replace") as text:
            return text.readlines()

    def stop(self):
        if self.child is not None:
            end(self.child)
            self.child = None
            # What the last one said stays.
            script = os.path.splitext(os.path.basename(sys.argv[0]))[0]
            shutil.copy(self.log, workplace("logs", f"{script}-server-{self.against}.log"))
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _known_failures(suite, against):
    """Tests of the suite that are known to fail, each with what it then says and the cause."""
    known = {}
    with open(os.path.join(HERE, "known_failures.tsv")) as table:
        for line in table:
            if line.startswith("#") or not line.strip():
                continue
            of, test, fails_on_kafka, says, cause = line.rstrip("\n").split("\t")
            if of == suite and (against == "headwater" or fails_on_kafka == "yes"):
                cause = f"{cause} (Kafka {KAFKA_VERSION} fails too: {fails_on_kafka})"
                known[test] = (says, cause)
    return known


class Suite:
    """One run of one suite: its arguments, its servers and its table.

    Results are told as they come, kept as lines of tab-separated fields
    (suite, test, outcome, seconds, reason) in `target/suites/results`, and shown as a table at the
    end. Outcomes: `pass`, `fail`, `known` (a failure that known_failures.tsv names), `skip`.
    """

    def __init__(self, name, description, arguments=()):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("tests", nargs="*", help="only tests that begin so")
        parser.add_argument("--against", choices=("headwater", "kafka"), default="headwater")
        parser.add_argument(
            "--headwater",
            default=os.environ.get("HEADWATER"),
            help="the binary under test; default: the project's release build",
        )
        parser.add_argument("--ci", action="store_true", help="the selection that CI has time for")
        for flags, options in arguments:
            parser.add_argument(*flags, **options)
        self.given = parser.parse_args()
        self.against = self.given.against
        # What the table says that it was against.
        self.shown = self.against
        self.ci = self.given.ci
        self.results = []
        self.rename(name)

    def rename(self, name):
        """Sets the suite's name, by which results are told and known failures are found."""
        self.name = name
        self.known = _known_failures(name, self.against)

    def server(self, settings=None, port=None):
        """Starts a node with some of Kafka's broker settings besides those of `SETTINGS`, on a
        port of its own unless one is given."""
        headwater = self.given.headwater
        if self.against == "headwater" and headwater is None:
            cargo("build", "--release")
            headwater = os.path.join(cargo_metadata()["target_directory"], "release", "headwater")
        return Server(self.against, headwater, settings or {}, port)

    def wants(self, test):
        return not self.given.tests or any(test.startswith(t) for t in self.given.tests)

    def result(self, test, outcome, seconds=0.0, reason=""):
        says, cause = self.known.get(test, ("", ""))
        # Another failure of the same test is news.
        if outcome == "fail" and cause and says in reason:
            outcome, reason = "known", cause
        elif outcome == "pass" and cause:
            reason = "passes, though known_failures.tsv names it"
        reason = " ".join(reason.split())[:300]
        self.results.append((self.name, test, outcome, f"{seconds:.1f}", reason))
        print("\t".join(("result", *self.results[-1])), flush=True)

    def check(self, test, body, *arguments):
        """Runs one test that is a function: it passes unless it raises."""
        if not self.wants(test):
            return
        began = time.monotonic()
        try:
            body(*arguments)
        except Skip as skip:
            self.result(test, "skip", time.monotonic() - began, str(skip))
        except Exception as error:  # whatever goes wrong is this test's failure
            reason = f"{type(error).__name__}: {error}" if str(error) else repr(error)
            self.result(test, "fail", time.monotonic() - began, reason)
        else:
            self.result(test, "pass", time.monotonic() - began)

    def finish(self):
        """Shows the table and ends the process: with 1 if a test failed or none ran."""
        kind = self.name.replace("/", "-") + "-" + self.against
        with open(workplace("results", kind + ".tsv"), "w") as out:
            out.writelines("\t".join(row) + "\n" for row in self.results)
        sys.exit(0 if show(self.results, self.shown) else 1)


class Skip(Exception):
    """Raised by a test that cannot run, with the reason."""


def read_results(path):
    """Rows that a suite has left in a file; none if it has not come so far."""
    if not os.path.exists(path):
        return []
    with open(path) as table:
        return [line.rstrip("\n").split("\t") for line in table]


def show(results, against):
    """Prints results as a table with counts; true if something ran and nothing failed."""
    width = max((len(row[1]) for row in results), default=0)
    server = "Headwater" if against == "headwater" else f"Apache Kafka {KAFKA_VERSION}"
    print(f"\n{results[0][0] if results else 'nothing'} against {server}")
    for _, test, outcome, seconds, reason in results:
        print(f"  {test:<{width}}  {outcome:<5} {seconds:>7} s  {reason}".rstrip())
    count = {
        kind: sum(row[2] == kind for row in results) for kind in ("pass", "fail", "known", "skip")
    }
    known = f", {count['known']} known failures" if count["known"] else ""
    print(f"{count['pass']} passed, {count['fail']} failed, {count['skip']} skipped{known}")
    sys.stdout.flush()
    return count["fail"] == 0 and count["pass"] > 0

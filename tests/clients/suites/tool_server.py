"""Kafka's command-line tools in one virtual machine: see ToolServer.java."""

import base64
import os
import subprocess
import threading

from harness import HERE, Outcome, end, java, jars, logged, need, once, start, workplace


def _encoded(text):
    return "=" + base64.b64encode(text.encode()).decode()


def _decoded(word):
    return base64.b64decode(word[1:]).decode(errors="replace")


class ToolServer:
    """Runs tools one after another. It starts at the first call, and again after a time-out."""

    def __init__(self):
        self.child = None

    def _start(self):
        source = os.path.join(HERE, "ToolServer.java")
        classes = workplace("classes")
        need("javac", "openjdk-17-jdk-headless")
        compile = ["javac", "-cp", os.path.join(jars(), "*"), "-d", classes, source]
        stamp = str(int(os.stat(source).st_mtime))
        once(workplace(f"tool-server-{stamp}.done"), lambda: logged("javac", compile))
        pipe = subprocess.PIPE
        command = java("ToolServer", jars(), heap="512m", classpath=classes)
        log = open(workplace("logs", "tool-server.log"), "w")
        self.child = start(command, stdin=pipe, stdout=pipe, stderr=log, text=True)

    def run(self, class_name, arguments, timeout, text=""):
        """Runs a tool as `harness.run` runs a command."""
        if self.child is None or self.child.poll() is not None:
            self._start()
        child = self.child
        watch = threading.Timer(timeout, lambda: end(child))
        watch.start()
        try:
            words = [class_name, text or "", *arguments]
            child.stdin.write(" ".join(map(_encoded, words)) + "\n")
            child.stdin.flush()
            answer = child.stdout.readline()
        finally:
            watch.cancel()
        if not answer:
            self.child = None
            return Outcome(None, "", "its time was up, or it took the virtual machine with it")
        code, out, err = answer.split()
        return Outcome(int(code), _decoded(out), _decoded(err))

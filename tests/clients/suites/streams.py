#!/usr/bin/env python3
"""Kafka Streams' word count (the example that its project publishes), at least once and exactly
once, the latter also with the application killed while it counts.

The counts in the output topic and in the store's changelog are compared with a count of the same
words that shares nothing with either.
"""

import collections
import os
import random
import shutil
import signal

import harness
from harness import Suite, java, need, run, start, until, workplace

DEMO = "org.apache.kafka.streams.examples.wordcount.WordCountDemo"
INPUT, OUTPUT = "streams-plaintext-input", "streams-wordcount-output"
WORDS = [f"word{number}" for number in range(200)]
LINES, WORDS_IN_LINE = 5000, 6


class WordCount:
    """The application, its topics and what it should count."""

    def __init__(self, server, guarantee, seed):
        self.bootstrap = server.bootstrap
        self.guarantee = guarantee
        self.random = random.Random(seed)
        self.expected = collections.Counter()
        self.app = None
        self.config = workplace("streams.properties")
        state = workplace("streams-state")
        shutil.rmtree(state, ignore_errors=True)
        settings = {
            "bootstrap.servers": self.bootstrap,
            "state.dir": state,
            "processing.guarantee": guarantee,
            "commit.interval.ms": "200",
            "num.stream.threads": "2",
            # A killed application comes back as another member: it must not wait for the first.
            "consumer.session.timeout.ms": "6000",
            "consumer.heartbeat.interval.ms": "1000",
        }
        with open(self.config, "w") as out:
            out.writelines(f"{name}={value}\n" for name, value in settings.items())
        topics = "org.apache.kafka.tools.TopicCommand"
        for topic in (INPUT, OUTPUT):
            create = ["--bootstrap-server", self.bootstrap, "--create", "--topic", topic]
            done = run(java(topics, *create, "--partitions", "4"), 60)
            assert done.code == 0, done.out + done.err

    def kcat(self, *arguments, text=None):
        base = ["kcat", "-b", self.bootstrap, "-X", "broker.address.family=v4"]
        done = run([*base, *arguments], 60, text)
        assert done.code == 0, done.err[-500:]
        return done.out

    def write(self, lines):
        text = []
        for _ in range(lines):
            words = self.random.choices(WORDS, k=WORDS_IN_LINE)
            self.expected.update(words)
            text.append(" ".join(words) + "\n")
        self.kcat("-P", "-t", INPUT, "-X", "acks=all", text="".join(text))

    def start(self):
        log = open(workplace("logs", f"streams-{self.guarantee}.log"), "a")
        self.app = start(java(DEMO, self.config, heap="384m"), stdout=log, stderr=log)

    def stop(self, how=signal.SIGTERM):
        if self.app is not None:
            harness.end(self.app, how)
            self.app = None

    def counts(self, topic):
        """Each word's counts in the order of the topic, as far as they are committed."""
        found = collections.defaultdict(list)
        read = ["-C", "-t", topic, "-e", "-q", "-s", "value=q", "-f", r"%k %s\n"]
        for line in self.kcat(*read, "-X", "isolation.level=read_committed").splitlines():
            word, count = line.split()
            found[word].append(int(count))
        return found

    def latest(self, topic=OUTPUT):
        return {word: counts[-1] for word, counts in self.counts(topic).items()}

    def counted(self):
        """Waits for the expected counts."""
        expected = dict(self.expected)
        try:
            until("the expected counts", lambda: self.latest() == expected, 120)
        except TimeoutError:
            found = self.latest()
            wrong = {w: (found.get(w), expected[w]) for w in expected if found.get(w) != expected[w]}
            raise AssertionError(f"{len(wrong)} counts are wrong: {sorted(wrong.items())[:5]}")

    def store_holds_it_too(self):
        topics = run(java("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", self.bootstrap,
                          "--list"), 60).out.split()
        (changelog,) = [topic for topic in topics if topic.endswith("-changelog")]
        assert any(topic.endswith("-repartition") for topic in topics), topics
        assert self.latest(changelog) == dict(self.expected), changelog


def undisturbed(count):
    count.write(LINES)
    count.start()
    count.counted()
    count.write(LINES)
    count.counted()
    count.stop()
    count.store_holds_it_too()


def never_falls(count):
    """With exactly once, what is committed for a word only ever grows: nothing is counted twice,
    and nothing that was committed is taken back."""
    for word, counts in count.counts(OUTPUT).items():
        assert all(a < b for a, b in zip(counts, counts[1:])), (word, counts)


def killed(count):
    for _ in range(3):
        count.write(LINES)
        before = sum(count.latest().values())
        count.start()
        until("something counted", lambda: sum(count.latest().values()) > before, 120)
        count.stop(signal.SIGKILL)
    count.start()
    count.counted()
    count.stop()
    count.store_holds_it_too()


def main():
    suite = Suite("streams", " ".join(__doc__.split("\n\n")[0].split()))
    need("kcat", "kcat")

    def word_count(guarantee, *scenarios):
        with suite.server() as server:
            count = WordCount(server, guarantee, seed=len(suite.results) + 1)
            try:
                for scenario in scenarios:
                    scenario(count)
            finally:
                count.stop()

    suite.check("word count at_least_once", word_count, "at_least_once", undisturbed)
    suite.check("word count exactly_once_v2", word_count, "exactly_once_v2", undisturbed, never_falls)
    if not suite.ci:
        name = "word count exactly_once_v2, killed three times"
        suite.check(name, word_count, "exactly_once_v2", killed, never_falls)
    suite.finish()


if __name__ == "__main__":
    main()

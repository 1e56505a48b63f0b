#!/usr/bin/env python3
"""kcat, as Debian packages it: listing, producing, consuming, groups, queries and formats."""

import json
import re

from harness import Suite, need, run


class Kcat:
    """Runs kcat against one server."""

    def __init__(self, server):
        self.bootstrap = server.bootstrap

    def __call__(self, *arguments, text=None, timeout=60):
        command = ["kcat", "-b", self.bootstrap, "-X", "broker.address.family=v4"]
        done = run([*command, *map(str, arguments)], timeout, text)
        assert done.code == 0, f"kcat {arguments} ended with {done.code}: {done.err[-500:]}"
        return done.out

    def produce(self, topic, lines, *options):
        self("-P", "-t", topic, *options, text="".join(line + "\n" for line in lines))

    def consume(self, topic, *options):
        return self("-C", "-t", topic, "-e", "-q", *options).splitlines()


def listing(kcat):
    kcat.produce("listed", ["one"])
    said = kcat("-L")
    assert re.search(r"^  broker 1 at 127\.0\.0\.1:\d+", said, re.M), said
    assert re.search(r'^  topic "listed" with 4 partitions:', said, re.M), said
    assert re.search(r"^    partition 3, leader 1, replicas: 1, isrs: 1$", said, re.M), said
    told = json.loads(kcat("-L", "-J", "-t", "listed"))
    (topic,) = told["topics"]
    assert [p["leader"] for p in topic["partitions"]] == [1] * 4, topic


def produce_and_consume(kcat):
    lines = [f"line {number}" for number in range(1000)]
    kcat.produce("plain", lines, "-p", 0)
    assert kcat.consume("plain", "-p", 0) == lines
    assert kcat.consume("plain", "-p", 0, "-o", -3) == lines[-3:]
    assert kcat.consume("plain", "-p", 0, "-o", 990) == lines[990:]
    assert kcat.consume("plain", "-p", 0, "-c", 5) == lines[:5]


def keys_headers_and_format(kcat):
    headers = ("-H", "name=value", "-H", "name=again", "-H", "empty=", "-H", "none")
    kcat.produce("formatted", ["k1:v1", "k2:"], "-K", ":", "-p", 2, "-Z", *headers)
    rows = kcat.consume("formatted", "-f", r"%t|%p|%o|%K|%k|%S|%s|%h\n")
    given = "name=value,name=again,empty=,none=NULL"
    assert rows == [f"formatted|2|0|2|k1|2|v1|{given}", f"formatted|2|1|2|k2|-1||{given}"], rows
    told = [json.loads(line) for line in kcat.consume("formatted", "-J")]
    assert told[0]["headers"] == ["name", "value", "name", "again", "empty", "", "none", None], told
    assert (told[1]["key"], told[1]["payload"]) == ("k2", None), told
    assert told[0]["tstype"] == "create" and told[0]["ts"] > 0, told


def partitioner(kcat):
    kcat.produce("partitioned", [f"{n % 8}:{n}" for n in range(800)], "-K", ":")
    rows = [row.split() for row in kcat.consume("partitioned", "-f", r"%p %k %s\n")]
    places = {}
    for partition, key, _ in rows:
        places.setdefault(key, set()).add(partition)
    assert len(rows) == 800 and all(len(found) == 1 for found in places.values()), places
    for key in places:
        values = [int(value) for _, k, value in rows if k == key]
        assert values == sorted(values), key


def compression(kcat, codec):
    topic = f"compressed-{codec}"
    lines = [f"{codec} {number} " + "abc" * 50 for number in range(500)]
    kcat.produce(topic, lines, "-z", codec, "-p", 1, "-X", "acks=all")
    assert kcat.consume(topic) == lines


def idempotent(kcat):
    lines = [str(number) for number in range(500)]
    kcat.produce("idempotent", lines, "-p", 0, "-X", "enable.idempotence=true")
    assert kcat.consume("idempotent") == lines


def transactions(kcat):
    kcat.produce("transactional", ["one", "two", "three"], "-p", 0, "-X", "transactional.id=kcat")
    committed = ("-X", "isolation.level=read_committed")
    assert kcat.consume("transactional", *committed) == ["one", "two", "three"]
    # The commit's marker has an offset of its own.
    said = kcat("-Q", "-t", "transactional:0:-1")
    assert said.strip() == "transactional [0] offset 4", said


def groups(kcat):
    kcat.produce("grouped", [str(number) for number in range(100)])
    group = ("-G", "kcat-group", "-e", "-q", "-X", "auto.offset.reset=earliest")
    first = kcat(*group, "grouped").split()
    assert sorted(first, key=int) == [str(number) for number in range(100)], len(first)
    kcat.produce("grouped", ["100"])
    assert kcat(*group, "grouped").split() == ["100"]


def groups_with_patterns(kcat):
    for number in range(3):
        kcat.produce(f"pattern-{number}", [str(number)])
    group = ("-G", "kcat-patterns", "-e", "-q", "-X", "auto.offset.reset=earliest")
    assert sorted(kcat(*group, "^pattern-.*").split()) == ["0", "1", "2"]


def queries(kcat):
    kcat.produce("queried", ["a", "b", "c"], "-p", 0)
    first, *_ = kcat.consume("queried", "-c", 1, "-f", r"%T\n")
    for which, offset in (("-1", 3), ("-2", 0), (first, 0), ("4102444800000", -1)):
        said = kcat("-Q", "-t", f"queried:0:{which}").strip()
        # Nothing as late as this: the end, which Kafka gives as -1.
        assert said == f"queried [0] offset {offset}", (which, said)
    since = kcat.consume("queried", "-o", f"s@{first}", "-o", "e@4102444800000")
    assert since == ["a", "b", "c"], since


def large_messages(kcat):
    line = "x" * 900_000
    kcat.produce("large", [line, "small", line], "-p", 0)
    assert kcat.consume("large") == [line, "small", line]


TESTS = [
    (listing,),
    (produce_and_consume,),
    (keys_headers_and_format,),
    (partitioner,),
    (compression, "gzip"),
    (compression, "snappy"),
    (compression, "lz4"),
    (compression, "zstd"),
    (idempotent,),
    (transactions,),
    (groups,),
    (groups_with_patterns,),
    (queries,),
    (large_messages,),
]


def main():
    suite = Suite("kcat", __doc__.splitlines()[0])
    need("kcat", "kcat")
    with suite.server() as server:
        kcat = Kcat(server)
        for test, *arguments in TESTS:
            suite.check(" ".join([test.__name__, *arguments]), test, kcat, *arguments)
    suite.finish()


if __name__ == "__main__":
    main()

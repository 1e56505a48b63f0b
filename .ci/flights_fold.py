#!/usr/bin/env python3
"""Folds the flights' CSV files into the demo's three results and compares them with the demo's.

It shares nothing with Headwater: plain dictionaries over the files.

    flights_fold.py INPUT_DIR --sink delays_by_origin_hour.jsonl
                              [--airline-hours FILE.csv] [--visibility FILE.csv]

Exits with 1 and names the differences if there are any.
"""

import argparse
import csv
import glob
import gzip
import json
import math
import os
import sys
from datetime import datetime, timedelta, timezone


def rows(path):
    opened = gzip.open(path, "rt", newline="") if path.endswith(".gz") else open(path, newline="")
    with opened as file:
        for row in csv.DictReader(file):
            yield {k: (None if v in ("", "NA") else v) for k, v in row.items()}


def find(folder, name):
    for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
        if os.path.exists(path):
            return path
    sys.exit(f"{folder} has no {name}")


class Sums:
    def __init__(self):
        self.flights = self.cancelled = self.delayed = self.delay = self.seats = 0
        self.max_delay = None

    def add(self, flight, seats=0):
        self.flights += 1
        self.cancelled += flight["dep_time"] is None
        self.seats += seats
        if flight["dep_delay"] is not None:
            delay = int(flight["dep_delay"])
            self.delayed += 1
            self.delay += delay
            self.max_delay = delay if self.max_delay is None else max(self.max_delay, delay)

    @property
    def mean(self):
        return self.delay / self.delayed if self.delayed else None


def fold(folder):
    planes = {row["tailnum"]: row for row in rows(find(folder, "planes.csv"))}
    airlines = {row["carrier"]: row["name"] for row in rows(find(folder, "airlines.csv"))}
    weather = {(row["origin"], row["time_hour"]): row for row in rows(find(folder, "weather.csv"))}
    origin_hours, airline_hours, visibility = {}, {}, {}
    files = sorted(glob.glob(os.path.join(folder, "flights*.csv*")))
    for path in files:
        for flight in rows(path):
            name = airlines.get(flight["carrier"])
            departure = datetime.fromisoformat(flight["time_hour"].replace("Z", "+00:00"))
            departure += timedelta(minutes=int(flight["minute"]))
            hour = departure.replace(minute=0, second=0)
            plane = planes.get(flight["tailnum"])
            if name is not None:
                seats = int(plane["seats"]) if plane and plane["seats"] else 0
                key = (flight["origin"], hour.strftime("%Y-%m-%dT%H:%M:%SZ"))
                origin_hours.setdefault(key, Sums()).add(flight, seats)
                airline_hours.setdefault((name, hour), Sums()).add(flight)
            seen = weather.get((flight["origin"], flight["time_hour"]))
            if seen is not None:
                miles = None if seen["visib"] is None else math.floor(float(seen["visib"]))
                visibility.setdefault(miles, Sums()).add(flight)
    return origin_hours, airline_hours, visibility


def compare(what, expected, found):
    wrong = [f"{what}: {key} is missing" for key in expected if key not in found]
    wrong += [f"{what}: {key} should not be there" for key in found if key not in expected]
    wrong += [
        f"{what}: {key} is {found[key]}, not {value}"
        for key, value in expected.items()
        if key in found and found[key] != value
    ]
    print(f"{what}: {len(expected)} results, {len(wrong)} differences")
    return wrong


def sink_results(path, wrong):
    last = {}
    fields = ("origin", "hour", "flights", "cancelled", "mean_dep_delay", "max_dep_delay", "seats")
    with open(path) as file:
        for number, line in enumerate(file, 1):
            update = json.loads(line)
            key = (update["origin"], update["hour"])
            if set(update) != set(fields):
                wrong.append(f"line {number} has the fields {sorted(update)}")
            if key in last and update["flights"] <= last[key][0]:
                wrong.append(f"line {number}: {key} does not have more flights than before")
            for name in ("flights", "cancelled", "max_dep_delay", "seats"):
                if not isinstance(update[name], (int, type(None))):
                    wrong.append(f"line {number}: {name} is not an integer")
            last[key] = tuple(update[name] for name in fields[2:])
    return last


def number(text, kind):
    return None if text in ("", "NULL", "null") else kind(text)


def instant(text):
    moment = datetime.fromisoformat(text.replace("Z", "+00:00").replace(" ", "T"))
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("input")
    parser.add_argument("--sink", required=True)
    parser.add_argument("--airline-hours")
    parser.add_argument("--visibility")
    given = parser.parse_args()
    origin_hours, airline_hours, visibility = fold(given.input)
    wrong = []
    expected = {
        key: (s.flights, s.cancelled, s.mean, s.max_delay, s.seats)
        for key, s in origin_hours.items()
    }
    wrong += compare("delays_by_origin_hour", expected, sink_results(given.sink, wrong))
    if given.airline_hours:
        with open(given.airline_hours, newline="") as file:
            found = {
                (row["airline"], instant(row["hour"])): (
                    int(row["flights"]),
                    number(row["mean_dep_delay"], float),
                )
                for row in csv.DictReader(file)
            }
        expected = {key: (s.flights, s.mean) for key, s in airline_hours.items()}
        wrong += compare("worst_airline_hours", expected, found)
    if given.visibility:
        with open(given.visibility, newline="") as file:
            found = {
                number(row["miles"], int): (
                    int(row["flights"]),
                    int(row["cancelled"]),
                    number(row["mean_dep_delay"], float),
                )
                for row in csv.DictReader(file)
            }
        expected = {key: (s.flights, s.cancelled, s.mean) for key, s in visibility.items()}
        wrong += compare("delays_by_visibility", expected, found)
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()

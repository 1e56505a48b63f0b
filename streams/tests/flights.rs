//! The shape of the flights example: two joins, two repartitions, a windowed aggregate with a grace
//! of 400 days.

#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

use std::time::Duration;

use headwater_streams::codec::{Json, Utf8, Windowed};
use headwater_streams::dsl::{KTable, StreamsBuilder, TimeWindows};
use headwater_streams::engine::Topology;
use headwater_streams::test::TopologyTestDriver;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Flight {
    carrier: String,
    tailnum: Option<String>,
    origin: String,
    dep_delay: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Airline {
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Plane {
    seats: Option<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Enriched {
    flight: Flight,
    airline: String,
    seats: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Delays {
    flights: i64,
    delayed: i64,
    sum: i64,
    seats: i64,
}

fn topology() -> Topology {
    let b = StreamsBuilder::new();
    b.json::<Flight>()
        .json::<Airline>()
        .json::<Plane>()
        .json::<Enriched>()
        .json::<Delays>();
    let flights = b.stream::<String, Flight>("flights");
    let airlines: KTable<String, Airline> = b.table("airlines", "airlines-store");
    let planes: KTable<String, Plane> = b.table("planes", "planes-store");
    let grace = Duration::from_secs(400 * 86_400);
    flights
        .join(&airlines, |flight, airline| Enriched {
            flight: flight.clone(),
            airline: airline.name.clone(),
            seats: None,
        })
        .select_key(|_, enriched| enriched.flight.tailnum.clone())
        .left_join(&planes, |enriched, plane| Enriched {
            seats: plane.and_then(|plane| plane.seats),
            ..enriched.clone()
        })
        .group_by(|_, enriched| enriched.flight.origin.clone())
        .windowed_by(TimeWindows::of(Duration::from_secs(3600)).grace(grace))
        .aggregate(
            Delays::default,
            |_, enriched, delays| {
                delays.flights += 1;
                delays.delayed += i64::from(enriched.flight.dep_delay.is_some());
                delays.sum += enriched.flight.dep_delay.unwrap_or(0);
                delays.seats += enriched.seats.unwrap_or(0);
            },
            "delays",
        )
        .to_stream()
        .map(|key: &Windowed<String>, delays| {
            (format!("{}@{}", key.key, key.window.start), delays.clone())
        })
        .to("delays_by_origin_hour");
    b.build().unwrap()
}

const HOUR: i64 = 3_600_000;
const YEAR_2013: i64 = 1_356_998_400_000;

fn flight(carrier: &str, tailnum: Option<&str>, origin: &str, delay: Option<i64>) -> Flight {
    Flight {
        carrier: carrier.into(),
        tailnum: tailnum.map(Into::into),
        origin: origin.into(),
        dep_delay: delay,
    }
}

#[test]
fn flights_without_a_plane_stay_and_nothing_is_late() {
    let driver = TopologyTestDriver::builder(&topology())
        .partitions("flights", 4)
        .partitions("airlines", 4)
        .partitions("planes", 4)
        .build()
        .unwrap();
    let airlines = driver.input_topic("airlines", Utf8, Json::<Airline>::new());
    let planes = driver.input_topic("planes", Utf8, Json::<Plane>::new());
    let flights = driver.input_topic("flights", Utf8, Json::<Flight>::new());
    let out = driver.output_topic("delays_by_origin_hour", Utf8, Json::<Delays>::new());
    for carrier in ["UA", "AA"] {
        airlines
            .pipe(
                carrier,
                Airline {
                    name: format!("{carrier} Inc."),
                },
                0,
            )
            .unwrap();
    }
    planes.pipe("N1", Plane { seats: Some(149) }, 0).unwrap();
    planes.pipe("N2", Plane { seats: None }, 0).unwrap();
    let ten = YEAR_2013 + 10 * HOUR;
    // A year apart and back again, as the files are in the order 1, 10, 11, 12, 2.
    let late = ten + 365 * 24 * HOUR;
    let all = [
        (flight("UA", Some("N1"), "EWR", Some(5)), late),
        (flight("UA", Some("N1"), "EWR", Some(2)), ten + 60_000),
        (flight("AA", Some("N2"), "EWR", None), ten + 120_000),
        (flight("AA", Some("N9"), "EWR", Some(-4)), ten),
        (flight("UA", None, "EWR", None), ten + 180_000),
        (flight("ZZ", Some("N1"), "EWR", Some(100)), ten),
    ];
    for (flight, at) in all {
        flights.pipe(flight.carrier.clone(), flight, at).unwrap();
    }
    let results: std::collections::BTreeMap<_, _> = out
        .read_all()
        .unwrap()
        .into_iter()
        .map(|r| (r.key.unwrap(), r.value.unwrap()))
        .collect();
    let expected = [
        (
            format!("EWR@{ten}"),
            Delays {
                flights: 4,
                delayed: 2,
                sum: -2,
                seats: 149,
            },
        ),
        (
            format!("EWR@{late}"),
            Delays {
                flights: 1,
                delayed: 1,
                sum: 5,
                seats: 149,
            },
        ),
    ];
    assert_eq!(results, expected.into_iter().collect());
    assert_eq!(driver.all_counters().late, 0);
    assert_eq!(driver.all_counters().dropped, 0);
}

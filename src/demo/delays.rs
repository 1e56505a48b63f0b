//! Delays by airport and hour: flights joined with their airline and their plane, counted and
//! averaged in windows of an hour of scheduled departure.

use std::time::Duration;

use headwater_streams::codec::Windowed;
use headwater_streams::dsl::{KTable, StreamsBuilder, TimeWindows};
use headwater_streams::engine::{Topology, TopologyError};
use serde::{Deserialize, Serialize};

const HOUR: Duration = Duration::from_secs(3600);

/// Neither the order of the files nor the progress of tasks against each other is bounded, so a
/// window takes flights as long as the data could possibly last.
const GRACE: Duration = Duration::from_secs(400 * 86_400);

/// What of a flight this job looks at.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flight {
    tailnum: Option<String>,
    origin: String,
    dep_time: Option<i64>,
    dep_delay: Option<i64>,
}

/// An airline; that it is known is all that the job asks.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Airline {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Plane {
    seats: Option<i64>,
}

/// A flight with the name of its airline and the seats of its plane, if that is known.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Departure {
    flight: Flight,
    airline: String,
    seats: Option<i64>,
}

/// What is kept of the flights of one airport and hour.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Sums {
    flights: i64,
    cancelled: i64,
    delayed: i64,
    delay: i64,
    max_delay: Option<i64>,
    seats: i64,
}

impl Sums {
    fn add(&mut self, departure: &Departure) {
        self.flights += 1;
        self.cancelled += i64::from(departure.flight.dep_time.is_none());
        self.seats += departure.seats.unwrap_or(0);
        if let Some(delay) = departure.flight.dep_delay {
            self.delayed += 1;
            self.delay += delay;
            self.max_delay = Some(self.max_delay.map_or(delay, |max| max.max(delay)));
        }
    }

    fn mean_delay(&self) -> Option<f64> {
        // Sums of minutes are far below 2^53, so both conversions are exact.
        (self.delayed > 0).then(|| self.delay as f64 / self.delayed as f64)
    }
}

/// One line of the result.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OriginHour {
    origin: String,
    hour: String,
    flights: i64,
    cancelled: i64,
    mean_dep_delay: Option<f64>,
    max_dep_delay: Option<i64>,
    seats: i64,
}

/// Reads `flights`, `airlines` and `planes`, writes its results to `output`.
#[allow(
    unreachable_pub,
    reason = "an example includes this file as its own module"
)]
pub fn topology(output: &str) -> Result<Topology, TopologyError> {
    let builder = StreamsBuilder::new();
    builder
        .json::<Flight>()
        .json::<Airline>()
        .json::<Plane>()
        .json::<Departure>();
    builder.json::<Sums>().json::<OriginHour>();
    let airlines: KTable<String, Airline> = builder.table("airlines", "airlines");
    let planes: KTable<String, Plane> = builder.table("planes", "planes");
    builder
        .stream::<String, Flight>("flights")
        .join(&airlines, |flight, airline| Departure {
            flight: flight.clone(),
            airline: airline.name.clone(),
            seats: None,
        })
        .select_key(|_, departure| departure.flight.tailnum.clone())
        .left_join(&planes, |departure, plane| Departure {
            seats: plane.and_then(|plane| plane.seats),
            ..departure.clone()
        })
        .group_by(|_, departure| departure.flight.origin.clone())
        .windowed_by(TimeWindows::of(HOUR).grace(GRACE))
        .aggregate(
            Sums::default,
            |_, departure, sums| sums.add(departure),
            "delays",
        )
        .to_stream()
        .drop_tombstones()
        .map(|window: &Windowed<String>, sums| {
            let result = OriginHour {
                origin: window.key.clone(),
                hour: utc_hour(window.window.start),
                flights: sums.flights,
                cancelled: sums.cancelled,
                mean_dep_delay: sums.mean_delay(),
                max_dep_delay: sums.max_delay,
                seats: sums.seats,
            };
            (format!("{}@{}", result.origin, result.hour), result)
        })
        .to(output);
    builder.build()
}

/// Milliseconds since 1970 as `2013-01-01T10:00:00Z`.
fn utc_hour(timestamp: i64) -> String {
    match chrono::DateTime::from_timestamp_millis(timestamp) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => timestamp.to_string(),
    }
}

//! A continuous query gives what the batch engine gives over the same rows: whatever the rows, the
//! partitions, the commits and the crashes in between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use datafusion::datasource::{MemTable, TableProvider};
use datafusion::physical_plan::collect;
use headwater_streams::codec::BytesCodec;
use headwater_streams::test::TopologyTestDriver;
use proptest::prelude::*;

use super::{Output, QueryCounters, build};
use crate::catalog::Catalog;
use crate::dialect::{Statement, parse};
use crate::format::write_json_rows;
use crate::ops::Record;
use crate::plan::tests::{AIRLINES, FLIGHTS, WEATHER, catalog};
use crate::plan::{ContinuousQuery, Planner, prepare};

const HOUR: i64 = 3_600_000;
const START: i64 = 1_357_000_000_000 / HOUR * HOUR;

/// A record of a topic.
#[derive(Debug, Clone)]
struct Input {
    topic: &'static str,
    key: Vec<u8>,
    value: Option<String>,
    timestamp: i64,
}

fn flight(carrier: u8, origin: u8, delay: Option<i16>, minutes: u16) -> Input {
    let carrier = ["UA", "AA", "B6", "XX"][usize::from(carrier % 4)];
    let origin = ["EWR", "JFK"][usize::from(origin % 2)];
    let timestamp = START + i64::from(minutes) * 60_000;
    let hour = chrono::DateTime::from_timestamp_millis(timestamp / HOUR * HOUR).unwrap();
    let delay = delay.map_or("null".to_owned(), |d| d.to_string());
    Input {
        topic: "flights",
        key: carrier.into(),
        value: Some(format!(
            r#"{{"carrier":"{carrier}","origin":"{origin}","dep_time":{delay},"dep_delay":{delay},"time_hour":"{}"}}"#,
            hour.format("%Y-%m-%dT%H:%M:%SZ")
        )),
        timestamp,
    }
}

fn tables() -> Vec<Input> {
    let mut inputs = Vec::new();
    for (carrier, name) in [("UA", "United"), ("AA", "American"), ("B6", "Jet \"Blue\"")] {
        inputs.push(Input {
            topic: "airlines",
            key: carrier.into(),
            value: Some(format!(
                r#"{{"carrier":"{carrier}","name":{}}}"#,
                serde_json::to_string(name).unwrap()
            )),
            timestamp: 0,
        });
    }
    for hour in 0..6 {
        let at = chrono::DateTime::from_timestamp_millis(START + hour * HOUR).unwrap();
        let at = at.format("%Y-%m-%dT%H:%M:%SZ");
        inputs.push(Input {
            topic: "weather",
            key: format!(r#"{{"origin":"EWR","time_hour":"{at}"}}"#).into(),
            value: Some(format!(
                r#"{{"origin":"EWR","time_hour":"{at}","visib":{}}}"#,
                0.5 + 1.5 * hour as f64
            )),
            timestamp: 0,
        });
    }
    inputs
}

/// What the batch engine gives, as JSON objects.
async fn batch(
    planner: &Planner,
    sql: &str,
    catalog: &Catalog,
    inputs: &[Input],
) -> BTreeSet<String> {
    let Statement::Pull(mut statement) = parse(sql).unwrap() else {
        panic!("{sql}")
    };
    let mentions = prepare(&mut statement).unwrap();
    let mut tables: Vec<(String, Arc<dyn TableProvider>)> = Vec::new();
    for relation in catalog.iter() {
        let schema = relation.schema(&mentions.pseudo_columns);
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let mut latest: BTreeMap<&[u8], &Input> = BTreeMap::new();
        let of_topic = inputs.iter().filter(|i| i.topic == relation.topic);
        let rows: Vec<&Input> = if relation.kind.is_append_only() {
            of_topic.collect()
        } else {
            of_topic.for_each(|i| {
                latest.insert(&i.key, i);
            });
            latest.into_values().collect()
        };
        let records: Vec<Record<'_>> = rows
            .iter()
            .map(|i| Record {
                key: Some(&i.key),
                value: i.value.as_deref().map(str::as_bytes),
                timestamp: i.timestamp,
                partition: 0,
                offset: 0,
            })
            .collect();
        let scan = relation.scan(&mentions.pseudo_columns, &all);
        let rows = scan.scan(&records).unwrap().rows.batch;
        let table = MemTable::try_new(schema, vec![vec![rows]]).unwrap();
        tables.push((relation.name.clone(), Arc::new(table)));
    }
    let plan = planner.batch(*statement, tables).await.unwrap();
    let batches = collect(plan, planner.task_context()).await.unwrap();
    batches
        .iter()
        .flat_map(|b| write_json_rows(b).unwrap())
        .map(text)
        .collect()
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8(bytes.as_ref().to_vec()).unwrap()
}

/// What is done between two records.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Event {
    Nothing,
    Commit,
    Crash,
}

struct Streamed {
    rows: BTreeSet<String>,
    counters: Arc<QueryCounters>,
}

async fn continuous(planner: &Planner, sql: &str, catalog: &Catalog) -> ContinuousQuery {
    let Statement::Push(query) = parse(&format!("{sql} EMIT CHANGES")).unwrap() else {
        panic!("{sql}")
    };
    planner.continuous(catalog, *query, false).await.unwrap()
}

fn stream(
    plan: &ContinuousQuery,
    inputs: &[Input],
    events: &[Event],
    [flights_partitions, airlines_partitions]: [i32; 2],
) -> Streamed {
    let counters = Arc::new(QueryCounters::default());
    let topology = build(plan, &Output::Topic("view".to_owned()), &counters).unwrap();
    let driver = TopologyTestDriver::builder(&topology)
        .partitions("flights", flights_partitions)
        .partitions("airlines", airlines_partitions)
        .partitions("view", 2)
        .caching()
        .build()
        .unwrap();
    for (i, input) in inputs.iter().enumerate() {
        driver
            .input_topic(input.topic, BytesCodec, BytesCodec)
            .pipe_raw(
                Some(input.key.clone()),
                input.value.clone().map(String::into_bytes),
                input.timestamp,
            )
            .unwrap();
        match events.get(i % events.len().max(1)) {
            Some(Event::Commit) => driver.commit().unwrap(),
            Some(Event::Crash) => driver.crash_and_restore().unwrap(),
            _ => {}
        }
    }
    // Each commit shows the records of one repartition topic to the next task.
    for _ in 0..4 {
        driver.commit().unwrap();
    }
    let mut latest = BTreeMap::new();
    let mut keyless = BTreeSet::new();
    for record in driver
        .output_topic("view", BytesCodec, BytesCodec)
        .read_all()
        .unwrap()
    {
        match (record.key, record.value) {
            (Some(key), Some(value)) => drop(latest.insert(text(key), text(value))),
            (Some(key), None) => drop(latest.remove(&text(key))),
            (None, Some(value)) => drop(keyless.insert(text(value))),
            (None, None) => {}
        }
    }
    keyless.extend(latest.into_values());
    Streamed {
        rows: keyless,
        counters,
    }
}

const QUERIES: [&str; 7] = [
    "SELECT a.name AS airline, window_start AS hour, count(*) AS flights, \
     avg(dep_delay) AS mean_dep_delay FROM TUMBLE(flights, _timestamp, INTERVAL '1 hour') f \
     JOIN airlines a ON f.carrier = a.carrier GROUP BY a.name, window_start",
    "SELECT CAST(floor(w.visib) AS INTEGER) AS miles, count(*) AS flights, \
     count(*) FILTER (WHERE f.dep_time IS NULL) AS cancelled, avg(f.dep_delay) AS mean_dep_delay \
     FROM flights f JOIN weather w ON f.origin = w.origin AND f.time_hour = w.time_hour \
     GROUP BY CAST(floor(w.visib) AS INTEGER)",
    "SELECT f.carrier, a.name, min(dep_delay) AS least, max(dep_delay) AS most, \
     sum(dep_delay) AS total, stddev(dep_delay) IS NULL AS few, max(f._timestamp) AS latest \
     FROM flights f LEFT JOIN airlines a ON f.carrier = a.carrier GROUP BY f.carrier, a.name",
    "SELECT origin, count(*) AS n FROM flights WHERE dep_delay > 0 GROUP BY origin \
     HAVING count(*) > 2",
    "SELECT count(*) AS n, sum(dep_delay) AS total, bool_or(dep_delay > 100) AS any_long \
     FROM flights HAVING count(*) > 0",
    // Where the condition does not hold, the division fails.
    "SELECT carrier, sum(dep_delay) / count(dep_delay) AS whole FROM flights \
     GROUP BY carrier HAVING count(dep_delay) > 0",
    "SELECT DISTINCT carrier, dep_delay / 60 AS hours FROM flights WHERE carrier <> 'XX'",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 8,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_stream_gives_what_a_batch_gives(
        flights in prop::collection::vec(
            (any::<u8>(), any::<u8>(), prop::option::of(-30i16..300), 0u16..500),
            1..60,
        ),
        events in prop::collection::vec(
            prop_oneof![
                4 => Just(Event::Nothing), 2 => Just(Event::Commit), 1 => Just(Event::Crash)
            ],
            1..20,
        ),
        airlines_partitions in 1..4i32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (planner, catalog, plans) = &*ORACLE;
        let mut inputs = tables();
        inputs.extend(flights.iter().map(|(c, o, d, m)| flight(*c, *o, *d, *m)));
        for (sql, plan) in QUERIES.iter().zip(plans) {
            let expected = runtime.block_on(batch(planner, sql, catalog, &inputs));
            let streamed = stream(plan, &inputs, &events, [3, airlines_partitions]);
            prop_assert_eq!(&streamed.rows, &expected, "{}", sql);
        }
    }
}

/// Planning is the same for every case.
static ORACLE: LazyLock<(Planner, Catalog, Vec<ContinuousQuery>)> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (planner, catalog) = (Planner::new(), catalog(&[FLIGHTS, AIRLINES, WEATHER]));
    let plans = QUERIES
        .iter()
        .map(|sql| runtime.block_on(continuous(&planner, sql, &catalog)));
    let plans = plans.collect();
    (planner, catalog, plans)
});

fn count(counter: &std::sync::atomic::AtomicU64) -> u64 {
    counter.load(std::sync::atomic::Ordering::Relaxed)
}

#[tokio::test]
async fn a_new_group_without_values_beside_a_stored_one_has_no_result() {
    let catalog = catalog(&[FLIGHTS]);
    let sql = "SELECT carrier, min(dep_delay) AS least, sum(dep_delay) AS total FROM flights \
               GROUP BY carrier";
    let plan = continuous(&Planner::new(), sql, &catalog).await;
    // The first is committed before the others, which then meet its stored state in one flush.
    let inputs = [
        flight(0, 0, Some(7), 0),
        flight(1, 0, None, 1),
        flight(0, 0, Some(5), 2),
    ];
    let events = [Event::Commit, Event::Nothing, Event::Nothing];
    let streamed = stream(&plan, &inputs, &events, [1, 1]);
    let row = |carrier, least, total| {
        format!(r#"{{"carrier":"{carrier}","least":{least},"total":{total}}}"#)
    };
    assert_eq!(
        streamed.rows,
        BTreeSet::from([row("UA", "5", "12"), row("AA", "null", "null")])
    );
}

#[tokio::test]
async fn rows_behind_the_watermark_are_counted_and_left_out() {
    let flights = FLIGHTS.replace("'400' DAY", "'1' HOUR");
    let catalog = catalog(&[&flights, AIRLINES]);
    let sql = "SELECT origin, window_start AS hour, count(*) AS n \
               FROM TUMBLE(flights, _timestamp, INTERVAL '1 hour') GROUP BY origin, window_start";
    // With one origin all rows meet one watermark. At minute 120 it stands at 60: the window that
    // ends there is closed, the next is open.
    let minutes = [10, 30, 120, 59, 61, 120];
    let inputs: Vec<Input> = minutes.iter().map(|m| flight(0, 0, Some(1), *m)).collect();
    let plan = continuous(&Planner::new(), sql, &catalog).await;
    for events in [vec![Event::Commit], vec![Event::Commit, Event::Crash]] {
        let streamed = stream(&plan, &inputs, &events, [1, 1]);
        let hour = |h: i64| {
            let at = chrono::DateTime::from_timestamp_millis(START + h * HOUR).unwrap();
            at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
        };
        let row = |h, n| format!(r#"{{"origin":"EWR","hour":"{}","n":{n}}}"#, hour(h));
        assert_eq!(
            streamed.rows,
            BTreeSet::from([row(0, 2), row(1, 1), row(2, 2)])
        );
        // A crash makes the row late once more.
        assert!((1..=2).contains(&count(&streamed.counters.late)));
    }
}

#[tokio::test]
async fn windows_do_not_close_before_their_last_event() {
    let flights = FLIGHTS.replace("'400' DAY", "'0' SECOND");
    let catalog = catalog(&[&flights]);
    const DAY: u16 = 24 * 60;
    for (group, days) in [
        ("CAST(_timestamp AS TIMESTAMP(0))", [0, 0, 0]),
        // Weeks begin on Mondays, these bins on Thursdays. The first day is a Tuesday.
        (
            "date_bin(INTERVAL '7 days', date_trunc('week', _timestamp))",
            [0, 3, 4],
        ),
        (
            "date_bin(INTERVAL '2 days', date_bin(INTERVAL '1 day', _timestamp))",
            [1, 1, 2],
        ),
    ] {
        let sql = format!("SELECT {group} AS at, count(*) AS n FROM flights GROUP BY {group}");
        let plan = continuous(&Planner::new(), &sql, &catalog).await;
        let inputs = days.map(|day| Input {
            timestamp: START + i64::from(day) * 24 * HOUR + 900,
            ..flight(0, 0, Some(1), day * DAY)
        });
        let streamed = stream(&plan, &inputs, &[Event::Nothing], [1, 1]);
        assert_eq!(count(&streamed.counters.late), 0, "{group}");
    }
}

#[tokio::test]
async fn records_that_are_no_rows_are_counted_and_left_out() {
    let catalog = catalog(&[FLIGHTS]);
    let mut bad = flight(0, 0, Some(1), 0);
    bad.value = Some(r#"{"dep_delay":"late"}"#.to_owned());
    let inputs = [flight(0, 0, Some(1), 0), bad, flight(0, 0, Some(2), 0)];
    let sql = "SELECT origin, sum(dep_delay) AS s FROM flights GROUP BY origin";
    let plan = continuous(&Planner::new(), sql, &catalog).await;
    let streamed = stream(&plan, &inputs, &[Event::Nothing], [3, 1]);
    assert_eq!(
        streamed.rows,
        BTreeSet::from([r#"{"origin":"EWR","s":3}"#.to_owned()])
    );
    assert_eq!(count(&streamed.counters.bad), 1);
    assert!(streamed.counters.last_bad.lock().is_some());
}

#[tokio::test]
async fn a_join_follows_the_changes_and_deletions_of_its_table() {
    let catalog = catalog(&[FLIGHTS, AIRLINES]);
    let airline = |name: Option<&str>| Input {
        topic: "airlines",
        key: b"UA".to_vec(),
        value: name.map(|n| format!(r#"{{"carrier":"UA","name":"{n}"}}"#)),
        timestamp: 0,
    };
    let inputs = [
        flight(0, 0, Some(1), 0),
        airline(Some("United")),
        flight(0, 0, Some(2), 0),
        airline(Some("Untied")),
        flight(0, 0, Some(3), 0),
        airline(None),
        flight(0, 0, Some(4), 0),
    ];
    let sql = "SELECT a.name, f.dep_delay FROM flights f JOIN airlines a ON f.carrier = a.carrier";
    let planner = Planner::new();
    let plan = continuous(&planner, sql, &catalog).await;
    let streamed = stream(&plan, &inputs, &[Event::Commit], [3, 1]);
    let expected = [
        r#"{"name":"United","dep_delay":2}"#,
        r#"{"name":"Untied","dep_delay":3}"#,
    ];
    assert_eq!(streamed.rows, expected.map(str::to_owned).into());
    let left = sql.replace("JOIN", "LEFT JOIN");
    let plan = continuous(&planner, &left, &catalog).await;
    assert_eq!(
        stream(&plan, &inputs, &[Event::Crash], [3, 1]).rows.len(),
        4
    );
}

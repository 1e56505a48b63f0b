//! What Kafka Streams does with nulls, timestamps, grace and caches, record by record.

#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

use std::time::Duration;

use headwater_streams::codec::{I64, Utf8, Window, Windowed, WindowedCodec};
use headwater_streams::dsl::{KTable, StreamsBuilder, TimeWindows};
use headwater_streams::engine::{Topology, TopologyError};
use headwater_streams::test::{TestInputTopic, TestOutputTopic, TestRecord, TopologyTestDriver};
use std::sync::Arc;

type Text = TestRecord<String, String>;

fn text_in(driver: &TopologyTestDriver, topic: &str) -> TestInputTopic<String, String> {
    driver.input_topic(topic, Utf8, Utf8)
}

fn text_out(driver: &TopologyTestDriver, topic: &str) -> TestOutputTopic<String, String> {
    driver.output_topic(topic, Utf8, Utf8)
}

fn text(key: &str, value: &str, at: i64) -> Text {
    Text::new(key, value, at)
}

fn count_topology() -> Topology {
    let b = StreamsBuilder::new();
    b.stream::<String, String>("in")
        .group_by_key()
        .count("counts")
        .to_stream()
        .to("out");
    b.build().unwrap()
}

#[test]
fn counts_carry_the_greatest_timestamp_and_drop_null_keys_and_values() {
    let driver = TopologyTestDriver::new(&count_topology()).unwrap();
    let input = text_in(&driver, "in");
    let out = driver.output_topic("out", Utf8, I64);
    input.pipe("a", "x", 10).unwrap();
    input.pipe("a", "y", 5).unwrap();
    input.pipe_keyless("z", 6).unwrap();
    input.pipe_tombstone("a", 7).unwrap();
    input.pipe("b", "x", 1).unwrap();
    let expected = [
        TestRecord::new("a", 1, 10),
        TestRecord::new("a", 2, 10),
        TestRecord::new("b", 1, 1),
    ];
    assert_eq!(out.read_all().unwrap(), expected);
    assert_eq!(driver.counters("KSTREAM-AGGREGATE-0000000001").dropped, 2);
}

#[test]
fn a_negative_timestamp_drops_the_record() {
    let driver = TopologyTestDriver::new(&count_topology()).unwrap();
    let input = text_in(&driver, "in");
    input.pipe("a", "x", -1).unwrap();
    input.pipe("a", "x", 0).unwrap();
    let out = driver.output_topic("out", Utf8, I64);
    assert_eq!(out.read_all().unwrap(), [TestRecord::new("a", 1, 0)]);
    assert_eq!(driver.counters("KSTREAM-SOURCE-0000000000").dropped, 1);
}

#[test]
fn reduce_and_aggregate_fold_in_order() {
    let b = StreamsBuilder::new();
    let grouped = b.stream::<String, String>("in").group_by_key();
    grouped
        .reduce(|a, b| format!("{a}{b}"), "reduced")
        .to_stream()
        .to("reduced");
    let add = |k: &String, v: &String, sum: &mut String| *sum = format!("{sum}<{k}{v}>");
    grouped
        .aggregate(String::new, add, "added")
        .to_stream()
        .to("added");
    let driver = TopologyTestDriver::new(&b.build().unwrap()).unwrap();
    let input = text_in(&driver, "in");
    input.pipe("k", "1", 1).unwrap();
    input.pipe("k", "2", 2).unwrap();
    let reduced = text_out(&driver, "reduced").read_all().unwrap();
    assert_eq!(reduced, [text("k", "1", 1), text("k", "12", 2)]);
    let added = text_out(&driver, "added").read_all().unwrap();
    assert_eq!(added, [text("k", "<k1>", 1), text("k", "<k1><k2>", 2)]);
}

fn join_topology(left: bool) -> Topology {
    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("table", "store");
    let stream = b.stream::<Option<String>, Option<String>>("stream");
    if left {
        let join = |v: &Option<String>, t: Option<&String>| {
            format!(
                "{}+{}",
                v.as_deref().unwrap_or("?"),
                t.map_or("null", String::as_str)
            )
        };
        stream.left_join(&table, join).to("out");
    } else {
        let join = |v: &Option<String>, t: &String| format!("{}+{t}", v.as_deref().unwrap_or("?"));
        stream.join(&table, join).to("out");
    }
    b.build().unwrap()
}

/// The 23-step input of Kafka's `AbstractJoinIntegrationTest`, out-of-order data included, as
/// (into the left side, value, timestamp); the right side is the table.
const STEPS: [(bool, Option<&str>, i64); 23] = [
    (true, None, 0),
    (false, None, 0),
    (true, Some("A"), 5),
    (false, Some("a"), 15),
    (true, Some("B"), 20),
    (false, Some("b"), 25),
    (true, None, 30),
    (false, None, 35),
    (true, Some("C"), 40),
    (false, Some("c"), 50),
    (false, None, 55),
    (true, None, 60),
    (false, None, 65),
    (false, Some("d"), 70),
    (true, Some("D"), 80),
    (true, None, 90),
    (false, Some("e"), 95),
    (false, Some("f"), 92),
    (true, Some("E"), 94),
    (true, Some("F"), 93),
    (false, None, 100),
    (true, Some("G"), 99),
    (false, Some("g"), 98),
];

fn run_steps(left: bool) -> Vec<(usize, String, i64)> {
    let driver = TopologyTestDriver::new(&join_topology(left)).unwrap();
    let (stream, table) = (text_in(&driver, "stream"), text_in(&driver, "table"));
    let out = text_out(&driver, "out");
    let mut results = Vec::new();
    for (step, (is_stream, value, at)) in STEPS.into_iter().enumerate() {
        let topic = if is_stream { &stream } else { &table };
        topic
            .pipe_raw(
                Some(b"k".to_vec()),
                value.map(|v| v.as_bytes().to_vec()),
                at,
            )
            .unwrap();
        let records = out.read_all().unwrap();
        results.extend(
            records
                .into_iter()
                .map(|r| (step, r.value.unwrap(), r.timestamp)),
        );
    }
    results
}

#[test]
fn an_inner_join_sees_the_table_of_its_moment() {
    let expected = [
        (4, "B+a", 20),
        (14, "D+d", 80),
        (18, "E+f", 94),
        (19, "F+f", 93),
    ];
    let expected = expected.map(|(step, value, at)| (step, value.to_owned(), at));
    assert_eq!(run_steps(false), expected);
}

#[test]
fn a_left_join_keeps_what_finds_nothing() {
    let expected = [
        (2, "A+null", 5),
        (4, "B+a", 20),
        (8, "C+null", 40),
        (14, "D+d", 80),
        (18, "E+f", 94),
        (19, "F+f", 93),
        (21, "G+null", 99),
    ];
    let expected = expected.map(|(step, value, at)| (step, value.to_owned(), at));
    assert_eq!(run_steps(true), expected);
}

#[test]
fn a_join_takes_the_greater_timestamp() {
    let driver = TopologyTestDriver::new(&join_topology(false)).unwrap();
    text_in(&driver, "table").pipe("k", "t", 50).unwrap();
    text_in(&driver, "stream").pipe("k", "s", 10).unwrap();
    assert_eq!(
        text_out(&driver, "out").read_all().unwrap(),
        [text("k", "s+t", 50)]
    );
}

#[test]
fn null_keys_and_values_in_joins() {
    let driver = TopologyTestDriver::new(&join_topology(false)).unwrap();
    let stream = text_in(&driver, "stream");
    stream.pipe_keyless("x", 1).unwrap();
    stream.pipe_tombstone("k", 2).unwrap();
    text_in(&driver, "table").pipe_keyless("x", 3).unwrap();
    assert_eq!(text_out(&driver, "out").read_all().unwrap(), []);
    assert_eq!(driver.counters("KSTREAM-JOIN-0000000003").dropped, 2);
    assert_eq!(driver.counters("KTABLE-SOURCE-0000000001").dropped, 1);

    let driver = TopologyTestDriver::new(&join_topology(true)).unwrap();
    let stream = text_in(&driver, "stream");
    stream.pipe_keyless("x", 1).unwrap();
    stream.pipe_tombstone("k", 2).unwrap();
    let out = text_out(&driver, "out").read_all().unwrap();
    assert_eq!(
        out,
        [Text {
            key: None,
            value: Some("x+null".into()),
            timestamp: 1
        }]
    );
    assert_eq!(driver.counters("KSTREAM-LEFTJOIN-0000000003").dropped, 1);
}

#[test]
fn the_table_goes_first_on_equal_timestamps() {
    let b = StreamsBuilder::new();
    let stream = b.stream::<String, String>("stream");
    let table: KTable<String, String> = b.table("table", "store");
    stream.join(&table, |v, t| format!("{v}+{t}")).to("out");
    let driver = TopologyTestDriver::builder(&b.build().unwrap())
        .manual_commit()
        .build()
        .unwrap();
    // Both records wait before the task may work: they are in the log when it comes back.
    text_in(&driver, "stream").pipe("k", "early", 1).unwrap();
    assert_eq!(text_out(&driver, "out").read_all().unwrap(), []);
    text_in(&driver, "table").pipe("k", "row", 2).unwrap();
    text_in(&driver, "stream").pipe("k", "now", 2).unwrap();
    // Nothing was committed, so a crash makes the task read all three again, sorted by time.
    driver.crash_and_restore().unwrap();
    driver.commit().unwrap();
    assert_eq!(
        text_out(&driver, "out").read_all().unwrap(),
        [text("k", "now+row", 2)]
    );
}

fn window_topology(grace: Duration) -> Topology {
    let b = StreamsBuilder::new();
    let windows = TimeWindows::of(Duration::from_millis(10)).grace(grace);
    let table = b
        .stream::<String, String>("in")
        .group_by_key()
        .windowed_by(windows);
    table.count("counts").to_stream().to("out");
    b.build().unwrap()
}

fn windowed(key: &str, start: i64, count: i64, at: i64) -> TestRecord<Windowed<String>, i64> {
    let window = Window {
        start,
        end: start + 10,
    };
    TestRecord::new(
        Windowed {
            key: key.to_owned(),
            window,
        },
        count,
        at,
    )
}

fn window_out(driver: &TopologyTestDriver) -> TestOutputTopic<Windowed<String>, i64> {
    driver.output_topic("out", WindowedCodec::new(Arc::new(Utf8), 10), I64)
}

#[test]
fn a_window_closes_when_its_end_is_not_after_stream_time_minus_grace() {
    let driver = TopologyTestDriver::new(&window_topology(Duration::from_millis(5))).unwrap();
    let input = text_in(&driver, "in");
    input.pipe("a", "x", 3).unwrap();
    input.pipe("a", "x", 14).unwrap();
    // Stream time 14, grace 5: the window that ends at 10 is open, as 10 > 9.
    input.pipe("a", "x", 4).unwrap();
    input.pipe("b", "x", 15).unwrap();
    // 10 > 10 is false.
    input.pipe("a", "x", 5).unwrap();
    let expected = [
        windowed("a", 0, 1, 3),
        windowed("a", 10, 1, 14),
        windowed("a", 0, 2, 4),
        windowed("b", 10, 1, 15),
    ];
    assert_eq!(window_out(&driver).read_all().unwrap(), expected);
    assert_eq!(driver.counters("KSTREAM-AGGREGATE-0000000001").late, 1);
}

#[test]
fn a_late_record_is_late_after_a_crash_too() {
    let driver = TopologyTestDriver::new(&window_topology(Duration::ZERO)).unwrap();
    text_in(&driver, "in").pipe("a", "x", 30).unwrap();
    driver.crash_and_restore().unwrap();
    text_in(&driver, "in").pipe("a", "x", 9).unwrap();
    assert_eq!(
        window_out(&driver).read_all().unwrap(),
        [windowed("a", 30, 1, 30)]
    );
    assert_eq!(driver.all_counters().late, 1);
}

#[test]
fn closed_windows_leave_store_and_changelog() {
    let driver = TopologyTestDriver::new(&window_topology(Duration::ZERO)).unwrap();
    for at in 0..100 {
        text_in(&driver, "in").pipe("a", "x", at).unwrap();
    }
    let entries = |driver: &TopologyTestDriver| {
        let mut entries = 0;
        for view in driver.store("counts") {
            let all = std::ops::Bound::Unbounded;
            view.scan(all, all, &mut |_, _, _| {
                entries += 1;
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        }
        entries
    };
    assert_eq!(entries(&driver), 1);
    driver.crash_and_restore().unwrap();
    assert_eq!(entries(&driver), 1);
}

#[test]
fn windowed_counts_include_null_values_but_not_null_keys() {
    let driver = TopologyTestDriver::new(&window_topology(Duration::ZERO)).unwrap();
    text_in(&driver, "in").pipe_tombstone("a", 1).unwrap();
    text_in(&driver, "in").pipe_keyless("x", 2).unwrap();
    assert_eq!(
        window_out(&driver).read_all().unwrap(),
        [windowed("a", 0, 1, 1)]
    );
    assert_eq!(driver.all_counters().dropped, 1);
}

#[test]
fn hopping_windows_overlap() {
    let b = StreamsBuilder::new();
    let windows = TimeWindows::of(Duration::from_millis(10)).advance_by(Duration::from_millis(5));
    let table = b
        .stream::<String, String>("in")
        .group_by_key()
        .windowed_by(windows);
    table.count("counts").to_stream().to("out");
    let driver = TopologyTestDriver::new(&b.build().unwrap()).unwrap();
    text_in(&driver, "in").pipe("a", "x", 2).unwrap();
    text_in(&driver, "in").pipe("a", "x", 7).unwrap();
    let expected = [
        windowed("a", 0, 1, 2),
        windowed("a", 0, 2, 7),
        windowed("a", 5, 1, 7),
    ];
    assert_eq!(window_out(&driver).read_all().unwrap(), expected);
}

#[test]
fn caches_hold_back_all_but_the_last_result_of_a_commit_in_order() {
    let topology = window_topology(Duration::from_millis(100));
    let driver = TopologyTestDriver::builder(&topology)
        .caching()
        .build()
        .unwrap();
    let input = text_in(&driver, "in");
    for (key, at) in [
        ("b", 25),
        ("a", 3),
        ("a", 4),
        ("b", 26),
        ("c", 12),
        ("a", 21),
    ] {
        input.pipe(key, "x", at).unwrap();
    }
    assert_eq!(window_out(&driver).read_all().unwrap(), []);
    driver.commit().unwrap();
    let expected = [
        windowed("a", 0, 2, 4),
        windowed("c", 10, 1, 12),
        windowed("b", 20, 2, 26),
        windowed("a", 20, 1, 21),
    ];
    assert_eq!(window_out(&driver).read_all().unwrap(), expected);
    input.pipe("a", "x", 5).unwrap();
    driver.commit().unwrap();
    assert_eq!(
        window_out(&driver).read_all().unwrap(),
        [windowed("a", 0, 3, 5)]
    );
}

#[test]
fn tombstones_delete_rows_and_pass_through_to_stream() {
    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("in", "store");
    table.to_stream().to("out");
    let driver = TopologyTestDriver::new(&b.build().unwrap()).unwrap();
    let input = text_in(&driver, "in");
    input.pipe("k", "v", 1).unwrap();
    input.pipe_tombstone("k", 2).unwrap();
    let out = text_out(&driver, "out").read_all().unwrap();
    assert_eq!(out, [text("k", "v", 1), Text::tombstone("k", 2)]);
    assert_eq!(
        driver.store("store").first().unwrap().get(b"k").unwrap(),
        None
    );
}

#[test]
fn a_filtered_table_deletes_what_ceases_to_fit_and_nothing_else() {
    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("in", "store");
    let table = table
        .filter(|_, v| v != "no")
        .map_values(|v| v.to_uppercase());
    table.to_stream().to("out");
    let driver = TopologyTestDriver::new(&b.build().unwrap()).unwrap();
    let input = text_in(&driver, "in");
    for (value, at) in [("no", 1), ("yes", 2), ("no", 3), ("no", 4)] {
        input.pipe("k", value, at).unwrap();
    }
    let out = text_out(&driver, "out").read_all().unwrap();
    assert_eq!(out, [text("k", "YES", 2), Text::tombstone("k", 3)]);
}

#[test]
fn a_join_with_a_filtered_table_sees_it_filtered() {
    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("table", "store");
    let table = table
        .filter(|_, v| v != "no")
        .map_values(|v| v.to_uppercase());
    b.stream::<String, String>("in")
        .join(&table, |v, t| format!("{v}+{t}"))
        .to("out");
    let driver = TopologyTestDriver::new(&b.build().unwrap()).unwrap();
    let (rows, input) = (text_in(&driver, "table"), text_in(&driver, "in"));
    for (row, at) in [("no", 1), ("yes", 2), ("no", 3)] {
        rows.pipe("k", row, at).unwrap();
        input.pipe("k", row, at).unwrap();
    }
    assert_eq!(
        text_out(&driver, "out").read_all().unwrap(),
        [text("k", "yes+YES", 2)]
    );
}

#[test]
fn branches_take_the_first_match_and_merge_keeps_the_order() {
    let b = StreamsBuilder::new();
    let mut split = b.stream::<String, String>("in").split();
    let short = split.branch(|_, v| v.len() < 3);
    let _ = split.branch(|_, v| v == "drop");
    let rest = split.default_branch().map_values(|v| format!("long {v}"));
    short.merge(&rest).to("out");
    let driver = TopologyTestDriver::builder(&b.build().unwrap())
        .manual_commit()
        .build()
        .unwrap();
    let input = text_in(&driver, "in");
    for (value, at) in [("four", 0), ("a", 1), ("drop", 2), ("five5", 3), ("b", 4)] {
        input.pipe("k", value, at).unwrap();
    }
    driver.crash_and_restore().unwrap();
    driver.commit().unwrap();
    let expected = [
        text("k", "long four", 0),
        text("k", "a", 1),
        text("k", "long five5", 3),
        text("k", "b", 4),
    ];
    assert_eq!(text_out(&driver, "out").read_all().unwrap(), expected);
}

#[test]
fn headers_and_timestamps_travel_through_repartition_to_the_sink() {
    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("table", "store");
    b.stream::<String, String>("in")
        .select_key(|_, v| v.clone())
        .left_join(&table, |v, _| v.clone())
        .to("out");
    let driver = TopologyTestDriver::builder(&b.build().unwrap())
        .partitions("in", 3)
        .partitions("table", 2)
        .build()
        .unwrap();
    text_in(&driver, "in")
        .header("trace", &b"1"[..])
        .pipe("k", "v", 77)
        .unwrap();
    assert_eq!(
        text_out(&driver, "out").read_all().unwrap(),
        [text("v", "v", 77)]
    );
    text_in(&driver, "in")
        .header("trace", &b"2"[..])
        .pipe("k", "v", 78)
        .unwrap();
    let headers = text_out(&driver, "out").read_headers();
    assert_eq!(
        headers.first().unwrap().first().unwrap().value.as_deref(),
        Some(&b"2"[..])
    );
}

#[test]
fn bad_records_stop_or_are_skipped_by_policy() {
    let b = StreamsBuilder::new();
    b.stream::<String, i64>("in")
        .map_values(|v| v + 1)
        .to("out");
    let topology = b.build().unwrap();
    let good = || Some(5_i64.to_be_bytes().to_vec());

    let driver = TopologyTestDriver::new(&topology).unwrap();
    let input = text_in(&driver, "in");
    input.pipe_raw(None, good(), 1).unwrap();
    let error = input
        .pipe_raw(None, Some(b"short".to_vec()), 2)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("value of a record at offset 1 of in-0"),
        "{error}"
    );

    let driver = TopologyTestDriver::builder(&topology)
        .skip_undecodable()
        .build()
        .unwrap();
    let input = text_in(&driver, "in");
    for value in [good(), Some(b"short".to_vec()), None, good()] {
        input.pipe_raw(Some(b"k".to_vec()), value, 1).unwrap();
    }
    let out = driver.output_topic("out", Utf8, I64).read_all().unwrap();
    assert_eq!(
        out,
        [TestRecord::new("k", 6, 1), TestRecord::new("k", 6, 1)]
    );
    assert_eq!(driver.counters("KSTREAM-MAPVALUES-0000000001").dropped, 2);
}

#[test]
fn partitions_of_a_store_stay_apart() {
    let topology = count_topology();
    let driver = TopologyTestDriver::builder(&topology)
        .partitions("in", 3)
        .build()
        .unwrap();
    for partition in 0..3 {
        text_in(&driver, "in")
            .partition(partition)
            .pipe("same", "x", 1)
            .unwrap();
    }
    let out = driver.output_topic("out", Utf8, I64).read_all().unwrap();
    assert_eq!(out, vec![TestRecord::new("same", 1, 1); 3]);
    assert_eq!(driver.store("counts").len(), 3);
}

#[test]
fn topologies_that_make_no_sense_are_refused() {
    #[derive(Clone)]
    struct Opaque;
    let b = StreamsBuilder::new();
    b.stream::<String, String>("in")
        .map_values(|_| Opaque)
        .to("out");
    assert!(matches!(
        b.build(),
        Err(TopologyError::NoCodec { part: "value", .. })
    ));

    let b = StreamsBuilder::new();
    let _: KTable<String, String> = b.table("a", "same");
    let _: KTable<String, String> = b.table("b", "same");
    assert_eq!(
        b.build().err(),
        Some(TopologyError::DuplicateStore("same".into()))
    );

    let b = StreamsBuilder::new();
    let _ = b.stream::<String, String>("a");
    let _ = b.stream::<String, String>("a");
    assert_eq!(
        b.build().err(),
        Some(TopologyError::DuplicateTopic("a".into()))
    );
    assert_eq!(
        StreamsBuilder::new().build().err(),
        Some(TopologyError::Empty)
    );

    let topology = join_topology(false);
    let sizes = |topic: &str| Some(if topic == "table" { 2 } else { 3 });
    let planned = topology.plan("app", sizes);
    assert!(
        matches!(planned, Err(TopologyError::NotCopartitioned { .. })),
        "{planned:?}"
    );
    let planned = topology.plan("app", |_| None);
    assert!(
        matches!(planned, Err(TopologyError::MissingTopic(_))),
        "{planned:?}"
    );
}

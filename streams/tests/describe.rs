//! Topologies describe themselves as Kafka Streams 4.3.1 describes the same ones: the files in
//! `describe/` are what its `Topology#describe` prints.

#![allow(clippy::unwrap_used)] // Helpers of tests may fail by panicking, as tests do.

use std::time::Duration;

use headwater_streams::dsl::{Grouped, Joined, KTable, StreamsBuilder, TimeWindows};

fn check(name: &str, builder: &StreamsBuilder) {
    let path = format!("{}/tests/describe/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let expected = std::fs::read_to_string(path).unwrap();
    // Where Kafka's text ends after the last sub-topology differs by a blank line only.
    assert_eq!(
        builder.build().unwrap().describe().trim_end(),
        expected.trim_end(),
        "{name}"
    );
}

fn concat(a: &String, b: &String) -> String {
    format!("{a}{b}")
}

fn concat_left(a: &String, b: Option<&String>) -> String {
    format!("{a}{}", b.map_or("", String::as_str))
}

#[test]
fn word_count() {
    let b = StreamsBuilder::new();
    b.stream::<(), String>("lines")
        .flat_map_values(|line, out| out.extend(line.split(' ').map(str::to_owned)))
        .group_by(|_, word: &String| word.clone())
        .count("counts")
        .to_stream()
        .to("word-counts");
    check("word_count", &b);
}

#[test]
fn stateless_operators() {
    let b = StreamsBuilder::new();
    b.stream::<String, String>("in")
        .filter(|_, _| true)
        .filter_not(|_, _| false)
        .map(|k, v| (k.clone(), v.clone()))
        .map_values(String::clone)
        .flat_map(|k, v, out| out.push((k.clone(), v.clone())))
        .select_key(|_, v: &String| v.clone())
        .peek(|_, _| {})
        .foreach(|_, _| {});
    check("stateless", &b);
}

#[test]
fn joins() {
    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("table", "table-store");
    b.stream::<String, String>("in")
        .join(&table, concat)
        .to("out");
    check("join", &b);

    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("table", "table-store");
    let stream = b
        .stream::<String, String>("in")
        .select_key(|_, v| v.clone());
    stream.left_join(&table, concat_left).to("out");
    check("left_join_repartition", &b);

    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("table", "table-store");
    let stream = b
        .stream::<String, String>("in")
        .select_key(|_, v| v.clone());
    stream
        .join_with(&table, concat, Joined::named("named-join"))
        .to("out");
    check("join_named_repartition", &b);
}

#[test]
fn a_join_with_a_derived_table_reads_its_store() {
    let b = StreamsBuilder::new();
    let table = b
        .stream::<String, String>("in")
        .group_by_key()
        .count("counts");
    let table = table.map_values(i64::to_string);
    b.stream::<String, String>("in2")
        .join(&table, concat)
        .to("out");
    check("join_derived_table", &b);
}

#[test]
fn split_and_merge() {
    let b = StreamsBuilder::new();
    let mut split = b.stream::<String, String>("in").named("split-").split();
    let a = split.branch_named("a", |_, _| true);
    let _ = split.branch(|_, _| false);
    let rest = split.default_branch_named("rest");
    a.merge(&rest).to("out");
    check("split_merge", &b);

    let b = StreamsBuilder::new();
    let mut split = b.stream::<String, String>("in").split();
    let first = split.branch(|_, _| true);
    let second = split.branch(|_, _| false);
    let rest = split.default_branch();
    for branch in [rest, first, second] {
        branch.to("out");
    }
    check("split_unnamed", &b);

    let b = StreamsBuilder::new();
    let one = b.stream::<String, String>("in");
    let two = b.stream::<String, String>("in2");
    one.merge(&two).to("out");
    check("merge_two_sources", &b);
}

#[test]
fn windows() {
    let b = StreamsBuilder::new();
    let windows = TimeWindows::of(Duration::from_secs(60)).grace(Duration::from_secs(10));
    b.stream::<String, String>("in")
        .group_by_key()
        .windowed_by(windows)
        .aggregate(
            String::new,
            |_, v, sum: &mut String| sum.push_str(v),
            "windows",
        )
        .to_stream()
        .map(|k, v| (k.key.clone(), v.clone()))
        .to("out");
    check("windowed", &b);
}

#[test]
fn tables() {
    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("in", "store");
    table
        .filter(|_, _| true)
        .map_values(String::clone)
        .to_stream()
        .to("out");
    check("table_ops", &b);
}

#[test]
fn groupings() {
    let b = StreamsBuilder::new();
    b.stream::<String, String>("in")
        .group_by_with(|_, v| v.clone(), Grouped::named("by-value"))
        .reduce(|a, b| format!("{a}{b}"), "reduced")
        .to_stream()
        .to("out");
    check("reduce_grouped_name", &b);

    let b = StreamsBuilder::new();
    let stream = b
        .stream::<String, String>("in")
        .map(|k, v| (v.clone(), k.clone()));
    stream.group_by_key().count("one");
    stream.group_by_key().count("two");
    check("two_repartitions", &b);

    let b = StreamsBuilder::new();
    let grouped = b
        .stream::<String, String>("in")
        .group_by(|_, v: &String| v.clone());
    grouped.count("one");
    grouped.reduce(|a, _| a.clone(), "two");
    check("one_grouped_two_aggs", &b);
}

#[test]
fn names_and_fan_out() {
    let b = StreamsBuilder::new();
    let consumed = headwater_streams::dsl::Consumed::from_topics(["x", "y"]);
    let stream = b
        .stream::<String, String>(consumed)
        .named("my-filter")
        .filter(|_, _| true);
    stream.to("out");
    stream.map_values(String::clone).to("out2");
    check("named_and_fanout", &b);
}

#[test]
fn a_changed_key_is_repartitioned_once_for_two_joins() {
    let b = StreamsBuilder::new();
    let table: KTable<String, String> = b.table("in", "store");
    let rekeyed = b
        .stream::<String, String>("s2")
        .select_key(|_, v| v.clone());
    rekeyed
        .group_by_key_with(Grouped::named("grp"))
        .count("cnt");
    let rekeyed = b
        .stream::<String, String>("s3")
        .select_key(|_, v| v.clone());
    let rekeyed = rekeyed.flat_map_values(|v: &String, out| out.push(v.clone()));
    let _ = rekeyed.left_join(&table, concat_left);
    rekeyed.join(&table, concat).to("o");
    check("shared_key_change", &b);
}

#[test]
fn the_demo() {
    let b = StreamsBuilder::new();
    let flights = b.stream::<String, String>("flights");
    let airlines: KTable<String, String> = b.table("airlines", "airlines-store");
    let planes: KTable<String, String> = b.table("planes", "planes-store");
    let windows = TimeWindows::of(Duration::from_secs(3600));
    flights
        .join(&airlines, concat)
        .select_key(|_, v| v.clone())
        .left_join(&planes, concat_left)
        .group_by(|_, v| v.clone())
        .windowed_by(windows.grace(Duration::from_secs(400 * 86_400)))
        .aggregate(
            String::new,
            |_, v, sum: &mut String| sum.push_str(v),
            "delays",
        )
        .to_stream()
        .map(|k, v| (k.key.clone(), v.clone()))
        .to("delays_by_origin_hour");
    check("demo", &b);
}

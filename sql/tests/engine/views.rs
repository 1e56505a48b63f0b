//! Views on a real log: kept up to date, resumed, dropped.

use std::time::Duration;

use crate::log::*;
use futures::StreamExt;

/// What the views must hold, computed by the batch engine from the topics themselves.
const BATCH: [(&str, &str, &str); 2] = [
    (
        "worst_airline_hours",
        "SELECT airline, hour, flights, mean_dep_delay FROM worst_airline_hours ORDER BY 1, 2",
        "SELECT a.name, date_bin(INTERVAL '1 hour', f._timestamp), count(*), avg(dep_delay) \
         FROM flights f JOIN airlines a ON f.carrier = a.carrier GROUP BY 1, 2 ORDER BY 1, 2",
    ),
    (
        "delays_by_visibility",
        "SELECT miles, flights, cancelled, mean_dep_delay FROM delays_by_visibility ORDER BY 1",
        "SELECT CAST(floor(w.visib) AS INTEGER), count(*), \
         sum(CASE WHEN dep_time IS NULL THEN 1 ELSE 0 END), avg(dep_delay) FROM flights f \
         JOIN weather w ON f.origin = w.origin AND f.time_hour = w.time_hour GROUP BY 1 ORDER BY 1",
    ),
];

async fn compare(log: &Log, engine: &headwater_sql::SqlEngine) {
    for (view, from_view, from_topics) in BATCH {
        log.wait_for(engine, view).await;
        let expected = rows(engine, from_topics).await;
        assert!(!expected.is_empty());
        assert_eq!(rows(engine, from_view).await, expected, "{view}");
        let status = engine.view_status(view).await.unwrap();
        assert_eq!((status.late, status.bad), (0, 0), "{status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn views_hold_what_a_batch_gives_over_restarts() {
    let log = Log::start().await;
    produce_tables(&log).await;
    let engine = log.engine().await;
    for sql in [
        FLIGHTS,
        AIRLINES,
        WEATHER,
        WORST_AIRLINE_HOURS,
        DELAYS_BY_VISIBILITY,
    ] {
        engine.execute(sql).await.unwrap();
    }
    produce_flights(&log, 0..300).await;
    compare(&log, &engine).await;
    let worst = rows(
        &engine,
        "SELECT airline, hour, flights FROM worst_airline_hours WHERE flights >= 5 \
         ORDER BY mean_dep_delay DESC NULLS LAST LIMIT 10",
    )
    .await;
    assert_eq!(worst.len(), 10);
    engine.shutdown().await.unwrap();

    // What came while nobody was there is caught up with.
    produce_flights(&log, 300..450).await;
    let engine = log.engine().await;
    compare(&log, &engine).await;
    produce_flights(&log, 450..500).await;
    compare(&log, &engine).await;

    let shown = rows(&engine, "SHOW QUERIES").await;
    assert_eq!(shown.len(), 2);
    assert!(
        shown[0].starts_with("delays_by_visibility | running | "),
        "{shown:?}"
    );
    engine.shutdown().await.unwrap();
    log.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_view_leaves_nothing_and_may_be_made_again() {
    let log = Log::start().await;
    produce_flights(&log, 0..30).await;
    let engine = log.engine().await;
    engine.execute(FLIGHTS).await.unwrap();
    let create = "CREATE MATERIALIZED VIEW v WITH (partitions = 2) AS \
                  SELECT origin, count(*) AS n FROM flights GROUP BY origin";
    engine.execute(create).await.unwrap();
    log.wait_for(&engine, "v").await;
    assert_eq!(
        rows(&engine, "SELECT * FROM v ORDER BY 1").await,
        ["EWR | 15", "JFK | 15"]
    );

    let again = engine.execute(create).await.unwrap_err();
    assert_eq!(again.sqlstate(), "42P07");
    let used = engine.execute("DROP STREAM flights").await.unwrap_err();
    assert_eq!(used.sqlstate(), "2BP01");
    assert_eq!(
        used.to_string(),
        "flights is still read by v; drop that first"
    );

    engine.execute("DROP MATERIALIZED VIEW v").await.unwrap();
    assert_eq!(
        engine
            .execute("SELECT * FROM v")
            .await
            .unwrap_err()
            .sqlstate(),
        "42P01"
    );
    let topics = rows(&engine, "SHOW TOPICS").await;
    assert!(
        !topics
            .iter()
            .any(|t| t.starts_with("v ") || t.starts_with("sql-")),
        "{topics:?}"
    );

    engine
        .execute(&create.replace("count(*)", "count(*) + 1"))
        .await
        .unwrap();
    log.wait_for(&engine, "v").await;
    assert_eq!(
        rows(&engine, "SELECT * FROM v ORDER BY 1").await,
        ["EWR | 16", "JFK | 16"]
    );
    engine.shutdown().await.unwrap();

    let engine = log.engine().await;
    assert_eq!(rows(&engine, "SHOW STREAMS").await.len(), 1);
    assert_eq!(
        rows(&engine, "SELECT * FROM v ORDER BY 1").await,
        ["EWR | 16", "JFK | 16"]
    );
    engine.execute("DROP MATERIALIZED VIEW v").await.unwrap();
    engine.shutdown().await.unwrap();

    // A new engine does not take up the offsets of what is gone.
    let engine = log.engine().await;
    engine.execute(create).await.unwrap();
    log.wait_for(&engine, "v").await;
    assert_eq!(
        rows(&engine, "SELECT * FROM v ORDER BY 1").await,
        ["EWR | 15", "JFK | 15"]
    );
    engine.shutdown().await.unwrap();
    log.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_view_says_why_and_leaves_the_others_alone() {
    let log = Log::start().await;
    let engine = log.engine().await;
    engine.execute(FLIGHTS).await.unwrap();
    for (name, column) in [("bad", "100 / (dep_delay - 1)"), ("good", "dep_delay")] {
        let sql =
            format!("CREATE MATERIALIZED VIEW {name} AS SELECT origin, {column} AS x FROM flights");
        engine.execute(&sql).await.unwrap();
    }
    let flight = r#"{"origin":"EWR","dep_delay":1}"#.to_owned();
    let record = ("UA".to_owned(), Some(flight), START);
    log.produce("flights", std::slice::from_ref(&record)).await;
    log.wait_for(&engine, "good").await;
    assert_eq!(rows(&engine, "SELECT * FROM good").await, ["EWR | 1"]);
    let deadline = std::time::Instant::now() + DEADLINE;
    let status = loop {
        let status = engine.view_status("bad").await.unwrap();
        if status.state == headwater_sql::ViewState::Failed {
            break status;
        }
        assert!(std::time::Instant::now() < deadline, "{status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let problem = status.problem.unwrap();
    assert!(
        problem.to_lowercase().contains("divide by zero"),
        "{problem}"
    );
    engine.shutdown().await.unwrap();
    log.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn push_queries_follow_streams_views_and_aggregates() {
    let log = Log::start().await;
    produce_tables(&log).await;
    produce_flights(&log, 0..6).await;
    let engine = log.engine().await;
    for sql in [FLIGHTS, AIRLINES] {
        engine.execute(sql).await.unwrap();
    }
    let late = "SELECT origin, _timestamp FROM flights WHERE dep_delay <= -6 EMIT CHANGES";
    let mut late = engine.execute(late).await.unwrap();
    assert!(late.is_unbounded);
    let per_airline = "SELECT a.name, count(*) AS n FROM flights f JOIN airlines a \
                       ON f.carrier = a.carrier GROUP BY a.name EMIT CHANGES";
    let mut per_airline = engine.execute(per_airline).await.unwrap();

    let first = collect_until(&mut late, |lines| lines.len() == 4).await;
    assert!(first.iter().any(|l| l.starts_with("JFK")), "{first:?}");
    let is_done = |n: i64| {
        move |lines: &[String]| {
            lines.contains(&format!("JetBlue Airways | {n}"))
                && lines.contains(&format!("United Air Lines Inc. | {n}"))
        }
    };
    collect_until(&mut per_airline, is_done(2)).await;
    produce_flights(&log, 6..12).await;
    collect_until(&mut per_airline, is_done(4)).await;

    drop(per_airline);
    let deadline = std::time::Instant::now() + DEADLINE;
    loop {
        let topics = rows(&engine, "SHOW TOPICS").await;
        if !topics.iter().any(|t| t.starts_with("sql-push-")) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{topics:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    engine.shutdown().await.unwrap();
    log.stop().await;
}

async fn collect_until(
    result: &mut headwater_sql::SqlResult,
    done: impl Fn(&[String]) -> bool,
) -> Vec<String> {
    let mut seen = Vec::new();
    while !done(&seen) {
        let batch = tokio::time::timeout(DEADLINE, result.rows.next()).await;
        let Ok(Some(batch)) = batch else {
            panic!("only {seen:?}")
        };
        seen.extend(lines(&[batch.unwrap()]));
    }
    seen
}

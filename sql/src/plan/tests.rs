//! What statements are planned to, and what is refused.

use crate::SqlError;
use crate::catalog::{Catalog, Relation};
use crate::dialect::{Statement, parse};
use crate::plan::{ContinuousQuery, Planner, explain, interval_millis};

pub(crate) const FLIGHTS: &str = "CREATE STREAM flights (carrier VARCHAR, origin VARCHAR, tailnum VARCHAR, \
     dep_time BIGINT, dep_delay BIGINT, time_hour TIMESTAMP, \
     WATERMARK FOR _timestamp AS _timestamp - INTERVAL '400' DAY) \
     WITH (topic = 'flights', format = 'json')";
pub(crate) const AIRLINES: &str = "CREATE TABLE airlines (carrier VARCHAR PRIMARY KEY, name VARCHAR) \
     WITH (topic = 'airlines', format = 'json', key_format = 'string')";
pub(crate) const WEATHER: &str = "CREATE TABLE weather (origin VARCHAR, time_hour TIMESTAMP, visib DOUBLE, \
     PRIMARY KEY (origin, time_hour)) WITH (topic = 'weather', format = 'json')";

pub(crate) fn catalog(definitions: &[&str]) -> Catalog {
    definitions.iter().fold(Catalog::default(), |catalog, sql| {
        let Statement::CreateRelation(definition) = parse(sql).unwrap() else {
            panic!("{sql} is no definition")
        };
        let delay = definition
            .watermark
            .as_ref()
            .map(|w| interval_millis(&w.delay).unwrap());
        catalog.with(Relation::from_definition(&definition, delay).unwrap())
    })
}

async fn plan(sql: &str) -> Result<ContinuousQuery, SqlError> {
    let Statement::Push(query) = parse(&format!("{sql} EMIT CHANGES"))? else {
        panic!("{sql} is no query")
    };
    let catalog = catalog(&[FLIGHTS, AIRLINES, WEATHER]);
    Planner::new().continuous(&catalog, *query, false).await
}

async fn golden(sql: &str) -> String {
    explain(&plan(sql).await.unwrap())
}

async fn refused(sql: &str) -> String {
    match plan(sql).await {
        Err(error) => format!("{} {error}", error.sqlstate()),
        Ok(query) => panic!("planned as\n{}", explain(&query)),
    }
}

#[tokio::test]
async fn projection_and_filter_read_only_the_columns_they_need() {
    assert_eq!(
        golden("SELECT upper(carrier) AS c, dep_delay FROM flights WHERE dep_delay > 60").await,
        "Sink: append, columns (c, dep_delay)\n  \
         Project: upper(carrier@0) AS c, dep_delay@1 AS dep_delay where dep_delay@1 > 60\n    \
         Scan: flights (topic flights), columns (carrier, dep_delay), event time _timestamp, \
         watermark _timestamp - 34560000000 ms\n"
    );
}

#[tokio::test]
async fn worst_airline_hours() {
    let text = golden(
        "SELECT a.name AS airline, window_start AS hour, count(*) AS flights, \
         avg(dep_delay) AS mean_dep_delay \
         FROM TUMBLE(flights, _timestamp, INTERVAL '1 hour') f \
         JOIN airlines a ON f.carrier = a.carrier GROUP BY a.name, window_start",
    )
    .await;
    assert_eq!(text, "Sink: upsert by (airline, hour), columns (airline, hour, flights, mean_dep_delay)
  Project: name@0 AS airline, window_start@1 AS hour, count(Int64(1))@2 AS flights, avg(f.dep_delay)@3 AS mean_dep_delay
    Aggregate: by (name@2, window_start@1), [count(Int64(1)), avg(f.dep_delay)], late once the watermark (34560000000 ms behind) has passed the window
      Repartition: by (name@2, window_start@1)
        Project: dep_delay@1 AS dep_delay, window_start@2 AS window_start, name@4 AS name
          StreamTableJoin: inner, (carrier@0) = airlines (carrier)
            Repartition: by (carrier@0), as the table is partitioned
              Project: carrier@0 AS carrier, dep_delay@1 AS dep_delay, date_bin(IntervalMonthDayNano { months: 0, days: 0, nanoseconds: 3600000000000 }, _timestamp@2) AS window_start
                Scan: flights (topic flights), columns (carrier, dep_delay, _timestamp), event time _timestamp, watermark _timestamp - 34560000000 ms
            Table: airlines (topic airlines), columns (carrier, name)
");
}

#[tokio::test]
async fn delays_by_visibility() {
    let text = golden(
        "SELECT CAST(floor(w.visib) AS INTEGER) AS miles, count(*) AS flights, \
         count(*) FILTER (WHERE f.dep_time IS NULL) AS cancelled, avg(f.dep_delay) AS mean_dep_delay \
         FROM flights f JOIN weather w ON f.origin = w.origin AND f.time_hour = w.time_hour \
         GROUP BY CAST(floor(w.visib) AS INTEGER)",
    )
    .await;
    assert_eq!(text, "Sink: upsert by (miles), columns (miles, flights, cancelled, mean_dep_delay)
  Project: floor(w.visib)@0 AS miles, count(Int64(1))@1 AS flights, count(Int64(1)) FILTER (WHERE f.dep_time IS NULL)@2 AS cancelled, avg(f.dep_delay)@3 AS mean_dep_delay
    Aggregate: by (CAST(floor(visib@2) AS Int32)), [count(Int64(1)), count(Int64(1)) FILTER (WHERE f.dep_time IS NULL), avg(f.dep_delay)]
      Repartition: by (CAST(floor(visib@2) AS Int32))
        Project: dep_time@1 AS dep_time, dep_delay@2 AS dep_delay, visib@6 AS visib
          StreamTableJoin: inner, (origin@0, time_hour@3) = weather (origin, time_hour)
            Repartition: by (origin@0, time_hour@3), to the table's one partition
              Scan: flights (topic flights), columns (origin, dep_time, dep_delay, time_hour), event time _timestamp, watermark _timestamp - 34560000000 ms
            Table: weather (topic weather), columns (origin, time_hour, visib)
");
}

#[tokio::test]
async fn a_group_that_is_not_selected_is_still_the_key() {
    let query = plan("SELECT count(*) AS n FROM flights GROUP BY origin")
        .await
        .unwrap();
    let key = query.key.unwrap();
    assert_eq!(
        (key.names, key.is_visible),
        (vec!["origin".to_owned()], false)
    );
}

#[tokio::test]
async fn what_cannot_be_kept_up_to_date_is_refused() {
    for (sql, expected) in [
        (
            "SELECT * FROM airlines",
            "0A000 not supported: table airlines as the input",
        ),
        (
            "SELECT * FROM flights ORDER BY carrier",
            "0A000 not supported: ORDER BY and LIMIT",
        ),
        (
            "SELECT * FROM flights LIMIT 3",
            "0A000 not supported: ORDER BY and LIMIT",
        ),
        (
            "SELECT a.carrier FROM flights a JOIN flights b ON a.carrier = b.carrier",
            "0A000",
        ),
        (
            "SELECT f.carrier FROM flights f JOIN weather w ON f.origin = w.origin",
            "0A000",
        ),
        (
            "SELECT max(n) FROM (SELECT count(*) AS n FROM flights GROUP BY origin)",
            "0A000 not supported: an aggregate over the results of another",
        ),
        (
            "SELECT now() AS t, carrier FROM flights",
            "0A000 not supported: now()",
        ),
        (
            "SELECT carrier, random() AS r FROM flights",
            "0A000 not supported: random()",
        ),
        ("SELECT count(DISTINCT carrier) AS n FROM flights", "0A000"),
        ("SELECT nonsense FROM flights", "42703"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT frobnicate(carrier) FROM flights", "42883"),
    ] {
        let refusal = refused(sql).await;
        assert!(refusal.starts_with(expected), "{sql}: {refusal}");
    }
}

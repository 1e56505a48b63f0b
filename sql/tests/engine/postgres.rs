//! The engine as PostgreSQL's clients see it.

use std::time::Duration;

use crate::log::*;
use futures::StreamExt;
use headwater_sql::SqlEngine;
use headwater_sql::pg::PgServer;
use tokio::net::TcpListener;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use tokio_util::sync::CancellationToken;

struct Served {
    log: Log,
    engine: SqlEngine,
    client: tokio_postgres::Client,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<()>,
}

async fn serve() -> Served {
    let log = Log::start().await;
    let engine = log.engine().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = PgServer::new(listener, engine.clone());
    let port = server.local_addr().unwrap().port();
    let stop = CancellationToken::new();
    let server = tokio::spawn(server.run(stop.clone()));
    let config = format!("host=127.0.0.1 port={port} user=anyone dbname=anything");
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    tokio::spawn(connection);
    for sql in [FLIGHTS, AIRLINES, WEATHER] {
        client.batch_execute(sql).await.unwrap();
    }
    Served {
        log,
        engine,
        client,
        stop,
        server,
    }
}

impl Served {
    async fn end(self) {
        self.stop.cancel();
        self.server.await.unwrap();
        self.engine.shutdown().await.unwrap();
        self.log.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_parameters_of_the_extended_protocol() {
    let served = serve().await;
    let client = &served.client;
    let row = client
        .query_one(
            "SELECT CAST(1 AS INTEGER) AS a, CAST(2 AS BIGINT) AS b, 1.5::double precision AS c, \
             'x' AS d, true AS e, TIMESTAMP '2013-01-01T10:00:00.250' AS f, DATE '2013-01-02' AS g, \
             CAST(NULL AS BIGINT) AS h, NULL AS i",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, i32>("a"), row.get::<_, i64>("b")), (1, 2));
    assert_eq!(
        (row.get::<_, f64>("c"), row.get::<_, &str>("d")),
        (1.5, "x")
    );
    assert!(row.get::<_, bool>("e"));
    let at: std::time::SystemTime = row.get("f");
    let since = at.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since, Duration::from_millis(1_357_034_400_250));
    assert_eq!(row.get::<_, Option<i64>>("h"), None);
    assert_eq!(row.get::<_, Option<String>>("i"), None);

    produce_flights(&served.log, 0..40).await;
    let statement = client
        .prepare("SELECT count(*) FROM flights WHERE carrier = $1 AND dep_delay > $2")
        .await
        .unwrap();
    let counted = client.query_one(&statement, &[&"UA", &0i64]).await.unwrap();
    let expected = (0..40)
        .filter(|n| n % 3 == 0 && n % 7 != 0 && n % 50 - 10 > 0)
        .count() as i64;
    assert_eq!(counted.get::<_, i64>(0), expected);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_carry_a_sqlstate_and_do_not_end_the_connection() {
    let served = serve().await;
    let client = &served.client;
    for (sql, sqlstate) in [
        ("SELEC 1", "42601"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELECT nothing FROM flights", "42703"),
        ("SELECT 1 / 0", "22012"),
        ("INSERT INTO flights VALUES (1)", "0A000"),
        (FLIGHTS, "42P07"),
        ("DROP TABLE flights", "42P01"),
        (
            "CREATE STREAM s (a INT) WITH (topic = 'missing', format = 'json')",
            "42P17",
        ),
        ("SET nonsense = 1", "0A000"),
    ] {
        let simple = client.simple_query(sql).await.unwrap_err();
        assert_eq!(
            simple.code().map(|c| c.code()),
            Some(sqlstate),
            "{sql}: {simple:?}"
        );
    }
    let rows = client.simple_query("SELECT 1; SELECT 2").await.unwrap();
    let values: Vec<_> = rows
        .iter()
        .filter_map(|m| match m {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    assert_eq!(values, ["1", "2"]);
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_is_made_queried_and_shown() {
    let served = serve().await;
    let client = &served.client;
    produce_tables(&served.log).await;
    produce_flights(&served.log, 0..120).await;
    client.batch_execute(WORST_AIRLINE_HOURS).await.unwrap();
    served
        .log
        .wait_for(&served.engine, "worst_airline_hours")
        .await;
    let rows = client
        .query(
            "SELECT airline, hour, flights FROM worst_airline_hours ORDER BY hour, airline",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0].get::<_, &str>(0), "JetBlue Airways");
    assert_eq!(rows[0].get::<_, i64>(2), 20);
    let shown = client.query("SHOW VIEWS", &[]).await.unwrap();
    assert_eq!(shown[0].get::<_, &str>("name"), "worst_airline_hours");
    let tables = client
        .query(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' \
             ORDER BY 1",
            &[],
        )
        .await
        .unwrap();
    let names: Vec<&str> = tables.iter().map(|r| r.get(0)).collect();
    assert_eq!(
        names,
        ["airlines", "flights", "weather", "worst_airline_hours"]
    );
    served.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn push_queries_show_rows_as_they_come_and_can_be_cancelled() {
    let served = serve().await;
    let client = &served.client;
    produce_flights(&served.log, 0..2).await;
    let rows = client
        .query_raw(
            "SELECT carrier, dep_delay FROM flights EMIT CHANGES",
            Vec::<String>::new(),
        )
        .await
        .unwrap();
    futures::pin_mut!(rows);
    for expected in 0..2 {
        let row = tokio::time::timeout(DEADLINE, rows.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(
            ["UA", "B6"].contains(&row.get::<_, &str>(0)),
            "{expected}: {row:?}"
        );
    }
    produce_flights(&served.log, 2..3).await;
    let row = tokio::time::timeout(DEADLINE, rows.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1)), ("XX", -8));
    client.cancel_token().cancel_query(NoTls).await.unwrap();
    let ended = tokio::time::timeout(DEADLINE, rows.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap_err();
    assert_eq!(ended.code().map(|c| c.code()), Some("57014"));
    assert_eq!(
        client
            .query_one("SELECT 1", &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        1
    );
    served.end().await;
}

//! What the dialect makes of statements.

use arrow::datatypes::{DataType, TimeUnit};

use super::{DropKind, ShowKind, Statement, is_complete, parse, split};

#[test]
fn statements_are_split_at_semicolons_outside_quotes() {
    let text = "SELECT ';' AS \"a;b\"; -- nothing; here\n  SELECT 'é', 2;;\n/* ; */";
    assert_eq!(
        split(text).unwrap(),
        ["SELECT ';' AS \"a;b\"", "-- nothing; here\n  SELECT 'é', 2"]
    );
    assert_eq!(split(" ;; ").unwrap(), Vec::<String>::new());
    assert_eq!(split("SELECT 'open").unwrap_err().sqlstate(), "42601");
}

#[test]
fn a_stream_with_everything() {
    let statement = parse(
        "CREATE STREAM IF NOT EXISTS Flights (carrier VARCHAR, \"Delay\" BIGINT NOT NULL, \
         ok BOOLEAN, at TIMESTAMP, n INTEGER, x DOUBLE, KEY (carrier), \
         WATERMARK FOR at AS at - INTERVAL '5' MINUTE) \
         WITH (topic = 'flights', 'format' = 'json')",
    );
    let Statement::CreateRelation(definition) = statement.unwrap() else {
        panic!()
    };
    assert!(!definition.is_table && definition.if_not_exists);
    assert_eq!(definition.name, "flights");
    let columns: Vec<_> = definition
        .columns
        .iter()
        .map(|c| (c.name.as_str(), &c.data_type, c.not_null))
        .collect();
    let timestamp = DataType::Timestamp(TimeUnit::Millisecond, None);
    assert_eq!(
        columns,
        [
            ("carrier", &DataType::Utf8, false),
            ("Delay", &DataType::Int64, true),
            ("ok", &DataType::Boolean, false),
            ("at", &timestamp, false),
            ("n", &DataType::Int32, false),
            ("x", &DataType::Float64, false),
        ]
    );
    assert_eq!(definition.key, ["carrier"]);
    assert_eq!(definition.watermark.unwrap().column, "at");
    let options = [("topic", "flights"), ("format", "json")];
    assert_eq!(
        definition.options,
        options.map(|(n, v)| (n.to_owned(), v.to_owned()))
    );
}

#[test]
fn kinds_of_statements() {
    let is = |sql: &str| parse(sql).unwrap();
    assert!(matches!(is("SELECT 1"), Statement::Pull(_)));
    assert!(matches!(
        is("WITH t AS (SELECT 1) SELECT * FROM t"),
        Statement::Pull(_)
    ));
    assert!(matches!(is("EXPLAIN SELECT 1"), Statement::Pull(_)));
    assert!(matches!(
        is("SELECT * FROM t EMIT CHANGES"),
        Statement::Push(_)
    ));
    assert!(matches!(
        is("EXPLAIN SELECT a FROM t emit changes"),
        Statement::ExplainContinuous(_)
    ));
    assert!(matches!(
        is("EXPLAIN CREATE MATERIALIZED VIEW v AS SELECT a FROM t"),
        Statement::ExplainContinuous(_)
    ));
    assert_eq!(is("SHOW queries"), Statement::Show(ShowKind::Queries));
    assert_eq!(
        is("SHOW server_version"),
        Statement::ShowVariable("server_version".into())
    );
    assert_eq!(is("DESCRIBE public.T"), Statement::Describe("t".into()));
    let drop = Statement::Drop {
        kind: DropKind::View,
        name: "v".into(),
        if_exists: true,
    };
    assert_eq!(is("DROP MATERIALIZED VIEW IF EXISTS v"), drop);
    let set = Statement::Set {
        name: "application_name".into(),
        value: "x y".into(),
    };
    assert_eq!(is("SET application_name TO 'x y'"), set);
}

#[test]
fn mistakes_are_named() {
    for (sql, sqlstate, message) in [
        ("SELEC 1", "42601", "expected a statement, found SELEC"),
        (
            "CREATE TABLE t (a INT) WITH (topic='t', format='json')",
            "42P17",
            "PRIMARY KEY",
        ),
        (
            "CREATE STREAM s (a INT, a INT) WITH (topic='t')",
            "42P17",
            "column a twice",
        ),
        (
            "CREATE STREAM s (_key INT) WITH (topic='t')",
            "42P17",
            "leading underscore",
        ),
        (
            "CREATE STREAM s (a XML) WITH (topic='t')",
            "0A000",
            "type XML of column a",
        ),
        (
            "CREATE STREAM s (a INT, WATERMARK FOR a AS a - INTERVAL '1 s')",
            "42P17",
            "a is none",
        ),
        (
            "CREATE STREAM s (a INT, WATERMARK FOR b AS b + 1)",
            "42P17",
            "WATERMARK FOR b",
        ),
        (
            "CREATE STREAM s (a INT) WITH (x='1', x='2')",
            "42P17",
            "option x is given twice",
        ),
        ("CREATE VIEW v AS SELECT 1", "0A000", "CREATE VIEW"),
        (
            "INSERT INTO t VALUES (1)",
            "0A000",
            "rows come in through topics",
        ),
        (
            "SHOW TABLES EMIT CHANGES",
            "42601",
            "EMIT CHANGES belongs to a SELECT",
        ),
        ("SELECT 1 EMIT FINAL", "0A000", "EMIT FINAL"),
        ("SELECT 1 1", "42601", "end of"),
    ] {
        let error = parse(sql).unwrap_err();
        assert_eq!(error.sqlstate(), sqlstate, "{sql}: {error}");
        assert!(error.to_string().contains(message), "{sql}: {error}");
    }
    let deep = format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500));
    assert_eq!(parse(&deep).unwrap_err().sqlstate(), "42601");
}

#[test]
fn chains_of_operators_are_bounded_and_lists_are_not() {
    for operator in ["||", "+", "AND", "OR", "UNION ALL SELECT"] {
        let chain = |n: usize| format!("SELECT {}'b'", format!("'a' {operator} ").repeat(n));
        parse(&chain(400)).unwrap();
        let error = parse(&chain(501)).unwrap_err();
        assert_eq!(error.sqlstate(), "42601", "{operator}: {error}");
    }
    let list = vec!["1"; 5_000].join(", ");
    parse(&format!("SELECT 1 WHERE 1 IN ({list})")).unwrap();
}

#[test]
fn a_statement_is_complete_with_a_semicolon_outside_of_strings_and_comments() {
    for complete in [
        "SELECT 1;",
        "SELECT ';' ; -- and that is all\n",
        "SELECT $$;$$;",
    ] {
        assert!(is_complete(complete), "{complete}");
    }
    for open in [
        "SELECT 1",
        "SELECT 'a;",
        "SELECT 1 -- ;",
        "SELECT /* ; */ 1",
        "SELECT \"a;",
    ] {
        assert!(!is_complete(open), "{open}");
    }
}

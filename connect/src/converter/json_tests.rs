//! Against what Kafka 4.3.1's JsonConverter writes and reads.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::data::logical::{self, Decimal};
use crate::data::{Field, SchemaType, Struct};

fn converter(schemas_enable: bool) -> JsonConverter {
    JsonConverter::new(JsonSettings {
        schemas_enable,
        ..JsonSettings::default()
    })
}

fn text(bytes: Option<Bytes>) -> Option<String> {
    bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

/// Checks both forms of one value and that the enveloped one comes back.
fn golden(schema: Schema, value: Value, schema_json: &str, payload: &str) {
    let schema = Arc::new(schema);
    let enveloped = converter(true);
    let written = enveloped.to_bytes("t", Some(&schema), &value).unwrap();
    let expected = format!("{{\"schema\":{schema_json},\"payload\":{payload}}}");
    assert_eq!(text(written.clone()).as_deref(), Some(expected.as_str()));
    let plain = converter(false)
        .to_bytes("t", Some(&schema), &value)
        .unwrap();
    assert_eq!(text(plain).as_deref(), Some(payload));
    let read = enveloped.to_data("t", written.as_ref()).unwrap();
    assert_eq!(read.schema.as_deref(), Some(&*schema));
    let again = enveloped
        .to_bytes("t", read.schema.as_ref(), &read.value)
        .unwrap();
    assert_eq!(again, written);
}

#[test]
fn base_types_are_kafkas_to_the_byte() {
    let plain = |kind: &str| format!("{{\"type\":\"{kind}\",\"optional\":false}}");
    let cases = [
        (SchemaType::Int8, Value::Int8(-5), "int8", "-5"),
        (SchemaType::Int16, Value::Int16(300), "int16", "300"),
        (SchemaType::Int32, Value::Int32(70_000), "int32", "70000"),
        (
            SchemaType::Int64,
            Value::Int64(9_007_199_254_740_993),
            "int64",
            "9007199254740993",
        ),
        (SchemaType::Float32, Value::Float32(1.5), "float", "1.5"),
        (SchemaType::Float64, Value::Float64(10.0), "double", "10.0"),
        (SchemaType::Float64, Value::Float64(1e7), "double", "1.0E7"),
        (
            SchemaType::Float64,
            Value::Float64(f64::NAN),
            "double",
            "\"NaN\"",
        ),
        (
            SchemaType::Float64,
            Value::Float64(f64::NEG_INFINITY),
            "double",
            "\"-Infinity\"",
        ),
        (SchemaType::Boolean, Value::Boolean(true), "boolean", "true"),
        (
            SchemaType::String,
            Value::from("a\"b\\\n\u{e9}\u{1}/"),
            "string",
            "\"a\\\"b\\\\\\n\u{e9}\\u0001/\"",
        ),
        (
            SchemaType::Bytes,
            Value::Bytes(Bytes::from_static(&[0, 1, 2, 255])),
            "bytes",
            "\"AAEC/w==\"",
        ),
    ];
    for (kind, value, name, payload) in cases {
        golden(Schema::new(kind), value, &plain(name), payload);
    }
}

#[test]
fn collections_and_structs_are_kafkas_to_the_byte() {
    golden(
        Schema::array(Schema::int32()),
        Value::Array(vec![Value::Int32(1), Value::Int32(2)]),
        r#"{"type":"array","items":{"type":"int32","optional":false},"optional":false}"#,
        "[1,2]",
    );
    golden(
        Schema::map(Schema::string(), Schema::int32()),
        Value::Map(vec![("k".into(), Value::Int32(1))]),
        r#"{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"int32","optional":false},"optional":false}"#,
        r#"{"k":1}"#,
    );
    golden(
        Schema::map(Schema::int32(), Schema::int32()),
        Value::Map(vec![(Value::Int32(7), Value::Int32(1))]),
        r#"{"type":"map","keys":{"type":"int32","optional":false},"values":{"type":"int32","optional":false},"optional":false}"#,
        "[[7,1]]",
    );
    let schema = Schema::structure(vec![
        Field::new("a", Schema::int64()),
        Field::new("b", Schema::string().optional()),
        Field::new("c", Schema::int32().with_default(Value::Int32(9)).unwrap()),
    ])
    .named("com.x.Row")
    .with_version(2)
    .with_doc("a row")
    .with_parameter("p", "q")
    .optional();
    let mut row = Struct::new(Arc::new(schema.clone()));
    row.put("a", 1i64)
        .unwrap()
        .put("c", Value::Int32(3))
        .unwrap();
    let json = r#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"a"},{"type":"string","optional":true,"field":"b"},{"type":"int32","optional":false,"default":9,"field":"c"}],"optional":true,"name":"com.x.Row","version":2,"doc":"a row","parameters":{"p":"q"}}"#;
    golden(
        schema.clone(),
        Value::Struct(Box::new(row)),
        json,
        r#"{"a":1,"b":null,"c":3}"#,
    );
    golden(schema, Value::Null, json, "null");
}

#[test]
fn logical_types_are_kafkas_to_the_byte() {
    let named = |base: &str, name: &str| {
        format!(
            "{{\"type\":\"{base}\",\"optional\":false,\"name\":\"org.apache.kafka.connect.data.{name}\",\"version\":1}}"
        )
    };
    golden(
        logical::date(),
        Value::Date(15_706),
        &named("int32", "Date"),
        "15706",
    );
    golden(
        logical::time(),
        Value::Time(3_600_000),
        &named("int32", "Time"),
        "3600000",
    );
    golden(
        logical::timestamp(),
        Value::Timestamp(1_357_034_400_123),
        &named("int64", "Timestamp"),
        "1357034400123",
    );
    let decimal = r#"{"type":"bytes","optional":false,"name":"org.apache.kafka.connect.data.Decimal","version":1,"parameters":{"scale":"2"}}"#;
    let value = Value::Decimal(Decimal {
        unscaled: -156,
        scale: 2,
    });
    golden(logical::decimal(2), value.clone(), decimal, "\"/2Q=\"");
    let numeric = JsonConverter::new(JsonSettings {
        decimal_format: DecimalFormat::Numeric,
        ..JsonSettings::default()
    });
    let schema = Arc::new(logical::decimal(2));
    let written = numeric.to_bytes("t", Some(&schema), &value).unwrap();
    assert_eq!(
        text(written.clone()).unwrap(),
        format!("{{\"schema\":{decimal},\"payload\":-1.56}}")
    );
    assert_eq!(numeric.to_data("t", written.as_ref()).unwrap().value, value);
}

#[test]
fn nulls_and_defaults_follow_kafka() {
    let plain = converter(false);
    assert_eq!(plain.to_bytes("t", None, &Value::Null), Ok(None));
    let optional = Arc::new(Schema::string().optional());
    assert_eq!(
        text(plain.to_bytes("t", Some(&optional), &Value::Null).unwrap()).unwrap(),
        "null"
    );
    let default = Schema::int32()
        .optional()
        .with_default(Value::Int32(42))
        .unwrap();
    golden(
        default,
        Value::Int32(42),
        r#"{"type":"int32","optional":true,"default":42}"#,
        "42",
    );
    let required = Arc::new(Schema::string());
    let error = plain
        .to_bytes("t", Some(&required), &Value::Null)
        .unwrap_err();
    assert!(
        error.to_string().contains("null for a required STRING"),
        "{error}"
    );
}

#[test]
fn schemaless_data_has_a_null_schema() {
    let value = Value::Map(vec![
        ("a".into(), Value::Int64(1)),
        ("b".into(), Value::Null),
        (
            "c".into(),
            Value::Array(vec!["x".into(), Value::Float64(2.5)]),
        ),
    ]);
    let written = text(converter(true).to_bytes("t", None, &value).unwrap()).unwrap();
    assert_eq!(
        written,
        r#"{"schema":null,"payload":{"a":1,"b":null,"c":["x",2.5]}}"#
    );
    let plain = converter(false).to_bytes("t", None, &value).unwrap();
    assert_eq!(
        text(plain.clone()).unwrap(),
        r#"{"a":1,"b":null,"c":["x",2.5]}"#
    );
    let read = converter(false).to_data("t", plain.as_ref()).unwrap();
    assert_eq!(read, SchemaAndValue::schemaless(value));
    let pairs = Value::Map(vec![(Value::Int64(7), "x".into())]);
    let written = text(converter(false).to_bytes("t", None, &pairs).unwrap()).unwrap();
    assert_eq!(written, r#"[[7,"x"]]"#);
}

#[test]
fn reading_follows_kafka() {
    let read = |json: &'static str, schemas| {
        converter(schemas).to_data("t", Some(&Bytes::from_static(json.as_bytes())))
    };
    assert_eq!(converter(true).to_data("t", None), Ok(SchemaAndValue::NULL));
    assert_eq!(read("", false), Ok(SchemaAndValue::NULL));
    assert_eq!(read("null", false), Ok(SchemaAndValue::NULL));
    let default = r#"{"schema":{"type":"int32","optional":true,"default":5},"payload":null}"#;
    assert_eq!(read(default, true).unwrap().value, Value::Int32(5));
    let unmarked = r#"{"schema":{"type":"int32"},"payload":12}"#;
    assert!(!read(unmarked, true).unwrap().schema.unwrap().is_optional());
    let float = r#"{"schema":{"type":"float","optional":false},"payload":12}"#;
    assert_eq!(read(float, true).unwrap().value, Value::Float32(12.0));
    let refused = [
        (r#"{"a":1}"#, "schemas.enable=false"),
        ("null", "schemas.enable=false"),
        (
            r#"{"schema":{"type":"int32","optional":false},"payload":null}"#,
            "null for a required INT32",
        ),
        (
            r#"{"schema":{"type":"wat"},"payload":1}"#,
            "unknown schema type: wat",
        ),
        (
            r#"{"schema":{"type":"int32"},"payload":"x"}"#,
            "\"x\" where INT32 is wanted",
        ),
        ("{bad", "not JSON"),
    ];
    for (json, reason) in refused {
        let error = read(json, true).unwrap_err().to_string();
        assert!(error.contains(reason), "{json}: {error}");
    }
    let error = read("12345678901234567890", false).unwrap_err().to_string();
    assert!(error.contains("does not fit 64 bits"), "{error}");
}

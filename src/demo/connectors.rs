//! The demo's connectors: a file source for every topic, and the sink of the result.

use std::collections::BTreeMap;
use std::path::Path;

use super::input::Input;

/// A connector's name and configuration.
pub(super) struct Connector {
    pub(super) name: &'static str,
    pub(super) config: BTreeMap<String, String>,
}

/// The rows whose topic is a table: one record a key, all of timestamp 0.
pub(super) fn tables(input: &Input) -> Vec<Connector> {
    let table = |name, file, topic, key, types| {
        source(
            name,
            file,
            topic,
            &[
                ("key.fields", key),
                ("types", types),
                ("timestamp.value", "0"),
            ],
        )
    };
    vec![
        table(
            "demo-airlines",
            &input.airlines,
            "airlines",
            "carrier",
            "carrier:string,name:string",
        ),
        table(
            "demo-airports",
            &input.airports,
            "airports",
            "faa",
            "faa:string,name:string,lat:double,lon:double,alt:long,tz:long,dst:string,tzone:string",
        ),
        table(
            "demo-planes",
            &input.planes,
            "planes",
            "tailnum",
            "tailnum:string,year:long,type:string,manufacturer:string,model:string,engines:long,\
             seats:long,speed:long,engine:string",
        ),
        with_json_key(table(
            "demo-weather",
            &input.weather,
            "weather",
            "origin,time_hour",
            "origin:string,year:long,month:long,day:long,hour:long,temp:double,dewp:double,\
             humid:double,wind_dir:long,wind_speed:double,wind_gust:double,precip:double,\
             pressure:double,visib:double,time_hour:string",
        )),
    ]
}

/// Every flight, at its scheduled departure.
pub(super) fn flights(input: &Input) -> Connector {
    let files: Vec<_> = input
        .flights
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    source_of(
        "demo-flights",
        ("files", files.join(",")),
        "flights",
        &[
            ("key.fields", "carrier"),
            (
                "types",
                "year:long,month:long,day:long,dep_time:long,sched_dep_time:long,dep_delay:long,\
                 arr_time:long,sched_arr_time:long,arr_delay:long,carrier:string,flight:long,\
                 tailnum:string,origin:string,dest:string,air_time:long,distance:long,hour:long,\
                 minute:long,time_hour:string",
            ),
            ("timestamp.column", "time_hour"),
            ("timestamp.add.minutes.column", "minute"),
        ],
    )
}

/// The result as lines of a file.
pub(super) fn sink(file: &Path) -> Connector {
    let config = [
        ("connector.class", "FileStreamSink".to_owned()),
        ("tasks.max", "1".to_owned()),
        ("topics", "delays_by_origin_hour".to_owned()),
        ("file", file.display().to_string()),
        (
            "key.converter",
            "org.apache.kafka.connect.storage.StringConverter".to_owned(),
        ),
        (
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter".to_owned(),
        ),
    ];
    Connector {
        name: "demo-delays-file",
        config: own(config),
    }
}

/// A key of several columns is an object of them, as the table in SQL declares it.
fn with_json_key(mut connector: Connector) -> Connector {
    let json = [
        (
            "key.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        ),
        ("key.converter.schemas.enable", "false"),
    ];
    let json = json.map(|(name, value)| (name.to_owned(), value.to_owned()));
    connector.config.extend(json);
    connector
}

fn source(name: &'static str, file: &Path, topic: &str, settings: &[(&str, &str)]) -> Connector {
    source_of(name, ("files", file.display().to_string()), topic, settings)
}

fn source_of(
    name: &'static str,
    files: (&str, String),
    topic: &str,
    settings: &[(&str, &str)],
) -> Connector {
    let common = [
        ("connector.class", "FileStreamSource"),
        ("tasks.max", "1"),
        ("format", "csv"),
        ("topic", topic),
        ("exactly.once.support", "required"),
        (
            "key.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        ),
        (
            "value.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        ),
        ("value.converter.schemas.enable", "false"),
    ];
    let mut config = own(common.map(|(name, value)| (name, value.to_owned())));
    config.extend(
        settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    config.insert(files.0.to_owned(), files.1);
    Connector { name, config }
}

fn own<const N: usize>(settings: [(&str, String); N]) -> BTreeMap<String, String> {
    settings
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

//! What a file source is set to.

use std::path::PathBuf;
use std::time::Duration;

use super::columns::ColumnType;
use crate::config::{Config, ConfigDef, ConfigErrors, ConfigKey, Importance, Properties, Width};

/// How a file's bytes are divided into rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Comma-separated values (RFC 4180), LF or CRLF.
    Csv,
    /// A JSON value a line.
    Json,
    /// Lines of text.
    Text,
}

/// The files as the configuration names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// One path; it is its own identity, as in Kafka's connector.
    One(String),
    /// Paths and globs; a file's identity is its name without the directory.
    Many(Vec<String>),
}

/// Where a record's timestamp comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TimestampRule {
    /// The time it is produced.
    Produced,
    /// The same for all, in milliseconds since the epoch.
    Fixed(i64),
    /// A column, with minutes of another added.
    Column {
        /// The column with the time.
        time: String,
        /// The column with minutes to add.
        add_minutes: Option<String>,
    },
}

/// The settings of a file source.
#[derive(Clone, Debug)]
pub(super) struct FileSourceConfig {
    pub(super) files: Files,
    pub(super) format: Format,
    pub(super) topic: String,
    pub(super) key_fields: Vec<String>,
    pub(super) has_header: bool,
    /// Names of the columns of files without a header.
    pub(super) columns: Vec<String>,
    pub(super) types: Vec<(String, ColumnType)>,
    pub(super) null_values: Vec<String>,
    pub(super) delimiter: u8,
    pub(super) timestamp: TimestampRule,
    pub(super) tail: bool,
    pub(super) tail_interval: Duration,
    pub(super) batch_size: usize,
}

impl FileSourceConfig {
    /// The keys.
    pub(super) fn def() -> ConfigDef {
        let group = "File";
        let columns = "Columns";
        ConfigDef::new([
            ConfigKey::string("file", None)
                .importance(Importance::High)
                .width(Width::Long)
                .group(group)
                .doc("The file to read. Either this or files."),
            ConfigKey::list("files", "")
                .importance(Importance::High)
                .group(group)
                .doc(
                    "The files to read: paths or patterns with * and ?, read in name order. \
                      Offsets are kept by file name without the directory, which therefore can \
                      move, so names must differ. Either this or file.",
                ),
            ConfigKey::string("topic", None)
                .required()
                .not_empty()
                .importance(Importance::High)
                .group(group)
                .doc("The topic that rows go to."),
            ConfigKey::string("format", Some("text"))
                .one_of(&["csv", "json", "text"])
                .importance(Importance::High)
                .group(group)
                .dependents(&[
                    "csv.header",
                    "columns",
                    "types",
                    "null.values",
                    "csv.delimiter",
                ])
                .doc(
                    "csv: rows with named columns; json: a JSON value a line; text: lines. \
                      A name that ends in .gz is decompressed.",
                ),
            ConfigKey::int("batch.size", Some(2000))
                .at_least(1)
                .importance(Importance::Low)
                .group(group)
                .doc(
                    "The most rows of one poll, which is one transaction of an exactly-once \
                      source.",
                ),
            ConfigKey::boolean("tail", None).group(group).doc(
                "Follow the last file as it grows. Without it the task reports the end of \
                      the input and waits to be stopped. True for text if left out, as in Kafka, \
                      and false for other formats.",
            ),
            ConfigKey::long("tail.interval.ms", Some(250))
                .at_least(1)
                .importance(Importance::Low)
                .group(group)
                .doc("How often a followed file is looked at."),
            ConfigKey::list("key.fields", "").group(columns).doc(
                "The columns that make the key: one gives its value, several an object of \
                      them, none a null key.",
            ),
            ConfigKey::boolean("csv.header", Some(true))
                .group(columns)
                .doc("Whether the first row of each file names the columns."),
            ConfigKey::list("columns", "")
                .group(columns)
                .doc("The names of the columns of files without a header."),
            ConfigKey::list("types", "").group(columns).doc(
                "Types of columns as name:type, of boolean, long, double and string. Other \
                      columns get the narrowest of these that fits all their values, or string \
                      if the file is followed.",
            ),
            ConfigKey::list("null.values", "NA")
                .group(columns)
                .doc("Fields that are null. An empty field always is."),
            ConfigKey::string("csv.delimiter", Some(","))
                .check(|text| {
                    if text == "\\t" || (text.len() == 1 && text.is_ascii() && text != "\"") {
                        Ok(())
                    } else {
                        Err("must be one ASCII character, or \\t".to_owned())
                    }
                })
                .group(columns)
                .doc("What separates fields."),
            ConfigKey::long("timestamp.value", None)
                .group(columns)
                .doc("The timestamp of all records, in milliseconds since the epoch."),
            ConfigKey::string("timestamp.column", None)
                .group(columns)
                .doc(
                    "The column with the timestamp: ISO 8601, UTC if it names no zone, or a \
                      number of milliseconds since the epoch. Without it and timestamp.value, the \
                      time of producing is used.",
                ),
            ConfigKey::string("timestamp.add.minutes.column", None)
                .group(columns)
                .doc("A column with minutes to add to timestamp.column."),
        ])
    }

    /// Reads a connector's or task's configuration. Keys of other owners are left alone.
    pub(super) fn parse(properties: &Properties) -> Result<Self, ConfigErrors> {
        let def = Self::def().allow_prefix("");
        let config = def.parse(properties)?;
        let mut errors = ConfigErrors::default();
        let files = files(&config, &mut errors);
        let format = match config.string("format") {
            Some("csv") => Format::Csv,
            Some("json") => Format::Json,
            _ => Format::Text,
        };
        let tail = if config.get("tail").is_some() {
            config.boolean("tail")
        } else {
            format == Format::Text
        };
        only_for_csv(format, properties, &mut errors);
        let has_header = config.boolean("csv.header");
        let columns = config.list("columns").to_vec();
        if format == Format::Csv && has_header != columns.is_empty() {
            let message = if has_header {
                "columns is for files without a header; set csv.header=false"
            } else {
                "columns must name the columns when csv.header=false"
            };
            errors.push("columns", message);
        }
        let names_rows =
            |key: &str| format!("{key} needs rows with named columns: format csv or json");
        if format == Format::Text {
            for key in ["key.fields", "timestamp.column"] {
                if properties.get(key).is_some_and(|text| !text.is_empty()) {
                    errors.push(key, names_rows(key));
                }
            }
        }
        let types = types(&config, &mut errors);
        let timestamp = timestamp_rule(&config, &mut errors);
        if tail && let Some(name) = files.names().find(|name| name.ends_with(".gz")) {
            errors.push(
                "tail",
                format!("{name} is compressed, so it cannot be followed; set tail=false"),
            );
        }
        errors.into_result()?;
        let delimiter = match config.string("csv.delimiter") {
            Some("\\t") => b'\t',
            Some(text) => text.bytes().next().unwrap_or(b','),
            None => b',',
        };
        let interval = config
            .integer("tail.interval.ms")
            .and_then(|ms| u64::try_from(ms).ok());
        Ok(Self {
            files,
            format,
            topic: config.text("topic"),
            key_fields: config.list("key.fields").to_vec(),
            has_header,
            columns,
            types,
            null_values: config.list("null.values").to_vec(),
            delimiter,
            timestamp,
            tail,
            tail_interval: Duration::from_millis(interval.unwrap_or(250)),
            batch_size: config.count("batch.size").max(1),
        })
    }
}

fn files(config: &Config, errors: &mut ConfigErrors) -> Files {
    let one = config.string("file").filter(|path| !path.is_empty());
    let many = config.list("files");
    match (one, many) {
        (Some(path), []) => Files::One(path.to_owned()),
        (None, [_, ..]) => Files::Many(many.to_vec()),
        _ => {
            let message = "Exactly one of file and files must be set";
            errors.push("file", message);
            errors.push("files", message);
            Files::Many(Vec::new())
        }
    }
}

fn only_for_csv(format: Format, properties: &Properties, errors: &mut ConfigErrors) {
    if format == Format::Csv {
        return;
    }
    for key in [
        "csv.header",
        "columns",
        "types",
        "null.values",
        "csv.delimiter",
    ] {
        if properties.contains_key(key) {
            errors.push(key, format!("{key} is for format=csv only"));
        }
    }
}

fn types(config: &Config, errors: &mut ConfigErrors) -> Vec<(String, ColumnType)> {
    let mut types = Vec::new();
    for item in config.list("types") {
        let parts = item
            .rsplit_once(':')
            .map(|(name, kind)| (name.trim(), kind.trim()));
        match parts.and_then(|(name, kind)| Some((name.to_owned(), ColumnType::parse(kind)?))) {
            Some(found) => types.push(found),
            None => errors.merge(ConfigErrors::invalid(
                "types",
                item,
                "must be name:type with a type of boolean, long, double, string",
            )),
        }
    }
    types
}

fn timestamp_rule(config: &Config, errors: &mut ConfigErrors) -> TimestampRule {
    let fixed = config.integer("timestamp.value");
    let column = config.string("timestamp.column");
    let add_minutes = config.string("timestamp.add.minutes.column");
    match (fixed, column, add_minutes) {
        (None, None, None) => TimestampRule::Produced,
        (Some(at), None, None) => TimestampRule::Fixed(at),
        (None, Some(time), _) => TimestampRule::Column {
            time: time.to_owned(),
            add_minutes: add_minutes.map(str::to_owned),
        },
        (None, None, Some(_)) => {
            let key = "timestamp.add.minutes.column";
            errors.push(key, format!("{key} needs timestamp.column"));
            TimestampRule::Produced
        }
        (Some(_), _, _) => {
            let message =
                "timestamp.value excludes timestamp.column and timestamp.add.minutes.column";
            errors.push("timestamp.value", message);
            TimestampRule::Produced
        }
    }
}

impl Files {
    fn names(&self) -> Box<dyn Iterator<Item = &String> + '_> {
        match self {
            Self::One(path) => Box::new(std::iter::once(path)),
            Self::Many(patterns) => Box::new(patterns.iter()),
        }
    }

    /// The files there are, in name order, with their identities.
    pub(super) fn list(&self) -> Result<Vec<(PathBuf, String)>, String> {
        let patterns = match self {
            Self::One(path) => return Ok(vec![(PathBuf::from(path), path.clone())]),
            Self::Many(patterns) => patterns,
        };
        let mut found: Vec<(PathBuf, String)> = Vec::new();
        for pattern in patterns {
            let mut any = false;
            // A name that is there is taken as it is, even if it has characters of patterns.
            let paths: Vec<PathBuf> = if PathBuf::from(pattern).is_file() {
                vec![PathBuf::from(pattern)]
            } else {
                let paths = glob::glob(pattern).map_err(|error| format!("{pattern}: {error}"))?;
                paths
                    .collect::<Result<_, _>>()
                    .map_err(|error| error.to_string())?
            };
            for path in paths {
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.ok_or_else(|| format!("{} has no UTF-8 name", path.display()))?;
                let name = name.to_owned();
                any = true;
                match found.iter().find(|(_, known)| *known == name) {
                    Some((known, _)) if *known == path => {}
                    Some((known, _)) => {
                        return Err(format!(
                            "{} and {} have the same name; offsets are kept by name, so rename one",
                            known.display(),
                            path.display()
                        ));
                    }
                    None => found.push((path, name)),
                }
            }
            if !any {
                return Err(format!("no file matches {pattern}"));
            }
        }
        found.sort_by(|(_, left), (_, right)| left.cmp(right));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &str)]) -> Result<FileSourceConfig, String> {
        let pairs = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        FileSourceConfig::parse(&pairs.collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn text_is_followed_unless_told_otherwise_and_csv_is_not() {
        assert!(parse(&[("file", "a"), ("topic", "t")]).unwrap().tail);
        assert!(
            !parse(&[("file", "a"), ("topic", "t"), ("format", "csv")])
                .unwrap()
                .tail
        );
        let config = parse(&[("file", "a.gz"), ("topic", "t")]);
        assert!(config.unwrap_err().contains("compressed"));
    }

    #[test]
    fn contradictions_are_refused() {
        let refused: [(&[(&str, &str)], &str); 6] = [
            (&[("topic", "t")], "Exactly one of file and files"),
            (
                &[("topic", "t"), ("file", "a"), ("key.fields", "x")],
                "key.fields needs rows",
            ),
            (
                &[("topic", "t"), ("file", "a"), ("types", "x:long")],
                "types is for format=csv",
            ),
            (
                &[
                    ("topic", "t"),
                    ("file", "a"),
                    ("format", "csv"),
                    ("types", "x:date"),
                ],
                "must be name:type",
            ),
            (
                &[
                    ("topic", "t"),
                    ("file", "a"),
                    ("format", "csv"),
                    ("csv.header", "false"),
                ],
                "columns must name",
            ),
            (
                &[
                    ("topic", "t"),
                    ("file", "a"),
                    ("format", "csv"),
                    ("timestamp.value", "0"),
                    ("timestamp.column", "x"),
                ],
                "excludes",
            ),
        ];
        for (pairs, reason) in refused {
            let error = parse(pairs).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn patterns_give_files_in_name_order() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "flights-2.csv",
            "flights-1.csv",
            "flights-10.csv",
            "other.csv",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let pattern = dir.path().join("flights*.csv").to_str().unwrap().to_owned();
        let files = Files::Many(vec![pattern]).list().unwrap();
        let names: Vec<&str> = files.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(names, ["flights-1.csv", "flights-10.csv", "flights-2.csv"]);
        let missing = dir.path().join("nothing*").to_str().unwrap().to_owned();
        assert!(
            Files::Many(vec![missing])
                .list()
                .unwrap_err()
                .contains("no file matches")
        );
    }
}

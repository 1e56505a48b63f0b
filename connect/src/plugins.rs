//! The kinds of connectors and converters there are, and how a class name finds its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::connectors::file::{FileSink, FileSource};
use crate::converter::{
    ByteArrayFactory, ConverterFactory, JsonFactory, NumberFactory, StringFactory,
};
use crate::data::SchemaType;
use crate::spi::{SinkConnector, SourceConnector};

/// Whether a connector is a source or a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectorType {
    /// It brings rows into the log.
    Source,
    /// It takes records out of the log.
    Sink,
}

impl ConnectorType {
    /// In lower case, as REST answers have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }
}

type NewSource = Arc<dyn Fn() -> Box<dyn SourceConnector> + Send + Sync>;
type NewSink = Arc<dyn Fn() -> Box<dyn SinkConnector> + Send + Sync>;

/// Makes connectors of one class.
#[derive(Clone)]
pub(crate) enum NewConnector {
    Source(NewSource),
    Sink(NewSink),
}

/// A class of connectors.
#[derive(Clone)]
pub(crate) struct ConnectorPlugin {
    pub(crate) class: String,
    pub(crate) version: String,
    pub(crate) new: NewConnector,
}

impl ConnectorPlugin {
    pub(crate) fn kind(&self) -> ConnectorType {
        match self.new {
            NewConnector::Source(_) => ConnectorType::Source,
            NewConnector::Sink(_) => ConnectorType::Sink,
        }
    }
}

/// A class name that no plugin answers to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PluginError {
    /// None has the name.
    #[error(
        "Failed to find any class that implements {kind} and which name matches {name}, available are: {available}"
    )]
    Unknown {
        /// Connector or Converter.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The classes there are.
        available: String,
    },
    /// Several have it.
    #[error(
        "More than one {kind} matches alias {name}; use the full class name of one of: {candidates}"
    )]
    Ambiguous {
        /// Connector or Converter.
        kind: &'static str,
        /// The name that was asked for.
        name: String,
        /// The classes it may mean.
        candidates: String,
    },
}

/// The connectors and converters that a worker knows.
///
/// A class is found by its full name, by its simple name, or by that without `Connector` or
/// `Converter` at its end.
#[derive(Clone)]
pub struct Plugins {
    connectors: BTreeMap<String, ConnectorPlugin>,
    converters: BTreeMap<String, Arc<dyn ConverterFactory>>,
}

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Plugins");
        out.field("connectors", &self.connectors.keys().collect::<Vec<_>>());
        out.field("converters", &self.converters.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Default for Plugins {
    /// Those of this crate.
    fn default() -> Self {
        let none = Self {
            connectors: BTreeMap::new(),
            converters: BTreeMap::new(),
        };
        let version = env!("CARGO_PKG_VERSION");
        let number = |kind: SchemaType| Arc::new(NumberFactory(kind));
        let numbers = "org.apache.kafka.connect.converters";
        none.with_source(FileSource::CLASS, version, || {
            Box::new(FileSource::default())
        })
        .with_sink(FileSink::CLASS, version, || Box::new(FileSink::default()))
        .with_converter(
            "org.apache.kafka.connect.json.JsonConverter",
            Arc::new(JsonFactory),
        )
        .with_converter(
            "org.apache.kafka.connect.storage.StringConverter",
            Arc::new(StringFactory),
        )
        .with_converter(
            &format!("{numbers}.ByteArrayConverter"),
            Arc::new(ByteArrayFactory),
        )
        .with_converter(
            &format!("{numbers}.BooleanConverter"),
            number(SchemaType::Boolean),
        )
        .with_converter(
            &format!("{numbers}.ShortConverter"),
            number(SchemaType::Int16),
        )
        .with_converter(
            &format!("{numbers}.IntegerConverter"),
            number(SchemaType::Int32),
        )
        .with_converter(
            &format!("{numbers}.LongConverter"),
            number(SchemaType::Int64),
        )
        .with_converter(
            &format!("{numbers}.FloatConverter"),
            number(SchemaType::Float32),
        )
        .with_converter(
            &format!("{numbers}.DoubleConverter"),
            number(SchemaType::Float64),
        )
    }
}

impl Plugins {
    /// Adds a class of source connectors; one of the same name is replaced.
    pub fn with_source(
        mut self,
        class: &str,
        version: &str,
        new: impl Fn() -> Box<dyn SourceConnector> + Send + Sync + 'static,
    ) -> Self {
        self.insert(class, version, NewConnector::Source(Arc::new(new)));
        self
    }

    /// Adds a class of sink connectors; one of the same name is replaced.
    pub fn with_sink(
        mut self,
        class: &str,
        version: &str,
        new: impl Fn() -> Box<dyn SinkConnector> + Send + Sync + 'static,
    ) -> Self {
        self.insert(class, version, NewConnector::Sink(Arc::new(new)));
        self
    }

    /// Adds a class of converters; one of the same name is replaced.
    pub fn with_converter(mut self, class: &str, factory: Arc<dyn ConverterFactory>) -> Self {
        self.converters.insert(class.to_owned(), factory);
        self
    }

    fn insert(&mut self, class: &str, version: &str, new: NewConnector) {
        let plugin = ConnectorPlugin {
            class: class.to_owned(),
            version: version.to_owned(),
            new,
        };
        self.connectors.insert(class.to_owned(), plugin);
    }

    /// All classes of connectors, by name.
    pub(crate) fn connectors(&self) -> impl Iterator<Item = &ConnectorPlugin> {
        self.connectors.values()
    }

    /// All classes of converters, by name.
    pub(crate) fn converters(&self) -> impl Iterator<Item = &str> {
        self.converters.keys().map(String::as_str)
    }

    /// The connectors of a class.
    pub(crate) fn connector(&self, name: &str) -> Result<&ConnectorPlugin, PluginError> {
        find("Connector", &self.connectors, name)
    }

    /// The converters of a class.
    pub(crate) fn converter(&self, name: &str) -> Result<&Arc<dyn ConverterFactory>, PluginError> {
        find("Converter", &self.converters, name)
    }
}

fn find<'a, T>(
    kind: &'static str,
    classes: &'a BTreeMap<String, T>,
    name: &str,
) -> Result<&'a T, PluginError> {
    if let Some(found) = classes.get(name) {
        return Ok(found);
    }
    let matches: Vec<(&String, &T)> = classes
        .iter()
        .filter(|(class, _)| answers_to(class, name, kind))
        .collect();
    match matches.as_slice() {
        [(_, found)] => Ok(found),
        [] => Err(PluginError::Unknown {
            kind,
            name: name.to_owned(),
            available: join(classes.keys()),
        }),
        several => Err(PluginError::Ambiguous {
            kind,
            name: name.to_owned(),
            candidates: join(several.iter().map(|(class, _)| *class)),
        }),
    }
}

fn answers_to(class: &str, name: &str, suffix: &str) -> bool {
    let simple = class.rsplit(['.', '$']).next().unwrap_or(class);
    simple == name || simple.strip_suffix(suffix) == Some(name)
}

fn join<'a>(classes: impl Iterator<Item = &'a String>) -> String {
    classes.map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_found_by_each_of_its_names() {
        let plugins = Plugins::default();
        for name in [
            "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "FileStreamSourceConnector",
            "FileStreamSource",
        ] {
            assert_eq!(
                plugins.connector(name).unwrap().kind(),
                ConnectorType::Source,
                "{name}"
            );
        }
        assert_eq!(
            plugins.connector("FileStreamSink").unwrap().kind(),
            ConnectorType::Sink
        );
        assert!(plugins.converter("JsonConverter").is_ok());
        assert!(plugins.converter("Json").is_ok());
        let error = plugins.connector("Nope").err().unwrap().to_string();
        assert!(error.contains("FileStreamSinkConnector"), "{error}");
    }

    #[test]
    fn an_alias_of_two_classes_is_refused() {
        let plugins =
            Plugins::default().with_source("com.example.FileStreamSourceConnector", "1", || {
                Box::new(FileSource::default())
            });
        let error = plugins.connector("FileStreamSource").err().unwrap();
        assert!(matches!(error, PluginError::Ambiguous { .. }), "{error}");
        assert!(
            plugins
                .connector("com.example.FileStreamSourceConnector")
                .is_ok()
        );
    }
}

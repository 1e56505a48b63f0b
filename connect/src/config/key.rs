//! One key of a configuration: its type, default, limits and how a form shows it.

use std::fmt;
use std::sync::Arc;

/// The type of a key's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// A 32-bit integer.
    Int,
    /// A 16-bit integer.
    Short,
    /// A 64-bit integer.
    Long,
    /// A number.
    Double,
    /// Texts separated by commas.
    List,
    /// The name of a plugin's class.
    Class,
    /// Text that is not shown.
    Password,
}

impl ConfigType {
    /// Kafka's name of the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// How likely it is that a user must set a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Nearly always.
    High,
    /// Often.
    Medium,
    /// Seldom.
    Low,
}

/// How wide a form's field should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Not said.
    None,
    /// A number.
    Short,
    /// A name.
    Medium,
    /// A path or a list.
    Long,
}

/// A check of one value beyond its type; the text says what it must be.
pub(super) type Validator = Arc<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// One key of a configuration.
#[derive(Clone)]
pub struct ConfigKey {
    pub(super) name: String,
    pub(super) kind: ConfigType,
    pub(super) required: bool,
    pub(super) default: Option<String>,
    pub(super) importance: Importance,
    pub(super) doc: String,
    pub(super) group: Option<String>,
    pub(super) width: Width,
    pub(super) display_name: String,
    pub(super) dependents: Vec<String>,
    pub(super) recommended: Vec<String>,
    pub(super) validators: Vec<Validator>,
}

impl fmt::Debug for ConfigKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("ConfigKey");
        out.field("name", &self.name)
            .field("kind", &self.kind)
            .field("default", &self.default);
        out.finish_non_exhaustive()
    }
}

impl ConfigKey {
    fn new(name: &str, kind: ConfigType, default: Option<String>) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            required: false,
            default,
            importance: Importance::Medium,
            doc: String::new(),
            group: None,
            width: Width::Medium,
            display_name: name.to_owned(),
            dependents: Vec::new(),
            recommended: Vec::new(),
            validators: Vec::new(),
        }
    }

    /// A boolean; without a default it may be left out.
    pub fn boolean(name: &str, default: Option<bool>) -> Self {
        let key = Self::new(
            name,
            ConfigType::Boolean,
            default.map(|value| value.to_string()),
        );
        Self {
            width: Width::Short,
            ..key
        }
    }

    /// A string; without a default it may be left out.
    pub fn string(name: &str, default: Option<&str>) -> Self {
        Self::new(name, ConfigType::String, default.map(str::to_owned))
    }

    /// A 32-bit integer; without a default it may be left out.
    pub fn int(name: &str, default: Option<i32>) -> Self {
        let key = Self::new(
            name,
            ConfigType::Int,
            default.map(|value| value.to_string()),
        );
        Self {
            width: Width::Short,
            ..key
        }
    }

    /// A 64-bit integer; without a default it may be left out.
    pub fn long(name: &str, default: Option<i64>) -> Self {
        let key = Self::new(
            name,
            ConfigType::Long,
            default.map(|value| value.to_string()),
        );
        Self {
            width: Width::Short,
            ..key
        }
    }

    /// A list separated by commas; empty text is an empty list.
    pub fn list(name: &str, default: &str) -> Self {
        let key = Self::new(name, ConfigType::List, Some(default.to_owned()));
        Self {
            width: Width::Long,
            ..key
        }
    }

    /// A plugin's class; without a default it may be left out.
    pub fn class(name: &str, default: Option<&str>) -> Self {
        Self::new(name, ConfigType::Class, default.map(str::to_owned))
    }

    /// A secret, which `GET` answers with a mask.
    pub fn password(name: &str) -> Self {
        Self::new(name, ConfigType::Password, None)
    }

    /// Makes it an error to leave the key out.
    pub fn required(mut self) -> Self {
        self.required = true;
        self.default = None;
        self
    }

    /// Sets the importance; medium if this is not called.
    pub fn importance(mut self, importance: Importance) -> Self {
        self.importance = importance;
        self
    }

    /// Says what the key does.
    pub fn doc(mut self, doc: &str) -> Self {
        self.doc = doc.to_owned();
        self
    }

    /// Puts the key into a group of the form.
    pub fn group(mut self, group: &str) -> Self {
        self.group = Some(group.to_owned());
        self
    }

    /// Sets the width of the form's field.
    pub fn width(mut self, width: Width) -> Self {
        self.width = width;
        self
    }

    /// Sets the name that the form shows.
    pub fn display_name(mut self, name: &str) -> Self {
        self.display_name = name.to_owned();
        self
    }

    /// Names the keys whose meaning depends on this one.
    pub fn dependents(mut self, names: &[&str]) -> Self {
        self.dependents = names.iter().map(|&name| name.to_owned()).collect();
        self
    }

    /// Allows these values only, and recommends them.
    pub fn one_of(mut self, values: &'static [&'static str]) -> Self {
        self.recommended = values.iter().map(|&value| value.to_owned()).collect();
        self.check(move |value| {
            if values.contains(&value) {
                Ok(())
            } else {
                Err(format!("String must be one of: {}", values.join(", ")))
            }
        })
    }

    /// Allows numbers from `least` on.
    pub fn at_least(self, least: i64) -> Self {
        self.check(move |value| match value.parse::<i64>() {
            Ok(number) if number < least => Err(format!("Value must be at least {least}")),
            _ => Ok(()),
        })
    }

    /// Refuses empty text.
    pub fn not_empty(self) -> Self {
        self.check(|value| {
            if value.is_empty() {
                Err("String may not be empty".to_owned())
            } else {
                Ok(())
            }
        })
    }

    /// Adds a check of the value's text; the error says what it must be.
    pub fn check(
        mut self,
        check: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.validators.push(Arc::new(check));
        self
    }

    /// The key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type.
    pub fn kind(&self) -> ConfigType {
        self.kind
    }
}

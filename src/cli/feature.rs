//! `headwater feature`: levels of the cluster's features.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use headwater_client::admin::FeatureUpdate;

use super::bootstrap::Bootstrap;
use super::output::{Failures, Format, print_rows};

#[derive(Debug, Subcommand)]
pub(super) enum Feature {
    /// Features with their levels, and what the node supports
    Describe(Describe),
    /// Raise or lower levels of features
    Update(Update),
}

#[derive(Debug, Args)]
pub(super) struct Describe {
    /// How the features are printed
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

#[derive(Debug, Args)]
pub(super) struct Update {
    /// A level to raise a feature to
    #[arg(long, value_name = "NAME=LEVEL", value_parser = level)]
    upgrade: Vec<(String, i16)>,
    /// A level to lower a feature to, 0 to turn it off
    #[arg(long, value_name = "NAME=LEVEL", value_parser = level)]
    downgrade: Vec<(String, i16)>,
    /// Lowers also where something is lost by it
    #[arg(long = "unsafe", requires = "downgrade")]
    is_unsafe: bool,
    /// Only tells whether it could be done
    #[arg(long)]
    validate_only: bool,
    #[command(flatten)]
    bootstrap: Bootstrap,
}

fn level(text: &str) -> Result<(String, i16), String> {
    let split = text.split_once('=');
    let parsed = split.and_then(|(name, level)| Some((name.to_owned(), level.parse().ok()?)));
    parsed
        .filter(|(_, level)| *level >= 0)
        .ok_or_else(|| format!("{text:?} is not NAME=LEVEL"))
}

impl Feature {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Describe(describe) => describe.run().await,
            Self::Update(update) => update.run().await,
        }
    }
}

impl Describe {
    async fn run(self) -> anyhow::Result<()> {
        let features = self.bootstrap.admin().await?.describe_features().await?;
        let names: BTreeSet<&String> = features
            .finalized
            .keys()
            .chain(features.supported.keys())
            .collect();
        let rows = names.into_iter().map(|name| {
            let supported = features.supported.get(name);
            vec![
                json!(name),
                json!(features.finalized.get(name).copied().unwrap_or_default()),
                json!(supported.map(|(min, _)| min)),
                json!(supported.map(|(_, max)| max)),
                json!(features.finalized_epoch),
            ]
        });
        let header = [
            "feature",
            "level",
            "supported_min",
            "supported_max",
            "epoch",
        ];
        print_rows(self.format, &header, &rows.collect::<Vec<_>>())
    }
}

impl Update {
    async fn run(self) -> anyhow::Result<()> {
        let mut updates = HashMap::new();
        for (name, level) in self.upgrade {
            updates.insert(name, FeatureUpdate::Upgrade(level));
        }
        for (name, level) in self.downgrade {
            let update = match self.is_unsafe {
                true => FeatureUpdate::UnsafeDowngrade(level),
                false => FeatureUpdate::SafeDowngrade(level),
            };
            updates.insert(name, update);
        }
        if updates.is_empty() {
            bail!("name --upgrade or --downgrade NAME=LEVEL");
        }
        let admin = self.bootstrap.admin().await?;
        let updated = admin.update_features(&updates, self.validate_only).await?;
        let updated: BTreeMap<_, _> = updated.into_iter().collect();
        let mut failures = Failures::default();
        for (name, updated) in updated {
            if failures.take(updated).is_some() {
                match self.validate_only {
                    true => eprintln!("{name} could be updated"),
                    false => eprintln!("updated {name}"),
                }
            }
        }
        failures.into_result()
    }
}

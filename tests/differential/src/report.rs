//! What was sent, what was compared, what differed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use headwater_wire::{ApiKey, catalog};

use crate::compare::Difference;
use crate::meant;

/// A difference that nobody meant, and how to see it again.
#[derive(Debug, Clone)]
pub(crate) struct Unmeant {
    pub(crate) key: ApiKey,
    pub(crate) version: i16,
    pub(crate) request: String,
    pub(crate) difference: Difference,
    /// Kind of the sequence.
    pub(crate) kind: &'static str,
    /// Number of the sequence.
    pub(crate) sequence: u64,
    /// Number of the request in it.
    pub(crate) step: usize,
}

impl Unmeant {
    /// What makes two of them the same fault.
    pub(crate) fn fault(&self) -> (ApiKey, String) {
        (self.key, self.difference.path.clone())
    }
}

/// What was counted of a kind of sequence.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct OfKind {
    pub(crate) requests: u64,
    pub(crate) unmeant: u64,
}

/// Counts and findings.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) sequences: u64,
    pub(crate) requests: u64,
    /// Reads on whose first answers the servers did not agree, so that they were asked again.
    pub(crate) repeated: u64,
    pub(crate) fields: u64,
    pub(crate) kinds: BTreeMap<&'static str, OfKind>,
    /// Whether every version of every API must have been sent.
    pub(crate) is_whole: bool,
    pub(crate) meant: BTreeMap<&'static str, u64>,
    pub(crate) unmeant: Vec<Unmeant>,
    pub(crate) sent: BTreeMap<(ApiKey, i16), u64>,
    /// APIs of sequences that our catalog lacks.
    pub(crate) lacking: BTreeSet<ApiKey>,
    /// Mistakes in the sequences themselves.
    pub(crate) mistakes: BTreeSet<String>,
    /// For some of the faults, the requests that are enough to see them.
    pub(crate) shrunk: BTreeMap<(ApiKey, String), Vec<String>>,
}

impl Report {
    /// Takes up what another one counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.sequences += other.sequences;
        self.requests += other.requests;
        self.repeated += other.repeated;
        self.fields += other.fields;
        for (kind, counted) in other.kinds {
            let of_kind = self.kinds.entry(kind).or_default();
            of_kind.requests += counted.requests;
            of_kind.unmeant += counted.unmeant;
        }
        for (rule, count) in other.meant {
            *self.meant.entry(rule).or_default() += count;
        }
        for (sent, count) in other.sent {
            *self.sent.entry(sent).or_default() += count;
        }
        self.unmeant.extend(other.unmeant);
        self.lacking.extend(other.lacking);
        self.mistakes.extend(other.mistakes);
        self.shrunk.extend(other.shrunk);
    }

    /// Whether the servers agree in everything but what is meant. They do not if nothing was
    /// sent, or less than a whole run has to send.
    pub(crate) fn is_clean(&self) -> bool {
        self.requests > 0
            && self.unmeant.is_empty()
            && self.lacking.is_empty()
            && self.mistakes.is_empty()
            && (!self.is_whole || self.unsent().is_empty())
    }

    fn unsent(&self) -> Vec<String> {
        catalog::APIS
            .iter()
            .filter_map(|api| {
                let missing: Vec<_> = (api.min_version..=api.max_version)
                    .filter(|version| !self.sent.contains_key(&(api.key, *version)))
                    .map(|version| version.to_string())
                    .collect();
                (!missing.is_empty()).then(|| format!("{} {}", api.key, missing.join(",")))
            })
            .collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apis: BTreeSet<_> = self.sent.keys().map(|(key, _)| key).collect();
        writeln!(f, "sequences              {}", self.sequences)?;
        writeln!(f, "requests to each       {}", self.requests)?;
        writeln!(f, "reads asked again      {}", self.repeated)?;
        writeln!(f, "fields compared        {}", self.fields)?;
        writeln!(
            f,
            "apis and versions sent {} and {}",
            apis.len(),
            self.sent.len()
        )?;
        let unsent = self.unsent();
        if !unsent.is_empty() {
            writeln!(f, "versions not sent      {}", unsent.join("; "))?;
        }
        for key in &self.lacking {
            writeln!(f, "not in our catalog     {key}")?;
        }
        for mistake in &self.mistakes {
            writeln!(f, "mistake of a sequence  {mistake}")?;
        }
        for (kind, OfKind { requests, unmeant }) in &self.kinds {
            writeln!(
                f,
                "kind {kind:<22} {requests:>6} requests {unmeant:>5} differences"
            )?;
        }
        let meant: u64 = self.meant.values().sum();
        writeln!(f, "\ndifferences that are meant: {meant}")?;
        for rule in meant::RULES {
            let count = self.meant.get(rule.name).copied().unwrap_or(0);
            writeln!(f, "{count:>8}  {}: {}", rule.name, rule.reason)?;
        }
        writeln!(f, "\ndifferences that are not: {}", self.unmeant.len())?;
        let mut faults: BTreeMap<_, Vec<&Unmeant>> = BTreeMap::new();
        for unmeant in &self.unmeant {
            faults.entry(unmeant.fault()).or_default().push(unmeant);
        }
        for ((key, path), all) in faults {
            let mut versions: Vec<_> = all.iter().map(|unmeant| unmeant.version).collect();
            versions.sort_unstable();
            versions.dedup();
            writeln!(
                f,
                "\n{key} {path}: {} times, versions {versions:?}",
                all.len()
            )?;
            let mut seen = BTreeSet::new();
            for unmeant in all {
                let Difference {
                    place, ours, kafka, ..
                } = &unmeant.difference;
                if seen.len() >= 4 || !seen.insert((cut(ours, 60), cut(kafka, 60))) {
                    continue;
                }
                writeln!(
                    f,
                    "  v{} {place}\n    ours  {}\n    Kafka {}\n    for   {}\n    in    {} --sequence {} request {}",
                    unmeant.version,
                    cut(ours, 600),
                    cut(kafka, 600),
                    cut(&unmeant.request, 900),
                    unmeant.kind,
                    unmeant.sequence,
                    unmeant.step,
                )?;
            }
            for step in self.shrunk.get(&(key, path)).into_iter().flatten() {
                writeln!(f, "    enough {}", cut(step, 400))?;
            }
        }
        Ok(())
    }
}

fn cut(text: &str, at: usize) -> String {
    if text.len() <= at {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(at).collect();
    cut.push_str("...");
    cut
}

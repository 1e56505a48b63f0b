//! Names as arguments.

use std::collections::HashSet;

/// One of the `known` names, in any case, as it is spelled there.
pub(super) fn one_of(name: &str, known: &[&str]) -> Result<String, String> {
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(name));
    let found = found.map(|known| (*known).to_owned());
    found.ok_or_else(|| format!("{name:?} is not one of {}", known.join(", ")))
}

/// The names without those that were there before.
pub(super) fn each_once(mut names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

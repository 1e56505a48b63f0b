//! Names that arguments choose from.

/// One of the `known` names, in any case, as it is spelled there.
pub(super) fn one_of(name: &str, known: &[&str]) -> Result<String, String> {
    let found = known.iter().find(|known| known.eq_ignore_ascii_case(name));
    let found = found.map(|known| (*known).to_owned());
    found.ok_or_else(|| format!("{name:?} is not one of {}", known.join(", ")))
}

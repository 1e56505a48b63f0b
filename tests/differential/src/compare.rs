//! Two answers, field by field.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use headwater_wire::codec::Tree;

use crate::answer::Outcome;
use crate::names::{Named, Names};
use crate::object::shown;
use crate::order;

/// How far apart two clocks' readings of the same event may lie, in milliseconds.
const SAME_TIME: i64 = 30_000;

/// A field that the two servers filled differently.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    /// Where it stands, by names alone.
    pub(crate) path: String,
    /// Where it stands, with the elements it is in.
    pub(crate) place: String,
    pub(crate) ours: String,
    pub(crate) kafka: String,
}

impl Difference {
    /// Whether one server did what the other refused.
    pub(crate) fn is_done_by_one(&self) -> bool {
        self.path.ends_with("error_code") && (self.ours == "0") != (self.kafka == "0")
    }
}

/// A comparison under way.
pub(crate) struct Comparison<'a> {
    pub(crate) names: &'a mut Names,
    /// Whether both say of what is being compared that it failed.
    failed: bool,
    pub(crate) fields: u64,
    pub(crate) differences: Vec<Difference>,
}

impl<'a> Comparison<'a> {
    pub(crate) fn new(names: &'a mut Names) -> Self {
        Self {
            names,
            failed: false,
            fields: 0,
            differences: Vec::new(),
        }
    }

    /// Compares what the servers did.
    pub(crate) fn outcomes(&mut self, ours: &Outcome, kafka: &Outcome) {
        match (ours, kafka) {
            (Outcome::Answered(ours), Outcome::Answered(kafka)) => {
                self.values("", &Place::default(), ours, kafka);
            }
            (ours, kafka) => {
                self.fields += 1;
                if ours.kind() != kafka.kind() || matches!(kafka, Outcome::Garbled(_)) {
                    let value = |outcome: &Outcome| match outcome {
                        Outcome::Answered(tree) => format!("answered {}", shown(tree)),
                        other => other.kind(),
                    };
                    self.differences.push(Difference {
                        path: "(outcome)".to_owned(),
                        place: "(outcome)".to_owned(),
                        ours: value(ours),
                        kafka: value(kafka),
                    });
                }
            }
        }
    }

    fn differ(&mut self, place: &Place, ours: impl Into<String>, kafka: impl Into<String>) {
        self.differences.push(Difference {
            path: place.path.clone(),
            place: place.exact.clone(),
            ours: ours.into(),
            kafka: kafka.into(),
        });
    }

    fn values(&mut self, field: &'static str, place: &Place, ours: &Tree, kafka: &Tree) {
        match (ours, kafka) {
            (Tree::Structure(ours), Tree::Structure(kafka)) => self.structures(place, ours, kafka),
            (Tree::Array(ours), Tree::Array(kafka)) => self.arrays(field, place, ours, kafka),
            (ours, kafka) => {
                self.fields += 1;
                if !self.leaves_agree(field, ours, kafka) {
                    self.differ(place, shown(ours), shown(kafka));
                }
            }
        }
    }

    fn leaves_agree(&mut self, field: &'static str, ours: &Tree, kafka: &Tree) -> bool {
        if ours == kafka && Named::of(field).is_none() {
            return true;
        }
        if let Some(named) = Named::of(field) {
            let is_blank = |tree: &Tree| matches!(tree, Tree::Int(0));
            // The zero of an answer that failed names nothing, though it is a name elsewhere.
            if self.failed && named == Named::Producer && (is_blank(ours) || is_blank(kafka)) {
                return ours == kafka;
            }
            return self.names.same(named, ours, kafka);
        }
        match (ours, kafka) {
            (Tree::Int(ours), Tree::Int(kafka)) if is_time(field) => {
                is_now(*ours) && is_now(*kafka) && (ours - kafka).abs() < SAME_TIME
            }
            _ => false,
        }
    }

    fn structures(
        &mut self,
        place: &Place,
        ours: &[(&'static str, Tree)],
        kafka: &[(&'static str, Tree)],
    ) {
        let around = self.failed;
        self.failed |= has_failed(ours) && has_failed(kafka);
        for (name, kafka) in kafka {
            let inner = place.field(name);
            match ours.iter().find(|(ours, _)| ours == name) {
                Some((_, ours)) => self.values(name, &inner, ours, kafka),
                None => {
                    self.fields += 1;
                    self.differ(&inner, "(not there)", shown(kafka));
                }
            }
        }
        for (name, value) in ours {
            if !kafka.iter().any(|(kafka, _)| kafka == name) {
                self.fields += 1;
                self.differ(&place.field(name), shown(value), "(not there)");
            }
        }
        self.failed = around;
    }

    fn arrays(&mut self, field: &'static str, place: &Place, ours: &[Tree], kafka: &[Tree]) {
        let mut groups: BTreeMap<String, (Vec<&Tree>, Vec<&Tree>)> = BTreeMap::new();
        for (nth, element) in ours.iter().enumerate() {
            let key = order::key(field, nth, element, |named, value| {
                self.names.kafkas(named, value).map(shown)
            });
            groups.entry(key).or_default().0.push(element);
        }
        for (nth, element) in kafka.iter().enumerate() {
            let key = order::key(field, nth, element, |named, value| {
                self.names.knows_kafkas(named, value).then(|| shown(value))
            });
            groups.entry(key).or_default().1.push(element);
        }
        for (key, (ours, kafka)) in groups {
            let place = place.element(&key);
            for nth in 0..ours.len().max(kafka.len()) {
                match (ours.get(nth), kafka.get(nth)) {
                    (Some(ours), Some(kafka)) => self.values(field, &place, ours, kafka),
                    (Some(ours), None) => self.differ(&place, shown(ours), "(not there)"),
                    (None, Some(kafka)) => self.differ(&place, "(not there)", shown(kafka)),
                    (None, None) => {}
                }
            }
        }
    }
}

/// Whether a structure has an error.
fn has_failed(fields: &[(&'static str, Tree)]) -> bool {
    let mut codes = fields.iter().filter(|(name, _)| *name == "error_code");
    codes.any(|(_, code)| matches!(code, Tree::Int(code) if *code != 0))
}

/// Where in an answer we are.
#[derive(Debug, Default, Clone)]
struct Place {
    path: String,
    exact: String,
}

impl Place {
    fn field(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            path: format!("{}{dot}{name}", self.path),
            exact: format!("{}{dot}{name}", self.exact),
        }
    }

    fn element(&self, key: &str) -> Self {
        Self {
            path: self.path.clone(),
            exact: format!("{}[{key}]", self.exact),
        }
    }
}

/// Whether the field holds a time that a server reads off its clock.
fn is_time(field: &str) -> bool {
    matches!(
        field,
        "log_append_time_ms"
            | "timestamp"
            | "base_timestamp"
            | "max_timestamp"
            | "last_timestamp"
            | "transaction_start_time_ms"
            | "last_fetch_timestamp"
            | "last_caught_up_timestamp"
    )
}

fn is_now(timestamp: i64) -> bool {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    (now - timestamp).abs() < 10 * SAME_TIME
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::object;

    fn compare(ours: &Tree, kafka: &Tree) -> Vec<(String, String, String)> {
        let mut names = Names::default();
        let mut comparison = Comparison::new(&mut names);
        comparison.outcomes(
            &Outcome::Answered(ours.clone()),
            &Outcome::Answered(kafka.clone()),
        );
        comparison
            .differences
            .into_iter()
            .map(|difference| (difference.path, difference.ours, difference.kafka))
            .collect()
    }

    #[test]
    fn fields_that_differ_are_named_with_both_values() {
        let ours = object! { topics: [object! { name: "a", error_code: 3 }] };
        let kafka = object! { topics: [object! { name: "a", error_code: 0 }] };
        assert_eq!(
            compare(&ours, &kafka),
            [("topics.error_code".into(), "3".into(), "0".into())]
        );
        assert_eq!(compare(&ours, &ours), []);
    }

    #[test]
    fn elements_are_found_by_their_key_in_any_order() {
        let topic = |name: &str| object! { name: name, error_code: 0 };
        let ours = object! { topics: [topic("a"), topic("b")] };
        let kafka = object! { topics: [topic("b"), topic("a")] };
        assert_eq!(compare(&ours, &kafka), []);
        let kafka = object! { topics: [topic("b"), topic("c")] };
        assert_eq!(compare(&ours, &kafka).len(), 2);
    }

    #[test]
    fn a_field_only_one_has_is_a_difference() {
        let (ours, kafka) = (object! { a: 1 }, object! { b: 1 });
        assert_eq!(compare(&ours, &kafka).len(), 2);
    }

    #[test]
    fn the_producer_id_of_an_answer_that_failed_is_no_name() {
        let with = |error: i16, id: i64| object! { error_code: error, producer_id: id };
        let mut names = Names::default();
        let mut differences = |ours: Tree, kafka: Tree| {
            let mut comparison = Comparison::new(&mut names);
            comparison.outcomes(&Outcome::Answered(ours), &Outcome::Answered(kafka));
            comparison.differences.len()
        };
        assert_eq!(differences(with(105, 0), with(105, 0)), 0);
        assert_eq!(differences(with(105, 0), with(105, 1000)), 1);
        // Nothing was learned of these.
        assert_eq!(differences(with(0, 0), with(0, 1000)), 0);
        assert_eq!(differences(with(0, 0), with(0, 1000)), 0);
        assert_eq!(differences(with(0, 0), with(0, 0)), 1);
    }

    #[test]
    fn clocks_may_differ_but_not_by_years() {
        let at = |time: i64| object! { log_append_time_ms: time };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_millis()).unwrap();
        assert_eq!(compare(&at(now), &at(now - 500)), []);
        assert_eq!(compare(&at(-1), &at(now)).len(), 1);
        assert_eq!(compare(&at(now - 100_000), &at(now)).len(), 1);
    }
}

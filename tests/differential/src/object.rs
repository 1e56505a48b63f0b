//! Requests written down as trees, and answers read by path.

use std::fmt::Write as _;

use bytes::Bytes;
use headwater_wire::codec::{Field, FieldType, Tree};
use uuid::Uuid;

/// What can stand in a request.
pub(crate) trait IntoTree {
    /// As a tree.
    fn into_tree(self) -> Tree;
}

macro_rules! integers {
    ($($type:ty),+) => {$(
        impl IntoTree for $type {
            fn into_tree(self) -> Tree {
                Tree::Int(i64::from(self))
            }
        }
    )+};
}

integers!(i8, i16, i32, i64, u16, u32);

impl IntoTree for Tree {
    fn into_tree(self) -> Tree {
        self
    }
}

impl IntoTree for &Tree {
    fn into_tree(self) -> Tree {
        self.clone()
    }
}

impl IntoTree for bool {
    fn into_tree(self) -> Tree {
        Tree::Bool(self)
    }
}

impl IntoTree for f64 {
    fn into_tree(self) -> Tree {
        Tree::Float(self)
    }
}

impl IntoTree for &str {
    fn into_tree(self) -> Tree {
        Tree::String(self.to_owned())
    }
}

impl IntoTree for String {
    fn into_tree(self) -> Tree {
        Tree::String(self)
    }
}

impl IntoTree for &String {
    fn into_tree(self) -> Tree {
        Tree::String(self.clone())
    }
}

impl IntoTree for Bytes {
    fn into_tree(self) -> Tree {
        Tree::Bytes(self)
    }
}

impl IntoTree for Uuid {
    fn into_tree(self) -> Tree {
        Tree::Uuid(self)
    }
}

impl<T: IntoTree> IntoTree for Vec<T> {
    fn into_tree(self) -> Tree {
        Tree::Array(self.into_iter().map(IntoTree::into_tree).collect())
    }
}

impl<T: IntoTree, const N: usize> IntoTree for [T; N] {
    fn into_tree(self) -> Tree {
        Tree::Array(self.into_iter().map(IntoTree::into_tree).collect())
    }
}

impl<T: IntoTree> IntoTree for Option<T> {
    fn into_tree(self) -> Tree {
        self.map_or(Tree::Null, IntoTree::into_tree)
    }
}

/// A structure: `object! { name: "planes", partitions: [1, 2] }`.
macro_rules! object {
    ($($name:ident: $value:expr),* $(,)?) => {
        ::headwater_wire::codec::Tree::Structure(vec![
            $((stringify!($name), $crate::object::IntoTree::into_tree($value))),*
        ])
    };
}
pub(crate) use object;

/// Sends a request as the first client: `ask! { run, Heartbeat, version, { group_id: "planes" } }`.
/// Kafka's answer.
macro_rules! ask {
    ($run:expr, $key:expr, $version:expr, { $($name:ident: $value:expr),* $(,)? }) => {{
        let version = $version;
        let body = $crate::object::object! { $($name: $value),* };
        $run.call($key, version, body).await
    }};
}
pub(crate) use ask;

/// Nothing.
pub(crate) const NULL: Tree = Tree::Null;

/// Reads a tree by path: names and indexes with dots between them.
pub(crate) trait Look {
    /// What stands there; null if nothing does.
    fn look(&self, path: &str) -> &Tree;

    /// The integer that stands there, -1 if none does.
    fn int(&self, path: &str) -> i64 {
        match self.look(path) {
            Tree::Int(value) => *value,
            _ => -1,
        }
    }

    /// The elements that stand there.
    fn elements(&self, path: &str) -> &[Tree] {
        match self.look(path) {
            Tree::Array(elements) => elements,
            _ => &[],
        }
    }
}

impl Look for Tree {
    fn look(&self, path: &str) -> &Tree {
        path.split('.')
            .filter(|step| !step.is_empty())
            .try_fold(self, |tree, step| match tree {
                Tree::Array(elements) => elements.get(step.parse::<usize>().ok()?),
                tree => tree.get(step),
            })
            .unwrap_or(&NULL)
    }
}

/// A name in `tree` that `fields` do not have: a mistake of ours.
pub(crate) fn unknown_name(tree: &Tree, fields: &'static [Field]) -> Option<&'static str> {
    let Tree::Structure(values) = tree else {
        return None;
    };
    values.iter().find_map(|(name, value)| {
        let Some(field) = fields.iter().find(|field| field.name == *name) else {
            return Some(*name);
        };
        unknown_within(value, field.holds)
    })
}

fn unknown_within(value: &Tree, holds: FieldType) -> Option<&'static str> {
    match (holds, value) {
        (FieldType::Structure(fields), value) => unknown_name(value, fields),
        (FieldType::Array(holds), Tree::Array(elements)) => elements
            .iter()
            .find_map(|element| unknown_within(element, *holds)),
        _ => None,
    }
}

/// The tree on one line, long values cut.
pub(crate) fn shown(tree: &Tree) -> String {
    let mut text = String::new();
    show(tree, &mut text);
    text
}

fn show(tree: &Tree, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match tree {
        Tree::Null => write!(out, "null"),
        Tree::Bool(value) => write!(out, "{value}"),
        Tree::Int(value) => write!(out, "{value}"),
        Tree::Float(value) => write!(out, "{value}"),
        Tree::Uuid(value) => write!(out, "{value}"),
        Tree::String(value) if value.len() > 200 => {
            let cut: String = value.chars().take(100).collect();
            write!(out, "{cut:?}... ({} bytes)", value.len())
        }
        Tree::String(value) => write!(out, "{value:?}"),
        Tree::Bytes(value) => {
            let shown: String = value
                .iter()
                .take(61)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            write!(out, "<{} bytes {shown}>", value.len())
        }
        Tree::Array(elements) => {
            out.push('[');
            for (nth, element) in elements.iter().enumerate() {
                if nth > 0 {
                    out.push_str(", ");
                }
                show(element, out);
            }
            out.push(']');
            Ok(())
        }
        Tree::Structure(fields) => {
            out.push('{');
            for (nth, (name, value)) in fields.iter().enumerate() {
                if nth > 0 {
                    out.push_str(", ");
                }
                let _ = write!(out, "{name}: ");
                show(value, out);
            }
            out.push('}');
            Ok(())
        }
    };
}

//! Other sequences run at the same time, and a server may hold what others made: answers that list
//! everything are cut down to what this sequence made or asked for.

use std::collections::BTreeSet;

use headwater_wire::codec::Tree;

/// Fields by which a listed element is known to be of this sequence.
const OWNERS: &[&str] = &[
    "name",
    "topic",
    "topic_name",
    "group_id",
    "transactional_id",
    "resource_name",
];

/// Drops elements of arrays that are named after something that is not this sequence's.
pub(crate) fn drop(answer: &mut Tree, request: &Tree, prefix: &str) {
    let mut asked = BTreeSet::new();
    collect(request, &mut asked);
    prune(answer, &|name| {
        // Numbers are brokers.
        name.starts_with(prefix) || asked.contains(name) || name.parse::<i32>().is_ok()
    });
}

fn collect<'a>(tree: &'a Tree, found: &mut BTreeSet<&'a str>) {
    match tree {
        Tree::String(text) => {
            found.insert(text);
        }
        Tree::Array(elements) => elements.iter().for_each(|element| collect(element, found)),
        Tree::Structure(fields) => fields.iter().for_each(|(_, value)| collect(value, found)),
        _ => {}
    }
}

fn prune(tree: &mut Tree, is_own: &impl Fn(&str) -> bool) {
    match tree {
        Tree::Structure(fields) => {
            for (name, value) in fields {
                // Names of configs, features and protocols belong to nobody.
                if let (
                    "topics" | "groups" | "transaction_states" | "config_resources",
                    Tree::Array(elements),
                ) = (*name, &mut *value)
                {
                    elements.retain(|element| belongs(element, is_own));
                }
                prune(value, is_own);
            }
        }
        Tree::Array(elements) => elements
            .iter_mut()
            .for_each(|element| prune(element, is_own)),
        _ => {}
    }
}

fn belongs(element: &Tree, is_own: &impl Fn(&str) -> bool) -> bool {
    let name = OWNERS.iter().find_map(|name| match element.get(name) {
        Some(Tree::String(name)) => Some(name),
        _ => None,
    });
    name.is_none_or(|name| is_own(name))
}

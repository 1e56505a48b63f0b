//! The page of all settings is made from their tables.

use super::{BROKER_KEYS, BrokerConfig, GROUP_KEYS, GroupDefault, TOPIC_KEYS, Update};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
/// With this in the environment the tables are written instead of compared.
const WRITE: &str = "HEADWATER_WRITE_DOCS";

fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{text}`"),
    }
}

fn topics() -> String {
    let mut text = String::from(
        "| setting | default | broker setting | what it does |\n| --- | --- | --- | --- |\n",
    );
    for key in TOPIC_KEYS {
        let names = key.broker_names.iter().map(|name| code(name.name));
        let names = names.collect::<Vec<_>>().join(", ");
        let (name, default) = (code(key.name), code(key.default.unwrap_or_default()));
        text.push_str(&format!("| {name} | {default} | {names} | {} |\n", key.doc));
    }
    text
}

fn brokers() -> String {
    let mut text =
        String::from("| setting | default | changed | what it does |\n| --- | --- | --- | --- |\n");
    let built_in = BrokerConfig::built_in();
    for key in BROKER_KEYS.iter() {
        let default = key.show(&built_in).unwrap_or_default();
        let changed = match key.update {
            Update::ReadOnly => "start",
            Update::ClusterWide => "any time",
        };
        let (name, default) = (code(key.name), code(&default));
        let documentation = key.documentation();
        text.push_str(&format!(
            "| {name} | {default} | {changed} | {documentation} |\n"
        ));
    }
    text
}

fn groups() -> String {
    let mut text = String::from("| setting | default | what it does |\n| --- | --- | --- |\n");
    for key in GROUP_KEYS {
        let default = match key.default {
            GroupDefault::Broker(name) => code(name),
            GroupDefault::Fixed { value, .. } => code(value),
        };
        text.push_str(&format!(
            "| {} | {default} | {} |\n",
            code(key.name),
            key.doc
        ));
    }
    text
}

#[test]
fn the_documentation_has_every_setting() {
    let mut page = std::fs::read_to_string(PAGE).unwrap();
    let mut is_same = true;
    for (name, table) in [
        ("topics", topics()),
        ("brokers", brokers()),
        ("groups", groups()),
    ] {
        let (begin, end) = (
            format!("<!-- {name}: begin -->\n"),
            format!("<!-- {name}: end -->"),
        );
        let (before, rest) = page.split_once(&begin).unwrap();
        let (found, after) = rest.split_once(&end).unwrap();
        is_same &= found == table;
        page = format!("{before}{begin}{table}{end}{after}");
    }
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PAGE, page).unwrap();
        return;
    }
    assert!(
        is_same,
        "docs/configuration.md is not what the tables say; write it anew with \
         {WRITE}=1 cargo test -p headwater-broker --lib config::page_tests"
    );
}

//! Offsets to reset to, from a CSV file.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};

use headwater_client::TopicPartition;

/// The offsets of `group`: lines of topic, partition and offset, with the group before them where
/// the file is about several. A first line of names is passed over.
pub(super) fn read(path: &Path, group: &str) -> anyhow::Result<HashMap<TopicPartition, i64>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text, group).with_context(|| format!("{} has no offsets to take", path.display()))
}

fn parse(text: &str, group: &str) -> anyhow::Result<HashMap<TopicPartition, i64>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut offsets = HashMap::new();
    for (line, row) in (1..).zip(reader.records()) {
        let row = row.with_context(|| format!("line {line}"))?;
        let fields: Vec<&str> = row.iter().collect();
        let (topic, partition, offset) = match fields.as_slice() {
            [topic, partition, offset] => (topic, partition, offset),
            [of, topic, partition, offset] => match *of == group || line == 1 {
                true => (topic, partition, offset),
                false => continue,
            },
            _ => bail!("line {line} is not TOPIC,PARTITION,OFFSET"),
        };
        match (partition.parse(), offset.parse::<i64>()) {
            (Ok(partition), Ok(offset)) if offset >= 0 => {
                if fields.len() == 3 || fields.first() == Some(&group) {
                    offsets.insert(TopicPartition::new(*topic, partition), offset);
                }
            }
            _ if line == 1 && partition.eq_ignore_ascii_case("partition") => {}
            _ => bail!("line {line} is not TOPIC,PARTITION,OFFSET"),
        }
    }
    if offsets.is_empty() {
        bail!("no line is about group {group}");
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_partitions_and_may_name_the_group() {
        let at = |partition| TopicPartition::new("t", partition);
        let plain = parse("t,0,5\nt, 1, 7\n", "g").expect("offsets");
        assert_eq!(plain, HashMap::from([(at(0), 5), (at(1), 7)]));
        let grouped = parse("g,t,0,5\nother,t,0,9\n", "g").expect("offsets");
        assert_eq!(grouped, HashMap::from([(at(0), 5)]));
        let headed = parse("topic,partition,offset\n\"t\",0,5\n", "g").expect("offsets");
        assert_eq!(headed, HashMap::from([(at(0), 5)]));
        let other_first = parse("other,t,0,9\ng,t,0,5\n", "g").expect("offsets");
        assert_eq!(other_first, HashMap::from([(at(0), 5)]));
        for wrong in [
            "",
            "t,0\n",
            "t,0,-1\n",
            "t,zero,1\n",
            "t,0,5\nt,1,x\n",
            "other,t,0,9\n",
        ] {
            assert!(parse(wrong, "g").is_err(), "{wrong:?}");
        }
    }
}

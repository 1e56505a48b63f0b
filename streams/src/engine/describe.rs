//! A topology as text, in Kafka's format.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Node, NodeId, NodeKind, SubTopology, Topology};

impl Topology {
    /// The topology as Kafka's `Topology#describe` prints it: tools that draw the one draw the
    /// other.
    pub fn describe(&self) -> String {
        let mut out = String::from("Topologies:\n");
        for part in self.subtopologies() {
            let gap = if part.id == 0 { "   " } else { "  " };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{gap}Sub-topology: {}", part.id);
            self.describe_part(part, &mut out);
            out.push('\n');
        }
        out
    }

    fn describe_part(&self, part: &SubTopology, out: &mut String) {
        let mut sizes: HashMap<NodeId, usize> = HashMap::new();
        for id in part.nodes.iter().rev() {
            let Some(node) = self.node(*id) else { continue };
            let below: usize = node
                .children
                .iter()
                .map(|child| sizes.get(child).copied().unwrap_or(0))
                .sum();
            sizes.insert(*id, below.saturating_add(1));
        }
        let mut nodes: Vec<(usize, &Node)> = part
            .nodes
            .iter()
            .filter_map(|id| Some((sizes.get(id).copied().unwrap_or(1), self.node(*id)?)))
            .collect();
        nodes.sort_by(|(a_size, a), (b_size, b)| {
            b_size.cmp(a_size).then_with(|| a.name.cmp(&b.name))
        });
        for (_, node) in nodes {
            self.describe_node(node, out);
        }
    }

    fn describe_node(&self, node: &Node, out: &mut String) {
        let _ = match &node.kind {
            NodeKind::Source(source) => {
                let topics: Vec<&str> = source.topics.iter().map(|topic| topic.name()).collect();
                writeln!(
                    out,
                    "    Source: {} (topics: [{}])",
                    node.name,
                    topics.join(", ")
                )
            }
            NodeKind::Operator(_) => {
                let mut stores: Vec<&str> = node
                    .stores
                    .iter()
                    .filter_map(|store| Some(self.stores().get(*store)?.name.as_str()))
                    .collect();
                stores.sort_unstable();
                let stores = stores.join(", ");
                writeln!(out, "    Processor: {} (stores: [{stores}])", node.name)
            }
            NodeKind::Sink(sink) => {
                writeln!(
                    out,
                    "    Sink: {} (topic: {})",
                    node.name,
                    sink.topic.name()
                )
            }
        };
        if !matches!(node.kind, NodeKind::Sink(_)) {
            let _ = writeln!(out, "      --> {}", self.names(&node.children));
        }
        if !matches!(node.kind, NodeKind::Source(_)) {
            let _ = writeln!(out, "      <-- {}", self.names(&node.parents));
        }
    }

    fn names(&self, nodes: &[NodeId]) -> String {
        let mut names: Vec<&str> = nodes
            .iter()
            .filter_map(|id| Some(self.node(*id)?.name.as_str()))
            .collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    }
}

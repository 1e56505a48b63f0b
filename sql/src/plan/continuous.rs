//! The plan of a query that does not end.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use crate::catalog::Relation;
use crate::ops::{AggregatePlan, Calc, JoinPlan, ScanPlan, Shuffle, Sink};

/// An operator with what feeds it.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// Reads a topic.
    Scan {
        relation: Arc<Relation>,
        plan: Arc<ScanPlan>,
    },
    /// Filters and projects.
    Calc { input: Box<Node>, calc: Arc<Calc> },
    /// Joins with a table, after a shuffle to where the table's rows are.
    Join {
        input: Box<Node>,
        shuffle: Arc<Shuffle>,
        table: Arc<Relation>,
        plan: Arc<JoinPlan>,
    },
    /// Groups, after a shuffle by the group.
    Aggregate {
        input: Box<Node>,
        shuffle: Arc<Shuffle>,
        plan: Arc<AggregatePlan>,
    },
}

/// The key of the rows of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputKey {
    /// Names of the key's columns.
    pub(crate) names: Vec<String>,
    /// Whether all of them are columns of the result.
    pub(crate) is_visible: bool,
}

/// A continuous query.
#[derive(Debug, Clone)]
pub(crate) struct ContinuousQuery {
    pub(crate) node: Node,
    pub(crate) sink: Arc<Sink>,
    /// Columns of the result.
    pub(crate) schema: SchemaRef,
    /// Set if a row replaces the former one of its key; else rows are only added.
    pub(crate) key: Option<OutputKey>,
    /// Tables that must have one partition, since their key's form is not declared.
    pub(crate) single_partition: Vec<Arc<Relation>>,
}

impl ContinuousQuery {
    /// Names of the relations it reads, the stream first.
    pub(crate) fn inputs(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut node = &self.node;
        loop {
            match node {
                Node::Scan { relation, .. } => {
                    names.insert(0, relation.name.clone());
                    return names;
                }
                Node::Join { input, table, .. } => {
                    names.insert(0, table.name.clone());
                    node = input;
                }
                Node::Calc { input, .. } | Node::Aggregate { input, .. } => node = input,
            }
        }
    }

    /// Whether every row of the result follows from one row of the input alone.
    pub(crate) fn is_stateless(&self) -> bool {
        let mut node = &self.node;
        loop {
            match node {
                Node::Scan { .. } => return true,
                Node::Calc { input, .. } => node = input,
                Node::Join { .. } | Node::Aggregate { .. } => return false,
            }
        }
    }
}

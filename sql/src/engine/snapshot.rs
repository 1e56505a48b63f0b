//! Relations as tables of the batch engine.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::{TableProvider, TableType};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use headwater_client::{Client, IsolationLevel, TopicPartition};

use super::SqlEngine;
use super::log_scan::PartitionScan;
use super::replica::Replica;
use crate::SqlError;
use crate::catalog::{Relation, all_partitions, partition_count};

/// A table under its name.
pub(super) type NamedTable = (String, Arc<dyn TableProvider>);

impl SqlEngine {
    /// `relation` for a batch query; its rows only if `is_read`.
    pub(super) async fn table(
        &self,
        relation: &Arc<Relation>,
        pseudo: &BTreeSet<&'static str>,
        is_read: bool,
    ) -> Result<Arc<dyn TableProvider>, SqlError> {
        let schema = relation.schema(pseudo);
        let rows = if !is_read {
            Source::Batch(RecordBatch::new_empty(Arc::clone(&schema)))
        } else if relation.kind.is_append_only() {
            Source::Log {
                client: self.inner.client.clone(),
                relation: Arc::clone(relation),
                pseudo: pseudo.clone(),
                ends: self.stream_ends(relation).await?,
            }
        } else {
            let replica = self.replica(relation).await?;
            Source::Batch(
                replica
                    .snapshot(pseudo, self.inner.config.restore_timeout)
                    .await?,
            )
        };
        let is_view = SqlEngine::is_view(relation.kind);
        Ok(Arc::new(RelationTable {
            schema,
            is_view,
            rows,
        }))
    }

    async fn replica(&self, relation: &Arc<Relation>) -> Result<Arc<Replica>, SqlError> {
        let mut replicas = self.inner.replicas.lock().await;
        if let Some(replica) = replicas.get(&relation.name)
            && !replica.has_failed()
        {
            return Ok(Arc::clone(replica));
        }
        let replica = Arc::new(Replica::start(&self.inner.client, Arc::clone(relation)).await?);
        replicas.insert(relation.name.clone(), Arc::clone(&replica));
        Ok(replica)
    }

    async fn stream_ends(
        &self,
        relation: &Relation,
    ) -> Result<Vec<(TopicPartition, i64)>, SqlError> {
        let count = partition_count(&self.inner.client, &relation.topic).await?;
        let partitions = all_partitions(&relation.topic, count);
        let admin = self.inner.client.admin();
        let ends = admin
            .end_offsets(&partitions, IsolationLevel::ReadCommitted)
            .await?;
        let mut offsets: Vec<(TopicPartition, i64)> = ends.into_iter().collect();
        offsets.sort();
        Ok(offsets)
    }
}

enum Source {
    Batch(RecordBatch),
    Log {
        client: Client,
        relation: Arc<Relation>,
        pseudo: BTreeSet<&'static str>,
        ends: Vec<(TopicPartition, i64)>,
    },
}

struct RelationTable {
    schema: SchemaRef,
    is_view: bool,
    rows: Source,
}

impl std::fmt::Debug for RelationTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelationTable")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for RelationTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        if self.is_view {
            TableType::View
        } else {
            TableType::Base
        }
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        match &self.rows {
            Source::Batch(batch) => {
                let plan: Arc<dyn ExecutionPlan> = MemorySourceConfig::try_new_exec(
                    &[vec![batch.clone()]],
                    Arc::clone(&self.schema),
                    projection.cloned(),
                )?;
                Ok(plan)
            }
            Source::Log {
                client,
                relation,
                pseudo,
                ends,
            } => {
                let wanted: Vec<usize> = projection
                    .cloned()
                    .unwrap_or_else(|| (0..self.schema.fields().len()).collect());
                let plan = Arc::new(relation.scan(pseudo, &wanted));
                let schema: SchemaRef = Arc::new(Schema::clone(&plan.schema));
                let partitions = ends
                    .iter()
                    .map(|(partition, end)| {
                        Arc::new(PartitionScan {
                            client: client.clone(),
                            partition: partition.clone(),
                            end: *end,
                            plan: Arc::clone(&plan),
                            schema: Arc::clone(&schema),
                        }) as Arc<dyn PartitionStream>
                    })
                    .collect();
                Ok(Arc::new(StreamingTableExec::try_new(
                    schema,
                    partitions,
                    None,
                    Vec::new(),
                    false,
                    limit,
                )?))
            }
        }
    }
}

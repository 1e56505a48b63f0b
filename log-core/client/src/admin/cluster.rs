//! The cluster itself.

use headwater_wire::messages::describe_cluster::DescribeClusterRequest;

use super::Admin;
use super::drive::checked;
use crate::cluster::Topics;
use crate::error::ClientError;
use crate::metadata::NodeView;
use crate::retry::Retry;
use crate::transport::Target;

/// The nodes of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterDescription {
    /// The cluster's id.
    pub cluster_id: String,
    /// The node to ask for changes, if there is one.
    pub controller: Option<i32>,
    /// The nodes, by id.
    pub nodes: Vec<NodeView>,
}

impl Admin {
    /// The cluster's id, controller and nodes.
    ///
    /// # Errors
    /// A timeout, or the broker's refusal.
    pub async fn describe_cluster(&self) -> Result<ClusterDescription, ClientError> {
        let mut retry = self.retry("describing the cluster");
        let build = |_| DescribeClusterRequest::default();
        let response = self.ask(Target::Any, &mut retry, i16::MAX, build).await?;
        checked(response.error_code, response.error_message, || {
            "describing the cluster".to_owned()
        })?;
        let mut nodes: Vec<NodeView> = response
            .brokers
            .into_iter()
            .map(|broker| NodeView {
                id: broker.broker_id,
                host: broker.host,
                port: broker.port,
                rack: broker.rack,
            })
            .collect();
        nodes.sort_by_key(|node| node.id);
        Ok(ClusterDescription {
            cluster_id: response.cluster_id,
            controller: Some(response.controller_id).filter(|id| *id >= 0),
            nodes,
        })
    }

    /// The ids of all nodes, as metadata has them now.
    pub(super) async fn nodes(&self, retry: &mut Retry) -> Result<Vec<i32>, ClientError> {
        loop {
            let limit = retry.remaining();
            let asked = self
                .cluster
                .refresh(&self.channel, Topics::Named(&[]), false, limit)
                .await;
            match asked {
                Ok(_) => return Ok(self.cluster.view().nodes.keys().copied().collect()),
                Err(error) => retry.pause(error).await?,
            }
        }
    }
}

//! Describing the cluster.

use crate::Message;

/// Asks for the nodes of the cluster.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(
    key = DescribeCluster,
    response = DescribeClusterResponse,
    versions = "0-2",
    flexible = "0+"
)]
pub struct DescribeClusterRequest {
    /// Whether to list what the client may do on the cluster.
    #[kafka(versions = "0+")]
    pub include_cluster_authorized_operations: bool,
    /// Which nodes: 1 brokers, 2 controllers.
    #[kafka(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    /// Whether to include brokers that are fenced.
    #[kafka(versions = "2+")]
    pub include_fenced_brokers: bool,
}

/// The nodes of the cluster.
#[derive(Debug, Clone, PartialEq, Message)]
#[message(versions = "0-2", flexible = "0+")]
pub struct DescribeClusterResponse {
    /// Milliseconds that the broker held the answer back because of a quota.
    #[kafka(versions = "0+")]
    pub throttle_time_ms: i32,
    /// Error, 0 for none.
    #[kafka(versions = "0+")]
    pub error_code: i16,
    /// What went wrong, in words.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub error_message: Option<String>,
    /// Which nodes: 1 brokers, 2 controllers.
    #[kafka(versions = "1+", default = 1)]
    pub endpoint_type: i8,
    /// Id of the cluster.
    #[kafka(versions = "0+")]
    pub cluster_id: String,
    /// Id of the active controller, -1 if there is none.
    #[kafka(versions = "0+", default = -1)]
    pub controller_id: i32,
    /// Brokers of the cluster.
    #[kafka(versions = "0+")]
    pub brokers: Vec<DescribeClusterBroker>,
    /// Operations that the client may do on the cluster, as a bit field; `i32::MIN` if not asked
    /// for.
    #[kafka(versions = "0+", default = i32::MIN)]
    pub cluster_authorized_operations: i32,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Message)]
pub struct DescribeClusterBroker {
    /// Id of the broker.
    #[kafka(versions = "0+")]
    pub broker_id: i32,
    /// Host name or address.
    #[kafka(versions = "0+")]
    pub host: String,
    /// Port number.
    #[kafka(versions = "0+")]
    pub port: i32,
    /// Rack of the node; null if none is set.
    #[kafka(versions = "0+", nullable = "0+", default = null)]
    pub rack: Option<String>,
    /// Whether the broker is fenced.
    #[kafka(versions = "2+")]
    pub is_fenced: bool,
}

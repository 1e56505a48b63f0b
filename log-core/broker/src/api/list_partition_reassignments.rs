//! ListPartitionReassignments (KIP-455). Reassignments on one node are done before they are
//! answered, so there is never one to list.

use std::sync::Arc;

use headwater_wire::messages::list_partition_reassignments::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct ListPartitionReassignments;

impl Handler for ListPartitionReassignments {
    type Request = ListPartitionReassignmentsRequest;

    fn start(
        _node: &Arc<Node>,
        _context: &RequestContext,
        _request: ListPartitionReassignmentsRequest,
    ) -> Reply<ListPartitionReassignmentsResponse> {
        Reply::Now(ListPartitionReassignmentsResponse {
            error_message: None,
            ..Default::default()
        })
    }
}

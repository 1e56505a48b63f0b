//! ListTransactions: the transactional ids of this node, by state, producer, duration and name
//! (KIP-664, KIP-994, KIP-1152).

use std::sync::Arc;

use futures::future::join_all;
use headwater_coordination::transactions::{
    Request, Response, STATE_NAMES, TransactionFilter, TransactionSummary,
};
use headwater_wire::ErrorCode;
use headwater_wire::messages::list_transactions::{
    ListTransactionsRequest, ListTransactionsResponse, TransactionState,
};
use regex::Regex;

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct ListTransactions;

impl Handler for ListTransactions {
    type Request = ListTransactionsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: ListTransactionsRequest,
    ) -> Reply<ListTransactionsResponse> {
        let pattern = match pattern(request.transactional_id_pattern.as_deref()) {
            Ok(pattern) => pattern,
            Err(error) => {
                tracing::debug!(%error, "not a pattern of transactional ids");
                return Reply::Now(ListTransactionsResponse {
                    error_code: ErrorCode::InvalidRegularExpression.code(),
                    ..Default::default()
                });
            }
        };
        let unknown_state_filters = request
            .state_filters
            .iter()
            .filter(|name| !STATE_NAMES.contains(&name.as_str()))
            .cloned()
            .collect();
        let filter = TransactionFilter {
            states: request.state_filters.into_iter().collect(),
            producer_ids: request.producer_id_filters.into_iter().collect(),
            duration_ms: request.duration_filter,
        };
        let transactions = &node.coordinators.transactions;
        let answers = transactions.submit_to_all(context.version, || Request::List(filter.clone()));
        Reply::later(async move {
            let mut response = ListTransactionsResponse {
                unknown_state_filters,
                ..Default::default()
            };
            for answer in join_all(answers).await {
                match answer {
                    Response::Transactions(Ok(found)) => {
                        response
                            .transaction_states
                            .extend(wanted(found, pattern.as_ref()));
                    }
                    Response::Transactions(Err(code)) => response.error_code = code.code(),
                    _ => response.error_code = ErrorCode::UnknownServerError.code(),
                }
            }
            if response.error_code != ErrorCode::None.code() {
                response.transaction_states.clear();
            }
            response
        })
    }
}

/// The pattern has to match the whole id, as in Kafka. Without look-around and back references,
/// which Java's patterns have and these, whose time is bounded, have not.
fn pattern(text: Option<&str>) -> Result<Option<Regex>, regex::Error> {
    text.filter(|text| !text.is_empty())
        .map(|text| Regex::new(&format!("^(?:{text})$")))
        .transpose()
}

fn wanted(
    found: Vec<TransactionSummary>,
    pattern: Option<&Regex>,
) -> impl Iterator<Item = TransactionState> {
    found
        .into_iter()
        .filter(move |summary| {
            pattern.is_none_or(|pattern| pattern.is_match(&summary.transactional_id))
        })
        .map(|summary| TransactionState {
            transactional_id: summary.transactional_id,
            producer_id: summary.producer.id,
            transaction_state: summary.state.to_owned(),
        })
}

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
use regex::{Regex, RegexBuilder};

use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct ListTransactions;

/// Bytes that a pattern may have. To read one takes some hundred times its length in memory.
const PATTERN_LEN_MAX: usize = 8 * 1024;
/// Bytes that a pattern may take when it is compiled.
const PROGRAM_MAX: usize = 1 << 20;

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
fn pattern(text: Option<&str>) -> Result<Option<Regex>, InvalidPattern> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.len() > PATTERN_LEN_MAX {
        return Err(InvalidPattern::TooLong(text.len()));
    }
    let compile = |pattern: &str| RegexBuilder::new(pattern).size_limit(PROGRAM_MAX).build();
    // It must be whole by itself: `a)|(b` is not.
    compile(text)?;
    Ok(Some(compile(&format!("^(?:{text})$"))?))
}

/// Why there is nothing that a pattern matches.
#[derive(Debug, thiserror::Error)]
enum InvalidPattern {
    #[error("the pattern has {0} bytes; {PATTERN_LEN_MAX} are the most")]
    TooLong(usize),
    #[error(transparent)]
    Syntax(#[from] regex::Error),
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

#[cfg(test)]
mod tests {
    use super::{InvalidPattern, PATTERN_LEN_MAX, pattern};

    #[test]
    fn patterns_are_whole_and_of_bounded_length() {
        let found = pattern(Some("a|b.*")).expect("valid").expect("not empty");
        assert!(found.is_match("bc") && !found.is_match("ab"));
        assert!(matches!(pattern(None), Ok(None)));
        assert!(matches!(pattern(Some("")), Ok(None)));
        let whole = pattern(Some("a)|(b"));
        assert!(matches!(whole, Err(InvalidPattern::Syntax(_))));
        let longest = "a".repeat(PATTERN_LEN_MAX);
        assert!(pattern(Some(&longest)).is_ok());
        let longer = pattern(Some(&format!("{longest}a")));
        assert!(matches!(longer, Err(InvalidPattern::TooLong(_))));
        assert!(pattern(Some("(?:a{1000}){1000}")).is_err(), "too large");
    }
}

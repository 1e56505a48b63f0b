//! DescribeTransactions: what transactional ids are at (KIP-664).

use std::sync::Arc;

use futures::future::join_all;
use headwater_coordination::Timestamp;
use headwater_coordination::transactions::{Request, Response, TransactionSummary};
use headwater_wire::ErrorCode;
use headwater_wire::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TopicData, TransactionState,
};

use super::coordinated::each_once;
use super::{Handler, Reply};
use crate::context::RequestContext;
use crate::node::Node;

pub(crate) struct DescribeTransactions;

impl Handler for DescribeTransactions {
    type Request = DescribeTransactionsRequest;

    fn start(
        node: &Arc<Node>,
        context: &RequestContext,
        request: DescribeTransactionsRequest,
    ) -> Reply<DescribeTransactionsResponse> {
        let answers = each_once(request.transactional_ids).into_iter().map(|id| {
            let describe = Request::Describe(id.clone());
            let transactions = &node.coordinators.transactions;
            let answer = transactions.submit(node, &id, context.version, describe);
            async move { state(id, answer.await) }
        });
        let answers = join_all(answers);
        Reply::later(async {
            DescribeTransactionsResponse {
                transaction_states: answers.await,
                ..Default::default()
            }
        })
    }
}

fn state(transactional_id: String, response: Response) -> TransactionState {
    let found = match response {
        Response::Transactions(Ok(found)) => found
            .into_iter()
            .next()
            .ok_or(ErrorCode::TransactionalIdNotFound),
        Response::Transactions(Err(code)) => Err(code),
        _ => Err(ErrorCode::UnknownServerError),
    };
    match found {
        Ok(summary) => described(summary),
        Err(code) => TransactionState {
            error_code: code.code(),
            transactional_id,
            ..Default::default()
        },
    }
}

fn described(summary: TransactionSummary) -> TransactionState {
    let topics = summary.partitions.into_iter();
    TransactionState {
        error_code: ErrorCode::None.code(),
        transactional_id: summary.transactional_id,
        transaction_state: summary.state.to_owned(),
        transaction_timeout_ms: summary.timeout_ms,
        transaction_start_time_ms: summary.started.map_or(-1, Timestamp::as_millis),
        producer_id: summary.producer.id,
        producer_epoch: summary.producer.epoch,
        topics: topics
            .map(|(topic, indexes)| TopicData {
                topic,
                partitions: indexes.into_iter().collect(),
            })
            .collect(),
    }
}

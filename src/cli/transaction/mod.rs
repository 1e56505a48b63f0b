//! `headwater transaction`: transactions and the producers behind them.

mod abort;
mod describe;
mod find_hanging;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Transaction {
    /// Transactional ids with their states
    List(describe::List),
    /// The last transaction of transactional ids
    Describe(describe::Describe),
    /// Producers that a partition's leader knows of
    Producers(describe::Producers),
    /// Transactions that are open in a partition though no coordinator knows of them
    FindHanging(find_hanging::FindHanging),
    /// End a hanging transaction in a partition
    Abort(abort::Abort),
    /// Fence the producers of transactional ids, and abort what they have open
    Fence(abort::Fence),
}

impl Transaction {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List(list) => list.run().await,
            Self::Describe(describe) => describe.run().await,
            Self::Producers(producers) => producers.run().await,
            Self::FindHanging(find) => find.run().await,
            Self::Abort(abort) => abort.run().await,
            Self::Fence(fence) => fence.run().await,
        }
    }
}

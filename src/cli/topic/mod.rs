//! `headwater topic`: topics, made, looked at, changed and deleted.

mod create;
mod delete;
mod describe;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(super) enum Topic {
    /// Create a topic
    Create(create::Create),
    /// Names of the topics, one a line
    List(describe::List),
    /// Partitions, offsets and configuration of topics
    Describe(describe::Describe),
    /// Give a topic more partitions
    Alter(create::Alter),
    /// Delete topics and all their records
    Delete(delete::Delete),
    /// Delete the records before an offset
    DeleteRecords(delete::DeleteRecords),
}

impl Topic {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(create) => create.run().await,
            Self::List(list) => list.run().await,
            Self::Describe(describe) => describe.run().await,
            Self::Alter(alter) => alter.run().await,
            Self::Delete(delete) => delete.run().await,
            Self::DeleteRecords(delete) => delete.run().await,
        }
    }
}

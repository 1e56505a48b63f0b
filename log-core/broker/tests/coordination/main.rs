//! Groups and transactions on a broker with its log, in process.

#[cfg(test)]
mod administration;
#[cfg(test)]
mod consumer_groups;
#[cfg(test)]
mod foreign_markers;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod hanging;
#[cfg(test)]
mod node;
#[cfg(test)]
mod offsets;
#[cfg(test)]
mod power_cuts;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod unwritable;
#[cfg(test)]
mod version_2;

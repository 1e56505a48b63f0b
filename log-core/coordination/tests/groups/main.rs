//! Consumer groups, driven through `step` alone.

#[cfg(test)]
mod consumer_protocol;
#[cfg(test)]
mod consumer_random;
#[cfg(test)]
mod consumers;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod membership;
#[cfg(test)]
mod migration;
#[cfg(test)]
mod offsets;
#[cfg(test)]
mod random;
#[cfg(test)]
mod rebalance;
#[cfg(test)]
mod static_members;
#[cfg(test)]
mod transactional;
#[cfg(test)]
mod world;

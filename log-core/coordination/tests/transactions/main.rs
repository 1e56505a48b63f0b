//! Producer ids and transactions, driven through `step` alone.

#[cfg(test)]
mod fencing;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod random;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod summaries;
#[cfg(test)]
mod timeouts;
#[cfg(test)]
mod version_2;
#[cfg(test)]
mod world;

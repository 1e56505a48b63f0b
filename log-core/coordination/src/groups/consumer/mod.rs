//! Groups of the consumer protocol (KIP-848).
//!
//! The coordinator computes who is to have which partitions, the *target*, and leads each member
//! there by the answers to its heartbeats: first the member gives up what is not to be its own any
//! more, then it gets what others have given up. The group's epoch grows with every change that
//! calls for a new target; a member's epoch is that of the target it has reached.
//!
//! - [`group`] and [`member`] are the state; [`change`] is how it changes, which is what is
//!   written down.
//! - [`heartbeat`], [`leave`] and [`classic`] are the requests; [`classic`] is what members that
//!   speak the classic protocol see of such a group.
//! - [`target`] and the [`assignors`] compute the target, [`reconcile`] a member's next step.
//! - [`upgrade`] and [`downgrade`] turn classic groups into these and back, with their members.

pub(super) mod assignment;
pub(super) mod assignors;
pub(super) mod change;
pub(super) mod classic;
pub(super) mod describe;
pub(super) mod downgrade;
pub(super) mod edit;
pub(super) mod group;
pub(super) mod heartbeat;
pub(super) mod leave;
pub(super) mod member;
pub(super) mod offsets;
pub(super) mod reconcile;
pub(super) mod regex;
pub(super) mod sessions;
pub(super) mod target;
pub(super) mod upgrade;
pub(super) mod validate;

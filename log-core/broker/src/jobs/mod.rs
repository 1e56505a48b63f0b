//! Work that goes on behind the requests.

mod housekeeping;

pub(crate) use housekeeping::{Housekeeper, channel, start};

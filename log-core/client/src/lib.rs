//! Producer, consumer and admin over TCP or in process.

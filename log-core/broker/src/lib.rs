//! A node of the log: listener, request handlers, metadata quorum.

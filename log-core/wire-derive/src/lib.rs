//! The derive macro behind headwater-wire.

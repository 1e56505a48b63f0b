//! The derive macro behind headwater-wire.
//!
//! A message is a plain struct whose attributes read like Kafka's schema, such as
//! `#[kafka(versions = "3+", nullable = "3+", default = null)]`; `headwater_wire::codec` has a whole
//! example.
//!
//! On the struct, for a message that stands on its own: `versions`, `flexible` (absent: never), and
//! for requests `key` and `response`. Structs without `#[message]` are parts of messages.
//!
//! On every field: `versions`; `nullable` (versions in which an `Option` may be `None`; absent:
//! never); `tag` (the field is a tagged one in all of its versions); `default` (a literal or
//! `null`; absent: the type's own, and for an `Option` that inside `Some`); `ignorable` (may be
//! left out of versions without it even when set).
//!
//! The derive implements `Default` with these defaults, and reading and writing.

mod attributes;
mod expand;
mod versions;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `Default`, `Value` and, with a `#[message]` attribute, `Message` and `Request`.
#[proc_macro_derive(Message, attributes(message, kafka))]
pub fn derive_message(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}

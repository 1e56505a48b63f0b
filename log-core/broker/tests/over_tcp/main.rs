//! A broker over TCP, request by request, with the plain codec as the client.

mod client;
mod configs;
mod fetching;
mod hostile;
mod lookups;
mod pipelining;
mod producing;
mod restarts;
mod topics;

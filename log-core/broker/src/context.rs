//! What a handler knows about the request besides its content.

use std::sync::Arc;

/// Who sent a request, and in which version.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// `client.id`, if the client gave one.
    pub client_id: Option<Arc<str>>,
    /// Address of the client, as group members are described with it.
    pub client_host: Arc<str>,
    /// API version of the request: the response is made for the same one.
    pub version: i16,
}

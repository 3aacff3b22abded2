//! The outcome of an endpoint's handler.

/// A handler cannot read its request, or has no answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HandlerFailed;

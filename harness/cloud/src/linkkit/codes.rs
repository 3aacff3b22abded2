//! Numbers of the bind API.
//!
//! 200 to 503, 5005 and 6100 stand in Alibaba's documents of the Living Link APIs. What the real
//! cloud answers for a token that is unknown, mismatched, expired or used is not published; 6201 to
//! 6205 are this stand-in's own.

use trace::linkkit::BindOutcome;

/// Done.
pub const OK: i64 = 200;
/// The body is no JSON object.
pub const BAD_REQUEST: i64 = 400;
/// There is no account.
pub const UNAUTHORIZED: i64 = 401;
/// The product lets no other account bind a device that is bound.
pub const FORBIDDEN: i64 = 403;
/// There is no such call.
pub const NOT_FOUND: i64 = 404;
/// Too many calls. Only as a fault.
pub const TOO_MANY_REQUESTS: i64 = 429;
/// A parameter is missing, empty, or no text.
pub const PARAMETER: i64 = 460;
/// The cloud has failed. Only as a fault.
pub const INTERNAL: i64 = 500;
/// The cloud cannot be reached at present. Only as a fault.
pub const UNAVAILABLE: i64 = 503;
/// There is no such product.
pub const PRODUCT_NOT_FOUND: i64 = 5005;
/// There is no such device.
pub const DEVICE_NOT_FOUND: i64 = 6100;
/// Our own: no device has reported the token.
pub const TOKEN_UNKNOWN: i64 = 6201;
/// Our own: another device has reported the token, or this one has reported another since and
/// only the last one counts.
pub const TOKEN_MISMATCHED: i64 = 6202;
/// Our own: the token was reported too long ago.
pub const TOKEN_EXPIRED: i64 = 6203;
/// Our own: another account has bound with the token.
pub const TOKEN_USED: i64 = 6204;
/// Our own: this account has bound with the token already.
pub const TOKEN_USED_BY_SAME: i64 = 6205;

/// What `code` means for a bind.
pub const fn outcome(code: i64) -> BindOutcome {
    match code {
        OK => BindOutcome::Bound,
        TOKEN_UNKNOWN => BindOutcome::Unknown,
        TOKEN_MISMATCHED => BindOutcome::Mismatched,
        TOKEN_EXPIRED => BindOutcome::Expired,
        TOKEN_USED | TOKEN_USED_BY_SAME => BindOutcome::AlreadyUsed,
        _ => BindOutcome::Refused,
    }
}

/// `code` in words.
pub fn message(code: i64) -> &'static str {
    match code {
        OK => "success",
        BAD_REQUEST => "request error",
        UNAUTHORIZED => "request auth error",
        FORBIDDEN => "request forbidden: the device is bound to another account",
        NOT_FOUND => "service not found",
        TOO_MANY_REQUESTS => "too many requests",
        PARAMETER => "request parameter error",
        INTERNAL => "service error",
        UNAVAILABLE => "service not available",
        PRODUCT_NOT_FOUND => "product not found",
        DEVICE_NOT_FOUND => "device not found",
        TOKEN_UNKNOWN => "no device has reported this token",
        TOKEN_MISMATCHED => "the token is not the one that the device has reported",
        TOKEN_EXPIRED => "the token has expired",
        TOKEN_USED => "another account has used the token",
        TOKEN_USED_BY_SAME => "this account has used the token already",
        _ => "refused",
    }
}

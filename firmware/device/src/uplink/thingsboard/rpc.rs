//! Calls both ways (`server_rpc.c`, `client_rpc.c`): what the cloud calls is answered, and the cloud is called
//! once in each session.

use alloc::format;
use alloc::string::String;

use factory::RemoteCalls;
use serde::{Deserialize, Serialize};

use super::{ClientQueues, WRAPPER};
use crate::bugs::{self, Bug};
use crate::uplink::binding::Request;

/// Calls of the cloud's come below, and so do the device's own go out.
const REQUEST: &str = "v1/devices/me/rpc/request/";
const RESPONSE: &str = "v1/devices/me/rpc/response/";
const CALLS: &str = "v1/devices/me/rpc/request/+";
const ANSWERS: &str = "v1/devices/me/rpc/response/+";

#[derive(Deserialize)]
struct Call {
    method: String,
}

#[derive(Serialize)]
struct OwnCall<'c> {
    method: &'c str,
    params: Empty,
}

#[derive(Serialize)]
struct Empty {}

/// The calls of one device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// Number of the last call of its own; 0 before the first.
    last: u32,
    /// Whether that is still to be answered.
    waits: bool,
}

impl Calls {
    /// A session has begun.
    pub(super) fn begin(&mut self, calls: &RemoteCalls, queues: &ClientQueues) {
        queues.request(Request::Subscribe(CALLS));
        let Some(method) = &calls.calls else {
            return;
        };
        // The answer must not come before the subscription.
        queues.request(Request::Subscribe(ANSWERS));
        let params = Empty {};
        // A text can always be written.
        let payload = serde_json::to_string(&OwnCall { method, params }).unwrap_or_default();
        self.last = self.last.wrapping_add(1);
        self.waits = true;
        let id = self.last;
        log::info!(target: WRAPPER, "[Client-Side RPC][Tx] request_id={id} {payload}");
        queues.request(Request::Publish {
            topic: format!("{REQUEST}{id}").into(),
            payload,
        });
    }

    /// A message has come; whether it was a call, or an answer to one.
    pub(super) fn take(
        &mut self,
        topic: &str,
        payload: &[u8],
        calls: &RemoteCalls,
        queues: &ClientQueues,
    ) -> bool {
        let id = |prefix: &str| topic.strip_prefix(prefix)?.parse::<u32>().ok();
        if let Some(id) = id(REQUEST) {
            let shown = shown(payload);
            log::info!(target: WRAPPER, "[Server-Side RPC][Rx] request_id={id} Payload={shown}");
            answer(id, payload, calls, queues);
            return true;
        }
        if let Some(id) = id(RESPONSE) {
            let shown = shown(payload);
            log::info!(target: WRAPPER, "[Client-Side RPC][Rx] request_id={id} {shown}");
            if !self.waits || id != self.last {
                log::warn!(
                    target: "client_rpc",
                    "Unable to find client-rpc:{id}! _tbcmh_clientrpc_on_response()"
                );
            }
            self.waits &= id != self.last;
            return true;
        }
        false
    }
}

fn answer(id: u32, payload: &[u8], calls: &RemoteCalls, queues: &ClientQueues) {
    let Ok(Call { method }) = serde_json::from_slice(payload) else {
        log::warn!(target: "server_rpc", "the call is no object with a method");
        return;
    };
    let answer = calls.answers.iter().find(|answer| answer.method == method);
    let Some(answer) = answer else {
        let method = method.escape_debug();
        log::warn!(
            target: "server_rpc",
            "Unable to deal server-rpc:{method}! _tbcmh_serverrpc_on_request()"
        );
        return;
    };
    if bugs::is(Bug::CallNotAnswered) {
        return;
    }
    let payload = answer.result.clone();
    log::info!(target: WRAPPER, "[Server-Side RPC][Tx] request_id={id} Payload={payload}");
    queues.request(Request::Publish {
        topic: format!("{RESPONSE}{id}").into(),
        payload,
    });
}

/// What came, on one line.
fn shown(payload: &[u8]) -> String {
    let text = String::from_utf8_lossy(payload);
    format!("{}", text.escape_debug()).replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use factory::MethodAnswer;

    use super::*;

    fn calls() -> RemoteCalls {
        RemoteCalls {
            answers: vec![MethodAnswer {
                method: "blink".into(),
                result: r#"{"done":true}"#.into(),
            }],
            calls: Some("getTime".into()),
        }
    }

    fn requests(queues: &ClientQueues) -> Vec<Request> {
        core::iter::from_fn(|| queues.requests.try_receive().ok()).collect()
    }

    #[test]
    fn a_session_begins_with_its_subscriptions_and_its_own_call() {
        let queues = ClientQueues::new();
        let mut own = Calls::default();
        own.begin(&calls(), &queues);
        let call = Request::Publish {
            topic: "v1/devices/me/rpc/request/1".into(),
            payload: r#"{"method":"getTime","params":{}}"#.into(),
        };
        let expected = [Request::Subscribe(CALLS), Request::Subscribe(ANSWERS), call];
        assert_eq!(requests(&queues), expected);
        assert!(own.take("v1/devices/me/rpc/response/1", b"{}", &calls(), &queues));
        assert!(!own.waits);
    }

    #[test]
    fn a_call_is_answered_by_its_number_and_an_unknown_one_is_not() {
        let queues = ClientQueues::new();
        let mut own = Calls::default();
        let mut take = |topic: &str, payload: &[u8]| own.take(topic, payload, &calls(), &queues);
        for payload in [&br#"{"method":"none"}"#[..], b"{", b"[]", b"\xff"] {
            assert!(take("v1/devices/me/rpc/request/7", payload));
        }
        assert!(requests(&queues).is_empty());
        assert!(take(
            "v1/devices/me/rpc/request/7",
            br#"{"method":"blink","params":{"n":2}}"#
        ));
        let answer = Request::Publish {
            topic: "v1/devices/me/rpc/response/7".into(),
            payload: r#"{"done":true}"#.into(),
        };
        assert_eq!(requests(&queues), [answer]);
        assert!(!take("v1/devices/me/rpc/request/x", b"{}"));
        assert!(!take("v1/devices/me/attributes", b"{}"));
    }
}

//! Topics of the device API (`MqttTopics` of ThingsBoard), in the long form, in the short one, and in
//! the short ones that say JSON or protobuf.

use super::gateway;

/// How a topic is spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// `v1/devices/me/telemetry`.
    Long,
    /// `v2/t`.
    Short,
    /// `v2/t/j`.
    ShortJson,
    /// `v2/t/p`.
    ShortProtobuf,
}

/// What a device publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Telemetry(Form),
    Attributes(Form),
    AttributesRequest(Form, i64),
    /// The answer to a call of the cloud's.
    RpcAnswer(Form, i64),
    /// A call of the device's.
    RpcCall(Form, i64),
    Claim,
    Provision,
    Chunk {
        package: Package,
        request: i64,
        chunk: u64,
    },
    /// What a gateway says for the devices behind it.
    Gateway(gateway::Said),
}

/// What is handed out in chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Package {
    Firmware,
    Software,
}

impl Package {
    const ALL: [Self; 2] = [Self::Firmware, Self::Software];

    const fn word(self) -> &'static str {
        match self {
            Self::Firmware => "fw",
            Self::Software => "sw",
        }
    }

    pub(super) fn chunk_topic(self, request: i64, chunk: u64) -> String {
        format!("v2/{}/response/{request}/chunk/{chunk}", self.word())
    }

    pub(super) fn error_topic(self) -> String {
        format!("v2/{}/error", self.word())
    }
}

/// What a device subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// Changes of shared attributes.
    SharedAttributes(Form),
    AttributesAnswers,
    /// Calls of the cloud's.
    RpcCalls(Form),
    RpcAnswers,
    ProvisionAnswer,
    Chunks,
    /// Changes of shared attributes of devices behind a gateway.
    GatewayAttributes,
    GatewayAttributesAnswers,
    /// Calls of the cloud's to devices behind a gateway.
    GatewayCalls,
}

/// Where changes of shared attributes of devices behind a gateway are told, and where it tells theirs.
pub(super) const GATEWAY_ATTRIBUTES: &str = "v1/gateway/attributes";
/// Where a gateway's request after attributes is answered.
pub(super) const GATEWAY_ATTRIBUTES_ANSWER: &str = "v1/gateway/attributes/response";
/// Where a device behind a gateway is called, and where the gateway answers.
pub(super) const GATEWAY_RPC: &str = "v1/gateway/rpc";

pub(super) const PROVISION_REQUEST: &str = "/provision/request";
pub(super) const PROVISION_RESPONSE: &str = "/provision/response";

/// Filters of what a device gets without a subscription.
pub(super) const ANSWERS: [&str; 14] = [
    "v1/devices/me/attributes/response/+",
    "v2/a/res/+",
    "v2/a/res/j/+",
    "v2/a/res/p/+",
    "v1/devices/me/rpc/response/+",
    "v2/r/res/+",
    "v2/r/res/j/+",
    "v2/r/res/p/+",
    "v2/fw/response/+/chunk/+",
    "v2/sw/response/+/chunk/+",
    "v2/fw/error",
    "v2/sw/error",
    PROVISION_RESPONSE,
    GATEWAY_ATTRIBUTES_ANSWER,
];

/// What `topic` is for; none if the device API has no such topic.
pub(super) fn read(topic: &str) -> Option<Said> {
    use Form::{Long, Short, ShortJson, ShortProtobuf};
    Some(match topic {
        "v1/devices/me/telemetry" => Said::Telemetry(Long),
        "v2/t" => Said::Telemetry(Short),
        "v2/t/j" => Said::Telemetry(ShortJson),
        "v2/t/p" => Said::Telemetry(ShortProtobuf),
        "v1/devices/me/attributes" => Said::Attributes(Long),
        "v2/a" => Said::Attributes(Short),
        "v2/a/j" => Said::Attributes(ShortJson),
        "v2/a/p" => Said::Attributes(ShortProtobuf),
        "v1/devices/me/claim" => Said::Claim,
        PROVISION_REQUEST => Said::Provision,
        "v1/gateway/connect" => Said::Gateway(gateway::Said::Connect),
        "v1/gateway/disconnect" => Said::Gateway(gateway::Said::Disconnect),
        "v1/gateway/telemetry" => Said::Gateway(gateway::Said::Telemetry),
        GATEWAY_ATTRIBUTES => Said::Gateway(gateway::Said::Attributes),
        "v1/gateway/attributes/request" => Said::Gateway(gateway::Said::AttributesRequest),
        GATEWAY_RPC => Said::Gateway(gateway::Said::RpcAnswer),
        "v1/gateway/claim" => Said::Gateway(gateway::Said::Claim),
        _ => {
            let numbered = |prefix: &str| topic.strip_prefix(prefix)?.parse::<i64>().ok();
            // The number of the short form cannot be `j/1`.
            let forms: [(Form, &str, &str, &str); 4] = [
                (
                    Long,
                    "v1/devices/me/attributes/request/",
                    "v1/devices/me/rpc/response/",
                    "v1/devices/me/rpc/request/",
                ),
                (ShortJson, "v2/a/req/j/", "v2/r/res/j/", "v2/r/req/j/"),
                (ShortProtobuf, "v2/a/req/p/", "v2/r/res/p/", "v2/r/req/p/"),
                (Short, "v2/a/req/", "v2/r/res/", "v2/r/req/"),
            ];
            for (form, attributes, answer, call) in forms {
                if let Some(request) = numbered(attributes) {
                    return Some(Said::AttributesRequest(form, request));
                }
                if let Some(request) = numbered(answer) {
                    return Some(Said::RpcAnswer(form, request));
                }
                if let Some(request) = numbered(call) {
                    return Some(Said::RpcCall(form, request));
                }
            }
            return chunk(topic);
        }
    })
}

fn chunk(topic: &str) -> Option<Said> {
    let of = |package: Package| {
        let rest = topic.strip_prefix("v2/")?.strip_prefix(package.word())?;
        let (request, chunk) = rest.strip_prefix("/request/")?.split_once("/chunk/")?;
        Some(Said::Chunk {
            package,
            request: request.parse().ok().filter(|request| *request >= 0)?,
            chunk: chunk.parse().ok()?,
        })
    };
    Package::ALL.into_iter().find_map(of)
}

/// What a subscription to `filter` is for; none if it is refused.
pub(super) fn filter(filter: &str) -> Option<Wanted> {
    use Form::{Long, Short, ShortJson, ShortProtobuf};
    Some(match filter {
        "v1/devices/me/attributes" => Wanted::SharedAttributes(Long),
        "v2/a" => Wanted::SharedAttributes(Short),
        "v2/a/j" => Wanted::SharedAttributes(ShortJson),
        "v2/a/p" => Wanted::SharedAttributes(ShortProtobuf),
        "v1/devices/me/attributes/response/+" | "v2/a/res/+" | "v2/a/res/j/+" | "v2/a/res/p/+" => {
            Wanted::AttributesAnswers
        }
        "v1/devices/me/rpc/request/+" => Wanted::RpcCalls(Long),
        "v2/r/req/+" => Wanted::RpcCalls(Short),
        "v2/r/req/j/+" => Wanted::RpcCalls(ShortJson),
        "v2/r/req/p/+" => Wanted::RpcCalls(ShortProtobuf),
        "v1/devices/me/rpc/response/+" | "v2/r/res/+" | "v2/r/res/j/+" | "v2/r/res/p/+" => {
            Wanted::RpcAnswers
        }
        PROVISION_RESPONSE => Wanted::ProvisionAnswer,
        "v2/fw/response/+/chunk/+" | "v2/fw/error" | "v2/sw/response/+/chunk/+" | "v2/sw/error" => {
            Wanted::Chunks
        }
        GATEWAY_ATTRIBUTES => Wanted::GatewayAttributes,
        GATEWAY_ATTRIBUTES_ANSWER => Wanted::GatewayAttributesAnswers,
        GATEWAY_RPC => Wanted::GatewayCalls,
        _ => return None,
    })
}

/// Where a change of shared attributes is told.
pub(super) fn attributes(form: Form) -> &'static str {
    match form {
        Form::Long => "v1/devices/me/attributes",
        Form::Short => "v2/a",
        Form::ShortJson => "v2/a/j",
        Form::ShortProtobuf => "v2/a/p",
    }
}

/// Where a request after attributes is answered.
pub(super) fn attributes_answer(form: Form, request: i64) -> String {
    match form {
        Form::Long => format!("v1/devices/me/attributes/response/{request}"),
        Form::Short => format!("v2/a/res/{request}"),
        Form::ShortJson => format!("v2/a/res/j/{request}"),
        Form::ShortProtobuf => format!("v2/a/res/p/{request}"),
    }
}

/// Where a device is called.
pub(super) fn rpc_call(form: Form, request: i64) -> String {
    match form {
        Form::Long => format!("v1/devices/me/rpc/request/{request}"),
        Form::Short => format!("v2/r/req/{request}"),
        Form::ShortJson => format!("v2/r/req/j/{request}"),
        Form::ShortProtobuf => format!("v2/r/req/p/{request}"),
    }
}

/// Where a device's call is answered.
pub(super) fn rpc_answer(form: Form, request: i64) -> String {
    match form {
        Form::Long => format!("v1/devices/me/rpc/response/{request}"),
        Form::Short => format!("v2/r/res/{request}"),
        Form::ShortJson => format!("v2/r/res/j/{request}"),
        Form::ShortProtobuf => format!("v2/r/res/p/{request}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_topic_of_the_device_api_is_read() {
        use Form::{Long, Short, ShortJson, ShortProtobuf};
        let chunk = |package| Said::Chunk {
            package,
            request: 3,
            chunk: 14,
        };
        for (topic, said) in [
            ("v1/devices/me/telemetry", Said::Telemetry(Long)),
            ("v2/t", Said::Telemetry(Short)),
            ("v2/t/j", Said::Telemetry(ShortJson)),
            ("v2/t/p", Said::Telemetry(ShortProtobuf)),
            ("v1/devices/me/attributes", Said::Attributes(Long)),
            ("v2/a", Said::Attributes(Short)),
            ("v2/a/j", Said::Attributes(ShortJson)),
            ("v2/a/p", Said::Attributes(ShortProtobuf)),
            (
                "v1/devices/me/attributes/request/1",
                Said::AttributesRequest(Long, 1),
            ),
            ("v2/a/req/1", Said::AttributesRequest(Short, 1)),
            ("v2/a/req/j/1", Said::AttributesRequest(ShortJson, 1)),
            ("v2/a/req/p/1", Said::AttributesRequest(ShortProtobuf, 1)),
            ("v1/devices/me/rpc/response/2", Said::RpcAnswer(Long, 2)),
            ("v2/r/res/2", Said::RpcAnswer(Short, 2)),
            ("v2/r/res/j/2", Said::RpcAnswer(ShortJson, 2)),
            ("v2/r/res/p/2", Said::RpcAnswer(ShortProtobuf, 2)),
            ("v1/devices/me/rpc/request/2", Said::RpcCall(Long, 2)),
            ("v2/r/req/2", Said::RpcCall(Short, 2)),
            ("v2/r/req/j/2", Said::RpcCall(ShortJson, 2)),
            ("v2/r/req/p/2", Said::RpcCall(ShortProtobuf, 2)),
            ("v1/devices/me/claim", Said::Claim),
            ("/provision/request", Said::Provision),
            ("v2/fw/request/3/chunk/14", chunk(Package::Firmware)),
            ("v2/sw/request/3/chunk/14", chunk(Package::Software)),
            ("v1/gateway/connect", Said::Gateway(gateway::Said::Connect)),
            (
                "v1/gateway/disconnect",
                Said::Gateway(gateway::Said::Disconnect),
            ),
            (
                "v1/gateway/telemetry",
                Said::Gateway(gateway::Said::Telemetry),
            ),
            (
                "v1/gateway/attributes",
                Said::Gateway(gateway::Said::Attributes),
            ),
            (
                "v1/gateway/attributes/request",
                Said::Gateway(gateway::Said::AttributesRequest),
            ),
            ("v1/gateway/rpc", Said::Gateway(gateway::Said::RpcAnswer)),
            ("v1/gateway/claim", Said::Gateway(gateway::Said::Claim)),
        ] {
            assert_eq!(read(topic), Some(said), "{topic}");
        }
        for topic in [
            "",
            "provision/request",
            "v1/devices/me/telemetry/",
            "v1/devices/you/telemetry",
            "v1/devices/me/rpc/request/",
            "v1/devices/me/rpc/request/x",
            "v2/t/x",
            "v2/fw/request/3/chunk/-1",
            "v2/fw/request/-3/chunk/1",
            "v1/gateway/telemetry/",
            "v1/gateway/attributes/response",
        ] {
            assert_eq!(read(topic), None, "{topic}");
        }
    }

    #[test]
    fn a_filter_outside_the_device_api_is_refused() {
        for filter_text in [
            "v1/devices/me/attributes",
            "v1/devices/me/attributes/response/+",
            "v1/devices/me/rpc/request/+",
            "v1/devices/me/rpc/response/+",
            "/provision/response",
            "v2/fw/response/+/chunk/+",
            "v2/fw/error",
            "v2/sw/response/+/chunk/+",
            "v2/sw/error",
            "v2/a",
            "v2/a/j",
            "v2/a/p",
            "v2/a/res/+",
            "v2/a/res/p/+",
            "v2/r/req/+",
            "v2/r/req/j/+",
            "v2/r/req/p/+",
            "v2/r/res/+",
            "v2/r/res/p/+",
            "v1/gateway/attributes",
            "v1/gateway/rpc",
            "v1/gateway/attributes/response",
        ] {
            assert!(filter(filter_text).is_some(), "{filter_text}");
        }
        for filter_text in [
            "#",
            "+",
            "v1/devices/me/#",
            "v1/devices/me/+",
            "v1/devices/me/telemetry",
            "v1/devices/me/rpc/request/1",
            "v1/devices/me/attributes/response/1",
        ] {
            assert_eq!(filter(filter_text), None, "{filter_text}");
        }
    }

    proptest! {
        #[test]
        fn any_topic_is_read_without_a_panic(topic in "\\PC{0,60}") {
            read(&topic);
            filter(&topic);
        }
    }
}

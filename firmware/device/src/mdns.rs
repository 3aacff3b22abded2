//! Announcements by mDNS: that of the provisioning service, which ESP-IDF 4.4 makes (`scheme_softap.c`),
//! and that of a web server, as ESP-IDF's example `restful_server` makes it.

use core::net::Ipv4Addr;

use edge_mdns::domain::base::Ttl;
use edge_mdns::host::{Host, Service, ServiceAnswers};
use edge_mdns::{HostAnswersMdnsHandler, MdnsHandler, MdnsRequest, MdnsResponse};
use embassy_net::udp::{PacketMetadata, UdpMetadata, UdpSocket};
use embassy_net::{IpAddress, Stack};
use factory::Mdns;

use crate::network;

const TAG: &str = "mdns";
/// RFC 6762 §3.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5353;
/// RFC 6762 §10, in s.
const TTL: Ttl = Ttl::from_secs(120);
/// Longest message that is read or sent.
const MESSAGE: usize = 1_024;
const MESSAGES: usize = 4;

/// The provisioning service in the device's own network.
pub(crate) const PROVISIONING: Service<'static> = Service {
    name: "Wi-Fi Provisioning Service",
    priority: 0,
    weight: 0,
    service: "_esp_wifi_prov",
    protocol: "_tcp",
    port: 80,
    service_subtypes: &[],
    txt_kvs: &[
        ("version_endpoint", "/proto-ver"),
        ("session_endpoint", "/prov-session"),
        ("config_endpoint", "/prov-config"),
    ],
};

/// A web server in the station's network.
pub(crate) fn web_server(secure: bool, port: u16) -> Service<'static> {
    Service {
        name: "ESP32-WebServer",
        priority: 0,
        weight: 0,
        service: if secure { "_https" } else { "_http" },
        protocol: "_tcp",
        port,
        service_subtypes: &[],
        txt_kvs: &[("board", "esp32"), ("path", "/")],
    }
}

/// Announces `service` of the host at `address`, and answers queries, for ever.
pub(crate) async fn serve(
    stack: Stack<'static>,
    settings: &Mdns,
    address: Ipv4Addr,
    service: &Service<'_>,
) {
    let host = host(settings, address);
    let mut receive_meta = [PacketMetadata::EMPTY; MESSAGES];
    let mut send_meta = [PacketMetadata::EMPTY; MESSAGES];
    let mut receive = alloc::vec![0; MESSAGES * MESSAGE];
    let mut send = alloc::vec![0; MESSAGES * MESSAGE];
    let mut socket = UdpSocket::new(
        stack,
        &mut receive_meta,
        &mut receive,
        &mut send_meta,
        &mut send,
    );
    let joined = stack.join_multicast_group(GROUP).is_ok();
    if !joined || socket.bind(PORT).is_err() {
        log::error!(target: TAG, "cannot listen on {GROUP}:{PORT}, the service is not announced");
        return core::future::pending().await;
    }
    log::debug!(
        target: TAG,
        "{}.{} announced on {}.local",
        service.service,
        service.protocol,
        host.hostname
    );
    let (mut request, mut reply) = (alloc::vec![0; MESSAGE], alloc::vec![0; MESSAGE]);
    if let Some(announcement) = answer(&host, service, MdnsRequest::None, &mut reply) {
        network::send(&mut socket, PORT, announcement, (GROUP, PORT)).await;
    }
    loop {
        // Longer messages are dropped by the stack.
        let Ok((length, meta)) = socket.recv_from(&mut request).await else {
            continue;
        };
        let (message, to) = addressed(&request[..length], &meta);
        if let Some(answer) = answer(&host, service, message, &mut reply) {
            // A client that misses it asks again.
            network::send(&mut socket, PORT, answer, to).await;
        }
    }
}

fn host(settings: &Mdns, address: Ipv4Addr) -> Host<'_> {
    Host {
        hostname: &settings.hostname,
        ipv4: address,
        ipv6: core::net::Ipv6Addr::UNSPECIFIED,
        ttl: TTL,
    }
}

/// A question as the answering library takes it, and where its answer goes: to everybody, or to
/// a client that asked from another port (RFC 6762 §6.7).
fn addressed<'m>(message: &'m [u8], meta: &UdpMetadata) -> (MdnsRequest<'m>, (Ipv4Addr, u16)) {
    let IpAddress::Ipv4(from) = meta.endpoint.addr;
    let legacy = meta.endpoint.port != PORT;
    let request = MdnsRequest::Request {
        legacy,
        multicast: true,
        data: message,
    };
    let to = match legacy {
        true => (from, meta.endpoint.port),
        false => (GROUP, PORT),
    };
    (request, to)
}

/// What is to be sent; nothing for what is no question, or none of ours.
fn answer<'b>(
    host: &Host<'_>,
    service: &Service<'_>,
    request: MdnsRequest<'_>,
    buffer: &'b mut [u8],
) -> Option<&'b [u8]> {
    let mut handler = HostAnswersMdnsHandler::new(ServiceAnswers::new(host, service));
    match handler.handle(request, buffer) {
        Ok(MdnsResponse::Reply { data, .. }) => Some(data),
        Ok(MdnsResponse::None) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::network::SOFT_AP_ADDRESS;

    fn contains(message: &[u8], text: &[u8]) -> bool {
        message.windows(text.len()).any(|part| part == text)
    }

    fn asked(message: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = [0; MESSAGE];
        let request = MdnsRequest::Request {
            legacy: false,
            multicast: true,
            data: message,
        };
        answer(
            &host(&Mdns::default(), SOFT_AP_ADDRESS),
            &PROVISIONING,
            request,
            &mut buffer,
        )
        .map(<[u8]>::to_vec)
    }

    /// A question for pointers of `_esp_wifi_prov._tcp.local`.
    fn browse() -> Vec<u8> {
        let mut question = alloc::vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in ["_esp_wifi_prov", "_tcp", "local"] {
            question.push(label.len() as u8);
            question.extend_from_slice(label.as_bytes());
        }
        question.extend_from_slice(&[0, 0, 12, 0, 1]);
        question
    }

    #[test]
    fn a_query_for_the_service_is_told_where_its_endpoints_are() {
        let answer = asked(&browse()).unwrap();
        for text in [
            &b"Wi-Fi Provisioning Service"[..],
            b"version_endpoint=/proto-ver",
            b"session_endpoint=/prov-session",
            b"config_endpoint=/prov-config",
            &[192, 168, 4, 1],
        ] {
            assert!(contains(&answer, text), "{text:?} in {answer:?}");
        }
    }

    #[test]
    fn the_announcement_tells_the_same() {
        let mut buffer = [0; MESSAGE];
        let settings = Mdns {
            hostname: "kettle".into(),
        };
        let announcement = answer(
            &host(&settings, SOFT_AP_ADDRESS),
            &PROVISIONING,
            MdnsRequest::None,
            &mut buffer,
        )
        .unwrap();
        assert!(contains(announcement, b"version_endpoint=/proto-ver"));
        assert!(contains(announcement, b"\x06kettle\x05local"));
    }

    #[test]
    fn other_questions_and_answers_are_not_answered() {
        let mut other = browse();
        other[13] = b'x';
        assert_eq!(asked(&other), None);
        let mut response = browse();
        response[2] = 0x84;
        assert_eq!(asked(&response), None);
    }

    proptest! {
        #[test]
        fn any_message_is_survived(message in proptest::collection::vec(any::<u8>(), 0..600)) {
            asked(&message);
        }

        #[test]
        fn a_damaged_question_is_survived(at in 0..40_usize, byte: u8) {
            let mut question = browse();
            let at = at % question.len();
            question[at] = byte;
            asked(&question);
        }
    }
}

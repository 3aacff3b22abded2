//! The interface by which phones are on the boards' LAN.

use std::net::UdpSocket;

use trace::in_full;

use super::Finding;

const CHECK: &str = "lan";
/// CoAP (RFC 7252 §6.1), on which a phone listens.
const COAP: u16 = 5683;

pub(super) fn check(name: &str) -> Vec<Finding> {
    let address = match phone::interface_addresses(name) {
        Ok(Some((address, _))) => address,
        Ok(None) if std::path::Path::new("/sys/class/net").join(name).exists() => {
            return vec![Finding::not_ok(
                CHECK,
                format!("{name} has no IPv4 address"),
                format!("`nmcli device connect {name}`, or `sudo dhclient {name}`"),
            )];
        }
        Ok(None) => {
            return vec![Finding::not_ok(
                CHECK,
                format!("this host has no interface {name}"),
                "`ip address` lists what there is: write one as `lan` under `[phone]`",
            )];
        }
        Err(error) => {
            let said = format!("failed to list interfaces: {}", in_full(&error));
            return vec![Finding::unknown(CHECK, said, "`ip address` lists them")];
        }
    };
    let there = Finding::ok(CHECK, format!("{name} has {address}"));
    // As a phone binds it: on a LAN, broadcasts come to no address of ours.
    let bind = match address.is_loopback() {
        true => address,
        false => std::net::Ipv4Addr::UNSPECIFIED,
    };
    let free = match UdpSocket::bind((bind, COAP)) {
        Ok(_) => Finding::ok(CHECK, format!("UDP port {COAP} is free for a phone's CoAP")),
        Err(error) => Finding::not_ok(
            CHECK,
            format!("UDP port {COAP}, on which a phone listens, cannot be had: {error}"),
            format!("`ss -ulnp 'sport = :{COAP}'` shows which program has it: end that"),
        ),
    };
    vec![there, free]
}

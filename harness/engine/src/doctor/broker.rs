//! Where boards find the broker.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use board::rig::{BoardLink, Broker, Rig, RigBoard, RigBroker};

use super::{Finding, external_broker};

const CHECK: &str = "broker";

/// Tries to listen, and stops again.
type Bind<'b> = &'b dyn Fn() -> io::Result<()>;

pub(super) async fn check(rig: &Rig, board: &RigBoard) -> Vec<Finding> {
    let broker = match &rig.broker {
        Some(RigBroker::Own(broker)) => Some(broker),
        Some(RigBroker::External(broker)) => {
            let mut findings = vec![external_broker::check(rig, broker).await];
            if let Some(time) = broker.time {
                findings.push(bound(time.ip()));
                findings.extend(time_port(time));
            }
            return findings;
        }
        None => None,
    };
    let Some(broker) = broker else {
        return match board.link {
            // It is on loopback then.
            BoardLink::Process(_) => Vec::new(),
            BoardLink::Probe(_) | BoardLink::Serial(_) => vec![Finding::ok(
                CHECK,
                "the rig file has no `[broker]`: cases with a cloud are skipped",
            )],
        };
    };
    let mut findings = vec![bound(broker.bind)];
    if findings[0].mend.is_none() {
        findings.extend(reached(broker, board));
        findings.extend(ports(broker));
    }
    findings
}

/// Whether the address is one of this host's.
fn bound(address: IpAddr) -> Finding {
    match TcpListener::bind((address, 0)) {
        Ok(_) => Finding::ok(CHECK, format!("{address} is an address of this host")),
        Err(error) => Finding::not_ok(
            CHECK,
            format!("{address} is no address of this host: {error}"),
            "`ip -4 -brief address` lists them: write the one in the boards' network as `bind`",
        ),
    }
}

/// Whether boards get there.
fn reached(broker: &Broker, board: &RigBoard) -> Option<Finding> {
    if matches!(board.link, BoardLink::Process(_)) {
        return None;
    }
    let address = broker.bind;
    if address.is_loopback() {
        return Some(Finding::unknown(
            CHECK,
            format!("only programs of this host reach {address}, unless something forwards to it"),
            "write the address of this host in the boards' network as `bind`",
        ));
    }
    let Some(lan) = &board.phone.lan else {
        return Some(Finding::unknown(
            CHECK,
            format!(
                "whether boards reach {address} through their access point cannot be seen here"
            ),
            "write the interface on their LAN as `lan` under `[phone]`, and this is looked at",
        ));
    };
    let addresses = phone::interface_addresses(lan).ok().flatten()?;
    Some(match is_in(address, addresses) {
        true => Finding::ok(
            CHECK,
            format!("{address} is on {lan}, where the boards are"),
        ),
        false => Finding::not_ok(
            CHECK,
            format!(
                "{address} is not on {lan}, which has {}: boards may not reach it",
                addresses.0
            ),
            format!("write `bind = \"{}\"`", addresses.0),
        ),
    })
}

/// Whether `address` is in the network of an interface with these addresses, its own and that of
/// broadcasts.
fn is_in(address: IpAddr, (own, broadcast): (Ipv4Addr, Ipv4Addr)) -> bool {
    let IpAddr::V4(address) = address else {
        return false;
    };
    if address == own {
        return true;
    }
    // The bits of the host are those in which the address and that of broadcasts may differ; the last
    // of them is as far left as the highest one that does.
    let host = own.to_bits() ^ broadcast.to_bits();
    let mask = u32::MAX
        .checked_shl(u32::BITS - host.leading_zeros())
        .unwrap_or(0);
    address.to_bits() & mask == own.to_bits() & mask
}

/// Whether the ports are free that the rig file names.
fn ports(broker: &Broker) -> Vec<Finding> {
    let (bind, port) = (broker.bind, broker.port);
    let tcp = || TcpListener::bind((bind, port)).map(drop);
    let own = free(&Port {
        of: "broker",
        key: "port",
        protocol: "tcp",
        options: "-ltnp",
        port,
        bind: &tcp,
    });
    let time = time_port((bind, broker.time_port).into());
    own.into_iter().chain(time).collect()
}

fn time_port(time: SocketAddr) -> Option<Finding> {
    free(&Port {
        of: "time server",
        key: "time_port",
        protocol: "udp",
        options: "-ulnp",
        port: time.port(),
        bind: &|| UdpSocket::bind(time).map(drop),
    })
}

/// A port that the rig file names.
struct Port<'p> {
    /// What listens there.
    of: &'static str,
    /// The key that names it.
    key: &'static str,
    protocol: &'static str,
    /// Those of `ss` that list it.
    options: &'static str,
    port: u16,
    bind: Bind<'p>,
}

/// Whether a port is free; nothing, if any will do.
fn free(tried: &Port<'_>) -> Option<Finding> {
    let Port {
        of,
        key,
        protocol,
        options,
        port,
        bind,
    } = tried;
    if *port == 0 {
        return None;
    }
    Some(match bind() {
        Ok(()) => Finding::ok(
            CHECK,
            format!("{protocol} port {port} is free for the {of}"),
        ),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::not_ok(
            CHECK,
            format!("this user may not listen on {protocol} port {port}"),
            format!(
                "leave `{key}` out, or `sudo setcap cap_net_bind_service=+ep \"$(command -v \
                 proving)\"`"
            ),
        ),
        Err(error) => Finding::not_ok(
            CHECK,
            format!("{protocol} port {port} cannot be had for the {of}: {error}"),
            format!(
                "`ss {options} 'sport = :{port}'` shows which program has it: end that, or leave \
                 `{key}` out"
            ),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_the_network_of_an_interface_or_not() {
        let of = |own: [u8; 4], broadcast: [u8; 4]| (own.into(), broadcast.into());
        let lan = of([192, 168, 1, 10], [192, 168, 1, 255]);
        for (address, is) in [
            ([192, 168, 1, 10], true),
            ([192, 168, 1, 99], true),
            ([192, 168, 2, 10], false),
            ([10, 0, 0, 1], false),
        ] {
            assert_eq!(is_in(IpAddr::from(address), lan), is, "{address:?}");
        }
        // A host route: its own address alone.
        let alone = of([10, 0, 0, 1], [10, 0, 0, 1]);
        assert!(is_in([10, 0, 0, 1].into(), alone));
        assert!(!is_in([10, 0, 0, 2].into(), alone));
    }
}

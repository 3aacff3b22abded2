//! The machine's network controller and the air.
//!
//! No firmware is needed for it: the debugger writes and reads the controller's registers.

use airlink::{Mode, Notice, Packet, Port, Request, ethernet};
use lab::air::{AccessPointSettings, Air};
use lab::qemu::{Cables, Machine};
use probe_rs::{Core, MemoryInterface};

use crate::world::{attach, blocking, settings, until, with_emulator};

/// Registers of the LAN9118 (SMSC LAN9118 datasheet, table 5.1).
mod register {
    pub const RX_DATA: u64 = 0x4020_0000;
    pub const TX_DATA: u64 = 0x4020_0020;
    pub const RX_STATUS: u64 = 0x4020_0040;
    pub const TX_CFG: u64 = 0x4020_0070;
    pub const RX_FIFO_INF: u64 = 0x4020_007C;
    pub const MAC_CSR_CMD: u64 = 0x4020_00A4;
    pub const MAC_CSR_DATA: u64 = 0x4020_00A8;
}

/// Transmitter, receiver, all frames.
const MAC_CR: u32 = 1 << 3 | 1 << 2 | 1 << 18;

fn enable(core: &mut Core<'_>) {
    core.write_word_32(register::TX_CFG, 2).expect("written");
    core.write_word_32(register::MAC_CSR_DATA, MAC_CR)
        .expect("written");
    core.write_word_32(register::MAC_CSR_CMD, 1 << 31 | 1)
        .expect("written");
}

fn send(core: &mut Core<'_>, frame: &[u8]) {
    let length = frame.len() as u32;
    core.write_word_32(register::TX_DATA, 1 << 13 | 1 << 12 | length)
        .expect("written");
    core.write_word_32(register::TX_DATA, length)
        .expect("written");
    for word in frame.chunks(4) {
        let mut bytes = [0; 4];
        bytes[..word.len()].copy_from_slice(word);
        core.write_word_32(register::TX_DATA, u32::from_le_bytes(bytes))
            .expect("written");
    }
}

fn receive(core: &mut Core<'_>) -> Vec<u8> {
    until("a frame", || {
        core.read_word_32(register::RX_FIFO_INF).expect("read") >> 16 != 0
    });
    let status = core.read_word_32(register::RX_STATUS).expect("read");
    let length = (status >> 16 & 0x3FFF) as usize;
    let mut frame = Vec::new();
    while frame.len() < length {
        let word = core.read_word_32(register::RX_DATA).expect("read");
        frame.extend_from_slice(&word.to_le_bytes());
    }
    // The check sequence is part of it.
    frame.truncate(length - 4);
    frame
}

fn ask(core: &mut Core<'_>, request: &Request) {
    send(core, &ethernet::tag(&airlink::encode_request(request)));
}

fn notice(core: &mut Core<'_>) -> Notice {
    let packet = ethernet::untag(&receive(core)).expect("a packet");
    airlink::decode_notice(&packet).expect("a notice")
}

#[test]
fn the_radio_hears_and_joins_an_access_point_and_forgets_it_at_a_reset() {
    with_emulator(async |qemu| {
        let trace = trace::Trace::in_memory(clock::Clock::start(1.0));
        let air = Air::new(trace.clone());
        air.add_access_point(
            "home",
            AccessPointSettings {
                ssid: b"home".to_vec(),
                passphrase: "correct horse".to_owned(),
                ..AccessPointSettings::default()
            },
        );
        let folder = tempfile::tempdir().expect("a folder");
        let cables = Cables {
            link: Some(air.attach("lamp")),
            ..Cables::default()
        };
        let machine = Machine::start(settings(qemu, &folder), trace.clone(), cables).await;
        let mut machine = machine.expect("a machine");
        machine
            .write_flash(0, crate::guest::IMAGE.to_vec())
            .await
            .expect("written");
        machine.power(true).await.expect("power");
        let selector = machine.selector().to_owned();
        blocking(move || {
            let mut session = attach(&selector).expect("a target");
            let mut core = session.core(0).expect("a core");
            enable(&mut core);
            ask(&mut core, &Request::SetMode(Mode::Station));
            ask(
                &mut core,
                &Request::Scan {
                    channel: 0,
                    passive: false,
                },
            );
            let Notice::ScanDone(found) = notice(&mut core) else {
                panic!("no scan");
            };
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].ssid, b"home");
            let join = Request::Join {
                ssid: b"home".to_vec(),
                passphrase: "correct horse".to_owned(),
            };
            ask(&mut core, &join);
            assert!(matches!(notice(&mut core), Notice::Joined(_)));
            // The access point answers DHCP; nothing less than that shows a data frame's way back.
            let discover = dhcp_discover();
            send(&mut core, &ethernet::tag(&discover));
            let offer = ethernet::untag(&receive(&mut core)).expect("a packet");
            assert_eq!(offer.port, Port::Station);
            assert_eq!(offer.frame[23], 17, "UDP");
            assert_eq!(offer.frame[36..38], 68_u16.to_be_bytes());

            core.reset().expect("reset");
            enable(&mut core);
            ask(&mut core, &Request::SetMode(Mode::Station));
            send(&mut core, &ethernet::tag(&discover));
            ask(&mut core, &join);
            // Not an offer: the radio had left the network.
            assert!(matches!(notice(&mut core), Notice::Joined(_)));
        })
        .await;
    });
}

fn dhcp_discover() -> Packet {
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::*;
    let mac = EthernetAddress([2, 0xDE, 0, 0, 0, 9]);
    let dhcp = DhcpRepr {
        message_type: DhcpMessageType::Discover,
        transaction_id: 7,
        secs: 0,
        client_hardware_address: mac,
        client_ip: Ipv4Address::UNSPECIFIED,
        your_ip: Ipv4Address::UNSPECIFIED,
        server_ip: Ipv4Address::UNSPECIFIED,
        router: None,
        subnet_mask: None,
        relay_agent_ip: Ipv4Address::UNSPECIFIED,
        broadcast: false,
        requested_ip: None,
        client_identifier: None,
        server_identifier: None,
        parameter_request_list: None,
        dns_servers: None,
        max_size: None,
        lease_duration: None,
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[],
    };
    let udp = UdpRepr {
        src_port: 68,
        dst_port: 67,
    };
    let ip = Ipv4Repr {
        src_addr: Ipv4Address::UNSPECIFIED,
        dst_addr: Ipv4Address::BROADCAST,
        next_header: IpProtocol::Udp,
        payload_len: udp.header_len() + dhcp.buffer_len(),
        hop_limit: 64,
    };
    let mut frame = vec![0; 14 + ip.buffer_len() + ip.payload_len];
    let mut ethernet = EthernetFrame::new_unchecked(&mut frame);
    ethernet.set_src_addr(mac);
    ethernet.set_dst_addr(EthernetAddress::BROADCAST);
    ethernet.set_ethertype(EthernetProtocol::Ipv4);
    let checksums = ChecksumCapabilities::default();
    let mut packet = Ipv4Packet::new_unchecked(ethernet.payload_mut());
    ip.emit(&mut packet, &checksums);
    let mut datagram = UdpPacket::new_unchecked(packet.payload_mut());
    udp.emit(
        &mut datagram,
        &ip.src_addr.into(),
        &ip.dst_addr.into(),
        dhcp.buffer_len(),
        |payload| {
            dhcp.emit(&mut DhcpPacket::new_unchecked(payload))
                .expect("it fits")
        },
        &checksums,
    );
    Packet {
        port: Port::Station,
        frame,
    }
}

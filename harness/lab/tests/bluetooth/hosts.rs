//! Two hosts of trouble-host's, one as peripheral and one as central.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use lab::bluetooth::host::{HciStream, Pool};
use lab::bluetooth::{
    BleAdvertisingSeen, BleConnected, BleDisconnected, BleLinkDropped, RadioFaults,
};
use tokio::io::DuplexStream;
use trouble_host::prelude::*;

use crate::world::World;

/// A host of trouble-host's.
pub type Phone<'s> = Host<'s, MTU>;

/// The address that Bumble's scripts have.
pub fn bumble() -> Address {
    Address::new(
        AddrKind::RANDOM,
        BdAddr::new([0xF5, 0xF4, 0xF3, 0xF2, 0xF1, 0xF0]),
    )
}

type Host<'s, const SIZE: usize> = Stack<'s, Hci, Pool<SIZE>>;
type Hci = ExternalController<HciStream<DuplexStream>, 8>;

const SERVICE: Uuid = Uuid::new_long([7; 16]);
const VALUE: Uuid = Uuid::new_long([8; 16]);
const NAME: &str = "PROV_0ABC01";
/// ATT_MTU and the four bytes of L2CAP's header: what ESP-IDF's NimBLE asks for.
const MTU: usize = 256 + 4;

/// Has `ends` of a device and a phone do something, while their hosts run.
pub async fn hosts<'w, F: Future>(
    world: &'w World,
    ends: impl AsyncFnOnce(&Host<'_, MTU>, &Host<'_, MTU>, &Heard) -> F::Output,
) -> F::Output
where
    F: 'w,
{
    let mut resources: (HostResources<_, 1, 1>, HostResources<_, 1, 1>) = Default::default();
    let device = trouble_host::new(
        ExternalController::new(world.hci("device", 1)),
        &mut resources.0,
    )
    .build();
    let phone = trouble_host::new(
        ExternalController::new(world.hci("phone", 2)),
        &mut resources.1,
    )
    .build();
    let heard = Heard::default();
    let (mut device_runner, mut phone_runner) = (device.runner(), phone.runner());
    let running = join(device_runner.run(), phone_runner.run_with_handler(&heard));
    world
        .run(async {
            match select(running, ends(&device, &phone, &heard)).await {
                Either::First(ended) => panic!("a host ended: {ended:?}"),
                Either::Second(output) => output,
            }
        })
        .await
}

/// What a scan has heard: address, data, RSSI.
#[derive(Default)]
pub struct Heard(RefCell<Vec<(BdAddr, Vec<u8>, i8)>>);

impl EventHandler for Heard {
    fn on_adv_reports(&self, mut reports: LeAdvReportsIter) {
        while let Some(Ok(report)) = reports.next() {
            let entry = (report.addr, report.data.to_vec(), report.rssi);
            self.0.borrow_mut().push(entry);
        }
    }
}

/// A value that has no bytes yet.
struct Empty;

impl AsGatt for Empty {
    const MIN_SIZE: usize = 0;
    const MAX_SIZE: usize = 512;

    fn as_gatt(&self) -> &[u8] {
        &[]
    }
}

/// Advertises until somebody connects.
pub async fn advertise<'s>(device: &'s Host<'_, MTU>) -> Connection<'s, Pool<MTU>> {
    let mut data = [0; 31];
    let services = [
        AdStructure::Flags(LE_GENERAL_DISCOVERABLE | BR_EDR_NOT_SUPPORTED),
        AdStructure::CompleteServiceUuids128(&[[7; 16]]),
    ];
    let length = AdStructure::encode_slice(&services, &mut data).expect("it fits");
    let mut name = [0; 31];
    let named = [AdStructure::CompleteLocalName(NAME.as_bytes())];
    let name_length = AdStructure::encode_slice(&named, &mut name).expect("it fits");
    let parameters = AdvertisementParameters {
        interval_min: embassy_time::Duration::from_millis(160),
        interval_max: embassy_time::Duration::from_millis(160),
        ..Default::default()
    };
    let advertisement = Advertisement::ConnectableScannableUndirected {
        adv_data: &data[..length],
        scan_data: &name[..name_length],
    };
    let mut peripheral = device.peripheral();
    let advertiser = peripheral
        .advertise(&parameters, advertisement)
        .await
        .expect("advertising");
    advertiser.accept().await.expect("connected")
}

/// Serves one value of at most 512 bytes, to which `!` is added, until the connection ends. Why it
/// did.
pub async fn serve(connection: Connection<'_, Pool<MTU>>) -> u8 {
    let mut value = [0; 512];
    let mut table: AttributeTable<'_, NoopRawMutex, 8> = AttributeTable::new();
    let characteristic = table
        .add_service(Service::new(SERVICE))
        .add_characteristic(
            VALUE,
            [CharacteristicProp::Read, CharacteristicProp::Write],
            Empty,
            &mut value,
        )
        .build();
    let server = AttributeServer::<_, Pool<MTU>, 8, 1>::new(table);
    let connection = connection.with_attribute_server(&server).expect("a server");
    loop {
        match connection.next().await {
            GattConnectionEvent::Disconnected { reason } => return reason.into_inner(),
            GattConnectionEvent::Gatt {
                event: GattEvent::Write(write),
            } => {
                let mut data = write.with_data(|_, data| data.to_vec());
                data.push(b'!');
                write.accept_unprocessed().expect("a reply").send().await;
                server
                    .table()
                    .write(characteristic.handle, 0, &data)
                    .expect("written");
            }
            GattConnectionEvent::Gatt { event } => event.accept().expect("a reply").send().await,
            _ => {}
        }
    }
}

async fn connect<'s>(phone: &'s Host<'_, MTU>, last: u8) -> Connection<'s, Pool<MTU>> {
    let address = BdAddr::new([last, 0, 0, 0xC4, 0x0A, 0x24]);
    connect_to(phone, Address::new(AddrKind::PUBLIC, address)).await
}

/// Connects as soon as that device advertises.
pub async fn connect_to<'s>(phone: &'s Host<'_, MTU>, peer: Address) -> Connection<'s, Pool<MTU>> {
    let config = ConnectConfig {
        scan_config: ScanConfig {
            filter_accept_list: &[peer],
            ..Default::default()
        },
        connect_params: RequestedConnParams {
            supervision_timeout: embassy_time::Duration::from_secs(4),
            ..Default::default()
        },
    };
    let mut central = phone.central();
    central.connect(&config).await.expect("connected")
}

/// Does something as client, while the client's task runs.
pub async fn client<'s, T>(
    phone: &'s Host<'_, MTU>,
    connection: &Connection<'s, Pool<MTU>>,
    f: impl AsyncFnOnce(&GattClient<'s, Hci, Pool<MTU>, 4>, &Characteristic<[u8]>) -> T,
) -> T {
    let client = GattClient::<_, _, 4>::new(phone, connection)
        .await
        .expect("a client");
    let work = async {
        let services = client.services_by_uuid(&SERVICE).await.expect("services");
        let value = client
            .characteristic_by_uuid(&services[0], &VALUE)
            .await
            .expect("the value");
        f(&client, &value).await
    };
    match select(client.task(), work).await {
        Either::First(ended) => panic!("the client ended: {ended:?}"),
        Either::Second(output) => output,
    }
}

#[tokio::test]
async fn a_scan_hears_advertising_and_its_scan_response() {
    let world = World::new();
    world.ether.set_faults(
        "device",
        RadioFaults {
            rssi: -77,
            ..Default::default()
        },
    );
    hosts::<std::future::Ready<()>>(&world, async |device, phone, heard| {
        let listen = async {
            let mut central = phone.central();
            let mut scanner = Scanner::new(&mut central);
            let config = ScanConfig {
                active: true,
                ..Default::default()
            };
            let _session = scanner.scan(&config).await.expect("scanning");
            world.clock.sleep(Duration::from_secs(1)).await;
        };
        select(advertise(device), listen).await;
        let heard = heard.0.borrow();
        assert!((8..=20).contains(&heard.len()), "{} reports", heard.len());
        assert!(heard.iter().all(|(address, _, rssi)| {
            *rssi == -77 && *address.raw() == [1, 0, 0, 0xC4, 0x0A, 0x24]
        }));
        assert!(
            heard
                .iter()
                .any(|(_, data, _)| data.ends_with(NAME.as_bytes()))
        );
    })
    .await;
    let seen: Vec<BleAdvertisingSeen> = world.events();
    assert_eq!(
        seen.iter()
            .map(|seen| seen.scan_response)
            .collect::<Vec<_>>(),
        [false, true]
    );
    assert_eq!(seen[0].address, "24:0A:C4:00:00:01");
}

#[tokio::test]
async fn nobody_hears_a_radio_that_is_broken_so() {
    let world = World::new();
    world.ether.set_faults(
        "device",
        RadioFaults {
            unheard: true,
            ..Default::default()
        },
    );
    hosts::<std::future::Ready<()>>(&world, async |device, phone, _| {
        let wait = world.clock.sleep(Duration::from_secs(10));
        let connected = select(advertise(device), connect(phone, 1));
        assert!(matches!(select(connected, wait).await, Either::Second(())));
        world.ether.set_faults("device", RadioFaults::default());
        join(advertise(device), connect(phone, 1)).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_written_comes_back_whatever_its_length() {
    let world = World::new();
    hosts::<std::future::Ready<()>>(&world, async |device, phone, _| {
        let device_side = async { serve(advertise(device).await).await };
        let phone_side = async {
            let connection = connect(phone, 1).await;
            client(phone, &connection, async |client, value| {
                assert_eq!(connection.att_mtu(), 256);
                for length in [0, 1, 22, 23, 26, 27, 100, 252, 253] {
                    let sent = vec![b'x'; length];
                    client
                        .write_characteristic(value, &sent)
                        .await
                        .expect("written");
                    let mut read = [0; 512];
                    let received = client
                        .read_characteristic(value, &mut read)
                        .await
                        .expect("read");
                    assert_eq!(
                        read[..received],
                        [&sent[..], b"!"].concat(),
                        "{length} bytes"
                    );
                }
            })
            .await;
            connection.disconnect();
            while !matches!(
                connection.next().await,
                ConnectionEvent::Disconnected { .. }
            ) {}
        };
        let (reason, ()) = join(device_side, phone_side).await;
        assert_eq!(reason, 0x13);
    })
    .await;
    let connected: Vec<BleConnected> = world.events();
    assert_eq!(
        (connected.len(), connected[0].central.as_str()),
        (1, "phone")
    );
    let disconnected: Vec<BleDisconnected> = world.events();
    assert_eq!(disconnected[0].by.as_deref(), Some("phone"));
    assert_eq!(disconnected[0].reason, 0x13);
}

#[tokio::test]
async fn a_link_that_may_carry_so_many_bytes_is_lost_then_and_both_notice() {
    let world = World::new();
    world.ether.set_faults(
        "device",
        RadioFaults {
            drop_after: Some(2000),
            ..Default::default()
        },
    );
    hosts::<std::future::Ready<()>>(&world, async |device, phone, _| {
        for round in 0..2 {
            let device_side = async { serve(advertise(device).await).await };
            let phone_side = async {
                let connection = connect(phone, 1).await;
                let write = client(phone, &connection, async |client, value| {
                    for _ in 0..20 {
                        client
                            .write_characteristic(value, &[1; 200])
                            .await
                            .expect("written");
                    }
                });
                let lost = async {
                    while !matches!(
                        connection.next().await,
                        ConnectionEvent::Disconnected { .. }
                    ) {}
                };
                match select(lost, write).await {
                    Either::First(()) => assert_eq!(round, 0),
                    Either::Second(()) => connection.disconnect(),
                }
            };
            let (reason, ()) = join(device_side, phone_side).await;
            assert_eq!(reason, [0x08, 0x13][round]);
        }
    })
    .await;
    let dropped: Vec<BleLinkDropped> = world.events();
    assert!((1700..=2000).contains(&dropped[0].carried), "{dropped:?}");
    assert_eq!(dropped.len(), 1);
}

#[tokio::test]
async fn a_slow_link_is_slow_in_lab_time() {
    let world = World::new();
    let faults = RadioFaults {
        latency: Duration::from_millis(50),
        bytes_per_second: Some(1000),
        ..Default::default()
    };
    world.ether.set_faults("device", faults);
    let host_began = Instant::now();
    hosts::<std::future::Ready<()>>(&world, async |device, phone, _| {
        let device_side = async { serve(advertise(device).await).await };
        let phone_side = async {
            let connection = connect(phone, 1).await;
            client(phone, &connection, async |client, value| {
                let began = world.clock.now();
                for _ in 0..10 {
                    client
                        .write_characteristic(value, &[1; 193])
                        .await
                        .expect("written");
                }
                let took = world.clock.now().since(began);
                // 200 bytes each, and a short answer, each 50 ms late.
                let expected = Duration::from_millis(10 * (200 + 5 + 100));
                assert!(took >= expected && took < expected * 3 / 2, "{took:?}");
            })
            .await;
        };
        select(device_side, phone_side).await;
    })
    .await;
    assert!(host_began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_device_without_power_is_missed_after_the_supervision_timeout() {
    let world = World::new();
    hosts::<std::future::Ready<()>>(&world, async |_, phone, _| {
        // A device whose power can be cut: its controller ends with its stream.
        let mut resources: HostResources<_, 1, 1> = Default::default();
        let device = trouble_host::new(
            ExternalController::new(world.hci("second", 3)),
            &mut resources,
        )
        .build();
        let mut runner = device.runner();
        let connection = {
            let advertised = join(advertise(&device), connect(phone, 3));
            match select(runner.run(), advertised).await {
                Either::First(ended) => panic!("{ended:?}"),
                Either::Second((_, connection)) => connection,
            }
        };
        let began = world.clock.now();
        drop(runner);
        drop(device);
        loop {
            if let ConnectionEvent::Disconnected { reason } = connection.next().await {
                assert_eq!(reason.into_inner(), 0x08);
                break;
            }
        }
        let took = world.clock.now().since(began);
        assert!(
            took >= Duration::from_secs(4) && took < Duration::from_secs(6),
            "{took:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_thousand_writes_and_reads_cost_little() {
    let world = World::new();
    hosts::<std::future::Ready<()>>(&world, async |device, phone, _| {
        let device_side = async { serve(advertise(device).await).await };
        let phone_side = async {
            let connection = connect(phone, 1).await;
            client(phone, &connection, async |client, value| {
                let began = Instant::now();
                for _ in 0..1000 {
                    client
                        .write_characteristic(value, &[1; 100])
                        .await
                        .expect("written");
                    client
                        .read_characteristic(value, &mut [0; 512])
                        .await
                        .expect("read");
                }
                let took = began.elapsed();
                println!("1000 writes and reads of 100 bytes: {took:?}");
                assert!(took < Duration::from_secs(20), "{took:?}");
            })
            .await;
        };
        select(device_side, phone_side).await;
    })
    .await;
}

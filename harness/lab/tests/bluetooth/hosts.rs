//! Two hosts of trouble-host's, one as peripheral and one as central.

use std::cell::RefCell;

use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use lab::bluetooth::host::{HciStream, Pool};
use tokio::io::DuplexStream;
use trouble_host::prelude::*;

use crate::world::World;

/// A host of trouble-host's.
pub type Phone<'s> = Host<'s, LARGE>;

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
/// Characteristic User Description (Core 5.4 Vol 3 Part G §3.3.3.2).
const DESCRIPTION: Uuid = Uuid::new_short(0x2901);
const VALUE: Uuid = Uuid::new_long([8; 16]);
pub const NAME: &str = "PROV_0ABC01";
/// ATT_MTU and the four bytes of L2CAP's header: what ESP-IDF's NimBLE asks for.
const MTU: usize = 256 + 4;
/// What BlueZ asks for, which leaves room for the longest value.
const LARGE: usize = 517 + 4;

/// Has `ends` of a device and a phone do something, while their hosts run.
pub async fn hosts<T>(
    world: &World,
    ends: impl AsyncFnOnce(&Host<'_, MTU>, &Phone<'_>, &Heard) -> T,
) -> T {
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
pub struct Heard(pub RefCell<Vec<(BdAddr, Vec<u8>, i8)>>);

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

/// Serves one value of at most 512 bytes, to which `!` is added, until the connection ends; `bye`
/// makes the device end it. Why it ended.
pub async fn serve(connection: Connection<'_, Pool<MTU>>) -> u8 {
    let mut value = [0; 512];
    let mut table: AttributeTable<'_, NoopRawMutex, 8> = AttributeTable::new();
    let mut service = table.add_service(Service::new(SERVICE));
    let mut builder = service.add_characteristic(
        VALUE,
        [CharacteristicProp::Read, CharacteristicProp::Write],
        Empty,
        &mut value,
    );
    builder.add_descriptor_ro::<str, _>(DESCRIPTION, PermissionLevel::Allowed, "echo");
    let characteristic = builder.build();
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
                server
                    .table()
                    .write(characteristic.handle, 0, &data)
                    .expect("written");
                write.accept_unprocessed().expect("a reply").send().await;
                if data == b"bye!" {
                    connection.raw().disconnect();
                }
            }
            GattConnectionEvent::Gatt { event } => event.accept().expect("a reply").send().await,
            _ => {}
        }
    }
}

/// Connects to the device whose address ends so.
pub async fn connect<'s>(phone: &'s Phone<'_>, last: u8) -> Connection<'s, Pool<LARGE>> {
    let address = BdAddr::new([last, 0, 0, 0xC4, 0x0A, 0x24]);
    connect_to(phone, Address::new(AddrKind::PUBLIC, address)).await
}

/// Connects as soon as that device advertises.
pub async fn connect_to<'s>(phone: &'s Phone<'_>, peer: Address) -> Connection<'s, Pool<LARGE>> {
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
    phone: &'s Phone<'_>,
    connection: &Connection<'s, Pool<LARGE>>,
    f: impl AsyncFnOnce(&GattClient<'s, Hci, Pool<LARGE>, 4>, &Characteristic<[u8]>) -> T,
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

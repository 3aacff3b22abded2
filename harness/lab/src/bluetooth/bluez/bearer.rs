//! One connection: found, read and written by trouble-host's GATT client.

use std::time::Duration;

use tokio::sync::mpsc;
use trouble_host::BleHostError;
use trouble_host::prelude::{
    AddrKind, BdAddr, ConnectConfig, ConnectionEvent, GattClient, RequestedConnParams, ScanConfig,
    Uuid,
};

use super::advertised;
use super::devices::Devices;
use super::error::BluezError;
use super::gatt::{FoundCharacteristic, FoundService, LONGEST};
use super::host::{Connection, Hci, Packets, Stack};
use super::request::{Order, Reply};
use crate::bluetooth::host::PastHost;
use crate::bluetooth::radio::Address;

/// How long a device that does not advertise is waited for (Linux 6.1, `HCI_LE_CONN_TIMEOUT`).
const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// BlueZ's own defaults (Linux 6.1, `le_conn_min_interval` and its like).
const TIMING: RequestedConnParams = RequestedConnParams {
    min_connection_interval: embassy_time::Duration::from_millis(30),
    max_connection_interval: embassy_time::Duration::from_millis(50),
    max_latency: 0,
    min_event_length: embassy_time::Duration::from_millis(0),
    max_event_length: embassy_time::Duration::from_millis(0),
    supervision_timeout: embassy_time::Duration::from_millis(420),
};
const SERVICES: usize = 16;
const CHARACTERISTICS: usize = 64;
const DESCRIPTORS: usize = 8;
/// GAP and GATT, which BlueZ keeps to itself.
const HIDDEN: [Uuid; 2] = [Uuid::new_short(0x1800), Uuid::new_short(0x1801)];

type Client<'s> = GattClient<'s, Hci, Packets, SERVICES>;

/// Connects, does what is asked, and stays until the connection ends.
pub(super) async fn bear(
    stack: &Stack<'_>,
    past: &PastHost,
    devices: &Devices,
    device: Address,
    reply: Reply<()>,
    mut orders: mpsc::UnboundedReceiver<Order>,
) -> zbus::Result<()> {
    let waiting_for_device = devices.wait_for_device();
    let connection = tokio::select! {
        connected = connect(stack, devices, device) => connected,
        () = given_up(&mut orders) => {
            Err(BluezError::Failed("le-connection-abort-by-local".to_owned()))
        }
    };
    drop(waiting_for_device);
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => {
            // The caller may have gone.
            let _ = reply.send(Err(error));
            return Ok(());
        }
    };
    devices.set_connected(device, true).await?;
    let mut waiting = None;
    let served = async {
        let Ok(client) = Client::new(stack, &connection).await else {
            return Ok(());
        };
        let work = async {
            let Ok(services) = discover(&client, devices, device).await else {
                return zbus::Result::Ok(());
            };
            let mtu = connection.att_mtu();
            devices.publish(device, &services, mtu).await?;
            devices.set_resolved(device, true).await?;
            let _ = reply.send(Ok(()));
            while let Some(order) = orders.recv().await {
                match order {
                    Order::Disconnect { reply } => {
                        waiting = Some(reply);
                        connection.disconnect();
                    }
                    Order::Raw { pdu, mut reply } => {
                        let asking = devices.wait_for_device();
                        let answer = past.ask(connection.handle().raw(), &pdu);
                        let answer = tokio::select! {
                            answer = answer => answer.ok(),
                            () = reply.closed() => None,
                        };
                        drop(asking);
                        if let Some(answer) = answer {
                            // As above.
                            let _ = reply.send(answer);
                        }
                    }
                    order => carry_out(&client, devices, order).await,
                }
            }
            Ok(())
        };
        tokio::select! {
            // The client's task ends with the connection.
            _ = client.task() => Ok(()),
            worked = work => worked,
        }
    };
    tokio::select! {
        () = ended(&connection) => {}
        served = served => {
            connection.disconnect();
            ended(&connection).await;
            served?;
        }
    }
    devices.set_resolved(device, false).await?;
    devices.set_connected(device, false).await?;
    devices.withdraw(device).await?;
    if let Some(reply) = waiting {
        // The caller may have gone.
        let _: Result<(), _> = reply.send(Ok(()));
    }
    Ok(())
}

async fn connect<'s>(
    stack: &'s Stack<'_>,
    devices: &Devices,
    device: Address,
) -> Result<Connection<'s>, BluezError> {
    if !devices.knows(device) {
        return Err(BluezError::Failed("No such device".to_owned()));
    }
    let kind = if device.kind == 0 {
        AddrKind::PUBLIC
    } else {
        AddrKind::RANDOM
    };
    let peer = trouble_host::Address::new(kind, BdAddr::new(device.bytes));
    let config = ConnectConfig {
        scan_config: ScanConfig {
            filter_accept_list: &[peer],
            ..ScanConfig::default()
        },
        connect_params: TIMING,
    };
    let mut central = stack.central();
    let connected = devices
        .clock
        .timeout(CONNECT_LIMIT, central.connect(&config));
    match connected.await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(BluezError::Failed(format!("{error:?}"))),
        Err(_) => Err(BluezError::Failed(
            "le-connection-abort-by-local".to_owned(),
        )),
    }
}

/// Ends when no client wants the connection any more.
async fn given_up(orders: &mut mpsc::UnboundedReceiver<Order>) {
    while let Some(order) = orders.recv().await {
        if let Order::Disconnect { reply } = order {
            let _: Result<(), _> = reply.send(Ok(()));
            return;
        }
    }
    std::future::pending().await
}

/// Ends with the connection.
async fn ended(connection: &Connection<'_>) {
    loop {
        if let ConnectionEvent::Disconnected { .. } = connection.next().await {
            return;
        }
    }
}

type Failure = BleHostError<<Hci as embedded_io_async::ErrorType>::Error>;

/// All services, characteristics and descriptors. A device whose services begin and end where they did
/// when it was met first is taken to have what it had then: BlueZ 5.66 looks again only if that has
/// changed, or the device's Database Hash, which none here has; also for devices that are not paired.
async fn discover(
    client: &Client<'_>,
    devices: &Devices,
    device: Address,
) -> Result<Vec<FoundService>, Failure> {
    let mut services = Vec::new();
    for service in client.services().await? {
        if !HIDDEN.contains(&service.uuid()) {
            services.push(service);
        }
    }
    let places = services.iter().map(|service| {
        let range = service.handle_range();
        (*range.start(), *range.end(), text(&service.uuid()))
    });
    let places: Vec<_> = places.collect();
    if let Some(remembered) = devices.remembered(device, &places) {
        return Ok(remembered);
    }
    let mut found = Vec::new();
    for service in services {
        let mut characteristics = Vec::new();
        for characteristic in client.characteristics::<CHARACTERISTICS>(&service).await? {
            let descriptors = client
                .descriptors::<_, DESCRIPTORS>(&characteristic)
                .await?;
            characteristics.push(FoundCharacteristic {
                handle: characteristic.handle,
                uuid: text(&characteristic.uuid),
                properties: characteristic.props.to_raw(),
                descriptors: descriptors
                    .iter()
                    .map(|descriptor| (descriptor.handle(), text(descriptor.uuid())))
                    .collect(),
            });
        }
        found.push(FoundService {
            handle: *service.handle_range().start(),
            end: *service.handle_range().end(),
            uuid: text(&service.uuid()),
            characteristics,
        });
    }
    devices.remember(device, &found);
    Ok(found)
}

async fn carry_out(client: &Client<'_>, devices: &Devices, order: Order) {
    match order {
        Order::Read { handle, reply } => {
            let mut value = vec![0; LONGEST];
            let waiting = devices.wait_for_device();
            let read = client.read_handle(handle, &mut value).await;
            drop(waiting);
            // The caller may have gone, here and below.
            let _ = reply.send(read.map_err(refusal).map(|length| {
                value.truncate(length);
                value
            }));
        }
        Order::Write {
            handle,
            value,
            with_response,
            reply,
        } => {
            let waiting = devices.wait_for_device();
            let written = if with_response {
                client.write_handle(handle, &value).await
            } else {
                client.write_handle_without_response(handle, &value).await
            };
            drop(waiting);
            let _ = reply.send(written.map_err(refusal));
        }
        Order::Disconnect { .. } | Order::Raw { .. } => {}
    }
}

fn refusal(error: Failure) -> BluezError {
    match error {
        BleHostError::BleHost(trouble_host::Error::Att(code)) => BluezError::att(code.to_u8()),
        BleHostError::BleHost(trouble_host::Error::Disconnected) => BluezError::not_connected(),
        other => BluezError::Failed(format!("{other:?}")),
    }
}

fn text(uuid: &Uuid) -> String {
    advertised::uuid(uuid.as_raw())
}

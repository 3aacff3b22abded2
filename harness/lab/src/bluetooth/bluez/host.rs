//! The host behind one adapter: trouble-host as central on a virtual controller.

use std::collections::BTreeMap;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use trouble_host::prelude::{
    EventHandler, ExternalController, HostResources, LeAdvReportsIter, ScanConfig, Scanner,
};

use super::bearer::bear;
use super::devices::{Devices, Report};
use super::error::BluezError;
use super::request::{Order, Request};
use crate::bluetooth::host::{HciStream, Pool};
use crate::bluetooth::radio::Address;

/// BlueZ asks for an ATT_MTU of 517.
const PACKET: usize = 517 + 4;
/// Connections at once.
const CONNECTIONS: usize = 4;
/// Reports that may wait to be put on the bus; more are lost, and come again.
const REPORTS: usize = 64;

/// Why a host ended whose adapter was pulled out.
pub(super) const UNPLUGGED: &str = "its adapter was pulled out";

pub(super) type Packets = Pool<PACKET>;
pub(super) type Hci = ExternalController<HciStream<DuplexStream>, 8>;
pub(super) type Stack<'s> = trouble_host::Stack<'s, Hci, Packets>;
pub(super) type Connection<'s> = trouble_host::prelude::Connection<'s, Packets>;

/// Runs the host until its controller is gone. Why it ended.
pub(super) async fn run(
    hci: DuplexStream,
    mut requests: mpsc::UnboundedReceiver<Request>,
    devices: &Devices,
) -> String {
    let mut resources = HostResources::<Packets, CONNECTIONS, 1>::new();
    let hci = HciStream::new(hci);
    let past = hci.past();
    let stack = trouble_host::new(Hci::new(hci), &mut resources).build();
    let (reports, mut heard) = mpsc::channel(REPORTS);
    let ears = Ears(reports);
    let mut runner = stack.runner();
    let work = async {
        let mut central = stack.central();
        let mut session = None;
        let mut bearers: FuturesUnordered<LocalBoxFuture<'_, Address>> = FuturesUnordered::new();
        let mut open: BTreeMap<Address, mpsc::UnboundedSender<Order>> = BTreeMap::new();
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    None => return "its last client has gone",
                    Some(Request::Discover { on, reply }) => {
                        let answer = match (on, session.take()) {
                            (true, None) => {
                                // A bus that is gone shows in its requests.
                                let _ = devices.forget().await;
                                let mut scanner = Scanner::new(&mut central);
                                match scanner.scan(&ScanConfig::default()).await {
                                    Ok(begun) => {
                                        session = Some(begun);
                                        Ok(())
                                    }
                                    Err(error) => Err(BluezError::Failed(format!("{error:?}"))),
                                }
                            }
                            (true, running) => {
                                session = running;
                                Err(BluezError::InProgress("Operation already in progress".to_owned()))
                            }
                            (false, Some(running)) => {
                                running.stop().await;
                                // As above.
                                let _ = devices.quiet().await;
                                Ok(())
                            }
                            (false, None) => Ok(()),
                        };
                        // The caller may have gone.
                        let _ = reply.send(answer);
                    }
                    Some(Request::Unplug) => return UNPLUGGED,
                    Some(Request::Remove { node, reply }) => {
                        let answer = match devices.remove(&node).await {
                            Ok(true) => Ok(()),
                            _ => Err(BluezError::DoesNotExist("Does Not Exist".to_owned())),
                        };
                        let _ = reply.send(answer);
                    }
                    Some(Request::Connect { device, reply }) => {
                        if devices.is_connected(device) {
                            // `dev_connect` of BlueZ 5.66, for LE.
                            let _ = reply.send(Ok(()));
                        } else if open.contains_key(&device) {
                            let refused = "Operation already in progress".to_owned();
                            let _ = reply.send(Err(BluezError::InProgress(refused)));
                        } else if open.len() == CONNECTIONS {
                            let refused = "Too many connections".to_owned();
                            let _ = reply.send(Err(BluezError::Failed(refused)));
                        } else {
                            let (orders, taken) = mpsc::unbounded_channel();
                            open.insert(device, orders);
                            let (stack, past) = (&stack, &past);
                            bearers.push(async move {
                                // A bus that is gone ends everything by itself.
                                let _ = bear(stack, past, devices, device, reply, taken).await;
                                device
                            }.boxed_local());
                        }
                    }
                    Some(Request::Peer { device, order }) => match open.get(&device) {
                        // A reply that is dropped tells that there is no connection.
                        Some(orders) => drop(orders.send(order)),
                        None => {
                            if let Order::Disconnect { reply } = order {
                                let _ = reply.send(Err(BluezError::not_connected()));
                            }
                        }
                    },
                    Some(Request::Raw { device, pdu, reply }) => {
                        let mut open = open.iter();
                        if let Some((_, orders)) = open.find(|(known, _)| known.bytes == device) {
                            // A reply that is dropped tells that there is no connection.
                            drop(orders.send(Order::Raw { pdu, reply }));
                        }
                    }
                },
                Some(ended) = bearers.next(), if !bearers.is_empty() => {
                    open.remove(&ended);
                }
                Some(report) = heard.recv() => {
                    // A bus that is gone shows in its requests.
                    let _ = devices.heard(report).await;
                }
            }
        }
    };
    tokio::select! {
        ended = runner.run_with_handler(&ears) => format!("{ended:?}"),
        ended = work => ended.to_owned(),
    }
}

/// Hears reports.
struct Ears(mpsc::Sender<Report>);

impl EventHandler for Ears {
    fn on_adv_reports(&self, mut reports: LeAdvReportsIter<'_>) {
        while let Some(Ok(report)) = reports.next() {
            // See `REPORTS`.
            let _ = self.0.try_send(Report {
                address: Address {
                    kind: report.addr_kind.as_raw() & 1,
                    bytes: report.addr.into_inner(),
                },
                rssi: report.rssi,
                data: report.data.to_vec(),
            });
        }
    }
}

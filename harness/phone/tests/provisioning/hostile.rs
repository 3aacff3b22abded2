//! Whatever a device answers, the phone comes to an end, and without panic.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use phone::{ScanSettings, Settings, Tolerance, Transport, TransportError, TransportKind};
use proptest::prelude::*;
use proto::Message;
use proto::wifi_scan::{Payload, RespScanResult, RespScanStatus, WifiScanPayload, WifiScanResult};

use super::*;

/// Answers whatever it was given, one after the other and then from the beginning.
struct Parrot {
    kind: TransportKind,
    answers: VecDeque<Vec<u8>>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

impl Parrot {
    fn new(kind: TransportKind, answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            kind,
            answers: answers.into_iter().collect(),
            requests: Arc::default(),
        }
    }
}

impl Transport for Parrot {
    fn kind(&self) -> TransportKind {
        self.kind
    }

    fn peer(&self) -> String {
        "a parrot".into()
    }

    fn send<'s>(
        &'s mut self,
        endpoint: &'s str,
        _request: &'s [u8],
    ) -> BoxFuture<'s, Result<Vec<u8>, TransportError>> {
        self.requests.lock().unwrap().push(endpoint.to_owned());
        let answer = self.answers.pop_front().unwrap_or_default();
        self.answers.push_back(answer.clone());
        async move { Ok(answer) }.boxed()
    }

    fn forget(&mut self) {}
}

fn client(parrot: Parrot, settings: Settings) -> ProvisioningClient {
    let trace = Trace::in_memory(Clock::start(1000.0));
    ProvisioningClient::over(Box::new(parrot), settings, trace)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

/// What a session of security 0 begins with.
fn greeting() -> Vec<Vec<u8>> {
    vec![
        NO_SECURITY.as_bytes().to_vec(),
        hex::decode("52050801aa0100").unwrap(),
    ]
}

/// Bytes, or a message of an endpoint with some of them changed.
fn answer() -> impl Strategy<Value = Vec<u8>> {
    let messages = [
        SET_OK,
        APPLY_OK,
        CONNECTING,
        CONNECTED,
        AUTH_ERROR,
        ENDED,
        "08015a00",
        "08036a0408011002",
        "0802",
        "08021005",
    ];
    let mutated = (
        proptest::sample::select(messages.to_vec()),
        any::<proptest::sample::Index>(),
        any::<u8>(),
    )
        .prop_map(|(message, at, byte)| {
            let mut bytes = hex::decode(message).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), mutated]
}

proptest! {
    #[test]
    fn any_answers_end_every_request(
        answers in proptest::collection::vec(answer(), 1..12),
        greets in any::<bool>(),
        retries in 0_u32..3,
    ) {
        let greeting = if greets { greeting() } else { Vec::new() };
        let settings = Settings {
            tolerance: Tolerance { retries, pause: Duration::from_secs(1) },
            patience: Duration::from_secs(20),
            pop: Some("abcd1234".into()),
            ..Settings::of("alice")
        };
        for kind in TransportKind::ALL {
            run(async {
                let parrot = Parrot::new(kind, greeting.iter().chain(&answers).cloned());
                let mut client = client(parrot, settings.clone());
                let _ = client.establish().await;
                let _ = client.provision(&credentials()).await;
                let _ = client.reset().await;
                let _ = client.reprovision().await;
                let scan = ScanSettings { patience: Duration::from_secs(20), ..ScanSettings::default() };
                let _ = client.scan_as(&scan).await;
                let _ = client.custom("custom-data", b"hello").await;
                client.close().await;
            });
        }
    }
}

#[test]
fn results_are_fetched_as_the_transport_can_carry_them() {
    for (kind, requests) in [
        (TransportKind::Ble, 4),
        (TransportKind::SoftAp, 1),
        (TransportKind::Console, 1),
    ] {
        let found = |count: usize| {
            WifiScanPayload::from(Payload::RespScanResult(RespScanResult {
                entries: vec![WifiScanResult::default(); count],
            }))
            .encode_to_vec()
        };
        let status = WifiScanPayload::from(Payload::RespScanStatus(RespScanStatus {
            scan_finished: true,
            result_count: 16,
        }));
        let mut answers = greeting();
        answers.push(hex::decode("08015a00").unwrap());
        answers.push(status.encode_to_vec());
        answers.extend(std::iter::repeat_n(found(16 / requests), requests));
        let parrot = Parrot::new(kind, answers);
        let seen = parrot.requests.clone();
        run(async {
            let mut client = client(parrot, Settings::of("alice"));
            client.establish().await.unwrap();
            assert_eq!(client.scan().await.unwrap().found.len(), 16);
        });
        let scans = seen
            .lock()
            .unwrap()
            .iter()
            .filter(|name| *name == "prov-scan")
            .count();
        assert_eq!(scans, 2 + requests, "{kind}");
    }
}

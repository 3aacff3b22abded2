//! Bluetooth hosts and provisioning clients of others.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use factory::Security;
use futures_util::FutureExt;
use lab::bluetooth::{BluezPhone, BluezStandIn};
use phone::{
    Ble, BleSettings, Bluetooth, Credentials, Outcome, ProvisioningClient, Settings, Wanted,
};

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::lamp::{Lamp, NAME, PASSPHRASE, POP, SSID, logged};
use crate::outsider::{self, Outsider};
use crate::phone::{Case, Phone};
use crate::world::World;

pub const CASES: &[(&str, Case)] = &[
    (
        "bumble_reads_the_device_s_table_and_writes_any_length",
        |_| table().boxed_local(),
    ),
    ("espressif_s_modules_provision_over_bumble", |_| {
        espressif_provisions().boxed_local()
    }),
    ("espressif_s_modules_fail_and_recover_over_bumble", |_| {
        espressif_recovers().boxed_local()
    }),
    ("espressif_s_modules_with_wrong_secrets_are_refused", |_| {
        espressif_is_refused().boxed_local()
    }),
    (
        "espressif_s_own_transport_provisions_over_the_stand_in",
        |_| espressif_with_bleak().boxed_local(),
    ),
    ("our_phone_provisions_a_device_of_somebody_else", |bus| {
        phone_and_bumble(bus).boxed_local()
    }),
];

const USERNAME: &str = "wifiprov";
const PASSWORD: &str = "abcd1234";
/// What Espressif's modules come with.
const ESPRESSIF: &str = "bumble, rmaker_tools.common.prov";

fn fixture(name: &str) -> PathBuf {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    root.join("fixtures/judges").join(name)
}

fn security2() -> Security {
    let (salt, verifier) = phone::gen_sec2(USERNAME, PASSWORD);
    Security::V2 {
        username: USERNAME.into(),
        salt,
        verifier,
    }
}

async fn table() {
    let world = World::new();
    let _busy = world.clock.busy();
    let lamp = Lamp::start(&world, |factory| {
        factory.provisioning.security = Security::None;
    })
    .await;
    let judge = Outsider::start(&world, &fixture("ble_table.py"), &[NAME]).await;
    if let Some(judge) = judge {
        let said = judge.well().await;
        insta::assert_snapshot!("table", said);
        assert_eq!(logged(&world, "BLE transport: Disconnected!"), 1);
    }
    lamp.stop().await;
}

/// What the judge knows.
struct Knows<'k> {
    pop: &'k str,
    password: &'k str,
    networks: &'k [&'k str],
}

const RIGHT: Knows<'_> = Knows {
    pop: POP,
    password: PASSWORD,
    networks: &[SSID, PASSPHRASE],
};

/// What the judge says about a device of this security and patch version. None if there is no judge.
async fn espressif(
    world: &World,
    (security, patch): (Security, u8),
    knows: &Knows<'_>,
) -> Option<String> {
    let number = match security {
        Security::None => "0",
        Security::V1 { .. } => "1",
        Security::V2 { .. } => "2",
    };
    let pop = match &security {
        // Both sides go without one.
        Security::V1 { pop } if pop.is_empty() => "",
        _ => knows.pop,
    };
    let lamp = Lamp::start(world, |factory| {
        factory.provisioning.security = security;
        factory.provisioning.security2_patch = patch;
    })
    .await;
    let arguments = [NAME, number, pop, USERNAME, knows.password];
    let arguments = [&arguments[..], knows.networks].concat();
    let script = fixture("esp_prov_ble.py");
    let said = match Outsider::start_at_port(world, ESPRESSIF, &script, &arguments).await {
        Some(judge) => Some(judge.well().await),
        None => None,
    };
    lamp.stop().await;
    said
}

fn outcome(said: &str) -> &str {
    said.lines()
        .filter_map(|line| line.strip_prefix("judge: "))
        .next_back()
        .unwrap_or_else(|| panic!("{said}"))
}

/// All of them, with the patch version of security 2.
fn securities() -> [(Security, u8); 5] {
    let v1 = |pop: &str| Security::V1 { pop: pop.into() };
    [
        (Security::None, 1),
        (v1(POP), 1),
        (v1(""), 1),
        (security2(), 1),
        (security2(), 0),
    ]
}

async fn espressif_provisions() {
    for security in securities() {
        let world = World::new();
        let Some(said) = espressif(&world, security, &RIGHT).await else {
            return;
        };
        assert_eq!(outcome(&said), "connected", "{said}");
        assert!(said.contains("judge: heard home 6 -41 WPA2_PSK"), "{said}");
        assert_eq!(logged(&world, "Provisioning successful"), 1, "{said}");
    }
}

async fn espressif_recovers() {
    let networks = [
        SSID,
        "not the passphrase",
        "nobody's network",
        PASSPHRASE,
        SSID,
        PASSPHRASE,
    ];
    let knows = Knows {
        networks: &networks,
        ..RIGHT
    };
    for security in securities() {
        let world = World::new();
        let Some(said) = espressif(&world, security, &knows).await else {
            return;
        };
        assert_eq!(outcome(&said), "connected", "{said}");
        for reason in ["Incorrect Password", "Incorrect SSID"] {
            let line = format!("---- Failure reason: {reason} ----");
            assert!(said.contains(&line), "{said}");
        }
        let refusals = said.matches("judge: failed; without reset, refused apply");
        assert_eq!(refusals.count(), 2, "{said}");
    }
}

async fn espressif_is_refused() {
    let v1 = Security::V1 { pop: POP.into() };
    for (security, knows, refusal) in [
        (
            v1,
            Knows {
                pop: "dcba4321",
                ..RIGHT
            },
            "Key mismatch. Close connection",
        ),
        (
            security2(),
            Knows {
                password: "dcba4321",
                ..RIGHT
            },
            "Failed to authenticate client proof!",
        ),
    ] {
        let world = World::new();
        let Some(said) = espressif(&world, (security, 1), &knows).await else {
            return;
        };
        assert!(outcome(&said).starts_with("refused"), "{said}");
        let log: Vec<trace::LogLine> = world.events();
        assert!(
            log.iter().any(|line| line.text.contains(refusal)),
            "{log:#?}"
        );
        assert_eq!(logged(&world, "Provisioning successful"), 0);
    }
}

/// bleak on our BlueZ, as Espressif's command uses it; with somebody else's bus, too.
async fn espressif_with_bleak() {
    let world = World::new();
    let _busy = world.clock.busy();
    let folder = tempfile::tempdir().expect("a folder");
    let Some((bus, _daemon)) = dbus_daemon(&folder.path().join("bus")).await else {
        return;
    };
    let lamp = Lamp::start(&world, |_| {}).await;
    let phones = [BluezPhone {
        name: "app".to_owned(),
        address: [0x02, 0, 0, 0, 0, 0x0A],
    }];
    let stand_in = BluezStandIn::start(&world.ether, &world.clock, &bus, &phones).await;
    let way = format!("bleak@{bus}");
    let arguments = [&way, NAME, "1", POP, USERNAME, PASSWORD, SSID, PASSPHRASE];
    let modules = "bleak, rmaker_tools.common.prov";
    let script = fixture("esp_prov_ble.py");
    if let Some(judge) = Outsider::start_with(&world, modules, &script, &arguments).await {
        let said = judge.well().await;
        assert_eq!(outcome(&said), "connected", "{said}");
        assert_eq!(logged(&world, "Provisioning successful"), 1, "{said}");
    }
    drop(stand_in);
    lamp.stop().await;
}

/// A bus with its socket there, as long as the daemon lives; says so if there is none.
async fn dbus_daemon(socket: &Path) -> Option<(String, Child)> {
    let address = format!("unix:path={}", socket.display());
    let daemon = Command::new("dbus-daemon")
        .args(["--session", "--nofork", "--nopidfile", "--print-address"])
        .arg(format!("--address={address}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut daemon) = daemon else {
        assert!(
            std::env::var_os(outsider::REQUIRED).is_none(),
            "there is no dbus-daemon"
        );
        println!("skipped, because there is no dbus-daemon");
        return None;
    };
    let mut printed = BufReader::new(daemon.stdout.take().expect("piped"));
    let mut line = String::new();
    printed.read_line(&mut line).await.expect("an address");
    assert!(line.starts_with(&address), "{line}");
    Some((address, daemon))
}

async fn phone_and_bumble(bus: String) {
    const DEVICE: &str = "PROV_BUMBLE";
    for (pop, passphrase, expected) in [
        (
            POP,
            PASSPHRASE,
            "connected\ntold home correct horse\ndisconnected\n",
        ),
        (POP, "wrong", "connected\ntold home wrong\ndisconnected\n"),
        ("dcba4321", PASSPHRASE, "connected\ndisconnected\n"),
    ] {
        let world = World::new();
        let script = fixture("esp_ble_device.py");
        let arguments = [DEVICE, POP, SSID, PASSPHRASE];
        let device = Outsider::start_at_port(&world, ESPRESSIF, &script, &arguments).await;
        let Some(device) = device else { return };
        let _phone = Phone::new(&world, &bus).await;
        let bluetooth = Bluetooth::open(world.clock.clone(), None).await;
        let wanted = Wanted {
            name: Some(DEVICE.to_owned()),
            service: None,
        };
        let ble = Ble::new(
            bluetooth.expect("an adapter"),
            wanted,
            BleSettings::default(),
        );
        let settings = Settings {
            pop: Some(pop.to_owned()),
            ..Settings::of("app")
        };
        let mut client = ProvisioningClient::over(Box::new(ble), settings, world.trace.clone());
        let outcome = client.provision(&Credentials::new(SSID, passphrase)).await;
        client.close().await;
        let said = device.well().await;
        match (pop, passphrase) {
            (POP, PASSPHRASE) => {
                let Ok(Outcome::Connected(connected)) = outcome else {
                    panic!("{outcome:?}");
                };
                assert_eq!(connected.ip.to_string(), "192.168.43.243");
            }
            (POP, _) => assert!(matches!(outcome, Ok(Outcome::AuthError)), "{outcome:?}"),
            _ => assert!(
                matches!(outcome, Ok(Outcome::SessionRefused)),
                "{outcome:?}"
            ),
        }
        assert_eq!(said, expected);
    }
}

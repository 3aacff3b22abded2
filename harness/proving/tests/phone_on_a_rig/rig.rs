//! A rig whose parts are ours, with a rig file that says what each test wants of it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::imitated::Standing;

/// Where the board has its console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uart {
    /// On a UART of its own.
    Console,
    /// Where its log is.
    Log,
}

/// The rig; gone when dropped.
pub struct ImitatedRig {
    standing: Standing,
}

impl ImitatedRig {
    /// A rig with a board `device`; of what its file says of phones only `phone` is left.
    pub fn start(uart: Uart, phone: &str) -> Self {
        let on = match uart {
            Uart::Console => "uart",
            Uart::Log => "log",
        };
        let standing = Standing::start(&["--console-on", on]);
        let text = fs::read_to_string(standing.rig_toml()).unwrap();
        let (text, _) = text.split_once("[phone]").unwrap();
        let rig = standing.rig();
        let at = |name: &str| rig.join(name).display().to_string();
        let text = text
            .replace("\"./rig\"", &format!("\"{}\"", at("rig")))
            .replace("\"uart\"", &format!("\"{}\"", at("uart")))
            .replace(
                "socket:console.sock",
                &format!("socket:{}", at("console.sock")),
            );
        fs::write(standing.folder().join("rig.toml"), format!("{text}{phone}")).unwrap();
        Self { standing }
    }

    pub fn folder(&self) -> &Path {
        self.standing.folder()
    }

    /// `proving` with these arguments, beside the rig file.
    pub fn proving(&self, arguments: &[&str]) -> Command {
        self.standing.proving(arguments)
    }

    /// The passphrase of its access point `home`.
    pub fn passphrase(&self) -> String {
        let env = self.standing.env();
        let mut env = env.into_iter();
        let found = env.find(|(name, _)| name == "HOME_PASSPHRASE");
        found.unwrap().1
    }

    /// The network that its Wi-Fi interface is in, as far as it was ever in another than at first.
    pub fn connected_to(&self) -> Option<String> {
        let told = self.wifi().pop()?;
        let (to, _) = told.split_once(": ")?;
        (to != "no network").then(|| to.to_owned())
    }

    /// How often that has changed.
    pub fn wifi_switches(&self) -> usize {
        self.wifi().len()
    }

    fn wifi(&self) -> Vec<String> {
        let told = self.standing.told();
        let told = told.iter();
        let wifi = told.filter_map(|line| line.strip_prefix("Wi-Fi of the host is in "));
        wifi.map(str::to_owned).collect()
    }

    /// Takes the board's power, as the rig's command does.
    pub fn power_off(&self) {
        self.standing.rig_does(&["power", "off"]);
    }
}

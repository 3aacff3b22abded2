//! What can be said after `proving prov`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use phone::TransportKind;

use super::secret::SecretSource;
use crate::cli::arguments::{MessageFormat, time};

const SECRETS: &str = "\
Secrets: `env:NAME` takes the value of a variable, `file:PATH` the first line of a file, and `-`
asks; `text:VALUE` is the secret itself, which other users of this host can see.

Exit code: 0 done, 1 the device or what it was told is at fault, 2 mistake in the command line,
3 the device was not reached or this host is at fault, 4 nothing advertises, 130 interrupted.";

#[derive(Debug, Args)]
#[command(after_help = SECRETS)]
pub(in crate::cli) struct Prov {
    #[command(flatten)]
    pub(super) reach: Reach,
    #[command(subcommand)]
    pub(super) command: ProvCommand,
}

/// Which device, how, and what its owner knows.
#[derive(Debug, Args)]
#[command(next_help_heading = "Device")]
pub(super) struct Reach {
    /// softap, ble or console [default: as the QR code says, or softap]
    #[arg(long, value_name = "NAME", global = true)]
    pub(super) transport: Option<TransportKind>,
    /// What the device's QR code says, or the address in its log; may hold secrets
    #[arg(long, value_name = "SECRET", global = true)]
    pub(super) qr: Option<SecretSource>,
    /// Over softap: where the device is
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://192.168.4.1",
        global = true
    )]
    pub(super) url: String,
    /// Over softap: join the device's network with this Wi-Fi interface first, by way of
    /// NetworkManager, and put the interface back afterwards; without it nothing is touched
    #[arg(long, value_name = "INTERFACE", global = true)]
    pub(super) wifi: Option<String>,
    /// With --wifi: passphrase of the device's network [default: the QR code's, or none]
    #[arg(long, value_name = "SECRET", requires = "wifi", global = true)]
    pub(super) service_key: Option<SecretSource>,
    /// Over console: the device's serial port, or a Unix socket that leads to it
    #[arg(long, value_name = "PATH", global = true)]
    pub(super) port: Option<PathBuf>,
    /// Over console: bits per second
    #[arg(long, value_name = "N", default_value_t = 115_200, global = true)]
    pub(super) baud: u32,
    /// Over console: longest line that the device reads, in bytes with its end; 0 for any
    #[arg(long, value_name = "N", default_value_t = 256, global = true)]
    pub(super) line_limit: usize,
    /// Over ble: the name or address that the device advertises; with --wifi: its network [default:
    /// as the QR code says; over ble, the only one called PROV_…]
    #[arg(long, value_name = "NAME", global = true)]
    pub(super) name: Option<String>,
    /// Over ble: the service that the device advertises
    #[arg(long, value_name = "UUID", global = true)]
    pub(super) service: Option<String>,
    /// Over ble: this host's adapter, such as hci0 [default: the first]
    #[arg(long, value_name = "NAME", global = true)]
    pub(super) adapter: Option<String>,
    /// Security to speak: 0, 1 or 2 [default: the device's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=2), global = true)]
    pub(super) security: Option<u8>,
    /// Proof of possession, for security 1 [default: the QR code's, or asked for]
    #[arg(long, value_name = "SECRET", global = true)]
    pub(super) pop: Option<SecretSource>,
    /// User name, for security 2 [default: the QR code's, or wifiprov]
    #[arg(long, value_name = "NAME", global = true)]
    pub(super) username: Option<String>,
    /// Password, for security 2 [default: the QR code's, or asked for]
    #[arg(long, value_name = "SECRET", global = true)]
    pub(super) password: Option<SecretSource>,
    /// How long one request may take
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = time, global = true)]
    pub(super) timeout: Duration,
    /// Give up when an answer is lost, instead of trying again in a new session
    #[arg(long, global = true)]
    pub(super) no_retry: bool,
    /// Write what is exchanged to a file, for `proving trace show`; secrets are replaced by names
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) trace: Option<PathBuf>,
    /// Format of the output: text, or a JSON object
    #[arg(long, value_name = "FORMAT", default_value = "human", global = true)]
    pub(super) message_format: MessageFormat,
}

#[derive(Debug, Subcommand)]
pub(super) enum ProvCommand {
    /// Look for devices: those that advertise over ble, or the one at --url or --port
    Scan(Scan),
    /// What the device says of itself; needs no secret
    Info,
    /// Have the device look for access points
    WifiScan(WifiScan),
    /// Send credentials, have the device apply them, and wait for the result
    Set(Set),
    /// What became of the credentials; exit code 1 if they failed
    Status,
    /// Clear a failure on the device, so that other credentials can be sent
    Reset,
    /// Begin anew on a device that is provisioned and still offers its service
    Reprov,
    /// Send something to an endpoint of the application's own, and print the answer
    Custom(Custom),
    /// Make salt and verifier for a device with security 2
    GenSec2(GenSec2),
}

#[derive(Debug, Args)]
pub(super) struct Scan {
    /// How long to listen
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = time)]
    pub(super) listen: Duration,
}

#[derive(Debug, Args)]
pub(super) struct WifiScan {
    /// Only listen, instead of asking who is there
    #[arg(long)]
    pub(super) passive: bool,
    /// Channels between two pauses; 0 for none [default: 5 over softap, 0 otherwise]
    #[arg(long, value_name = "N")]
    pub(super) group_channels: Option<u32>,
    /// Time on each channel
    #[arg(long, value_name = "TIME", default_value = "120ms", value_parser = time)]
    pub(super) period: Duration,
    /// Ask whether it is done, instead of waiting in one request
    #[arg(long)]
    pub(super) no_blocking: bool,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// Name of the network, as `wifi-scan` spells it: \xNN is a byte, \\ a backslash
    #[arg(long, value_name = "SSID")]
    pub(super) ssid: trace::Ssid,
    /// Passphrase [default: asked for]
    #[arg(long, value_name = "SECRET", conflicts_with = "open")]
    pub(super) passphrase: Option<SecretSource>,
    /// The network has no passphrase
    #[arg(long)]
    pub(super) open: bool,
    /// How long to wait for the device to join
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = time)]
    pub(super) patience: Duration,
    /// Time between two requests for the status
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = time)]
    pub(super) poll: Duration,
    /// Clear an earlier failure on the device first
    #[arg(long)]
    pub(super) reset_first: bool,
    /// Make a binding token and hand it over on this endpoint
    #[arg(long, value_name = "ENDPOINT")]
    pub(super) token_endpoint: Option<String>,
    /// Make a binding token and send it with the credentials to this endpoint (`switchap`)
    #[arg(long, value_name = "ENDPOINT", conflicts_with_all = ["token_endpoint", "reset_first"])]
    pub(super) switchap_endpoint: Option<String>,
    #[command(flatten)]
    pub(super) bind: Bind,
}

/// Where the device is to be bound, once it has reported the phone's token.
#[derive(Debug, Args)]
#[group(requires = "cloud", multiple = true)]
pub(super) struct Bind {
    /// Bind the device at this cloud, by the token that was handed over
    #[arg(long, value_name = "ADDR", requires_all = ["account", "product_key", "device_name"])]
    pub(super) cloud: Option<std::net::SocketAddrV4>,
    /// Account to bind the device to
    #[arg(long, value_name = "NAME")]
    pub(super) account: Option<String>,
    /// The device's product key
    #[arg(long, value_name = "KEY")]
    pub(super) product_key: Option<String>,
    /// The device's name at the cloud
    #[arg(long, value_name = "NAME")]
    pub(super) device_name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Custom {
    /// The endpoint
    pub(super) endpoint: String,
    /// Send this text
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["hex", "file"], default_value = "")]
    pub(super) data: String,
    /// Send these bytes
    #[arg(long, value_name = "DIGITS", conflicts_with = "file")]
    pub(super) hex: Option<String>,
    /// Send what stands in a file
    #[arg(long, value_name = "PATH")]
    pub(super) file: Option<PathBuf>,
    /// Print the answer as hex digits, even if it is text
    #[arg(long)]
    pub(super) print_hex: bool,
}

#[derive(Debug, Args)]
pub(super) struct GenSec2 {
    /// Length of the salt in bytes
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(super) salt_length: u8,
    /// As C arrays, such as ESP-IDF's examples have
    #[arg(long)]
    pub(super) c: bool,
}

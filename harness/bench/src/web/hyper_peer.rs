//! hyper with the device's page, in a process of its own.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, body};
use hyper_util::rt::TokioIo;
use pki::Pki;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::PAGE;
use crate::own_process::{OwnProcess, say_and_wait};
use crate::setup::{Outcome, Setup};

/// The hidden subcommand that is this server.
pub const PEER: &str = "__web_peer";

/// The server. Ended when dropped.
pub struct Hyper {
    /// Where it listens.
    pub address: SocketAddr,
    _process: OwnProcess,
}

impl Hyper {
    /// Starts it; the certificate of its authority is put into `folder` as `ca.pem`.
    pub fn start(setup: &Setup, folder: &Path) -> Outcome<Self> {
        let arguments = [OsStr::new(PEER), folder.as_os_str()];
        let (process, line) = OwnProcess::start(setup, arguments)?;
        let address = line.trim().parse();
        Ok(Self {
            address: address.map_err(|error| format!("hyper did not start: {error}: {line:?}"))?,
            _process: process,
        })
    }
}

/// The process: says where it listens, and ends with its standard input.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> Outcome<()> {
    let folder = arguments.next().ok_or("say where the certificate goes")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let pki = Pki::new(now)?;
    std::fs::write(
        Path::new(&folder).join("ca.pem"),
        pki.authority("ca")?.pem(),
    )?;
    let identity = pki.mint("server", &["localhost"], "localhost")?;
    let chain = identity.chain_der().iter();
    let chain = chain.map(|der| CertificateDer::from(der.clone())).collect();
    let key = PrivateKeyDer::Pkcs8(identity.key_der().to_vec().into());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    // As the device: one thread for everything.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::select! {
            served = serve(listener, TlsAcceptor::from(Arc::new(config))) => served,
            ended = say_and_wait(&address) => ended,
        }
    })
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor) -> Outcome<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(socket).await else {
                return;
            };
            let page = service_fn(async |_: Request<body::Incoming>| {
                Ok::<_, Infallible>(Response::new(PAGE.to_owned()))
            });
            // A client that hangs up has what it wanted.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), page)
                .await;
        });
    }
}

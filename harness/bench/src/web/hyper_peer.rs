//! hyper with the device's page, in a process of its own.

use std::convert::Infallible;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
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
use crate::setup::{Outcome, Setup};

/// The hidden subcommand that is this server.
pub const PEER: &str = "__web_peer";

/// The server. Ended when dropped.
pub struct Hyper {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
}

impl Hyper {
    /// Starts it; the certificate of its authority is put into `folder` as `ca.pem`.
    pub fn start(setup: &Setup, folder: &Path) -> Outcome<Self> {
        let mut process = Command::new(&setup.own)
            .arg(PEER)
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = &mut process.stdout {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let address = line.trim().parse();
        let address = address.map_err(|error| format!("hyper did not start: {error}: {line:?}"));
        let mut hyper = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            process,
        };
        hyper.address = address?;
        Ok(hyper)
    }
}

impl Drop for Hyper {
    fn drop(&mut self) {
        // It ends with its standard input, and at the latest by this.
        let _ = self.process.kill();
        let _ = self.process.wait();
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
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let (ended, end) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            // Nothing comes; what counts is the end.
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            let _ = ended.send(());
        });
        tokio::select! {
            served = serve(listener, TlsAcceptor::from(Arc::new(config))) => served,
            _ = end => Ok(()),
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

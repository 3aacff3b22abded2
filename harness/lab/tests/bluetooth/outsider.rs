//! Programs of others at the TCP port.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use clock::Busy;
use embassy_futures::join::join;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::world::World;

/// Set where a judge that is missing is a failure.
pub const REQUIRED: &str = "PROVING_JUDGES_REQUIRED";
/// Folder of the Python environment with the judges.
const JUDGES: &str = "PROVING_JUDGES";

/// A Python that has these modules; says so if there is none.
async fn python(modules: &str) -> Option<PathBuf> {
    let python = std::env::var_os(JUDGES).map(|folder| PathBuf::from(folder).join("bin/python"));
    if let Some(python) = &python {
        let found = Command::new(python)
            .args(["-c", &format!("import {modules}")])
            .stderr(Stdio::null())
            .status()
            .await;
        if found.is_ok_and(|status| status.success()) {
            return Some(python.clone());
        }
    }
    assert!(
        std::env::var_os(REQUIRED).is_none(),
        "{JUDGES} names no Python with {modules}"
    );
    println!("skipped, because {JUDGES} names no Python with {modules}");
    None
}

/// A Python program; lab time does not run ahead while it does.
pub struct Outsider {
    child: Child,
    _busy: Busy,
}

impl Outsider {
    /// Starts a script that needs Bumble at the world's port.
    pub async fn start(world: &World, script: &Path, arguments: &[&str]) -> Option<Self> {
        Self::start_at_port(world, "bumble", script, arguments).await
    }

    /// Starts a script that needs these modules, and is told the address of the world's port first.
    pub async fn start_at_port(
        world: &World,
        modules: &str,
        script: &Path,
        arguments: &[&str],
    ) -> Option<Self> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let port = world.ether.open_port(anywhere).await;
        let port = port.expect("a port").to_string();
        let arguments = [&[&port[..]], arguments].concat();
        Self::start_with(world, modules, script, &arguments).await
    }

    /// Starts a script that needs these modules.
    pub async fn start_with(
        world: &World,
        modules: &str,
        script: &Path,
        arguments: &[&str],
    ) -> Option<Self> {
        let child = Command::new(python(modules).await?)
            .arg(script)
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("started");
        Some(Self {
            child,
            _busy: world.clock.busy(),
        })
    }

    /// What it has said in the end.
    pub async fn said(mut self) -> Said {
        let (mut out, mut err) = (String::new(), String::new());
        let mut stdout = self.child.stdout.take().expect("piped");
        let mut stderr = self.child.stderr.take().expect("piped");
        let (_, _) = join(
            stdout.read_to_string(&mut out),
            stderr.read_to_string(&mut err),
        )
        .await;
        Said {
            status: self.child.wait().await.expect("it ends"),
            out,
            err,
        }
    }

    /// What it has said in the end, which must have been well.
    pub async fn well(self) -> String {
        let said = self.said().await;
        assert!(said.status.success(), "{said}");
        said.out
    }
}

/// What an outsider has said.
pub struct Said {
    status: ExitStatus,
    out: String,
    err: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}", self.status, self.out, self.err)
    }
}

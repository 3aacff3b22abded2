//! The probe's link to the debugger.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::bmp::{Answer, Command, Decoder, Refusal};
use super::dap::Dap;
use super::execute::execute;
use super::swd::Slave;
use super::{Backend, Faults, ProbeFault};

/// USB identification by which debuggers know a Black Magic Probe.
const IDENTIFICATION: &str = "1d50:6018";
/// How long a debugger waits for its predecessor to have left.
const LEAVE_LIMIT: Duration = Duration::from_millis(200);
/// How often a probe that hangs looks whether it still does.
const HANG_CHECK: Duration = Duration::from_millis(20);

/// A target that a probe and its owner share. It is locked for one command at a time.
pub type SharedTarget<B> = Arc<Mutex<Dap<B>>>;

/// A probe on a port of its own; dropping it closes the port.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    link: Arc<Link>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the threads of one probe share.
#[derive(Debug, Default)]
struct Link {
    closing: AtomicBool,
    /// The present debugger's connection.
    debugger: Mutex<Option<TcpStream>>,
}

impl Server {
    /// A probe for `target` on a free port of loopback.
    pub fn start<B: Backend + 'static>(
        target: SharedTarget<B>,
        faults: Faults,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let link = Arc::new(Link::default());
        let acceptor = thread::Builder::new().name("probe".to_owned()).spawn({
            let link = Arc::clone(&link);
            move || accept(&listener, &link, &target, &faults)
        })?;
        Ok(Self {
            address,
            link,
            acceptor: Some(acceptor),
        })
    }

    /// What a debugger opens the probe by: USB identification and serial number.
    pub fn selector(&self) -> String {
        format!("{IDENTIFICATION}:{}", self.address)
    }

    /// Pulls the cable: the present debugger loses its connection.
    pub fn drop_link(&self) {
        self.link.close();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.link.closing.store(true, Ordering::Release);
        self.link.close();
        // Wakes the acceptor; if the acceptor is gone, it has ended already.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            // A panic there was reported by its thread.
            let _ = acceptor.join();
        }
    }
}

impl Link {
    fn debugger(&self) -> MutexGuard<'_, Option<TcpStream>> {
        self.debugger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        if let Some(stream) = &*self.debugger() {
            // It may be closed already.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

/// Takes one debugger at a time, as a probe can be opened once; others find the link closed.
fn accept<B: Backend + 'static>(
    listener: &TcpListener,
    link: &Arc<Link>,
    target: &SharedTarget<B>,
    faults: &Faults,
) {
    let mut serving: Option<JoinHandle<()>> = None;
    for stream in listener.incoming() {
        if link.closing.load(Ordering::Acquire) {
            break;
        }
        let Ok(stream) = stream else { continue };
        if !has_left(serving.as_ref()) || faults.present() == Some(ProbeFault::LinkDropped) {
            continue;
        }
        *link.debugger() = stream.try_clone().ok();
        let (target, faults, link) = (Arc::clone(target), faults.clone(), Arc::clone(link));
        serving = thread::Builder::new()
            .name("probe session".to_owned())
            .spawn(move || {
                // However the link ends, the debugger has noticed.
                let _ = serve(&stream, &link, &target, &faults);
                let _ = stream.shutdown(std::net::Shutdown::Both);
            })
            .ok();
    }
    link.close();
    if let Some(thread) = serving {
        // A panic there was reported by its thread.
        let _ = thread.join();
    }
}

fn has_left(serving: Option<&JoinHandle<()>>) -> bool {
    let deadline = Instant::now() + LEAVE_LIMIT;
    while serving.is_some_and(|thread| !thread.is_finished()) {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

fn serve<B: Backend>(
    mut stream: &TcpStream,
    link: &Link,
    target: &SharedTarget<B>,
    faults: &Faults,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut decoder = Decoder::default();
    let mut slave = Slave::default();
    let mut chunk = [0; 4096];
    let mut answers = Vec::new();
    loop {
        let length = stream.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        answers.clear();
        for command in chunk[..length]
            .iter()
            .filter_map(|byte| decoder.push(*byte))
        {
            while faults.present() == Some(ProbeFault::Hung) {
                if link.closing.load(Ordering::Acquire) {
                    return Ok(());
                }
                thread::sleep(HANG_CHECK);
            }
            if faults.present() == Some(ProbeFault::LinkDropped) {
                return Ok(());
            }
            answers.extend_from_slice(&answer(command, &mut slave, target).encode());
        }
        stream.write_all(&answers)?;
    }
}

fn answer<B: Backend>(
    command: Result<Command, Refusal>,
    slave: &mut Slave,
    target: &SharedTarget<B>,
) -> Answer {
    match command {
        Ok(command) => {
            let mut target = target.lock().unwrap_or_else(PoisonError::into_inner);
            execute(command, slave, &mut target)
        }
        Err(refusal) => Answer::Refused(refusal),
    }
}

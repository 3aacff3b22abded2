//! Somebody between phone and device: a proxy with which answers go astray.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// No head of these peers is longer, in bytes.
const LONGEST_HEAD: usize = 4096;

/// What becomes of a request.
pub enum Mishap {
    /// Nothing: the phone gets the device's answer.
    None,
    /// The device answers, and the answer never arrives.
    LoseAnswer,
    /// The device answers, and the phone reads this.
    Replace(Vec<u8>),
    /// Another phone asks for the version first, which takes the device's only session.
    Intruder,
}

/// What a phone asks.
pub struct Request<'r> {
    /// How many were before it.
    pub number: usize,
    pub path: &'r str,
    pub body: &'r [u8],
}

type Judge = Box<dyn FnMut(&Request<'_>) -> Mishap + Send>;

/// The proxy. Its threads end with the test.
pub struct Between {
    address: SocketAddrV4,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Between {
    /// Before `device`; `judge` says what becomes of each request.
    pub fn start(
        device: SocketAddrV4,
        judge: impl FnMut(&Request<'_>) -> Mishap + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let paths = Arc::new(Mutex::new(Vec::new()));
        let judge: Arc<Mutex<Judge>> = Arc::new(Mutex::new(Box::new(judge)));
        let seen = paths.clone();
        std::thread::spawn(move || {
            for phone in listener.incoming().flatten() {
                let (judge, seen) = (judge.clone(), seen.clone());
                std::thread::spawn(move || carry(phone, device, &judge, &seen));
            }
        });
        Self { address, paths }
    }

    /// What the phone takes for the device.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The paths that were asked for so far.
    pub fn paths(&self) -> Vec<String> {
        self.paths
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Carries a phone's requests until one of the two hangs up.
fn carry(
    mut phone: TcpStream,
    device: SocketAddrV4,
    judge: &Mutex<Judge>,
    seen: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut upstream = TcpStream::connect(device).ok()?;
    loop {
        let (head, body) = message(&mut phone)?;
        let path = head.split(' ').nth(1)?.to_owned();
        let number = {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(path.clone());
            seen.len() - 1
        };
        let request = Request {
            number,
            path: &path,
            body: &body,
        };
        let mishap = judge.lock().unwrap_or_else(PoisonError::into_inner)(&request);
        if matches!(mishap, Mishap::Intruder) {
            let mut intruder = TcpStream::connect(device).ok()?;
            let asked = "POST /proto-ver HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n---";
            intruder.write_all(asked.as_bytes()).ok()?;
            message(&mut intruder)?;
        }
        upstream.write_all(head.as_bytes()).ok()?;
        upstream.write_all(&body).ok()?;
        let (head, body) = message(&mut upstream)?;
        match mishap {
            Mishap::LoseAnswer => return None,
            Mishap::Replace(body) => {
                let length = body.len();
                write!(phone, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").ok()?;
                phone.write_all(&body).ok()?;
            }
            Mishap::None | Mishap::Intruder => {
                phone.write_all(head.as_bytes()).ok()?;
                phone.write_all(&body).ok()?;
            }
        }
    }
}

/// A head with its empty line, and as many bytes as it announces.
fn message(from: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
        if head.len() > LONGEST_HEAD {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    from.read_exact(&mut body).ok()?;
    Some((head, body))
}

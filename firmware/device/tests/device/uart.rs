//! A UART made of memory, and the terminal at its other end.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use embassy_time::{Duration, with_timeout};
use embedded_io_async::{ErrorType, Read, Write};
use proto::Message;

/// Long enough for whatever the device does before it prompts again.
const LIMIT: Duration = Duration::from_secs(10);

/// Both ends; clones are the same.
#[derive(Clone, Default)]
pub struct Uart(Rc<RefCell<Line>>);

#[derive(Default)]
struct Line {
    to_device: VecDeque<u8>,
    to_terminal: Vec<u8>,
    wakers: Vec<Waker>,
}

impl Line {
    fn wake(&mut self) {
        for waker in self.wakers.drain(..) {
            waker.wake();
        }
    }
}

impl Uart {
    /// Types this in one go, and returns what is printed until the next prompt, without it.
    pub async fn type_in(&self, text: &[u8]) -> String {
        self.send(text);
        self.until_prompt().await
    }

    /// Types this in one go.
    pub fn send(&self, text: &[u8]) {
        let mut line = self.0.borrow_mut();
        line.to_device.extend(text);
        line.wake();
    }

    /// What has been printed since the last time.
    pub fn take(&self) -> String {
        String::from_utf8(self.take_bytes()).unwrap()
    }

    /// The same, where it may be no text.
    pub fn take_bytes(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().to_terminal)
    }

    /// What is printed until the next prompt, without it.
    pub async fn until_prompt(&self) -> String {
        let prompt = poll_fn(|context| {
            let mut line = self.0.borrow_mut();
            match line.to_terminal.strip_suffix(b"\n>> ") {
                Some(printed) => {
                    let printed = printed.to_vec();
                    line.to_terminal.clear();
                    Poll::Ready(String::from_utf8(printed).unwrap())
                }
                None => {
                    line.wakers.push(context.waker().clone());
                    Poll::Pending
                }
            }
        });
        with_timeout(LIMIT, prompt).await.expect("a prompt")
    }

    /// A request's response, if there is one.
    pub async fn request(&self, endpoint: &str, session: u32, body: &[u8]) -> Option<Vec<u8>> {
        let line = format!("{endpoint} {session} {}\r", hex::encode(body));
        let printed = self.type_in(line.as_bytes()).await;
        let printed = printed.strip_prefix(&line).expect("an echo");
        match printed {
            "\n" => None,
            printed => {
                let digits = printed
                    .strip_prefix("\n\r\n")
                    .and_then(|printed| printed.strip_suffix("\r\n"))
                    .unwrap_or_else(|| panic!("{printed:?}"));
                assert!(!digits.bytes().any(|byte| byte.is_ascii_uppercase()));
                Some(hex::decode(digits).unwrap())
            }
        }
    }

    /// A message's response.
    pub async fn call<M: Message + Default>(&self, endpoint: &str, request: &M) -> M {
        let response = self.request(endpoint, 0, &request.encode_to_vec()).await;
        M::decode(&response.expect("a response")[..]).unwrap()
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl Read for Uart {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|context| {
            let mut line = self.0.borrow_mut();
            let length = line.to_device.len().min(buffer.len());
            if length == 0 {
                line.wakers.push(context.waker().clone());
                return Poll::Pending;
            }
            for (place, byte) in buffer.iter_mut().zip(line.to_device.drain(..length)) {
                *place = byte;
            }
            Poll::Ready(Ok(length))
        })
        .await
    }
}

impl Write for Uart {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let mut line = self.0.borrow_mut();
        line.to_terminal.extend_from_slice(bytes);
        line.wake();
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

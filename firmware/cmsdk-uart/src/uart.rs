//! The UART as tasks use it.

use core::convert::Infallible;
use core::future::poll_fn;

use embedded_io_async::{ErrorType, Read, Write};

use crate::state::Waiting;
use crate::{Bus, State};

/// Both directions of a UART.
#[derive(Debug)]
pub struct Uart<B: 'static, const ROOM: usize> {
    receiver: Receiver<B, ROOM>,
    transmitter: Transmitter<B, ROOM>,
}

/// What comes in. Reads are cancel safe; one task reads at a time.
#[derive(Debug)]
pub struct Receiver<B: 'static, const ROOM: usize> {
    bus: B,
    state: &'static State<ROOM>,
}

/// What goes out. A write that is dropped has sent a part; one task writes at a time.
#[derive(Debug)]
pub struct Transmitter<B: 'static, const ROOM: usize> {
    bus: B,
    state: &'static State<ROOM>,
}

impl<B: Bus + Clone, const ROOM: usize> Uart<B, ROOM> {
    /// Sets the UART up, at its clock's frequency divided by `divider` as its baud rate.
    pub fn new(mut bus: B, state: &'static State<ROOM>, divider: u32) -> Self {
        state.start(&mut bus, divider);
        Self {
            receiver: Receiver {
                bus: bus.clone(),
                state,
            },
            transmitter: Transmitter { bus, state },
        }
    }
}

impl<B, const ROOM: usize> Uart<B, ROOM> {
    /// Each direction for itself.
    pub fn split(self) -> (Receiver<B, ROOM>, Transmitter<B, ROOM>) {
        (self.receiver, self.transmitter)
    }
}

impl<B, const ROOM: usize> Receiver<B, ROOM> {
    /// How often bytes were lost because they were not read in time.
    pub fn overruns(&self) -> u32 {
        self.state.overruns()
    }

    /// What has come and was not read; waits until it is `enough`. Cancel safe.
    pub async fn wait_until(&self, enough: impl Fn(Waiting) -> bool) -> Waiting {
        poll_fn(|context| self.state.poll_waiting(context, &enough)).await
    }
}

impl<B, const ROOM: usize> ErrorType for Receiver<B, ROOM> {
    type Error = Infallible;
}

impl<B: Bus, const ROOM: usize> Read for Receiver<B, ROOM> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.wait_until(|waiting| waiting.length > 0).await;
        Ok(self.state.take(&mut self.bus, buffer))
    }
}

impl<B, const ROOM: usize> ErrorType for Transmitter<B, ROOM> {
    type Error = Infallible;
}

impl<B: Bus, const ROOM: usize> Write for Transmitter<B, ROOM> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let Self { bus, state } = self;
        Ok(poll_fn(|context| state.poll_send(bus, context, bytes)).await)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        let Self { bus, state } = self;
        poll_fn(|context| state.poll_empty(bus, context)).await;
        Ok(())
    }
}

impl<B, const ROOM: usize> ErrorType for Uart<B, ROOM> {
    type Error = Infallible;
}

impl<B: Bus, const ROOM: usize> Read for Uart<B, ROOM> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        self.receiver.read(buffer).await
    }
}

impl<B: Bus, const ROOM: usize> Write for Uart<B, ROOM> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.transmitter.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        self.transmitter.flush().await
    }
}

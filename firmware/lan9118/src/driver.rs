//! The chip as embassy-net sees it.

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};

use crate::chip::{Statistics, send};
use crate::{Bus, Lan9118, MAX_FRAME};

impl<B: Bus> Driver for Lan9118<B> {
    type RxToken<'t>
        = RxToken<'t>
    where
        B: 't;
    type TxToken<'t>
        = TxToken<'t, B>
    where
        B: 't;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(RxToken<'_>, TxToken<'_, B>)> {
        // An answer may follow, so both directions must be possible.
        if !self.has_room_or_listens(context) {
            return None;
        }
        let length = self.take_frame_or_listen(context)?;
        Some((
            RxToken {
                frame: &mut self.received[..length],
            },
            TxToken {
                bus: &mut self.bus,
                statistics: &mut self.statistics,
                buffer: &mut self.outgoing,
            },
        ))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<TxToken<'_, B>> {
        self.has_room_or_listens(context).then_some(TxToken {
            bus: &mut self.bus,
            statistics: &mut self.statistics,
            buffer: &mut self.outgoing,
        })
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        self.state.waker.register(context.waker());
        self.watch_link();
        if self.link_up {
            LinkState::Up
        } else {
            LinkState::Down
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        // Room for a tag is not room for payload.
        capabilities.max_transmission_unit = MAX_FRAME - 4;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}

impl<B: Bus> Lan9118<B> {
    fn take_frame_or_listen(&mut self, context: &mut Context<'_>) -> Option<usize> {
        if let Some(length) = self.take_frame() {
            return Some(length);
        }
        self.state.waker.register(context.waker());
        self.listen();
        // A frame that came before the pin was enabled raises no interrupt.
        self.take_frame()
    }

    fn has_room_or_listens(&mut self, context: &mut Context<'_>) -> bool {
        self.wants_room = false;
        if self.has_room() {
            return true;
        }
        self.wants_room = true;
        self.state.waker.register(context.waker());
        self.watch_link();
        self.has_room()
    }
}

/// A received frame.
#[derive(Debug)]
pub struct RxToken<'t> {
    frame: &'t mut [u8],
}

impl embassy_net_driver::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.frame)
    }
}

/// Leave to send a frame of at most [`MAX_FRAME`] bytes; of a longer one the end is cut off.
#[derive(Debug)]
pub struct TxToken<'t, B> {
    bus: &'t mut B,
    statistics: &'t mut Statistics,
    buffer: &'t mut [u8; MAX_FRAME],
}

impl<B: Bus> embassy_net_driver::TxToken for TxToken<'_, B> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let frame = &mut self.buffer[..length.min(MAX_FRAME)];
        let result = write(frame);
        send(self.bus, self.statistics, frame);
        result
    }
}

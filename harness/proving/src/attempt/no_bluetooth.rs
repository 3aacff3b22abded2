//! Stands where Bluetooth would be, in a build without it.

use std::net::SocketAddr;

use lab::wire::BoardEnd;
use phone::Transport;
use trace::Trace;

use super::problem::LabError;
use crate::language::Fault;

/// There is none.
pub enum Bluetooth {}

impl Bluetooth {
    /// Says that there is none.
    pub async fn start(_: &[String], _: &Trace) -> Result<Self, LabError> {
        Err(LabError::Scenario(
            "this program was built without Bluetooth; build it with `--features ble`".into(),
        ))
    }

    /// Never called.
    pub async fn open_port(&self) -> std::io::Result<SocketAddr> {
        match *self {}
    }

    /// Never called.
    pub async fn open_bus(&mut self) -> Result<String, LabError> {
        match *self {}
    }

    /// Never called.
    pub fn attach(&self, _: &str, _: [u8; 6]) -> BoardEnd {
        match *self {}
    }

    /// Never called.
    pub fn transport(&self, _: &str, _: &str) -> Option<Box<dyn Transport>> {
        match *self {}
    }

    /// Never called.
    pub fn set_fault<'d>(&mut self, _: impl Iterator<Item = &'d str>, _: &Fault, _: bool) {
        match *self {}
    }
}

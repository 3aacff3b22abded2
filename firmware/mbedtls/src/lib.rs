//! TLS 1.2 and 1.3 as a client, by MbedTLS 3.6: what Espressif's own firmware uses.
//!
//! [`Tls`] is a board's [`device::board::Tls`]. It stands on `mbedtls-rs-sys`, the C library and the
//! bindings of `mbedtls-rs`, and not on the sessions of `mbedtls-rs`: those tell neither the number
//! of an alert nor let a caller look at a certificate, and their reads may not be dropped.
//!
//! # What an image must bring
//!
//! - A random source that is a real one. Keys are as secret as its seed.
//! - A global allocator, with room for what MbedTLS takes, at most [`HEAP_LIMIT`] bytes. Measured on
//!   a Cortex-M4 with certificates on both sides: 58 KB during a handshake, 39 KB (TLS 1.2) or 44 KB
//!   (TLS 1.3) after it, nothing without a session. [`heap_use`] says how much it is.
//! - Stack: 4.1 KiB were seen in use, up to and including `main`; allow 8.
//! - A `critical-section` implementation and an `embassy-time` driver.
//! - The C functions that MbedTLS calls. By default they are here: feature `libc` has `rand` and, by
//!   `tinyrlibc`, `memchr` and those `str…` that are needed; `libc-heap` has `calloc` and `free`;
//!   `libc-print` has `printf`, `puts`, `putchar`, `snprintf` and `vsnprintf`. An image that links a
//!   C library of its own switches off what that has. `memcpy`, `memmove`, `memset` and `memcmp`
//!   come from `compiler_builtins`.
//!
//! For `thumbv7em-none-eabi` and `riscv32imac-unknown-none-elf` the C library is prebuilt, and no C
//! compiler is needed, as long as no other feature of `mbedtls-rs-sys` is enabled. That is also
//! why dates are checked here, in Rust: MbedTLS was built without a calendar. Elsewhere clang,
//! libclang, cmake and ninja build it; the tests run like that on a host.
//!
//! A handshake computes for some hundred milliseconds without a pause, in which nothing else of the
//! executor runs; watchdogs have to bear it.

#![cfg_attr(target_os = "none", no_std)]

extern crate alloc;

mod context;
mod engine;
mod failure;
mod heap;
#[cfg(target_os = "none")]
mod libc;
mod random;
mod server;
mod verify;

use device::board::{TlsClient, TlsFailure, TlsServer, TlsSession, TlsSessionError};
use embedded_io_async::{Read, Write};
use rand_core::{CryptoRng, RngCore};

use context::Context;
pub use engine::MbedTls;
pub use heap::{HEAP_LIMIT, HeapUse, heap_use};

/// TLS 1.2 and 1.3, as client and as server. Sessions are never resumed, as devices of this kind never do.
#[derive(Clone, Debug)]
pub struct Tls {
    _made_by_new: (),
}

impl Tls {
    /// Sets MbedTLS up, which draws all its random numbers from `random` from now on.
    pub fn new(random: impl RngCore + CryptoRng + Send + 'static) -> Self {
        heap::install();
        random::install(random);
        Self { _made_by_new: () }
    }
}

/// On a host, the system's random source.
#[cfg(not(target_os = "none"))]
impl Default for Tls {
    fn default() -> Self {
        Self::new(rand_core::OsRng)
    }
}

impl device::board::Tls for Tls {
    type Session<S: Read + Write> = TlsSession<MbedTls<S>>;

    async fn connect<S: Read + Write>(
        &self,
        socket: S,
        options: &TlsClient<'_>,
        now: Option<u64>,
    ) -> Result<TlsSession<MbedTls<S>>, TlsFailure> {
        let context = Context::new(options, now)?;
        TlsSession::open(MbedTls::new(socket, context)).await
    }

    async fn accept<S: Read + Write>(
        &self,
        socket: S,
        options: &TlsServer<'_>,
        now: Option<u64>,
    ) -> Result<TlsSession<MbedTls<S>>, TlsFailure> {
        let context = Context::server(options, now)?;
        TlsSession::open(MbedTls::new(socket, context)).await
    }

    fn failure_of<S: Read + Write>(error: &TlsSessionError) -> Option<TlsFailure> {
        error.failure()
    }
}

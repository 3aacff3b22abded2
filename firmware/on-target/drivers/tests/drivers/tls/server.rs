//! A TLS server, by the same library that the client under test uses, in memory.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::ffi::{c_int, c_uchar, c_void};
use core::mem::MaybeUninit;
use core::ptr::{null, null_mut};
use core::slice;

use embedded::random::Random;
use mbedtls_rs_sys::*;
use rand_core::RngCore;

const AUTHORITY: &[u8] = include_bytes!("../../keys/authority.der");
const CERTIFICATE: &[u8] = include_bytes!("../../keys/server.der");
const KEY: &[u8] = include_bytes!("../../keys/server.key.der");

/// The newest protocol that the server speaks.
#[derive(Clone, Copy, Debug)]
#[repr(u16)]
pub enum Version {
    /// TLS 1.2.
    Tls12 = mbedtls_ssl_protocol_version_MBEDTLS_SSL_VERSION_TLS1_2 as u16,
    /// TLS 1.3.
    Tls13 = mbedtls_ssl_protocol_version_MBEDTLS_SSL_VERSION_TLS1_3 as u16,
}

/// The server, and what is on its way to and from it. It sends back what it receives.
pub struct Server {
    c: Box<Structures>,
    pipes: Box<Pipes>,
    is_open: bool,
}

/// What the library keeps pointers to, so it never moves.
struct Structures {
    ssl: mbedtls_ssl_context,
    config: mbedtls_ssl_config,
    authority: mbedtls_x509_crt,
    chain: mbedtls_x509_crt,
    key: mbedtls_pk_context,
    random: Random,
}

#[derive(Default)]
struct Pipes {
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
}

impl Server {
    /// A server that wants a certificate of whoever connects.
    pub fn new(random: Random, version: Version) -> Rc<RefCell<Self>> {
        let mut c = blank(random);
        let mut pipes = Box::<Pipes>::default();
        let succeeded = |code: c_int| assert_eq!(code, 0);
        let s = &mut *c;
        let source = (&raw mut s.random).cast::<c_void>();
        // SAFETY: all structures were initialised, stay where they are, and live as long as the
        // session; certificates and keys are copied.
        unsafe {
            succeeded(psa_crypto_init());
            for (place, der) in [(&mut s.authority, AUTHORITY), (&mut s.chain, CERTIFICATE)] {
                succeeded(mbedtls_x509_crt_parse_der(place, der.as_ptr(), der.len()));
            }
            succeeded(mbedtls_pk_parse_key(
                &mut s.key,
                KEY.as_ptr(),
                KEY.len(),
                null(),
                0,
                Some(fill),
                source,
            ));
            succeeded(mbedtls_ssl_config_defaults(
                &mut s.config,
                MBEDTLS_SSL_IS_SERVER as c_int,
                MBEDTLS_SSL_TRANSPORT_STREAM as c_int,
                MBEDTLS_SSL_PRESET_DEFAULT as c_int,
            ));
            mbedtls_ssl_conf_authmode(&mut s.config, MBEDTLS_SSL_VERIFY_REQUIRED as c_int);
            mbedtls_ssl_conf_ca_chain(&mut s.config, &mut s.authority, null_mut());
            mbedtls_ssl_conf_rng(&mut s.config, Some(fill), source);
            s.config.private_max_tls_version = version as u16;
            succeeded(mbedtls_ssl_conf_own_cert(
                &mut s.config,
                &mut s.chain,
                &mut s.key,
            ));
            succeeded(mbedtls_ssl_setup(&mut s.ssl, &s.config));
            let bio = (&raw mut *pipes).cast();
            mbedtls_ssl_set_bio(&mut s.ssl, bio, Some(send), Some(receive), None);
        }
        Rc::new(RefCell::new(Self {
            c,
            pipes,
            is_open: false,
        }))
    }

    /// What the client has not read.
    pub fn to_client(&mut self) -> &mut VecDeque<u8> {
        &mut self.pipes.to_client
    }

    /// What the server has not read.
    pub fn to_server(&mut self) -> &mut VecDeque<u8> {
        &mut self.pipes.to_server
    }

    /// Goes on as far as it can with what it has received.
    pub fn step(&mut self) {
        let ssl = &mut self.c.ssl;
        // SAFETY: the session is set up, and the buffer as long as the library is told.
        unsafe {
            if !self.is_open {
                self.is_open = mbedtls_ssl_handshake(ssl) == 0;
                return;
            }
            let mut bytes = [0; 256];
            let length = mbedtls_ssl_read(ssl, bytes.as_mut_ptr(), bytes.len());
            if let Ok(length @ 1..) = usize::try_from(length) {
                mbedtls_ssl_write(ssl, bytes.as_ptr(), length);
            }
        }
    }
}

fn blank(random: Random) -> Box<Structures> {
    let mut c = Box::new(MaybeUninit::<Structures>::zeroed());
    let s = c.as_mut_ptr();
    // SAFETY: zeroed memory is what the functions want; with them and the source all fields are
    // initialised.
    unsafe {
        mbedtls_ssl_init(&raw mut (*s).ssl);
        mbedtls_ssl_config_init(&raw mut (*s).config);
        mbedtls_x509_crt_init(&raw mut (*s).authority);
        mbedtls_x509_crt_init(&raw mut (*s).chain);
        mbedtls_pk_init(&raw mut (*s).key);
        (&raw mut (*s).random).write(random);
        c.assume_init()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let s = &mut *self.c;
        // SAFETY: each was initialised, and who points is released before what is pointed to.
        unsafe {
            mbedtls_ssl_free(&mut s.ssl);
            mbedtls_ssl_config_free(&mut s.config);
            mbedtls_pk_free(&mut s.key);
            mbedtls_x509_crt_free(&mut s.chain);
            mbedtls_x509_crt_free(&mut s.authority);
        }
    }
}

unsafe extern "C" fn fill(source: *mut c_void, bytes: *mut c_uchar, length: usize) -> c_int {
    // SAFETY: `source` is the server's, and the library has `length` bytes there.
    unsafe {
        bytes.write_bytes(0, length);
        (*source.cast::<Random>()).fill_bytes(slice::from_raw_parts_mut(bytes, length));
    }
    0
}

unsafe extern "C" fn send(pipes: *mut c_void, bytes: *const c_uchar, length: usize) -> c_int {
    // SAFETY: `pipes` are the server's, and the library has `length` bytes there.
    let (pipes, bytes) = unsafe {
        (
            &mut *pipes.cast::<Pipes>(),
            slice::from_raw_parts(bytes, length),
        )
    };
    pipes.to_client.extend(bytes);
    // A record is shorter than 2^15.
    length as c_int
}

unsafe extern "C" fn receive(pipes: *mut c_void, bytes: *mut c_uchar, length: usize) -> c_int {
    // SAFETY: `pipes` are the server's.
    let pipes = unsafe { &mut *pipes.cast::<Pipes>() };
    let length = length.min(pipes.to_server.len());
    if length == 0 {
        return MBEDTLS_ERR_SSL_WANT_READ;
    }
    for (index, byte) in pipes.to_server.drain(..length).enumerate() {
        // SAFETY: the library has room for at least `length` bytes there.
        unsafe { bytes.add(index).write(byte) };
    }
    length as c_int
}

//! The C structures of one session, from set-up to release.

use alloc::boxed::Box;
use alloc::ffi::CString;
use core::ffi::{CStr, c_int, c_void};
use core::net::IpAddr;
use core::ptr::{NonNull, null, null_mut};

use device::board::{MaxFragment, TlsClient, TlsFailure, TlsServer};
use factory::{ClientAuth, Credentials};
use mbedtls_rs_sys::*;

use crate::server::{Shown, choose};
use crate::verify::{Rule, verify};
use crate::{heap, random};

unsafe extern "C" {
    /// Internal to MbedTLS (`ssl_misc.h`), and the only way to send what is due in a handshake that
    /// has failed.
    fn mbedtls_ssl_flush_output(ssl: *mut mbedtls_ssl_context) -> c_int;
}

/// What a session consists of in C. The parts point to each other: they never move.
struct Parts {
    ssl: mbedtls_ssl_context,
    config: mbedtls_ssl_config,
    authority: mbedtls_x509_crt,
    chain: mbedtls_x509_crt,
    key: mbedtls_pk_context,
    rule: Rule,
    /// What a server shows; null for a client.
    shown: *mut Shown,
}

/// A session of MbedTLS without a socket.
pub(crate) struct Context(NonNull<Parts>);

impl Context {
    /// Everything but the handshake.
    pub(crate) fn new(options: &TlsClient<'_>, now: Option<u64>) -> Result<Self, TlsFailure> {
        // SAFETY: idempotent, and nothing else of PSA runs at the same time.
        succeeded(unsafe { psa_crypto_init() })?;
        let context = Self::blank(Rule::new(options, now))?;
        context.trust(options.authority)?;
        context.configure(MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_VERIFY_REQUIRED)?;
        if let Some(longest) = options.max_fragment {
            context.ask_for_records(longest)?;
        }
        if let Some(credentials) = options.credentials {
            context.present(credentials)?;
        }
        context.set_up(options.server_name)?;
        Ok(context)
    }

    /// Everything but the handshake, of a server.
    pub(crate) fn server(options: &TlsServer<'_>, now: Option<u64>) -> Result<Self, TlsFailure> {
        // SAFETY: as above.
        succeeded(unsafe { psa_crypto_init() })?;
        let context = Self::blank(Rule::of_clients(now))?;
        let verify = match options.client {
            ClientAuth::None => MBEDTLS_SSL_VERIFY_NONE,
            ClientAuth::Optional(authority) => {
                context.trust(authority)?;
                MBEDTLS_SSL_VERIFY_OPTIONAL
            }
            ClientAuth::Required(authority) => {
                context.trust(authority)?;
                MBEDTLS_SSL_VERIFY_REQUIRED
            }
        };
        context.configure(MBEDTLS_SSL_IS_SERVER, verify)?;
        let mut shown = Box::new(Shown::new(options)?);
        let alpn = shown.alpn();
        let p = context.0.as_ptr();
        // SAFETY: what is shown lives as long as the session does.
        unsafe {
            (*p).shown = Box::into_raw(shown);
            let config = &raw mut (*p).config;
            if let Some(list) = alpn {
                succeeded(mbedtls_ssl_conf_alpn_protocols(config, list))?;
            }
            (*config).private_user_data.p = (*p).shown.cast();
            (*config).private_f_cert_cb = Some(choose);
            mbedtls_ssl_conf_new_session_tickets(config, 0);
            succeeded(mbedtls_ssl_setup(&raw mut (*p).ssl, config))?;
        }
        Ok(context)
    }

    fn blank(rule: Rule) -> Result<Self, TlsFailure> {
        // SAFETY: zeroed memory is what the `init` functions want; the rule, which is no C
        // structure, is written before anyone reads it.
        unsafe {
            let block = heap::calloc(1, size_of::<Parts>()).cast::<Parts>();
            let parts = NonNull::new(block).ok_or(TlsFailure::Configuration)?;
            let p = parts.as_ptr();
            mbedtls_ssl_init(&raw mut (*p).ssl);
            mbedtls_ssl_config_init(&raw mut (*p).config);
            mbedtls_x509_crt_init(&raw mut (*p).authority);
            mbedtls_x509_crt_init(&raw mut (*p).chain);
            mbedtls_pk_init(&raw mut (*p).key);
            (&raw mut (*p).rule).write(rule);
            (&raw mut (*p).shown).write(null_mut());
            Ok(Self(parts))
        }
    }

    fn trust(&self, authority: &[u8]) -> Result<(), TlsFailure> {
        let p = self.0.as_ptr();
        // SAFETY: the bytes are copied.
        succeeded(unsafe {
            mbedtls_x509_crt_parse_der(&raw mut (*p).authority, authority.as_ptr(), authority.len())
        })
    }

    fn configure(&self, side: u32, verification: u32) -> Result<(), TlsFailure> {
        let p = self.0.as_ptr();
        // SAFETY: the parts live as long as the configuration does.
        unsafe {
            let config = &raw mut (*p).config;
            succeeded(mbedtls_ssl_config_defaults(
                config,
                side as c_int,
                MBEDTLS_SSL_TRANSPORT_STREAM as c_int,
                MBEDTLS_SSL_PRESET_DEFAULT as c_int,
            ))?;
            mbedtls_ssl_conf_authmode(config, verification as c_int);
            mbedtls_ssl_conf_ca_chain(config, &raw mut (*p).authority, null_mut());
            mbedtls_ssl_conf_verify(config, Some(verify), (&raw mut (*p).rule).cast());
            mbedtls_ssl_conf_rng(config, Some(random::fill), null_mut());
        }
        Ok(())
    }

    /// Has the server asked for records that are no longer. One that does not answer is talked to all the same.
    fn ask_for_records(&self, longest: MaxFragment) -> Result<(), TlsFailure> {
        let p = self.0.as_ptr();
        // SAFETY: the configuration is alive, and not in use yet.
        succeeded(unsafe { mbedtls_ssl_conf_max_frag_len(&raw mut (*p).config, longest as u8) })
    }

    /// The device's own certificates and key, which must belong together.
    fn present(&self, credentials: &Credentials) -> Result<(), TlsFailure> {
        let p = self.0.as_ptr();
        let key = &credentials.key;
        // SAFETY: certificates and key are copied, and live as long as the configuration does.
        unsafe {
            for der in &credentials.chain {
                succeeded(mbedtls_x509_crt_parse_der(
                    &raw mut (*p).chain,
                    der.as_ptr(),
                    der.len(),
                ))?;
            }
            succeeded(mbedtls_pk_parse_key(
                &raw mut (*p).key,
                key.as_ptr(),
                key.len(),
                null(),
                0,
                Some(random::fill),
                null_mut(),
            ))?;
            succeeded(mbedtls_pk_check_pair(
                &raw const (*p).chain.pk,
                &raw const (*p).key,
                Some(random::fill),
                null_mut(),
            ))?;
            succeeded(mbedtls_ssl_conf_own_cert(
                &raw mut (*p).config,
                &raw mut (*p).chain,
                &raw mut (*p).key,
            ))
        }
    }

    fn set_up(&self, server_name: &str) -> Result<(), TlsFailure> {
        let name = Some(server_name)
            .filter(|name| is_server_name(name))
            .and_then(|name| CString::new(name).ok())
            .ok_or(TlsFailure::Configuration)?;
        let p = self.0.as_ptr();
        // SAFETY: the name is copied.
        unsafe {
            succeeded(mbedtls_ssl_setup(&raw mut (*p).ssl, &raw const (*p).config))?;
            succeeded(mbedtls_ssl_set_hostname(&raw mut (*p).ssl, name.as_ptr()))
        }
    }

    /// Runs `call` with a connection: `bio` is what `send` and `receive` get.
    pub(crate) fn with_bio(
        &mut self,
        bio: *mut c_void,
        send: unsafe extern "C" fn(*mut c_void, *const u8, usize) -> c_int,
        receive: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> c_int,
        call: impl FnOnce(&mut Call) -> c_int,
    ) -> c_int {
        // SAFETY: the context is set up, and the connection taken away before `bio` can end.
        unsafe {
            let ssl = &raw mut (*self.0.as_ptr()).ssl;
            mbedtls_ssl_set_bio(ssl, bio, Some(send), Some(receive), None);
            let code = call(&mut Call(ssl));
            mbedtls_ssl_set_bio(ssl, null_mut(), None, None, None);
            code
        }
    }

    /// Whether bytes wait to be sent.
    pub(crate) fn has_unsent(&self) -> bool {
        // SAFETY: the parts are alive.
        unsafe { (*self.0.as_ptr()).ssl.private_out_left != 0 }
    }

    /// Bytes of plaintext that one record takes.
    pub(crate) fn max_record(&self) -> usize {
        // SAFETY: the parts are alive.
        let max =
            unsafe { mbedtls_ssl_get_max_out_record_payload(&raw const (*self.0.as_ptr()).ssl) };
        usize::try_from(max).unwrap_or(0)
    }

    /// The number of the fatal alert that was just received.
    pub(crate) fn alert(&self) -> u8 {
        // SAFETY: the record that is being looked at is the alert, two bytes long (`ssl_msg.c`,
        // mbedtls_ssl_handle_message_type).
        unsafe {
            let ssl = &raw const (*self.0.as_ptr()).ssl;
            (*ssl).private_in_msg.add(1).read()
        }
    }

    /// What is wrong with the peer's certificate.
    pub(crate) fn verify_flags(&self) -> u32 {
        // SAFETY: the parts are alive.
        unsafe { mbedtls_ssl_get_verify_result(&raw const (*self.0.as_ptr()).ssl) }
    }

    /// Which TLS it is.
    pub(crate) fn version(&self) -> &'static str {
        // SAFETY: MbedTLS returns a literal.
        unsafe { CStr::from_ptr(mbedtls_ssl_get_version(&raw const (*self.0.as_ptr()).ssl)) }
            .to_str()
            .unwrap_or("unknown")
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let p = self.0.as_ptr();
        // SAFETY: each was initialised, and who points is released before what is pointed to.
        unsafe {
            mbedtls_ssl_free(&raw mut (*p).ssl);
            mbedtls_ssl_config_free(&raw mut (*p).config);
            mbedtls_pk_free(&raw mut (*p).key);
            mbedtls_x509_crt_free(&raw mut (*p).chain);
            mbedtls_x509_crt_free(&raw mut (*p).authority);
            if !(*p).shown.is_null() {
                drop(Box::from_raw((*p).shown));
            }
            heap::free(p.cast());
        }
    }
}

/// What can be asked of a session that has its connection.
pub(crate) struct Call(*mut mbedtls_ssl_context);

impl Call {
    pub(crate) fn handshake(&mut self) -> c_int {
        // SAFETY: the context is set up and has its connection.
        unsafe { mbedtls_ssl_handshake(self.0) }
    }

    pub(crate) fn read(&mut self, bytes: &mut [u8]) -> c_int {
        // SAFETY: as above; C writes no more than the length it is told.
        unsafe { mbedtls_ssl_read(self.0, bytes.as_mut_ptr(), bytes.len()) }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> c_int {
        // SAFETY: as above; C copies.
        unsafe { mbedtls_ssl_write(self.0, bytes.as_ptr(), bytes.len()) }
    }

    pub(crate) fn flush(&mut self) -> c_int {
        // SAFETY: as above.
        unsafe { mbedtls_ssl_flush_output(self.0) }
    }
}

/// All that can fail before the handshake is ours.
pub(crate) fn succeeded(code: c_int) -> Result<(), TlsFailure> {
    if code == 0 {
        return Ok(());
    }
    log::debug!(target: "mbedtls", "set-up: -0x{:04x}", code.unsigned_abs());
    Err(TlsFailure::Configuration)
}

/// An address, or what RFC 1123 §2.1 and custom (underscores) allow in a name.
fn is_server_name(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok()
        || (name.len() <= 253
            && name.split('.').all(|label| {
                let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
                !label.is_empty() && label.len() <= 63 && label.bytes().all(allowed)
            }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_from_what_is_neither() {
        for name in ["broker.test", "a-b_c.example", "192.168.43.7", "::1", "x"] {
            assert!(is_server_name(name), "{name}");
        }
        let long = "a".repeat(64);
        for name in ["", "no name", "a..b", "broker.test\0", "ü.test", &long] {
            assert!(!is_server_name(name), "{name:?}");
        }
    }
}

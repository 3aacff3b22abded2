//! What a server shows its clients, and how one of several certificates is chosen.

use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::string::String;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int};
use core::ptr::{null, null_mut};

use device::board::{TlsFailure, TlsServer};
use factory::{ClientAuth, ServerCertificate};
use mbedtls_rs_sys::*;

use crate::context::succeeded;
use crate::random;

/// The certificates of a server, which C points to.
pub(crate) struct Shown {
    pairs: Vec<Box<Pair>>,
    certificates: Vec<ServerCertificate>,
    /// Names of protocols, and the list of pointers to them that C has, null at its end.
    _alpn: Vec<CString>,
    alpn_list: Vec<*const c_char>,
}

/// A certificate with its chain, and its key.
struct Pair {
    chain: mbedtls_x509_crt,
    key: mbedtls_pk_context,
}

impl Shown {
    pub(crate) fn new(options: &TlsServer<'_>) -> Result<Self, TlsFailure> {
        let pairs = options.certificates.iter().map(Pair::new);
        let names = options.alpn.iter().map(|name| CString::new(name.as_str()));
        let names: Vec<CString> = names
            .collect::<Result<_, _>>()
            .map_err(|_| TlsFailure::Configuration)?;
        let mut list: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        list.push(null());
        Ok(Self {
            pairs: pairs.collect::<Result<_, _>>()?,
            certificates: options.certificates.to_vec(),
            _alpn: names,
            alpn_list: list,
        })
    }

    /// The list of protocols for C, if there are any.
    pub(crate) fn alpn(&mut self) -> Option<*mut *const c_char> {
        (self.alpn_list.len() > 1).then(|| self.alpn_list.as_mut_ptr())
    }

    fn choose(&mut self, name: Option<&str>, protocol: Option<&str>) -> Option<&mut Pair> {
        let options = TlsServer {
            certificates: &self.certificates,
            client: &ClientAuth::None,
            alpn: &[],
            tickets: false,
        };
        let chosen = options.certificate(name, protocol)?;
        let mut certificates = self.certificates.iter();
        let position = certificates.position(|certificate| core::ptr::eq(certificate, chosen))?;
        self.pairs.get_mut(position).map(|pair| &mut **pair)
    }
}

impl Pair {
    fn new(certificate: &ServerCertificate) -> Result<Box<Self>, TlsFailure> {
        let credentials = &certificate.credentials;
        // SAFETY: zeroed memory is what the `init` functions want, and no part of it is anything else.
        let mut pair: Box<Self> = Box::new(unsafe { core::mem::zeroed() });
        // SAFETY: certificates and key are copied.
        unsafe {
            mbedtls_x509_crt_init(&raw mut pair.chain);
            mbedtls_pk_init(&raw mut pair.key);
            for der in &credentials.chain {
                let chain = &raw mut pair.chain;
                succeeded(mbedtls_x509_crt_parse_der(chain, der.as_ptr(), der.len()))?;
            }
            succeeded(mbedtls_pk_parse_key(
                &raw mut pair.key,
                credentials.key.as_ptr(),
                credentials.key.len(),
                null(),
                0,
                Some(random::fill),
                null_mut(),
            ))?;
        }
        Ok(pair)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // SAFETY: both were initialised.
        unsafe {
            mbedtls_pk_free(&raw mut self.key);
            mbedtls_x509_crt_free(&raw mut self.chain);
        }
    }
}

/// `f_cert_cb` of MbedTLS, once Client Hello has been read (ESP-IDF: `cert_select_cb`).
///
/// # Safety
/// The user data of the configuration point to a [`Shown`] that outlives the session.
pub(crate) unsafe extern "C" fn choose(ssl: *mut mbedtls_ssl_context) -> c_int {
    // SAFETY: by contract; the name has the length that is told.
    unsafe {
        let shown = (*(*ssl).private_conf).private_user_data.p.cast::<Shown>();
        let mut length = 0;
        let name = mbedtls_ssl_get_hs_sni(ssl, &raw mut length);
        let name: Option<String> = (!name.is_null()).then(|| {
            let bytes = core::slice::from_raw_parts(name, length);
            String::from_utf8_lossy(bytes).into_owned()
        });
        let protocol = mbedtls_ssl_get_alpn_protocol(ssl);
        let protocol = (!protocol.is_null()).then(|| CStr::from_ptr(protocol).to_string_lossy());
        match (*shown).choose(name.as_deref(), protocol.as_deref()) {
            Some(pair) => mbedtls_ssl_set_hs_own_cert(ssl, &raw mut pair.chain, &raw mut pair.key),
            None => MBEDTLS_ERR_SSL_BAD_INPUT_DATA,
        }
    }
}

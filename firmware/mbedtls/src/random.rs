//! The random source behind everything that MbedTLS draws.

use alloc::boxed::Box;
use core::cell::RefCell;
use core::ffi::{c_int, c_uchar, c_void};
use core::slice;

use critical_section::Mutex;
use mbedtls_rs_sys::{
    MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED, mbedtls_psa_external_random_context_t, psa_status_t,
};
use rand_core::{CryptoRng, RngCore};

static SOURCE: Mutex<RefCell<Option<Box<dyn RngCore + Send>>>> = Mutex::new(RefCell::new(None));

pub(crate) fn install(source: impl RngCore + CryptoRng + Send + 'static) {
    let source = Box::new(source);
    // Dropped outside of the critical section.
    let _before = critical_section::with(|cs| SOURCE.borrow(cs).replace(Some(source)));
}

/// `f_rng` of MbedTLS.
///
/// # Safety
/// `bytes` points to `length` bytes that may be written.
pub(crate) unsafe extern "C" fn fill(_: *mut c_void, bytes: *mut c_uchar, length: usize) -> c_int {
    if length == 0 {
        return 0;
    }
    // SAFETY: by contract; zeroed first, as it may not have been initialised.
    let bytes = unsafe {
        bytes.write_bytes(0, length);
        slice::from_raw_parts_mut(bytes, length)
    };
    let filled = critical_section::with(|cs| {
        let mut source = SOURCE.borrow_ref_mut(cs);
        source
            .as_mut()
            .is_some_and(|source| source.try_fill_bytes(bytes).is_ok())
    });
    if filled {
        0
    } else {
        MBEDTLS_ERR_CTR_DRBG_ENTROPY_SOURCE_FAILED
    }
}

/// Where PSA, which TLS 1.3 computes with, gets its random numbers.
///
/// # Safety
/// `bytes` points to `size` bytes and `length` to a number, all of which may be written.
#[unsafe(no_mangle)]
unsafe extern "C" fn mbedtls_psa_external_get_random(
    _: *mut mbedtls_psa_external_random_context_t,
    bytes: *mut u8,
    size: usize,
    length: *mut usize,
) -> psa_status_t {
    // `psa/crypto_values.h`, which the bindings leave out.
    const PSA_SUCCESS: psa_status_t = 0;
    const PSA_ERROR_INSUFFICIENT_ENTROPY: psa_status_t = -148;
    // SAFETY: by contract.
    unsafe {
        if fill(core::ptr::null_mut(), bytes, size) != 0 {
            return PSA_ERROR_INSUFFICIENT_ENTROPY;
        }
        length.write(size);
    }
    PSA_SUCCESS
}

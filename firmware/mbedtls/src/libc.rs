//! The C functions that MbedTLS calls, beside its heap.

#[cfg(feature = "libc")]
mod strings {
    use core::ffi::c_int;

    use tinyrlibc as _;

    /// Only the self-tests of RSA and of Diffie-Hellman call it, and those are not linked.
    #[unsafe(no_mangle)]
    extern "C" fn rand() -> c_int {
        0
    }
}

/// MbedTLS prints in self-tests and formats for people to read, neither of which happens here: what
/// would be text is empty.
#[cfg(feature = "libc-print")]
mod print {
    use core::ffi::{c_char, c_int, c_void};

    #[unsafe(no_mangle)]
    extern "C" fn printf(_format: *const c_char) -> c_int {
        0
    }

    #[unsafe(no_mangle)]
    extern "C" fn puts(_text: *const c_char) -> c_int {
        0
    }

    #[unsafe(no_mangle)]
    extern "C" fn putchar(character: c_int) -> c_int {
        character
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn snprintf(text: *mut c_char, size: usize, _format: *const c_char) -> c_int {
        if size != 0 {
            // SAFETY: by C's contract there are `size` bytes.
            unsafe { text.write(0) };
        }
        0
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn vsnprintf(
        text: *mut c_char,
        size: usize,
        format: *const c_char,
        _arguments: *mut c_void,
    ) -> c_int {
        // SAFETY: the same contract.
        unsafe { snprintf(text, size, format) }
    }
}

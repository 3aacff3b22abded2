//! Addresses of this host's network interfaces.

use std::ffi::CStr;
use std::io;
use std::net::Ipv4Addr;
use std::ptr;

/// The first IPv4 address of the interface `name` and its broadcast address, if it has one.
pub(crate) fn addresses(name: &str) -> io::Result<Option<(Ipv4Addr, Ipv4Addr)>> {
    let mut list: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: the call gets a place for its result.
    if unsafe { libc::getifaddrs(&mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = None;
    let mut next = list;
    // SAFETY: the list is the kernel's until it is freed below; its members are checked before use.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: names in the list end with a zero byte.
        let is_it = unsafe { CStr::from_ptr(entry.ifa_name) }.to_bytes() == name.as_bytes();
        if !is_it || found.is_some() {
            continue;
        }
        // SAFETY: addresses in the list are of the family that they say.
        let (address, mask) = unsafe { (ipv4(entry.ifa_addr), ipv4(entry.ifa_netmask)) };
        if let Some(address) = address {
            let host = !mask.unwrap_or(Ipv4Addr::BROADCAST).to_bits();
            found = Some((address, Ipv4Addr::from_bits(address.to_bits() | host)));
        }
    }
    // SAFETY: the list is from `getifaddrs`, and nothing refers to it any more.
    unsafe { libc::freeifaddrs(list) };
    Ok(found)
}

/// # Safety
/// `address` is null or points to a socket address of the family that it says.
unsafe fn ipv4(address: *const libc::sockaddr) -> Option<Ipv4Addr> {
    // SAFETY: as promised by the caller.
    let family = i32::from(unsafe { address.as_ref() }?.sa_family);
    if family != libc::AF_INET {
        return None;
    }
    // SAFETY: as promised by the caller; the kernel's addresses of this family are that long.
    let address = unsafe { ptr::read_unaligned(address.cast::<libc::sockaddr_in>()) };
    Some(Ipv4Addr::from_bits(u32::from_be(address.sin_addr.s_addr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_has_its_address_and_others_that_are_not_there_have_none() {
        let loopback = addresses("lo").expect("a list");
        let all = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 255, 255, 255));
        assert_eq!(loopback, Some(all));
        assert_eq!(addresses("nowhere9").expect("a list"), None);
    }
}

//! What the device has to say on a server's certificate beyond MbedTLS: dates, and what is not asked
//! for.

use core::ffi::{c_int, c_void};

use device::board::TlsClient;
use mbedtls_rs_sys::{
    MBEDTLS_ASN1_CONTEXT_SPECIFIC, MBEDTLS_X509_BADCERT_CN_MISMATCH, MBEDTLS_X509_BADCERT_EXPIRED,
    MBEDTLS_X509_BADCERT_FUTURE, MBEDTLS_X509_BADCERT_NOT_TRUSTED, mbedtls_x509_crt,
    mbedtls_x509_time,
};

/// Year, month, day, hour, minute, second, in UTC.
type Moment = (i64, i64, i64, i64, i64, i64);

/// What is checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// None if dates do not count.
    now: Option<Moment>,
    name: bool,
    authority: bool,
}

impl Rule {
    /// An unset clock shows 1970, as an ESP32's does.
    pub(crate) fn new(options: &TlsClient<'_>, now: Option<u64>) -> Self {
        Self {
            now: options.check_dates.then(|| moment(now.unwrap_or(0))),
            name: options.check_name,
            authority: options.check_authority,
        }
    }

    /// What a server checks of its clients: names are not among it.
    pub(crate) fn of_clients(now: Option<u64>) -> Self {
        Self {
            now: Some(moment(now.unwrap_or(0))),
            name: false,
            authority: true,
        }
    }

    /// MbedTLS's flags of a certificate that stands `depth` above the server's own, put right.
    fn judge(&self, certificate: &mbedtls_x509_crt, depth: c_int, found: u32) -> u32 {
        let mut flags = found;
        if let Some(now) = self.now {
            if moment_of(&certificate.valid_to) < now {
                flags |= MBEDTLS_X509_BADCERT_EXPIRED;
            }
            if moment_of(&certificate.valid_from) > now {
                flags |= MBEDTLS_X509_BADCERT_FUTURE;
            }
        }
        // A common name is no server's name (RFC 9525 §2); MbedTLS takes it where there is no other.
        if depth == 0 && !names_a_server(certificate) {
            flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
        }
        if !self.name {
            flags &= !MBEDTLS_X509_BADCERT_CN_MISMATCH;
        }
        if !self.authority {
            flags &= !MBEDTLS_X509_BADCERT_NOT_TRUSTED;
        }
        flags
    }
}

/// `f_vrfy` of MbedTLS: once for each certificate of the chain, the server's own last.
///
/// # Safety
/// `rule` points to a [`Rule`], `certificate` to a parsed certificate, `flags` to what was found.
pub(crate) unsafe extern "C" fn verify(
    rule: *mut c_void,
    certificate: *mut mbedtls_x509_crt,
    depth: c_int,
    flags: *mut u32,
) -> c_int {
    // SAFETY: by contract.
    unsafe { *flags = (*rule.cast::<Rule>()).judge(&*certificate, depth, *flags) };
    0
}

/// Whether there is a DNS name or an address among the subject's alternative names.
fn names_a_server(certificate: &mbedtls_x509_crt) -> bool {
    // RFC 5280 §4.2.1.6, GeneralName.
    const DNS_NAME: i32 = MBEDTLS_ASN1_CONTEXT_SPECIFIC as i32 | 2;
    const IP_ADDRESS: i32 = MBEDTLS_ASN1_CONTEXT_SPECIFIC as i32 | 7;
    let mut name = core::ptr::from_ref(&certificate.subject_alt_names);
    while !name.is_null() {
        // SAFETY: a list that MbedTLS made ends with null; its head is part of the certificate, and
        // is zero in one without names.
        let entry = unsafe { &*name };
        if matches!(entry.buf.tag, DNS_NAME | IP_ADDRESS) {
            return true;
        }
        name = entry.next;
    }
    false
}

fn moment_of(time: &mbedtls_x509_time) -> Moment {
    (
        time.year.into(),
        time.mon.into(),
        time.day.into(),
        time.hour.into(),
        time.min.into(),
        time.sec.into(),
    )
}

/// The calendar's view of a Unix time in s: Gregorian years begin on March 1st here, so that the day
/// a leap year has more is the last one.
fn moment(unix: u64) -> Moment {
    const DAYS_TO_1970: i64 = 719_468;
    const DAYS_OF_400_YEARS: i64 = 146_097;
    let (days, second) = ((unix / 86_400) as i64, (unix % 86_400) as i64);
    let days = days + DAYS_TO_1970;
    let (age, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = age * 400 + year + i64::from(month <= 2);
    (
        year,
        month,
        day,
        second / 3_600,
        second / 60 % 60,
        second % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments_have_their_dates() {
        let cases = [
            (0, (1970, 1, 1, 0, 0, 0)),
            (951_782_399, (2000, 2, 28, 23, 59, 59)),
            (951_782_400, (2000, 2, 29, 0, 0, 0)),
            (951_868_800, (2000, 3, 1, 0, 0, 0)),
            (1_781_524_800, (2026, 6, 15, 12, 0, 0)),
            (4_107_542_400, (2100, 3, 1, 0, 0, 0)),
            (253_402_300_799, (9999, 12, 31, 23, 59, 59)),
        ];
        for (unix, expected) in cases {
            assert_eq!(moment(unix), expected, "{unix}");
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut before = moment(0);
        for day in 1..200_000 {
            let (year, month, date, ..) = moment(day * 86_400);
            let next = if date == 1 {
                (month == 1 && (year, 12, 31) == (before.0 + 1, before.1, before.2))
                    || (year, month) == (before.0, before.1 + 1)
            } else {
                (year, month, date) == (before.0, before.1, before.2 + 1)
            };
            assert!(next, "day {day}");
            before = moment(day * 86_400);
        }
    }

    #[test]
    fn any_clock_has_a_date() {
        assert!(moment(u64::MAX) > moment(0));
    }
}

//! What numbers in a log mean.

use serde::Serialize;

use crate::expression::Expression;

/// A number, and what it means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// As the log has it, with what says which table it is of.
    pub number: String,
    /// What it means.
    pub meaning: String,
}

type Table = &'static [(i64, &'static str)];

/// Wi-Fi reasons: IEEE 802.11 table 9-49, and those of `wifi_err_reason_t`.
const WIFI: Table = &[
    (1, "unspecified"),
    (2, "authentication expired"),
    (3, "the station leaves"),
    (4, "disassociated: inactive"),
    (5, "the access point has too many stations"),
    (6, "a frame of a station that is not authenticated"),
    (7, "a frame of a station that is not associated"),
    (8, "the station leaves"),
    (9, "association without authentication"),
    (13, "invalid information element"),
    (14, "message integrity check failed"),
    (
        15,
        "4-way handshake timed out: as a rule a wrong passphrase",
    ),
    (16, "group key handshake timed out"),
    (
        17,
        "an information element differs from the one in the beacon",
    ),
    (18, "invalid group cipher"),
    (19, "invalid pairwise cipher"),
    (20, "invalid key management"),
    (23, "802.1X authentication failed"),
    (24, "cipher suite refused"),
    (34, "too many frames unacknowledged"),
    (39, "timeout of the peer"),
    (
        200,
        "beacons lost: the access point is gone or out of range",
    ),
    (201, "no access point of that name"),
    (202, "authentication failed"),
    (203, "association failed"),
    (204, "handshake timed out: as a rule a wrong passphrase"),
    (205, "connection failed"),
    (206, "the access point's timer was reset"),
    (207, "roaming"),
    (208, "association refused: come back later"),
    (209, "SA query timed out"),
    (
        210,
        "an access point of that name, but with no security that is accepted",
    ),
    (
        211,
        "an access point of that name, but below the accepted security",
    ),
    (212, "an access point of that name, but too weak"),
];

/// `mbedtls/*.h`, as positive numbers.
const MBEDTLS: Table = &[
    (0x004C, "the connection was reset or closed"),
    (0x004E, "sending failed"),
    (0x0050, "the peer reset the connection"),
    (0x0052, "unknown host"),
    (0x0044, "connecting failed"),
    (0x2180, "the certificate's format cannot be read"),
    (0x2700, "the certificate was refused in verification"),
    (0x2880, "an X.509 allocation failed: out of memory"),
    (0x3D00, "the key cannot be read"),
    (0x4080, "an RSA key that does not fit"),
    (0x4380, "the RSA signature is wrong"),
    (0x6A00, "a buffer is too small"),
    (0x6C00, "an internal error"),
    (0x6C80, "unknown identity"),
    (0x6D00, "the certificate's type does not fit"),
    (0x6E00, "the handshake failed"),
    (0x6E80, "the protocol version was refused"),
    (0x7080, "a feature that is not compiled in"),
    (0x7100, "bad input data"),
    (0x7180, "a wrong message authentication code"),
    (
        0x7200,
        "an invalid record: the peer does not speak TLS, or the record is too long",
    ),
    (
        0x7280,
        "the peer closed the connection without a close notify",
    ),
    (0x7300, "an unknown cipher"),
    (0x7380, "no cipher in common"),
    (0x7480, "no certificate was sent"),
    (0x7680, "no authority is set"),
    (0x7700, "an unexpected message"),
    (0x7780, "the peer sent a fatal alert"),
    (0x7880, "the peer said goodbye"),
    (0x7F00, "memory ran out"),
    (0x8900, "the received message's version is wrong"),
];

/// `MBEDTLS_X509_BADCERT_*`.
const FLAGS: Table = &[
    (0x01, "expired"),
    (0x02, "revoked"),
    (0x04, "name does not match the host that was asked for"),
    (0x08, "not signed by an authority that is trusted"),
    (0x10, "a revocation list that is not trusted"),
    (0x40, "no certificate"),
    (0x100, "other"),
    (0x200, "not yet valid"),
    (0x800, "key usage does not fit"),
    (0x1000, "extended key usage does not fit"),
    (0x4000, "hash is not allowed"),
    (0x8000, "key type is not allowed"),
    (0x10000, "key is too weak"),
];

/// `esp_tls_errors.h`.
const ESP_TLS: Table = &[
    (0x8001, "the host's name could not be resolved"),
    (0x8002, "no socket"),
    (0x8003, "an unsupported protocol family"),
    (0x8004, "the connection to the host failed"),
    (0x8005, "a socket option failed"),
    (0x8006, "connecting timed out"),
    (0x8008, "the peer closed the connection"),
    (0x8010, "the certificate was only partly read"),
    (0x8011, "the random generator could not be seeded"),
    (0x8012, "the host name cannot be set"),
    (0x8013, "TLS could not be configured"),
    (0x8014, "the protocols of ALPN cannot be set"),
    (0x8015, "the certificate cannot be read"),
    (0x8016, "own certificate cannot be set"),
    (0x8017, "TLS could not be set up"),
    (0x8018, "writing failed"),
    (0x8019, "the key cannot be read"),
    (0x801A, "the TLS handshake failed"),
    (0x801B, "the shared key cannot be set"),
    (0x801C, "session tickets could not be set up"),
];

/// RFC 8446 §6.2.
const ALERTS: Table = &[
    (0, "close notify"),
    (10, "unexpected message"),
    (20, "bad record MAC"),
    (22, "record overflow"),
    (40, "handshake failure"),
    (42, "bad certificate"),
    (43, "unsupported certificate"),
    (44, "certificate revoked"),
    (45, "certificate expired"),
    (46, "certificate unknown"),
    (47, "illegal parameter"),
    (48, "unknown authority"),
    (49, "access denied"),
    (50, "decode error"),
    (51, "decrypt error: a signature is wrong"),
    (70, "protocol version"),
    (71, "insufficient security"),
    (80, "internal error"),
    (86, "inappropriate fallback"),
    (90, "user cancelled"),
    (109, "missing extension"),
    (110, "unsupported extension"),
    (112, "unrecognized name"),
    (116, "certificate required"),
    (120, "no application protocol"),
];

/// MQTT 3.1.1 §3.2.2.3 and MQTT 5 §3.2.2.2.
const CONNACK: Table = &[
    (0, "accepted"),
    (1, "protocol version refused"),
    (2, "client identifier refused"),
    (3, "server unavailable"),
    (4, "bad user name or password"),
    (5, "not authorized"),
    (0x80, "unspecified error"),
    (0x81, "malformed packet"),
    (0x82, "protocol error"),
    (0x84, "protocol version not supported"),
    (0x85, "client identifier not valid"),
    (0x86, "bad user name or password"),
    (0x87, "not authorized"),
    (0x88, "server unavailable"),
    (0x89, "server busy"),
    (0x8A, "banned"),
    (0x8C, "bad authentication method"),
    (0x8D, "keep-alive timeout"),
    (0x8E, "session taken over"),
    (0x90, "topic name not valid"),
    (0x95, "packet too large"),
    (0x97, "quota exceeded"),
    (0x99, "payload format not valid"),
    (0x9C, "use another server"),
    (0x9D, "server moved"),
    (0x9F, "connection rate exceeded"),
];

/// `esp_err.h` and the components' own.
const ESP_ERR: Table = &[
    (0x101, "ESP_ERR_NO_MEM: out of memory"),
    (0x102, "ESP_ERR_INVALID_ARG"),
    (0x103, "ESP_ERR_INVALID_STATE"),
    (0x104, "ESP_ERR_INVALID_SIZE"),
    (0x105, "ESP_ERR_NOT_FOUND"),
    (0x106, "ESP_ERR_NOT_SUPPORTED"),
    (0x107, "ESP_ERR_TIMEOUT"),
    (0x108, "ESP_ERR_INVALID_RESPONSE"),
    (0x109, "ESP_ERR_INVALID_CRC"),
    (0x10A, "ESP_ERR_INVALID_VERSION"),
    (0x10B, "ESP_ERR_INVALID_MAC"),
    (0x1101, "ESP_ERR_NVS_NOT_INITIALIZED"),
    (0x1102, "ESP_ERR_NVS_NOT_FOUND"),
    (0x1103, "ESP_ERR_NVS_TYPE_MISMATCH"),
    (0x1104, "ESP_ERR_NVS_READ_ONLY"),
    (
        0x1105,
        "ESP_ERR_NVS_NOT_ENOUGH_SPACE: the NVS partition is full",
    ),
    (0x1106, "ESP_ERR_NVS_INVALID_NAME"),
    (0x1107, "ESP_ERR_NVS_INVALID_HANDLE"),
    (0x1108, "ESP_ERR_NVS_REMOVE_FAILED"),
    (0x1109, "ESP_ERR_NVS_KEY_TOO_LONG"),
    (0x110A, "ESP_ERR_NVS_PAGE_FULL"),
    (0x110B, "ESP_ERR_NVS_INVALID_STATE"),
    (0x110C, "ESP_ERR_NVS_INVALID_LENGTH"),
    (
        0x110D,
        "ESP_ERR_NVS_NO_FREE_PAGES: the NVS partition is full or damaged",
    ),
    (0x110E, "ESP_ERR_NVS_VALUE_TOO_LONG"),
    (
        0x110F,
        "ESP_ERR_NVS_PART_NOT_FOUND: the partition table has no NVS partition of that name",
    ),
    (
        0x1110,
        "ESP_ERR_NVS_NEW_VERSION_FOUND: written by a newer version",
    ),
    (0x1503, "ESP_ERR_OTA_VALIDATE_FAILED"),
    (0x6001, "ESP_ERR_FLASH_OP_FAIL"),
    (0x6002, "ESP_ERR_FLASH_OP_TIMEOUT"),
    (0x6003, "ESP_ERR_FLASH_NOT_INITIALISED"),
    (0x6004, "ESP_ERR_FLASH_UNSUPPORTED_HOST"),
    (0x6005, "ESP_ERR_FLASH_UNSUPPORTED_CHIP"),
    (0x6006, "ESP_ERR_FLASH_PROTECTED"),
    (0x3001, "ESP_ERR_WIFI_NOT_INIT"),
    (0x3002, "ESP_ERR_WIFI_NOT_STARTED"),
    (0x3004, "ESP_ERR_WIFI_IF"),
    (0x3005, "ESP_ERR_WIFI_MODE"),
    (0x3006, "ESP_ERR_WIFI_STATE"),
    (0x3007, "ESP_ERR_WIFI_CONN"),
    (0x3009, "ESP_ERR_WIFI_MAC"),
    (0x300A, "ESP_ERR_WIFI_SSID"),
    (0x300B, "ESP_ERR_WIFI_PASSWORD"),
    (0x300C, "ESP_ERR_WIFI_TIMEOUT"),
    (0x300F, "ESP_ERR_WIFI_NOT_CONNECT"),
];

/// lwIP's and newlib's `errno.h`.
const ERRNO: Table = &[
    (5, "EIO"),
    (9, "EBADF: the socket is closed"),
    (11, "EAGAIN: timed out, or nothing there yet"),
    (12, "ENOMEM: out of memory"),
    (23, "ENFILE: no socket left"),
    (104, "ECONNRESET: the peer reset the connection"),
    (105, "ENOBUFS: out of buffers"),
    (107, "ENOTCONN"),
    (110, "ETIMEDOUT"),
    (111, "ECONNREFUSED: nothing listens on that port"),
    (
        113,
        "ECONNABORTED or EHOSTUNREACH: the connection was aborted, or there is no way to the host",
    ),
    (116, "ETIMEDOUT"),
    (118, "EHOSTUNREACH: there is no way to the host"),
    (119, "EINPROGRESS"),
    (128, "ENOTCONN: the socket is not connected"),
];

/// `getaddrinfo` of lwIP.
const GETADDRINFO: Table = &[
    (200, "EAI_NONAME"),
    (201, "EAI_SERVICE"),
    (
        202,
        "EAI_FAIL: the DNS server gave no address, or none answered",
    ),
    (203, "EAI_MEMORY"),
    (204, "EAI_FAMILY"),
    (-2, "EAI_NONAME: no such name"),
    (-3, "EAI_AGAIN: no DNS server answered"),
];

/// Codes of the Linkkit SDK and its cloud.
const LINKKIT: Table = &[
    (-0x0300, "the MQTT client's argument is wrong"),
    (-0x0309, "CONNACK: protocol version refused"),
    (-0x030A, "CONNACK: client identifier refused"),
    (-0x030B, "CONNACK: the server is not available"),
    (-0x030C, "CONNACK: user name or password is wrong"),
    (-0x030D, "CONNACK: not authorized"),
    (400, "the request is wrong"),
    (460, "a parameter of the request is wrong"),
    (429, "too many requests"),
    (520, "the session is wrong"),
    (6100, "the device does not exist"),
    (6203, "the topic cannot be parsed"),
    (6204, "the device is disabled"),
    (6207, "the device has no session in the cloud's time"),
    (6287, "the device's signature is wrong"),
    (6401, "the topological relation does not exist"),
];

struct Reader {
    says: Expression,
    table: Table,
    /// Of which base the number is.
    radix: u32,
    /// Whether bits of it stand in the table.
    bits: bool,
}

const fn decimal(says: &'static str, table: Table) -> Reader {
    Reader {
        says: Expression::new(says),
        table,
        radix: 10,
        bits: false,
    }
}

const fn hex(says: &'static str, table: Table) -> Reader {
    Reader {
        says: Expression::new(says),
        table,
        radix: 16,
        bits: false,
    }
}

static READERS: [Reader; 15] = [
    decimal(r"(?i)\breason(?: code)?\s*[:=(]?\s*(\d{1,3})\b", WIFI),
    decimal(
        r"(?i)\bdisconnect(?:ed)?,? reason ?[:=]? ?\(?(\d{1,3})\b",
        WIFI,
    ),
    hex(r"-0x0*([0-9A-Fa-f]{2,4})\b", MBEDTLS),
    hex(
        r"(?i)(?:verify|verification|\bflags?)[^:=,0-9]{0,24}[:=]? ?0x([0-9a-f]+)\b",
        FLAGS,
    )
    .bits(),
    hex(r"\b0x(80[0-1][0-9A-Fa-f])\b", ESP_TLS),
    decimal(r"(?i)alert (?:number |code )?\[?(\d{1,3})\b", ALERTS),
    decimal(r"(?i)CONNACK(?: to \S+)? \(\d+, (\d{1,3})\)", CONNACK),
    decimal(
        r"(?i)(?:connection refused|connack|connect)[^0-9]{0,24}(?:rc|code|return code)[ =:]+(\d{1,3})\b",
        CONNACK,
    ),
    hex(
        r"(?:esp_err_t |error:? |err(?:or)?[ =:]+|\()0x([13][0-9a-fA-F]{2,3})\b",
        ESP_ERR,
    ),
    hex(
        r"(?i)(?:\b(?:failed with|stored|err(?:or)?|ret\w*|rc|code|status)|=)[ :=(]{1,3}[-+]?(?:0x)?0*(11(?:0[1-9a-f]|10))\b",
        ESP_ERR,
    ),
    decimal(
        r"(?i)(?:nvs|kv|flash|storage|save|store)\w*[^\n]*?(?:\b(?:failed with|err(?:or)?|ret\w*|rc|code)|=)[ :=(]{1,3}[-+]?(43(?:5[3-9]|6[0-8]))\b",
        ESP_ERR,
    ),
    decimal(r"(?i)\berrno\s*[=:]?\s*\(?(\d{1,3})\b", ERRNO),
    decimal(r"(?i)getaddrinfo\(?\)? returns (-?\d{1,3})", GETADDRINFO),
    decimal(r#"(?i)"code"\s*:\s*(\d{3,4})"#, LINKKIT),
    hex(r"(?i)state[^-]{0,16}-0x0*([0-9a-f]{3,4})\b", LINKKIT),
];

/// The name of an `esp_err_t`.
pub(crate) fn esp_err(code: i64) -> Option<&'static str> {
    let (_, meaning) = ESP_ERR.iter().find(|(known, _)| *known == code)?;
    meaning.split(':').next()
}

impl Reader {
    const fn bits(mut self) -> Self {
        self.bits = true;
        self
    }

    fn read(&self, number: &str) -> Option<String> {
        let value = i64::from_str_radix(number, self.radix).ok()?;
        if self.bits {
            let set = self.table.iter().filter(|(bit, _)| value & bit != 0);
            let words: Vec<&str> = set.map(|(_, meaning)| *meaning).collect();
            return (!words.is_empty()).then(|| words.join(", "));
        }
        let found = self.table.iter().find(|(known, _)| *known == value);
        found.map(|(_, meaning)| (*meaning).to_owned())
    }
}

/// The numbers of a line that are known, and what they mean.
///
/// ```
/// let found = diagnose::decode("E (9) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780");
/// assert_eq!(found[0].meaning, "the peer sent a fatal alert");
/// ```
pub fn decode(text: &str) -> Vec<Reading> {
    let mut found: Vec<Reading> = Vec::new();
    for reader in &READERS {
        for captures in reader.says.all_captures(text).iter().take(4) {
            let Some(number) = captures.get(1) else {
                continue;
            };
            let Some(meaning) = reader.read(number.as_str()) else {
                continue;
            };
            let number = captures
                .get(0)
                .map_or("", |all| all.as_str())
                .trim()
                .to_owned();
            if !found.iter().any(|known| known.meaning == meaning) {
                found.push(Reading { number, meaning });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meanings(text: &str) -> Vec<String> {
        decode(text)
            .into_iter()
            .map(|reading| reading.meaning)
            .collect()
    }

    #[test]
    fn every_expression_is_one() {
        assert!(READERS.iter().all(|reader| reader.says.is_sound()));
    }

    #[test]
    fn numbers_of_the_field_are_read() {
        for (line, meaning) in [
            (
                "W (7) wifi: disconnected, reason: 15",
                "4-way handshake timed out",
            ),
            (
                "E (2963) wifi_prov_mgr: Disconnect reason : 201",
                "no access point of that name",
            ),
            (
                "E esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2700",
                "refused in verification",
            ),
            (
                "E esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x0050",
                "reset the connection",
            ),
            (
                "I esp-tls-mbedtls: Certificate verify flags: 0x8",
                "not signed by an authority",
            ),
            (
                "certificate verification result: 0x208",
                "not signed by an authority that is trusted, not yet valid",
            ),
            (
                "E esp-tls: Failed to open new connection, err 0x8004",
                "connection to the host failed",
            ),
            ("SSL3 alert number 48", "unknown authority"),
            ("Sending CONNACK to dev (0, 5)", "not authorized"),
            (
                "E esp-tls: create_ssl_handle failed, returned [0x8019]",
                "key cannot be read",
            ),
            ("E MQTT: errno=113", "ECONNABORTED"),
            ("E kv: nvs erase key failed with 1109", "KEY_TOO_LONG"),
            ("E cfg: nvs_commit ret=-4357", "NOT_ENOUGH_SPACE"),
            (
                "E esp-tls: couldn't get hostname for :x: getaddrinfo() returns 202, addrinfo=0x0",
                "EAI_FAIL",
            ),
            (
                "ESP_ERROR_CHECK failed: esp_err_t 0x1105 (ESP_ERR_NVS_NOT_ENOUGH_SPACE)",
                "NVS partition is full",
            ),
            (r#"{"code":6287,"message":"sign"}"#, "signature is wrong"),
        ] {
            let found = meanings(line);
            assert!(
                found.iter().any(|found| found.contains(meaning)),
                "{line}: {found:?}"
            );
        }
        assert_eq!(meanings("I (5) app: 15 apples at 0x40081234"), [""; 0]);
    }
}

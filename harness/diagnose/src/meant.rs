//! Words of a line that look like a trouble and mean something else, replaced by what they mean.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::bytes;

use crate::expression::Expression;

/// A word of one of them, without which none is looked for.
static ANY: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)reason|\b(?:grund|motivo|raison|reden)\b|time(?:d[ -]?|[ _-]?)out|ETIMEDOUT|IP address|crash|panic|core ?dump|exception|backtrace|leave,? AID|refused|AP_DEF|soft-?AP|AP IP|assigned IP|connected|wi-?fi connect|wlan connect|wif: connect|\W0\b|URI '/|/(?:favicon|apple-touch|(?:site\.web)?manifest\.|browserconfig|robots\.txt|generate_?204|hotspot-detect|connecttest|ncsi\.txt|wpad\.dat|\.well-known/)|msg[_ ]?id|(?:packet|pkt)[_ ]?id|message[_ ]id|\bmid\b|rssi|disconnect|getrennt|STA_|(?:wi-?fi|wlan|netz|assoc\w*):? (?:lost|weg|down|off|failed|rejected)",
    )
});

/// A word of some of them, without which those are not looked for.
static REASON: LazyLock<bytes::Regex> = LazyLock::new(|| words(r"(?i)reason"));
static OTHER_TONGUE: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)\b(?:grund|motivo|raison|reden)\b"));
static TIMEOUT: LazyLock<bytes::Regex> = LazyLock::new(|| words(r"(?i)time(?:d[ -]?|[ _-]?)out"));
static LEAVES: LazyLock<bytes::Regex> = LazyLock::new(|| words(r"(?i)leave,? AID"));
static REFUSAL: LazyLock<bytes::Regex> = LazyLock::new(|| words(r"(?i)refused"));
static OWN: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)AP_DEF|soft-?AP|AP IP|assigned IP"));
static CONNECTED: LazyLock<bytes::Regex> = LazyLock::new(|| words(r"(?i)connected"));
static NUMBER: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)msg[_ ]?id|(?:packet|pkt)[_ ]?id|message[_ ]id|\bmid\b"));
static LEAVING: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)disconnect|STA_|getrennt|wi-?fi|wlan|netz|assoc"));
static SIGNAL: LazyLock<bytes::Regex> = LazyLock::new(|| words(r"(?i)rssi"));
static URI: LazyLock<bytes::Regex> = LazyLock::new(|| words(r"(?i)URI '/"));

/// A time limit with its value, which is a setting, and nothing that ran out.
static LIMIT: Expression = Expression::new(
    r"(?i)\btime-?out_?(?:ms|s|sec)?(?: is| of| in| set to| ?=| ?:)? ?\d+|_timeout: ?\d+",
);

/// What tells that such a limit ran out.
static RUNS_OUT: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:after|wait\w*|expired|exceeded|reached|retr\w*|fail\w*|error|no|reboot\w*|giv\w+|again)\b",
    )
});

/// A reason with its number in other languages.
static REASON_OF_OTHERS: Expression =
    Expression::new(r"(?i)\b(?:grund|motivo|raison|reden)(?:-?code)?[ :=(]+(\d)");

/// A reason that is MQTT's, whose numbers mean something else than Wi-Fi's.
static MQTT_REASON: Expression =
    Expression::new(r"(?i)\b((?:mqtt|broker)\w*)([^\n]{0,40}?)\breason(?: code)?[ :=(]{0,4}(\d)");

/// A reason of a reset or of Bluetooth, whose numbers mean something else than Wi-Fi's.
static OTHER_REASON: Expression = Expression::new(
    r"(?i)\b(\w*?(?:reset|rst|re?boot|restart|wake-?_?up|wake|sleep|exit|shutdown)|(?:\w*_)?(?:ble|bt|gatt\w*|gap|nimble|bluetooth|l2cap))\b?([^\n]{0,40}?)reason(?: code)?",
);

/// What tells that a line is on Wi-Fi, whatever component prints it.
static OF_WIFI: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)wi-?fi|ssid|\bsta\b|STA_|\bAP\b|802\.11|bssid|station|rssi"));

/// A join that took too long, which is no connection to a server.
static JOIN_TIMEOUT: Expression = Expression::new(
    r"(?i)(failed to connect and hit |\b(?:wif|wi-?fi\w*|wlan|ssid|access point|lte|lte-m|nb-?iot|cellular|gprs)\b[^\n]{0,60}(?:connect|join)[^\n]{0,60}?|(?:connect|join)[^\n]{0,60}\b(?:wi-?fi|wlan|ssid|access point)\b[^\n]{0,60}?)\btime(?:d[ -]?|[ -]?)out\b",
);

/// A word of such a link, and of the access point.
static LINK: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)wi-?fi|wif:|wlan|lte|nb-?iot|cellular|gprs|ppp|\beth|modem"));

/// A component that is named after MQTT, and tells that another link is up.
static OTHER_LINK: Expression = Expression::new(
    r"(?i)\bmqtt\w*([^\n]{0,12}\b(?:wi-?fi|wlan|lte\S*|nb-?iot|cellular|gprs|ppp|eth\w*|modem)\b[^\n]{0,12}\bconnected\b)",
);

/// A read that found nothing in its time, as one of a connection does that stands.
static NOTHING_READ: Expression = Expression::new(
    r"(?i)\b(?:recv|receive|read|poll)(?:ing)?(?: data)?[ _:]time(?:d[ -]?|[ _-]?)out\b",
);

/// A return to the network after its beacons or an idle session were missed, which is no connection to a server.
static JOIN_AGAIN: Expression = Expression::new(
    r"(?i)\breconnect(\w*\b[^\n]{0,24}\bafter (?:a )?(?:beacon|bcn|link|wi-?fi|idle|session) time-?out)",
);

/// What is waited for, so that nothing is a trouble.
static WAITS_FOR_ANSWER: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)handshake|hello|connack|dhcp|\bping|\bs?ntp|dns|resol|response|answer|reply|puback|suback|wait",
    )
});

/// A connection to the access point that failed, which is none to a server.
static JOIN_FAILED: Expression = Expression::new(
    r"(?i)\b(?:wif:|wi-?fi|wlan) connect(?:ion|ing)? (?:attempt )?(?:has )?fail(?:ed|ure)\b",
);

/// The result of a join, whose numbers are none of MQTT's.
static JOIN_RESULT: Expression = Expression::new(
    r"(?i)(\b(?:wi-?fi|wlan)\b[^\n]{0,24}connect\w*[^\n]{0,24})\b(?:rc|state|status code|error|code)\b",
);

/// What tells that such a line is on another part of the way.
static OF_OTHERS: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)handshake|dhcp|beacon|bcn|mqtt|broker|server|host|tcp|tls|ssl|https?|socket|ntp|\bIP\b|client|ping",
    )
});

/// A refusal in MQTT's CONNACK, whose first words are those of a refused TCP connection.
static REFUSED: Expression = Expression::new(
    r"(?i)connection refused(\W{1,4}(?:reason\W{1,3}|(?:return|reason)[ _]?code\W{1,3})?)(unauthori|not[ _]?auth|bad[ _]|baduser|badclient|broker|server|identifier|unacceptable|id |client|unknown reason|incorrect |mqttcode|quota|connection rate|banned|malformed|protocol|packet|topic|use another|error: ?0x|(?:reason|return)?[ _]?(?:code|rc)\W{1,3}(?:[1-5]\b|13[2-7]\b|0x8))",
);

/// The same without a reason, of a client that has come as far as CONNECT.
static CONNECT_REFUSED: Expression = Expression::new(r"(?i)(mqtt_connect: )connection refused");

/// A station that leaves the device's own network: its reason is of that station, not of the device.
static STATION_LEAVES: Expression = Expression::new(r"(?i)(\bleave,? AID\b[^\n]*?)\breason\b");

/// The address of the device in its own network, which no network gave it.
static OWN_ADDRESS: Expression =
    Expression::new(r"(?i)(AP_DEF with|soft-?AP\b[^\n]{0,24}?|\bAP|assigned) IP\b(?: address)?");

/// The address that a device's own network has by custom: no router gives it to a station.
static CUSTOMARY: Expression = Expression::new(
    r"(?i)\bIP( address)?(\W{1,4})(?:192\.168\.4\.1|192\.168\.71\.1|172\.217\.28\.1)(?:\W*$|/)",
);

/// A time server that does not answer, which is no connection that did not come about.
static NO_TIME: Expression = Expression::new(
    r"(?i)(\bs?ntp(?:time|_\w+)?\b[^\n]*?)(?:\[?errno[ =:]+1(?:10|16)\]? ?(?:ETIMEDOUT)?|ETIMEDOUT)",
);

/// Words that say the contrary of those behind them.
static APART: Expression = Expression::new(
    r"(?i)\b(not|never|isn.t|wasn.t|no longer|if|when|while|until|unless|once)( yet| been| is| being)? connected\b",
);

/// A counter that stands at nothing.
static NONE: Expression = Expression::new(
    r"(?i)\b(?:errors?|failures?|failed|fails?|fail_?count|err_?count|\w+_err|timeouts?|lost|miss(?:es|ed)?|invalid|drops?|err|rst|brown-?outs?|panics?|crash(?:es)?|refused|rejected|blocked|dropped)(?:[ _-]?(?:count(?:er|s)?|cnt|total))?[^\w\[\n]{1,2}0\b",
);

/// The same with its number before it.
static NONE_OF: Expression = Expression::new(
    r"(?i)((?:^|[:,;=(]) ?)0 (?:\w+ )?(?:errors?|failures?|timeouts?|drops|lost|misses|crashes|rejects)\b",
);

/// Why Arduino's HTTP client has no connection, whatever the reason: it says "refused" for each.
static HTTP_REFUSED: Expression =
    Expression::new(r"(?i)(\b(?:https?|get|post|put|code|error)\b[^\n]*-1\b\W*)connection refused");

/// A word of such a crash.
static CRASH: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"crash|panic|core ?dump|exception|backtrace"));

/// The number of a message, which is no code, whatever it is.
static MESSAGE: Expression = Expression::new(
    r"(?i)\b(msg[_ ]?id|(?:packet|pkt)[_ ]?id|message[_ ]id|mid)([ =:#(]{1,3})\d+\b",
);

/// A number behind the word of a disconnection from the access point, which is its reason.
static LEFT: Expression = Expression::new(
    r"(?i)\b((?:sta|station|wi-?fi|wlan|netz)\]?:? ?(?:disconnect(?:ed|ion)?|lost|getrennt|weg|down|off)|STA_DISCONNECTED|assoc(?:iation)? (?:failed|rejected|lost))([ :=,(#]{1,3})(?:why|rc|r|code|err|cause)?[ :=#]{0,2}(\d{1,3})\b(?:\W*$|[,;)\]]| \(| try| retry| -)",
);

/// The signal of any network that a scan has heard, which need not be the device's.
static HEARD: Expression = Expression::new(
    r"(?i)\b(scan\w*|neighbou?rs?|found (?:ap|network|ssid)s?)\b([^\n]{0,80}?)\brssi\b",
);

/// A crash of a start before this one.
static EARLIER_CRASH: Expression = Expression::new(
    r"(?i)\b(?:previous|last|earlier|prior|saved|stored) (?:crash|panic|core ?dump|exception|backtrace)\b[^\n]*",
);

/// Words beside which others say nothing of what was reached.
static DENIAL: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:fail\w*|errors?|err|lost|lose\w*|time[ds]?[ -]?out|refus\w*|unable|cannot|can.t|couldn.t|isn.t|wasn.t|denied|reject\w*|not|no|never|without|wait\w*|try\w*|retr\w*|attempt\w*|disconnect\w*|if|until|when|unless|down|offline|soft-?ap|(?:WIFI_)?AP_\w+|static|resolv\w*|connecting|broker ip|server ip|compiled?|built|build|unknown|invalid|expired|dropped|closed|hostapd|IEEE|WPA\d?|group key|pairwise|4-?way|web ?socket|wss?|to a (?:station|client)|sta associated mac|0\.0\.0\.0|169\.254|127\.0\.0\.1|AP IP|fall(?:s|ing)? ?back|fallback|dhcp server (?:start\w*|on\b|running)|nicht|kein\w*|warte\w*|versuch\w*|verbinde|getrennt|abgelehnt|fehler\w*|sin|esperando|conectando|desconectad[oa]|pas|attente|non|niet|geen|(?:my |the |your )?(?:phone|laptop|notebook|tablet)(?:'s)?)\b|^ *(?:\[[\d:. ]+\] ?)?(?:#|//|\^+|<-+) ?[a-z]|\bmy phone|\bhotspot\b",
    )
});

/// What makes a line one by the way: it is on a server beside the device's cloud, it says itself that it goes
/// on all the same, or it is a remark of the log's reader.
static ASIDE: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:syslog|influx\w*|grafana|prometheus|(?:open)?weather(?:map|api|bit)?|forecast|webhook|telegram|discord|slack|ifttt|pushover|ntfy|ssdp|upnp|snmp|geo-?ip|ipify|ip-api|sentry|analytics|speed-?test|telnet|ftp|smtp|ddns|dyndns|hue|knx|modbus-?tcp|snapcast|sonos|spotify|alexa)\b|\b(?:ignor(?:ed|ing)|skip(?:ped|ping)?|harmless|non-?fatal|not (?:critical|fatal)|going on|continuing|continues|carr(?:y|ying) on|(?:using|use|keep(?:ing)?) (?:the |its )?(?:defaults?|internal|cached|backup|old|last|rtc|build|wi-?fi|ethernet|scan response)|trying (?:the )?(?:next|server|other|another|backup|second)|next server|switching to|is (?:normal|expected)|first boot|failed once|back again|(?:callback|cb|hook|handler|killer|detector)s? (?:registered|installed|enabled|disabled|set|on|off)|using (?:one|\d+|first|only|\S+ instead)|instead|anyway|nevertheless|(?:new one|another) (?:was )?requested|(?:re)?generating|renewing|refresh(?:ed|ing)|migrat(?:ed|ing)|backing off|full scan|split(?:ting)? in(?:to)?|retry (?:is |was )?ok|next check)\b|, [^,\n]{1,24}\b(?:ok|online|restored|recovered)\W*$|, using [\w ]{1,24}\W*$|\((?:optional|once)\)|\b(?:maybe|perhaps|possibly|vielleicht|evtl|eventuell|vermutlich|wohl|quiz\S{1,2}s|tal vez|misschien|forse)\b|[\w\x22')\]]\?+(?:\W*$| (?:pls|please|check|maybe|or)\b)|URI '/favicon\.(?:ico|png|svg)' not found|\bmDNS (?:query|lookup|resolution) failed|\bto (?:this|the same|its own) account\b|, (?:\w+ )?disabled\W*$|, (?:erasing|formatting|recovering|recreating)\b|^(?:\[[\d:. ]+\] ?)?(?:# |//|\^+ ?|<-+ ?(?-i:[a-z]))[a-z]|\b(?:i|we) (?:have|had|did|tried|checked|think|guess|changed|typed|unplugged|pulled|switched|moved)\b|\b(?:my|our) (?:phone|router|wife|laptop|customer|neighbou?r|home|hotspot)s?\b",
    )
});

/// What makes a line tell of no event, whatever it is on: a help text, a counter's name, a test of itself.
static NO_EVENT: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:hist(?:ory)?|help|usage|self-?tests?|stats?|diag|note|todo|menu|i18n): |\blast_(?:err\w*|reason|fail\w*)\b|\bsimulat(?:ed|ing)\b|\bmeans (?:bad|wrong|not|no)\b",
    )
});

/// Bytes and blanks that a sentence has.
const REMARK: usize = 30;
const WORDS: usize = 6;

/// Words of people who tell what they have seen, of which firmware prints two in no line.
static PERSONAL: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:i|we|my|our|he|she|they|but|was|were|says|said|only|please|think|though|because|always|never|same|customer|app|phone|works|checked|normal|und|ist|nicht|aber|nur|wir|ich|Kunde|Router|geht)\b",
    )
});

/// What a line by the way cannot be on: the way to the device's own broker.
static OF_BROKER: LazyLock<bytes::Regex> = LazyLock::new(|| words(r"(?i)\bmqtt|broker"));

/// A page that phones and browsers ask every server for, whether it is there or not.
static PROBE: Expression = Expression::new(
    r"(?i)URI '/(?:sitemap\.xml|(?:site\.web)?manifest(?:\.json|\.webmanifest)?|browserconfig\.xml|sw\.js|service-worker\.js|ads\.txt|security\.txt|wp-\S*|\.env\S*|\.git/\S*|cgi-bin/\S*|boaform/\S*|HNAP1\S*|GponForm/\S*|phpmyadmin\S*|\S*\.(?:php|asp|aspx|jsp)|actuator/\S*|solr/\S*|owa/\S*|sdk|evox/about|nmaplowercheck\S*|Trinity\.txt\S*|generate_?204|gen_?204|hotspot-detect\.html|connecttest\.txt|ncsi\.txt|redirect|fwlink\S*|success\.txt|canonical\.html|library/test/success\.html|apple-touch-icon\S*|robots\.txt|wpad\.dat|chat|mobile/status\.php|\.well-known/\S*)(?:\?\S*)?' not found",
);

/// What browsers and phones ask every server for, in any form in which a server tells that it is not there.
static ICON: Expression = Expression::new(
    r"(?i)/(?:favicon\S*|apple-touch-icon\S*|(?:site\.web)?manifest\.(?:json|webmanifest)|browserconfig\.xml|robots\.txt|generate_?204|hotspot-detect\.html|connecttest\.txt|ncsi\.txt|wpad\.dat|\.well-known/\S*)[^\n]*",
);
static OF_ICON: LazyLock<bytes::Regex> = LazyLock::new(|| {
    words(
        r"(?i)/(?:favicon|apple-touch|(?:site\.web)?manifest\.|browserconfig|robots\.txt|generate_?204|hotspot-detect|connecttest|ncsi\.txt|wpad\.dat|\.well-known/)[^\n]*(?:\b404\b|not found|no handler|missing|nicht gefunden|fehlt)",
    )
});

/// An expression that is only looked for: in bytes, which is faster.
pub(crate) fn words(text: &str) -> bytes::Regex {
    #[expect(clippy::expect_used, reason = "the expression is part of the program")]
    bytes::RegexBuilder::new(text)
        .unicode(false)
        .build()
        .expect("the expression is sound")
}

/// A line with what its misleading words mean, or the line itself.
pub fn as_meant(line: &str) -> Cow<'_, str> {
    if !ANY.is_match(line.as_bytes()) {
        return Cow::Borrowed(line);
    }
    let mut line = Cow::Borrowed(line);
    if is_of_other_tongue(&line) {
        line = REASON_OF_OTHERS.replace_all(line, "reason $1");
    }
    if REASON.is_match(line.as_bytes()) && !OF_WIFI.is_match(line.as_bytes()) {
        line = MQTT_REASON.replace_all(line, "$1${2}mqttcode $3");
        line = OTHER_REASON.replace_all(line, "$1${2}why");
    }
    if LINK.is_match(line.as_bytes()) {
        line = JOIN_FAILED.replace_all(line, "wifi join failed");
        line = OTHER_LINK.replace_all(line, "app$1");
        line = JOIN_RESULT.replace_all(line, "${1}result");
    }
    if LEAVING.is_match(line.as_bytes()) && !REASON.is_match(line.as_bytes()) {
        line = LEFT.replace_all(line, "$1${2}reason $3 ");
    }
    if LEAVES.is_match(line.as_bytes()) {
        line = STATION_LEAVES.replace_all(line, "${1}why");
    }
    if REFUSAL.is_match(line.as_bytes()) {
        line = REFUSED.replace_all(line, "connack refused$1$2");
        line = CONNECT_REFUSED.replace_all(line, "$1connack refused");
        line = HTTP_REFUSED.replace_all(line, "${1}connect failed");
    }
    if OWN.is_match(line.as_bytes()) {
        line = OWN_ADDRESS.replace_all(line, "$1 mine");
    }
    if line.contains("IP") || line.contains("ip") {
        line = CUSTOMARY.replace_all(line, "mine");
    }
    if line.contains("ntp") || line.contains("NTP") {
        line = NO_TIME.replace_all(line, "${1}timeout");
    }
    if CONNECTED.is_match(line.as_bytes()) {
        line = APART.replace_all(line, "$1 apart");
    }
    if has_zero(&line) {
        line = NONE.replace_all(line, "none");
        line = NONE_OF.replace_all(line, "${1}none");
    }
    if CRASH.is_match(line.as_bytes()) {
        line = EARLIER_CRASH.replace_all(line, "a crash before");
    }
    if NUMBER.is_match(line.as_bytes()) {
        line = MESSAGE.replace_all(line, "$1${2}n");
    }
    if SIGNAL.is_match(line.as_bytes()) {
        line = HEARD.replace_all(line, "$1${2}heard");
    }
    if URI.is_match(line.as_bytes()) {
        line = PROBE.replace_all(line, "a probe");
    }
    if OF_ICON.is_match(line.as_bytes()) {
        line = ICON.replace_all(line, "a probe");
    }
    if TIMEOUT.is_match(line.as_bytes()) {
        line = JOIN_AGAIN.replace_all(line, "rejoin$1");
        if !WAITS_FOR_ANSWER.is_match(line.as_bytes()) {
            line = NOTHING_READ.replace_all(line, "nothing read");
        }
        line = LIMIT.replace_all(line, "limit");
        if !OF_OTHERS.is_match(line.as_bytes()) {
            line = JOIN_TIMEOUT.replace_all(line, "${1}wifi join failed");
        }
    }
    line
}

/// Whether a line tells a reason in another language, so that no rule finds it as it stands.
pub fn is_of_other_tongue(line: &str) -> bool {
    OTHER_TONGUE.is_match(line.as_bytes())
}

/// A line without the counters in it that stand at nothing, and without the limits that are settings.
pub fn without_settings(line: &str) -> Cow<'_, str> {
    let mut line = Cow::Borrowed(line);
    if has_zero(&line) {
        line = NONE.replace_all(line, "none");
        line = NONE_OF.replace_all(line, "${1}none");
    }
    if TIMEOUT.is_match(line.as_bytes()) && !RUNS_OUT.is_match(line.as_bytes()) {
        line = LIMIT.replace_all(line, "limit");
    }
    line
}

/// Whether a line has a number that is nothing.
fn has_zero(line: &str) -> bool {
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let bytes = line.as_bytes();
    let stands_alone = |at: usize| {
        let (before, behind) = (at.checked_sub(1).map(|at| &bytes[at]), bytes.get(at + 1));
        before.is_some_and(|byte| !is_of_word(byte)) && !behind.is_some_and(is_of_word)
    };
    line.match_indices('0').any(|(at, _)| stands_alone(at))
}

/// Whether a line has words of failure or of what is still to come.
pub fn is_denied(line: &str) -> bool {
    DENIAL.is_match(line.as_bytes())
}

/// Whether a line is one by the way, which alone makes no cause likely.
pub fn is_aside(line: &str) -> bool {
    let line = line.as_bytes();
    NO_EVENT.is_match(line) || (ASIDE.is_match(line) && !OF_BROKER.is_match(line))
}

/// Whether a line without a head is what a person has written between those of a device: a sentence.
pub fn is_remark(line: &str) -> bool {
    if line.len() < REMARK || dialect::head(line).is_some_and(|head| head.device_ms.is_some()) {
        return false;
    }
    let has_marks = line
        .bytes()
        .any(|byte| matches!(byte, b'[' | b'{' | b'=' | b'<' | b'|'));
    let spaces = line.bytes().filter(|byte| *byte == b' ').count();
    !has_marks && spaces >= WORDS && PERSONAL.find_iter(line.as_bytes()).nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_by_the_way_are_told_from_others() {
        for line in [
            "E (45) syslog: connection refused",
            "W (7) app: failed to allocate 2048 B in PSRAM, using internal",
            "I (81) app: modem not found, LTE disabled",
            "# wrong password? i checked it",
            "W (41) dns: 192.0.2.1 no response, 192.0.2.2 ok",
            "W (49) spi_master: not enough memory for descriptors, using PIO",
            "I (18) storage: config checksum mismatch, migrated from v2",
            "I (90) selftest: expired certificate rejected",
            "W (59) mqtt: rc=4 means bad user or password",
            "I (68) bind: device already bound to this account",
            "W (6) app: payload 1200 > limit 900, splitting in 2",
        ] {
            assert!(is_aside(line), "{line}");
        }
        for line in [
            "E (45) mqtt: connection refused, trying the next broker",
            "<- 00:00:15 CONNACK | SESSION_PRESENT: false | RETURN_CODE: 0x5",
            "E (5012) esp-tls: [sock=54] delayed connect error: Connection refused",
        ] {
            assert!(!is_aside(line), "{line}");
        }
    }

    #[test]
    fn counters_at_nothing_and_limits_are_left_out_of_a_line() {
        for (line, rest) in [
            ("kv: 0 write errors, 12 keys", "kv: none, 12 keys"),
            ("dns: errors 0, hits 4", "dns: none, hits 4"),
            (
                "resolver: timeout 5 attempts 2",
                "resolver: limit attempts 2",
            ),
            ("dhcp: timeout 30 s, retry 2", "dhcp: timeout 30 s, retry 2"),
            ("Interface 0 DHCP timeout", "Interface 0 DHCP timeout"),
        ] {
            assert_eq!(without_settings(line), rest);
        }
    }

    #[test]
    fn misleading_words_are_replaced_and_others_stay() {
        for (line, meant) in [
            ("connection timeout: 5000 ms", "connection limit ms"),
            ("reset reason: 5", "reset why: 5"),
            ("WLAN getrennt, Grund: 15", "WLAN getrennt, reason 15"),
            ("esp_reset_reason 15", "esp_reset_why 15"),
            ("nimble: disconnect; reason=8", "nimble: disconnect; why=8"),
            (
                "wifi: disconnected, reason 8",
                "wifi: disconnected, reason 8",
            ),
            ("WiFi connect timeout", "WiFi connect wifi join failed"),
            (
                "wifi:station: 02:00:00:00:00:01 leave, AID = 1, reason = 15",
                "wifi:station: 02:00:00:00:00:01 leave, AID = 1, why = 15",
            ),
            (
                "Connection Refused - Unauthorized (5)",
                "connack refused - Unauthorized (5)",
            ),
            (
                "delayed connect error: Connection refused",
                "delayed connect error: Connection refused",
            ),
            ("AP IP address: 192.168.4.1", "AP mine: 192.168.4.1"),
            (
                "[C][wifi:146]:   IP Address: 192.168.4.1",
                "[C][wifi:146]:   mine",
            ),
            ("IP address: 192.168.4.16", "IP address: 192.168.4.16"),
            (
                "ntp: OSError: [Errno 110] ETIMEDOUT",
                "ntp: OSError: timeout",
            ),
            ("not connected to the broker", "not apart to the broker"),
            (
                "flash read errors: 0, writes 4",
                "flash read none, writes 4",
            ),
            ("failed: 0x105", "failed: 0x105"),
            (
                "OpenSSL Error[0]: error:1417C0C7",
                "OpenSSL Error[0]: error:1417C0C7",
            ),
            (
                "MQTT_EVENT_DISCONNECTED, reason code 0x95",
                "MQTT_EVENT_DISCONNECTED, mqttcode 0x95",
            ),
            ("SUBACK msg_id=128", "SUBACK msg_id=n"),
            (
                "httpd_uri: URI '/generate_204' not found",
                "httpd_uri: a probe",
            ),
            ("connect to server timed out", "connect to server timed out"),
        ] {
            assert_eq!(as_meant(line), meant);
        }
    }
}

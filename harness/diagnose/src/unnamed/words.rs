//! Words by which a line at the end of a log tells a failure, an attempt, and the stage of either.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::Stage;
use crate::before::FAILS;
use crate::expressions::Expressions;
use crate::meant::words;

/// Words of failure.
pub static FAILING: LazyLock<Regex> = LazyLock::new(|| words(FAILS));

/// What tells of a failure at the end of a log, though devices that are well say it as well.
pub static ILL: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\bdis(?:connect|associat|c)\w*[^\n]{0,24}(?:\breason\b|[:=] ?\d)|\breason[ :=]{1,3}(?:\d|[A-Z_]{6})|WL_(?:NO_|CONNECT_FAILED|WRONG|STATION_WRONG)|\bno [^\n]{1,32} (?:found|for \d)|state: \d -> 0|-> init \(|guru meditation|\bbrown-?out det|rst:0xf\b|backtrace:|\bexception ?\(|\bpanic|wdt reset|rst cause:[34]|traceback|\w(?-i:Error|Exception)\b|\b\w*not (?:be )?(?:find|resolve|connect|authori[sz]ed)|NoHost|\bno ?host\b|\b(?:exceeded|expired|dropped|missing|unbound|gave up|wrong|bad|too (?:long|large|many|weak)|unsatisfied)\b|already connected, closing|not (?:acknowledged|success|stored)|-> FAIL|\b(?:rc|res|ret|err\w*|(?:result|return|status|error) ?code)[\x22 ]{0,2}[:=( ] ?-?(?:0x)?0*[1-9]|\b(?:state|status|result)[:= ]{1,3}-\d{1,3}(?:$|[,;) ])|\b(?:mqtt|pubsub\w*)[^\n]{0,16}\bstate[ :=]{1,3}-?[1-9]|-0x0*[1-9a-f][0-9a-f]{1,3}\b|(?:->|=|\)) -[1-9]\d{0,3}\b|\b(?-i:E(?:NO|CONN|ADDR|TIMED|HOST|NET|INVAL|PERM|ACCES|AGAIN|BUSY|MSGSIZE|PIPE)[A-Z]*)\b|\b(?:sem|sin) (?:ip|conex|red)|\bkeine?\b|(?-i:[a-z]M)ismatch|\bwithout success\b|\bohne erfolg\b|\bsin \S{1,2}xito\b|\b(?:gescheitert|verweigert|abgewiesen|abgelaufen|abgebrochen|belegt|antwortet nicht|ung\S{1,2}ltig|falsch|zu (?:kurz|lang)|geh\S{1,2}rt schon|unterspannung)\b|\bno (?:se (?:pudo|obtuvo)|es de|est\S{1,2} al|iniciad[oa]|guardad[oa])\b|\b(?:rechaz\S*|sin respuesta|ocupad[oa]|llen[oa]|caducad[oa]|superad[oa]|ya pertenece|refus\S*|faible|introuvable|occup\S*|wants|0 (?:of|von|de) \d+|no server suitable)\b|\b(?:exhausted|garbled|overlap|taken|oops|crashed|unlicensed|readonly|gave up|too (?:short|few))\b|\bnot (?:started|published|bound|added|licensed|available|accepted|in cert|within|feed)\b|\bno (?:free|suitable|packet|shared|syn|connack|good|ssid|certificate|ipv4|answer)\b|\bdid not (?:feed|report|answer|reply)\b|\bAccessDenied|PERMISSION_DENIED|\bFR_(?-i:[A-Z])\w+|INSUFFICIENT_|\bASSERT(?:ION)? FAIL|\bDROP\b|\bdisabled by\b|\bis full\b|\b(?-i:ENOTFOUND|EACCES|BAD_ARG|AP-DISABLED)\b|\bconnect-failed\b|\bno ip\b|\bIOTHUB_CLIENT_CONNECTION_(?:DEVICE_DISABLED|QUOTA|BAD|EXPIRED|RETRY|COMM|NO_)|\b(?:status|http|patch|put|post|get|hub|server)\b[^\n]{0,40} (?:4[012]\d|50[0-4])(?:\W*$| (?-i:[A-Z]))|Refused\(",
    )
});

/// What tells that something is attempted or awaited.
pub static ATTEMPTED: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:wait\w*|(?:re-?)?connecting|attempt\w*|try(?:ing)?|retr\w*|discover\w*|quer(?:y|ies|ying)|ask\w*|request\w*|again|reconnect\w*|left|selecting|warte\w*|esperando|aguardando|attente)\b",
    )
});

/// What devices that are well tell as well: settings that were never written, a start without a dump of a
/// crash before it, an access point that ends a block of acknowledgements.
pub static HARMLESS: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)NVS_NOT_FOUND|\b(?:0x)?1102\b|core.?dump|firmware load|\bnvs[_ ]get|_get_str|\bkv[_ ]get|\bkey\b[^\n]{0,24}\bnot found|DELBA|\bstation: \S+ leave|-> init \((?:0x)?0\)|reset info|\basked to\b|\b(?:reset|boot|restart|wake-?up)[ _](?:reason|cause)\b[^\n]*(?:\b(?:SREQ|PIN|POR|power\w*|soft\w*|deep ?sleep|wake\w*|none|normal|user)\b|_SW_|POWERON)|\bclock wrong by\b|/(?:favicon|apple-touch|robots\.txt|browserconfig|\.well-known)",
    )
});

/// The head of a line that a phone prints.
pub static OF_PHONE: LazyLock<Regex> = LazyLock::new(|| words(r"\d [VDIWEF]/[\w.:]+ ?\( *\d+\):"));

/// The words of stages; of those that are found, the first counts.
pub const WORDS: [(Stage, &str); 43] = [
    (
        Stage::Power,
        r"(?i)\b(?:heap|malloc|alloc\w*|memory|no mem|brown-?out|undervoltage|watchdog|wdt|guru meditation|stack overflow|secure[ _]boot|bootable)\b|invalid header|7f00\b|-32512\b|OOM\b|\bexception ?\(\d|exception decoder|brown_?out|rst cause:[34]",
    ),
    (
        Stage::Storage,
        r"(?i)\bFR_(?:NO|DISK|NOT|INT|DENIED|WRITE|INVALID)\w*|\bread-?only file|\bdisk full\b|\bsector \d+\b|\bprefs: |\bpsa_its\w*",
    ),
    (
        Stage::Serving,
        r"(?i)\bmax clients\b|\buhttpd\b|\bbind\w* (?:to )?(?:listening )?port\b|\besp_https?_server\b|httpd_(?:accept|txrx|server|parse|uri)\w*: |\bweb ?server\b|ctrl socket",
    ),
    (
        Stage::Join,
        r"(?i)\b4-?way|\bwpa: |wpa_supp|LINK_(?:BADAUTH|NONET|FAIL)|connection request failed|\bno (?:wi-?fi|network|ap)\b|\bWL_\w|wrong (?:wi-?fi |wlan )?password|pre-shared|\bnot find ap\b",
    ),
    (
        Stage::Dns,
        r"(?i)(?:\b|_)(?:dns|resolv\w*|resolution|look ?up|getaddrinfo|host ?names?|gaierror|name or service|query (?:a|aaaa)|no ?host|unknown host|host unknown|mdns query)\b|-0x0*52\b",
    ),
    (
        Stage::Clock,
        r"(?i)(?:\b|_)(?:s?ntp|clock|rtc|time ?sync\w*|time ?server|not yet valid|starts in the future|(?:local|system|valid|current) time)\b",
    ),
    (
        Stage::Dhcp,
        r"(?i)(?:\b|_)(?:dhcp\w*|udhcpc|leases?|net_config|network interface|(?:no|sem|sin|keine) (?:ip|address|adresse)|wait\w* (?:for )?(?:an? )?(?:ip|address)|ip (?:address )?(?:timeout|lost))\b",
    ),
    (
        Stage::Cloud,
        r"(?i)provision\w* (?:response|request|status)|failed to provision|(?:not|could not) (?:be )?provision|/provision|fleet|RegisterThing|dynreg|DeviceProvisionService|return code 0x80|subscri\w* (?:failed|refused|error)|topic[^\n]{0,24}(?:denied|refused|rejected)|Denied (?:PUBLISH|SUBSCRIBE)|authorization_permission_denied|cannot_(?:subscribe|publish)",
    ),
    (
        Stage::Session,
        r"(?i)\b(?:pop|proof of possession|srp6?a?|security[012]|sec[012]|session (?:set-?up|establish\w*)|secure session|pase|key mismatch|client proof|confirmation value|authentication method|auth method|pake\d?|bonded|prov-session|(?:pairing|bonding) failed|session (?:key|init\w*)|shared secret|set-?up code|auth_?key|pass ?key|securitymismatch|bt_smp|pair-(?:verify|setup)|session_?cmd\d|device verify data)\b|sessionNot",
    ),
    (
        Stage::Bind,
        r"(?i)\b(?:bind(?:ing)?|claim(?:ing)?|user.?mapping|user.?node|bindkey|enrollee|match_reply|bind_state|(?:another|other|different) (?:account|user|owner)|user-device association|ownership|unowned|(?:pairing|claim) ticket)\b|report_token",
    ),
    (
        Stage::Mqtt,
        r"(?i)connack|\brc[ =:]{1,3}(?:[1-5]|13[4-7])\b|not authori[sz]ed|client ?id|client identifier|result code [1-5]|exceeded timeout|already connected, closing|not (?:acknowledged|success|stored)|-> FAIL|MQTTException|\bstate[ :=]{1,3}[1-5]\b|bad user|connection refused(?: - | error: 0x|, (?:bad|not|reason|server))|reason code: 13|mqtt[^\n]{0,24}\breason\b",
    ),
    (
        Stage::Tcp,
        r"(?i)connection refused|unreachable|no route|delayed connect|select\(\)|ETIMEDOUT|TimeoutError|ConnectException|ConnectionError|ConnectTimeout|connect(?:ion)? time|errno[ :=]{1,3}1(?:04|1[013])\b|\bECONN|net_connect|tcp connect|create socket|mqtt[^\n]{0,40}\b(?:rc|state)[ =:]{1,3}-2\b",
    ),
    (
        Stage::Tls,
        r"(?i)\b(?:handshake|cert\w*|x\.?509|ssl|openssl|bearssl|bssl|wolfssl|trust ?anchor|verif\w*|ca|fingerprint|cipher\w*)\b|-0x(?:27|7[0-9a-f])|-9984\b|SSL_",
    ),
    (
        Stage::Provisioning,
        r"(?i)wifi_prov_scheme|wifi_prov_mgr: (?:failed to start|provisioning already)|protocomm\w*: failed|\bble_mesh\b|\bprov_cli\b|\bBLE_(?:CONNECT|SCAN)\w*",
    ),
    (
        Stage::Cloud,
        r"(?i)\b(?:thing ?model|property|telemetry|shadow|dps|iot ?hub|puback|suback|publish|cloud|http|40[134])\b",
    ),
    (
        Stage::Storage,
        r"(?i)(?:\b|_)nvs|\b(?:littlefs|spiffs|fatfs|flash|partition\w*|eeprom|ota\w*|e?mmc\w*|kv)\b",
    ),
    (
        Stage::Credentials,
        r"(?i)(?:wi-?fi|prov)\w*[^\n]{0,24}\bcred\w*|CRED_FAIL|\bno (?:ssid|cred\w*|secrets)\b|\bno-secrets\b|\bssid len 0\b|\b(?:ssid|psk|passphrase|pwd) (?:is )?(?:empty|missing|invalid)\b|\bset_cred\w*",
    ),
    (
        Stage::Power,
        r"(?i)\b(?:unterspannung|alimentation (?:faible|basse)|alimentaci\S{1,2}n baja|tensi\S{1,2}n baja|kernel oops|assertion fail|(?:voltage|vdd) (?:dip|drop|sag)|did not feed)\b",
    ),
    (
        Stage::Bind,
        r"(?i)\b(?:jemand(?:em)? ander\w*|ander\w* (?:konto|nutzer|benutzer|besitzer)|otr[oa] (?:usuario|cuenta|due\S{1,2}o)|autre (?:compte|utilisateur)|vincula\w+|add_?device|invit\w+ link|home is full|(?:gw|device|node|unit)\W{1,3}(?:is )?not bound|not licensed|gw active|bindung|not added to)\b",
    ),
    (
        Stage::Session,
        r"(?i)\b(?:pair-(?:verify|setup)|client evidence|confirm(?:ation)? value|session_?cmd\d|device verify data|session token|verschl\S{1,2}sselung|smp)\b",
    ),
    (
        Stage::Credentials,
        r"(?i)\b(?:passwor[dt]|kennwort|passphrase|psk|ssid|(?:wpa|wlan|wi-?fi)-?schl\S{1,2}ssel|contrase\S{1,2}a|mot de passe)\b[^\n]{0,40}\b(?:too short|too long|length|bytes|digits|missing|padding|base64|non-?printable|zu kurz|zu lang|leer|corta|larga|is invalid)\b|\binvalid passphrase\b|\b(?:base64|decrypt\w*|padding)\b[^\n]{0,24}\b(?:password|passphrase|ssid)\b|\bno ssid\b|\bsecrets were required\b",
    ),
    (
        Stage::Storage,
        r"(?i)\bFR_[A-Z]|\b(?:psa_its\w*|lfs|f_open|file ?system|sistema de (?:archivos|ficheros)|dateisystem|bad block|read-?only|jedec|sqlite\w*|settings_nvs)\b",
    ),
    (
        Stage::Provisioning,
        r"(?i)\b(?:soft-?ap|smart-?config|einrichtung\w*|setup-ap|onPeripheral\w*|wps|commissioning window|peripheral|emparejamiento|appairage)\b",
    ),
    (
        Stage::Dns,
        r"(?i)\b(?:namensaufl\S{1,2}sung|no se pudo resolver|ENOTFOUND|EAI_AGAIN|res_query|no servers could be reached|nom d.h\S{1,2}te)\b",
    ),
    (
        Stage::Clock,
        r"(?i)\b(?:zeitserver|uhrzeit|uhr|reloj|servidor de hora|horloge|w32time|time servers?|stratum|ntpdate|(?:for|of) (?:time )?synchroni[sz]ation|token expiry|time: \d+ of \d+ servers)\b",
    ),
    (
        Stage::Dhcp,
        r"(?i)\b(?:no ipv4|ipv4 (?:not|never)|direcci\S{1,2}n (?:del router|ip)|adresse ip|indirizzo)\b",
    ),
    (
        Stage::Serving,
        r"(?i)\b(?:listen(?:er|ing)?|(?:port|puerto) \d+ (?:belegt|ocupado|taken|occup\S{1,3})|no free pcb|max clients|http server|uhttpd|name taken|probe conflict|sending body)\b",
    ),
    (
        Stage::Mqtt,
        r"(?i)\b(?:rumqttc|no connack|(?-i:CONNECT) sent|clientid)\b|\b(?:broker|mqtt?)\b[^\n]{0,24}\b(?:rechaz\S*|abgelehnt|verweigert|refus\S+|wants protocol)",
    ),
    (
        Stage::Tls,
        r"(?i)\b(?:certificado|certificat|certificato|de confianza)\b|zertifikat",
    ),
    (
        Stage::Tcp,
        r"(?i)\b(?:verbindung zu|conexi\S{1,2}n|connexion|connessione|cipstart|no syn|dpt=\d+|no answer from \d)\b|DPT=",
    ),
    (
        Stage::Cloud,
        r"(?i)https?://\S+ (?:4[012]\d|50[0-4])\b|\b(?:4[012]\d|50[0-4]) (?-i:[A-Z])[a-z]|\b(?:twin|quota|cuota|telemetrie|plataforma|plattform|permission_denied|iothub_client_connection_\w+|accessdenied|manifest|disabled by)\b|server said",
    ),
    (
        Stage::Join,
        r"(?i)\b(?:wi-?fi\w*|wlan\d?|ssid|assoc\w*|access point|wpa\w*|auth expire\w*|disassoc\w*|join\w*|hostapd|eap)\b|-> init|state: \d ->|no [^\n]{1,32} found, reconnect|disc(?:onnect\w*)? ?(?:reason|[:=])|reason[ :=]{1,3}(?:[1-9]\b|[12]\d\b|20\d|21[0-2])|STA_DISC",
    ),
    (
        Stage::Provisioning,
        r"(?i)(?:\b|_)(?:prov\w*|adverti[sz]\w*|adv|awss\w*|smart ?config|pairing|commission\w*|mesh|setup (?:mode|page|portal)|gatt\w*)\b",
    ),
    (
        Stage::Serving,
        r"(?i)\b(?:httpd\w*|web ?socket|(?:http|coap|web|mdns|ws)_server|server sockets?|avahi\S*)\b",
    ),
    (
        Stage::Mqtt,
        r"(?i)\b(?:mqtt\w*|broker)\b|\bclient \S+ (?:disconnected|closed|lost)",
    ),
    (Stage::Tls, r"(?i)\b(?:tls|mbedtls\w*)\b"),
    (Stage::Join, r"(?i)\b(?:sta|station|ap|rssi|bssid)\b"),
    (
        Stage::Tcp,
        r"(?i)\b(?:tcp|socket|connect(?:ion|ing|ed)?|port|server)\b",
    ),
    (Stage::Bind, r"(?i)\b(?:token|owner|account)\b"),
    (
        Stage::Cloud,
        r"(?i)\b(?:up-?link|upl|upload|topic|rejected)\b",
    ),
    (Stage::Power, r"(?i)\b(?:abort\(\)|panic'?e?d?|backtrace)"),
    (
        Stage::Power,
        r"(?i)\b(?:reset|reboot\w*|restart\w*|crash\w*)\b",
    ),
    (Stage::Bind, r"(?i)\bunbound\b"),
];

/// Where in them those begin that name a part of the firmware, and not what failed.
pub const GENERAL: usize = 31;

/// What tells that a server of the device does not start, which is told once.
pub static OF_START: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:listen\w*|port|puerto|pcb|bind\w*|(?:not|nicht) (?:started|gestartet|published)|no iniciado|name taken)\b",
    )
});

/// Those words, looked for together: one automaton of all of them would be built anew for each line.
pub static STAGES: LazyLock<Expressions> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the expressions are part of the program"
    )]
    Expressions::new(&WORDS.map(|(_, words)| words)).expect("the expressions are sound")
});

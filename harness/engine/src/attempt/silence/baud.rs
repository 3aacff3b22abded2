//! At which speed a device may send, from what a UART makes of it at another.

/// The speeds that devices have.
const COMMON: [u32; 10] = [
    9_600, 19_200, 38_400, 57_600, 74_880, 115_200, 230_400, 460_800, 921_600, 1_500_000,
];
/// Fewer bytes tell nothing.
const FEWEST: usize = 24;
/// More bytes tell nothing more.
const MOST: usize = 2_048;
/// A speed is told if it is so much likelier than the next, in nats a byte.
const MARGIN: f64 = 0.25;
/// What is less likely is noise, in nats a byte: noise itself is at -5.55.
const LEAST: f64 = -5.2;
/// Of speeds that are further apart, nothing is received that could be told.
const MOST_APART: u32 = 16;
/// How finely a receiver looks for an edge, in parts of one of its bits, as most UARTs do.
const OVERSAMPLING: f64 = 16.0;
/// What devices log, to be heard at the wrong speed: boot logs of ESP-IDF and Zephyr, and an application's.
const LOGGED: &str = "\
ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\nrst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\n\
SPIWP:0xee\r\nmode:DIO, clock div:1\r\nload:0x3fcd5820,len:0x171c\r\nentry 0x403cc710\r\n\
I (24) boot: ESP-IDF v5.5.1 2nd stage bootloader\r\nI (24) boot: compile time Nov 28 2026 10:00:00\r\n\
I (34) boot.esp32c3: SPI Speed      : 80MHz\r\nI (51) boot: Partition Table:\r\n\
I (55) boot: ## Label            Usage          Type ST Offset   Length\r\n\
I (62) boot:  0 nvs              WiFi data        01 02 00009000 00006000\r\n\
W (310) wifi: Set status to INIT\r\nE (1203) wifi_prov_mgr: STA Disconnected\r\n\
*** Booting Zephyr OS build v3.7.0 ***\r\n[00:00:00.253,000] <inf> net_config: Initializing network\r\n\
I (2763) app: Connected with IP Address:192.168.43.101\r\nD (2801) event: running post WIFI_EVENT\r\n";

/// The speed in bits per second at which `bytes` were most likely sent that were received at `at`; none
/// if that cannot be told.
pub(super) fn guess(bytes: &[u8], at: u32) -> Option<u32> {
    let heard: Vec<u8> = bytes.iter().copied().filter(is_told).take(MOST).collect();
    if heard.len() < FEWEST {
        return None;
    }
    let mut rated: Vec<(f64, u32)> = COMMON
        .into_iter()
        .filter(|speed| *speed != at && ratio(*speed, at) <= MOST_APART)
        .map(|speed| {
            (
                likelihood(&heard, &received(LOGGED.as_bytes(), speed, at)),
                speed,
            )
        })
        .collect();
    rated.sort_by(|a, b| b.0.total_cmp(&a.0));
    match rated[..] {
        [(best, speed), (next, _), ..] if best >= LEAST && best >= next + MARGIN => Some(speed),
        _ => None,
    }
}

/// How many times faster one of two speeds is.
fn ratio(a: u32, b: u32) -> u32 {
    a.max(b) / a.min(b).max(1)
}

/// Ends of lines are taken out of what is heard.
fn is_told(byte: &u8) -> bool {
    !matches!(byte, b'\r' | b'\n')
}

/// How likely `heard` is where bytes come as often as in `model`, in nats a byte.
fn likelihood(heard: &[u8], model: &[u8]) -> f64 {
    let mut counts = [0.5_f64; 256];
    for byte in model.iter().filter(|byte| is_told(byte)) {
        counts[usize::from(*byte)] += 1.0;
    }
    let all: f64 = counts.iter().sum();
    let sum: f64 = heard
        .iter()
        .map(|byte| (counts[usize::from(*byte)] / all).ln())
        .sum();
    sum / heard.len() as f64
}

/// What a UART at speed `at` receives when `sent` comes at `speed`, without a pause between bytes: 8 data
/// bits, no parity, a stop bit.
pub(super) fn received(sent: &[u8], speed: u32, at: u32) -> Vec<u8> {
    // In bits of the sender's.
    let bit = f64::from(speed) / f64::from(at);
    let step = bit / OVERSAMPLING;
    let end = (sent.len() * 10) as f64;
    let level = |time: f64| -> bool {
        // The bounds make this exact.
        let index = time as usize;
        match (sent.get(index / 10), index % 10) {
            (None, _) | (_, 9) => true,
            (_, 0) => false,
            (Some(byte), data) => byte >> (data - 1) & 1 == 1,
        }
    };
    // The line changes between two bits only, and the receiver looks at it in steps of its own.
    let after_bit = |time: f64| ((time.floor() + 1.0) / step).ceil() * step;
    let until = |mut time: f64, wanted: bool| {
        while time < end && level(time) != wanted {
            time = after_bit(time).max(time + step);
        }
        time
    };
    let mut bytes = Vec::new();
    let mut time = until(0.0, false);
    while time < end {
        let sample = |number: f64| level(time + (number + 0.5) * bit);
        if sample(0.0) {
            // Too short for a start bit.
            time = until(time + step, true);
        } else {
            let data = (0..8).fold(0, |byte, number| {
                byte | u8::from(sample(f64::from(number) + 1.0)) << number
            });
            bytes.push(data);
            // Without a stop bit, it waits for the line to be idle.
            time = until(time + 9.5 * bit, true);
        }
        time = until(time, false);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Nothing of it stands in the model.
    const OTHER: &str = "\
        I (418) lamp: colour temperature set to 2700 K, brightness 40 %\r\n\
        I (421) mqtt_client: Sending MQTT CONNECT message, type: 1, id: 0000\r\n\
        W (655) phy_init: failed to load RF calibration data (0x1102), falling back to full calibration\r\n\
        I (702) system_api: Base MAC address is not set\r\nI (719) gpio: GPIO[8]| InputEn: 0|\r\n";

    #[test]
    fn at_the_right_speed_all_is_received_as_it_was_sent() {
        assert_eq!(
            received(OTHER.as_bytes(), 115_200, 115_200),
            OTHER.as_bytes()
        );
    }

    #[test]
    fn the_usual_mistakes_are_told_and_no_speed_is_taken_for_another() {
        for (sent, at) in [
            (115_200, 9_600),
            (74_880, 115_200),
            (9_600, 115_200),
            (57_600, 115_200),
            (230_400, 115_200),
            (115_200, 74_880),
            (115_200, 230_400),
        ] {
            let heard = received(OTHER.as_bytes(), sent, at);
            let guessed = guess(&heard, at);
            if let Some(guessed) = guessed {
                assert_eq!(guessed, sent, "at {at}");
            }
        }
        for (sent, at) in [
            (74_880, 115_200),
            (57_600, 115_200),
            (230_400, 115_200),
            (9_600, 115_200),
            (115_200, 74_880),
            (115_200, 57_600),
            (115_200, 921_600),
        ] {
            let heard = received(OTHER.as_bytes(), sent, at);
            assert_eq!(guess(&heard, at), Some(sent), "at {at}");
        }
    }

    /// The MQTT demo of an ESP8266, which has neither tags nor times.
    #[test]
    fn an_esp8266_that_is_heard_at_another_speed_is_told() {
        const DEMO: &str = "\
            load ...\r\n default configuration\r\nMQTT_InitConnection\r\nMQTT_InitClient\r\nWIFI_INIT\r\n\
            System started ...\r\nSTATION_IDLE\r\nCW:Tue Aug 29 17:46:40 2017\n\
            TCP: Connect to ip  192.168.111.100:8883\r\nclient handshake start.\r\n\
            client handshake ok!\r\nMQTT: Connected to broker 192.168.111.100:8883\r\n\
            MQTT: Sending, type: 1, id: 0000\r\nTCP: Sent\r\nTCP: data received 4 bytes\r\n\
            MQTT: queue subscribe, topic\"/mqtt/topic/0\", id: 1\r\nMQTT: Subscribe successful\r\n";
        for at in [9_600, 57_600, 74_880, 230_400, 921_600] {
            let guessed = guess(&received(DEMO.as_bytes(), 115_200, at), at);
            assert!(
                guessed.is_none_or(|speed| speed == 115_200),
                "at {at}: {guessed:?}"
            );
        }
        for at in [57_600, 74_880, 921_600] {
            let guessed = guess(&received(DEMO.as_bytes(), 115_200, at), at);
            assert_eq!(guessed, Some(115_200), "at {at}");
        }
    }

    #[test]
    fn few_bytes_and_noise_tell_nothing() {
        assert_eq!(guess(b"", 115_200), None);
        assert_eq!(
            guess(&received(b"I (24) boot", 74_880, 115_200), 115_200),
            None
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 50_u32..20_000_000) {
            let _ = guess(&bytes, at);
        }
    }
}

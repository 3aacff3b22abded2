//! The telemetry of the example: two values that go up and down.

use alloc::string::String;

use serde::Serialize;

use super::{ClientQueues, EXAMPLE, WRAPPER};
use crate::uplink::binding::Request;

const TOPIC: &str = "v1/devices/me/telemetry";
/// °C
const TEMPERATURES: [f32; 10] = [25.0, 25.5, 26.0, 26.5, 27.0, 27.5, 28.0, 27.5, 27.0, 26.5];
/// %
const HUMIDITIES: [u8; 10] = [26, 27, 28, 29, 30, 31, 32, 31, 30, 29];

/// What was measured so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Telemetry {
    next: usize,
}

impl Telemetry {
    /// Sends the next values.
    pub(super) fn send(&mut self, queues: &ClientQueues) {
        log::info!(target: EXAMPLE, "Send telemetry: temprature, humidity");
        log::info!(target: EXAMPLE, "Get temperature (a time-series data)");
        log::info!(target: EXAMPLE, "Get humidity (a time-series data)");
        let payload = self.measure();
        log::info!(target: WRAPPER, "[Telemetry][Tx] {payload}");
        queues.request(Request::Publish {
            topic: TOPIC.into(),
            payload,
        });
    }

    fn measure(&mut self) -> String {
        /// cJSON prints whole numbers without a point.
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Number {
            Whole(i32),
            Broken(f32),
        }
        /// Spelt so.
        #[derive(Serialize)]
        struct Measured {
            temprature: Number,
            humidity: u8,
        }
        let temperature = TEMPERATURES[self.next];
        let whole = temperature as i32;
        let measured = Measured {
            temprature: match whole as f32 == temperature {
                true => Number::Whole(whole),
                false => Number::Broken(temperature),
            },
            humidity: HUMIDITIES[self.next],
        };
        self.next = (self.next + 1) % TEMPERATURES.len();
        // Two numbers can always be written.
        serde_json::to_string(&measured).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn values_go_up_and_down_and_begin_again() {
        let mut telemetry = Telemetry::default();
        let sent: Vec<String> = (0..11).map(|_| telemetry.measure()).collect();
        assert_eq!(sent[0], r#"{"temprature":25,"humidity":26}"#);
        assert_eq!(sent[1], r#"{"temprature":25.5,"humidity":27}"#);
        assert_eq!(sent[6], r#"{"temprature":28,"humidity":32}"#);
        assert_eq!(sent[9], r#"{"temprature":26.5,"humidity":29}"#);
        assert_eq!(sent[10], sent[0]);
    }
}

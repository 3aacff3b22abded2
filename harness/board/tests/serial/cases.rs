//! Whole logs of other people's firmware.

use board::rig::SerialLog;
use board::serial::{Record, Records};
use trace::{Level, RestartCause};

fn records(parts: &[&[u8]]) -> Vec<Record> {
    let mut records = Records::new(SerialLog::Auto);
    let mut found = Vec::new();
    for part in parts {
        records.push(part, |record| found.push(record));
    }
    records.flush(|record| found.push(record));
    found
}

fn shown(records: &[Record]) -> Vec<(Level, &str, Option<u64>, &str)> {
    let lines = records.iter().map(|record| &record.line);
    lines
        .map(|line| (line.level, &*line.tag, line.device_ms, &*line.text))
        .collect()
}

pub fn a_log_of_the_arduino_core_has_its_levels() {
    let found = records(&[
        b"[   412][I][WiFiGeneric.cpp:1004] _eventCallback(): Arduino Event: 2 - STA_START\r\n",
        b"[  1234][E][WiFiProv.cpp:155] beginProvision(): wifi_prov_mgr_start_provisioning failed!\r\n",
        b"[  1240][W][STA.cpp:137] _onStaArduinoEvent(): Reason: 201 - NO_AP_FOUND\r\n",
        b"[D][WiFiGeneric.cpp:337] _eventCallback(): Event: 5 - STA_DISCONNECTED\r\n",
        b"[ 12000][I][core0.cpp:36] update(): [Err] message01_01[ 12001][E][core1.cpp:36] update(): [Err] message02_0123\r\n23456789\r\n",
    ]);
    assert_eq!(
        shown(&found),
        [
            (
                Level::Info,
                "WiFiGeneric.cpp:1004",
                Some(412),
                "Arduino Event: 2 - STA_START"
            ),
            (
                Level::Error,
                "WiFiProv.cpp:155",
                Some(1234),
                "wifi_prov_mgr_start_provisioning failed!"
            ),
            (
                Level::Warn,
                "STA.cpp:137",
                Some(1240),
                "Reason: 201 - NO_AP_FOUND"
            ),
            (
                Level::Debug,
                "WiFiGeneric.cpp:337",
                None,
                "Event: 5 - STA_DISCONNECTED"
            ),
            (
                Level::Info,
                "core0.cpp:36",
                Some(12000),
                "[Err] message01_01"
            ),
            (
                Level::Error,
                "core1.cpp:36",
                Some(12001),
                "[Err] message02_0123"
            ),
            (Level::Info, "uart", None, "23456789"),
        ]
    );
    assert_eq!(found.iter().filter(|record| record.unread).count(), 1);
}

pub fn a_log_of_esp_idf_v2_has_its_levels_and_no_clock_for_an_uptime() {
    let found = records(&[
        b"I (412) cpu_start: Unicore app\r\n",
        b"I boot: no clock here\r\nE wifi: no clock, and an error\r\n",
        b"I (1692099078532) app: unix time in ms\r\nE (1692099078540) app: an error in unix time\r\n",
        b"W (23-08-15 14:31:18.532) app: date and time\r\n",
        b"I (14:31:18.532) app: time of day\r\n",
        b"I (77) no tag at all\r\n",
    ]);
    assert_eq!(
        shown(&found),
        [
            (Level::Info, "cpu_start", Some(412), "Unicore app"),
            (Level::Info, "boot", None, "no clock here"),
            (Level::Error, "wifi", None, "no clock, and an error"),
            (Level::Info, "app", None, "unix time in ms"),
            (Level::Error, "app", None, "an error in unix time"),
            (Level::Warn, "app", None, "date and time"),
            (Level::Info, "app", None, "time of day"),
            (Level::Info, "uart", Some(77), "no tag at all"),
        ]
    );
    assert!(found.iter().all(|record| !record.unread));
}

pub fn every_end_of_a_firmware_is_known() {
    use RestartCause::{Brownout, Panic, Software};
    let found = records(&[
        b"I (100) app: A\r\n",
        b"\r\nBrownout detector was triggered\r\n\r\nets Jul 29 2019 12:21:46\r\n\r\nrst:0xc (SW_CPU_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n",
        b"E BOD: Brownout detector was triggered\r\n\r\n",
        b"\r\nStack smashing protect failure!\r\n\r\n",
        b"assertion \"x != NULL\" failed: file \"main.c\", line 7, function: app_main\r\n",
        b"CORRUPT HEAP: Bad head at 0x3ffb1234. Expected 0xabba1234 got 0x00000000\r\n",
        b"ESP_ERROR_CHECK failed: esp_err_t 0x103 (ESP_ERR_INVALID_STATE) at 0x400d0000\r\n",
        b"E (9000) task_wdt: Task watchdog got triggered. The following tasks/users did not reset the watchdog in time:\r\n",
        b"Task watchdog got triggered. The following tasks did not reset the watchdog in time:\r\n",
        b"Guru Meditation Error: Core  0 panic'ed (Load access fault). Exception was unhandled.\r\n",
        b"Core  0 register dump:\r\nMEPC    : 0x42007d1c  RA      : 0x42007d1a  SP      : 0x3fc8f4c0\r\n",
        b"thread 'main' panicked at src/main.rs:9:5:\r\nindex out of bounds\r\n",
        b"***ERROR*** A stack overflow in task main has been detected.\r\n",
        b"E (1) app: last words without an en",
    ]);
    let told: Vec<_> = found
        .iter()
        .filter_map(|record| {
            let text: String = record.line.text.chars().take(8).collect();
            let cause = match record.event? {
                dialect::Event::Reset(cause) | dialect::Event::Crash(cause) => cause,
            };
            Some((text, cause))
        })
        .collect();
    let wanted = [
        ("Brownout", Brownout),
        ("rst:0xc ", Software),
        ("Brownout", Brownout),
        ("Stack sm", Panic),
        ("assertio", Panic),
        ("CORRUPT ", Panic),
        ("ESP_ERRO", Panic),
        ("Guru Med", Panic),
        ("thread '", Panic),
        ("***ERROR", Panic),
    ];
    let wanted: Vec<_> = wanted.map(|(text, cause)| (text.to_owned(), cause)).into();
    assert_eq!(told, wanted);
    let last = shown(&found).pop().expect("some");
    assert_eq!(
        last,
        (Level::Error, "app", Some(1), "last words without an en")
    );
}

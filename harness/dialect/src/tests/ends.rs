//! Resets and crashes: every name, number and text that a source tells.

use trace::RestartCause;

use crate::{Chip, Event, Part, Row, event, parts, row};

fn told(line: &str, chip: Option<Chip>) -> Option<Event> {
    parts(line, None).iter().find_map(|part| event(part, chip))
}

#[test]
fn resets_have_their_reason_by_the_name_that_a_rom_prints() {
    use RestartCause::{Brownout, DeepSleep, External, Lockup, PowerOn, Software, Watchdog};
    for (cause, names) in [
        (PowerOn, "1 POWERON_RESET, 1 POWERON"),
        (
            Software,
            "3 SW_RESET, 3 RTC_SW_SYS_RST, 3 LP_SW_HPSYS, 3 RTC_SW_HPSYS, 3 SW_SYS_RESET, \
             c SW_CPU_RESET, c RTC_SW_CPU_RST, c SW_CPU",
        ),
        (DeepSleep, "5 DEEPSLEEP_RESET, 5 DSLEEP, 5 SLEEP_WAKEUP"),
        (
            External,
            "6 SDIO_RESET, 6 SDIO_HPSYS, e EXT_CPU_RESET, 15 USB_UART_CHIP_RESET, \
             15 USB_UART_HPSYS, 16 USB_JTAG_HPSYS, 17 CHIP_USB_UART_RESET, 18 JTAG_CPU",
        ),
        (
            Watchdog,
            "4 OWDT_RESET, 7 TG0WDT_SYS_RESET, 7 TG0WDT_SYS_RST, 7 TG0_WDT_HPSYS, \
             7 HP_SYS_HP_WDT_RESET, 8 TG1WDT_SYS_RESET, 8 TG1WDT_SYS_RST, 8 TG1_WDT_HPSYS, \
             9 RTCWDT_SYS_RESET, 9 RTCWDT_SYS_RST, 9 LP_WDT_HPSYS, 9 HP_SYS_LP_WDT_RESET, \
             b TGWDT_CPU_RESET, b TG0_WDT_CPU, d RTCWDT_CPU_RESET, d LP_WDT_CPU, \
             10 RTCWDT_RTC_RESET, 10 RTCWDT_RTC_RST, 10 LP_WDT_SYS, 10 CHIP_LP_WDT_RESET, \
             11 TG1_WDT_CPU, 12 SUPER_WDT_RST, 12 LP_SWDT_SYS",
        ),
        (
            Brownout,
            "f RTCWDT_BROWN_OUT_RESET, f BROWN_OUT_RST, f LP_BOD_SYS",
        ),
        (Lockup, "1a CPU_LOCKUP"),
        (
            RestartCause::Unknown,
            "14 EFUSE_HPSYS, a INTRUSION_RESET, 63 SOMETHING_NEW",
        ),
    ] {
        for entry in names.split(", ") {
            let (number, name) = entry.split_once(' ').expect("a number and a name");
            let line = format!("rst:0x{number} ({name}),boot:0x13 (SPI_FAST_FLASH_BOOT)");
            assert_eq!(told(&line, None), Some(Event::Reset(cause)), "{line}");
        }
    }
}

#[test]
fn a_number_with_an_unknown_name_is_looked_up_for_its_chip() {
    use RestartCause::{Brownout, External, Glitch, Lockup, Unknown, Watchdog};
    for (number, chip, cause) in [
        ("17", Some(Chip::Esp32P4), External),
        ("17", Some(Chip::Esp32S3), Glitch),
        ("17", Some(Chip::Esp32C3), Glitch),
        ("17", None, Unknown),
        ("7", Some(Chip::Esp32C6), Watchdog),
        ("f", Some(Chip::Esp32), Brownout),
        ("1a", Some(Chip::Esp32C5), Lockup),
        ("19", Some(Chip::Esp32C61), Brownout),
        ("63", Some(Chip::Esp32), Unknown),
    ] {
        let line = format!("rst:0x{number} (A_NEW_NAME),boot:0x13 (SPI_FAST_FLASH_BOOT)");
        assert_eq!(
            told(&line, chip),
            Some(Event::Reset(cause)),
            "{line} {chip:?}"
        );
    }
}

#[test]
fn chips_are_known_by_the_banner_of_their_rom() {
    use Chip::{
        Esp32, Esp32C2, Esp32C3, Esp32C5, Esp32C6, Esp32C61, Esp32H2, Esp32P4, Esp32S2, Esp32S3,
    };
    for (line, chip) in [
        ("ets Jun  8 2016 00:22:57", Some(Esp32)),
        ("ESP-ROM:esp32s2-rc4-20191025", Some(Esp32S2)),
        ("ESP-ROM:esp32s3-20210327", Some(Esp32S3)),
        ("ESP-ROM:esp8684-api1-20211015", Some(Esp32C2)),
        ("ESP-ROM:esp32c3-api1-20210207", Some(Esp32C3)),
        ("ESP-ROM:esp32c5-eco2-20250121", Some(Esp32C5)),
        ("ESP-ROM:esp32c6-20220919", Some(Esp32C6)),
        ("ESP-ROM:esp32c61-eco3-20250228", Some(Esp32C61)),
        ("ESP-ROM:esp32h2-20221101", Some(Esp32H2)),
        ("ESP-ROM:esp32p4-eco2-20240710", Some(Esp32P4)),
        ("ESP-ROM-LP:esp32p4-20230811", None),
        (" ets Jan  8 2013,rst cause:2, boot mode:(3,6)", None),
    ] {
        assert_eq!(Chip::named_in(line), chip, "{line}");
        assert_eq!(row(line), Some(Row::Rom), "{line}");
    }
}

#[test]
fn the_esp8266_tells_its_resets_by_number() {
    use RestartCause::{External, PowerOn, Software, Unknown, Watchdog};
    for (line, cause) in [
        (" ets Jan  8 2013,rst cause:0, boot mode:(3,6)", Unknown),
        (" ets Jan  8 2013,rst cause:1, boot mode:(7,7)", PowerOn),
        (" ets Jan  8 2013,rst cause:2, boot mode:(3,6)", External),
        (" ets Jan  8 2013,rst cause:3, boot mode:(3,6)", Software),
        (" ets Jan  8 2013,rst cause:4, boot mode:(3,7)", Watchdog),
        ("ets Jan  8 2013,rst cause:4, boot mode:(3,7)", Watchdog),
    ] {
        assert_eq!(told(line, None), Some(Event::Reset(cause)), "{line}");
    }
}

#[test]
fn the_low_power_core_of_a_p4_resets_no_chip() {
    assert_eq!(told("rst:0x14 (SW_RST), wakeup:0x40000", None), None);
}

#[test]
fn lines_of_a_rom_are_known_and_no_reset() {
    for line in [
        "Build:Mar 27 2021",
        "Saved PC:0x40375eb5",
        "Core0 Saved PC:0x4fc0d8a2",
        "Core1 Saved PC:0x4fc0d8a2",
        "SPIWP:0xee",
        "mode:DIO, clock div:2",
        "SPI mode:DIO, clock div:1",
        "configsip: 0, SPIWP:0xee",
        "clk_drv:0x00,q_drv:0x00,d_drv:0x00,cs0_drv:0x00,hd_drv:0x00,wp_drv:0x00",
        "load:0x3fff0030,len:7176",
        "entry 0x40080400",
        "load 0x4010f000, len 3424, room 16",
        "chksum 0x2e",
        "csum 0x2e",
        "wdt reset",
        "waiting for host",
        "waiting for download",
        "*** Booting Zephyr OS build v4.4.0 ***",
        "*** Booting My Application v1.0.0 ***",
    ] {
        assert_eq!(
            (row(line), told(line, None)),
            (Some(Row::Rom), None),
            "{line}"
        );
    }
}

#[test]
fn crashes_are_known_by_what_each_system_prints_first() {
    use RestartCause::{Brownout, Panic, Unknown, Watchdog};
    for (cause, lines) in [
        (
            Watchdog,
            "Guru Meditation Error: Core  1 panic'ed (Interrupt wdt timeout on CPU1). 
             E (9012) task_wdt: Aborting.
             Soft WDT reset",
        ),
        (
            Brownout,
            "Brownout detector was triggered
             I BOD: Brownout detector was triggered
             E BOD: Brownout detector was triggered",
        ),
        (
            Panic,
            "Guru Meditation Error: Core  0 panic'ed (LoadProhibited). Exception was unhandled.
             Guru Meditation Error: Core  0 panic'ed (Load access fault). Exception was unhandled.
             Guru Meditation Error: Core  0 panic'ed (Unhandled debug exception). 
             Guru Meditation Error: Core  0 panic'ed (Double exception). 
             Guru Meditation Error: Core  0 panic'ed (Cache error). 
             Guru Meditation Error: Core  0 panic'ed (Stack protection fault). 
             abort() was called at PC 0x400d1234 on core 0
             assert failed: f main.c:12 (p != NULL)
             assert failed: 0x400d1234
             assert failed: f <cached disabled>:12 (p != NULL)
             assertion \"x != NULL\" failed: file \"main.c\", line 7, function: app_main
             Stack smashing protect failure!
             ***ERROR*** A stack overflow in task net has been detected.
             Mem alloc fail. size 0x00001000 caps 0x00000404
             ESP_ERROR_CHECK failed: esp_err_t 0x103 (ESP_ERR_INVALID_STATE) at 0x400d0000
             CORRUPT HEAP: Bad head at 0x3ffb1234. Expected 0xabba1234 got 0x00000000
             CORRUPT HEAP: Bad tail at 0x3ffb1234. Expected 0xbaad5678 got 0x00000000
             CORRUPT HEAP: Invalid data at 0x3ffb1234. Expected 0xfefefefe got 0x00000000
             CORRUPT HEAP: multi_heap.c:308 detected at 0x3ffb1234
             --------------- CUT HERE FOR EXCEPTION DECODER ---------------
             Exception (28):
             Panic core_esp8266_main.cpp:137 loop_task: Assertion 'x' failed.
             Unhandled C++ exception: OOM
             Abort called
             Stack overflow detected.
             Fatal exception 28(LoadProhibitedCause):
             Task stack [main] stack from [3ffe1] to [3ffe2], total [2048] size
             ====================== PANIC ======================
             panicked at src/main.rs:7:5:
             thread 'main' panicked at src/main.rs:9:5:
             thread 'main' (12) panicked at src/main.rs:9:5:
             !! A panic occured in 'src/main.rs', at line 7, column 5:
             Exception occured 'LoadProhibited'
             Exception occurred on ProCpu 'LoadProhibited'
             [ProCpu] Exception 'Load access fault (5)' mepc=0x42000000, mtval=0x00000000
             [ProCpu] Stack overflow detected at 0x42000000, possibly called by 0x42000004
             ***** USAGE FAULT *****
             [00:00:10.262,359] <err> os: ***** MPU FAULT *****
             >>> ZEPHYR FATAL ERROR 3: Kernel oops on CPU 0
             [00:00:10.262,359] <err> os: >>> ZEPHYR FATAL ERROR 3: Kernel oops on CPU 0
             E: >>> ZEPHYR FATAL ERROR 0: CPU exception on CPU 0
             ASSERTION FAIL [x != NULL] @ WEST_TOPDIR/zephyr/kernel/sched.c:12",
        ),
        (Unknown, "Generic Reset"),
    ] {
        for line in lines.lines().map(str::trim_start) {
            assert_eq!(told(line, None), Some(Event::Crash(cause)), "{line}");
        }
    }
}

#[test]
fn what_only_speaks_of_crashes_is_none() {
    for line in [
        "E (5) app: no abort() here, \"Backtrace\" in prose",
        "E (5) app: Guru Meditation is a term of Amiga",
        "E (5) app: abort() was not called",
        "ESP_ERROR_CHECK_WITHOUT_ABORT failed: esp_err_t 0x103 at 0x400d1234",
        "Task watchdog got triggered. The following tasks/users did not reset the watchdog in time:",
        "E (9000) task_wdt: Task watchdog got triggered. The following tasks/users did not reset the watchdog in time:",
        "E (9000) task_wdt:  - IDLE0 (CPU 0)",
        "W (10) boot.esp32: PRO CPU has been reset by WDT.",
        "I (5) main: panicked at nothing",
    ] {
        assert_eq!(told(line, None), None, "{line}");
    }
}

#[test]
fn a_cut_line_and_a_banner_are_two() {
    let line = "I (9) x: vaddr=3fc93cESP-ROM:esp32s3-20210327";
    let found = parts(line, None);
    assert!(matches!(&found[0], Part::Record(head) if head.text == "vaddr=3fc93c"));
    assert_eq!(found[1], Part::Plain("ESP-ROM:esp32s3-20210327"));
    let line = "I (9) x: vaddr=3fc93cabort() was called at PC 0x400d1234 on core 0";
    assert_eq!(told(line, None), Some(Event::Crash(RestartCause::Panic)));
}

#[test]
fn rows_of_a_crash_are_known() {
    for line in [
        "Core  0 register dump:",
        "Core 0 register dump:",
        "Core  0 was running in ISR context:",
        "PC      : 0x400d1234  PS      : 0x00060030  A0      : 0x800d2003  A1      : 0x3ffb1230",
        "MEPC    : 0x42007d1c  RA      : 0x42007d1a  SP      : 0x3fc8f4c0",
        "S0/FP   : 0x00000000  S1      : 0x00000000",
        "r0/a1:  0x00000003  r1/a2:  0x20000000  r2/a3:  0x00000000",
        " xpsr:  0x41000000",
        "Backtrace: 0x400d1234:0x3ffb1230 0x400d2000:0x3ffb1250 |<-CORRUPTED",
        "Backtrace:0x400d1234:0x3ffb0000 0x400d2000:0x3ffb0020",
        "Stack memory:",
        "3fc8f4c0: 0x00000000 0x00000001 0x00000002 0x00000003",
        "3ffffdf0:  00000000 3ffe8544 00000000 40201234  ",
        "epc1=0x40201234 epc2=0x00000000 epc3=0x00000000 excvaddr=0x00000008 depc=0x00000000",
        "epc1=0x40201234, epc2=0x00000000, ",
        ">>>stack>>>",
        "ctx: cont",
        "<<<stack<<<",
        "last failed alloc call: 40201234(512)",
        "ELF file SHA256: 0a1b2c3d4",
        "Rebooting...",
        "Rebooting in  2 seconds...",
        "CPU halted.",
        "Entering gdb stub now.",
        "Debug exception reason: Stack canary watchpoint triggered (main) ",
        "Memory dump at 0x400d1234: 00f01d00 00000000 00000000",
        "Detected in task \"main\" at 0x42007d1c",
        "file: \"./main/m.c\" line 7",
        "0x4200abcd",
        "  Illegal use of the EPSR",
        "Faulting instruction address (r15/pc): 0x00000412",
        "Current thread: 0x20000458 (main)",
        "Halting system",
    ] {
        assert_eq!(row(line), Some(Row::Crash), "{line}");
    }
}

#[test]
fn rows_that_tools_insert_are_known() {
    for line in [
        "--- 0x4037c686: func at f.c:64",
        "0x400d1234: func at f.c:9",
        "0x40800540 - func",
        "    at ??:??",
        "  #0  0x400d1234 in func at f.c:9",
    ] {
        assert_eq!(row(line), Some(Row::Tool), "{line}");
    }
    for line in ["", "free text", "--- text", "# 1", "0x1: 2"] {
        assert_eq!(row(line), None, "{line}");
    }
}

//! Addresses and bits of the debug registers, by the names of the ARMv7-M ARM.

/// ITM and DWT, which this core lacks (C1.7, C1.8).
pub(super) const TRACE_START: u32 = 0xE000_0000;
/// Flash patch and breakpoint unit (C1.11).
pub(super) const FP_START: u32 = 0xE000_2000;
pub(super) const FP_END: u32 = 0xE000_3000;
/// Trace port interface unit, which this core lacks.
pub(super) const TPIU_START: u32 = 0xE004_0000;
pub(super) const TPIU_END: u32 = 0xE004_2000;
/// The ROM table and the end of the private peripheral bus.
pub(super) const ROM_TABLE_START: u32 = 0xE00F_F000;
pub(super) const PRIVATE_END: u32 = 0xE010_0000;

/// Vector table offset (B3.2.5).
pub(super) const VTOR: u32 = 0xE000_ED08;
/// Application interrupt and reset control (B3.2.6).
pub(super) const AIRCR: u32 = 0xE000_ED0C;
pub(super) const AIRCR_KEY: u32 = 0x05FA;
/// SYSRESETREQ and VECTRESET.
pub(super) const AIRCR_RESETS: u32 = 1 << 2 | 1;

/// Debug fault status (C1.6.1).
pub(super) const DFSR: u32 = 0xE000_ED30;
pub(super) const DFSR_HALTED: u32 = 1;
pub(super) const DFSR_BKPT: u32 = 1 << 1;
pub(super) const DFSR_VCATCH: u32 = 1 << 3;

/// Debug halting control and status (C1.6.2).
pub(super) const DHCSR: u32 = 0xE000_EDF0;
pub(super) const DHCSR_KEY: u32 = 0xA05F;
pub(super) const C_DEBUGEN: u32 = 1;
pub(super) const C_HALT: u32 = 1 << 1;
pub(super) const C_STEP: u32 = 1 << 2;
pub(super) const C_MASKINTS: u32 = 1 << 3;
pub(super) const S_REGRDY: u32 = 1 << 16;
pub(super) const S_HALT: u32 = 1 << 17;
pub(super) const S_LOCKUP: u32 = 1 << 19;
pub(super) const S_RETIRE_ST: u32 = 1 << 24;
pub(super) const S_RESET_ST: u32 = 1 << 25;

/// Debug core register selector (C1.6.3) and data (C1.6.4).
pub(super) const DCRSR: u32 = 0xE000_EDF4;
pub(super) const DCRSR_WRITE: u32 = 1 << 16;
pub(super) const DCRDR: u32 = 0xE000_EDF8;

/// Debug exception and monitor control (C1.6.5): TRCENA, monitor bits and vector catch.
pub(super) const DEMCR: u32 = 0xE000_EDFC;
pub(super) const DEMCR_WRITABLE: u32 = 0x010F_07F1;
pub(super) const VC_CORERESET: u32 = 1;
/// Number of the exception that all faults end in (B1.5.2).
pub(super) const HARD_FAULT: u32 = 3;
/// Vector catch bits and the numbers of the exceptions that they catch.
pub(super) const CATCHABLE: [(u32, u32); 4] = [
    (1 << 4, 4),
    (1 << 5 | 1 << 6 | 1 << 7, 6),
    (1 << 8, 5),
    (1 << 10, HARD_FAULT),
];

/// Where a core that is locked up stands (B1.5.15).
pub(super) const LOCKUP_ADDRESS: u32 = 0xFFFF_FFFE;
/// Upper byte of a BKPT instruction (A7.7.17).
pub(super) const BKPT: u8 = 0xBE;

/// A word of the ROM table: system control space and breakpoint unit are present (C1.2.2); its
/// component identification ends the page (ADIv5.2 D3).
pub(super) fn rom_table(address: u32) -> u32 {
    match address - ROM_TABLE_START {
        0x000 => 0xFFF0_F003,
        0x008 => 0xFFF0_3003,
        0xFCC => 1,
        0xFF0 => 0x0D,
        0xFF4 => 0x10,
        0xFF8 => 0x05,
        0xFFC => 0xB1,
        _ => 0,
    }
}

//! Serial boards over a pty and over sockets, with recorded devices and fake flashers.

mod bench;
mod cases;
mod commands;
mod conformance;
mod lines;
mod logs;
mod ports;

use libtest_mimic::{Arguments, Trial};

/// A test by its name.
macro_rules! trials {
    ($($module:ident::$name:ident,)*) => {
        vec![$(Trial::test(stringify!($name), || { $module::$name(); Ok(()) }),)*]
    };
}

fn main() {
    // What was flashed is noted below the user's home; the tests' notes go elsewhere.
    let state = tempfile::tempdir().expect("a folder");
    // SAFETY: there is no other thread yet.
    unsafe { std::env::set_var("XDG_STATE_HOME", state.path()) };
    let tests = trials![
        logs::a_recorded_esp_idf_device_over_a_pty_gives_its_records,
        logs::a_recorded_linkkit_device_over_tcp_gives_its_records,
        logs::a_panic_is_the_end_of_the_firmware,
        logs::a_board_that_restarts_unasked_says_why,
        logs::after_a_crash_the_rest_of_the_log_is_waited_for,
        logs::a_crash_has_the_names_of_its_functions_before_the_end_of_power,
        logs::a_crash_of_zephyr_is_one_and_has_its_registers,
        cases::a_log_of_the_arduino_core_has_its_levels,
        cases::a_log_of_esp_idf_v2_has_its_levels_and_no_clock_for_an_uptime,
        cases::every_end_of_a_firmware_is_known,
        logs::lines_in_no_known_form_are_counted_for_each_start,
        logs::bytes_that_are_no_text_are_kept_and_told_of,
        logs::a_device_that_never_ends_a_line_stops_nothing,
        logs::what_is_said_while_the_board_is_off_is_not_heard,
        ports::a_port_that_goes_away_is_a_witness_and_its_return_too,
        ports::a_port_that_comes_back_at_once_is_no_event,
        ports::every_unusable_port_says_why_and_what_to_do,
        ports::a_port_in_use_says_by_whom,
        ports::a_pty_cannot_reset_anything_and_says_so,
        lines::the_board_is_held_in_reset_while_it_is_off,
        lines::a_reset_is_a_pulse,
        lines::the_loader_is_started_before_flashing_where_the_rig_says_so,
        conformance::a_board_on_a_pty_owes_what_every_board_owes,
        conformance::a_board_held_in_reset_owes_what_every_board_owes,
        commands::images_are_flashed_once_until_they_change,
        commands::a_flasher_that_failed_is_not_believed,
        commands::a_flasher_that_hangs_is_killed_in_time,
        commands::images_that_cannot_be_flashed_say_why,
        commands::factory_data_and_storage_go_through_commands,
        commands::a_switch_gives_and_takes_power,
        commands::a_flasher_that_failed_is_told_of_even_if_the_board_does_not_come_back,
        commands::what_the_rig_has_no_command_for_cannot_be_done,
    ];
    let conclusion = libtest_mimic::run(&Arguments::from_args(), tests);
    drop(state);
    conclusion.exit()
}

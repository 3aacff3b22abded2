//! Time.

#[embedded_test::tests]
mod tests {
    use embassy_futures::block_on;
    use embassy_time::{Duration, Instant, Timer};
    use mps2::clock;

    #[test]
    fn time_runs_and_never_back() {
        let start = Instant::now();
        let mut last = start;
        while last.duration_since(start) < Duration::from_millis(20) {
            let now = Instant::now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn time_runs_at_the_pace_of_the_oscillator_times_its_factor() {
        let factor = u64::from(clock::factor());
        // Between two readings the machine may do something else, so they enclose each other.
        let outer = clock::raw();
        let start = clock::now_us();
        let inner = clock::raw();
        while clock::raw().wrapping_sub(inner) < 50_000 {}
        let passed = clock::now_us() - start;
        let longest = u64::from(clock::raw().wrapping_sub(outer));
        assert!(passed >= 50_000 * factor);
        assert!(passed <= longest * factor);
    }

    #[test]
    fn a_timer_fires_when_its_moment_has_come_and_not_before() {
        for ms in [1, 5, 40] {
            let start = Instant::now();
            block_on(Timer::after_millis(ms));
            assert!(start.elapsed() >= Duration::from_millis(ms));
        }
    }

    #[test]
    #[timeout(30)]
    fn a_timer_beyond_the_reach_of_systick_fires_too() {
        let wait = Duration::from_secs(5) * clock::factor();
        let start = Instant::now();
        block_on(Timer::after(wait));
        assert!(start.elapsed() >= wait);
    }
}

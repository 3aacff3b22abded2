//! Settings in flash.

use device::credentials::Credentials;
use device::storage::Storage;
use embassy_futures::block_on;
use proptest::prelude::*;

use crate::flash::Flash;

fn credentials(name: &str) -> Credentials {
    Credentials::new(name.as_bytes(), &format!("passphrase of {name}")).unwrap()
}

fn read(flash: &Flash) -> Option<Credentials> {
    block_on(Storage::new(flash.clone()).unwrap().credentials())
}

fn keep(flash: &Flash, credentials: &Credentials) -> bool {
    block_on(Storage::new(flash.clone()).unwrap().keep(credentials)).is_ok()
}

#[test]
fn erased_flash_holds_no_credentials() {
    assert_eq!(read(&Flash::erased()), None);
}

#[test]
fn credentials_survive_a_restart() {
    let flash = Flash::erased();
    assert!(keep(&flash, &credentials("home")));
    assert_eq!(read(&flash), Some(credentials("home")));
}

#[test]
fn the_longest_credentials_fit() {
    let flash = Flash::erased();
    let longest = Credentials::new(&[0xFF; 32], &"p".repeat(63)).unwrap();
    assert!(keep(&flash, &longest));
    assert_eq!(read(&flash), Some(longest));
}

#[test]
fn forgotten_credentials_are_gone_after_a_restart() {
    let flash = Flash::erased();
    assert!(keep(&flash, &credentials("home")));
    block_on(Storage::new(flash.clone()).unwrap().forget()).unwrap();
    assert_eq!(read(&flash), None);
}

#[test]
fn credentials_can_be_replaced_many_times() {
    let flash = Flash::erased();
    for round in 0..100 {
        let next = credentials(&format!("network {round}"));
        assert!(keep(&flash, &next));
        assert_eq!(read(&flash), Some(next));
    }
}

/// Whatever the flash held before, and wherever the power goes while new credentials are written:
/// the device finds the old ones or the new ones, and can write again.
#[test]
fn a_power_cut_leaves_the_old_credentials_or_the_new_ones() {
    for rounds in [0, 1, 5, 6, 7, 12, 30] {
        let before = Flash::erased();
        for round in 0..rounds {
            assert!(keep(&before, &credentials(&format!("network {round}"))));
        }
        let old = read(&before);
        let new = credentials("new");
        let mut cut = 0;
        loop {
            let flash = before.duplicate();
            flash.cut_after(cut);
            let kept = keep(&flash, &new);
            flash.power_is_back();
            let found = read(&flash);
            assert!(
                found == Some(new.clone()) || (!kept && found == old),
                "{found:?} after {rounds} rounds and {cut} bytes"
            );
            let last = credentials("last");
            assert!(keep(&flash, &last), "{rounds} rounds, {cut} bytes");
            assert_eq!(read(&flash), Some(last));
            if kept {
                break;
            }
            cut += 1;
        }
        assert!(cut > 0, "nothing was written");
    }
}

proptest! {
    #[test]
    fn any_flash_contents_can_be_read_and_written_over(
        bytes in proptest::collection::vec(any::<u8>(), 1024..=1024)
    ) {
        let flash = Flash::erased();
        flash.fill(&bytes);
        read(&flash);
        prop_assert!(keep(&flash, &credentials("home")));
        prop_assert_eq!(read(&flash), Some(credentials("home")));
    }
}

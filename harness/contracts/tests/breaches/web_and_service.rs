//! What breaks the contracts on a device's web server, and on its own network.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Breaking;
use super::events::{broken, line};

pub fn breaking() -> Vec<Breaking> {
    vec![
        (
            "web-answers-say-what-they-are",
            vec![answer(1, 200, "Fine", json!({ "content-length": "2" }))],
            2,
        ),
        (
            "web-frames-are-in-order",
            vec![frame(1, "close", true, 0), frame(2, "text", true, 2)],
            3,
        ),
        (
            "service-leases-its-own-network",
            vec![joined(1, "alice", "192.168.4.2", json!({ "prefix": 16 }))],
            2,
        ),
    ]
}

fn answer(ms: u64, status: u64, reason: &str, mut fields: Value) -> Value {
    fields["content-type"] = "text/html".into();
    json!([ms, "web/response", {
        "device": null, "phone": "alice", "version": "1.1", "status": status, "reason": reason, "fields": fields,
    }])
}

fn frame(ms: u64, kind: &str, is_final: bool, length: u64) -> Value {
    json!([ms, "web/received", {
        "device": null, "phone": "alice", "frame": kind, "is_final": is_final, "length": length,
    }])
}

/// A phone in the device's own network.
fn joined(ms: u64, phone: &str, address: &str, more: Value) -> Value {
    let mut data = json!({
        "phone": phone, "network": "PROV_1", "address": address, "prefix": 24, "router": "192.168.4.1",
        "lease_s": 7_200,
    });
    for (key, value) in more.as_object().expect("an object") {
        data[key] = value.clone();
    }
    json!([ms, "air/phone_joined", data])
}

#[test]
fn an_answer_has_the_words_of_its_status_and_one_length() {
    let id = BTreeSet::from(["web-answers-say-what-they-are"]);
    let length = || json!({ "content-length": "2" });
    for good in [
        answer(1, 200, "OK", length()),
        answer(1, 200, "OK", json!({ "transfer-encoding": "chunked" })),
        // Words of an application's own.
        answer(1, 418, "I'm a teapot", length()),
        answer(1, 101, "Switching Protocols", json!({})),
        answer(1, 204, "No Content", json!({})),
    ] {
        assert_eq!(
            broken(std::slice::from_ref(&good), 2),
            BTreeSet::new(),
            "{good}"
        );
    }
    let mut old = answer(1, 200, "OK", length());
    old[2]["version"] = "1.0".into();
    let mut untyped = answer(1, 200, "OK", json!({}));
    untyped[2]["fields"] = length();
    let both = json!({ "content-length": "2", "transfer-encoding": "chunked" });
    for bad in [
        old,
        untyped,
        answer(1, 404, "Not Here", length()),
        answer(1, 200, "OK", json!({})),
        answer(1, 200, "OK", both),
    ] {
        assert_eq!(broken(std::slice::from_ref(&bad), 2), id, "{bad}");
    }
}

#[test]
fn fragments_follow_their_beginning_and_control_frames_may_come_between() {
    let id = BTreeSet::from(["web-frames-are-in-order"]);
    let good = [
        frame(1, "text", false, 3),
        frame(2, "ping", true, 0),
        frame(3, "continuation", true, 3),
        frame(4, "binary", true, 70_000),
        frame(5, "close", true, 2),
        json!([6, "web/closed", { "device": null, "phone": "alice", "how": "its end" }]),
        frame(7, "text", true, 1),
    ];
    assert_eq!(broken(&good, 8), BTreeSet::new());
    for bad in [
        vec![frame(1, "continuation", true, 3)],
        vec![frame(1, "text", false, 3), frame(2, "text", true, 3)],
        vec![frame(1, "ping", false, 0)],
        vec![frame(1, "pong", true, 126)],
        vec![frame(1, "3", true, 1)],
    ] {
        assert_eq!(broken(&bad, 3), id, "{bad:?}");
    }
}

#[test]
fn two_phones_have_two_addresses_and_one_may_have_that_of_a_phone_that_left() {
    let id = BTreeSet::from(["service-leases-its-own-network"]);
    let alice = || joined(1, "alice", "192.168.4.2", json!({}));
    let bob = |ms: u64| joined(ms, "bob", "192.168.4.2", json!({}));
    let left = json!([2, "air/phone_left", { "phone": "alice", "network": "PROV_1" }]);
    assert_eq!(broken(&[alice(), left, bob(3)], 4), BTreeSet::new());
    assert_eq!(broken(&[alice(), bob(3)], 4), id);
    for more in [
        json!({ "router": "192.168.4.2" }),
        json!({ "lease_s": 72 }),
        json!({ "lease_s": 7_200_000 }),
        json!({ "address": "192.168.4.1" }),
        json!({ "address": "192.168.5.2" }),
    ] {
        let row = joined(1, "alice", "192.168.4.2", more.clone());
        assert_eq!(broken(&[row], 2), id, "{more}");
    }
}

#[test]
fn an_address_that_a_phone_got_before_may_be_given_to_it_again() {
    let says = |ms: u64| {
        let text = "DHCP server assigned IP to a client, IP is: 192.168.4.2";
        line(ms, "esp_netif_lwip", text)
    };
    let rows = [
        says(1),
        joined(2, "alice", "192.168.4.2", json!({})),
        says(5_000),
    ];
    assert_eq!(broken(&rows, 10_000), BTreeSet::new());
}

//! A token that the phone makes.

use super::*;

#[test]
fn a_phones_token_binds_the_device_without_a_lan_between_them() {
    for (how, endpoint) in [
        ("endpoint", ["--token-endpoint", "binding-token"]),
        ("switchap", ["--switchap-endpoint", "switchap"]),
    ] {
        let case = format!("token={how}]");
        let up = Up::start("handover.yaml", &case, &[FORWARD]);
        let mut command = bare();
        command
            .args(["set", "--url", &url(&up), "--pop", "env:POP"])
            .args(["--poll", "200ms", "--passphrase", "env:PASSPHRASE"])
            .args(["--ssid", up.endpoint("/access_points/home/ssid")])
            .args(endpoint)
            .args(["--cloud", up.endpoint("/cloud/bind_api")])
            .args(["--account", "alice"])
            .args(["--product-key", up.device("product_key")])
            .args(["--device-name", up.device("device_name")])
            .env("POP", up.device("pop"))
            .env("PASSPHRASE", up.endpoint("/access_points/home/passphrase"));
        let said = run(&mut command).well();
        assert!(said.stderr.contains("bound to alice"), "{said:?}");
        let is_bind = |event: &trace::Event| event.kind == "bound";
        let bound = up.see("the bind", |event| {
            is_bind(event).then(|| event.data.clone())
        });
        assert_eq!(bound["device_name"], up.device("device_name"));
        assert_eq!(bound["account"], "alice");
        up.end();
    }
}

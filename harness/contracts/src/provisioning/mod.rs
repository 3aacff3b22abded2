//! What a provisioning service owes to its phones.

mod answers;
mod claims;
mod scans;
mod sessions;
mod turns;

use trace::Source;

use crate::read::since_boot;
use crate::{Contract, Sight};

const EXCHANGES: &[(Source, &str)] = since_boot![(Source::Provisioning, "exchange"),];

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "prov-no-answer-without-session",
        needs: &[],
        says: "an endpoint other than the version and the handshake answers only a phone whose \
               session is open",
        source: "ESP-IDF protocomm: protocomm_req_handle",
        reads: EXCHANGES,
        watch: |_| Some(Box::<sessions::Answers>::default()),
    },
    Contract {
        id: "prov-session-goes-on",
        needs: &[Sight::Air, Sight::Phones],
        says: "a phone whose session is open gets answers to its whole messages, until it or another begins anew, or the \
               link or the service ends, whatever was refused in between",
        source: "ESP-IDF protocomm: protocomm_req_handle, security1 and security2: a request that fails leaves the session",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Air, "left"),
            (Source::Air, "leased"),
            (Source::Air, "phone_left"),
            (Source::Air, "soft_ap_stopped"),
            (Source::Air, "ble_disconnected"),
            (Source::Air, "ble_link_dropped"),
            (Source::Board, "switching"),
            (Source::Engine, "fault"),
        ],
        watch: |_| Some(Box::<sessions::GoesOn>::default()),
    },
    Contract {
        id: "prov-session-number-is-given",
        needs: &[Sight::Phones],
        says: "a phone that is answered over a device's own network has a session's number, which it is given by the first \
               answer",
        source: "ESP-IDF protocomm: common_post_handler, Set-Cookie: session=",
        reads: EXCHANGES,
        watch: |facts| {
            facts.service.as_ref()?;
            Some(Box::new(sessions::NumberIsGiven))
        },
    },
    Contract {
        id: "prov-version-is-told",
        needs: &[],
        says: "who asks for the version and is heard is told it: no session is needed, and nothing has to be right",
        source: "ESP-IDF protocomm: protocomm_set_version, protocomm_version_handler",
        reads: &[(Source::Provisioning, "exchange")],
        watch: |_| Some(Box::new(answers::VersionIsTold)),
    },
    Contract {
        id: "prov-failure-follows-a-try",
        needs: &[Sight::Air, Sight::Phones],
        says: "a device says that credentials failed only once the air has refused them: what became of earlier ones says \
               nothing of these",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_configure_sta, prov_ctx->wifi_state = WIFI_PROV_STA_CONNECTING",
        reads: since_boot![(Source::Provisioning, "exchange"), (Source::Air, "left"),],
        watch: |_| Some(Box::<claims::FailureFollows>::default()),
    },
    Contract {
        id: "prov-answer-fits-request",
        needs: &[],
        says: "an answer is the one that belongs to its request",
        source: "ESP-IDF wifi_provisioning: wifi_config.proto, wifi_scan.proto, wifi_ctrl.proto",
        reads: EXCHANGES,
        watch: |_| Some(Box::new(answers::Fits)),
    },
    Contract {
        id: "prov-version-is-one",
        needs: &[],
        says: "a device says the same of its version whenever it is asked",
        source: "ESP-IDF protocomm: protocomm_set_version",
        reads: EXCHANGES,
        watch: |_| Some(Box::<answers::Version>::default()),
    },
    Contract {
        id: "prov-scan-result-is-possible",
        needs: &[],
        says: "a scan result has channels 1 to 14, negative levels, and the strongest first",
        source: "ESP-IDF esp_wifi_scan_get_ap_records; 802.11 §17",
        reads: EXCHANGES,
        watch: |_| Some(Box::new(answers::ScanResult)),
    },
    Contract {
        id: "prov-scan-delivers-what-it-announces",
        needs: &[],
        says: "no answer to a request for scan results has more entries than were asked for",
        source: "ESP-IDF wifi_provisioning: CmdScanResult",
        reads: EXCHANGES,
        watch: |_| Some(Box::<answers::ScanCount>::default()),
    },
    Contract {
        id: "prov-connected-is-true",
        needs: &[Sight::Air],
        says: "a device that says it is connected has joined that network, at that access point, and leased that \
               address",
        source: "ESP-IDF wifi_provisioning: RespGetStatus; the air's own record",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Air, "joined"),
            (Source::Air, "leased"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<claims::Connected>::default()),
    },
    Contract {
        id: "prov-reason-is-the-airs",
        needs: &[Sight::Air],
        says: "the reason that a device gives for a failed connection is the one that the air saw",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_event_handler_internal",
        reads: since_boot![(Source::Provisioning, "exchange"), (Source::Air, "left"),],
        watch: |_| Some(Box::<claims::Reason>::default()),
    },
    Contract {
        id: "prov-attempts-count-down",
        needs: &[],
        says: "attempts that remain become fewer by one at a time, until credentials are set anew",
        source: "ESP-IDF wifi_provisioning: WifiAttemptFailed.attempts_remaining",
        reads: EXCHANGES,
        watch: |_| Some(Box::<claims::Attempts>::default()),
    },
    Contract {
        id: "prov-attempts-are-the-airs",
        needs: &[Sight::Air, Sight::Phones],
        says: "a device tries as often as it was told before it gives up, and tells the tries that \
               remain",
        source: "ESP-IDF wifi_provisioning 5.5: wifi_conn_attempts",
        reads: since_boot![(Source::Provisioning, "exchange"), (Source::Air, "left"),],
        watch: |facts| Some(Box::new(claims::Tries::new(facts.attempts?))),
    },
    Contract {
        id: "prov-version-is-possible",
        needs: &[],
        says: "a version is a text, its security one of three, and each ability is told once: that none is \
               needed only without security, and no proof of possession only with security 1",
        source: "ESP-IDF wifi_provisioning: wifi_prov_get_info_json; protocomm: protocomm_set_version",
        reads: EXCHANGES,
        watch: |_| Some(Box::new(answers::PossibleVersion)),
    },
    Contract {
        id: "prov-refuses-out-of-turn",
        needs: &[Sight::Air, Sight::Phones],
        says: "a device that tries credentials, or is connected by them, takes no others, begins no scan and \
               grants no reset",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_configure_sta, wifi_prov_mgr_wifi_scan_start, \
                 wifi_prov_mgr_reset_sm_state_on_failure",
        reads: since_boot![(Source::Provisioning, "exchange"), (Source::Air, "left"),],
        watch: |_| Some(Box::<turns::Turns>::default()),
    },
    Contract {
        id: "prov-outcome-is-final",
        needs: &[Sight::Phones],
        says: "what a device says has become of credentials follows from credentials, and stays as it is \
               until it is told anew",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_event_handler_internal, which heeds events in \
                 WIFI_PROV_STATE_CRED_RECV alone",
        reads: EXCHANGES,
        watch: |_| Some(Box::<turns::Outcomes>::default()),
    },
    Contract {
        id: "prov-scan-is-as-asked",
        needs: &[Sight::Air, Sight::Phones],
        says: "a scan listens as a phone has asked: with or without probes, and on all channels at once or on \
               1 to 13 in turn",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_wifi_scan_start, update_wifi_scan_results",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Air, "scan_begun"),
        ],
        watch: |_| Some(Box::<scans::AsAsked>::default()),
    },
    Contract {
        id: "prov-scan-forgets-what-is-gone",
        needs: &[Sight::Air, Sight::Phones],
        says: "a scan that begins when an access point is off does not find it",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_wifi_scan_start frees what was found before",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Air, "access_point_changed"),
        ],
        watch: |facts| {
            let points = facts.access_points.clone()?;
            Some(Box::new(scans::Forgets(scans::OnAir::new(points))))
        },
    },
    Contract {
        id: "prov-scan-finds-what-is-there",
        needs: &[Sight::Air, Sight::Phones],
        says: "a scan of all channels finds each access point that is on from its beginning to its end, the sixteen \
               strongest if there are more",
        source: "ESP-IDF wifi_provisioning: MAX_SCAN_RESULTS; 802.11 §11.1.4.3",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Air, "access_point_changed"),
            (Source::Engine, "fault"),
        ],
        watch: |facts| {
            let points = facts.access_points.clone()?;
            Some(Box::new(scans::Finds(scans::OnAir::new(points))))
        },
    },
    Contract {
        id: "prov-scan-tells-the-bssid",
        needs: &[Sight::Air],
        says: "each result of a scan has a BSSID of its own, which is that of the access point that is joined",
        source: "ESP-IDF wifi_provisioning: WiFiScanResult; 802.11 §9.4.1.11",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Air, "joined"),
            (Source::Air, "access_point_changed"),
        ],
        watch: |_| Some(Box::<scans::Bssids>::default()),
    },
];

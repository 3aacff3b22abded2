//! What the machine of the rig is made of.

/// Debian packages, with all that they depend on. They are unpacked, not configured: nothing of theirs
/// runs before the machine does.
pub const PACKAGES: [&str; 17] = [
    "bluez",
    "busybox-static",
    // busybox as the shell would take its own programs before those of the packages.
    "dash",
    "dbus",
    "dbus-daemon",
    "dnsmasq-base",
    "hostapd",
    "iproute2",
    "iw",
    "kmod",
    // gdbus, which asks what the host's services refuse.
    "libglib2.0-bin",
    "linux-image-amd64",
    "network-manager",
    // Runs the client that ours is measured beside.
    "python3",
    "rfkill",
    "udev",
    "wpasupplicant",
];

/// What of the packages is left out.
pub const LEFT_OUT: [&str; 12] = [
    "/usr/share/bash-completion/*",
    "/usr/share/bug/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/share/perl/*",
    "/usr/share/perl5/*",
    "/usr/lib/x86_64-linux-gnu/perl*/*",
    "/usr/lib/udev/hwdb.d/*",
    "/lib/udev/hwdb.d/*",
];

/// Modules of the kernel, with all that they depend on.
pub const MODULES: [&str; 27] = [
    "9p",
    "9pnet_virtio",
    "aes_generic",
    "algif_hash",
    "algif_skcipher",
    "bluetooth",
    "bridge",
    "ccm",
    "cmac",
    "crc32c_generic",
    "ctr",
    // Without these two ECDH fails its own test.
    "drbg",
    "jitterentropy_rng",
    "ecb",
    "ecdh_generic",
    "ext4",
    "gcm",
    "hci_vhci",
    "hmac",
    "mac80211_hwsim",
    "michael_mic",
    "sha256_generic",
    "sha512_generic",
    "veth",
    "virtio_blk",
    "virtio_console",
    "virtio_net",
];

/// Modules that the first stage loads, in this order, to reach the disk.
pub const FIRST_MODULES: [&str; 4] = ["virtio_pci", "virtio_blk", "crc32c_generic", "ext4"];

/// The users that programs of the machine ask for.
pub const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
     messagebus:x:100:100::/nonexistent:/usr/sbin/nologin\n\
     dnsmasq:x:101:65534::/nonexistent:/usr/sbin/nologin\n\
     polkitd:x:102:65534::/nonexistent:/usr/sbin/nologin\n\
     systemd-network:x:103:65534::/nonexistent:/usr/sbin/nologin\n\
     nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n";

/// Their groups.
pub const GROUP: &str = "root:x:0:\ntty:x:5:\nmessagebus:x:100:\ndialout:x:20:\n\
     input:x:101:\nkvm:x:102:\nrender:x:103:\nvideo:x:44:\naudio:x:29:\ndisk:x:6:\n\
     cdrom:x:24:\ntape:x:26:\nkmem:x:15:\nlp:x:7:\nsgx:x:104:\nnetdev:x:105:\nbluetooth:x:106:\nnogroup:x:65534:\n";

/// What finds the disk.
pub const FIRST_STAGE: &str = include_str!("guest/first-stage.sh");
/// What starts the machine.
pub const INIT: &str = include_str!("guest/init.sh");

/// All of it as one text: an image that was built from another is out of date.
pub fn text(sources: &str) -> String {
    let lists = [
        PACKAGES.join(" "),
        LEFT_OUT.join(" "),
        MODULES.join(" "),
        FIRST_MODULES.join(" "),
    ];
    [&lists.join("\n"), sources, PASSWD, GROUP, FIRST_STAGE, INIT].join("\n---\n")
}

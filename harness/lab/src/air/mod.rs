//! The virtual network: layer-2 segments, access points, DHCP, DNS and the way to the host.

# Starts the radios of the machine, the home around it, and the services of a Debian host; then runs the
# cases. The folder of the imitated rig is /host/rig.
rig=/host/rig
say() { echo "$(cut -d' ' -f1 /proc/uptime) $*" > /dev/virtio-ports/report; }

modprobe -a bluetooth hci_vhci bridge veth ccm cmac ctr gcm ecb algif_hash algif_skcipher ecdh_generic \
  aes_generic sha256_generic hmac drbg jitterentropy_rng
modprobe mac80211_hwsim radios=3
udevadm settle -t 10

# Three places: the host itself, the home, and the device's own network, each with a radio.
for place in home softap; do
  ip netns add $place
  ip netns exec $place sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
    echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
  ip -n $place link set lo up
  ip -n $place link add br0 type bridge forward_delay 0
done
echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6
echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6
# Two interfaces of the host are on one LAN. Were each to answer for the address of the other, what is sent
# to lan0 would come in at wlan1, past a socket that is bound to lan0.
echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore
echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce
iw phy phy0 set netns name home
iw phy phy2 set netns name softap
ip link set eth0 netns home
ip link set eth1 netns softap
ip link add lan0 type veth peer name host netns home
ip -n home link set eth0 master br0 up
ip -n home link set host master br0 up
ip -n home addr add 192.168.77.1/24 dev br0
ip -n home link set br0 up
ip -n softap link set eth1 master br0 up
ip -n softap link set br0 up
ip addr add 192.168.77.2/24 dev lan0
ip link set lan0 up

# The home's access point, with the name and the passphrase that the rig file has.
. $rig/env
ssid=$(sed -n '/^\[access_points.home\]/,/^$/s/^ssid = "\(.*\)"$/\1/p' $rig/rig.toml)
mkdir -p /run/home
cat > /run/home/hostapd.conf <<X
interface=wlan0
bridge=br0
driver=nl80211
ssid=$ssid
hw_mode=g
channel=6
wpa=2
wpa_key_mgmt=WPA-PSK
rsn_pairwise=CCMP
wpa_passphrase=$HOME_PASSPHRASE
X
# A station gives an access point 200 ms to answer before it asks again, and a second answer undoes the first
# one's keys: what answers goes before all that computes.
first="nice -n -20"
$first ip netns exec home hostapd -B -f /host/out/hostapd-home.log /run/home/hostapd.conf
ip netns exec home dnsmasq --interface=br0 --bind-interfaces --no-resolv --no-hosts --no-ping \
  --address=/lab.example/192.168.77.2 --dhcp-range=192.168.77.10,192.168.77.99,1h \
  --dhcp-authoritative --dhcp-leasefile=/run/home/leases --pid-file=/run/home/dnsmasq.pid \
  --user=root --log-facility=/host/out/dnsmasq.log

# The host: Bluetooth, and NetworkManager on its Wi-Fi interface alone.
$first /host/bin/xtask rig-adapter > /host/out/adapter.log 2>&1 &
/host/bin/xtask rig-head $rig > /host/out/head.log 2>&1 &
dbus-daemon --system --fork
# What BlueZ and the controller say to each other.
btmon -t > /host/out/btmon.log 2>&1 &
/usr/libexec/bluetooth/bluetoothd -n > /host/out/bluetoothd.log 2>&1 &
$first wpa_supplicant -u -f /host/out/wpa_supplicant.log &
mkdir -p /etc/NetworkManager/system-connections
cat > /etc/NetworkManager/NetworkManager.conf <<X
[main]
plugins=keyfile
auth-polkit=false
no-auto-default=*
[keyfile]
unmanaged-devices=*,except:interface-name:wlan1
[device]
wifi.scan-rand-mac-address=no
[connection]
wifi.cloned-mac-address=preserve
[logging]
level=INFO
X
cat > /etc/NetworkManager/system-connections/home.nmconnection <<X
[connection]
id=home
type=wifi
interface-name=wlan1
[wifi]
ssid=$ssid
mode=infrastructure
[wifi-security]
key-mgmt=wpa-psk
psk=$HOME_PASSPHRASE
[ipv4]
method=auto
never-default=true
[ipv6]
method=disabled
X
chmod 600 /etc/NetworkManager/system-connections/home.nmconnection
NetworkManager --debug > /host/out/NetworkManager.log 2>&1 &
n=0
until nmcli -t -f DEVICE,STATE device 2>/dev/null | grep -q '^wlan1:connected'; do
  n=$((n + 1))
  [ $n -lt 300 ] || { say "wlan1 did not come home"; break; }
  sleep 0.2
done
say "the host is on its Wi-Fi"
export XDG_RUNTIME_DIR=/run/user XDG_STATE_HOME=/root/state
mkdir -p -m 700 /run/user
/host/bin/xtask rig-cases > /dev/virtio-ports/report 2>&1
dmesg > /host/out/dmesg.log
cp /run/*.log /host/out/ 2>/dev/null

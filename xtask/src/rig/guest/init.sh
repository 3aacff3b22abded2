#!/bin/sh
# The machine: a host with a Bluetooth adapter, a Wi-Fi interface and a serial port, in a home with an
# access point. What runs on it comes in the folder that it shares with its own host.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /dev/pts /dev/shm /run/dbus /run/lock /run/netns /root /var/lib/dbus
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
modprobe -a 9pnet_virtio virtio_net virtio_console
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none host /host
/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle -t 20
hostname rig
ip link set lo up
dbus-uuidgen --ensure=/etc/machine-id
echo "the machine is up after $(cut -d' ' -f1 /proc/uptime) s"
sh /host/start.sh
echo "the machine goes down after $(cut -d' ' -f1 /proc/uptime) s"
poweroff -f

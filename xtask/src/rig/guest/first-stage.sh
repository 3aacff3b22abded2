#!/bin/busybox sh
# Finds the disk of the machine, and goes on there.
b=/bin/busybox
$b mount -t devtmpfs dev /dev
while read -r module; do
  $b insmod "/modules/$module" || echo "first stage: $module was not loaded"
done < /order
n=0
while [ ! -b /dev/vda ] && [ $n -lt 100 ]; do
  $b sleep 0.1
  n=$((n + 1))
done
$b mount -t ext4 -o noatime /dev/vda /disk || exec $b poweroff -f
$b mount --move /dev /disk/dev
exec $b switch_root /disk /init

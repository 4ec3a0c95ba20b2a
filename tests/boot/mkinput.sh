#!/bin/sh
# Linux's drivers for mice and for reading input events, out of the Debian installer's graphical
# image (its other one has none), and the program that shows the events.
#
# usage: mkinput.sh FOLDER
#
# The folder gets the modules, numbered in the order to load them, and root/bin/check-input (see
# mkinitramfs.sh).
set -eu
LC_ALL=C
export LC_ALL

out=${1:-}
if [ -z "$out" ]; then
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
fi
here=$(dirname "$0")
initrd=/usr/lib/debian-installer/images/12/amd64/gtk/debian-installer/amd64/initrd.gz
[ -r "$initrd" ] || { echo "mkinput.sh: there is no $initrd" >&2; exit 1; }

rm -rf "$out"
mkdir -p "$out/root/bin" "$out/tree"
trap 'rm -rf "$out/tree"' EXIT
zcat "$initrd" | (cd "$out/tree" && cpio -id --quiet '*/evdev.ko' '*/psmouse.ko')
mv "$(find "$out/tree" -name evdev.ko)" "$out/10-evdev.ko"
mv "$(find "$out/tree" -name psmouse.ko)" "$out/20-psmouse.ko"
cp "$here/guest/check-input" "$out/root/bin/check-input"
chmod +x "$out/root/bin/check-input"

#!/bin/sh
# A Linux kernel with drivers for IDE disks and CDs: Debian's kernel for clouds, from the mirror
# this machine uses (27 MB, once per folder); nothing is installed.  The Debian installer's kernel,
# which the other tests boot, comes without such drivers.
#
# usage: mkata.sh FOLDER [REST]
#
# The folder gets `linux` and, numbered in the order to load them, the modules of ata_piix, sd_mod,
# sr_mod and what they need (see mkinitramfs.sh); the folder REST, if named, gets what else is in
# the package.
set -eu
LC_ALL=C
export LC_ALL

out=${1:-} rest=${2:-}
if [ -z "$out" ]; then
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
fi
fail() { echo "mkata.sh: $*" >&2; exit 1; }
[ ! -s "$out/linux" ] || { [ -n "$rest" ] && [ ! -d "$rest" ]; } || exit 0

package=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9.-]*-cloud-amd64\)$/\1/p' | head -n 1)
[ -n "$package" ] || fail "apt knows no linux-image-cloud-amd64"
rm -rf "$out"
mkdir -p "$out/deb"
trap 'rm -rf "$out/deb"' EXIT
(cd "$out/deb" && apt-get download -q "$package" >log 2>&1) ||
    fail "cannot download $package: $(tail -n 1 "$out/deb/log")"
dpkg-deb -x "$out/deb/$package"_*.deb "$out/deb/root"

number=10
for module in scsi_common scsi_mod libata crct10dif_common crct10dif_generic crc-t10dif crc64 \
    crc64_rocksoft_generic crc64-rocksoft t10-pi sd_mod cdrom sr_mod ata_piix; do
    file=$(find "$out/deb/root/lib/modules" -name "$module.ko")
    [ -z "$file" ] || mv "$file" "$out/$number-$module.ko" # some are part of the kernel
    number=$((number + 1))
done
[ -s "$out/$((number - 1))-ata_piix.ko" ] || fail "no ata_piix.ko in $package"
mv "$out/deb/root/boot/vmlinuz"-* "$out/linux"
if [ -n "$rest" ]; then
    rm -rf "$rest"
    mv "$out/deb/root" "$rest"
fi

#!/bin/sh
# What the initramfs of the network tests has besides busybox (see mkinitramfs.sh): the modules of
# the tulip driver and of VLANs that go with the Debian installer's kernel, out of the installer's
# own initrd; the programs of tests/boot/guest; on amd64 also this machine's ip and ethtool with
# their libraries (busybox has no multicast addresses, no statistics).
#
# usage: mknet.sh amd64|i386 FOLDER
#
# The folder is made new: modules, numbered in the order to load them, and root/ with the files.
set -eu
LC_ALL=C
export LC_ALL

arch=${1:-} out=${2:-}
case $arch in
amd64 | i386) ;;
*) out= ;;
esac
if [ -z "$out" ]; then
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
fi
fail() { echo "mknet.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
initrd=/usr/lib/debian-installer/images/12/$arch/text/debian-installer/$arch/initrd.gz
[ -r "$initrd" ] ||
    fail "$initrd is missing: apt-get install debian-installer-12-netboot-$arch"
command -v cpio >/dev/null || fail "cpio is missing: apt-get install cpio"
rm -rf "$out"
mkdir -p "$out/root/bin" "$out/initrd"
out=$(cd "$out" && pwd)
trap 'rm -rf "$out/initrd"' EXIT

gzip -dc "$initrd" | (cd "$out/initrd" && cpio -id --quiet --no-absolute-filenames \
    'lib/modules/*/kernel/drivers/net/ethernet/dec/*' 'lib/modules/*/kernel/net/*')
number=10
for module in llc stp mrp garp 8021q tulip; do
    file=$(find "$out/initrd" -name "$module.ko")
    [ -z "$file" ] || mv "$file" "$out/$number-$module.ko" # some are part of the kernel
    number=$((number + 1))
done
[ -s "$out/$((number - 1))-tulip.ko" ] || fail "no tulip.ko in $initrd"

cp "$here"/guest/*net* "$out/root/bin/"
[ "$arch" = amd64 ] || exit 0
for program in ip ethtool; do
    path=$(PATH=$PATH:/usr/sbin:/sbin command -v $program) ||
        fail "$program is missing: apt-get install iproute2 ethtool"
    cp -L "$path" "$out/root/bin/"
    # Their libraries, under the names they look for.
    ldd "$path" | sed -n 's/.*[ \t]\(\/[^ ]*\) (.*/\1/p' | while IFS= read -r library; do
        mkdir -p "$out/root${library%/*}"
        cp -L "$library" "$out/root$library"
    done
done

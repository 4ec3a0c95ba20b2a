#!/bin/sh
# A Linux kernel with de4x5, the older driver of 21140 cards: Debian 11's kernel 5.10 is the last of
# Debian's with its source, but comes without the module.  So that is built here, with this
# machine's compiler, from Debian 11's packages of the kernel, its headers and its source (180 MB
# from the mirror $MIRROR, once per folder); nothing is installed, apt's own state is left alone.
#
# usage: mkde4x5.sh amd64|i386 FOLDER
#
# The folder gets `linux` and the module (see mkinitramfs.sh).  One line of the driver is dropped:
# its interrupt handler waits for the end of all handlers of its interrupt, itself among them.
# Kernels for one processor, for which it was written, do not wait there; others wait for ever.
set -eu
LC_ALL=C
export LC_ALL

arch=${1:-} out=${2:-}
case $arch in
amd64) flavour=amd64 ;;
i386) flavour=686 ;;
*) out= ;;
esac
if [ -z "$out" ]; then
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
fi
fail() { echo "mkde4x5.sh: $*" >&2; exit 1; }
[ ! -s "$out/linux" ] || exit 0

rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$out/work
apt=$work/apt
mkdir -p "$work/module" "$apt/lists/partial" "$apt/archives/partial" "$apt/parts"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# An apt that knows Debian 11 and nothing else.
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keys ] || fail "$keys is missing: apt-get install debian-archive-keyring"
echo "deb [signed-by=$keys] ${MIRROR:-http://deb.debian.org/debian} bullseye main" >"$apt/sources"
: >"$apt/status"
cat >"$apt/conf" <<END
Dir::Etc::SourceList "$apt/sources";
Dir::Etc::SourceParts "$apt/parts";
Dir::Etc::PreferencesParts "$apt/parts";
Dir::State::Lists "$apt/lists";
Dir::State::Status "$apt/status";
Dir::Cache "$apt";
Dir::Cache::Archives "$apt/archives";
APT::Architecture "$arch";
APT::Architectures { "$arch"; "amd64"; };
APT::Sandbox::User "root";
END
APT_CONFIG=$apt/conf
export APT_CONFIG
apt-get -qq update >"$work/log" 2>&1 ||
    fail "cannot read Debian 11's lists: $(tail -n 1 "$work/log")"
image=$(apt-cache search --names-only "^linux-image-5\.10\.0-[0-9]*-$flavour\$" |
    sort -V | sed -n '$s/ .*//p')
version=${image#linux-image-}
[ -n "$version" ] || fail "Debian 11 has no linux-image-5.10.0-*-$flavour any more"
(cd "$work" && apt-get download -q "$image" "linux-headers-$version" \
    "linux-headers-${version%-"$flavour"}-common" linux-kbuild-5.10:amd64 linux-source-5.10 \
    >log 2>&1) || fail "cannot download $image and what belongs to it: $(tail -n 1 "$work/log")"

for package in "$work"/linux-headers-*.deb "$work"/linux-kbuild-*.deb; do
    dpkg-deb -x "$package" "$work/root"
done
headers=$work/root/usr/src/linux-headers-$version
sed -i "s|^include /usr/src|include $work/root/usr/src|" "$headers/Makefile"
dpkg-deb --fsys-tarfile "$work"/linux-source-*.deb |
    tar -xO ./usr/src/linux-source-5.10.tar.xz |
    tar -xJ -C "$work" --strip-components=1 \
        linux-source-5.10/drivers/net/ethernet/dec/tulip
driver=$work/drivers/net/ethernet/dec/tulip
sed '/^ *synchronize_irq(dev->irq);$/d' "$driver/de4x5.c" >"$work/module/de4x5.c"
cp "$driver/de4x5.h" "$work/module/"
echo 'obj-m := de4x5.o' >"$work/module/Makefile"
MAKEFLAGS='' make -C "$headers" M="$work/module" CC=gcc modules >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; fail "de4x5 was not built"; }
strip -g -o "$out/10-de4x5.ko" "$work/module/de4x5.ko"
dpkg-deb --fsys-tarfile "$work/$image"_*.deb | tar -xO "./boot/vmlinuz-$version" >"$work/linux"
mv "$work/linux" "$out/linux"

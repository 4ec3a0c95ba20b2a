#!/bin/sh
# Makes a bootable hard disk image around a file system: MBR, GRUB in the gap behind it, and one
# partition from sector 2048 on, as installers lay it out.
#
# usage: mkdisk.sh PARTITION IMAGE
#
# PARTITION is an image of an ext2 to ext4 file system with /boot/grub/grub.cfg in it, a whole
# number of MiB long.  IMAGE becomes a sparse raw image.  Needs no root: GRUB's boot sector expects
# its core image at sector 1, and a core image made for i386-pc knows its own length.
set -eu
LC_ALL=C
export LC_ALL

part=${1:-} image=${2:-}
if [ -z "$image" ]; then
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
fi
fail() { echo "mkdisk.sh: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work" "$image.new"' EXIT
trap 'exit 1' HUP INT TERM

start=2048
sectors=$(($(stat -c %s "$part") / 512))

# le32 NUMBER: its four bytes.
le32()
{
    printf "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) \
        $(($1 >> 16 & 255)) $(($1 >> 24)))"
}
# put FILE SECTOR: writes the file's data to the image, holes stay holes.
put() { dd if="$1" of="$image.new" bs=512 seek="$2" conv=notrunc status=none; }

grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o "$work/core.img" \
    biosdisk part_msdos ext2 normal linux serial terminal echo configfile ls search
core=$(stat -c %s "$work/core.img")
[ "$core" -le $(((start - 1) * 512)) ] || fail "GRUB's core image has $core bytes: it does not fit"

# 440 bytes of GRUB, disk signature, one active entry of type 0x83 (CHS fields: beyond reach).
{
    head -c 440 /usr/lib/grub/i386-pc/boot.img
    printf 'lab!\0\0'
    printf '\200\376\377\377\203\376\377\377'
    le32 $start
    le32 $sectors
    head -c 48 /dev/zero
    printf '\125\252'
} >"$work/mbr"

rm -f "$image.new"
truncate -s $(((start + sectors) * 512)) "$image.new"
put "$work/mbr" 0
put "$work/core.img" 1
dd if="$part" of="$image.new" bs=1M seek=1 conv=notrunc,sparse status=none
mv "$image.new" "$image"

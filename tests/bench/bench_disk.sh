#!/bin/sh
# How fast are images converted, beside qemu-img, in one run?
#
# usage: bench_disk.sh PROGRAM FOLDER [RUNS]
#
# A sparse image of 4 GiB (an eighth of it is data) and a full one of 1 GiB, to a dynamic VHD and to
# a raw image: the best of RUNS (5), in turn.  What candela writes is on the disk when it ends;
# qemu-img leaves that to the host's cache, so it is timed without and with a sync of its target.
set -u
LC_ALL=C
export LC_ALL

[ $# -ge 2 ] || { sed -n 's/^# usage: //p' "$0" >&2; exit 2; }
candela=$1 dir=$2/disk runs=${3:-5}
command -v qemu-img >/dev/null 2>&1 || { echo "no disk times: qemu-img is not installed"; exit 0; }
rm -rf "$dir"
mkdir -p "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

full=$dir/full.img sparse=$dir/sparse.img
dd if=/dev/urandom of="$full" bs=1M count=1024 status=none || exit 1
truncate -s 4G "$sparse" || exit 1
i=0
while [ $i -lt 16 ]; do
    dd if="$full" of="$sparse" bs=1M count=32 skip=$((i * 32)) seek=$((i * 256)) conv=notrunc \
        status=none || exit 1
    i=$((i + 1))
done
sync

by_candela()   { "$candela" disk convert -q "$1" "$2"; }
by_qemu()      { qemu-img convert -f raw -O "$3" "$1" "$2"; }
by_qemu_sync() { by_qemu "$@" && sync "$2"; }

# once HOW SOURCE TARGET FORMAT: milliseconds
once()
{
    rm -f "$3"
    began=$(date +%s%N)
    "$1" "$2" "$3" "$4" || { echo 999999; return; }
    echo $((($(date +%s%N) - began) / 1000000))
}

least() { [ "$1" -lt "$2" ] && echo "$1" || echo "$2"; }

printf 'disk convert, best of %s, milliseconds\n' "$runs"
printf '%-28s %9s %9s %9s   %s\n' what candela qemu-img '+ sync' "candela / (qemu-img + sync)"
for source in "$sparse" "$full"; do
    for kind in vpc raw; do
        target=$dir/out.img
        [ $kind = vpc ] && target=$dir/out.vhd
        ours=999999 theirs=999999 synced=999999 n=0
        while [ $n -lt "$runs" ]; do
            ours=$(least "$(once by_candela "$source" "$target" $kind)" $ours)
            theirs=$(least "$(once by_qemu "$source" "$target" $kind)" $theirs)
            synced=$(least "$(once by_qemu_sync "$source" "$target" $kind)" $synced)
            n=$((n + 1))
        done
        rm -f "$target"
        printf '%-28s %9s %9s %9s   %s\n' "$(basename "$source" .img) to $kind" "$ours" "$theirs" \
            "$synced" "$(awk -v a="$ours" -v b="$synced" 'BEGIN { printf "%.2f", a / b }')"
    done
done

#!/bin/sh
# How fast are images converted, beside qemu-img, in one run?
#
# usage: bench_disk.sh PROGRAM FOLDER [RUNS]
#
# A sparse image of 4 GiB (an eighth of it is data) and a full one of 1 GiB, to a dynamic VHD and to
# a raw image: the best of RUNS (5), in turn.  What candela writes is on the disk when it ends;
# qemu-img leaves that to the host's cache, so it is timed without and with a sync of its target.
# On a busy machine processor time says more: qemu-img has more threads, and so a larger share.
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

# once HOW SOURCE TARGET FORMAT: milliseconds until it ended, and of processor time
once()
{
    rm -f "$3"
    began=$(date +%s%N)
    # times: the shell's own on the first line, its children's on the second
    cpu=$("$1" "$2" "$3" "$4" >/dev/null && times) || { echo 999999 999999; return; }
    wall=$((($(date +%s%N) - began) / 1000000))
    echo $wall "$(printf '%s\n' "$cpu" | awk -F '[ms ]+' \
        'NR == 2 { printf "%d", ($1 + $3) * 60000 + ($2 + $4) * 1000 }')"
}

# keep NAME WALL CPU: the least of each in NAME_wall and NAME_cpu
keep()
{
    eval "[ $2 -ge \$${1}_wall ] || ${1}_wall=$2"
    eval "[ $3 -ge \$${1}_cpu ] || ${1}_cpu=$3"
}

printf 'disk convert, milliseconds (of them processor time), the least of %s\n' "$runs"
printf '%-16s %14s %14s %16s   %s\n' what candela qemu-img "qemu-img + sync" \
    "candela / (qemu-img + sync)"
for source in "$sparse" "$full"; do
    for kind in vpc raw; do
        target=$dir/out.img
        [ $kind = vpc ] && target=$dir/out.vhd
        ours_wall=999999 ours_cpu=999999 qemu_wall=999999 qemu_cpu=999999
        sync_wall=999999 sync_cpu=999999
        n=0
        while [ $n -lt "$runs" ]; do
            keep ours $(once by_candela "$source" "$target" $kind)
            keep qemu $(once by_qemu "$source" "$target" $kind)
            keep sync $(once by_qemu_sync "$source" "$target" $kind)
            n=$((n + 1))
        done
        rm -f "$target"
        printf '%-16s %14s %14s %16s   %s\n' "$(basename "$source" .img) to $kind" \
            "$ours_wall ($ours_cpu)" "$qemu_wall ($qemu_cpu)" "$sync_wall ($sync_cpu)" \
            "$(awk -v a=$ours_wall -v b=$sync_wall -v c=$ours_cpu -v d=$sync_cpu \
                'BEGIN { printf "%.2f (%.2f)", a / b, d ? c / d : 0 }')"
    done
done

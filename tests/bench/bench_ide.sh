#!/bin/sh
# The IDE disk's throughput by fio in an installed Debian (tests/boot/guest/bench-disk), beside
# QEMU's TCG on the same image in the same run.  bench.sh calls it; alone:
#
# usage: bench_ide.sh --candela PROGRAM --out FOLDER [--seconds N] [--limit N]
#
# The image (tests/boot/mkinstalled.sh) is made once and kept in the folder.
set -u
LC_ALL=C
export LC_ALL

candela= out= seconds=10 limit=900
while [ $# -gt 1 ]; do
    case $1 in
    --candela | --out | --seconds | --limit) eval "${1#--}=\$2" ;;
    *) break ;;
    esac
    shift 2
done
if [ $# -gt 0 ] || [ -z "$candela" ] || [ -z "$out" ]; then
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
image=$out/debian-amd64.img
if ! command -v mmdebstrap >/dev/null 2>&1; then
    echo "no disk figures: mmdebstrap is missing (./configure --install-deps=all)"
    exit 0
fi
[ -s "$image" ] || sh "$here/../boot/mkinstalled.sh" amd64 "$image" || exit 1

# measure NAME COMMAND...: logs in on the command's standard input and output and runs fio.
measure()
{
    serial=$out/disk-$1.serial
    rm -f "$serial" "$out/disk.in"
    mkfifo "$out/disk.in" || exit 1
    exec 3<>"$out/disk.in"
    shift
    timeout -k 5 "$limit" "$@" <"$out/disk.in" >"$serial" 2>"$serial.log" 3>&- &
    pid=$!
    for rule in 'lab# => bench-disk '"$seconds" 'end-42 => poweroff'; do
        until grep -qaF "${rule%% => *}" "$serial" || ! kill -0 $pid 2>/dev/null; do
            sleep 0.5
        done
        printf '%s\r' "${rule#* => }" >&3
    done
    wait $pid
    exec 3>&-
    rm -f "$out/disk.in"
}

# result NAME JOB: MB/s, or "-".
result()
{
    r=$(tr -d '\r' <"$out/disk-$1.serial" 2>/dev/null |
        awk -v job="$2" '$1 == "disk" && $2 == job { print $3 }')
    printf %s "${r:--}"
}

work=$out/disk-work
cp --sparse=always "$image" "$work.img" || exit 1
measure candela-raw "$candela" run --accel jit -m 1G -hda "$work.img" -display none -serial stdio
cp --sparse=always "$image" "$work.img"
if command -v qemu-system-x86_64 >/dev/null 2>&1; then
    measure qemu-raw qemu-system-x86_64 -accel tcg,thread=single -m 1G -nodefaults -vga std \
        -display none -no-reboot -drive "file=$work.img,format=raw,if=ide" -serial stdio
fi
rm -f "$work.img"
"$candela" disk convert -q "$image" "$work.vhd" --format vhd --type dynamic --force &&
    measure candela-vhd "$candela" run --accel jit -m 1G -hda "$work.vhd" -display none \
        -serial stdio
rm -f "$work.vhd"

printf 'IDE disk with UDMA, fio in Debian amd64, %s s each, MB/s\n' "$seconds"
printf '%-12s %10s %10s %8s %12s\n' job candela qemu-tcg ratio "dynamic VHD"
for job in read-1m write-1m read-4k write-4k; do
    a=$(result candela-raw $job) b=$(result qemu-raw $job) c=$(result candela-vhd $job)
    ratio=$(awk -v a="$a" -v b="$b" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "-" }')
    printf '%-12s %10s %10s %8s %12s\n' $job "$a" "$b" "$ratio" "$c"
done

#!/bin/sh
# Do a PC's clocks agree while guest and host are busy?  `make bench-clocks`.
#
# usage: clocks.sh --candela PROGRAM --out FOLDER [--seconds N] [--load N] [--limit PPM]
#
# Builds the guest guest_clocks.c and runs it for N seconds (600) beside as many busy loops as
# --load says (2).  The guest counts the interrupts of the 8254, the RTC, the local APIC and the
# HPET, reads the counters, and prints how far each is from the time-stamp counter, in parts per
# million; here the whole run is compared with the host's clock.  Status 0: nothing is off by more
# than the limit (1000: 0.1 %).
set -u
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
candela= out= seconds=600 load=2 limit=1000
while [ $# -gt 0 ]; do
    case $1 in
    --candela | --out | --seconds | --load | --limit)
        [ $# -gt 1 ] || exit 2
        eval "${1#--}=\$2"
        shift
        ;;
    *)
        sed -n 's/^# usage: //p' "$0" >&2
        exit 2
        ;;
    esac
    shift
done
[ -n "$candela" ] && [ -n "$out" ] || exit 2
mkdir -p "$out" || exit 1

elf=$out/guest_clocks.elf
serial=$out/clocks.serial
${CC:-cc} -m32 -march=i686 -std=gnu11 -O2 -Wall -Wextra -ffreestanding -nostdlib -static -fno-pic \
    -no-pie -fno-stack-protector -fno-asynchronous-unwind-tables -mno-sse -mno-mmx \
    -Wl,-Ttext-segment=0x100000 -Wl,--build-id=none -Wl,-z,noseparate-code \
    -o "$elf" "$here/guest_clocks.c" || exit 1

pids=
stop_load() { [ -z "$pids" ] || kill $pids 2>/dev/null; pids=; }
trap stop_load EXIT
trap 'exit 1' HUP INT TERM
i=0
while [ $i -lt "$load" ]; do
    sh -c 'while :; do :; done' &
    pids="$pids $!"
    i=$((i + 1))
done

echo "clocks against the time-stamp counter, $seconds s, $load busy loops beside:"
rm -f "$serial"
"$candela" run -m 64M -kernel "$elf" -append "$seconds" -display none -serial "file:$serial" \
    --max-time $((seconds + 60)) --stats "$out/clocks.json" || exit 1
stop_load
grep 'ppm:' "$serial" | tail -1
worst=$(sed -n 's/^CLOCKS: worst \([0-9]*\) ppm.*/\1/p' "$serial")

# Virtual time against the host's: from the start of the machine to its end.
sed -n 's/.*"wall_ns": \([0-9]*\).*/\1/p; s/.*"virtual_ns": \([0-9]*\).*/\1/p' "$out/clocks.json" |
    paste -s | awk '{ printf "virtual time against the host: %.0f ppm\n", ($2 / $1 - 1) * 1e6 }'
echo "worst: ${worst:-none} ppm"
[ -n "$worst" ] && [ "$worst" -le "$limit" ]

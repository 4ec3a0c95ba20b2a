#!/bin/sh
# The network card's throughput: iperf3 between a small Debian guest (tests/boot/guest/bench-net)
# and this machine, through libslirp, beside QEMU's TCG with its tulip in the same run.  bench.sh
# calls it; alone:
#
# usage: bench_net.sh --candela PROGRAM --out FOLDER [--seconds N] [--runs N] [--limit N]
#                     [--only candela|qemu]
#
# MB/s are by this machine's clock; both take turns, and the median of the runs counts.
set -u
LC_ALL=C
export LC_ALL

candela= out= seconds=5 runs=3 limit=120 only=
while [ $# -gt 1 ]; do
    case $1 in
    --candela | --out | --seconds | --runs | --limit | --only) eval "${1#--}=\$2" ;;
    *) break ;;
    esac
    shift 2
done
if [ $# -gt 0 ] || [ -z "$candela" ] || [ -z "$out" ]; then
    sed -n 's/^# usage: /usage: /p; s/^#  *\[/    [/p' "$0" >&2
    exit 2
fi
boot=$(cd "$(dirname "$0")/../boot" && pwd)
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
linux=/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux
initrd=$out/initrd-net.cpio
iperf=$(command -v iperf3)
if [ ! -r $linux ] || [ -z "$iperf" ]; then
    echo "no network figures: iperf3 or $linux is missing (./configure --install-deps=all)"
    exit 0
fi

# The tests' initramfs with iperf3 and its libraries under the names they look for.
make_initrd()
{
    sh "$boot/mknet.sh" amd64 "$out/net" && cp -L "$iperf" "$out/net/root/bin/" || return
    ldd "$iperf" | sed -n 's/.*[ \t]\(\/[^ ]*\) (.*/\1/p' | while IFS= read -r library; do
        mkdir -p "$out/net/root${library%/*}" && cp -L "$library" "$out/net/root$library" || exit 1
    done || return
    sh "$boot/mkinitramfs.sh" amd64 "$initrd" "$out/net"
}
make_initrd || exit 1

# The server's port: one that nobody listens at.
free_port()
{
    while :; do
        port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 10000))
        grep -qi ":$(printf %04X $port) " /proc/net/tcp /proc/net/tcp6 2>/dev/null || break
    done
}
free_port
iperf3 -s -B 127.0.0.1 -p "$port" -f k --forceflush >"$out/net-server.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM
append="console=ttyS0 quiet run=bench-net server=10.0.2.2 port=$port seconds=$seconds"

run_candela()
{
    "$candela" run --accel jit -m 512M -kernel $linux -initrd "$initrd" -append "$append" \
        -nic user -display none -serial "file:$1" --max-time "$limit"
}
run_qemu()
{
    timeout "$limit" qemu-system-x86_64 -accel tcg,thread=single -smp 1 -m 512M -nodefaults \
        -vga std -display none -no-reboot -kernel $linux -initrd "$initrd" -append "$append" \
        -netdev user,id=n -device tulip,netdev=n -serial "file:$1"
}

# mbytes WHO: what the server's log since the last look says of the two transfers, as "out" and
# "in" results in MB/s.
mbytes()
{
    # A busy server writes late.
    sleep 1
    tail -c +$((seen + 1)) "$out/net-server.log" |
        awk '$NF == "receiver" { job = "out" } $NF == "sender" { job = "in" }
             job { for (i = 2; i <= NF; i++) if ($i == "Kbits/sec")
                       printf "%s %.1f\n", job, $(i - 1) / 8000
                   job = "" }' >>"$out/net-$1.results"
    seen=$(($(wc -c <"$out/net-server.log")))
}

# measure WHO: one run; appends "JOB RESULT" lines to net-WHO.results.
measure()
{
    serial=$out/net-$1.serial
    rm -f "$serial"
    "run_$1" "$serial" </dev/null >"$out/net-$1.log" 2>&1
    if ! tr -d '\r' <"$serial" 2>/dev/null | grep -q '^net done 42'; then
        echo "$1 did not finish: see $serial and $out/net-$1.log"
    fi
    tr -d '\r' <"$serial" 2>/dev/null | sed -n 's/^net \([a-z]*[-a-z]* [0-9.]*\)$/\1/p' \
        >>"$out/net-$1.results"
    mbytes "$1"
}

seen=0
whos="candela"
! command -v qemu-system-x86_64 >/dev/null 2>&1 || whos="candela qemu"
whos=${only:-$whos}
rm -f "$out"/net-*.results
run=0
while [ $run -lt "$runs" ]; do
    for who in $whos; do
        measure "$who"
    done
    run=$((run + 1))
done

# result WHO JOB: the median, or "-".
result()
{
    r=$(sed -n "s/^$2 //p" "$out/net-$1.results" 2>/dev/null | sort -n |
        awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }')
    printf %s "${r:--}"
}
# line LABEL MORE-IS-BETTER CANDELA QEMU: a ratio above 1 is good.
line()
{
    printf '%-32s %10s %10s %8s\n' "$1" "$3" "$4" \
        "$(awk -v a="$3" -v b="$4" -v up="$2" 'BEGIN {
            if (a == "-" || b == "-" || a * b == 0) print "-"
            else printf "%.2f", up ? a / b : b / a }')"
}
per() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "%.3f", a / b; else print "-" }'; }

printf 'DEC 21140 on NAT, iperf3 in Debian amd64, %s s each, median of %s\n' "$seconds" "$runs"
printf '%-32s %10s %10s %8s\n' "" candela qemu-tcg ratio
line 'guest to host, MB/s' 1 "$(result candela out)" "$(result qemu out)"
line 'host to guest, MB/s' 1 "$(result candela in)" "$(result qemu in)"
line 'inside the guest (lo), MB/s' 1 "$(result candela lo)" "$(result qemu lo)"
line 'ping of the gateway, ms' 0 "$(result candela rtt)" "$(result qemu rtt)"
for job in out in; do
    what='guest to host'
    [ $job = out ] || what='host to guest'
    a=$(per "$(result candela $job-irqs)" "$(result candela $job-packets)")
    b=$(per "$(result qemu $job-irqs)" "$(result qemu $job-packets)")
    line "interrupts a packet, $what" 0 "$a" "$b"
done

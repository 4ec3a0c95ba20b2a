#!/bin/sh
# How fast is guest code?  The kernels of guestbench (tests/bench/guest), natively, in Candela with
# each of its engines, in QEMU's TCG and in Bochs, in one run and in turns.
#
# usage: bench_cpu.sh --candela PROGRAM --out FOLDER [--engines LIST] [--kernels LIST]
#                     [--bits 64,32] [--rounds N] [--time MS] [--limit SECONDS] [--nice N]
#                     [--without LIST] [--parts LIST] [--programs LIST] [--json FILE]
#
# Parts: kernels; boot (Debian's amd64 kernel from the start to /init, wall and CPU time); programs
# (a compiler, python3, gzip ... of this machine, see guest/bench-programs; the CPU time of the
# emulator).  All by default, but only that part with --kernels or --programs.
#
# One kernel quickly, by hand:
#   sh tests/bench/bench_cpu.sh --candela ./candela --out bench --engines jit,tcg \
#       --kernels int,fib --bits 64 --rounds 1
# The guest of it afterwards, and what gb= may say (guestbench --list shows the kernels):
#   ./candela run --accel jit -kernel /usr/lib/debian-installer/images/12/amd64/text/\
#   debian-installer/amd64/linux -initrd bench/cpu/kernels.cpio -serial stdio -display none \
#       -append 'console=ttyS0 quiet mitigations=off run=bench-cpu bits=64 gb="--time 200 int fib"'
#
# Lists are separated by commas, or by blanks where there are any.  Engines are native, tcg, bochs
# and what `candela run --accel` takes; by default what is there but those --without names.
# CANDELA_ARGS holds more options for candela; --nice -10 (root) helps where others are busy.
# Figures are medians of the rounds; only ratios of one run say something.  Status 1: an engine
# computed something else than the others, or did not get to the end.
set -u
LC_ALL=C
export LC_ALL

candela= out= engines= kernels= bits='64 32' rounds=3 time=100 limit=900 json= nice=0
without= parts= programs=
while [ $# -gt 1 ]; do
    case $1 in
    --candela | --out | --engines | --kernels | --bits | --rounds | --time | --limit | --nice | \
        --json | --without | --parts | --programs)
        eval "${1#--}=\$2"
        ;;
    *) break ;;
    esac
    shift 2
done
if [ $# -gt 0 ] || [ -z "$candela" ] || [ -z "$out" ]; then
    sed -n '/^# usage: /,/^#$/s/^# *\(.\)/\1/p' "$0" >&2
    exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
mkdir -p "$out/cpu" || exit 1
out=$(cd "$out/cpu" && pwd)
linux=/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux
memory=512
results=$out/results
status=0

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf 'bench_cpu.sh: %s\n' "$*" >&2; }
# words LIST: one a word.
words()
{
    case $1 in
    *' '*) printf '%s' "$1" ;;
    *) printf '%s' "$1" | tr , ' ' ;;
    esac
}

# ------------------------------------------------------------------------------------------------
# Who takes part.

default_engines()
{
    echo native
    "$candela" run --accel help | awk '$1 ~ /^(interp|jit)$/ { print $1 }'
    ! have qemu-system-x86_64 || echo tcg
    ! have bochs || echo bochs
}
[ -n "$engines" ] || engines=$(default_engines | tr '\n' ' ')
engines=$(words "$engines" | tr ' ' '\n' | grep -vxF "$(words "$without" | tr ' ' '\n')" |
    tr '\n' ' ')
if [ -z "$parts" ]; then
    parts='kernels boot programs'
    [ -z "$kernels" ] || parts=kernels
    [ -z "$programs" ] || parts=programs
fi
parts=$(words "$parts")
kernels=$(words "$kernels")
bits=$(words "$bits")
if [ ! -r $linux ]; then
    say "$linux is missing (./configure --install-deps)"
    engines=native
fi

# ------------------------------------------------------------------------------------------------
# The guest.

flags="-std=gnu11 -O2 -Wall -Wextra -fno-tree-vectorize -fno-pie -no-pie -static -I$top"
rm -rf "$out/guest"
mkdir -p "$out/guest/root/bin" || exit 1
bin=$out/guest/root/bin
build() { ${CC:-cc} "$@" $flags -o "$bin/guestbench${1#-m}" "$here"/guest/*.c; }
build -m64 || exit 1
if ! build -m32 -march=i686 -msse2 -mfpmath=sse 2>"$out/build32.log"; then
    say "no 32-bit programs: gcc-multilib is missing (./configure --install-deps=all)"
    bits=$(words "$bits" | tr ' ' '\n' | grep -v 32)
fi
cp "$here"/guest/bench-* "$bin" && chmod +x "$bin"/* || exit 1

# in_parts NAME
in_parts() { case " $parts " in *" $1 "*) ;; *) return 1 ;; esac }

# make_initrd NAME FOLDER: an initramfs for a part.
make_initrd() { sh "$here/../boot/mkinitramfs.sh" amd64 "$out/$1.cpio" "$2"; }
! in_parts kernels || make_initrd kernels "$out/guest" || exit 1
! in_parts boot || make_initrd boot "" || exit 1
if in_parts programs; then
    if ! sh "$here/mkprograms.sh" "$out/programs"; then
        say "no programs"
        exit 1
    fi
    mkdir -p "$out/programs/root/bin" && cp "$bin"/* "$out/programs/root/bin" || exit 1
    make_initrd programs "$out/programs" || exit 1
fi

# A boot CD for Bochs: make_iso INITRD KERNEL'S-COMMAND-LINE
make_iso()
{
    rm -rf "$out/iso"
    mkdir "$out/iso" && cp /usr/lib/ISOLINUX/isolinux.bin \
        /usr/lib/syslinux/modules/bios/ldlinux.c32 "$out/iso" && cp $linux "$out/iso/linux" &&
        cp "$1" "$out/iso/initrd" || return
    chmod -R u+w "$out/iso"
    printf 'DEFAULT linux\nPROMPT 0\nLABEL linux\nKERNEL linux\nAPPEND initrd=initrd %s\n' \
        "$2" >"$out/iso/isolinux.cfg"
    xorriso -as mkisofs -quiet -o "$out/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot \
        -boot-load-size 4 -boot-info-table "$out/iso" >"$out/xorriso.log" 2>&1
    rm -rf "$out/iso"
}

# Bochs counts time by instructions, so its guests' clocks say nothing: see stamped.
run_bochs()
{
    make_iso "$1" "$2" || exit
    cat >"$out/bochsrc" <<RC
memory: guest=$memory, host=$memory
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=cdrom, path="$out/boot.iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$raw.fifo"
cpu: model=corei7_haswell_4770, count=1, ips=200000000, reset_on_triple_fault=0
clock: sync=none
display_library: rfb, options="timeout=0"
log: "$out/bochs.bochslog"
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
RC
    # Debian's bochs may have its debugger built in, which waits for a command first.
    echo continue >"$out/bochs.rc"
    cd "$out" && exec $niced bochs -q -f bochsrc -rc bochs.rc
}

# run_guest ENGINE INITRD COMMAND-LINE: becomes the emulator; COM1 goes to $raw.fifo.
niced="nice -n $nice"
# The processes of one session share a place among the others', whatever their own priorities.
[ "$nice" = 0 ] || echo "$nice" >/proc/self/autogroup
run_guest()
{
    case $1 in
    tcg)
        exec $niced qemu-system-x86_64 -accel tcg,thread=single -cpu max -smp 1 -m $memory \
            -nodefaults -vga std -display none -no-reboot -kernel $linux -initrd "$2" -append "$3" \
            -serial "file:$raw.fifo"
        ;;
    bochs) run_bochs "$2" "$3" ;;
    *)
        # shellcheck disable=SC2086 # words
        exec $niced "$candela" run --accel "$1" -m $memory -display none -kernel $linux \
            -initrd "$2" -append "$3" -serial "file:$raw.fifo" ${CANDELA_ARGS:-}
        ;;
    esac
}

# read_guest: what comes out of the fifo to $raw, and to $raw.stamps what is marked, with the CPU
# time of the emulator in nanoseconds in front; to $raw.clock what the guest's clock said, and ours.
read_guest()
{
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in
        gbbegin* | gbend*)
            awk -v line="$line" '{ sum += $1 } END { printf "%.0f %s\n", sum, line }' \
                /proc/$pid/task/*/schedstat >>"$raw.stamps"
            ;;
        gbstart* | gbdone*) printf '%s %s\n' "$(date +%s%N)" "$line" >>"$raw.clock" ;;
        esac
        printf '%s\n' "$line" >>"$raw"
    done <"$raw.fifo"
}

# stamped: how much CPU time things took: "NAME NANOSECONDS OPS", then the guest's line.
stamped()
{
    tr -d '\r' <"$raw.stamps" | awk '$2 == "gbbegin" { begin = $1 }
        $2 == "gbend" { printf "%s %.0f %s\n", $3, $1 - begin, $4 }'
}

pid=
stop() { [ -z "$pid" ] || { kill "$pid" && wait "$pid"; } 2>/dev/null; }
trap 'stop; [ "$nice" = 0 ] || echo 0 >/proc/self/autogroup' EXIT
trap 'exit 1' HUP INT TERM

# guest ENGINE INITRD COMMAND-LINE TEXT PAUSE: until the guest says the text, or --limit; false
# without it.  Sets wall and cpu, seconds of the emulator; what was said is in $said then.  It is
# looked at after every pause, and the guest has five seconds to power off.
guest()
{
    raw=$out/raw said=$out/$1.serial found=
    rm -f "$raw"* "$said"
    mkfifo "$raw.fifo" || exit
    began=$(date +%s%N)
    run_guest "$1" "$2" "$3" </dev/null >"$out/$1.log" 2>&1 &
    pid=$!
    read_guest 2>/dev/null &
    reader=$!
    while [ -z "$found" ] && kill -0 $pid 2>/dev/null; do
        sleep "$5"
        grep -q "$4" "$raw" 2>/dev/null && found=1
        wall=$((($(date +%s%N) - began) / 1000000))
        cpu=$(awk '{ print ($14 + $15) * 10 }' /proc/$pid/stat 2>/dev/null)
        # Its shell: nothing comes any more.
        [ $wall -lt $((limit * 1000)) ] && ! grep -q '^lab# ' "$raw" 2>/dev/null || break
    done
    wall=$(echo $wall | awk '{ print $1 / 1000 }')
    cpu=$(echo "${cpu:-0}" | awk '{ print $1 / 1000 }')
    tries=50
    while [ "$4" != INIT-REACHED ] && kill -0 $pid 2>/dev/null && [ $tries -gt 0 ]; do
        sleep 0.1
        tries=$((tries - 1))
    done
    stop
    pid=
    kill $reader 2>/dev/null
    cat "$raw" 2>/dev/null | tr -d '\r' >"$said"
    grep -q "$4" "$said" && return
    say "$1 did not get to \"$4\": see $said and $out/$1.log:"
    tail -n 5 "$out/$1.log" >&2
    status=1
    return 1
}

# A clock that goes slow would make an emulator look fast: check_clock ENGINE
check_clock()
{
    [ "$1" = bochs ] || awk -v who="$1" '{ wall = $1 / 1e9 - wall; guest = $3 - guest }
        END {
            if (guest < 0.9 * wall - 1)
                printf "bench_cpu.sh: %s: %s s by the clock of the guest, %s s here\n", who,
                    guest, wall
        }' "$raw.clock" >&2
}

# ------------------------------------------------------------------------------------------------
# The kernels.  A row of the results: kernel BITS ENGINE NAME NANOSECONDS CHECKSUM.

# What takes about as long in an emulator that is 10 times slower: "NAME=OPS,...", by a quick look.
counts()
{
    # shellcheck disable=SC2086 # words
    "$bin/guestbench64" --time 5 $kernels | awk -v ms="$time" \
        '$3 > 0 { printf "%s%s=%.0f", n++ ? "," : "", $2, ms * 1e6 / 10 / $3 + 1 }'
}

run_kernels()
{
    options="--time $time $kernels"
    [ "$1" != bochs ] || options="--counts $(counts) $kernels"
    if [ "$1" = native ]; then
        for b in $bits; do
            # shellcheck disable=SC2086 # words
            $niced "$bin/guestbench$b" $options
        done >"$out/native.serial" || status=1
    else
        guest "$1" "$out/kernels.cpio" \
            "$append run=bench-cpu bits=\"$bits\" gb=\"$options\"" '^gbdone .* 42' 0.2 || return
        check_clock "$1"
    fi
    grep '^guestbench: ' "$out/$1.serial" >&2 && status=1
    : >"$out/stamped"
    [ "$1" != bochs ] || stamped >"$out/stamped"
    awk -v who="$1" 'FILENAME ~ /stamped$/ { by_host[$1, ++n[$1]] = $2 / $3; next }
        $1 ~ /^gb[0-9]+$/ && NF == 4 {
            i = ++seen[$2]
            print "kernel", substr($1, 3), who, $2, ($2, i) in by_host ? by_host[$2, i] : $3, $4
        }' "$out/stamped" "$out/$1.serial" >>"$results"
}

# ------------------------------------------------------------------------------------------------
# Boot: boot - ENGINE kernel WALL CPU, in seconds.

run_boot()
{
    [ "$1" = native ] && return
    guest "$1" "$out/boot.cpio" console=ttyS0 INIT-REACHED 0.02 || return
    echo "boot - $1 power-on $wall $cpu" >>"$results"
}

# ------------------------------------------------------------------------------------------------
# Programs: program - ENGINE NAME CPU-SECONDS CHECKSUM.

run_programs()
{
    names=$(words "${programs:-$(cat "$out/programs/names")}")
    if [ "$1" = native ]; then
        # shellcheck disable=SC2086 # words
        $niced sh "$here/guest/bench-programs" "$out/programs/root/data" "$bin/guestbench64" \
            $names >"$out/native.serial"
    else
        memory=1024
        guest "$1" "$out/programs.cpio" "$append run=bench-cpu programs=\"$names\"" \
            '^gbdone .* 42' 0.2 || return
        memory=512
        check_clock "$1"
    fi
    : >"$out/stamped"
    [ "$1" = native ] || stamped >"$out/stamped"
    awk -v who="$1" 'FILENAME ~ /stamped$/ { by_host[$1] = $2 / 1e9; next }
        $1 == "gbprog" && $5 {
            printf "bench_cpu.sh: %s: %s: status %s\n", who, $2, $5 >"/dev/stderr"
        }
        $1 == "gbprog" { took[$2] = $2 in by_host ? by_host[$2] : $3 + $4 }
        $1 == "gbsum" { print "program", "-", who, $2, took[$2], $3 }' \
        "$out/stamped" "$out/$1.serial" >>"$results"
}

# ------------------------------------------------------------------------------------------------

append='console=ttyS0 quiet mitigations=off'
printf 'machine %s\n' "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" >"$results"
round=0
while [ $round -lt "$rounds" ]; do
    for part in $parts; do
        for engine in $engines; do
            "run_$part" "$engine"
        done
    done
    round=$((round + 1))
done
awk -v engines="$engines" -v rounds="$rounds" -v json="$json" -f "$here/bench_cpu.awk" "$results" ||
    status=1
exit $status

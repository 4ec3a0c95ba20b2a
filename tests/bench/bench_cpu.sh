#!/bin/sh
# How fast is guest code?  The kernels of guestbench (tests/bench/guest), natively, in Candela with
# each of its engines, in QEMU's TCG and in Bochs, in one run and in turns.
#
# usage: bench_cpu.sh --candela PROGRAM --out FOLDER [--engines LIST] [--kernels LIST]
#                     [--bits 64,32] [--rounds N] [--time MS] [--samples N] [--limit SECONDS]
#                     [--without LIST] [--json FILE]
#
# One kernel quickly, by hand:
#   sh tests/bench/bench_cpu.sh --candela ./candela --out bench --engines jit,tcg \
#       --kernels int,fib --bits 64 --rounds 1
# The guest of it afterwards, and what gb= may say (guestbench --list shows the kernels):
#   ./candela run --accel jit -kernel /usr/lib/debian-installer/images/12/amd64/text/\
#   debian-installer/amd64/linux -initrd bench/cpu/initrd.cpio -serial stdio -display none \
#       -append 'console=ttyS0 quiet mitigations=off run=bench-cpu bits=64 gb="--time 200 int fib"'
#
# Lists are separated by commas, or by blanks where there are any.  Engines are native, tcg, bochs
# and what `candela run --accel` takes; by default what is there but those --without names.
# CANDELA_ARGS holds more options for candela.  Figures are medians of the rounds; only ratios of
# one run say something.  Status 1: an engine computed something else than the others, or did not
# get to the end.
set -u
LC_ALL=C
export LC_ALL

candela= out= engines= kernels= bits='64 32' rounds=3 time=50 samples=5 limit=900 json=
without=
while [ $# -gt 1 ]; do
    case $1 in
    --candela | --out | --engines | --kernels | --bits | --rounds | --time | --samples | --limit | \
        --json | --without)
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
initrd=$out/initrd.cpio
sh "$here/../boot/mkinitramfs.sh" amd64 "$initrd" "$out/guest" || exit 1

# A boot CD for Bochs: make_iso KERNEL'S-COMMAND-LINE
make_iso()
{
    rm -rf "$out/iso"
    mkdir "$out/iso" && cp /usr/lib/ISOLINUX/isolinux.bin \
        /usr/lib/syslinux/modules/bios/ldlinux.c32 "$out/iso" && cp $linux "$out/iso/linux" &&
        cp "$initrd" "$out/iso/initrd" || return
    chmod -R u+w "$out/iso"
    printf 'DEFAULT linux\nPROMPT 0\nLABEL linux\nKERNEL linux\nAPPEND initrd=initrd %s\n' \
        "$1" >"$out/iso/isolinux.cfg"
    xorriso -as mkisofs -quiet -o "$out/boot.iso" -b isolinux.bin -c boot.cat -no-emul-boot \
        -boot-load-size 4 -boot-info-table "$out/iso" >"$out/xorriso.log" 2>&1
}

# Bochs: instructions are no measure of time, so the guest must go by the PM timer, which
# sync=realtime holds to the host's clock.
run_bochs()
{
    make_iso "$1 clocksource=acpi_pm tsc=unstable" || return
    cat >"$out/bochsrc" <<RC
memory: guest=$memory, host=$memory
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=cdrom, path="$out/boot.iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$2"
cpu: model=corei7_haswell_4770, count=1, ips=200000000, reset_on_triple_fault=0
clock: sync=realtime, time0=utc
display_library: rfb, options="timeout=0"
log: "$out/bochs.bochslog"
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
RC
    # Debian's bochs may have its debugger built in, which waits for a command first.
    echo continue >"$out/bochs.rc"
    (cd "$out" && exec timeout "$limit" bochs -q -f bochsrc -rc bochs.rc)
}

# run_guest ENGINE COMMAND-LINE SERIAL: until the guest powers off.
run_guest()
{
    case $1 in
    tcg)
        timeout "$limit" qemu-system-x86_64 -accel tcg,thread=single -cpu max -smp 1 -m $memory \
            -nodefaults -vga std -display none -no-reboot -kernel $linux -initrd "$initrd" \
            -append "$2" -serial "file:$3"
        ;;
    bochs) run_bochs "$2" "$3" ;;
    *)
        "$candela" run --accel "$1" -m $memory -display none -kernel $linux -initrd "$initrd" \
            -append "$2" -serial "file:$3" --max-time "$limit" ${CANDELA_ARGS:-}
        ;;
    esac </dev/null >"$out/$1.log" 2>&1
}

# guest ENGINE ARGUMENTS: a run to the guest's end; what it said is in ENGINE.serial then.
guest()
{
    rm -f "$out/$1.serial" "$out/raw"
    began=$(date +%s%N)
    run_guest "$1" "console=ttyS0 quiet mitigations=off run=bench-cpu $2" "$out/raw"
    took=$((($(date +%s%N) - began) / 1000000))
    tr -d '\r' <"$out/raw" >"$out/$1.serial" 2>/dev/null
    if ! grep -q '^gbdone 42' "$out/$1.serial"; then
        say "$1 did not finish: see $out/$1.serial and $out/$1.log"
        status=1
        return
    fi
    # A clock that goes slow would make an emulator look fast.
    awk -v wall="$took" -v who="$1" '$1 == "gbdone" && $3 * 1000 < 0.8 * wall - 15000 {
        printf "bench_cpu.sh: %s: the clock of the guest is slow: %s s of %s ms\n", who, $3, wall
    }' "$out/$1.serial" >&2
}

# ------------------------------------------------------------------------------------------------
# The kernels.  A row of the results: kernel BITS ENGINE NAME NANOSECONDS CHECKSUM.

run_kernels()
{
    options="--time $time --samples $samples $kernels"
    if [ "$1" = native ]; then
        for b in $bits; do
            # shellcheck disable=SC2086 # words
            "$bin/guestbench$b" $options
        done >"$out/native.serial" || status=1
    else
        guest "$1" "bits=\"$bits\" gb=\"$options\""
    fi
    grep '^guestbench: ' "$out/$1.serial" >&2 && status=1
    awk -v who="$1" '$1 ~ /^gb[0-9]+$/ && NF == 4 {
        print "kernel", substr($1, 3), who, $2, $3, $4
    }' "$out/$1.serial" >>"$results"
}

# ------------------------------------------------------------------------------------------------

rm -f "$results"
printf 'machine %s\n' "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)" >"$results"
round=0
while [ $round -lt "$rounds" ]; do
    for engine in $engines; do
        run_kernels "$engine"
    done
    round=$((round + 1))
done
awk -v engines="$engines" -v rounds="$rounds" -v json="$json" -f "$here/bench_cpu.awk" "$results" ||
    status=1
exit $status

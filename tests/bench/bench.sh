#!/bin/sh
# `make bench`: how fast is it, beside others, on this machine, in one run?
#
# usage: bench.sh --candela PROGRAM --out FOLDER [--runs N] [--limit SECONDS] [--only NAME,...]
#
# First the programs tests/bench/bench_*.c that the Makefile has built into the folder, then: the
# time from power-on until the Debian amd64 kernel has started /init (a busybox on ttyS0 says
# INIT-REACHED), from one boot CD for everybody, and with the kernel handed over directly where
# that is possible.  qemu and bochs take part when they are installed.  Only ratios of one run say
# something; seconds are of this machine on this day.
set -u
LC_ALL=C
export LC_ALL

candela= out= runs=1 limit=600 only=
while [ $# -gt 0 ]; do
    case $1 in
    --candela | --out | --runs | --limit | --only)
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
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)

linux=/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux
initrd=$out/initrd-amd64.cpio
iso=$out/boot.iso
append='console=ttyS0'
memory=512

have() { command -v "$1" >/dev/null 2>&1; }
now()  { date +%s%N; }

# wanted NAME: with --only, is it in the list?
wanted()
{
    [ -z "$only" ] && return
    case ",$only," in *",$1,"*) ;; *) return 1 ;; esac
}

# ------------------------------------------------------------------------------------------------
# Our own small programs.

for program in "$out"/bench_*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    wanted "${program##*/}" || continue
    "$program" || echo "${program##*/} failed with status $?"
    echo
done

# ------------------------------------------------------------------------------------------------
# Images.

if wanted disk; then
    sh "$here/bench_disk.sh" "$candela" "$out" || echo "bench_disk.sh failed with status $?"
    echo
fi
if wanted ide; then
    sh "$here/bench_ide.sh" --candela "$candela" --out "$out" ||
        echo "bench_ide.sh failed with status $?"
    echo
fi
# The short form: one round, 64-bit, without Bochs.  bench_cpu.sh alone does all of it.
if wanted cpu; then
    sh "$here/bench_cpu.sh" --candela "$candela" --out "$out" --parts kernels --bits 64 \
        --rounds 1 --time 50 --without bochs ||
        echo "bench_cpu.sh failed with status $?"
    echo
fi
if wanted net; then
    sh "$here/bench_net.sh" --candela "$candela" --out "$out" ||
        echo "bench_net.sh failed with status $?"
    echo
fi

# ------------------------------------------------------------------------------------------------
# The boot.

if [ ! -r $linux ]; then
    echo "no boot times: $linux is missing (./configure --install-deps)"
    exit 0
fi
sh "$here/../boot/mkinitramfs.sh" amd64 "$initrd" || exit 1

# One CD for everybody; without its tools only the direct boot is timed.
make_iso()
{
    isolinux=/usr/lib/ISOLINUX/isolinux.bin
    ldlinux=/usr/lib/syslinux/modules/bios/ldlinux.c32
    have xorriso && [ -r $isolinux ] && [ -r $ldlinux ] || return
    rm -rf "$out/iso" "$iso"
    mkdir "$out/iso" || return
    cp $isolinux $ldlinux "$out/iso" && cp $linux "$out/iso/linux" &&
        cp "$initrd" "$out/iso/initrd" || return
    chmod -R u+w "$out/iso"
    printf 'DEFAULT linux\nPROMPT 0\nLABEL linux\nKERNEL linux\nAPPEND initrd=initrd %s\n' \
        "$append" >"$out/iso/isolinux.cfg"
    xorriso -as mkisofs -quiet -o "$iso" -b isolinux.bin -c boot.cat -no-emul-boot \
        -boot-load-size 4 -boot-info-table "$out/iso" >"$out/xorriso.log" 2>&1
    rm -rf "$out/iso"
    [ -s "$iso" ]
}
if ! make_iso; then
    iso=
    echo "no boot CD (./configure --install-deps=all brings its tools); direct boot only"
fi

# until_init NAME COMMAND...: runs the command until the serial file says INIT-REACHED; prints
# milliseconds, or "-" when it did not get there.
until_init()
{
    serial=$out/$1.serial
    log=$out/$1.log
    shift
    rm -f "$serial"
    began=$(now)
    "$@" </dev/null >"$log" 2>&1 &
    pid=$!
    result=-
    while :; do
        if grep -q INIT-REACHED "$serial" 2>/dev/null; then
            result=$((($(now) - began) / 1000000))
            break
        fi
        kill -0 $pid 2>/dev/null || break
        [ $((($(now) - began) / 1000000000)) -lt "$limit" ] || break
        sleep 0.1
    done
    # It may have ended by itself between the look and now.
    [ "$result" = - ] && grep -q INIT-REACHED "$serial" 2>/dev/null &&
        result=$((($(now) - began) / 1000000))
    kill $pid 2>/dev/null
    wait $pid 2>/dev/null
    printf '%s' "$result"
}

run_candela_cd()
{
    until_init candela-cd "$candela" run --accel interp -m $memory -cdrom "$iso" -display none \
        -serial "file:$out/candela-cd.serial" --max-time "$limit"
}
run_candela_kernel()
{
    until_init candela-kernel "$candela" run --accel interp -m $memory \
        -kernel $linux -initrd "$initrd" -append "$append" \
        -display none -serial "file:$out/candela-kernel.serial" --max-time "$limit"
}
qemu_common="-accel tcg,thread=single -m $memory -display none -nodefaults -vga std -no-reboot"
run_qemu_cd()
{
    until_init qemu-cd qemu-system-x86_64 $qemu_common -cdrom "$iso" \
        -serial "file:$out/qemu-cd.serial"
}
run_qemu_kernel()
{
    until_init qemu-kernel qemu-system-x86_64 $qemu_common -kernel $linux -initrd "$initrd" \
        -append "$append" -serial "file:$out/qemu-kernel.serial"
}
run_bochs_cd()
{
    cat >"$out/bochsrc" <<END
memory: guest=$memory, host=$memory
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata1: enabled=1, ioaddr1=0x170, ioaddr2=0x370, irq=15
ata1-master: type=cdrom, path="$iso", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$out/bochs-cd.serial"
cpu: count=1, ips=15000000, reset_on_triple_fault=0
clock: sync=none
display_library: rfb, options="timeout=0"
log: "$out/bochs-cd.bochslog"
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
END
    # Debian's bochs may have its debugger built in, which waits for a command first.
    echo continue >"$out/bochs.rc"
    until_init bochs-cd sh -c 'cd "$1" && exec bochs -q -f bochsrc -rc bochs.rc' sh "$out"
}

# best NAME: the best of --runs, or "-".
best()
{
    b=-
    i=0
    while [ $i -lt "$runs" ]; do
        r=$("run_$1")
        [ "$r" = - ] || { [ "$b" != - ] && [ "$b" -le "$r" ]; } || b=$r
        i=$((i + 1))
    done
    printf '%s' "$b"
}

# line WHAT WHO PROGRAM RUN: prints one row of the table; sets last.
line()
{
    what=$1 who=$2 program=$3 name=$4
    last=-
    if ! have "$program"; then
        printf '%-22s %-10s %10s\n' "$what" "$who" "not installed"
        return
    fi
    wanted "$who" || return
    last=$(best "$name")
    if [ "$last" = - ]; then
        printf '%-22s %-10s %10s   see %s/%s.log\n' "$what" "$who" "no init" "$out" \
            "$(printf %s "$name" | tr _ -)"
        return
    fi
    ratio=
    if [ "$who" != candela ] && [ "$ours" != - ]; then
        ratio=$(awk -v a="$last" -v b="$ours" 'BEGIN { printf "%.2f", a / b }')
    fi
    printf '%-22s %-10s %10s   %s\n' "$what" "$who" \
        "$(awk -v m="$last" 'BEGIN { printf "%.1f", m / 1000 }')" "$ratio"
}

printf 'Debian amd64 kernel, power-on to init; %s MiB, best of %s; %s\n' $memory "$runs" \
    "$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)"
printf '%-22s %-10s %10s   %s\n' from who seconds "times candela's"
for how in kernel cd; do
    [ $how = cd ] && [ -z "$iso" ] && continue
    what="boot CD"
    [ $how = kernel ] && what="-kernel, -initrd"
    ours=-
    line "$what" candela "$candela" candela_$how
    ours=$last
    line "$what" qemu-tcg qemu-system-x86_64 qemu_$how
    [ $how = kernel ] || line "$what" bochs bochs bochs_$how
done

#!/bin/sh
# Candela's KVM accelerator on AMD-V, where this machine's own /dev/kvm cannot be had or is none:
# QEMU's software processor has AMD-V, so a Debian system in QEMU (the outer one) loads KVM, and
# Candela runs guests in that (the inner ones).  Ends with "N passed, N failed, N skipped".
#
# usage: nested.sh --candela FILE --out FOLDER
#
# The outer kernel and its modules are Debian's kernel for clouds, from the mirror this machine uses
# (27 MB, once per folder); nothing is installed.
set -u
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
boot=$here/../boot
candela= out=
while [ $# -gt 0 ]; do
    case $1 in
    --candela) candela=$2 ;;
    --out) out=$2 ;;
    *)
        sed -n 's/^# usage: /usage: /p' "$0" >&2
        exit 2
        ;;
    esac
    shift 2
done
[ -n "$candela" ] && [ -n "$out" ] || exit 2
skip() { echo "skipped: nested: $*"; echo "0 passed, 0 failed, 1 skipped"; exit 0; }
fail() { echo "nested.sh: $*" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

installer=/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux
grub=/usr/lib/grub-rescue/grub-rescue-cdrom.iso
command -v qemu-system-x86_64 >/dev/null || skip 'qemu-system-x86_64 is missing (qemu-system-x86)'
for file in "$installer" "$grub" /bin/busybox; do
    [ -r "$file" ] || skip "$file is missing"
done

mkdir -p "$out"
out=$(cd "$out" && pwd)

# The kernel of the outer system, and of the inner ones with a disk.
sh "$boot/mkata.sh" "$out/ata" "$out/outer" || skip 'no kernel with drivers for IDE'
modules=$(echo "$out/outer/lib/modules/"*)

# The inner systems.
mkdir -p "$out/ata/root/bin"
cp "$here/guest/nested-disk" "$here/guest/nested-ticks" "$out/ata/root/bin/"
chmod +x "$out/ata/root/bin/"*
sh "$boot/mkinitramfs.sh" amd64 "$out/ata.cpio" "$out/ata" || fail 'no initramfs for the disk'
sh "$boot/mknet.sh" amd64 "$out/net" || fail 'no initramfs for the network'
cp "$here/guest/nested-net" "$out/net/root/bin/"
chmod +x "$out/net/root/bin/"*
sh "$boot/mkinitramfs.sh" amd64 "$out/net.cpio" "$out/net" || fail 'no initramfs for the network'
cp "$out/ata/linux" "$out/linux-ata" # it goes by this name in there
sh "$here/mkinitrd.sh" "$candela" "$modules" "$here/commands.sh" "$out/outer.cpio.gz" \
    "$grub" "$installer" "$out/linux-ata" "$out/ata.cpio" "$out/net.cpio" ||
    fail 'no initramfs for the outer system'

# Linux's own check of the timer gives up where this host is busy: QEMU's is not what is tested.
#
# QEMU 7.2 loses the request for an interrupt now and then, when it comes at the exit of a nested
# guest.  If it was that of the outer system's timer, nothing asked again, and all stood still: the
# APIC has the timer's vector, the processor knows of none.  So a byte for the serial line comes
# each second, an interrupt that brings the lost one with it.
scale=${CANDELA_TIME_SCALE:-1}
limit=$((1500 * scale))
while sleep 1; do echo; done |
    timeout -s KILL $limit qemu-system-x86_64 -accel tcg -cpu max -m 2048 -smp 1 -nographic \
        -nic none -no-reboot -kernel "$out/ata/linux" -initrd "$out/outer.cpio.gz" \
        -append "console=ttyS0 quiet no_timer_check panic=-1 CANDELA_TIME_SCALE=$scale" \
        >"$out/raw" 2>"$out/qemu.log"
tr -d '\r' <"$out/raw" | sed -n '/NESTED-BEGIN/,$p' >"$out/log"

passed=0 failed=0
# expect WHAT PATTERN: whether a line of the log matches.
expect()
{
    if grep -qE "$2" "$out/log"; then
        echo "ok      nested/$1"
        passed=$((passed + 1))
    else
        echo "FAILED  nested/$1: no line with '$2' in $out/log"
        failed=$((failed + 1))
    fi
}
expect auto-chooses-kvm '^candela: kvm: '
expect grub '^status grub 0'
expect exits-places '0 +[0-9.]+ (s|ms) +[0-9.]+ % +[0-9.]+ [mu]?s +[0-9.]+ % .* [1-9][0-9]* +[1-9]'
expect exits-reasons '^port +[1-9][0-9]* +[0-9]+ +[0-9.]+ [mun]?s'
expect exits-addresses '^vga +port 03[0-9a-f]+ +[0-9]+ +[1-9][0-9]*'
expect exits-way 'the shortest trip took +[0-9.]+ [mun]s'
expect exits-kernel '^exits +[1-9][0-9]* .*all exits'
expect lab '^status lab 0'
expect disk-1 '^status disk1 0'
expect disk-2 '^status disk2 0'
expect disk-contents '^disk same 1000'
expect one-processor '^processors 1'
expect two-processors '^processors 2'
expect switch '^status switch 0'
expect switch-contents '^switch disk same 1000'
expect switch-often '^switches [1-9][0-9]+, errors 0'
expect lock-step '^status check 0'
expect lock-step-contents '^check disk same 1000'
expect lock-step-million '^compared [1-9][0-9]{6}'
data=$(sed -n 's/^data //p' "$out/log")
expect net-down "^net got ${data:-none}"
expect net-up '^net back same'
expect net-status '^status net 0'
# per_tick ENGINE: exits for every 100 ticks and messages between processors; not those for ports,
# which are the firmware's and the serial line's.
per_tick()
{
    awk -v part="ticks-$1" '
        $1 == "part" { in_part = $2 == part }
        in_part && $1 == "ticks" { ticks = $2 + $4 }
        in_part && $1 == "exits" {
            sub(/"kernel".*/, "") # what the kernel serves itself
            gsub(/"(port|lock)": \{[^}]*/, "")
            gsub(/"ns": [0-9]*/, "")
            gsub(/[^0-9 ]/, "")
            for (n = 1; n <= NF; n++) exits += $n
        }
        END { print ticks ? int(100 * exits / ticks) : 0 }' "$out/log"
}
split=$(per_tick kvm) ours=$(per_tick kvm-user-apic)
echo "exits per 100 ticks: $split with the local APICs of the kernel, $ours with ours"
if [ "$split" -gt 0 ] && [ "$((split * 2))" -lt "$ours" ]; then
    echo "ok      nested/exits-per-tick"
    passed=$((passed + 1))
else
    echo "FAILED  nested/exits-per-tick: see $out/log"
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]

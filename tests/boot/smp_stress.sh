#!/bin/sh
# A long load on several processors: boots Debian's amd64 kernel with an initramfs that holds the
# host's stress-ng (apt-get install stress-ng busybox-static cpio), and lets it work with
# verification.  By hand, not part of any check: ten minutes are the least that says something.
#
# usage: smp_stress.sh [--candela PROGRAM] [--smp N] [--seconds N] [--out FOLDER] [STRESSOR...]
#
# Status 0: stress-ng found nothing wrong and the kernel has not complained.  The folder keeps the
# log of COM1.
set -eu
LC_ALL=C
export LC_ALL

candela=./candela smp=4 seconds=600 out=smp-stress
while [ $# -gt 0 ]; do
    case $1 in
    --candela | --smp | --seconds | --out)
        [ $# -gt 1 ] || exit 2
        eval "${1#--}=\$2"
        shift 2
        ;;
    --*)
        sed -n 's/^# usage: //p' "$0" >&2
        exit 2
        ;;
    *) break ;;
    esac
done
[ $# -gt 0 ] || set -- cpu vm fork switch futex mutex timer mmap tlb-shootdown atomic lockbus \
    cacheline membarrier sem pthread pipe signal mprotect

fail() { echo "smp_stress.sh: $*" >&2; exit 1; }

linux=/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux
stress=$(command -v stress-ng) || fail "stress-ng is missing: apt-get install stress-ng"
command -v cpio >/dev/null || fail "cpio is missing: apt-get install cpio"
[ -r /bin/busybox ] || fail "busybox is missing: apt-get install busybox-static"
[ -r $linux ] || fail "no kernel: apt-get install debian-installer-12-netboot-amd64"
mkdir -p "$out"
out=$(cd "$out" && pwd)
root=$out/root
rm -rf "$root"
for d in bin dev lib64 lib/x86_64-linux-gnu proc sys tmp; do
    mkdir -p "$root/$d"
done
cp /bin/busybox "$stress" "$root/bin/"
cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
ldd "$stress" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p' | while IFS= read -r library; do
    cp -L "$library" "$root/lib/x86_64-linux-gnu/"
done

args=
for s in "$@"; do
    args="$args --$s 2"
done
cat >"$root/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin LD_LIBRARY_PATH=/lib/x86_64-linux-gnu
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
cd /tmp
stress-ng $args --vm-bytes 32M --mmap-bytes 16M --verify --metrics-brief --timeout $seconds
echo "STRESS-STATUS \$?"
cat /proc/interrupts
poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc --quiet) >"$out/initrd.cpio"
rm -rf "$root"

"$candela" run -m 512M -smp "$smp" -kernel "$linux" -initrd "$out/initrd.cpio" \
    -append 'console=ttyS0' -serial stdio --max-time $((seconds * 2 + 120)) \
    >"$out/serial.log" 2>&1 ||
    fail "the run ended with status $?, see $out/serial.log"
rm -f "$out/initrd.cpio"
grep -q '^STRESS-STATUS 0' "$out/serial.log" || fail "stress-ng failed, see $out/serial.log"
if grep -E 'Oops|BUG:|WARNING:|soft lockup|detected stall|APIC error|nobody cared' \
    "$out/serial.log"; then
    fail "the kernel complained, see $out/serial.log"
fi
echo "passed: $seconds s on $smp processors"

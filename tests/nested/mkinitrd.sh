#!/bin/sh
# Makes the initramfs of the nested test: an outer system that loads KVM for AMD-V and runs Candela
# in it.  Usage: mkinitrd.sh CANDELA MODULES COMMANDS OUT [FILE...]
#
# MODULES is a folder with the kernel's modules (.../lib/modules/VERSION); COMMANDS, a shell script,
# is run as /commands once /dev/kvm is there, and its output comes on the serial line between the
# lines NESTED-BEGIN and NESTED-END; the files go to /files.
set -eu
LC_ALL=C
export LC_ALL

candela=$1 modules=$2 commands=$3 out=$4
shift 4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

root=$work/root
mkdir -p "$root/bin" "$root/dev" "$root/proc" "$root/sys" "$root/tmp" "$root/files" "$root/modules"
cp /bin/busybox "$root/bin/busybox"
/bin/busybox --list | while read -r tool; do
    [ "$tool" = busybox ] || ln -s busybox "$root/bin/$tool"
done
for name in irqbypass ccp kvm kvm-amd; do
    find "$modules" -name "$name.ko" -exec cp {} "$root/modules/" \;
done
cp "$candela" "$root/bin/candela"
# The program's libraries, at their own places.
ldd "$candela" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) .*/\1/p' | sort -u |
    while read -r lib; do
        mkdir -p "$root$(dirname "$lib")"
        cp -L "$lib" "$root$lib"
    done
for firmware in /usr/share/seabios/bios-256k.bin /usr/share/seabios/vgabios-stdvga.bin \
    /usr/lib/ipxe/ipxe.lkrn; do
    [ -f "$firmware" ] || continue
    mkdir -p "$root$(dirname "$firmware")"
    cp -L "$firmware" "$root$firmware"
done
for file; do
    cp -L "$file" "$root/files/"
done
cp "$commands" "$root/commands"
cat >"$root/init" <<'END'
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
ifconfig lo 127.0.0.1 up
for m in irqbypass ccp kvm kvm-amd; do
    [ ! -f /modules/$m.ko ] || insmod /modules/$m.ko
done
echo NESTED-BEGIN
sh /commands 2>&1
echo NESTED-END
poweroff -f
END
chmod +x "$root/init" "$root/commands"
(cd "$root" && find . | cpio -o -H newc --quiet) | gzip -1 >"$out"

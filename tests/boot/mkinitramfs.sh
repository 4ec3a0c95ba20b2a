#!/bin/sh
# Makes a small initramfs: busybox and a few links, one /init that says INIT-REACHED on ttyS0 and
# gives a shell there.  Usage: mkinitramfs.sh amd64|i386 OUTPUT [FOLDER]
#
# The folder's modules (*.ko, see mkata.sh) are loaded first, in the order of their names; what is
# in its folder root (see mknet.sh) is there, too.  A program named by run= on the kernel's command
# line runs before the shell.
#
# The archive is plain cpio "newc" and is written here byte for byte, so that the device nodes need
# no root and no cpio.  It is not compressed: unpacking would be part of what the benchmarks time.
# amd64 takes /bin/busybox of Debian's busybox-static; i386 takes busybox and its C library out of
# the Debian installer's own initrd (that needs cpio), so that no foreign architecture has to be
# enabled.
set -eu
LC_ALL=C
export LC_ALL

arch=${1:-} out=${2:-} modules=${3:-}
case $arch in
amd64 | i386) [ -n "$out" ] || arch= ;;
*) arch= ;;
esac
if [ -z "$arch" ]; then
    echo "usage: mkinitramfs.sh amd64|i386 OUTPUT [FOLDER]" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

fail() { echo "mkinitramfs.sh: $*" >&2; exit 1; }

# ------------------------------------------------------------------------------------------------
# The cpio writer.  A header is 13 eight-digit hexadecimal numbers after the magic; header and name
# together, and the data, are each filled up to a multiple of 4.

inode=0

# pad LENGTH: zero bytes up to the next multiple of 4.
pad()
{
    case $(($1 % 4)) in
    1) printf '\0\0\0' ;;
    2) printf '\0\0' ;;
    3) printf '\0' ;;
    esac
}

# entry NAME MODE SIZE MAJOR MINOR: header and name.
entry()
{
    inode=$((inode + 1))
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' \
        $inode $(($2)) 0 0 1 0 "$3" 0 0 "$4" "$5" $((${#1} + 1)) 0
    printf '%s\0' "$1"
    pad $((110 + ${#1} + 1))
}

add_dir()  { entry "$1" 0040755 0 0 0; }
add_node() { entry "$1" 0020600 0 "$2" "$3"; }
add_link() { entry "$1" 0120777 ${#2} 0 0; printf '%s' "$2"; pad ${#2}; }
add_file()
{
    size=$(($(wc -c <"$2")))
    entry "$1" 0100755 "$size" 0 0
    cat "$2"
    pad "$size"
}

# add_tree FOLDER: the folders and files in it, and links to busybox for all of its other programs.
add_tree()
{
    (cd "$1" && find . -mindepth 1 -type d | sort | sed 's/^..//') >"$work/list"
    while IFS= read -r path; do
        add_dir "$path"
    done <"$work/list"
    (cd "$1" && find . -type f | sort | sed 's/^..//') >"$work/list"
    while IFS= read -r path; do
        add_file "$path" "$1/$path"
    done <"$work/list"
    for applet in awk chmod cmp cp cut hostname id ifconfig kill ln mkdir mknod mv nc nsenter \
        nslookup ping ping6 rm rmmod route sed seq sort tftp tr udhcpc unshare wget; do
        add_link bin/$applet busybox
    done
    [ -f "$1/bin/ip" ] || add_link bin/ip busybox
}

# ------------------------------------------------------------------------------------------------

images=/usr/lib/debian-installer/images/12/i386/text/debian-installer/i386
if [ "$arch" = amd64 ]; then
    busybox=/bin/busybox
    [ -r $busybox ] || fail "$busybox is missing: apt-get install busybox-static"
else
    [ -r $images/initrd.gz ] ||
        fail "$images/initrd.gz is missing: apt-get install debian-installer-12-netboot-i386"
    command -v cpio >/dev/null || fail "cpio is missing: apt-get install cpio"
    gzip -dc $images/initrd.gz | (cd "$work" && cpio -id --quiet --no-absolute-filenames \
        bin/busybox lib/ld-linux.so.2 lib/i386-linux-gnu/ld-linux.so.2 \
        lib/i386-linux-gnu/libc.so.6 lib/i386-linux-gnu/libresolv.so.2)
    busybox=$work/bin/busybox
    [ -r "$busybox" ] || fail "there is no bin/busybox in $images/initrd.gz"
fi

cat >"$work/init" <<'END'
#!/bin/sh
# The first process of the boot tests.
export PATH=/bin PS1='lab# '
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
for module in /modules/*.ko; do
    [ ! -f "$module" ] || insmod "$module"
done
echo INIT-REACHED
$run
exec sh -i
END

{
    for d in bin dev proc sys tmp; do
        add_dir $d
    done
    # The kernel opens this one before /init can mount devtmpfs.
    add_node dev/console 5 1
    add_node dev/ttyS0 4 64
    add_file init "$work/init"
    add_file bin/busybox "$busybox"
    for applet in sh mount umount echo cat ls uname dmesg free date sleep poweroff reboot \
        sync grep dd md5sum ps wc head tail insmod; do
        add_link bin/$applet busybox
    done
    if [ -n "$modules" ] && [ -d "$modules/root" ]; then
        add_tree "$modules/root"
    fi
    if [ "$arch" = i386 ]; then
        add_dir lib
        add_dir lib/i386-linux-gnu
        for f in libc.so.6 ld-linux.so.2 libresolv.so.2; do
            add_file lib/i386-linux-gnu/$f "$work/lib/i386-linux-gnu/$f"
        done
        add_link lib/ld-linux.so.2 i386-linux-gnu/ld-linux.so.2
    fi
    if [ -n "$modules" ]; then
        add_dir modules
        for f in "$modules"/*.ko; do
            [ ! -f "$f" ] || add_file "modules/${f##*/}" "$f"
        done
    fi
    entry 'TRAILER!!!' 0 0 0 0
} >"$work/archive"
# Under its name only when complete.
cp "$work/archive" "$out.new"
mv "$out.new" "$out"

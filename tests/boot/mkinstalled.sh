#!/bin/sh
# Installs a Debian 12 system onto a disk image: partition table, ext4, GRUB, kernel, systemd, and
# the tools the tests use in it (fio, stress-ng, smartctl, hdparm, ...).  The installation runs
# here, with mmdebstrap, from the mirror this machine uses.
#
# usage: mkinstalled.sh amd64|i386 IMAGE
#
# IMAGE becomes a sparse raw image of 3 GiB (see mkdisk.sh).  It boots to a root shell on ttyS0 (a
# login without password) and has the programs of tests/boot/guest in it.  Its cards get their
# addresses by DHCP, from systemd-networkd; root may come in by ssh, without password.  Takes
# minutes and some 300 MB from the mirror ($MIRROR).  As root or, where user namespaces are allowed,
# as anybody.
set -eu
LC_ALL=C
export LC_ALL

arch=${1:-} image=${2:-}
case $arch in
amd64) kernel=linux-image-amd64 ;;
i386) kernel=linux-image-686-pae ;;
*) image= ;;
esac
if [ -z "$image" ]; then
    sed -n 's/^# usage: /usage: /p' "$0" >&2
    exit 2
fi
fail() { echo "mkinstalled.sh: $*" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work"

here=$(cd "$(dirname "$0")" && pwd)
part=$work/part.img

# ------------------------------------------------------------------------------------------------
# What differs from a fresh Debian: names, mounts, boot loader, a shell on the serial line.

cat >"$work/grub.cfg" <<'END'
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=1
menuentry 'Debian on Candela' {
    linux /vmlinuz root=/dev/sda1 ro console=ttyS0
    initrd /initrd.img
}
END
cat >"$work/grub.default" <<'END'
GRUB_TIMEOUT=1
GRUB_CMDLINE_LINUX="console=ttyS0"
GRUB_TERMINAL="serial console"
GRUB_SERIAL_COMMAND="serial --unit=0 --speed=115200"
GRUB_DISABLE_OS_PROBER=true
END
cat >"$work/autologin.conf" <<'END'
[Service]
ExecStart=
ExecStart=-/sbin/agetty --autologin root --keep-baud 115200 %I vt100
END
cat >"$work/wired.network" <<'END'
[Match]
Type=ether
[Network]
DHCP=yes
END
cat >"$work/sshd.conf" <<'END'
PermitRootLogin yes
PermitEmptyPasswords yes
UseDNS no
END
cat >"$work/setup.sh" <<END
set -e
echo lab >"\$1/etc/hostname"
echo '127.0.0.1 localhost lab' >"\$1/etc/hosts"
echo '/dev/sda1 / ext4 errors=remount-ro 0 1' >"\$1/etc/fstab"
printf 'PS1="lab# "\nexport PAGER=cat SYSTEMD_PAGER=cat TERM=dumb\n' >"\$1/root/.profile"
rm -f "\$1/root/.bashrc"
chroot "\$1" passwd -d root >/dev/null
d="\$1/etc/systemd/system/serial-getty@ttyS0.service.d"
mkdir -p "\$d" "\$1/boot/grub"
cp "$work/autologin.conf" "\$d/"
cp "$work/grub.cfg" "\$1/boot/grub/"
cp "$work/grub.default" "\$1/etc/default/grub"
cp "$here"/guest/* "\$1/usr/local/bin/"
cp "$work/wired.network" "\$1/etc/systemd/network/"
cp "$work/sshd.conf" "\$1/etc/ssh/sshd_config.d/lab.conf"
rm -f "\$1/etc/resolv.conf"
echo 'nameserver 10.0.2.3' >"\$1/etc/resolv.conf"
chroot "\$1" systemctl -q enable systemd-networkd
chroot "\$1" systemctl -q disable systemd-networkd-wait-online
# Without what is mounted in it.
mkdir "$work/mnt"
mount --bind "\$1" "$work/mnt"
mke2fs -q -t ext4 -L lab -d "$work/mnt" "$part" 3G
umount "$work/mnt"
END

mmdebstrap --quiet --variant=minbase --format=null --architectures=$arch \
    --include=$kernel,systemd-sysv,dbus,udev,kmod,procps,util-linux-extra,e2fsprogs,grub-pc \
    --include=fio,stress-ng,smartmontools,hdparm,eject,pciutils,fdutils,dosfstools \
    --include=iproute2,iputils-ping,openssh-server,ethtool,net-tools,tcpdump,iperf3,wget \
    --customize-hook="sh '$work/setup.sh' \"\$1\"" \
    bookworm /dev/null "${MIRROR:-http://deb.debian.org/debian}" >"$work/log" 2>&1 || {
    grep -v '^I:' "$work/log" | tail -30 >&2
    fail "mmdebstrap failed"
}
[ -s "$part" ] || fail "no file system was made"

sh "$here/mkdisk.sh" "$part" "$image"

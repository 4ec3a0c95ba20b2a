#!/bin/sh
# Runs the boot tests of boot.tbl (the format stands there), each under every engine.
#
# usage: run_boot.sh --candela PROGRAM --out FOLDER [--slow | --all] [--accel NAME,...]
#                    [--scale N] [--jobs N] [--table FILE] [--list] [NAME...]
#
# A test is a row and an engine (--accel: jit,interp), named ROW.ENGINE; NAME is that or a row,
# which means all of its tests.  The folder gets per test: NAME.serial (COM1), NAME.screen.txt (the
# screen at the end), NAME.log (messages).
# Prints one line per test and at the end "N passed, N failed, N skipped"; status 0 if none failed.
set -u
LC_ALL=C
export LC_ALL

here=$(cd "$(dirname "$0")" && pwd)
candela= out= which=fast accel=jit,interp jobs= list=no names=
scale=${CANDELA_TIME_SCALE:-1}
table=$here/boot.tbl
usage()
{
    sed -n 's/^# usage: //p; s/^#      *\[/    [/p' "$0" >&2
    exit 2
}
while [ $# -gt 0 ]; do
    case $1 in
    --candela | --out | --accel | --scale | --jobs | --table)
        [ $# -gt 1 ] || usage
        eval "${1#--}=\$2"
        shift
        ;;
    --slow) which=slow ;;
    --all) which=all ;;
    --list) list=yes ;;
    -*) usage ;;
    *) names="$names $1" ;;
    esac
    shift
done

# row NAME: the lines of one row, without comments and leading blanks.
row()
{
    awk -v name="$1" '
        /^#/ || /^[ \t]*$/ { next }
        $1 == "test" { in_row = $2 == name; next }
        in_row { sub(/^[ \t]+/, ""); print }' "$table"
}

# field NAME KEY: the values of a key, one a line.
field() { row "$1" | sed -n "s/^$2  *//p"; }

# Every test, and whether it is slow: "ROW.ENGINE no", a line each.
all_tests=$(for engine in $(printf '%s' "$accel" | tr , ' '); do
    awk -v engine="$engine" '
        function row_ends() {
            if (name != "" && (own == "" || index(own " ", " " engine " ")))
                print name "." engine, slow
            own = ""
            slow = "no"
        }
        /^#/ || /^[ \t]*$/ { next }
        $1 == "test" { row_ends(); name = $2 }
        $1 == "slow" && (NF == 1 || $2 == engine) { slow = "yes" }
        $1 == "engines" { own = $0 }
        END { row_ends() }' "$table"
done)
wanted=$names names=
for n in $wanted; do
    found=$(printf '%s\n' "$all_tests" | awk -v n="$n" '
        $1 == n || index($1, n ".") == 1 { print $1 }')
    if [ -z "$found" ]; then
        echo "run_boot.sh: no test '$n' under $accel in $table" >&2
        exit 2
    fi
    names="$names $(echo $found)"
done
if [ -z "$wanted" ]; then
    case $which in
    fast) kind=no ;;
    slow) kind=yes ;;
    *) kind=. ;;
    esac
    names=" $(printf '%s\n' "$all_tests" |
        awk -v kind="$kind" '$2 ~ kind { printf "%s ", $1 }')"
fi
if [ $list = yes ]; then
    printf '%s\n' $names
    exit 0
fi

[ -n "$candela" ] && [ -n "$out" ] || usage
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
if [ ! -x "$candela" ]; then
    echo "$candela is not there"
    echo "0 passed, 1 failed, 0 skipped"
    exit 1
fi
if [ -z "$jobs" ]; then
    # Two at a time where there is room: timers of a guest that gets half a core are no good test.
    jobs=1
    [ "$(nproc 2>/dev/null || echo 1)" -gt 1 ] && jobs=2
fi

# What the table may name.
grub=/usr/lib/grub-rescue
memtest=/usr/lib/memtest86+
installer=/usr/lib/debian-installer/images/12
linux_amd64=$installer/amd64/text/debian-installer/amd64/linux
linux_i386=$installer/i386/text/debian-installer/i386/linux
initrd_amd64=$out/initrd-amd64.cpio
initrd_i386=$out/initrd-i386.cpio
ata_linux=$out/ata/linux # Linux with IDE drivers: mkata.sh
ata_initrd=$out/initrd-ata.cpio
net_amd64=$out/initrd-net-amd64.cpio # with network tools: mknet.sh
net_i386=$out/initrd-net-i386.cpio
input_initrd=$out/initrd-input.cpio  # with drivers for mice: mkinput.sh
tun=/dev/net/tun
[ "$(id -u)" = 0 ] || tun=$tun-and-root # TAP interfaces are made and set up
lab_img=$(cd "$(dirname "$candela")" && pwd)/pc-bios/lab/lab.img
lab_md5=$(md5sum "$lab_img" 2>/dev/null | cut -d ' ' -f 1)

for a in amd64 i386; do
    rm -f "$out/initrd-$a.cpio"
    sh "$here/mkinitramfs.sh" $a "$out/initrd-$a.cpio" || echo "(no initramfs for $a)"
done

rm -f "$ata_initrd"
case " $names" in
*" linux-ide-"*)
    if ! sh "$here/mkata.sh" "$out/ata" ||
        ! sh "$here/mkinitramfs.sh" amd64 "$ata_initrd" "$out/ata"; then
        echo "(no kernel with IDE drivers)"
    fi
    ;;
esac

rm -f "$net_amd64" "$net_i386"
case " $names" in
*" net-"*)
    for a in amd64 i386; do
        if ! sh "$here/mknet.sh" $a "$out/net-$a" ||
            ! sh "$here/mkinitramfs.sh" $a "$out/initrd-net-$a.cpio" "$out/net-$a"; then
            echo "(no initramfs with network tools for $a)"
        fi
    done
    ;;
esac

rm -f "$input_initrd"
case " $names" in
*" input-"*)
    if ! sh "$here/mkinput.sh" "$out/input" ||
        ! sh "$here/mkinitramfs.sh" amd64 "$input_initrd" "$out/input"; then
        echo "(no initramfs with input drivers)"
    fi
    ;;
esac

for a in amd64 i386; do
    case " $names " in
    *" net-de4x5-$a."*)
        rm -rf "$out/initrd-de4x5-$a.cpio" "$out/de4x5-$a/root"
        if ! sh "$here/mkde4x5.sh" $a "$out/de4x5-$a" ||
            ! cp -r "$out/net-$a/root" "$out/de4x5-$a/" ||
            ! sh "$here/mkinitramfs.sh" $a "$out/initrd-de4x5-$a.cpio" "$out/de4x5-$a"; then
            echo "(no kernel with de4x5 for $a)"
        fi
        ;;
    esac
done

# ------------------------------------------------------------------------------------------------
# One test.

# What a test has is found by its $row in the table, and by its $name in the folder.

# Says the lines of the send rows on fd 3 as COM1 asks for them.  Only what came after the last
# match counts.
talk()
{
    seen=0
    field "$row" send | while IFS= read -r rule; do
        wait_for=${rule%% => *}
        until tail -c +$((seen + 1)) "$2" | grep -qF -e "$wait_for"; do
            [ -p "$out/$1.in" ] || exit 0  # the run is over
            sleep 0.2
        done
        seen=$(($(wc -c <"$2")))
        line=$(printf '%s\n' "${rule#* => }" | sed "s/\$port2/$port2/g; s/\$port/$port/g")
        printf '%s\r' "$line" >&3  # what Enter sends
    done
}

# Runs the commands of the host rows as COM1 asks for them.
attend()
{
    seen=0
    field "$row" host | while IFS= read -r rule; do
        wait_for=${rule%% => *}
        until tail -c +$((seen + 1)) "$2" | grep -qF -e "$wait_for"; do
            [ -p "$out/$1.in" ] || exit 0
            sleep 0.2
        done
        seen=$(($(wc -c <"$2")))
        (eval "${rule#* => }") >>"$out/$1.host" 2>&1 ||
            echo "failed: ${rule#* => }" >>"$out/$1.host"
    done
}

# verdict NAME STATUS: prints what is wrong, nothing if all is right.
verdict()
{
    want=$(field "$row" exit)
    [ "$2" = "${want:-0}" ] || case $2 in
    124 | 137) echo "did not end within the time limit, --max-time was not obeyed" ;;
    6) echo "exit status 6 (time is up), expected ${want:-0}" ;;
    7) echo "exit status 7 (an expected text did not come), expected ${want:-0}" ;;
    *) echo "exit status $2, expected ${want:-0}" ;;
    esac
    field "$row" serial | while IFS= read -r re; do
        # COM1 ends its lines with CR LF.
        tr -d '\r' <"$out/$1.serial" | grep -Eq -e "$re" || echo "COM1 has no line like: $re"
    done
    field "$row" never | while IFS= read -r re; do
        tr -d '\r' <"$out/$1.serial" | grep -E -e "$re" | sed 's/^/COM1 has a line it must not: /'
    done
    [ ! -f "$out/$1.host" ] || grep '^failed: ' "$out/$1.host"
    if [ "$2" = "${want:-0}" ]; then
        field "$row" after | while IFS= read -r words; do
            (eval "$words") >>"$out/$1.log" 2>&1 || echo "afterwards: $words failed"
        done
    fi
    field "$row" screen | while IFS= read -r re; do
        [ -f "$out/$1.screen.txt" ] && grep -Eq -e "$re" "$out/$1.screen.txt" ||
            echo "the screen has no line like: $re"
    done
}

# installed ARCH: the disk image with Debian 12 on it, made once per folder.
installed()
{
    (
        flock 9
        [ -s "$out/debian-$1.img" ] &&
            [ -z "$(find "$here/guest" "$here/mkinstalled.sh" -newer "$out/debian-$1.img")" ] ||
            sh "$here/mkinstalled.sh" "$1" "$out/debian-$1.img"
    ) 9>"$out/debian-$1.lock"
}

# echo_pipe PATH: named pipes for -serial pipe:PATH, whose other end sends back what it gets.
echo_pipe()
{
    rm -f "$1.in" "$1.out"
    mkfifo "$1.in" "$1.out"
    timeout 900 sh -c 'cat <"$1.out" >"$1.in"' sh "$1" >/dev/null 2>&1 &
}

# free_port: a TCP port nobody listens at.
free_port()
{
    while :; do
        number=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 10000))
        grep -qi ":$(printf %04X $number) " /proc/net/tcp /proc/net/tcp6 2>/dev/null || break
    done
    echo $number
}

# behind COMMAND...: in the background, until the row has ended.
behind()
{
    timeout 3600 "$@" </dev/null >/dev/null 2>&1 3>&- &
    echo $! >>"$out/$name.behind"
}

# second ARGUMENTS...: another machine, whose COM1 is $out/$name.second.  second_ended: it has ended
# by itself and in good order; waits for that.
second()
{
    rm -f "$out/$name.second" "$out/$name.second.status"
    behind sh -c 'status=$1; shift; "$@"; echo $? >"$status"' sh "$out/$name.second.status" \
        "$candela" run --accel "$accel" -display none -serial "file:$out/$name.second" \
        --max-time "$limit" "$@"
}
second_ended()
{
    tries=$((300 * scale))
    until [ -s "$out/$name.second.status" ]; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || { echo "the second machine runs on"; return 1; }
        sleep 0.2
    done
    status=$(cat "$out/$name.second.status")
    echo "the second machine ended with status $status"
    [ "$status" = 0 ]
}

# web MIB...: a web server at 127.0.0.1:$port with files of random bytes of these sizes, N.data, and
# their MD5 sums, N.sum.  It answers what is posted to cgi-bin/sum with the MD5 sum of it.
web()
{
    (
        flock 9
        mkdir -p "$out/web/cgi-bin"
        for mib in "$@"; do
            [ ! -s "$out/web/$mib.sum" ] || continue
            dd if=/dev/urandom of="$out/web/$mib.data" bs=1M count="$mib" status=none
            md5sum <"$out/web/$mib.data" | cut -c 1-32 >"$out/web/$mib.sum"
        done
        cat >"$out/web/cgi-bin/sum.new" <<'END'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
head -c "$CONTENT_LENGTH" | md5sum
END
        chmod +x "$out/web/cgi-bin/sum.new"
        mv "$out/web/cgi-bin/sum.new" "$out/web/cgi-bin/sum"
    ) 9>"$out/web.lock"
    behind busybox httpd -f -p "127.0.0.1:$port" -h "$out/web"
}

# repository: after web, a Debian repository on it with one package, lab-sample, of this run.
repository()
{
    to=$out/web/repository-$port
    mkdir -p "$to/sample/DEBIAN" "$to/sample/usr/share"
    echo "sample $port" >"$to/sample/usr/share/lab-sample"
    printf '%s\n' 'Package: lab-sample' 'Version: 1' 'Architecture: all' \
        'Maintainer: lab <root@localhost>' 'Description: a sample' >"$to/sample/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$to/sample" "$to/lab-sample.deb"
    {
        cat "$to/sample/DEBIAN/control"
        echo 'Filename: ./lab-sample.deb'
        echo "Size: $(stat -c %s "$to/lab-sample.deb")"
        echo "SHA256: $(sha256sum <"$to/lab-sample.deb" | cut -d ' ' -f 1)"
    } >"$to/Packages"
}

# by_ssh COMMAND: in the guest, as root, through the forwarded port $port2.
by_ssh()
{
    ssh -q -p "$port2" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o ConnectTimeout=60 -o BatchMode=no root@127.0.0.1 "$1"
}

# through_ssh: 8 MiB to the guest and back are the same; the guest finds their sum in /tmp/came.
through_ssh()
{
    by_ssh 'cat >/tmp/8.data' <"$out/web/8.data" &&
        [ "$(by_ssh 'cat /tmp/8.data' </dev/null | md5sum | cut -c 1-32)" = \
            "$(cat "$out/web/8.sum")" ] &&
        by_ssh 'md5sum </tmp/8.data >/tmp/came.new && mv /tmp/came.new /tmp/came' </dev/null
}

# monitor_pipe: the pipe for -monitor pipe:$out/$name.monitor, and who reads the answers; `monitor
# COMMAND` then tells the machine's monitor something; it does not wait for one that has ended.
monitor_pipe()
{
    rm -f "$out/$name.monitor.in" "$out/$name.monitor.out"
    mkfifo "$out/$name.monitor.in" "$out/$name.monitor.out"
    behind sh -c 'exec cat <"$1" >"$2"' sh "$out/$name.monitor.out" "$out/$name.monitor.said"
}
monitor() { echo "$*" 1<>"$out/$name.monitor.in"; }

# switching SECONDS ENGINE ENGINE: behind monitor_pipe, has the machine change its engine again and
# again.
switching()
{
    behind sh -c 'exec >"$4"
        while sleep "$1"; do echo "accel $2"; sleep "$1"; echo "accel $3"; done' \
        sh "$1" "$2" "$3" "$out/$name.monitor.in"
}

# tap_ask INTERFACE NETWORK: gives the interface the network's address .1 and talks to the guest,
# which is .2.
tap_ask()
{
    ip addr add "$2.1/24" dev "$1" && ip link set "$1" up &&
        busybox ping -c 3 -W 10 "$2.2" &&
        busybox ping -c 3 -W 10 -s 8000 "$2.2" &&
        [ "$(busybox nc "$2.2" 7002 </dev/null | md5sum | cut -c 1-32)" = \
            "$(busybox nc "$2.2" 7003 </dev/null)" ] &&
        [ "$(head -c 16M /dev/zero | busybox nc "$2.2" 7001 | cut -c 1-32)" = \
            "$(head -c 16M /dev/zero | md5sum | cut -c 1-32)" ] &&
        busybox nc "$2.2" 7009 </dev/null
}

# has_captured FILE FILTER N: tcpdump, if there is one, finds N frames or more in a capture.
has_captured()
{
    command -v tcpdump >/dev/null || return 0
    [ "$(tcpdump -n -r "$1" "$2" | wc -l)" -ge "$3" ]
}

# name_found: a name that this machine's resolver knows, or "-".
name_found()
{
    for word in deb.debian.org localhost; do
        if timeout 5 busybox nslookup "$word" 2>/dev/null | grep -q '^Name:'; then
            echo "$word"
            return
        fi
    done
    echo -
}

# to_vhd IMAGE VHD: a dynamic VHD with the same contents.
to_vhd()
{
    rm -f "$2"
    "$candela" disk convert -q "$1" "$2" --format vhd --type dynamic
}

# sound_vhd VHD: the image is sound, qemu-img reads from it what we read, and the file system of its
# first partition is clean.
sound_vhd()
{
    rm -f "$1.raw"
    "$candela" disk check -q "$1" && "$candela" disk convert -q "$1" "$1.raw" --format raw &&
        qemu-img compare -q -f vpc -F raw "$1" "$1.raw" &&
        /sbin/e2fsck -fn "$1.raw?offset=1048576" >/dev/null
    result=$?
    rm -f "$1.raw"
    return $result
}

# linked_clone IMAGE: a library of the test's own, whose machine Old has the disk image, and a
# linked clone of it, Try.  $try: its key file.  clone_sound: Try's disk is, with a clean file
# system, and nothing has changed on the disk below.
linked_clone()
{
    rm -rf "$out/$name.lib"
    mkdir -p "$out/$name.lib" && to_vhd "$1" "$out/$name.lib/base.vhd" &&
        XDG_DATA_HOME=$out/$name.lib "$candela" create -q Old hda="$out/$name.lib/base.vhd" &&
        XDG_DATA_HOME=$out/$name.lib "$candela" clone -q Old Try --linked &&
        md5sum "$out/$name.lib/base.vhd" >"$out/$name.lib/base.md5"
}
clone_sound()
{
    "$candela" disk check -q "${try%/*}/base.vhd" &&
        "$candela" disk convert -q "${try%/*}/base.vhd" "$out/$name.lib/raw" --format raw &&
        /sbin/e2fsck -fn "$out/$name.lib/raw?offset=1048576" >/dev/null &&
        md5sum --status -c "$out/$name.lib/base.md5"
}

# small_disk IMAGE: GRUB, the Debian installer's amd64 kernel and the small initramfs on a disk.
small_disk()
{
    rm -rf "$1.d" && mkdir -p "$1.d/boot/grub" &&
        cp "$linux_amd64" "$initrd_amd64" "$1.d/boot" &&
        printf '%s\n' 'set timeout=0' 'menuentry lab {' \
            "linux /boot/linux console=ttyS0" 'initrd /boot/initrd-amd64.cpio' '}' \
            >"$1.d/boot/grub/grub.cfg" &&
        rm -f "$1.part" && /sbin/mke2fs -q -t ext2 -d "$1.d" "$1.part" 40M &&
        sh "$here/mkdisk.sh" "$1.part" "$1"
    result=$?
    rm -rf "$1.d" "$1.part"
    return $result
}

# tftp_linux FOLDER: what iPXE boots by TFTP: a script, the Debian installer's amd64 kernel and the
# small initramfs.
tftp_linux()
{
    rm -rf "$1" && mkdir "$1" && ln -s "$linux_amd64" "$1/linux" &&
        ln -s "$initrd_amd64" "$1/initrd" &&
        printf '%s\n' '#!ipxe' 'echo script-42' 'kernel linux console=ttyS0 by=${filename}' \
            'initrd initrd' boot >"$1/boot.ipxe"
}

# pxelinux_installer FOLDER: the Debian installer's netboot folder, set to talk on COM1.
pxelinux_installer()
{
    rm -rf "$1" && mkdir -p "$1/pxelinux.cfg" &&
        ln -s "$installer/amd64/text/debian-installer" "$1" &&
        cp -L "$installer/amd64/text/pxelinux.0" "$installer/amd64/text/ldlinux.c32" "$1" &&
        printf '%s\n' 'DEFAULT install' 'LABEL install' 'KERNEL debian-installer/amd64/linux' \
            'APPEND console=ttyS0 initrd=debian-installer/amd64/initrd.gz' \
            >"$1/pxelinux.cfg/default"
}

# make_sector HEX FILE: a disk image with this boot sector.
make_sector()
{
    for byte in $1; do
        printf "\\$(printf %03o "0x$byte")"
    done >"$2"
    truncate -s 510 "$2"
    printf '\125\252' >>"$2"
    truncate -s 1440K "$2"
}

tail_of()
{
    [ -s "$1" ] || return
    printf '    -- %s:\n' "$2"
    tr -d '\r\033' <"$1" | grep -v '^ *$' | tail -n "$3" | sed 's/^/    | /'
}

# end_behind: ends what the row's functions started.
end_behind()
{
    [ -f "$out/$name.behind" ] || return 0
    kill $(cat "$out/$name.behind") 2>/dev/null
    rm -f "$out/$name.behind"
}

# run_one NAME: appends pass, fail or skip to the counts and prints the report in one piece.
run_one()
{
    name=$1 row=${1%.*} accel=${1##*.}
    for f in $(field "$row" needs); do
        f=$(eval "printf %s \"$f\"")
        if [ ! -r "$f" ]; then
            echo skip >>"$out/counts"
            printf 'SKIP  %s: %s is missing (./configure --install-deps)\n' "$name" "$f"
            return
        fi
    done
    limit=$(field "$row" limit)
    limit=$((limit * scale))
    command=$(field "$row" command)
    command=${command:-run}
    for f in serial screen.txt log in host behind; do
        rm -f "$out/$name.$f"
    done
    : >"$out/$name.serial"
    sector=$(field "$row" sector)
    if [ -n "$sector" ]; then
        make_sector "$sector" "$out/$name.img"
        sector=$out/$name.img
    fi
    try=$out/$name.lib/candela/machines/Try/machine.cvm
    port= port2=
    if row "$row" | grep -q '\$port'; then
        port=$(free_port) port2=$port
        while [ "$port2" = "$port" ]; do
            port2=$(free_port)
        done
    fi
    # The table is ours, so its arguments may be evaluated.
    eval "set -- $(field "$row" args | tr '\n' ' ')"
    if [ "$command" = run ]; then
        set -- -display none -serial stdio --screen "$out/$name.screen.txt" --max-time "$limit" "$@"
    fi
    set -- --accel "$accel" "$@"
    field "$row" prepare >"$out/$name.prepare"
    if ! (set -e; . "$out/$name.prepare") >"$out/$name.log" 2>&1; then
        end_behind
        echo fail >>"$out/counts"
        printf 'FAIL  %s: its disk could not be made\n' "$name"
        tail_of "$out/$name.log" messages 12
        return
    fi
    start=$(date +%s)
    # COM1's input stays open until the end.  Opening for both directions does not block.
    mkfifo "$out/$name.in" || return
    exec 3<>"$out/$name.in"
    talk "$name" "$out/$name.serial" &
    talker=$!
    attend "$name" "$out/$name.serial" 3>&- &
    attendant=$!
    # In the background, so that a signal is served at once (see the trap below).
    timeout -k 5 $((limit + 15)) "$candela" "$command" "$@" \
        <"$out/$name.in" >"$out/$name.serial" 2>"$out/$name.log" 3>&- &
    runner=$!
    wait $runner
    status=$?
    runner=
    exec 3>&-
    rm -f "$out/$name.in"
    wait $talker $attendant
    seconds=$(($(date +%s) - start))

    if [ "$status" = 4 ] && [ "$(field "$row" exit)" != 4 ]; then # no such accelerator here
        end_behind
        echo skip >>"$out/counts"
        printf 'SKIP  %s: %s\n' "$name" "$(sed -n '/--accel/{s/^candela: //p;q;}' "$out/$name.log")"
        return
    fi
    wrong=$(verdict "$name" $status)
    end_behind
    if [ -z "$wrong" ]; then
        echo pass >>"$out/counts"
        printf 'PASS  %s (%d s)\n' "$name" $seconds
        return
    fi
    echo fail >>"$out/counts"
    {
        printf 'FAIL  %s (%d s)\n' "$name" $seconds
        printf '%s\n' "$wrong" | sed 's/^/    /'
        tail_of "$out/$name.log" messages 12
        tail_of "$out/$name.host" 'host commands' 12
        tail_of "$out/$name.serial" COM1 12
        tail_of "$out/$name.screen.txt" screen 25
        printf '    -- run again: %s --candela %s --out %s %s\n' "$0" "$candela" "$out" "$name"
    } >"$out/$name.report"
    cat "$out/$name.report"
}

# ------------------------------------------------------------------------------------------------

# next_test: takes a name from the queue.
next_test()
{
    (
        flock 9
        sed -n 1p "$out/queue"
        sed -i 1d "$out/queue"
    ) 9>"$out/queue.lock"
}

rm -f "$out/counts"
: >"$out/counts"
printf '%s\n' $names >"$out/queue"
worker=0 workers= runner=
trap 'kill $workers; wait; exit 1' INT TERM HUP
while [ $worker -lt "$jobs" ]; do
    (
        # When stopped, nothing stays behind: timeout passes the signal on.
        trap '[ -z "$runner" ] || kill $runner; end_behind; rm -f "$out"/*.in; exit 1' TERM
        while n=$(next_test) && [ -n "$n" ]; do
            run_one "$n"
        done
    ) &
    workers="$workers $!"
    worker=$((worker + 1))
done
wait

pass=$(grep -c pass "$out/counts")
fail=$(grep -c fail "$out/counts")
skip=$(grep -c skip "$out/counts")
lost=$(($(echo $names | wc -w) - pass - fail - skip))
printf '%d passed, %d failed, %d skipped\n' "$pass" $((fail + lost)) "$skip"
[ $((fail + lost)) = 0 ]

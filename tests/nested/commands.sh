#!/bin/sh
# In the outer system (see nested.sh): what Candela is run for, under KVM on AMD-V.  Each part says
# "part NAME" and its exit status; what the guests say stands between.
cd /tmp || exit 1
# nested.sh says why there is something to read.
stty -echo </dev/console
cat </dev/console >/dev/null &

# part NAME OPTIONS...; $engine runs it.
engine=kvm
seconds=$((200 * ${CANDELA_TIME_SCALE:-1})) # for most
part()
{
    name=$1
    shift
    echo "part $name"
    candela "$@" --accel $engine -display none --stats "/tmp/$name.json" </dev/null
    echo "status $name $?"
    sed -n 's/.*"reasons": {\(.*\)}}.*/exits \1/p' "/tmp/$name.json"
}

part grub run -cdrom /files/grub-rescue-cdrom.iso --expect 'GNU GRUB' --max-time 60
candela run -cdrom /files/grub-rescue-cdrom.iso -display none --max-time 1
# What left the guest, as the monitor shows it.
(sleep 20; echo 'info exits -a'; sleep 3; echo quit) |
    candela run --accel kvm -cdrom /files/grub-rescue-cdrom.iso -display none -monitor stdio
part lab demo
for n in 1 2; do
    dd if=/dev/zero of=/tmp/disk.img bs=1M count=80 2>/dev/null
    part "disk$n" run -m 256M -smp $n -kernel /files/linux-ata -initrd /files/ata.cpio \
        -append 'console=ttyS0 quiet run=/bin/nested-disk' -nic none --max-time $seconds \
        -serial stdio -drive file=/tmp/disk.img,format=raw
done
# From engine to engine all the time, and the disk as it should be.  Commands come from stdin.
dd if=/dev/zero of=/tmp/disk.img bs=1M count=80 2>/dev/null
change()
{
    echo "accel $1"
    sleep "$2"
}
monitored()
{
    name=$1
    shift
    echo "part $name"
    candela run --accel kvm -m 256M -kernel /files/linux-ata -initrd /files/ata.cpio -nic none \
        -display none -serial "file:/tmp/$name.com" -drive file=/tmp/disk.img,format=raw \
        -monitor stdio "$@" >"/tmp/$name.mon" 2>&1
    echo "status $name $?"
    sed -n "s/^disk/$name disk/p; s/^processors/$name processors/p" "/tmp/$name.com"
}
(while sleep 1; do change interp 0.3; change kvm 1; change jit 0.3; change kvm 0; done) |
    monitored switch -smp 2 -append 'console=ttyS0 quiet run=/bin/nested-disk' \
        --max-time $((2 * seconds))
changes=$(grep -o '(candela)' /tmp/switch.mon | wc -l)
echo "switches $changes, errors $(grep -c error /tmp/switch.mon)"
# A million instructions of Linux in lock-step with the interpreter, in pieces from its first
# 64-bit code on: the machine's clock goes on meanwhile, and ever more of them are ticks.
compared()
{
    sed -n 's/.*check: \([0-9]*\) instructions, \([0-9.]*\) %.*/\1 \2/p' /tmp/check.mon |
        awk '{ n += $1 * $2 / 100 } END { printf "%d\n", n }'
}
rm -f /tmp/check.mon
(
    until grep -q 64-bit /tmp/check.mon; do echo 'info registers'; sleep 0.2; done 2>/dev/null
    for turn in $(seq 40); do
        [ "$(compared)" -ge 1000000 ] || { change check:kvm,interp 15; change kvm 0.3; }
    done
    while sleep 1; do echo; done # until it ends
) | monitored check -append 'console=ttyS0 quiet run=/bin/nested-disk' \
    --max-time $((4 * seconds))
echo "compared $(compared)"
# What a tick costs, with the kernel's local APICs and with ours.
for engine in kvm-user-apic kvm; do
    part "ticks-$engine" run -m 256M -smp 2 -kernel /files/linux-ata -initrd /files/ata.cpio \
        -append 'console=ttyS0 quiet run=/bin/nested-ticks' -nic none --max-time $seconds \
        -serial stdio
done
mkdir -p /tmp/web
# An exit of the inner guest takes a millisecond or two here, a frame several exits.
dd if=/dev/urandom of=/tmp/web/4.data bs=1M count=4 2>/dev/null
httpd -p 127.0.0.1:8080 -h /tmp/web
(sleep $((4 * seconds)) | nc -l -p 8081 >/tmp/back) & # an end of its input would end it
echo "data $(md5sum </tmp/web/4.data | sed 's/ .*//')"
part net run -m 256M -smp 2 -kernel /files/linux -initrd /files/net.cpio -serial stdio \
    -append 'console=ttyS0 quiet run=/bin/nested-net' -nic user --max-time $((2 * seconds))
cmp /tmp/back /tmp/web/4.data && echo "net back same"

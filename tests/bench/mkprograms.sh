#!/bin/sh
# What the benchmark of real programs needs in the guest's initramfs (see mkinitramfs.sh,
# guest/bench-programs): Debian's compiler, python3, gzip, xz and openssl of this machine, each with
# its libraries under the names they look for, and what they work on.
#
# usage: mkprograms.sh FOLDER
#
# FOLDER/root is made new; FOLDER/root/data is what bench-programs takes, here as well as there.
# Not there: a program that this machine lacks; its name is left out of FOLDER/names.
set -eu
LC_ALL=C
export LC_ALL

out=${1:?usage: mkprograms.sh FOLDER}
top=$(cd "$(dirname "$0")/../.." && pwd)
rm -rf "$out"
mkdir -p "$out/root/usr/bin" "$out/root/data"
out=$(cd "$out" && pwd)
data=$out/root/data
names=

# libraries PROGRAM
libraries()
{
    ldd "$1" | sed -n 's/.*[ \t]\(\/[^ ]*\) (.*/\1/p;s/^[ \t]*\(\/[^ ]*\) (.*/\1/p' |
        while IFS= read -r library; do
            [ ! -f "$out/root$library" ] || continue
            mkdir -p "$out/root${library%/*}" && cp -L "$library" "$out/root$library" || exit 1
        done
}

# program NAME FILE: FILE, which is there under the same name; adds NAME to the list.
program()
{
    [ -x "$2" ] || return 0
    cp -L "$2" "$out/root$2"
    libraries "$2"
    names="$names $1"
}

# Three of our own sources, preprocessed: 1.5 MB.
cc1=$(${CC:-gcc} -print-prog-name=cc1 2>/dev/null || :)
if [ -x "$cc1" ]; then
    cp -L "$cc1" "$data/cc1"
    libraries "$cc1"
    for source in cpu/op_bit hw/fdc hw/ide; do
        # shellcheck disable=SC2046 # words
        gcc -E -P -O2 -std=gnu11 -pthread -I"$top" $(pkg-config --cflags glib-2.0) \
            "$top/$source.c" -o "$data/${source##*/}.i"
    done
    names=cc1
fi

# The modules that are imported before the first line of a script.
if [ -x /usr/bin/python3 ]; then
    program python /usr/bin/python3
    /usr/bin/python3 -I -S -c 'import sys
for module in list(sys.modules.values()):
    if getattr(module, "__file__", None): print(module.__file__)' >"$out/modules"
    while IFS= read -r file; do
        to=$data/python${file#/usr}
        mkdir -p "${to%/*}" && cp "$file" "$to"
    done <"$out/modules"
    # What else a computed prefix is recognised by.
    mkdir -p "$(dirname "$(find "$data/python" -name io.py | head -n 1)")/lib-dynload"
    cp "$top/tests/bench/guest/loop.py" "$data"
fi

program gzip /usr/bin/gzip
program xz /usr/bin/xz
program openssl /usr/bin/openssl
cp "$top/tests/bench/guest/bench-programs" "$data"
# 2^2203 - 1, one of Mersenne's, in hexadecimal.
printf '7%0550d\n' 0 | tr 0 f >"$data/prime"
find "$out/root" -type f ! -path "$data/*.i" | sort | tr '\n' '\0' | xargs -0 cat 2>/dev/null |
    head -c 7000000 >"$out/binary"
mv "$out/binary" "$data"
echo "$names ash forkexec pipe" >"$out/names"

#!/bin/sh
# Rule 1 of docs/architecture.md: no writable globals or statics.
# Usage, in the source folder: globals.sh OBJDIR
#
# Looks at the compiled objects, so that no macro or function-local static escapes.  Constants that
# need relocation (.data.rel.ro) are read-only once the program runs.  Exceptions stand in
# globals.allow.
set -u
allow=$(dirname "$0")/globals.allow
objdir=$1

# Objects of files that are gone stay in the folder; only those with a source count.
objects=$(find "$objdir" -name '*.o' ! -path "$objdir/tests/*" | sort | while IFS= read -r o; do
    s=${o#"$objdir"/}
    s=${s%.o}
    if [ -f "$s.c" ] || [ -f "$s.S" ]; then
        printf '%s\n' "$o"
    fi
done)
[ -n "$objects" ] || { echo "warning: no objects in $objdir"; exit 0; }

# objdump -t: value, flags (7 characters, may hold blanks), section, size, name; a tab after the
# section.
objdump -t $objects | awk -v top="$objdir/" -v allow="$allow" '
    BEGIN {
        while ((getline line < allow) > 0)
            if (line !~ /^#/ && line != "")
                allowed[line] = 1
    }
    /:     file format / {
        file = $1
        sub(/:$/, "", file)
        sub(top, "", file)
    }
    /^[0-9a-f]+ / {
        split($0, half, "\t")
        split(substr(half[1], 26), s, " ")
        split(half[2], r, " ")
        section = s[1]
        flags = substr(half[1], 18, 7)
        name = r[2]
        if (r[2] == ".hidden" || r[2] == ".protected")
            name = r[3]
        if (flags ~ /[dfF]/ || name == section || r[1] ~ /^0+$/)
            next
        if (section !~ /^(\.data|\.bss|\.tdata|\.tbss|\.sdata|\.sbss|\.ldata|\.lbss)(\.|$)/ &&
            section != "*COM*")
            next
        if (section ~ /^\.data\.rel\.ro/)
            next
        # static variables of functions get a number after the name
        plain = name
        sub(/\.[0-9]+$/, "", plain)
        if (!((file " " plain) in allowed))
            printf "%s: writable global \"%s\" in %s\n", file, plain, section
    }'

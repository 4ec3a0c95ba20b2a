# Who may include whom: the table of docs/architecture.md, section 2.
# Paths in #include "..." start at the top folder.

BEGIN {
    # layer -> the folders it may include, by prefix
    may["hw/core"] = "hw/core/"
    may["vhd"] = "hw/core/ vhd/"
    may["cpu"] = "hw/core/ cpu/"
    may["hw/hyperv"] = "hw/core/ hw/hyperv/"
    may["hw"] = "hw/"
    may["accel"] = "hw/core/ cpu/ accel/"
    may["ui"] = "hw/ cpu/ accel/ vhd/ ui/ config.h"
    may["tests"] = "pc-bios/modes/pattern.h hw/ cpu/ accel/ vhd/ ui/ tests/ config.h"

    # <...> headers of libraries that only one place may know; everything else gets there by a
    # contract
    only["SDL"] = "ui/sdl"
    only["cairo"] = "ui/"
    only["pango"] = "ui/"
    only["slirp/"] = "ui/"
    only["capstone"] = "ui/ tests/"
    only["png.h"] = "ui/ tests/"
    only["json-glib/"] = "ui/ tests/"
    only["gio/"] = "ui/ hw/core/ tests/"
    only["linux/kvm.h"] = "accel/kvm tests/"
    only["criterion/"] = "tests/"
}

FNR == 1 {
    split(FILENAME, part, "/")
    layer = part[1]
    if ((layer "/" part[2]) in may)
        layer = layer "/" part[2]
}

# starts(text, list): does text start with one of the words in list?
function starts(text, list,    n, w, i)
{
    n = split(list, w, " ")
    for (i = 1; i <= n; i++)
        if (index(text, w[i]) == 1)
            return 1
    return 0
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, q, "\"")
    file = q[2]
    if (file != "config.h" && file !~ /\//)
        printf "%s:%d: \"%s\" does not start at the top folder\n", FILENAME, FNR, file
    else if (!starts(file, may[layer]))
        printf "%s:%d: %s must not include \"%s\"\n", FILENAME, FNR, layer, file
}

/^[ \t]*#[ \t]*include[ \t]*</ {
    split($0, q, /[<>]/)
    for (lib in only)
        if (index(q[2], lib) == 1 && !starts(FILENAME, only[lib]))
            printf "%s:%d: <%s> belongs in %s only\n", FILENAME, FNR, q[2], only[lib]
}

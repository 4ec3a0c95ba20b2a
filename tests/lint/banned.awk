# Calls that production code does not make, and why.  Comments and strings are taken out first.

BEGIN {
    why["malloc"] = why["calloc"] = why["realloc"] = "g_new, g_malloc; g_try_malloc if large"
    why["sprintf"] = why["vsprintf"] = "g_snprintf or GString"
    why["strcpy"] = why["strcat"] = why["gets"] = "g_strlcpy, g_strlcat or GString"
    why["usleep"] = why["sleep"] = "timers and conditions; nothing sleeps blindly"
    why["exit"] = why["_exit"] = why["abort"] = "report an error; only ui/main.c ends the process"
    why["assert"] = "g_assert, for internal facts only"
    why["printf"] = why["puts"] = why["putchar"] = "trace() or a GError; only ui/ talks to people"
    why["g_print"] = why["g_printerr"] = why["printf"]
}

FNR == 1 { in_comment = 0 }

# code(line): the line without comments, strings and character constants.
function code(line,    out, two)
{
    out = ""
    while (line != "") {
        two = substr(line, 1, 2)
        if (in_comment) {
            if (!match(line, /\*\//))
                return out
            line = substr(line, RSTART + 2)
            in_comment = 0
        } else if (two == "/*") {
            in_comment = 1
            line = substr(line, 3)
        } else if (two == "//") {
            return out
        } else if (match(line, /^"([^"\\]|\\.)*"/) || match(line, /^'([^'\\]|\\.)+'/)) {
            out = out "\"\""
            line = substr(line, RLENGTH + 1)
        } else if (match(line, /^[^\/"']+/)) {
            out = out substr(line, 1, RLENGTH)
            line = substr(line, RLENGTH + 1)
        } else {
            out = out substr(line, 1, 1)
            line = substr(line, 2)
        }
    }
    return out
}

{
    text = code($0)
    if (text ~ /^typedef (struct|union|enum)/)
        printf "%s:%d: no typedef for structs, unions and enums\n", FILENAME, FNR
    # each name that is followed by a parenthesis and is no member (x.exit(), x->exit())
    while (match(text, /[A-Za-z_][A-Za-z0-9_]*[ \t]*\(/)) {
        name = substr(text, RSTART, RLENGTH - 1)
        sub(/[ \t]+$/, "", name)
        before = RSTART > 1 ? substr(text, RSTART - 1, 1) : ""
        text = substr(text, RSTART + RLENGTH)
        if (!(name in why) || before == "." || before == ">")
            continue
        if (FILENAME == "ui/main.c" && name ~ /^(_?exit|abort)$/)
            continue
        if (FILENAME ~ /^ui\// && name ~ /^(printf|puts|putchar|g_print|g_printerr)$/)
            continue
        printf "%s:%d: %s() is not used here: %s\n", FILENAME, FNR, name, why[name]
    }
}

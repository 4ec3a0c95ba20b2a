# Functions fit a screen: more than 60 lines is a warning, more than 120 (a register switch) fails.
# A .c file stays under 800 lines; tables belong in .inc files, which may be longer.  A function
# starts with "{" alone in the first column (the project's brace style) and ends with "}" there.

function end_of_file()
{
    if (last_file ~ /\.c$/ && last_line > 800)
        printf "%s:%d: the file has more than 800 lines\n", last_file, last_line
}

FNR == 1 {
    end_of_file()
    start = 0
    name = ""
}

/^[A-Za-z_].*\(/ {
    name = $0
    sub(/\(.*/, "", name)
    sub(/.*[ *]/, "", name)
}

/^\{$/ { start = FNR }

/^\}/ {
    if (start) {
        lines = FNR - start + 1
        if (lines > 120)
            printf "%s:%d: %s has %d lines (120 at most)\n", FILENAME, start, name, lines
        else if (lines > 60 && FILENAME !~ /^tests\//)
            printf "warning: %s:%d: %s has %d lines\n", FILENAME, start, name, lines
    }
    start = 0
}

{
    last_file = FILENAME
    last_line = FNR
}

END { end_of_file() }

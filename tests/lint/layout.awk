# Tabs, blanks at line ends, lines over 100 columns, DOS line ends, TODOs without an issue.

FNR == 1 { is_c = FILENAME ~ /\.(c|h|inc|S)$/ }

{
    if (is_c && /\t/)
        printf "%s:%d: tab\n", FILENAME, FNR
    if (/\r$/)
        printf "%s:%d: DOS line end\n", FILENAME, FNR
    else if (/[ \t]$/)
        printf "%s:%d: blank at the end of the line\n", FILENAME, FNR
    line = $0
    gsub(/[\200-\277]/, "", line)  # the second and further bytes of a UTF-8 character
    if (length(line) > 100)
        printf "%s:%d: %d columns (100 at most)\n", FILENAME, FNR, length(line)
    if (is_c && /TODO/ && $0 !~ /#[0-9]+/)
        printf "%s:%d: a TODO names an issue (#N)\n", FILENAME, FNR
}

# A file starts with a comment that says what it is.  In hw/, cpu/, accel/ and vhd/ the comment also
# says what is "Not modelled" (people search for the words, so they are always these).

function finish()
{
    if (file == "")
        return
    if (!starts)
        printf "%s:1: does not start with a comment\n", file
    else if (file !~ /^ui\// && !says)
        printf "%s:1: the first comment does not say what is \"Not modelled\"\n", file
}

FNR == 1 {
    finish()
    file = FILENAME
    starts = /^\/\*/
    inside = starts
    says = 0
}

inside {
    text = text " " $0
    if (/\*\//) {
        inside = 0
        # the two words may stand on two lines
        gsub(/[ \t*]+/, " ", text)
        says = text ~ /[Nn]ot modelled/
        text = ""
    }
}

END { finish() }

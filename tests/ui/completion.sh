#!/bin/bash
# The completion for bash, as bash calls it: completion.sh CANDELA COMPLETIONS.  Prints what is
# wrong; no line: all is well.
set -u
PATH=$(cd "$(dirname "$1")" && pwd):$PATH
# shellcheck source=/dev/null
. "$2/candela.bash" || exit 1
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
mkdir disks
touch a.vhd b.VHD cd.iso notes.txt 'disks/with blank.vhd' pocket.vfd

# compopt works only while bash completes.
options=
compopt() { [[ $2 == nosort ]] || options+=" $2"; }

# expect LINE WORD...: what is offered at the end of the line, and then the options in brackets.
expect()
{
    local line=$1 rest=$1 got word pattern='^([=:]+|[^=:[:blank:]]+)'
    shift
    COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=() COMPREPLY=() options=
    while [[ $rest ]]; do
        if [[ $rest =~ $pattern ]]; then
            COMP_WORDS+=("${BASH_REMATCH[0]}")
            rest=${rest#"${BASH_REMATCH[0]}"}
        else
            rest=${rest:1}
        fi
    done
    [[ $line == *[=:[:blank:]] ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _candela
    got=$(printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | tr '\n' '|')[${options# }]
    word=$(printf '%s|' "$@")
    word=${word%|}
    [[ $got == "$word" ]] || printf '"%s": %s instead of %s\n' "$line" "$got" "$word"
}

expect 'candela dis' disk '[]'
expect 'candela  run  --mem' --memory '[]'
expect 'candela run --accel i' interp '[]'
expect 'candela run --accel=i' interp '[]'
expect 'candela run -accel check:j' jit,interp '[]'
expect 'candela run -drive fi' file= '[nospace]'
expect 'candela run -drive file=a.vhd,if=' floppy ide '[]'
expect 'candela run -hda ' a.vhd b.VHD disks '[filenames]'
expect 'candela run -hda=a' a.vhd '[filenames]'
expect 'candela run -hda disks/' 'disks/with blank.vhd' '[filenames]'
expect 'candela run -hda n' notes.txt '[filenames]'
expect 'candela run -cdrom ' cd.iso disks '[filenames]'
expect 'candela run -drive if=floppy,file=po' pocket.vfd '[filenames]'
expect 'candela run -serial file:no' notes.txt '[filenames]'
expect 'candela run -nic user,tftp=' disks '[filenames]'
expect 'candela disk info ' a.vhd b.VHD disks '[filenames]'
expect 'candela nosuch ' '' '[]'

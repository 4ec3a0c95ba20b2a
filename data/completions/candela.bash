# bash completion for candela.  The words come from the program itself (`candela __complete`, see
# ui/complete.h); here they are put into bash's terms.

# Names of files with one of these endings ("*": any), or of folders; where there is none that ends
# so, any will do.
_candela_files()
{
    local kind=$1 endings=$2 before=$3 begun=$4 file ending all=()

    compopt -o filenames +o nosort
    while IFS= read -r file; do
        ending=${file##*.}
        if [[ -d ${file/#\~\//"$HOME/"} ]] ||
            [[ $kind == :files && ($endings == '*' || " $endings " == *" ${ending,,} "*) ]]; then
            COMPREPLY+=("$before$file")
        fi
        all+=("$before$file")
    done < <(compgen -f -- "$begun")
    if [[ $kind == :files && ${#COMPREPLY[@]} == 0 ]]; then
        COMPREPLY=("${all[@]}")
    fi
}

_candela()
{
    local line=${COMP_LINE:0:COMP_POINT} words=() i word begun cut='' quote='' kind rest text

    # To bash '=' and ':' are words of their own; here a blank ends a word, and nothing else.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $i == 0 || $line == [[:blank:]]* ]]; then
            words+=('')
            line=${line#"${line%%[![:blank:]]*}"}
        fi
        [[ $line == "$word"* ]] || word=$line # the cursor stands within the word
        words[-1]+=$word
        line=${line#"$word"}
    done
    begun=${words[-1]}
    if [[ $begun == [\"\']* ]]; then
        quote=${begun:0:1}
        begun=${begun:1}
    elif [[ $begun == *[=:]* && $COMP_WORDBREAKS == *=*:* ]]; then
        cut=${begun%"${begun##*[=:]}"} # this much readline leaves as it is
    fi

    COMPREPLY=()
    while IFS=$'\t' read -r kind rest text; do
        case $kind in
        :files | :folders)
            _candela_files "$kind" "$rest" "${text#"$cut"}" "${begun:${#text}}"
            ;;
        *)
            word=${kind#"$cut"}
            [[ $quote || $word != *[!-+[:alnum:],.:=_/@%]* ]] || printf -v word %q "$word"
            COMPREPLY+=("$word")
            [[ $kind == *[=:,] ]] && compopt -o nospace
            ;;
        esac
    done < <("${words[0]}" __complete "${words[@]:1:${#words[@]}-2}" "${begun//\\/}" 2>/dev/null)
}

complete -o nosort -F _candela candela

# fish completion for candela.  The words come from the program itself (`candela __complete`, see
# ui/complete.h); here they are put into fish's terms.

function __candela_complete
    set -l words (commandline -opc)
    set -l begun (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] "$begun" 2>/dev/null)
        set -l part (string split \t -- $line)
        switch $part[1]
            case :files :folders
                set -l after (string sub -s (math (string length -- "$part[3]") + 1) -- "$begun")
                for file in (complete -C "'' $after")
                    set file (string split \t -- $file)[1]
                    set -l ending (string lower -- (string split -r -m 1 . -- $file)[-1])
                    if string match -q '*/' -- $file
                        or begin
                            test $part[1] = :files
                            and test "$part[2]" = '*' -o -n "$(string match -- $ending (string split ' ' -- $part[2]))"
                        end
                        printf '%s%s\n' $part[3] $file
                    end
                end
            case '*'
                echo $line
        end
    end
end

complete -c candela -f -a '(__candela_complete)'

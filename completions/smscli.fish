# fish completion for smscli. The program's output is never evaluated.

function __smscli_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (command smscli __complete $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = /
            set -l option (string match -r -- '^--[a-z-]+=' "$current")
            for path in (__fish_complete_path (string replace -- "$option" '' "$current"))
                printf '%s%s\n' "$option" $path
            end
        else
            printf '%s\n' $line
        end
    end
end

complete -c smscli -f -k -a '(__smscli_complete)'

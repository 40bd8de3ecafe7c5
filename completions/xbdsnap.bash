# bash completion for xbdsnap(1)

_xbdsnap() {
    local cur prev command i
    COMPREPLY=()
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD - 1]}

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -*) ;;
        *)
            command=${COMP_WORDS[i]}
            break
            ;;
        esac
    done

    if [ -z "$command" ] && [[ $cur != -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(xbdsnap --help 2>/dev/null |
            sed -n '/^Commands:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p')" -- "$cur")
        return
    fi
    case $prev in
    --locate)
        mapfile -t COMPREPLY < <(compgen -W 'auto both symbols scan' -- "$cur")
        return
        ;;
    --op)
        mapfile -t COMPREPLY < <(compgen -W 'read write barrier flush discard probe unknown' -- "$cur")
        return
        ;;
    --color)
        mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur")
        return
        ;;
    --holes)
        mapfile -t COMPREPLY < <(compgen -W 'fail zero' -- "$cur")
        return
        ;;
    --allow)
        mapfile -t COMPREPLY < <(compgen -W 'findings size in-use capacity identity overlap hole changed' -- "$cur")
        return
        ;;
    --fail-on)
        mapfile -t COMPREPLY < <(compgen -W 'warning error never' -- "$cur")
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        # shellcheck disable=SC2086 # no command yet: no word
        mapfile -t COMPREPLY < <(compgen -W "$(xbdsnap $command --help=names 2>/dev/null |
            cut -f2)" -- "$cur")
        return
    fi
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

complete -o filenames -F _xbdsnap xbdsnap

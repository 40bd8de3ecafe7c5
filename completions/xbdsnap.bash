# Completion of bash for xbdsnap(1), made by tests/tools/completions.py: change the tables of options.

# Words that begin with what is typed. Not compgen -W: it expands what a guest calls its devices.
_xbdsnap_offer() {
    local w
    for w; do
        [[ $w != "$cur"* ]] || COMPREPLY+=("$(printf %q "$w")")
    done
}

# The devices of the file that stands on the line.
_xbdsnap_devices() {
    local w d
    for w in "${COMP_WORDS[@]:2}"; do
        [[ -f $w ]] || continue
        while IFS= read -r d; do
            _xbdsnap_offer "$d$1"
        done < <(xbdsnap info -q "$w" 2>/dev/null | sed -n 's/^frontend  *\([^:]*\):.*/\1/p')
        return
    done
}

_xbdsnap_rules() {
    local id
    while read -r id _; do
        _xbdsnap_offer "$id$1"
    done < <(xbdsnap rules 2>/dev/null)
}

_xbdsnap_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_xbdsnap() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' i
    local before=''
    COMPREPLY=()
    # "=" is a word of its own.
    if [[ $cur == = ]]; then
        cur=''
        before=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
        before=${COMP_WORDS[COMP_CWORD - 3]}
        [[ $before != = ]] || before=${COMP_WORDS[COMP_CWORD - 4]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] || {
            command=${COMP_WORDS[i]}
            break
        }
    done
    case $command:$before in
    dump:--disk | validate:--disk | report:--disk | replay:--disk | guard:--disk)
        _xbdsnap_files
        return
        ;;
    esac
    case $command:$prev in
    :--color)
        _xbdsnap_offer auto always never
        return
        ;;
    info:--format)
        _xbdsnap_offer text json json-lines prometheus nagios
        return
        ;;
    info:--files-from)
        _xbdsnap_files
        return
        ;;
    info:--time-format)
        _xbdsnap_offer age seconds utc
        return
        ;;
    info:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    info:--live)
        :
        return
        ;;
    info:--fd)
        :
        return
        ;;
    info:--offset)
        :
        return
        ;;
    info:--max-size)
        :
        return
        ;;
    info:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    info:--kernel)
        _xbdsnap_files
        return
        ;;
    info:--module)
        _xbdsnap_files
        return
        ;;
    dump:--device)
        _xbdsnap_devices ''
        return
        ;;
    dump:--op)
        _xbdsnap_offer read write barrier flush discard probe unknown
        return
        ;;
    dump:--disk)
        compopt -o nospace 2>/dev/null
        _xbdsnap_devices =
        return
        ;;
    dump:-o | dump:--output)
        _xbdsnap_offer DEVICE RING SLOT STATE OP SECTOR SECTORS BYTES SEGS HOLES AGE FROM FLAGS ID HANDLE REQUEST FRONTEND LOCATED-BY TROUBLE KIND PROCESS CGROUP FILE POSITION STACK LOST MEANING WHERE WITHOUT
        return
        ;;
    dump:--time-format)
        _xbdsnap_offer age seconds utc
        return
        ;;
    dump:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    dump:--p2m)
        _xbdsnap_files
        return
        ;;
    dump:--domid)
        :
        return
        ;;
    dump:--live)
        :
        return
        ;;
    dump:--fd)
        :
        return
        ;;
    dump:--offset)
        :
        return
        ;;
    dump:--max-size)
        :
        return
        ;;
    dump:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    dump:--kernel)
        _xbdsnap_files
        return
        ;;
    dump:--module)
        _xbdsnap_files
        return
        ;;
    extract:--device)
        _xbdsnap_devices ''
        return
        ;;
    extract:--ring)
        :
        return
        ;;
    extract:--slot)
        :
        return
        ;;
    extract:--all)
        _xbdsnap_files
        return
        ;;
    extract:--page)
        :
        return
        ;;
    extract:--va)
        :
        return
        ;;
    extract:--bytes)
        :
        return
        ;;
    extract:--holes)
        _xbdsnap_offer fail zero
        return
        ;;
    extract:-o | extract:--output)
        _xbdsnap_files
        return
        ;;
    extract:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    extract:--live)
        :
        return
        ;;
    extract:--fd)
        :
        return
        ;;
    extract:--offset)
        :
        return
        ;;
    extract:--max-size)
        :
        return
        ;;
    extract:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    extract:--kernel)
        _xbdsnap_files
        return
        ;;
    extract:--module)
        _xbdsnap_files
        return
        ;;
    diff:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    diff:--live)
        :
        return
        ;;
    diff:--fd)
        :
        return
        ;;
    diff:--offset)
        :
        return
        ;;
    diff:--max-size)
        :
        return
        ;;
    diff:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    diff:--kernel)
        _xbdsnap_files
        return
        ;;
    diff:--module)
        _xbdsnap_files
        return
        ;;
    export:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    export:--fd)
        :
        return
        ;;
    export:--offset)
        :
        return
        ;;
    export:--max-size)
        :
        return
        ;;
    export:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    export:--kernel)
        _xbdsnap_files
        return
        ;;
    export:--module)
        _xbdsnap_files
        return
        ;;
    redact:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    redact:--fd)
        :
        return
        ;;
    redact:--offset)
        :
        return
        ;;
    redact:--max-size)
        :
        return
        ;;
    redact:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    redact:--kernel)
        _xbdsnap_files
        return
        ;;
    redact:--module)
        _xbdsnap_files
        return
        ;;
    validate:--disk)
        compopt -o nospace 2>/dev/null
        _xbdsnap_devices =
        return
        ;;
    validate:--seed)
        _xbdsnap_files
        return
        ;;
    validate:--rule)
        compopt -o nospace 2>/dev/null
        _xbdsnap_rules =
        return
        ;;
    validate:--fail-on)
        _xbdsnap_offer warning error never
        return
        ;;
    validate:--format)
        _xbdsnap_offer text json json-lines prometheus nagios
        return
        ;;
    validate:--files-from)
        _xbdsnap_files
        return
        ;;
    validate:--log)
        _xbdsnap_files
        return
        ;;
    validate:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    validate:--target-caps)
        _xbdsnap_files
        return
        ;;
    validate:--p2m)
        _xbdsnap_files
        return
        ;;
    validate:--domid)
        :
        return
        ;;
    validate:--live)
        :
        return
        ;;
    validate:--fd)
        :
        return
        ;;
    validate:--offset)
        :
        return
        ;;
    validate:--max-size)
        :
        return
        ;;
    validate:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    validate:--kernel)
        _xbdsnap_files
        return
        ;;
    validate:--module)
        _xbdsnap_files
        return
        ;;
    report:-o | report:--output)
        _xbdsnap_files
        return
        ;;
    report:--disk)
        compopt -o nospace 2>/dev/null
        _xbdsnap_devices =
        return
        ;;
    report:--seed)
        _xbdsnap_files
        return
        ;;
    report:--rule)
        compopt -o nospace 2>/dev/null
        _xbdsnap_rules =
        return
        ;;
    report:--fail-on)
        _xbdsnap_offer warning error never
        return
        ;;
    report:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    report:--live)
        :
        return
        ;;
    report:--fd)
        :
        return
        ;;
    report:--offset)
        :
        return
        ;;
    report:--max-size)
        :
        return
        ;;
    report:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    report:--kernel)
        _xbdsnap_files
        return
        ;;
    report:--module)
        _xbdsnap_files
        return
        ;;
    replay:--disk)
        compopt -o nospace 2>/dev/null
        _xbdsnap_devices =
        return
        ;;
    replay:--undo)
        _xbdsnap_files
        return
        ;;
    replay:--to)
        _xbdsnap_files
        return
        ;;
    replay:--revert)
        _xbdsnap_files
        return
        ;;
    replay:--allow)
        _xbdsnap_offer findings capacity identity changed in-use overlap size hole
        return
        ;;
    replay:--plan)
        _xbdsnap_files
        return
        ;;
    replay:--fsck)
        :
        return
        ;;
    replay:--ring)
        _xbdsnap_files
        return
        ;;
    replay:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    replay:--target-caps)
        _xbdsnap_files
        return
        ;;
    replay:--p2m)
        _xbdsnap_files
        return
        ;;
    replay:--domid)
        :
        return
        ;;
    replay:--live)
        :
        return
        ;;
    replay:--fd)
        :
        return
        ;;
    replay:--offset)
        :
        return
        ;;
    replay:--max-size)
        :
        return
        ;;
    replay:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    replay:--kernel)
        _xbdsnap_files
        return
        ;;
    replay:--module)
        _xbdsnap_files
        return
        ;;
    watch:--device)
        _xbdsnap_devices ''
        return
        ;;
    watch:--interval)
        :
        return
        ;;
    watch:--older-than)
        :
        return
        ;;
    watch:--count)
        :
        return
        ;;
    watch:--log)
        _xbdsnap_files
        return
        ;;
    watch:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    watch:--live)
        :
        return
        ;;
    watch:--fd)
        :
        return
        ;;
    watch:--offset)
        :
        return
        ;;
    watch:--max-size)
        :
        return
        ;;
    watch:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    watch:--kernel)
        _xbdsnap_files
        return
        ;;
    watch:--module)
        _xbdsnap_files
        return
        ;;
    guard:--veto)
        _xbdsnap_offer error warning never
        return
        ;;
    guard:--report)
        _xbdsnap_files
        return
        ;;
    guard:--keep)
        _xbdsnap_files
        return
        ;;
    guard:--rest)
        _xbdsnap_files
        return
        ;;
    guard:--memory-limit)
        :
        return
        ;;
    guard:--wait)
        :
        return
        ;;
    guard:--disk)
        compopt -o nospace 2>/dev/null
        _xbdsnap_devices =
        return
        ;;
    guard:--seed)
        _xbdsnap_files
        return
        ;;
    guard:--rule)
        compopt -o nospace 2>/dev/null
        _xbdsnap_rules =
        return
        ;;
    guard:--fail-on)
        _xbdsnap_offer warning error never
        return
        ;;
    guard:--log)
        _xbdsnap_files
        return
        ;;
    guard:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    guard:--target-caps)
        _xbdsnap_files
        return
        ;;
    guard:--fd)
        :
        return
        ;;
    guard:--offset)
        :
        return
        ;;
    guard:--max-size)
        :
        return
        ;;
    guard:--locate)
        _xbdsnap_offer auto both symbols scan
        return
        ;;
    guard:--kernel)
        _xbdsnap_files
        return
        ;;
    guard:--module)
        _xbdsnap_files
        return
        ;;
    p2m:--domid)
        :
        return
        ;;
    p2m:-o | p2m:--output)
        _xbdsnap_files
        return
        ;;
    p2m:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    rules:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    summary:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    help:--color)
        _xbdsnap_offer auto always never
        return
        ;;
    esac
    if [[ $cur == -* ]]; then
        case $command in
        '') _xbdsnap_offer --json --verbose --quiet --color --help --usage --version ;;
        info) _xbdsnap_offer --json-lines --format --files-from --null --bytes --time-format --json --verbose --quiet --color --live --pause --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        dump) _xbdsnap_offer --device --op --who --disk --map --ring --output --bytes --time-format --json --verbose --quiet --color --p2m --domid --live --pause --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        extract) _xbdsnap_offer --device --ring --slot --all --page --va --bytes --hex --holes --output --force --json --verbose --quiet --color --live --pause --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        diff) _xbdsnap_offer --json --verbose --quiet --color --live --pause --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        export) _xbdsnap_offer --reduced --force --json --verbose --quiet --color --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        redact) _xbdsnap_offer --keep-payload --keep-who --keep-witnesses --force --json --verbose --quiet --color --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        validate) _xbdsnap_offer --compare-pages --disk --thorough --seed --rule --fail-on --json-lines --format --files-from --null --log --json --verbose --quiet --color --target-caps --p2m --domid --live --pause --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        report) _xbdsnap_offer --output --force --disk --thorough --seed --rule --fail-on --json --verbose --quiet --color --live --pause --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        replay) _xbdsnap_offer --disk --write --undo --to --revert --allow --plan --discard --fsck --ring --skip-unknown --force --json --verbose --quiet --color --target-caps --p2m --domid --live --pause --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        watch) _xbdsnap_offer --device --interval --older-than --count --log --json --verbose --quiet --color --live --pause --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        guard) _xbdsnap_offer --veto --report --keep --force --rest --memory-limit --wait --disk --thorough --seed --rule --fail-on --log --json --verbose --quiet --color --target-caps --fd --offset --max-size --no-sandbox --locate --kernel --module --help --usage --version ;;
        p2m) _xbdsnap_offer --domid --output --json --verbose --quiet --color --help --usage --version ;;
        rules) _xbdsnap_offer --json --verbose --quiet --color --help --usage --version ;;
        summary) _xbdsnap_offer --json --verbose --quiet --color --help --usage --version ;;
        help) _xbdsnap_offer --json --verbose --quiet --color --help --usage --version ;;
        esac
        return
    fi
    case $command in
    '') _xbdsnap_offer info dump extract diff export redact validate report replay watch guard p2m rules summary help ;;
    rules) _xbdsnap_rules ;;
    help) _xbdsnap_offer info dump extract diff export redact validate report replay watch guard p2m rules summary help formats ;;
    *) _xbdsnap_files ;;
    esac
}

complete -F _xbdsnap xbdsnap

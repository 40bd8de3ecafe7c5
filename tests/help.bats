#!/usr/bin/env bats
# The first minutes, and what the manual says: held against the tables of options and run.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    mapfile -t commands < <("$XBDSNAP" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p')
    [ "${#commands[@]}" -ge 9 ]
}

# What a page's or a command's readers find in their folder.
guest() {
    zstd -qdf -o vm.save "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst"
}

@test "alone it prints three examples, which work" {
    run "$XBDSNAP"
    [ "$status" -eq 2 ]
    [ "${#lines[@]}" -lt 12 ]
    guest
    printf '%s\n' "${lines[@]}" | grep -oE '^  xbdsnap [a-z]+ vm.save' >examples
    [ "$(wc -l <examples)" -eq 3 ]
    PATH=$(dirname "$XBDSNAP"):$PATH
    while read -r line; do
        bash -c "$line" >out
        [ -s out ]
    done <examples
}

# bats test_tags=long
@test "the help of every command fits a screen, its own options first" {
    for c in "" "${commands[@]}"; do
        # shellcheck disable=SC2086 # no command: no word
        "$XBDSNAP" $c --help >out
        [ "$(wc -l <out)" -le 24 ] || { echo "$c: $(wc -l <out) lines"; false; }
        [ "$(wc -L <out)" -le 80 ]
        # shellcheck disable=SC2086
        "$XBDSNAP" $c --help=names | cut -f2 >names
        # Every option is named, and the first of the table is the first that is explained.
        while read -r option; do
            grep -q -e "$option" out || { echo "$c: $option"; false; }
        done <names
        [ "$(grep -oE -m1 '^ +(-., )?--[a-z0-9-]+' out | grep -oE -- '--[a-z0-9-]+')" = "$(head -n 1 names)" ]
    done
}

# bats test_tags=long
@test "--help=all explains every option" {
    for c in "${commands[@]}"; do
        "$XBDSNAP" "$c" --help=all >out
        while IFS=$'\t' read -r _ option; do
            grep -qE -e "^ +(-., )?$option\b" out || { echo "$c: $option"; false; }
        done < <("$XBDSNAP" "$c" --help=names | sed 's/^\t/-\t/' | cut -f1,2)
    done
    run "$XBDSNAP" dump --help=some
    [ "$status" -eq 2 ]
}

@test "a mistyped option names the near one" {
    guest
    for t in "dump --devce=xvda:--device" "dump --outptu X:--output" "replay --dsik:--disk" \
        "validate --falil-on:--fail-on" "--verison:--version" "dump --clor:--color" \
        "rules --jsno:--json"; do
        # shellcheck disable=SC2086
        run "$XBDSNAP" ${t%:*} vm.save
        [ "$status" -eq 2 ]
        [ "${#lines[@]}" -eq 1 ]
        [[ $output == *"there is no option"*"'${t##*:}' is one" ]] || { echo "$output"; false; }
    done
    run "$XBDSNAP" dump --zzzz vm.save
    [ "$status" -eq 2 ]
    [ "$output" = "xbdsnap dump: there is no option '--zzzz'; 'xbdsnap dump --help' lists them" ]
}

@test "what looks like an option but is none is left alone" {
    guest
    # The value of an option, what follows --, and an abbreviation.
    run "$XBDSNAP" dump --output --zzzz vm.save
    [[ $output == *"no column '--zzzz'"* ]]
    run "$XBDSNAP" dump -o --zzzz vm.save
    [[ $output == *"no column '--zzzz'"* ]]
    run "$XBDSNAP" dump -vo --zzzz vm.save
    [[ $output == *"no column '--zzzz'"* ]]
    run "$XBDSNAP" info -- --zzzz
    [ "$status" -eq 6 ]
    "$XBDSNAP" dump --dev xvda vm.save
    run "$XBDSNAP" --quiet dump --json vm.save
    [ "$status" -eq 0 ]
}

@test "a mistyped command names the near one" {
    for t in dumo:dump vlaidate:validate inf:info replya:replay hlep:help extarct:extract; do
        run "$XBDSNAP" "${t%:*}" x
        [ "$status" -eq 2 ]
        [ "$output" = "xbdsnap: '${t%:*}' is not a command; '${t#*:}' is" ]
    done
    run "$XBDSNAP" qqqqqq
    [ "$output" = "xbdsnap: 'qqqqqq' is not a command; 'xbdsnap --help' lists them" ]
}

# bats test_tags=long
@test "errors of status 4 and 5 say what to do next" {
    guest
    head -c 100000 vm.save >cut.save
    head -c 4096 /dev/zero >zero.save
    : >empty.save
    xz -dc "$SRCDIR/tests/fixtures/real/linux-6.1-base/source-p2m.bin.xz" >vm.p2m
    head -c 4096 "$XBDSNAP" >program
    truncate -s 8M raw.img
    mkfs.ext4 -q raw.img
    n=0
    while IFS='|' read -r want words hint; do
        # shellcheck disable=SC2086
        run --separate-stderr "$XBDSNAP" $words
        [ "$status" -eq "$want" ] || { echo "$words: $status"; false; }
        [[ ${stderr_lines[-1]} == *[";,"]" "*"$hint"* ]] || { echo "$words: $stderr"; false; }
        n=$((n + 1))
    done <<'END'
5|info cut.save|another copy
5|dump cut.save|another copy
5|validate cut.save|another copy
5|dump zero.save|xbdsnap help formats
5|dump empty.save|save again
4|dump program|xbdsnap help formats
5|dump raw.img|--disk=
4|dump --device xvdz vm.save|but xvda
4|extract --slot 31 vm.save|pending:
4|extract --page 0x7ffffff vm.save|--holes=zero
4|dump /dev/null|a file or pipe is needed
4|replay --ring out --p2m vm.p2m vm.save|without --ring
END
    [ "$n" -eq 12 ]
}

# The names of options that a page explains.
explained() {
    grep -E '^\.It (Fl|Xo)' "$1" | grep -oE 'Fl Fl [a-z0-9-]+' | sed 's/Fl Fl /--/' | sort -u
}

# bats test_tags=long
@test "the manual explains exactly the options that there are" {
    explained "$SRCDIR/man/xbdsnap.1" >common
    for c in "${commands[@]}"; do
        "$XBDSNAP" "$c" --help=names | cut -f2 | sort -u >have
        explained "$SRCDIR/man/xbdsnap-$c.1" >own
        comm -23 own have >stale
        sort -u common own | comm -13 - have >missing
        [ ! -s stale ] || { echo "xbdsnap-$c.1 has too many:" && cat stale && false; }
        [ ! -s missing ] || { echo "xbdsnap-$c.1 misses:" && cat missing && false; }
    done
    "$XBDSNAP" --help=names | cut -f2 | sort -u | comm -23 - common >missing
    [ ! -s missing ]
}

@test "every command has a page, and every page is named" {
    for c in "${commands[@]}"; do
        grep -q "^\.Xr xbdsnap-$c 1" "$SRCDIR/man/xbdsnap.1"
        grep -q "^\.It Xr xbdsnap-$c 1" "$SRCDIR/man/xbdsnap.1"
    done
    for page in "$SRCDIR"/man/xbdsnap-*.[17]; do
        name=$(basename "$page")
        grep -q "^\.Xr ${name%.?} ${name##*.}" "$SRCDIR/man/xbdsnap.1"
        [ "$(grep -c '^\.Sh EXAMPLES' "$page")" -eq 1 ] || [[ $page == *.7 ]]
    done
}

# A comment in front of an example says with what it ends, or that it needs what a test has not.
@test "the examples of the pages run" {
    [ -d "$XBDSNAP_CACHE/linux-6.1-base" ] || skip "no real checkpoints"
    ln -s "$XBDSNAP_CACHE/linux-6.1-base/image.save" vm.save
    cp --sparse=always "$XBDSNAP_CACHE/linux-6.1-base/disk-before.img" disk.raw
    ln -s vm.save monday.save
    ln -s vm.save tuesday.save
    zstd -q1 -f -o vm.save.zst vm.save
    mkdir -p man/man1 man/man7
    cp "$SRCDIR"/man/*.1 man/man1
    cp "$SRCDIR"/man/*.7 man/man7
    export MANPATH=$PWD/man MANPAGER=cat PAGER=cat
    PATH=$(dirname "$XBDSNAP"):$PATH
    for page in "$SRCDIR"/man/*.[17]; do
        awk '/^\.\\" ends with/ { want = $4 } /^\.\\" needs/ { skip = 1 }
            /^\.Sh/ { on = /EXAMPLES/ }
            /^\.Dl/ && on { sub(/^\.Dl /, ""); gsub(/\\\(dq/, "\""); if (!skip) print want + 0, $0; want = 0; skip = 0 }' "$page" >examples
        while read -r want line; do
            line=${line//\/var\/lib\/xen\/save\/\*/./vm*.save*}
            status=0
            bash -c "$line" >out 2>&1 </dev/null || status=$?
            [ "$status" -eq "$want" ] || { echo "$(basename "$page"): $line: $status" && cat out && false; }
        done <examples
    done
}

# bats test_tags=long
@test "help opens the page of a command, or lists its options" {
    mkdir -p man/man1 man/man7
    cp "$SRCDIR"/man/*.1 man/man1
    cp "$SRCDIR"/man/*.7 man/man7
    export MANPATH=$PWD/man MANPAGER=cat PAGER=cat
    if command -v man >/dev/null; then
        for c in "${commands[@]}" formats; do
            run "$XBDSNAP" help "$c"
            [ "$status" -eq 0 ]
            [[ $output == *"xbdsnap-$c"* ]] || { echo "$output"; false; }
        done
    fi
    mkdir none
    PATH=$PWD/none run "$XBDSNAP" help dump
    [ "$status" -eq 0 ]
    [[ $output == *"Columns of -o"* ]]
    run "$XBDSNAP" help dmup
    [ "$status" -eq 2 ]
    [ "$output" = "xbdsnap: no help about 'dmup'; 'dump' has some" ]
}

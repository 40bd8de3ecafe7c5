#!/usr/bin/env bats
# The shipped checkpoints: what dump and info say of them, whichever way the ring is found.

bats_require_minimum_version 1.5.0

each_fixture() { # each_fixture FUNCTION
    local f
    for f in "$SRCDIR"/tests/fixtures/*/checkpoint.save.zst; do
        "$1" "$(dirname "$f")" || {
            echo "in $f"
            return 1
        }
    done
}

same_dump() {
    "$XBDSNAP" dump -J "$1/checkpoint.save.zst" | jq -S 'del(.source.path)' >"$BATS_TEST_TMPDIR/got"
    diff <(jq -S . "$1/dump.json") "$BATS_TEST_TMPDIR/got"
}

@test "dump of every shipped checkpoint is what it was" {
    each_fixture same_dump
}

@test "every shipped Linux is confirmed by its bus: no look at every page" {
    for f in "$SRCDIR"/tests/fixtures/linux-*/dump.json; do
        echo "$f"
        # A core dump brings no configuration.
        [ "$(jq -c '[.every_page, .doubt, ([.devices[].confirmed_by - ["configuration"]] | unique)]' "$f")" = \
            '[false,null,[["bus","structure","ring"]]]' ]
    done
}

requests='[.devices[] | {vdev, requests: [.requests[] | del(.age_ns, .flags, .request, .trouble)]}]
    | sort_by(.vdev)'

same_both_ways() {
    "$XBDSNAP" dump -J --locate=symbols "$1/checkpoint.save.zst" >"$BATS_TEST_TMPDIR/symbols" ||
        [[ $1 == *netbsd* || $1 == *i386* ]] || return 1 # which have no symbols that lead there
    "$XBDSNAP" dump -J --locate=scan "$1/checkpoint.save.zst" >"$BATS_TEST_TMPDIR/scan" || return 1
    [[ $1 == *netbsd* || $1 == *i386* ]] && return 0
    diff <(jq -S "$requests" "$BATS_TEST_TMPDIR/symbols") <(jq -S "$requests" "$BATS_TEST_TMPDIR/scan")
}

@test "symbols and scan agree on every shipped checkpoint" {
    each_fixture same_both_ways
}

same_counts() {
    diff <("$XBDSNAP" info -J "$1/checkpoint.save.zst" | jq -c '[.devices[] | [.vdev, .nr_requests]] | sort') \
        <(jq -c '[.devices[] | [.vdev, (.requests | length)]] | sort' "$1/dump.json")
}

@test "info counts what dump lists" {
    each_fixture same_counts
}

noted() { # the rules of the notes; anything else ends the test
    [ "$(jq -r .verdict j)" = safe ]
    [ "$(jq -r '[.findings[].severity] | unique[]' j)" = note ]
    jq -r '[.findings[].rule] | unique | join(" ")' j
}

@test "healthy guests that change data in flight are safe; replay writes what they hold now" {
    cd "$BATS_TEST_TMPDIR"
    save=$SRCDIR/tests/fixtures/busy/mmap.save.zst
    "$XBDSNAP" validate -J "$save" >j
    [ "$(noted)" = XB304 ]
    run -0 --separate-stderr "$XBDSNAP" validate "$save"
    [ "${lines[0]}" = "note XB304 xvda ring 0 slot 0: 1 of 1 pages were changed since they were copied for the backend, page 0x60ed (copy 0x424d) first: replay and resume write what they hold now" ]
    [[ ${lines[1]} == "note XB304 xvda ring 0 slot 1: 2 of 8 pages were changed "* ]]
    truncate -s 16M disk
    "$XBDSNAP" replay --write --undo undo --disk xvda=disk "$save"
    # The guest filled the pages anew with this letter, while the first data was on its way.
    [ "$(dd if=disk bs=512 skip=1024 count=1 status=none | tr -d R | wc -c)" = 0 ]
}

@test "a healthy database is safe, whatever overlaps; replay does not refuse it" {
    cd "$BATS_TEST_TMPDIR"
    save=$SRCDIR/tests/fixtures/busy/database.save.zst
    "$XBDSNAP" validate -J "$save" >j
    [ "$(noted)" = "XB124 XB131 XB304 XB601 XB602 XB603" ]
    [ "$("$XBDSNAP" replay -J "$save" | jq '[.plan[] | select(.hazards | index("overlap"))] | length')" = 6 ]
    truncate -s 16M disk
    run -0 "$XBDSNAP" replay --write --undo undo --disk xvda=disk "$save"
    [[ $output == *"disk: 16 writes and 0 discards "* ]]
    [[ $output == *"requests change the same sectors: the plan's later ones stand"* ]]
}

@test "redacting a redacted checkpoint changes nothing" {
    zstd -q -dc "$SRCDIR/tests/fixtures/xen2-netbsd/checkpoint.save.zst" >"$BATS_TEST_TMPDIR/in"
    "$XBDSNAP" redact -q "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
    cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
}

@test "what a failed save left is incomplete, for every command" {
    stub=$SRCDIR/tests/fixtures/failed-save/image.save
    run -5 --separate-stderr "$XBDSNAP" info -J "$stub"
    [ "$(jq -c '[.source.complete, .source.incomplete_why]' <<<"$output")" = \
        '[false,"the file ends at 0x997, where a libxc record was expected"]' ]
    [ "$(jq -r .guest.name <<<"$output")" = lab ]
    run -5 "$XBDSNAP" info "$stub"
    [[ $output == *"complete "*"NO: the file ends at 0x997"* ]]
    for command in dump validate replay; do
        run -5 "$XBDSNAP" $command "$stub"
        [[ $output == *"the file ends at 0x997"* ]]
    done
}

@test "the demo runs" {
    run "$SRCDIR/tests/tools/demo.sh" "$XBDSNAP"
    [ "$status" -eq 0 ]
    [[ $output == *"linux-blkfront, connected, 65536 sectors"* ]]
}

#!/usr/bin/env bats
# diff: what became of a guest between two checkpoints of it.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    base=$XBDSNAP_CACHE/linux-6.1-base/image.save
}

schema() {
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" "$1"
}

edited() { # edited OUT HOW: the base with its ring as edit_ring.py makes it
    python3 "$SRCDIR/tests/tools/edit_ring.py" "$base" "$1" "$2" \
        "$("$XBDSNAP" dump -J "$base" | jq -r '.devices[0].rings[0].address')"
}

@test "a checkpoint and itself: every request stayed, nothing differs" {
    run -0 --separate-stderr "$XBDSNAP" diff -J "$base" "$base"
    echo "$output" >j
    schema j
    jq -e '[.differ, .complete, .other_guest, .between_ns, .facts] == [false, true, null, 0, []]' j
    jq -e '[.requests[].change] | unique == ["stayed"]' j
    jq -e '[.requests[] | select(.before != .after)] == []' j
    [ "$(jq '.requests | length' j)" = 20 ]
    [ -z "$stderr" ]
}

@test "a request of the same slot that was started later is another one" {
    edited later.save restart
    run -1 --separate-stderr "$XBDSNAP" diff -J "$base" later.save
    echo "$output" >j
    schema j
    jq -e '[.requests[].change] | group_by(.) | map([.[0], length])
        == [["appeared", 1], ["completed", 1], ["stayed", 19]]' j
    jq -e '[.requests[] | select(.change != "stayed") | .before // .after | [.slot, .sector, .op]]
        | .[0] == .[1]' j
    jq -e '[.requests[] | select(.change == "completed") | .before.age_ns]
        == [.requests[] | select(.change == "appeared") | .after.age_ns + 1000000]' j
    run -1 --separate-stderr "$XBDSNAP" diff "$base" later.save
    [ "$(grep -c '^stayed ' <<<"$output")" = 19 ]
    [[ $output == *$'\ncompleted xvda '* && $output == *$'\nappeared  xvda '* ]]
}

@test "a ring that moved on, and by how much" {
    edited moved.save published
    run -1 --separate-stderr "$XBDSNAP" diff "$base" moved.save
    [[ $output != *completed* ]]
    [[ $output == *"xvda ring 0: requests shown: 40, then 39" ]]
    "$XBDSNAP" diff -J moved.save "$base" >j || true
    jq -e '.requests | map(.change) | unique == ["stayed"]' j
    jq -e '.facts == [{device: "xvda", ring: 0, what: "requests shown", before: "39", after: "40"}]' j
}

@test "another guest: a note says so; its disks and features differ" {
    run -1 --separate-stderr "$XBDSNAP" diff "$base" "$XBDSNAP_CACHE/linux-6.1-nopersist/image.save"
    [[ $stderr == *"may not be checkpoints of one guest: their UUIDs differ"* ]]
    [[ $output == *"xvda: persistent grants: yes, then no"* ]]
    run -1 --separate-stderr "$XBDSNAP" diff -J "$base" "$XBDSNAP_CACHE/linux-6.1-ext4/image.save"
    echo "$output" >j
    schema j
    jq -e '.facts[] | select(.device == "xvdb" and .what == "frontend")
        | [.before, .after] == [null, "linux-blkfront"]' j
}

@test "one checkpoint, three of them, a file that is none" {
    run -2 "$XBDSNAP" diff "$base"
    run -2 "$XBDSNAP" diff --live=1 "$base" "$base"
    [[ $output == *"--live takes the place of the second checkpoint"* ]]
    run -2 "$XBDSNAP" diff "$base" "$base" "$base"
    head -c 4096 /dev/zero >none
    run -5 "$XBDSNAP" diff "$base" none
}

@test "checkpoints without a configuration have no UUIDs that could differ" {
    netbsd=$XBDSNAP_CACHE/xen2-netbsd/image.save
    [ -e "$netbsd" ] || skip "no NetBSD checkpoint"
    run -0 --separate-stderr "$XBDSNAP" diff -J "$netbsd" "$netbsd"
    [ "$(jq -c '[.other_guest, ([.requests[].change] | unique)]' <<<"$output")" = '[null,["stayed"]]' ]
}

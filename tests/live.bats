#!/usr/bin/env bats
# A live domain in the place of a file. The host is a fake (fakexen.c): its domain is a core dump of a
# real guest, its xenstore what dom0 had beside it.

bats_require_minimum_version 1.5.0

setup_file() {
    [ -n "${XBDSNAP_CACHE:-}" ] || return 0
    gcc -shared -fPIC -D_GNU_SOURCE -O1 -Wall -Werror -o "$BATS_FILE_TMPDIR/fakexen.so" \
        "$SRCDIR/tests/tools/fakexen.c"
    for guest in base pvh; do
        python3 "$SRCDIR/tests/tools/mkcore.py" xen "$XBDSNAP_CACHE/linux-6.1-$guest/image.save" \
            "$BATS_FILE_TMPDIR/core-$guest"
    done
}

setup() {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no real checkpoints (CHECKPOINTS)"
    ldd "$XBDSNAP" | grep -q libxenctrl || skip "built without Xen"
    cd "$BATS_TEST_TMPDIR" || return
    host linux-6.1-base
}

host() { # host CHECKPOINT: the domain that is there
    checkpoint=$XBDSNAP_CACHE/$1/image.save
    export FAKEXEN_CORE=$BATS_FILE_TMPDIR/core-${1#linux-6.1-}
    # A number that no device of this host has: what goes through its disks is none of ours.
    sed 's/\(physical-device = \)"fe:0"/\1"fff:fffff"/' "$CHECKPOINTS/$1/xenstore.txt" >xenstore
    export FAKEXEN_STORE=$PWD/xenstore FAKEXEN_LOG=$PWD/log
    if [ "${1#linux-6.1-}" = pvh ]; then export FAKEXEN_PVH=1; fi
}

# The address sanitizer wants to come first, and the libraries' own leaks are not ours.
xbdsnap() {
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:verify_asan_link_order=0 LD_PRELOAD=$BATS_FILE_TMPDIR/fakexen.so \
        "$XBDSNAP" "$@"
}

check_schema() { python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" "$1"; }

# Devices and guest, but for what only a file or only a domain has.
guest='{devices: (.devices | map(.confirmed_by -= ["configuration"])),
    guest: (.guest | del(.name, .uuid, .suspended))} | del(.. | .source_mfn?, .source_mfns?)'

@test "dump of a live domain is that of its checkpoint, PV and PVH, in every state" {
    for name in linux-6.1-base linux-6.1-pvh; do
        host $name
        "$XBDSNAP" dump -q -J "$checkpoint" | jq -S "$guest" >want
        for state in running paused restored suspended crashed; do
            FAKEXEN_STATE=$state xbdsnap dump -q -J --live 7 >got.json
            check_schema got.json
            jq -S "$guest" got.json | diff want -
            [ "$(jq -c '[.live.domid, .live.state, .source.format]' got.json)" = \
                "[7,\"$state\",\"live\"]" ]
        done
    done
    # Nothing was written, nobody was paused, no frame of another was asked for, and no page stayed
    # mapped until the next one.
    [ ! -s log ]
}

@test "the guest's own list, and machine frames of this host" {
    xbdsnap dump -q -J --live 7 >dump.json
    python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json "$CHECKPOINTS/linux-6.1-base/truth.json"
    "$XBDSNAP" dump -q -J "$FAKEXEN_CORE" | jq '[.devices[].requests[].segments[].source_mfn]' >want
    jq '[.devices[].requests[].segments[].source_mfn]' dump.json | diff want -
    [ "$(jq -c '[.devices[].confirmed_by]' dump.json)" = \
        '[["bus","configuration","structure","ring"]]' ]
    [ "$(jq .every_page dump.json)" = false ]
}

@test "a domain is found by its name" {
    xbdsnap dump --live stuck >by-name
    xbdsnap dump --live 7 | diff by-name -
    run -4 xbdsnap dump --live nobody
    [[ $output == *"there is no domain of the name 'nobody'"* ]]
    run -4 xbdsnap dump --live 8
    [[ $output == *"there is no domain 8"* ]]
    run -2 xbdsnap dump --live ""
}

@test "a file and a domain exclude each other, and so does what is for files alone" {
    run -2 xbdsnap dump --live 7 "$checkpoint"
    run -2 xbdsnap validate --live 7 "$checkpoint"
    run -2 xbdsnap info --live 7 --offset 4096
    run -2 xbdsnap replay --live 7 --write --undo u --disk xvda=d
    [[ $output == *"the guest is alive"* ]]
    run -2 xbdsnap replay --live 7 --revert u
    run -2 xbdsnap redact --live 7 a b
}

@test "rules that want a guest that stands still are not evaluated while it runs" {
    run -0 --separate-stderr xbdsnap validate -J --live 7
    check_schema /dev/stdin <<<"$output"
    [ "$(jq -r '.not_evaluated[] | select(.rule == "XB105") | .reason' <<<"$output")" = \
        "the guest was not suspended" ]
    [ "$(jq -r '[.verdict, .guest.suspended] | join(" ")' <<<"$output")" = "safe false" ]
    FAKEXEN_STATE=suspended run -0 --separate-stderr xbdsnap validate -J --live 7
    [ "$(jq '[.not_evaluated[] | select(.rule == "XB105")] | length' <<<"$output")" -eq 0 ]
    [ "$(jq .guest.suspended <<<"$output")" = true ]
}

@test "extract and replay take a domain" {
    xbdsnap extract -q --live 7 --slot 4 >got
    "$XBDSNAP" extract -q --slot 4 "$checkpoint" | cmp - got
    xbdsnap extract -q --live 7 --page 0x1000 >got
    "$XBDSNAP" extract -q --page 0x1000 "$checkpoint" | cmp - got
    disk=$XBDSNAP_CACHE/linux-6.1-base/disk-before.img
    xbdsnap replay -J --live 7 --disk xvda="$disk" | jq -S .plan >got
    "$XBDSNAP" replay -J --disk xvda="$disk" "$checkpoint" | jq -S .plan |
        sed 's/"source_mfn": "0x[0-9a-f]*"/"source_mfn": null/' >want
    sed 's/"source_mfn": "0x[0-9a-f]*"/"source_mfn": null/' got | diff want -
    [ "$(grep -c '"not-landed"' got)" -gt 10 ]
}

# bats test_tags=long
@test "extract and replay of a guest that goes on meanwhile" {
    frame=$(ring_frame)
    # Its answers come in, one at each look; what was published stays what it was.
    export FAKEXEN_POKE=$frame:8:+20:1
    disk=$XBDSNAP_CACHE/linux-6.1-base/disk-before.img
    run -0 --separate-stderr xbdsnap replay -J --live 7 --disk xvda="$disk"
    check_schema /dev/stdin <<<"$output"
    [ "$(jq -c '[.live.consistent, .live.nr_rings_moved, (.plan | length)]' <<<"$output")" = \
        '[false,1,20]' ]
    [ "$(jq -c '[.plan[] | select(.op == "write") | .on_disk.state] | unique' <<<"$output")" = '["not-landed"]' ]
    run -0 --separate-stderr xbdsnap replay --live 7
    [[ $stderr == *"it changed between two looks within "* ]]
    run -0 --separate-stderr xbdsnap extract --live 7 --all payloads
    [[ $stderr == *"it changed between two looks within "* ]]
    unset FAKEXEN_POKE
    "$XBDSNAP" extract -q --all want "$checkpoint"
    diff -r --exclude=manifest.json want payloads
    [ ! -s log ]
}

@test "info says what it is" {
    run -0 xbdsnap info --live 7
    [[ $output == *"domain         domain 7 (stuck)"* ]]
    [[ $output == *"state          running: its drivers may be in the middle of a change"* ]]
    [[ $output == *"disk           xvda = /dev/mapper/stuck, phy"* ]]
    [[ $output == *"requests       xvda: 20 pending, 0 queued"* ]]
    xbdsnap info -J --live 7 >info.json
    check_schema info.json
    [ "$(jq -c '[.config.kind, .source.bytes]' info.json)" = '["xenstore",null]' ]
}

@test "every page of a domain can be looked at" {
    xbdsnap dump -q -J --locate=scan --live 7 | jq -S '[.devices[].requests[].sector]' >got
    "$XBDSNAP" dump -q -J "$checkpoint" | jq -S '[.devices[].requests[].sector]' | diff - got
}

ring_frame() { # of the first ring
    "$XBDSNAP" dump -J "$FAKEXEN_CORE" | jq -r '.devices[0].rings[0] | .source_mfns[0]'
}

@test "two looks that saw the same are consistent" {
    run -0 --separate-stderr xbdsnap dump --live 7
    [[ $stderr == *"consistent: two looks within "*" ms saw the same"* ]]
    xbdsnap dump -J --live 7 >dump.json
    [ "$(jq -c '.live | [.consistent, .paused_ns, .apart_ns > 0, .changes]' dump.json)" = \
        '[true,null,true,[]]' ]
}

# bats test_tags=long
@test "a guest that goes on is told from one that stands still, and nothing impossible is claimed" {
    frame=$(ring_frame)
    # Answers come in, one at each look (rsp_prod of the shared ring).
    export FAKEXEN_POKE=$frame:8:+20:1
    run -0 --separate-stderr xbdsnap dump --live 7
    [[ $stderr == *"it changed between two looks within "*" ms: "* ]]
    xbdsnap dump -J --live 7 >dump.json
    check_schema dump.json
    [ "$(jq -c '.live | [.consistent, .nr_rings_moved]' dump.json)" = '[false,1]' ]
    [ "$(jq '.findings | length' dump.json)" -eq 0 ]
    run -0 --separate-stderr xbdsnap validate -J --live 7
    [ "$(jq -c '[.verdict, .findings]' <<<"$output")" = '["safe",[]]' ]
    # One that came while the first look went on is no reason for a third.
    export FAKEXEN_POKE=$frame:8:21:3
    run -0 --separate-stderr xbdsnap dump --live 7
    [[ $stderr == *"consistent"* ]]
    [ ! -s log ]
}

@test "a domain is paused when that is asked for, and goes on" {
    run -0 --separate-stderr xbdsnap dump --live 7 --pause
    [[ $stderr == *"domain 7 (stuck) was paused for "*" ms"* ]]
    [ "$(cat log)" = $'pause\nunpause' ]
    xbdsnap dump -J --live 7 --pause >dump.json
    check_schema dump.json
    [ "$(jq -c '.live | [.consistent, .paused_ns > 0, .apart_ns]' dump.json)" = '[true,true,null]' ]
    run -2 "$XBDSNAP" dump --pause "$checkpoint"
}

@test "pages that are gone are holes, not errors" {
    gone=$(xbdsnap dump -J --live 7 | jq -r '.devices[0].requests[2].segments[1].source_mfn')
    FAKEXEN_GONE=$gone xbdsnap dump -q -J --live 7 >dump.json
    [ "$(jq -c '[.devices[0].requests[2].segments[].present]' dump.json)" = '[true,false]' ]
    FAKEXEN_GONE=$gone run -4 xbdsnap extract --live 7 --slot 2
    [[ $output == *"cannot be mapped"* ]]
}

# A device that this machine has not, so that nothing of its own is taken for the guest's.
no_such_device() {
    sed 's|\(/physical-device = "\)[0-9a-f:]*"|\1fff:fffff"|' "$FAKEXEN_STORE" >store
    export FAKEXEN_STORE=$PWD/store
}

@test "dump says who waits for whom, with the evidence" {
    no_such_device
    frame=$(ring_frame)
    export FAKEXEN_GRANTS=8=$frame
    run -0 --separate-stderr xbdsnap dump --live 7
    [[ $output == *"xvda: the guest waits for the backend: 20 requests are published and not answered, the oldest for 23.1 s"* ]]
    [[ $output == *"ring 0: published 40, answered 20; the guest made 40 and has seen 20"* ]]
    [[ $output == *"as the backend maps it (grant 8): published 40, answered 20"$'\n'* ]]
    [[ $output == *"backend: phy in domain 0, connected; frontend connected"* ]]
    [[ $output == *"device below: /dev/mapper/stuck, in flight unknown"* ]]
    xbdsnap dump -q -J --live 7 >dump.json
    check_schema dump.json
    [ "$(jq -c '.live.disks[0] | [.verdict, .unanswered, .rings[0].same, .backend.state,
        .backend.reads_in_flight]' dump.json)" = '[["backend"],20,true,4,null]' ]
}

# bats test_tags=long
@test "the verdict follows the indices" {
    frame=$(ring_frame)
    verdict() { # verdict POKES
        FAKEXEN_POKE=$1 xbdsnap dump -q -J --live 7 >dump.json
        check_schema dump.json
        jq -c '.live.disks[0] | [.verdict, .unanswered, .unseen, .unpublished]' dump.json
    }
    # req_prod stands at 0, rsp_prod at 8 of the shared page.
    [ "$(verdict "$frame:8:40:1")" = '[["guest"],0,20,0]' ]
    [ "$(verdict "$frame:8:25:1")" = '[["backend","guest"],15,5,0]' ]
    [ "$(verdict "$frame:0:20:1")" = '[["unpublished"],0,0,20]' ]
    [ "$(verdict "$frame:0:4000:1")" = '[["unknown"],0,0,0]' ]
    # The backend has another page than the driver thinks.
    other=$(xbdsnap dump -q -J --live 7 | jq -r '.devices[0].requests[0].segments[0].source_mfn')
    FAKEXEN_GRANTS=8=$other run -0 --separate-stderr xbdsnap dump --live 7
    [[ $output == *"as the backend maps it (grant 8): published "*": NOT THE SAME"* ]]
}

@test "a backend that cannot be asked is unknown" {
    run -0 --separate-stderr xbdsnap dump --live 7
    [[ $output == *"not seen as the backend maps it: cannot ask for granted pages"* ]]
    grep -v '/backend = ' "$FAKEXEN_STORE" >store
    FAKEXEN_STORE=$PWD/store run -0 --separate-stderr xbdsnap dump --live 7
    [[ $output == *"backend: unknown, xenstore: backend '' of "*" does not point back at it"* ]]
    grep -v '/device/vbd/' "$FAKEXEN_STORE" >store
    FAKEXEN_STORE=$PWD/store run -0 --separate-stderr xbdsnap dump --live 7
    [[ $output == *"backend: unknown, xenstore has none for it"* ]]
    [[ $output == *"the guest waits for the backend: 20 requests"* ]]
}

# bats test_tags=long
@test "watch: a line when something changes, and a status when a request is too old" {
    run -0 xbdsnap watch --live 7 --count 3 --interval 0.05
    [ "${#lines[@]}" -eq 1 ]
    [[ $output == 20*Z" xvda: 20 pending, 0 queued, oldest 23.1 s, backend" ]]
    run -3 xbdsnap watch --live stuck --device 51712 --older-than 20
    [ "${#lines[@]}" -eq 1 ]
    run -0 xbdsnap watch --live 7 --older-than 60 --count 1
    run -3 --separate-stderr xbdsnap watch -J --live 7 --older-than 0.5
    check_schema /dev/stdin <<<"$output"
    [ "$(jq -c '[.vdev, .pending, .verdict, .too_old]' <<<"$output")" = \
        '["xvda",20,["backend"],true]' ]
    # Answers come in.
    frame=$(ring_frame)
    FAKEXEN_POKE=$frame:8:40:4 run -0 xbdsnap watch --live 7 --count 3 --interval 0
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == *", backend" ]]
    [[ ${lines[1]} == *"guest"* ]]
}

# bats test_tags=long
@test "watch: what the guest shows to nobody gets old too" {
    ring=$("$XBDSNAP" dump -J "$checkpoint" | jq -r '.devices[0].rings[0].address')
    python3 "$SRCDIR/tests/tools/edit_ring.py" "$checkpoint" held.save held "$ring"
    python3 "$SRCDIR/tests/tools/mkcore.py" xen held.save core
    export FAKEXEN_CORE=$PWD/core
    run -3 xbdsnap watch --live 7 --older-than 20 --interval 0.05
    [[ $output == 20*Z" xvda: 0 pending, 20 queued, oldest 23.1 s, unpublished" ]]
    run -0 xbdsnap watch --live 7 --older-than 60 --count 2 --interval 0
    run -0 --separate-stderr xbdsnap dump --live 7
    [[ $output == *"xvda: nothing published: 0 in the ring, 20 in the guest's queue, the oldest for 23.1 s; the backend cannot see them"$'\n'* ]]
    xbdsnap dump -q -J --live 7 >dump.json
    check_schema dump.json
    [ "$(jq -c '.live.disks[0] | [.verdict, .unpublished, .queued, .oldest_ns > 23e9]' dump.json)" = \
        '[["unpublished"],0,20,true]' ]
}

# bats test_tags=long
@test "watch: the journal gets each line, also when it starts anew" {
    : >entries
    listen() {
        python3 "$SRCDIR/tests/tools/journal_socket.py" socket entries 3>&- &
        journal=$!
        until [ -S socket ]; do sleep 0.02; done
    }
    listen
    run -3 xbdsnap watch -J --live 7 --older-than 0.5 --log=journal:socket
    until [ -s entries ]; do sleep 0.02; done
    [ "$(jq -c '[.PRIORITY, .XBDSNAP_DEVICE, .XBDSNAP_PENDING, .XBDSNAP_VERDICT, .XBDSNAP_DOMID,
        .XBDSNAP_TOO_OLD, .XBDSNAP_COMMAND]' entries)" = \
        '["3","xvda","20","backend","7","yes","watch"]' ]
    [ "$(jq -r .XBDSNAP_OLDEST_NS entries)" = "$(jq .oldest_ns <<<"$output")" ]
    [ "$(jq -r .MESSAGE entries)" = \
        "domain 7 (stuck): xvda: 20 pending, 0 queued, oldest 23.1 s, backend" ]
    : >entries
    frame=$(ring_frame)
    FAKEXEN_POKE=$frame:8:40:8 xbdsnap watch --live 7 --count 12 --interval 0.2 \
        --log=journal:socket >lines 3>&- &
    watch=$!
    until [ -s entries ]; do sleep 0.02; done
    kill "$journal"
    wait "$journal" || true
    rm socket
    listen
    wait "$watch"
    kill "$journal"
    [ "$(wc -l <lines)" -eq 2 ]
    [ "$(jq -r .XBDSNAP_VERDICT entries)" = "$(sed 's/.*, //' lines)" ]
}

@test "watch: ends with its domain, and names what there is not" {
    run -2 xbdsnap watch --live 7 --device xvdz --count 1
    [[ $output == *"xvda"* ]]
    run -4 xbdsnap watch --live 9 --count 1
    run -2 xbdsnap watch --live 7 --pause
    run -2 xbdsnap watch
    run -2 xbdsnap watch --live 7 --interval -1
    run -2 xbdsnap watch --live 7 --older-than nan
    run -2 xbdsnap watch --live 7 --count 0
    FAKEXEN_DIES=3 run -0 xbdsnap watch --live 7 --interval 0.05
    [[ $output == *"domain 7 (stuck) is gone"* ]]
}

@test "a decoder that was taken over has no hypervisor, file, process or network" {
    grep -q __asan_init "$XBDSNAP" && skip "the sanitizer needs files, threads that trace, and code"
    cc -shared -fPIC -O1 -o escape.so "$SRCDIR/tests/tools/escape.c" -ldl
    for command in "dump -q --live 7" "dump -q --pause --live 7" "validate -q --live 7" \
        "watch --count 1 --live 7" "replay -q --domid 7 $FAKEXEN_CORE" "report -q --live 7"; do
        # shellcheck disable=SC2086
        LD_PRELOAD=$BATS_FILE_TMPDIR/fakexen.so:$PWD/escape.so FAKEXEN_STATE=suspended \
            run --separate-stderr "$XBDSNAP" $command
        [ "$status" -eq 0 ]
        for attempt in open create connect signal code exec hypercall; do
            grep -q "^escape: $attempt: Operation not permitted" <<<"$stderr" ||
                grep -q "^escape: $attempt: Permission denied" <<<"$stderr"
        done
    done
    [ "$(sort -u log)" = "$(printf 'pause\nunpause')" ]
}

@test "p2m: the table, by two processes that are bounded by the domain's pages" {
    sanitized=$(grep -c __asan_init "$XBDSNAP") || true
    # 192 MiB and 48 bytes for each of 32768 pages; two minutes and a second for each 8 MiB.
    [ "$sanitized" -ne 0 ] || {
        strace -f -qq -o trace -e trace=prlimit64,setrlimit -E LD_PRELOAD="$BATS_FILE_TMPDIR/fakexen.so" \
            "$XBDSNAP" p2m -q --domid 7 -o out
        [ "$(grep -c "RLIMIT_DATA, {rlim_cur=$((192 * 1024 + 48 * 32))\*1024," trace)" -eq 2 ]
        [ "$(grep -c "RLIMIT_CPU, {rlim_cur=137," trace)" -eq 1 ]
        rm out
    }
    xbdsnap p2m -q --domid 7 -o out
    xz -dc "$SRCDIR/tests/fixtures/real/linux-6.1-base/source-p2m.bin.xz" | cmp - out
}

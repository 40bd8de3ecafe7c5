#!/usr/bin/env bats
# --log=journal: entries with fields, taken by a socket of the test's own.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || exit 1
    zstd -qdf -o good.save "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst"
    head -c 3000000 good.save >cut.save
    truncate -s 1M small.raw # less than the guest knows it
}

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    ln -s "$BATS_FILE_TMPDIR"/* .
    : >entries
    python3 "$SRCDIR/tests/tools/journal_socket.py" socket entries 3>&- &
    journal=$!
    until [ -S socket ]; do sleep 0.02; done
}

teardown() { kill "$journal" 2>/dev/null || true; }

entries() { # entries COUNT FILTER: of all that came, once there are so many
    for _ in $(seq 100); do
        [ "$(wc -l <entries)" -lt "$1" ] || break
        sleep 0.02
    done
    [ "$(wc -l <entries)" -eq "$1" ]
    jq -c "$2" entries
}

@test "validate: an entry a finding, and the verdict" {
    run -3 "$XBDSNAP" validate -J --log=journal:socket --disk xvda=small.raw good.save
    count=$(jq '.findings | length' <<<"$output")
    [ "$(entries $((count + 1)) 'select(.XBDSNAP_RULE == "XB402") | [.PRIORITY, .XBDSNAP_SEVERITY,
        .XBDSNAP_DEVICE, .XBDSNAP_COMMAND, .XBDSNAP_SOURCE, .SYSLOG_IDENTIFIER]' | head -n 1)" = \
        '["3","error","xvda","validate","good.save","xbdsnap"]' ]
    jq -r '.findings[] | .rule + " " + .device + ": " + .message' <<<"$output" >want
    jq -r 'select(.XBDSNAP_RULE) | .MESSAGE' entries | sed 's/^good.save: [a-z]* //' | diff want -
    tail -n 1 entries | jq -e --argjson all "$(jq .counts <<<"$output")" \
        '.XBDSNAP_VERDICT == "unsafe" and .XBDSNAP_STATUS == "3" and .PRIORITY == "3" and
        .XBDSNAP_ERRORS == ($all.error | tostring) and .XBDSNAP_NOTES == ($all.note | tostring)'
    : >entries
    "$XBDSNAP" validate -q --log=journal:socket good.save
    [ "$(entries 1 '[.XBDSNAP_VERDICT, .PRIORITY, .MESSAGE]')" = \
        '["safe","6","good.save: 1 device, 20 pending requests: 0 errors, 0 warnings, 0 notes; 1 not evaluated"]' ]
}

@test "validate: what cannot be opened is told, and a fleet file by file" {
    run -5 "$XBDSNAP" validate -q --log=journal:socket cut.save
    [ "$(entries 2 '[.PRIORITY, .XBDSNAP_RULE, .XBDSNAP_STATUS, .XBDSNAP_SOURCE]')" = \
        $'["3","XB001",null,"cut.save"]\n["3",null,"5","cut.save"]' ]
    : >entries
    run -5 "$XBDSNAP" validate -q --log=journal:socket small.raw
    [ "$(entries 1 '[.PRIORITY, .XBDSNAP_STATUS, .XBDSNAP_VERDICT]')" = '["3","5",null]' ]
    : >entries
    run -6 "$XBDSNAP" validate -q --json-lines --log=journal:socket good.save cut.save none.save
    [ "$(entries 4 'select(.XBDSNAP_SOURCE != "cut.save") | [.XBDSNAP_SOURCE, .XBDSNAP_STATUS]' |
        sort)" = $'["good.save","0"]\n["none.save","6"]' ]
}

@test "a newline in a name does not make a field" {
    mv good.save $'a\nPRIORITY=0.save'
    "$XBDSNAP" validate -q --log=journal:socket $'a\nPRIORITY=0.save'
    [ "$(entries 1 '[.PRIORITY, .XBDSNAP_SOURCE, .MESSAGE[:35]]')" = \
        '["6","a\nPRIORITY=0.save","a\nPRIORITY=0.save: 1 device, 20 pen"]' ]
}

@test "a log without fields has them in its line, and nothing of a name breaks it" {
    python3 "$SRCDIR/tests/tools/journal_socket.py" log lines line 3>&- &
    daemon=$!
    until [ -S log ]; do sleep 0.02; done
    mv good.save $'a"\\\nb.save'
    "$XBDSNAP" validate -q --log=syslog:log $'a"\\\nb.save'
    run -3 "$XBDSNAP" validate -q --log=syslog:log --disk xvda=small.raw --rule XB402=warn \
        --rule XB403=error $'a"\\\nb.save'
    for _ in $(seq 100); do
        [ "$(wc -l <lines)" -lt 3 ] || break
        sleep 0.02
    done
    kill "$daemon"
    jq -r . lines
    [[ $(jq -r . lines | head -n 1) =~ ^'<30>xbdsnap['[0-9]+']: a"\?b.save: 1 device, 20 pending requests: 0 errors, 0 warnings, 0 notes; 1 not evaluated command="validate" source="a\"\\?b.save" verdict="safe" status="0" errors="0" warnings="0" notes="0"'$ ]]
    jq -r . lines | grep -qE '^<28>xbdsnap\[[0-9]+\]: .* warning XB402 xvda: .* rule="XB402" severity="warning" device="xvda"$'
    jq -r . lines | tail -n 1 | grep -qE '^<27>.* verdict="unsafe" status="3" errors="[1-9]'
}

@test "guard: both processes tell" {
    "$XBDSNAP" guard -q --log=journal:socket <good.save | cmp - good.save
    [ "$(entries 2 '[.XBDSNAP_COMMAND, .XBDSNAP_VERDICT, .XBDSNAP_HELD]' | sort)" = \
        $'["guard","safe","no"]\n["guard","safe",null]' ]
    : >entries
    echo sectors=8 >caps
    run -3 sh -c '"$XBDSNAP" guard -q --veto=error --wait=600 --target-caps caps --log=journal:socket \
        <good.save >got'
    entries "$(wc -l <entries)" 'select(.XBDSNAP_RULE) | .PRIORITY' | grep -q '"3"'
    [ "$(jq -c 'select(.XBDSNAP_HELD) | [.XBDSNAP_VERDICT, .XBDSNAP_HELD, .PRIORITY, .XBDSNAP_BYTES]' \
        entries)" = "[\"unsafe\",\"yes\",\"3\",\"$(stat -c %s got)\"]" ]
    : >entries
    "$XBDSNAP" guard -q --log=journal:socket </etc/passwd | cmp - /etc/passwd
    [ "$(entries 1 '[.XBDSNAP_VERDICT, .PRIORITY]')" = '["not judged","4"]' ]
}

@test "without a journal validate does nothing, and guard passes the stream" {
    run -6 "$XBDSNAP" validate --log=journal:nowhere good.save
    [[ $output == *"--log: nowhere: nobody takes entries there: No such file or directory"* ]]
    run -0 --separate-stderr sh -c '"$XBDSNAP" guard --log=journal:nowhere <good.save | cmp - good.save'
    [[ $stderr == *"nobody takes entries there"* ]]
    run -2 "$XBDSNAP" validate --log=syslo good.save
    run -2 "$XBDSNAP" validate --log=syslog: good.save
    run -2 "$XBDSNAP" validate --log=journal: good.save
    run -2 "$XBDSNAP" validate "--log=journal:$(printf '%0200d' 0)" good.save
}

@test "a journal that takes nothing more costs a note and no verdict" {
    kill "$journal"
    wait "$journal" || true
    python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("deaf")
time.sleep(600)' 3>&- &
    journal=$!
    until [ -S deaf ]; do sleep 0.02; done
    for i in $(seq 30); do ln -s good.save "$i.save"; done
    run -0 --separate-stderr "$XBDSNAP" validate -q --json-lines --log=journal:deaf [0-9]*.save
    run -0 --separate-stderr "$XBDSNAP" validate --json-lines --log=journal:deaf [0-9]*.save
    [ "$(grep -c "the journal took no entry" <<<"$stderr")" -eq 1 ]
    [ "${#lines[@]}" -eq 30 ]
}

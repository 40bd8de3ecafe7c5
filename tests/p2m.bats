#!/usr/bin/env bats
# The command p2m, as far as a host without Xen can show it.

@test "p2m wants the number of a domain" {
    run "$XBDSNAP" p2m
    [ "$status" -eq 2 ]
    [[ "$output" == *"--domid N"* ]]
    for bad in -1 32752 1x ""; do
        run "$XBDSNAP" p2m --domid "$bad" -o "$BATS_TEST_TMPDIR/p2m"
        [ "$status" -eq 2 ]
    done
    run "$XBDSNAP" p2m --domid 1 file
    [ "$status" -eq 2 ]
}

@test "without Xen p2m and dump --domid say so and write nothing" {
    [ -e /proc/xen/capabilities ] && skip "this is a Xen host"
    run "$XBDSNAP" p2m --domid 1 -o "$BATS_TEST_TMPDIR/p2m"
    # 6: no hypervisor to talk to; 4: built without Xen support.
    if [[ "$output" == *"built without Xen support"* ]]; then
        [ "$status" -eq 4 ]
    else
        [ "$status" -eq 6 ]
        [[ "$output" == *"cannot talk to the hypervisor"* ]]
    fi
    [ -z "$(ls -A "$BATS_TEST_TMPDIR")" ]
    python3 "$SRCDIR/tests/tools/mkxen2.py" "$BATS_TEST_TMPDIR/image.save"
    expected=$status
    run "$XBDSNAP" dump --domid 1 "$BATS_TEST_TMPDIR/image.save"
    [ "$status" -eq "$expected" ]
}

@test "dump takes one target" {
    run "$XBDSNAP" dump --domid 1 --p2m /dev/null image.save
    [ "$status" -eq 2 ]
    run "$XBDSNAP" dump --domid x image.save
    [ "$status" -eq 2 ]
}

@test "dump --p2m translates, and says where there is no frame" {
    python3 "$SRCDIR/tests/tools/mkxen2.py" "$BATS_TEST_TMPDIR/image.save" --seed 3
    python3 - "$BATS_TEST_TMPDIR/p2m" <<'EOF'
import struct
import sys
with open(sys.argv[1], 'wb') as f:
    for pfn in range(1024):
        f.write(struct.pack('<Q', 0xffffffffffffffff if pfn % 7 == 0 else 0x900000 + pfn))
EOF
    "$XBDSNAP" dump -J --p2m "$BATS_TEST_TMPDIR/p2m" "$BATS_TEST_TMPDIR/image.save" \
        >"$BATS_TEST_TMPDIR/dump.json"
    python3 - "$BATS_TEST_TMPDIR/dump.json" <<'EOF'
import json
import sys
doc = json.load(open(sys.argv[1]))
seen = 0
for device in doc['devices']:
    for request in device['requests']:
        for segment in request['segments']:
            pfn = int(segment['pfn'], 0)
            want = None if pfn % 7 == 0 else hex(0x900000 + pfn)
            assert segment['target_mfn'] == want, (segment, want)
            seen += 1
assert seen > 20, seen
EOF
}

table() { # table FILE ENTRIES EXPRESSION-OF-pfn
    python3 -c '
import struct, sys
with open(sys.argv[1], "wb") as f:
    for pfn in range(int(sys.argv[2])):
        f.write(struct.pack("<Q", eval(sys.argv[3])))' "$@"
}

# bats test_tags=long
@test "a file that cannot be the guest's table is refused" {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR"
    python3 "$SRCDIR/tests/tools/mkxen2.py" image.save --seed 3
    last=$(("$("$XBDSNAP" info -J image.save | jq .guest.nr_pfns)" - 1))
    : >empty
    seq -f "%015.0f" 512 >text
    table odd $((last + 1)) 0x900000+pfn
    printf 1234 >>odd
    table short "$last" 0x900000+pfn
    table constant $((last + 1)) 5
    table pairs $((last + 1)) 'pfn // 3'
    table beyond $((last + 1)) '1 << 52 if pfn == 7 else pfn'
    table foreign $((last + 1)) '1 << 63 | 7 if pfn == 7 else pfn'
    for file in empty text odd short constant pairs beyond foreign; do
        for command in dump validate replay; do
            run -3 --separate-stderr "$XBDSNAP" "$command" --p2m "$file" image.save
            [ -z "$output" ]
            [[ $stderr == *"p2m table '$file': "* ]]
        done
        echo "$stderr" >"$file.why"
    done
    grep "0 entries, but the guest has a page 0x$(printf %x "$last")" empty.why
    grep "0x[0-9a-f]* at byte 0 is no machine frame" text.why
    grep "$((8 * last + 12)) bytes are not a multiple of 8" odd.why
    grep "$last entries, but the guest has a page 0x$(printf %x "$last")" short.why
    grep "$last of its $((last + 1)) frames stand there more than once" constant.why
    grep "0x10000000000000 at byte 56 is no machine frame" beyond.why
    grep "0x8000000000000007 at byte 56 is no machine frame" foreign.why
}

@test "a table that names few frames twice is doubted" {
    bats_require_minimum_version 1.5.0
    cd "$BATS_TEST_TMPDIR"
    python3 "$SRCDIR/tests/tools/mkxen2.py" image.save --seed 3
    table good 1024 '-pfn % 1024'
    table twice 1024 '0x900007 if pfn == 9 else 0x900000 + pfn'
    "$XBDSNAP" validate -J --p2m good image.save |
        jq -e '[.findings[].rule] | index("XB523") == null'
    "$XBDSNAP" validate -J --p2m twice image.save |
        jq -e '.findings[] | select(.rule == "XB523") | .severity == "warning" and
            (.message | endswith("1 of 1024 frames stand there more than once"))'
    run --separate-stderr "$XBDSNAP" dump --p2m twice image.save
    [[ $stderr == *"XB523: twice: 1 of 1024 frames"* ]]
}

@test "there is nothing to translate for a guest that is not PV" {
    bats_require_minimum_version 1.5.0
    zstd -qdo "$BATS_TEST_TMPDIR/pvh.save" "$SRCDIR/tests/fixtures/linux-6.1-pvh/checkpoint.save.zst"
    cd "$BATS_TEST_TMPDIR"
    table table 8 pfn
    run -0 --separate-stderr "$XBDSNAP" dump -J --p2m table pvh.save
    [[ $stderr == *"this is no PV guest: its pfns are its frames, table is not used"* ]]
    jq -e '[.devices[].requests[].segments[] | .target_mfn] | length > 0 and all(. == null)' <<<"$output"
}

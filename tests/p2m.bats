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

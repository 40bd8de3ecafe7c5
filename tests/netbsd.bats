#!/usr/bin/env bats
# NetBSD's recovery ring of Xen 2.0 through the command line.

setup() {
    real=${XBDSNAP_CACHE:-/nonexistent}/xen2-netbsd
    truth=${CHECKPOINTS:-/nonexistent}/xen2-netbsd/truth.json
}

dump_ok() { # dump_ok TRUTH OPTIONS...: dump -J ends 0 and tells the truth
    local truth=$1
    shift
    "$XBDSNAP" dump -J "$@" >"$BATS_TEST_TMPDIR/dump.json"
    python3 "$SRCDIR/tests/tools/netbsd-truth.py" "$BATS_TEST_TMPDIR/dump.json" "$truth" $every
}

make_image() { # make_image OPTIONS...
    img=$BATS_TEST_TMPDIR/image.save elf=$BATS_TEST_TMPDIR/netbsd truth=$BATS_TEST_TMPDIR/truth.json
    python3 "$SRCDIR/tests/tools/mkxen2.py" "$img" --elf "$elf" --truth "$truth" "$@"
}

of_dump() { # of_dump EXPRESSION: evaluated with the last dump as d
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
        "$BATS_TEST_TMPDIR/dump.json" "$1"
}

# bats test_tags=long
@test "the original driver's image, by symbols, by scan, by both" {
    [ -e "$real/image.save" ] || skip "no checkpoints"
    every=--every
    dump_ok "$truth" --kernel "$real/netbsd.syms" --locate=symbols "$real/image.save"
    [ "$(of_dump 'd["devices"][0]["located_by"]')" = elf-symbols ]
    dump_ok "$truth" --locate=scan "$real/image.save"
    [ "$(of_dump 'd["devices"][0]["located_by"]')" = scan ]
    dump_ok "$truth" --kernel "$real/netbsd.syms" "$real/image.save"
    [ "$(of_dump 'd["devices"][0]["confirmed"], d["every_page"], d["doubt"]')" = "(True, False, None)" ]
    [ "$(of_dump 'd["devices"][0]["confirmed_by"]')" = "['configuration', 'structure', 'ring']" ]
    dump_ok "$truth" --kernel "$real/netbsd.syms" --locate=both "$real/image.save"
    [ "$(of_dump 'd["devices"][0]["confirmed"], d["every_page"]')" = "(True, True)" ]
    [ "$(of_dump 'd["devices"][0]["confirmed_by"]')" = "['configuration', 'structure', 'ring', 'scan']" ]
    dump_ok "$truth" "$real/image.save"
    [ "$(of_dump '[x["vdev"] for x in d["devices"]]')" = "['hda1', 'hda2']" ]
    [ "$(of_dump 'd["findings"]')" = "[]" ]
}

@test "a recovery ring with a fault has every page looked at" {
    doubt() { # doubt FAULTS DOUBT
        make_image --seed 21 ${1:+--with "$1"}
        "$XBDSNAP" dump -J --kernel "$elf" "$img" >"$BATS_TEST_TMPDIR/dump.json" || true
        [ "$(jq -r '[.every_page, .doubt] | join(" ")' "$BATS_TEST_TMPDIR/dump.json")" = "true $2" ]
    }
    doubt cycle "the recovery ring does not have the structure of one"
    doubt noring "the shared ring and the recovery ring do not agree"
    # Its configuration names one disk of two.
    doubt "" "the driver's list has hda2, the configuration does not"
}

@test "the original driver's image, reduced, says the same" {
    [ -e "$real/image.save" ] || skip "no checkpoints"
    "$XBDSNAP" redact "$real/image.save" "$BATS_TEST_TMPDIR/small.save"
    every=--every
    dump_ok "$truth" "$BATS_TEST_TMPDIR/small.save"
}

# bats test_tags=long
@test "made-up guests, by both ways" {
    for seed in 21 22 23; do
        make_image --seed $seed
        dump_ok "$truth" --kernel "$elf" "$img"
        [ "$(of_dump 'd["guest"]["os"], d["guest"]["release"]')" = "('NetBSD', '3.99.21')" ]
        [ "$(of_dump 'd["devices"][0]["state"]')" = connected ]
        dump_ok "$truth" "$img"
    done
}

@test "the text shows a question mark where the sector is lost" {
    make_image --seed 24 --with noring --with noxbdreqs
    run "$XBDSNAP" dump -o SLOT,SECTOR,FROM --kernel "$elf" "$img"
    [ "$status" -eq 0 ]
    [[ "$output" == *"?"* ]]
    dump_ok "$truth" --kernel "$elf" "$img"
    [ "$(of_dump '{r["sector"] for x in d["devices"] for r in x["requests"]}')" = "{None}" ]
}

@test "no recovery ring yet is no error" {
    make_image --with null
    run "$XBDSNAP" dump -J --kernel "$elf" "$img"
    [ "$status" -eq 0 ]
    [[ "$output" == *XB208* ]]
    # Without the kernel file there is nothing to see.
    run "$XBDSNAP" dump "$img"
    [ "$status" -eq 4 ]
}

@test "the kernel file of another guest" {
    make_image --seed 25
    cp "$elf" "$BATS_TEST_TMPDIR/other"
    python3 - "$BATS_TEST_TMPDIR/other" <<'EOF'
import struct
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
# Every symbol lies a page further on: zeroes there.
table = struct.unpack_from('<I', data, struct.unpack_from('<I', data, 32)[0] + 40 + 16)[0]
size = struct.unpack_from('<I', data, struct.unpack_from('<I', data, 32)[0] + 40 + 20)[0]
for at in range(table + 16, table + size, 16):
    value = struct.unpack_from('<I', data, at + 4)[0]
    struct.pack_into('<I', data, at + 4, value + 5 * 4096)
open(sys.argv[1], 'wb').write(data)
EOF
    "$XBDSNAP" dump -J --kernel "$BATS_TEST_TMPDIR/other" "$img" >"$BATS_TEST_TMPDIR/dump.json"
    python3 "$SRCDIR/tests/tools/netbsd-truth.py" "$BATS_TEST_TMPDIR/dump.json" "$truth"
    [ "$(of_dump '"XB210" in {f["rule"] for f in d["findings"]}')" = True ]
}

damage() { # damage KEY OFFSET VALUE: a 32-bit word in the page of that name in the truth
    python3 - "$img" "$truth" "$@" <<'EOF'
import json
import struct
import sys
data = bytearray(open(sys.argv[1], 'rb').read())
truth = json.load(open(sys.argv[2]))
key, offset, value = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
# The page by its content: the ring begins with its indices, which stand behind rec_ring too; a
# slot of the log holds garbage.
if key == 'blk_ring':
    want = struct.pack('<II', truth['req_prod'], truth['resp_prod'])
    own = struct.pack('<I', truth['rec_ring'])
    [at] = [i for i in range(4, len(data)) if data[i:i + 8] == want and data[i - 4:i] != own]
else:
    r = truth['pending'][0]
    at = data.index(struct.pack('<Q', r['recorded_sector'])) - 8 - 60 * r['slot']
struct.pack_into('<I', data, at + offset, value)
open(sys.argv[1], 'wb').write(data)
EOF
}

@test "a damaged ring is found and said, without the kernel file" {
    make_image --seed 31
    pending=$(jq '.pending | length' "$truth")
    damage blk_ring 4 $(($(jq .req_prod "$truth") + 9))
    "$XBDSNAP" dump -J "$img" >"$BATS_TEST_TMPDIR/dump.json"
    jq -e --argjson n "$pending" --slurpfile t "$truth" \
        '([.devices[].requests | length] | add) == $n and
         (.devices[0].rings[0] | .sring_rsp_prod == $t[0].req_prod + 9 and
          .req_prod_pvt == $t[0].req_prod and .rsp_cons == $t[0].resp_cons)' \
        "$BATS_TEST_TMPDIR/dump.json"
    run "$XBDSNAP" validate "$img"
    [ "$status" -eq 3 ]
    [[ $output == *"error XB107 hda1 ring 0: "* ]]
    [[ $output != *"not in the checkpoint"* ]]
}

@test "one bad word of the log hides no other request" {
    make_image --seed 32
    pending=$(jq '.pending | length' "$truth")
    slot=$(jq '.pending[2].slot' "$truth")
    damage rec_ring $((60 * slot + 4)) 3000
    "$XBDSNAP" dump -J "$img" >"$BATS_TEST_TMPDIR/dump.json"
    [ "$(of_dump 'sum(len(x["requests"]) for x in d["devices"])')" -eq $((pending - 1)) ]
    run "$XBDSNAP" validate "$img"
    [ "$status" -eq 3 ]
    [[ $output == *"error XB102 hda1 ring 0 slot $slot: slot $slot holds no request, is not on the free list, and leads to 0xbb8"* ]]
}

@test "what was never read is null, not 0" {
    make_image --seed 33 --with noring
    "$XBDSNAP" dump -J "$img" >"$BATS_TEST_TMPDIR/dump.json"
    jq -e '.devices[0].rings[0] |
        [.req_prod_pvt, .rsp_cons, .sring_req_prod, .sring_rsp_prod, .pages[0]] |
        all(. == null)' "$BATS_TEST_TMPDIR/dump.json"
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" \
        "$BATS_TEST_TMPDIR/dump.json"
    run "$XBDSNAP" dump -v "$img"
    [[ $output == *"own indices unknown, shared page not found"* ]]
    run "$XBDSNAP" validate -v "$img"
    [[ $output == *"warning XB214 xbd: no page of the checkpoint holds what the recovery ring has logged"* ]]
    [[ $output == *"not evaluated XB107 hda1: the shared ring was not found"* ]]
    # By the kernel file it is known where it ought to be.
    run "$XBDSNAP" validate -v --kernel "$elf" "$img"
    [[ $output == *"not evaluated XB107 hda1: the shared ring is not in the checkpoint"* ]]
}

@test "pages listed and missing that do not add up are XB022" {
    cd "$BATS_TEST_TMPDIR"
    zstd -qdo image "$SRCDIR/tests/fixtures/xen2-netbsd/checkpoint.save.zst"
    ! "$XBDSNAP" validate -J image | grep XB022
    python3 - <<'END'
import struct
data = open("image", "rb").read()
# no further batch; three pfns were missing, and one less is said
at = data.rindex(struct.pack("<iI", 0, 3))
open("short", "wb").write(data[:at] + struct.pack("<iI", 0, 2) + data[at + 8:at + 16] + data[at + 20:])
END
    "$XBDSNAP" validate -J short >doc || [ $? -le 3 ]
    jq -r '.findings[] | select(.rule == "XB022") | .message' doc |
        grep "2 missing make 2047, expected 2048 pfns"
}

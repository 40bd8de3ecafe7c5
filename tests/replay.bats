#!/usr/bin/env bats
# replay: the plan and its order, edited plans, the ring for the target host.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

image() { # path of a real checkpoint, or skip
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    [ -e "$XBDSNAP_CACHE/$1/image.save" ] || skip "no $1"
    image=$XBDSNAP_CACHE/$1/image.save
}

# bats test_tags=long
@test "the plan is the dump's requests, each once, in the order of resume" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    for dir in "$XBDSNAP_CACHE"/*/; do
        "$XBDSNAP" dump -J "$dir/image.save" >dump.json
        run --separate-stderr "$XBDSNAP" replay -J "$dir/image.save"
        [ "$status" -eq 0 ] || [ "$status" -eq 3 ]
        echo "$output" >plan.json
        python3 - <<'EOF'
import json
dump, plan = (json.load(open(f)) for f in ('dump.json', 'plan.json'))
want = []
netbsd = []
for d in dump['devices']:
    reqs = d['requests']
    key = lambda r: (d['vdev'], False, r['ring'], r['slot'])
    if d['frontend'] == 'netbsd-xbd':
        netbsd += [(r['slot'], key(r)) for r in reqs]
        continue
    whole = [r for r in reqs if r['op'] in ('flush', 'discard', 'barrier') or 'fua' in r['flags']]
    turn = 1 if tuple(map(int, dump['guest']['release'].split('.')[:2])) >= (6, 5) else -1
    want += [key(r) for r in sorted(
        whole, key=lambda r: (r['op'] != 'flush', turn * r['ring'], turn * r['slot']))]
    want += [(d['vdev'], True, r['ring'], r['slot']) for r in d.get('queued') or []]
    want += [key(r) for r in sorted((r for r in reqs if r not in whole),
                                    key=lambda r: (r['ring'], r['slot']))]
want = [k for _, k in sorted(netbsd)] + want
have = [(i['device'], i['queued'], i['ring'], i['slot']) for i in plan['plan']]
assert have == want, (have, want)
assert [i['step'] for i in plan['plan']] == list(range(1, len(have) + 1))
# Hazards, by comparing each with each.
items = plan['plan']
for i in items:
    over = race = False
    for j in items:
        if i is j or i['device'] != j['device'] or None in (i['sector'], j['sector']):
            continue
        if i['sector'] < j['sector'] + j['nr_sectors'] and j['sector'] < i['sector'] + i['nr_sectors']:
            writes = sum(x['op'] in ('write', 'discard', 'barrier') for x in (i, j))
            over |= writes == 2
            race |= writes == 1
    assert ('overlap' in i['hazards']) == over and ('race' in i['hazards']) == race, i
EOF
    done
}

@test "a flush goes first and marks the writes beside it" {
    image linux-6.1-flush
    run -0 --separate-stderr "$XBDSNAP" replay "$image"
    [[ $stderr == *"may overtake the others"* ]]
    [[ ${lines[1]} =~ ^\ *1\ +xvda\ +0\ +3\ +pending\ +flush ]]
    [[ ${lines[1]} == *"put back, a flush first"* ]]
    "$XBDSNAP" replay -J "$image" >j
    [ "$(jq -c '[.plan[] | [.op, .stream]] | unique' j)" = \
        '[["flush","put-back"],["read","data"],["write","data"]]' ]
    [ "$(jq -r '[.plan[] | select(.op == "write")] | all(.hazards | index("flush"))' j)" = true ]
    [ "$(jq -r '[.plan[] | select(.op == "read")] | any(.hazards | index("flush"))' j)" = false ]
}

# bats test_tags=long
@test "an edited plan keeps its order; a changed, doubled or foreign item is refused" {
    image linux-6.1-flush
    "$XBDSNAP" replay -J "$image" >j
    jq '.plan |= (reverse | .[1:])' j >edited
    "$XBDSNAP" replay -J --plan edited "$image" >again
    [ "$(jq -c '[.plan[] | [.ring, .slot]]' again)" = "$(jq -c '[.plan[] | [.ring, .slot]]' edited)" ]
    jq '.plan[1].sector += 1' j >bad
    run -3 "$XBDSNAP" replay --plan bad "$image"
    [[ $output == *'"sector" is not what the checkpoint says'* ]]
    jq '.plan[1].segments[0].pfn = "0x1"' j >bad
    run -3 "$XBDSNAP" replay --plan bad "$image"
    jq 'del(.plan[1].op)' j >bad
    run -3 "$XBDSNAP" replay --plan bad "$image"
    jq '.plan[1] = .plan[2]' j >bad
    run -3 "$XBDSNAP" replay --plan bad "$image"
    [[ $output == *"stands there twice"* ]]
    jq '.plan[0].slot = 31' j >bad
    run -3 "$XBDSNAP" replay --plan bad "$image"
    echo '{"plan": 1}' >bad
    run -2 "$XBDSNAP" replay --plan bad "$image"
    run -6 "$XBDSNAP" replay --plan absent "$image"
}

# bats test_tags=long
@test "a plan is read as strictly as it is written" {
    image linux-6.1-flush
    "$XBDSNAP" replay -J "$image" >j
    run -0 "$XBDSNAP" replay --plan <(jq -c . j) "$image"
    jq '{plan}' j >bare
    run -0 "$XBDSNAP" replay --plan bare "$image"
    no() { # no STATUS WORDS: of the file bad
        run "-$1" "$XBDSNAP" replay --plan bad "$image"
        [[ $output == *"$2"* && $output != *'\x0a'* ]]
    }
    for value in NaN 3.0 -3 '"3"' null true '[3]' 18446744073709551619; do
        jq '.plan[0].slot = "SLOT"' j | sed "s/\"SLOT\"/$value/" >bad
        no 3 "item 1 "
    done
    jq '.plan[0] = null' j >bad
    no 3 "item 1 is no object"
    jq '.plan += [.plan[0]]' j >bad
    no 3 "7 items, of 6"
    cat j j >bad
    no 2 "bad: not JSON at byte"
    { cat j; echo garbage; } >bad
    no 2 "bad: not JSON at byte"
    sed '0,/"plan"/s//"plan":[],"plan"/' j >bad
    no 2 "a name stands twice"
    sed '0,/"hazards"/s//"sector":7,"hazards"/' j >bad
    no 2 "a name stands twice"
    printf '[%.0s' $(seq 100000) >bad
    no 2 "nesting too deep"
    : >bad
    no 2 "not JSON at byte 0"
    echo '["plan"]' >bad
    no 2 'it has no list "plan"'
    jq '.schema = "xbdsnap/2"' j >bad
    no 2 'another "schema"'
    jq '.guest.monotonic_ns += 1' j >bad
    no 3 'another checkpoint: "monotonic_ns"'
    jq '.guest.uuid = null' j >bad
    no 3 'another checkpoint: "uuid"'
    jq '.guest = 1' j >bad
    no 3 "another checkpoint"
    # Endless, and out of proportion.
    run -2 timeout 60 "$XBDSNAP" replay --plan /dev/zero "$image"
    [[ $output == *"longer than"* ]]
}

@test "the ring is what the recovery code writes, with the true sectors" {
    image xen2-netbsd
    [ -n "${CHECKPOINTS:-}" ] || skip "no truth"
    truth=$CHECKPOINTS/xen2-netbsd
    run -0 "$XBDSNAP" replay --ring ring --p2m "$truth/target-p2m.bin" "$image"
    cmp ring "$truth/ring.bin"
    # Never over an existing file, unless asked.
    echo mine >ring
    run -3 "$XBDSNAP" replay --ring ring --p2m "$truth/target-p2m.bin" "$image"
    [ "$(cat ring)" = mine ]
    run -0 "$XBDSNAP" replay --force --ring ring --p2m "$truth/target-p2m.bin" "$image"
    cmp ring "$truth/ring.bin"
}

@test "a frame that the target lacks: refused, or left out when asked" {
    image xen2-netbsd
    [ -n "${CHECKPOINTS:-}" ] || skip "no truth"
    cp "$CHECKPOINTS/xen2-netbsd/target-p2m.bin" p2m
    chmod u+w p2m
    # A page of the request in slot 0, which comes first.
    pfn=$("$XBDSNAP" replay -J "$image" | jq -r '.plan[0].segments[0].pfn')
    printf '\377\377\377\377\377\377\377\377' | dd of=p2m bs=8 seek=$((pfn)) conv=notrunc status=none
    run -3 "$XBDSNAP" replay --ring ring --p2m p2m "$image"
    [[ $output == *"slot 0 of "*"no frame for a page"*"--skip-unknown"* ]]
    [ ! -e ring ]
    run -0 "$XBDSNAP" replay --skip-unknown --ring ring --p2m p2m "$image"
    [ "$(od -An -tu4 -N4 ring | tr -d ' ')" -eq 29 ]
    # The second request of the whole ring is now the first.
    cmp -n 60 ring "$CHECKPOINTS/xen2-netbsd/ring.bin" 8 68
}

@test "a sector that stays unknown: refused, or left out when asked" {
    python3 "$SRCDIR/tests/tools/mkxen2.py" image --elf kernel --truth truth --seed 25 --with noxbdreqs --with reissued
    python3 -c 'import struct
open("p2m", "wb").write(b"".join(struct.pack("<Q", 5000 + i) for i in range(1024)))'
    run -3 --separate-stderr "$XBDSNAP" replay -J --kernel kernel image
    echo "$output" >j
    lost=$(jq '[.plan[] | select(.sector == null)] | length' j)
    all=$(jq '.plan | length' j)
    [ "$lost" -ge 2 ]
    [ "$all" -ge $((lost + 2)) ]
    run -3 "$XBDSNAP" replay --kernel kernel --ring ring --p2m p2m image
    [[ $output == *": its sector is not known; --skip-unknown leaves such requests out"* ]]
    [ ! -e ring ]
    run -0 "$XBDSNAP" replay --kernel kernel --skip-unknown --ring ring --p2m p2m image
    [[ $output == *"$lost requests left out"* ]]
    # Slot by slot: the index in the log, the sector, and the frame of the first page.
    python3 - <<'EOF'
import json, struct
ring, plan = open("ring", "rb").read(), json.load(open("j"))["plan"]
kept = [i for i in plan if i["sector"] is not None]
assert struct.unpack_from("<II", ring) == (len(kept), 0)
for n, i in enumerate(kept):
    slot, sector, word = struct.unpack_from("<4xIQI", ring, 8 + 60 * n)
    assert (slot, sector) == (i["slot"], i["sector"])
    assert word >> 12 == 5000 + int(i["segments"][0]["pfn"], 16)
assert not any(ring[8 + 60 * len(kept):])
EOF
}

@test "Linux grants anew: no ring can be foretold" {
    image linux-6.1-base
    xz -dc "$CHECKPOINTS/linux-6.1-base/source-p2m.bin.xz" >p2m
    run -4 "$XBDSNAP" replay --ring ring --p2m p2m "$image"
    [[ $output == *"grants its pages anew"* ]]
    [ ! -e ring ]
}

@test "usage" {
    run -2 "$XBDSNAP" replay
    run -2 "$XBDSNAP" replay --ring x file
    run -2 "$XBDSNAP" replay --skip-unknown file
}

states() { # of an item's comparison, one a line: "op state"
    jq -r '.plan[] | select(.on_disk) | "\(.op) \(.on_disk.state)"' "$1" | sort | uniq -c | tr -s ' '
}

# bats test_tags=long
@test "before the restore no write has landed, after it each has; nothing is written" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    for name in base flush indirect mq nopersist pvh hvm; do
        image linux-6.1-$name
        dir=${image%/*}
        before=$(stat -c %y "$dir/disk-before.img")
        "$XBDSNAP" replay -J --disk "xvda=$dir/disk-before.img" "$image" >j
        [ "$(states j | grep -c ' write not-landed')" -eq 1 ]
        [ "$(states j | grep -c ' write ')" -eq 1 ]
        "$XBDSNAP" replay -J --disk "51712=$dir/disk-after.img" "$image" >j
        [ "$(states j | grep -c ' write landed')" -eq 1 ]
        [ "$(states j | grep -c ' write ')" -eq 1 ]
        [ "$(stat -c %y "$dir/disk-before.img")" = "$before" ]
    done
}

@test "a torn write is told with its bytes; a hole, a short disk too" {
    image linux-6.1-flush
    dir=${image%/*}
    cp --sparse=always "$dir/disk-before.img" disk
    # Slot 5: 88 sectors at 2000. Its sectors 3 to 9, and the last, land.
    dd if="$dir/disk-after.img" of=disk bs=512 skip=2003 seek=2003 count=7 conv=notrunc status=none
    dd if="$dir/disk-after.img" of=disk bs=512 skip=2087 seek=2087 count=1 conv=notrunc status=none
    "$XBDSNAP" replay -J --disk xvda=disk "$image" >j
    [ "$(jq -c '.plan[] | select(.slot == 5) | .on_disk' j)" = \
        '{"state":"torn","differs":[{"start":1024000,"end":1025536},{"start":1029120,"end":1068544}],"why":null}' ]
    [ "$(jq -c '[.plan[] | select(.on_disk.state == "torn") | .slot]' j)" = "[5]" ]
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    run -0 "$XBDSNAP" replay --disk xvda=disk "$image"
    [[ $output == *" torn "*"1024000-1025535,1029120-1068543"* ]]
    truncate -s 1000K disk
    "$XBDSNAP" replay -J --disk xvda=disk "$image" >j
    [ "$(jq -r '.plan[] | select(.slot == 5) | .on_disk.state' j)" = unknown ]
    [[ $(jq -r '.plan[] | select(.slot == 5) | .on_disk.why' j) == *"beyond the disk's 1024000 bytes" ]]
}

@test "a read's buffer is compared with the disk" {
    image linux-6.1-flush
    dir=${image%/*}
    "$XBDSNAP" replay -J --disk "xvda=$dir/disk-before.img" "$image" >j
    [ "$(jq -r '.plan[] | select(.op == "read") | .on_disk.state' j)" = not-filled ]
    cp --sparse=always "$dir/disk-before.img" disk
    "$XBDSNAP" extract --slot 1 -o data "$image"
    dd if=data of=disk bs=512 seek=1200 conv=notrunc status=none
    "$XBDSNAP" replay -J --disk xvda=disk "$image" >j
    [ "$(jq -r '.plan[] | select(.op == "read") | .on_disk.state' j)" = filled ]
}

@test "data that an I/O scheduler may sort has no certain order" {
    n=0
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    for pair in base:mq-deadline ext4:mq-deadline hvm:mq-deadline pvh:mq-deadline mq:none; do
        image "linux-6.1-${pair%:*}"
        "$XBDSNAP" replay -J "$image" >j
        [ "$(jq -r '[.devices[].scheduler] | unique | join(",")' j)" = "${pair#*:}" ]
        known=false
        [ "${pair#*:}" != none ] || known=true
        [ "$(jq -c '[.plan[] | select(.op == "write" or .op == "read") | .order_known] | unique' j)" = "[$known]" ]
        n=$((n + 1))
    done
    [ $n -eq 5 ]
}

# bats test_tags=long
@test "a target with narrower requests gets the data in parts" {
    image linux-6.1-indirect
    echo feature-flush-cache=1 >caps # no indirect segments
    run -0 "$XBDSNAP" replay -J --target-caps caps "$image"
    echo "$output" >j
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    python3 - j 11 <<'EOF'
import json, sys
plan, limit = json.load(open(sys.argv[1]))["plan"], int(sys.argv[2])
most = 0
for item in plan:
    # Sector by sector: a part ends where another page would be one too many.
    page = [n for n, s in enumerate(item["segments"]) for _ in range(s["bytes"] // 512)]
    parts = []
    for i, p in enumerate(page):
        if not parts or len({*parts[-1][1], p}) > limit or parts[-1][0] == limit * 8:
            parts.append([0, set()])
        parts[-1][0] += 1
        parts[-1][1].add(p)
    start, want = item["sector"], []
    for n, _ in parts:
        want.append({"sector": start, "nr_sectors": n})
        start += n
    assert item["parts"] == want, (item["slot"], item["parts"], want)
    most = max(most, len(want))
assert most == 24, most
EOF
    run -0 "$XBDSNAP" replay --target-caps caps "$image"
    [ "$(awk '$1 == 4 { print $9 }' <<<"$output")" = 24 ]
    # What it had fits; without features nothing is said.
    echo feature-max-indirect-segments=256 >caps
    [ "$("$XBDSNAP" replay -J --target-caps caps "$image" | jq -c '[.plan[].parts | length] | unique')" = "[1]" ]
    [ "$("$XBDSNAP" replay -J "$image" | jq -c '[.plan[].parts] | unique')" = "[null]" ]
    run ! grep -w PARTS <<<"$("$XBDSNAP" replay "$image")"
}

@test "what is put back whole, or has no data, comes in no parts" {
    image linux-6.12-discard
    echo feature-discard=1 >caps
    [ "$("$XBDSNAP" replay -J --target-caps caps "$image" |
        jq -c '[.plan[] | [.op, (.parts | length)]] | unique')" = '[["discard",0],["flush",0],["read",1],["write",1]]' ]
}

@test "the target's frames stand in the plan, and do not bind it" {
    image linux-6.1-base
    xz -dc "$CHECKPOINTS/linux-6.1-base/source-p2m.bin.xz" >p2m
    "$XBDSNAP" replay -J --p2m p2m "$image" >j
    "$XBDSNAP" dump -J --p2m p2m "$image" >d
    diff <(jq -c '[.plan[].segments[] | [.pfn, .target_mfn]] | unique' j) \
        <(jq -c '[.devices[].requests[].segments[] | [.pfn, .target_mfn]] | unique' d)
    [ "$(jq '[.plan[].segments[].target_mfn | select(. == null)] | length' j)" -eq 0 ]
    run -0 "$XBDSNAP" replay --plan j "$image"
    "$XBDSNAP" replay -J "$image" >bare
    run -0 "$XBDSNAP" replay --p2m p2m --plan bare "$image"
}

# bats test_tags=long
@test "disk images of other formats are compared, and checked, as raw ones are" {
    image linux-6.1-flush
    cp --sparse=always "${image%/*}/disk-before.img" disk
    "$XBDSNAP" extract --slot 5 -o data "$image"
    dd if=data of=disk bs=512 seek=2000 count=40 conv=notrunc status=none
    "$XBDSNAP" replay -J --disk xvda=disk "$image" | jq -c '.plan[].on_disk' >wanted
    [ "$(jq -r .state wanted | sort | uniq -c | tr -s ' \n' ' ')" = " 1 no-data 1 not-filled 3 not-landed 1 torn " ]
    for format in qcow2 vhd vhdx vmdk vdi; do
        qemus=$format options=()
        [ $format != vhd ] || qemus=vpc options=(-o force_size=on)
        qemu-img convert -f raw -O $qemus "${options[@]}" disk "disk.$format"
        "$XBDSNAP" replay -J --disk "xvda=$format:disk.$format" "$image" | jq -c '.plan[].on_disk' >have
        cmp wanted have
        run -0 "$XBDSNAP" validate --fail-on=error --disk "xvda=$format:disk.$format" "$image"
        [[ $output == *" 0 errors, 0 warnings, "* ]]
    done
    run -6 "$XBDSNAP" replay --disk xvda=qcow2:disk "$image"
    [[ $output == *"qemu-nbd does not serve "*"/disk as qcow2"* ]]
    mkdir empty
    PATH=$PWD/empty run -6 "$XBDSNAP" replay --disk xvda=qcow2:disk.qcow2 "$image"
    [[ $output == *"qemu-nbd does not serve "* ]]
}

@test "an image is in use while another process writes it" {
    image linux-6.1-flush
    qemu-img create -q -f qcow2 disk 32M
    qemu-nbd --format qcow2 --socket "$PWD/socket" --persistent disk 3>&- &
    server=$!
    until [ -S socket ]; do sleep 0.1; done
    run -3 "$XBDSNAP" replay --disk xvda=qcow2:disk "$image"
    kill $server
    wait $server || true
    [[ $output == *"is in use: another process holds a lock on it"* ]]
    run -0 "$XBDSNAP" replay --disk xvda=qcow2:disk "$image"
}

# bats test_tags=long
@test "other formats are refused by name, unless the guest wrote those bytes" {
    image linux-6.1-flush
    for magic in 'QFI\373' conec''tix vhdxfile KDMV; do
        cp --sparse=always "${image%/*}/disk-before.img" disk
        # shellcheck disable=SC2059
        printf "$magic" | dd of=disk conv=notrunc status=none
        run -4 "$XBDSNAP" replay --disk xvda=disk "$image"
        [[ $output == *"looks like "*"raw:PATH when the guest wrote those bytes"* ]]
        run -0 "$XBDSNAP" replay --disk xvda=raw:disk "$image"
    done
    cp --sparse=always "${image%/*}/disk-before.img" disk
    run -2 "$XBDSNAP" replay --disk xvdz=disk "$image"
    run -2 "$XBDSNAP" replay --disk xvda=disk --disk xvda=disk "$image"
    run -2 "$XBDSNAP" replay --disk disk "$image"
    run -6 "$XBDSNAP" replay --disk xvda=absent "$image"
}

# bats test_tags=long
@test "what the analysis found wrong is said by every command that uses it" {
    image linux-6.1-base
    cp --sparse=always "$image" bad.save
    chmod u+w bad.save
    # The page of a scatter list entry, 4 KiB at 0: five pages on.
    python3 - bad.save <<'EOF2'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    data = f.read()
    entry = struct.pack("<QII", 0xffffea00000c5140, 0, 4096)
    assert data.count(entry) == 1
    f.seek(data.index(entry))
    f.write(struct.pack("<Q", 0xffffea00000c5140 + 5 * 64))
EOF2
    said="XB307: xvda: the slot and the block layer's request at 0xffff888005e9c240 differ: 4096 bytes at 0 of page 0x314a, and 4096 bytes at 0 of page 0x3145"
    run --separate-stderr "$XBDSNAP" dump bad.save
    [[ $stderr == *"$said"* ]]
    run --separate-stderr "$XBDSNAP" replay bad.save
    [[ $stderr == *"$said"* ]]
    run --separate-stderr "$XBDSNAP" extract --slot 0 -o out bad.save
    [[ $stderr == *"$said"* ]]
    [ "$("$XBDSNAP" replay -J bad.save | jq -r '.findings[0].rule')" = XB307 ]
    run "$XBDSNAP" validate bad.save
    [ "$status" -eq 3 ]
    [[ $output == *XB307* ]]
}

@test "a request that contradicts itself is pointed out beside the table" {
    image linux-6.1-nopersist
    cp --sparse=always "$image" bad.save
    chmod u+w bad.save
    # num_sg of slot 0 (144 bytes into it): none.
    "$XBDSNAP" dump -J "$image" >j
    python3 - bad.save j <<'EOF2'
import json, struct, sys
ring = json.load(open(sys.argv[2]))["devices"][0]["rings"][0]
request = int(json.load(open(sys.argv[2]))["devices"][0]["requests"][0]["request"], 16)
assert ring["entries"] == 32
with open(sys.argv[1], "r+b") as f:
    data = f.read()
    # The slot is where the request's address stands and, 144 - 112 bytes on, a small count.
    at = -1
    while True:
        at = data.index(struct.pack("<Q", request), at + 1)
        if 0 < struct.unpack_from("<I", data, at + 32)[0] < 32 and data[at + 36] <= 4:
            break
    f.seek(at + 32)
    f.write(struct.pack("<I", 0))
EOF2
    run -0 --separate-stderr "$XBDSNAP" dump bad.save
    [[ $stderr == *"1 request could not be read completely: dump -v says why"* ]]
    run -0 --separate-stderr "$XBDSNAP" replay bad.save
    [[ $stderr == *"1 request could not be read completely: dump -v says why"* ]]
}

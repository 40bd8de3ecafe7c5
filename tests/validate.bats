#!/usr/bin/env bats
# validate and rules: exit statuses, findings, text and JSON, disks, features, recipes.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PATH=$(dirname "$XBDSNAP"):$PATH
}

teardown() {
    ! mountpoint -q "$BATS_TEST_TMPDIR/mnt" || umount "$BATS_TEST_TMPDIR/mnt"
    [ -z "${loop:-}" ] || losetup -d "$loop"
}

on_loop() { # on_loop FILE: $loop is a block device of it; or skip
    loop=$(losetup -f --show "$1" 2>/dev/null) || skip "no loop devices"
}

image() { # path of a real checkpoint, or skip
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    [ -e "$XBDSNAP_CACHE/$1/image.save" ] || skip "no $1"
    image=$XBDSNAP_CACHE/$1/image.save
}

stream() { # make a generated checkpoint: sets $image
    "$SRCDIR"/tests/tools/mkstream.py "$1" "$1.save"
    image=$1.save
}

# The ids of the findings of a severity, one a line, from JSON.
ids() {
    jq -r --arg s "$1" '.findings[] | select(.severity == $s) | .rule' "$2"
}

# bats test_tags=long
@test "no real Linux checkpoint gives an error or a warning" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    for dir in "$XBDSNAP_CACHE"/linux-*; do
        run -0 "$XBDSNAP" validate "$dir/image.save"
        [[ ${lines[-1]} == *": 0 errors, 0 warnings, "* ]]
        # But for page tables nothing is passed over.
        run -0 "$XBDSNAP" validate --thorough "$dir/image.save"
        [[ ${lines[-1]} == *": 0 errors, 0 warnings, "* ]]
        [[ ${lines[-1]} != *"not evaluated"* ]]
    done
}

@test "text and JSON give the same status and findings" {
    image linux-6.1-flush
    run -0 "$XBDSNAP" validate "$image"
    [ "${lines[0]}" = "note XB131 xvda ring 0 slot 3: a flush is pending" ]
    [ "${#lines[@]}" -eq 3 ]
    "$XBDSNAP" validate -J --thorough "$image" >j
    [ "$(jq -r '.findings | map(.rule) | join(" ")' j)" = "XB131 XB603" ]
    [ "$(jq -r '.counts | "\(.error) \(.warning) \(.note)"' j)" = "0 0 2" ]
    [ "$(jq -r .verdict j)" = safe ]
    [ "$(jq -r '.not_evaluated | length' j)" = 0 ]
    "$XBDSNAP" validate -J "$image" >quick
    [ "$(jq -r '[.not_evaluated[].rule] | join(" ")' quick)" = XB027 ]
    diff <(jq -S 'del(.not_evaluated)' j) <(jq -S 'del(.not_evaluated)' quick)
}

@test "a NetBSD guest with pending requests is unsafe, with and without its symbols" {
    image xen2-netbsd
    run -3 "$XBDSNAP" validate "$image"
    [[ ${lines[0]} == "error XB201 hda1: on resume the driver would issue 14 requests"* ]]
    run -3 "$XBDSNAP" validate -J --kernel "${image%/*}/netbsd.syms" "$image"
    echo "$output" >j
    [ "$(ids error j | sort | uniq -c | tr -s ' ')" = " 2 XB201" ]
    [ "$(jq -r .verdict j)" = unsafe ]
}

@test "verbose text explains, gives the remedy, and names what was not evaluated" {
    image xen2-netbsd
    run -3 "$XBDSNAP" validate -v "$image"
    [[ $output == *"copies the device twice and the sector never"* ]]
    [[ $output == *"Replay the pending requests to the disk"* ]]
    [[ $output == *$'\n'"not evaluated XB130 hda1: "* ]]
}

@test "a severity can be changed or switched off" {
    image linux-6.1-flush
    run -3 "$XBDSNAP" validate --rule XB131=error "$image"
    [[ ${lines[0]} == "error XB131 "* ]]
    run -1 "$XBDSNAP" validate --rule XB131=warn "$image"
    run -0 "$XBDSNAP" validate --rule XB131=warn --fail-on=error "$image"
    run -0 "$XBDSNAP" validate --rule XB131=error --fail-on=never "$image"
    run -0 "$XBDSNAP" validate --rule XB131=off --rule XB603=off "$image"
    [ "${#lines[@]}" -eq 1 ]
    run -2 "$XBDSNAP" validate --rule XB999=off "$image"
    [[ $output == *"there is no rule 'XB999'"* ]]
    run -2 "$XBDSNAP" validate --fail-on=sometimes "$image"
    image xen2-netbsd
    run -3 "$XBDSNAP" validate --fail-on=error "$image"
    run -0 "$XBDSNAP" validate --rule XB201=note "$image"
    # The status changes, the verdict does not.
    run -0 "$XBDSNAP" validate -J --fail-on=never "$image"
    [ "$(jq -r .verdict <<<"$output")" = unsafe ]
    image linux-6.1-flush
    run -0 "$XBDSNAP" validate -J --rule XB131=warn --fail-on=error "$image"
    [ "$(jq -r .verdict <<<"$output")" = warnings ]
}

@test "the status is the same in text, in JSON, quietly" {
    for args in "" --fail-on=error --fail-on=never; do
        for name in pv64-v3 hvm-version no-end config-none table-wild un-qevm; do
            stream "$name"
            # shellcheck disable=SC2086
            "$XBDSNAP" validate $args "$image" >/dev/null 2>&1 && text=0 || text=$?
            # shellcheck disable=SC2086
            "$XBDSNAP" validate $args -J "$image" >/dev/null 2>&1 && json=0 || json=$?
            # shellcheck disable=SC2086
            "$XBDSNAP" validate $args -q "$image" >/dev/null 2>&1 && quiet=0 || quiet=$?
            echo "$name $args: $text $json $quiet"
            [ "$text" -eq "$json" ] && [ "$text" -eq "$quiet" ]
        done
    done
}

@test "quiet prints nothing on standard output" {
    image xen2-netbsd
    run -3 --separate-stderr "$XBDSNAP" validate -q "$image"
    [ -z "$output" ]
}

@test "a guest without a known frontend is not determined" {
    stream pv64-v3
    run -4 --separate-stderr "$XBDSNAP" validate "$image"
    [[ $stderr == *"looked for"* ]]
    run -4 --separate-stderr "$XBDSNAP" validate -J "$image"
    echo "$output" | jq -e '.verdict == "undetermined"'
}

@test "a cut or damaged file ends with its own status, and says so in JSON too" {
    stream no-end
    run -5 --separate-stderr "$XBDSNAP" validate "$image"
    [[ $output == "error XB001 at 0x"* ]]
    run -5 --separate-stderr "$XBDSNAP" validate -J "$image"
    echo "$output" | jq -e '.verdict == "corrupt" and .findings[0].rule == "XB001"'
    stream bad-count-zero
    run -5 --separate-stderr "$XBDSNAP" validate "$image"
    [[ $stderr == *"$image"* ]]
    head -c 100 /dev/zero >zero
    run -5 --separate-stderr "$XBDSNAP" validate zero
    run -6 --separate-stderr "$XBDSNAP" validate /nonexistent
}

@test "a file that is cut: what nobody can know is unknown, in text and in JSON" {
    stream pv64-v3
    whole=$image
    # In the xl header, its configuration, the libxl and libxc headers; with some and all pages.
    for bytes in $({
        printf '%s\n' 40 60 300
        python3 - "$whole" <<'EOF'
import struct, sys
data = open(sys.argv[1], "rb").read()
at = data.index(b"\xff" * 8 + b"XENF")
print(at - 20, at + 8, at + 40, sep="\n")
at += 40
while at < len(data):
    kind, length = struct.unpack_from("<II", data, at)
    if kind == 4: # the first vcpu
        break
    print(at + 4, at + 8 + length // 2, sep="\n")
    at += 8 + (length + 7 & ~7)
print(at)
EOF
    } | "$SRCDIR/tests/tools/sample.sh"); do
        head -c "$bytes" "$whole" >cut.save
        run -5 --separate-stderr "$XBDSNAP" validate cut.save
        [[ $output == *"cut.save: no device found, pending requests unknown: "* ]]
        run -5 --separate-stderr "$XBDSNAP" info cut.save
        [[ $output == *", vcpus unknown"* ]]
        run ! grep -E '\b0 (vcpus?|devices?|pending|pages)|\b0-|below 0x0$' <<<"$output"
        run -5 --separate-stderr "$XBDSNAP" info cut.save cut.save
        run ! grep -E '(^|[ /])0( |$)' <<<"$output"
        for command in info validate; do
            "$XBDSNAP" $command -J cut.save >j || [ $? -eq 5 ]
            python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
            jq -e '[.guest.vcpus, .source.emulator_records, .devices] | all(. == null)' j
            jq -e '[.guest.word_bytes, .guest.pt_levels, .guest.nr_pfns, .source.data_pages] |
                all(. != 0)' j
            jq -e '(.config.kind == null) == (.config.disks == null)' j
        done
    done
}

# What verify-stream-v2 of Xen 4.17 rejects is rejected.
# bats test_tags=long
@test "streams that Xen's own checker refuses are refused" {
    for bad in bad-page-type bad-page-reserved bad-page-size bad-record-length bad-page-shift \
        bad-guest-type bad-pv-info bad-count-big; do
        stream "$bad"
        run -5 "$XBDSNAP" validate "$image"
    done
    for bad in unknown-record tsc-size padding reserved emulator-id emulator-strings toolstack; do
        stream "$bad"
        run -3 "$XBDSNAP" validate "$image"
    done
}

# What it lets pass, and a restore does not.
# bats test_tags=long
@test "streams that it accepts wrongly are refused as well" {
    for bad in order second-pv-info second-static-end no-static-end pages-before-p2m foreign \
        emulator-of-pv emulator-of-pvh colo-state no-shared-info no-vcpu0 part-without-basic \
        no-hvm-context p2m-count root-type root-absent start-info-gone store-gone console-gone \
        hvm-magic hvm-version too-many-vcpus too-many-hvm-vcpus config-type xl-flags xl-lies \
        xl-swapped config-too-long optional-libxl; do
        stream "$bad"
        run -3 "$XBDSNAP" validate "$image"
    done
}

@test "a page table that leads out of the guest is found, and where" {
    stream table-wild
    run -3 --separate-stderr "$XBDSNAP" validate --thorough "$image"
    [[ ${lines[0]} == "error XB027 at 0x"*": the L1 page table in page 0xc names pfn 0x400, the guest has 0x400" ]]
}

@test "page tables that no walk needs are looked at when that is asked for, and it is said" {
    stream table-wild
    run -4 --separate-stderr "$XBDSNAP" validate -v "$image"
    [[ $output == *"not evaluated XB027: "*" page tables that the analysis did not need were not looked at; --thorough does"* ]]
    run -3 --separate-stderr "$XBDSNAP" validate -J --thorough "$image"
    [ "$(jq -c '[.not_evaluated[] | select(.rule == "XB027")]' <<<"$output")" = "[]" ]
    # One on the way to the requests is looked at in any case.
    image linux-6.1-flush
    run -0 --separate-stderr "$XBDSNAP" validate -J "$image"
    nr=$(jq -r '.not_evaluated[] | select(.rule == "XB027") | .reason | split(" ")[0]' <<<"$output")
    [ "$nr" -gt 100 ]
    python3 - "$image" "$SRCDIR/tests/tools" <<'EOF'
import struct, sys
sys.path.insert(0, sys.argv[2])
from second_reader import Reader
raw = bytearray(open(sys.argv[1], "rb").read())
r = Reader(bytes(raw))
r.start()
# The last entry of the root maps the kernel itself; entry 100 is nobody's.
_, off = r.pages.at[r.out["vcpus"][0]]
struct.pack_into("<Q", raw, off + 8 * 100, 0x12345 << 12 | 0x67)
open("wild", "wb").write(raw)
EOF
    run -3 --separate-stderr "$XBDSNAP" validate wild
    [[ $output == *"error XB027 at 0x"*": the L4 page table in page 0x"*" names pfn 0x12345, the guest has 0x"* ]]
}

# Its false alarms: a pipe, optional records, an emulator's keys, a checkpointed libxl stream.
# bats test_tags=long
@test "streams that it refuses wrongly are accepted" {
    for good in pv64-v2 pv64-v3 pv64-libxl hvm-v2 pvh optional live verify epochs epochs-libxl \
        p2m-grows parts-first; do
        stream "$good"
        run -4 "$XBDSNAP" validate "$image"
        run ! grep -E '^(error|warning)' <(grep -v '^warning XB028 ' <<<"$output")
    done
}

# Known false alarms of the tool: a non-empty list of an emulator's keys, optional records, the
# empty records that Xen 4.6 to 4.8 wrote.
# bats test_tags=long
@test "what verify-stream-v2 itself rejects is rejected, false alarms apart" {
    tool=${VERIFY_STREAM:-/usr/lib/xen-4.17/bin/verify-stream-v2}
    [ -e "$tool" ] || skip "xen-utils-4.17 is not installed"
    export PYTHONPATH=${tool%/bin/*}/lib/python
    false_alarms='Data not NUL terminated|record type 0x8|must be at least 8 bytes long'
    for name in $("$SRCDIR"/tests/tools/mkstream.py --list); do
        case $name in
        un-*) continue ;;       # formats that are not supported
        esac
        stream "$name"
        case $(head -c 8 "$image" | tr -d '\0\377') in
        'Xen save') format=xl ;;
        LibxlFmt) format=libxl ;;
        '') format=libxc ;;
        *) continue ;;
        esac
        python3 "$tool" -f "$format" -i "$image" >log 2>&1 && continue
        grep -qE "$false_alarms" log && continue
        run "$XBDSNAP" validate "$image"
        [ "$status" -eq 3 ] || [ "$status" -eq 5 ] ||
            { [ "$status" -eq 4 ] && [[ $output != *"no known block frontend"* ]]; } || {
            echo "$name: $(tail -1 log), but: $output"
            return 1
        }
    done
}

@test "mutants that verify-stream-v2 rejects are rejected" {
    tool=${VERIFY_STREAM:-/usr/lib/xen-4.17/bin/verify-stream-v2}
    [ -e "$tool" ] || skip "xen-utils-4.17 is not installed"
    run -0 "$SRCDIR"/tests/tools/mutants.py "$XBDSNAP" "${tool%/bin/*}/lib/python" pv64-libxl \
        hvm-la57
    echo "$output"
}

ext4() {
    image linux-6.1-ext4
    cp "${image%/*}/disk-before-xvdb.img" disk.img
}

@test "the disks of the moment of the save are clean" {
    ext4
    run -0 "$XBDSNAP" validate --disk xvda="${image%/*}/disk-before-xvda.img" \
        --disk xvdb=disk.img "$image"
    [[ ${lines[-1]} == *": 0 errors, 0 warnings, "* ]]
    cmp disk.img "${image%/*}/disk-before-xvdb.img"
}

@test "a disk that was written since the save is refused" {
    ext4
    debugfs -w -R "mkdir intruder" disk.img
    run -3 "$XBDSNAP" validate --disk xvdb=disk.img "$image"
    [[ ${lines[0]} == "error XB407 xvdb: the superblock of disk.img was written at "* ]]
    cp "${image%/*}/disk-before-xvdb.img" disk.img
    debugfs -w -R "ssv volume_name elsewhere" disk.img
    run -3 "$XBDSNAP" validate --disk xvdb=disk.img "$image"
    [[ ${lines[0]} == "error XB407 xvdb: the label of disk.img was changed since the save, to 'elsewhere' from '"*"'" ]]
    cp "${image%/*}/disk-before-xvdb.img" disk.img
    tune2fs -C 9 disk.img
    run -3 "$XBDSNAP" validate --disk xvdb=disk.img "$image"
    [[ ${lines[0]} == "error XB407 xvdb: disk.img was mounted since the save (mount count 9, the guest's is 1)" ]]
    cp "${image%/*}/disk-before-xvdb.img" disk.img
    e2fsck -fy disk.img || true
    run -3 "$XBDSNAP" validate --disk xvdb=disk.img "$image"
    [[ ${lines[0]} == "error XB407 xvdb: "* ]]
    run -3 "$XBDSNAP" validate --disk xvdb="${image%/*}/disk-after-xvdb.img" "$image"
    [[ ${lines[0]} == "error XB407 xvdb: "* ]]
}

@test "a journal that went on without the guest is refused" {
    ext4
    python3 - <<'EOF'
import mmap
with open("disk.img", "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
    at = m.find(b"\xc0\x3b\x39\x98\0\0\0\4")
    assert at >= 0 and at % 4096 == 0
    m[at + 24:at + 28] = (int.from_bytes(m[at + 24:at + 28], "big") + 1).to_bytes(4, "big")
EOF
    run -3 "$XBDSNAP" validate --disk xvdb=disk.img "$image"
    [[ ${lines[0]} == "error XB407 xvdb: the journal of disk.img is at transaction "* ]]
}

@test "a disk in use on this host is refused" {
    ext4
    run -0 "$XBDSNAP" validate --disk xvdb=disk.img "$image"
    on_loop "$PWD/disk.img"
    run -3 "$XBDSNAP" validate --disk xvdb=disk.img "$image"
    [[ ${lines[0]} == "error XB408 xvdb: disk.img is in use on this host: a loop device stands on it" ]]
    run -0 "$XBDSNAP" validate --disk xvdb="$loop" "$image"
    mkdir mnt
    mount -o ro,noload "$loop" mnt || skip "no mount"
    run -3 "$XBDSNAP" validate --disk xvdb="$loop" "$image"
    [[ ${lines[0]} == "error XB408 xvdb: $loop is in use on this host: it is mounted" ]]
    umount mnt
    cmp disk.img "${image%/*}/disk-before-xvdb.img"
}

@test "another disk is refused: its file system, its size" {
    ext4
    mke2fs -q -F -t ext4 -b 4096 other.img 32M
    run -3 "$XBDSNAP" validate --disk xvdb=other.img "$image"
    [[ ${lines[0]} == "error XB406 xvdb: the guest has file system 11111111-2222-3333-4444-555555555555 mounted, other.img holds "* ]]
    truncate -s 32M empty.img
    run -3 "$XBDSNAP" validate --disk xvdb=empty.img "$image"
    [[ ${lines[0]} == "error XB406 xvdb: the guest has ext4 mounted from sector 0, empty.img has no file system there" ]]
    truncate -s 33M disk.img
    run -1 "$XBDSNAP" validate --disk xvdb=disk.img "$image"
    [[ ${lines[0]} == "warning XB403 xvdb: disk.img has 67584 sectors, the guest knows 65536" ]]
    truncate -s 1M empty.img
    run -3 "$XBDSNAP" validate -J --disk 51728=empty.img "$image"
    echo "$output" >j
    [ "$(ids error j | sort -u | tr '\n' ' ')" = "XB401 XB402 XB406 XB409 " ]
}

@test "disks that make no sense are usage errors, disks that cannot be read are not" {
    image linux-6.1-base
    run -2 "$XBDSNAP" validate --disk xvdz=/dev/null "$image"
    [[ $output == *"has no device xvdz"* ]]
    run -2 "$XBDSNAP" validate --disk xvda "$image"
    disk=${image%/*}/disk-before.img
    run -2 "$XBDSNAP" validate --disk xvda="$disk" --disk 51712="$disk" "$image"
    [[ $output == *"two disks for xvda" ]]
    run -2 "$XBDSNAP" validate --disk xvda=/dev/null "$image"
    run -6 "$XBDSNAP" validate --disk xvda=/nonexistent "$image"
}

# bats test_tags=long
@test "the target's features are compared with what is pending" {
    image linux-6.12-discard
    printf '%s\n' feature-flush-cache=0 mode=r >caps
    run -3 "$XBDSNAP" validate -J --target-caps caps "$image"
    echo "$output" >j
    [ "$(ids error j)" = XB506 ]
    [ "$(ids warning j | tr '\n' ' ')" = "XB502 XB504 " ]
    echo '{"xvda": {"feature-flush-cache": 1, "feature-discard": 1, "mode": "w"}}' >caps
    run -0 "$XBDSNAP" validate --target-caps caps "$image"
    image linux-6.1-indirect
    run -0 "$XBDSNAP" validate --target-caps caps "$image"
    [[ $output == *"note XB507 xvda ring 0 slot "*" do not fit into one request of the target (11)"* ]]
    echo '{"51712": {"mode": "r"}}' >caps
    run -3 "$XBDSNAP" validate --target-caps caps "$image"
    [[ ${lines[0]} == "error XB506 xvda ring 0 slot "* ]]
    echo '{"xvdq": {"mode": "r"}}' >caps
    run -2 "$XBDSNAP" validate --target-caps caps "$image"
    [[ $output == *"caps: the checkpoint has no device xvdq; its first is xvda" ]]
    image linux-6.1-ext4
    echo '{"xvda": {"mode": "w"}}' >caps
    run -0 "$XBDSNAP" validate -v --target-caps caps "$image"
    [[ $output == *"not evaluated XB506 xvdb: the target's features for this disk are not known"* ]]
    image linux-6.12-discard
    echo '{}' >caps
    run -1 "$XBDSNAP" validate --target-caps caps "$image"
    echo bad >caps
    run -2 "$XBDSNAP" validate --target-caps caps "$image"
}

@test "a frame that the target does not map is found" {
    image linux-6.1-base
    pfn=$("$XBDSNAP" dump -J "$image" | jq -r '.devices[0].requests[2].segments[0].pfn')
    xz -dc "$CHECKPOINTS/linux-6.1-base/source-p2m.bin.xz" >p2m
    run -0 "$XBDSNAP" validate --p2m p2m "$image"
    printf '\377\377\377\377\377\377\377\377' |
        dd of=p2m bs=8 seek=$((pfn)) conv=notrunc status=none
    run -3 "$XBDSNAP" validate --p2m p2m "$image"
    [ "${lines[0]}" = "error XB501 xvda ring 0 slot 2: the target maps no frame for page $pfn" ]
}

@test "rules lists each rule once, and explains one in full" {
    run -0 "$XBDSNAP" rules
    [[ $output == *XB101*error*"the free list of the shadow ring runs in a circle"* ]]
    run -0 "$XBDSNAP" rules XB201
    [[ $output == *"copies the device twice"* ]]
    [[ $output == *"Replay the pending requests"* ]]
    run -2 "$XBDSNAP" rules XB999
    "$XBDSNAP" rules -J | jq -e '.rules | length > 80 and all(.id and .severity and .summary and .explanation and .remedy)'
    [ "$("$XBDSNAP" rules -J | jq '.rules | map(.id) | . == (sort | unique)')" = true ]
}

@test "explanations and remedies name options that exist" {
    "$XBDSNAP" rules -J | jq -r '.rules[] | .explanation, .remedy' | grep -v '(xl ' >text
    for command in info dump extract redact validate replay p2m rules; do
        "$XBDSNAP" "$command" --help=all | grep -oE -- '--[a-z0-9-]+' | sort -u >"$command.has"
        grep -oE -- "$command --[a-z0-9-]+" text | cut -d' ' -f2 | sort -u >named
        [ -z "$(comm -13 "$command.has" named)" ]
    done
    grep -oE -- '--[a-z0-9-]+' text | sort -u >named
    grep -q -- --kernel named
    [ -z "$(sort -u ./*.has | comm -13 - named)" ]
}

# tests/tools/man-rules.py writes the list.
@test "the manual page lists the same rules" {
    page=$SRCDIR/man/xbdsnap-rules.7
    [ -e "$page" ] || skip "no manual page"
    cp "$page" have
    "$SRCDIR/tests/tools/man-rules.py" "$XBDSNAP" have
    diff -u "$page" have
    grep -q '^\.It XB605 error' "$page"
}

fake() { # fake NAME: a program that notes how it was called
    mkdir -p bin
    cat >"bin/$1"
    chmod +x "bin/$1"
    PATH=$PWD/bin:$PATH
}

@test "recipe: restore paused, then check" {
    image linux-6.1-base
    fake xl <<'EOF'
#!/bin/sh
echo "xl $*" >>log
[ "$1" != domid ] || echo 7
EOF
    # There is no Xen here: the table of domain 7 comes from a file.
    fake xbdsnap <<'EOF'
#!/bin/bash
args=("${@/#--domid/--p2m}")
for i in "${!args[@]}"; do
    [ "${args[i]}" != --compare-pages ] || unset "args[i]"
done
exec "$XBDSNAP" "${args[@]/#7/p2m}"
EOF
    xz -dc "$CHECKPOINTS/linux-6.1-base/source-p2m.bin.xz" >p2m
    run -0 "$SRCDIR"/tests/recipes/restore-then-check.sh vm "$image"
    [ "$(cat log)" = "xl restore -p $image"$'\n'"xl domid vm"$'\n'"xl unpause vm" ]
    : >log
    : >p2m
    run -3 "$SRCDIR"/tests/recipes/restore-then-check.sh vm "$image"
    [[ $output == *"vm stays paused: xbdsnap says 3"* ]]
    run ! grep unpause log
}

@test "recipe: check the disk, then restore" {
    ext4
    fake xl <<'EOF'
#!/bin/sh
echo "xl $*" >>log
EOF
    run -0 "$SRCDIR"/tests/recipes/check-then-restore.sh "$image" \
        xvda="${image%/*}/disk-before-xvda.img" xvdb=disk.img
    [ "$(cat log)" = "xl restore $image" ]
    : >log
    debugfs -w -R "mkdir intruder" disk.img
    run -3 "$SRCDIR"/tests/recipes/check-then-restore.sh "$image" \
        xvda="${image%/*}/disk-before-xvda.img" xvdb=disk.img
    [ ! -s log ]
}

@test "without Xen a live domain cannot be asked" {
    image linux-6.1-base
    [ ! -e /proc/xen/privcmd ] || skip "this is a dom0"
    if ldd "$XBDSNAP" | grep -q libxenctrl; then
        run -6 "$XBDSNAP" validate --domid 7 "$image"
        [[ $output == *"cannot talk to the hypervisor (is this dom0, and are you root?)"* ]]
    else
        for command in validate dump replay; do
            run -4 "$XBDSNAP" "$command" --domid 7 "$image"
            [[ $output == *"built without Xen support, so no live domain can be asked" ]]
        done
    fi
    run -2 "$XBDSNAP" validate --compare-pages "$image"
    run -2 "$XBDSNAP" validate --domid seven "$image"
    run -2 "$XBDSNAP" validate --domid 7 --p2m /dev/null "$image"
}

@test "recipe: set aside what xendomains must not restore" {
    image xen2-netbsd
    mkdir save
    cp "$image" save/netbsd
    image linux-6.1-base
    ln -s "$image" save/linux
    stream no-end
    mv no-end.save save/cut
    stream pv64-v3 # its configuration names xvda
    mv pv64-v3.save save/stranger
    stream pv64-v2 # it has no configuration
    mv pv64-v2.save save/bare
    XENDOMAINS_SAVE=save run -0 "$SRCDIR"/tests/recipes/xendomains-check.sh
    [[ $output == *"warning XB028 xvda: the configuration names this disk"* ]]
    [[ $output == *"save/stranger: set aside, it has disks whose requests xbdsnap cannot see"* ]]
    [[ $output == *"save/bare: not checked"* ]]
    [ "$(cd save && find . -mindepth 1 | sort | tr '\n' ' ')" = \
        "./bare ./linux ./look-at ./look-at/stranger ./unsafe ./unsafe/cut ./unsafe/netbsd " ]
}

@test "a disk of the configuration without a frontend is named" {
    stream pv64-v3
    run -4 --separate-stderr "$XBDSNAP" validate -J "$image"
    [ "$(jq -r '.findings | map("\(.rule) \(.severity) \(.device)") | join(",")' <<<"$output")" = \
        "XB028 warning xvda" ]
    # Renamed in the configuration of a guest whose only disk was found.
    image linux-6.1-base
    head -c 4096 "$image" | sed 's/"vdev": "xvda"/"vdev": "xvdb"/' >other.save
    tail -c +4097 "$image" >>other.save
    run -1 --separate-stderr "$XBDSNAP" validate "$PWD/other.save"
    [[ $stderr == *"every page was looked at: the configuration has xvdb, the driver's list does not"* ]]
    [ "${lines[0]}" = "warning XB028 xvdb: the configuration names this disk, but no frontend of the guest was found for it" ]
}

@test "README quotes the recipes as they are tested" {
    [ -s "$SRCDIR/README" ] || skip "no README"
    python3 - "$SRCDIR" <<'EOF'
import pathlib, sys
top = pathlib.Path(sys.argv[1])
readme = top.joinpath("README").read_text()
for script in sorted(top.glob("tests/recipes/*.sh")):
    lines = ["    " + l if l else "" for l in script.read_text().splitlines()[1:]]
    assert "\n".join(lines) in readme, f"README does not quote {script.name}"
EOF
}

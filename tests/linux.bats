#!/usr/bin/env bats
# dump on Linux guests: every real checkpoint against its truth, in each way to find the driver.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

checkpoints() { # skip where there are none
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    compgen -G "$XBDSNAP_CACHE/linux-*/image.save" > /dev/null || skip "no Linux checkpoints"
}

equal_to_truth() { # equal_to_truth WAY LOCATED_BY CONFIRMED
    local dir name
    for dir in "$XBDSNAP_CACHE"/linux-*; do
        name=$(basename "$dir")
        "$XBDSNAP" dump -J --locate="$1" "$dir/image.save" > dump.json
        python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json "$CHECKPOINTS/$name/truth.json"
        [ "$(jq -r '[.devices[].located_by] | unique[]' dump.json)" = "$2" ]
        [ "$(jq -r '[.devices[].confirmed] | unique[]' dump.json)" = "$3" ]
        [ "$(jq '[.findings[] | select(.rule | test("^XB3"))] | length' dump.json)" = 0 ]
    done
}

@test "by symbols and by the scan: the truth, and they confirm each other" {
    checkpoints
    equal_to_truth auto kallsyms+btf true
}

@test "by symbols alone: the truth" {
    checkpoints
    equal_to_truth symbols kallsyms+btf false
}

@test "by the scan alone: the truth" {
    checkpoints
    equal_to_truth scan scan false
}

@test "a System.map replaces the image's own symbols" {
    checkpoints
    xz -dc "$CHECKPOINTS/linux-6.1-base/guest-kallsyms.xz" | grep -v '\[' > System.map
    "$XBDSNAP" dump -J --kernel System.map "$XBDSNAP_CACHE/linux-6.1-base/image.save" > dump.json
    python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json \
        "$CHECKPOINTS/linux-6.1-base/truth.json"
    [ "$(jq -r '.devices[0].located_by' dump.json)" = elf-symbols ]
    [ "$(jq -r '.devices[0].confirmed' dump.json)" = true ]
}

@test "the System.map of another kernel is told and not used" {
    checkpoints
    xz -dc "$CHECKPOINTS/linux-6.1-base/guest-kallsyms.xz" | grep -v '\[' > System.map
    name=linux-6.12-discard
    "$XBDSNAP" dump -J --kernel System.map "$XBDSNAP_CACHE/$name/image.save" > dump.json
    python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json "$CHECKPOINTS/$name/truth.json"
    [ "$(jq -r '.findings[] | select(.rule == "XB312") | .severity' dump.json)" = warning ]
    [ "$(jq -r '.devices[0].located_by' dump.json)" = kallsyms+btf ]
}

@test "the System.map of a kernel that was moved at boot is no finding" {
    checkpoints
    xz -dc "$CHECKPOINTS/linux-6.1-base/guest-kallsyms.xz" | grep -v '\[' > System.map
    name=linux-6.1-hvm
    "$XBDSNAP" dump -J --kernel System.map "$XBDSNAP_CACHE/$name/image.save" > dump.json
    python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json "$CHECKPOINTS/$name/truth.json"
    [ "$(jq '.findings | length' dump.json)" = 0 ]
    [ "$(jq -r '.devices[0].located_by' dump.json)" = kallsyms+btf ]
}

@test "a guest without the driver: exit 4, and what was looked for" {
    "$SRCDIR"/tests/tools/mkstream.py pv64-v3 pv64.save
    run -4 --separate-stderr "$XBDSNAP" dump pv64.save
    [[ $stderr == *"xen-blkfront"* ]]
    "$SRCDIR"/tests/tools/mkstream.py pv32 pv32.save
    run -4 --separate-stderr "$XBDSNAP" dump pv32.save
    [[ $stderr == *"linux-blkfront is known for 64-bit guests only"* ]]
}

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

# bats test_tags=long
@test "by symbols and by the scan: the truth, and they confirm each other" {
    checkpoints
    equal_to_truth both kallsyms+btf true
}

@test "by default: the truth, confirmed without a look at every page, as by both ways" {
    checkpoints
    equal_to_truth auto kallsyms+btf true
    for dir in "$XBDSNAP_CACHE"/linux-*; do
        "$XBDSNAP" dump -J "$dir/image.save" >auto
        "$XBDSNAP" dump -J --locate=both "$dir/image.save" >both
        [ "$(jq -c '[.every_page, .doubt]' auto)" = '[false,null]' ]
        [ "$(jq -c '[.devices[].confirmed_by] | unique' auto)" = '[["bus","configuration","structure","ring"]]' ]
        [ "$(jq -c '[.every_page, .doubt]' both)" = '[true,null]' ]
        [ "$(jq -c '[.devices[].confirmed_by] | unique' both)" = \
            '[["bus","configuration","structure","ring","scan"]]' ]
        diff <(jq -S 'del(.every_page, .devices[].confirmed_by)' auto) \
            <(jq -S 'del(.every_page, .devices[].confirmed_by)' both)
    done
}

address() { jq -r ".devices[] | select(.vdev == \"$1\") | .rings[0].address" whole; }

edited() { # edited HOW VDEV: the checkpoint of two disks, so edited, as dump sees it
    python3 "$SRCDIR/tests/tools/edit_ring.py" "$image" edited "$1" "$(address "$2")"
    "$XBDSNAP" dump -J edited >dump.json
}

two_disks() {
    checkpoints
    image=$XBDSNAP_CACHE/linux-6.1-ext4/image.save
    [ -e "$image" ] || skip "no linux-6.1-ext4"
    "$XBDSNAP" dump -J "$image" >whole
}

# bats test_tags=long
@test "a device that the driver's list lacks is noticed, and found" {
    two_disks
    for vdev in xvda xvdb; do
        edited unlist $vdev
        handle=$(jq ".devices[] | select(.vdev == \"$vdev\") | .handle" whole)
        [ "$(jq -r .doubt dump.json)" = "the guest's bus has device/vbd/$handle, the driver's list does not" ]
        [ "$(jq .every_page dump.json)" = true ]
        [ "$(jq -r '[.findings[] | .rule, .message] | join(": ")' dump.json)" = \
            "XB310: the structural scan finds $vdev, the driver's list does not" ]
        diff <(jq -S '[.devices[] | {vdev, requests: [.requests[] | del(.age_ns, .flags, .request, .trouble)]}]' whole) \
            <(jq -S '[.devices[] | {vdev, requests: [.requests[] | del(.age_ns, .flags, .request, .trouble)]}]' dump.json)
        # By symbols alone it is lost, and the words on standard error say why it took longer.
        [ "$("$XBDSNAP" dump -J --locate=symbols edited | jq '.devices | length')" = 1 ]
        run --separate-stderr "$XBDSNAP" dump edited
        [[ $stderr == *"every page was looked at: the guest's bus has device/vbd/$handle"* ]]
        run "$XBDSNAP" info edited
        [[ $output != *"every page"* ]]
    done
}

# bats test_tags=long
@test "what is not as the driver leaves it has every page looked at, and says why" {
    two_disks
    doubt() { # doubt HOW WHY CONFIRMED_BY
        edited "$1" xvdb
        [ "$(jq -r '[.every_page, .doubt] | join(" ")' dump.json)" = "true $2" ]
        [ "$(jq -c '[.devices[] | select(.vdev == "xvdb") | .confirmed_by[]]' dump.json)" = "$3" ]
    }
    doubt unbind "the driver's list has xvdb, the guest's bus does not" '["configuration","structure","ring","scan"]'
    doubt cut-list "the driver's list of devices breaks off" '["bus","configuration","structure","ring","scan"]'
    doubt shape "xvdb: ring 0 does not have a ring's structure" '["bus","configuration","ring","scan"]'
    [ "$(jq -r '[.findings[] | .rule, .message] | join(": ")' dump.json)" = \
        "XB311: xvdb: its rings would be 20712 bytes apart, for 128 entries it takes 20704" ]
    doubt published "xvdb: ring 0: the indices of the shared ring are not the driver's" \
        '["bus","configuration","structure","scan"]'
    doubt slot "xvdb: ring 0: a request of the shared ring and its slot differ" \
        '["bus","configuration","structure","scan"]'
}

# bats test_tags=long
@test "by symbols alone: the truth" {
    checkpoints
    equal_to_truth symbols kallsyms+btf false
}

# bats test_tags=long
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

@test "the System.map of a kernel that was moved at boot: moved along with it, and said so" {
    checkpoints
    xz -dc "$CHECKPOINTS/linux-6.1-base/guest-kallsyms.xz" | grep -v '\[' > System.map
    name=linux-6.1-hvm
    image=$XBDSNAP_CACHE/$name/image.save
    "$XBDSNAP" dump -J --kernel System.map "$image" > dump.json
    python3 "$SRCDIR/tests/tools/compare_truth.py" dump.json "$CHECKPOINTS/$name/truth.json"
    [ "$(jq '.findings | length' dump.json)" = 0 ]
    [ "$(jq -r '.devices[0] | .located_by, .confirmed' dump.json)" = $'elf-symbols\ntrue' ]
    slide=$(jq -r '.. | .kaslr_offset? // empty' "$CHECKPOINTS/$name/truth.json")
    run "$XBDSNAP" dump -v --kernel System.map "$image"
    [[ $output == *"System.map: "*" symbols, moved by $slide: "*" functions "*"the banner is there"* ]]

    # One function elsewhere: another kernel. Too few to say: the image's own symbols serve.
    sed -i 's/^\(.*\)[0-9a-f] T vfs_read$/\1f T vfs_read/' System.map
    "$XBDSNAP" dump -J --kernel System.map "$image" > dump.json
    [ "$(jq -r '[.devices[0].located_by, (.findings[] | .rule, .message)] | join(" ")' dump.json)" = \
        "kallsyms+btf XB312 the kernel that was named does not belong to this guest and was not used: its functions do not lie as the guest's do: vfs_read is where no common shift would put it" ]
    grep -E ' (_stext|_etext|_text|_end|panic|linux_banner)$' System.map > few
    "$XBDSNAP" dump -J --kernel few "$image" > dump.json
    [ "$(jq -r '[.devices[0].located_by, .findings[].rule] | join(" ")' dump.json)" = kallsyms+btf ]
}

@test "dump -v says how the ring was looked for, also when none was found, in safe letters" {
    checkpoints
    xz -dc "$CHECKPOINTS/linux-6.1-base/guest-kallsyms.xz" | grep -v '\[' > $'a\e[31mmap'
    run "$XBDSNAP" dump -v --kernel $'a\e[31mmap' "$XBDSNAP_CACHE/linux-6.1-base/image.save"
    [[ $output == *'How it was found:'$'\n''symbols: a\x1b[31mmap: '* ]]
    [[ $output != *$'\e'* ]]
    "$SRCDIR"/tests/tools/mkstream.py pv64-v3 pv64.save
    run -4 --separate-stderr "$XBDSNAP" dump -v pv64.save
    [[ $stderr == *"xen-blkfront: no symbols to look for it"* ]]
    [ -z "$output" ]
}

@test "a guest without the driver: exit 4, and what was looked for" {
    "$SRCDIR"/tests/tools/mkstream.py pv64-v3 pv64.save
    run -4 --separate-stderr "$XBDSNAP" dump pv64.save
    [[ $stderr == *"xen-blkfront"* ]]
    "$SRCDIR"/tests/tools/mkstream.py pv32 pv32.save
    run -4 --separate-stderr "$XBDSNAP" dump pv32.save
    [[ $stderr == *"looked for a Linux kernel with xen-blkfront"* ]]
}

@test "a disk of the configuration that the driver does not have, and one that it does not name" {
    two_disks
    # The configuration is the JSON text before the stream.
    python3 - "$image" <<'EOF'
import sys
raw = open(sys.argv[1], "rb").read()
at = raw.index(b"\xff" * 8 + b"XENF")
assert raw[:at].count(b'"xvdb"') == 1
open("other", "wb").write(raw[:at].replace(b'"xvdb"', b'"xvdz"') + raw[at:])
open("bare", "wb").write(raw[at:])
EOF
    "$XBDSNAP" dump -J other >dump.json
    [ "$(jq -r '[.every_page, .doubt] | join(" ")' dump.json)" = \
        "true the configuration has xvdz, the driver's list does not" ]
    [ "$(jq -c '[.devices[].confirmed_by]' dump.json)" = \
        '[["bus","configuration","structure","ring","scan"],["bus","structure","ring","scan"]]' ]
    # Where there is none, it is not needed.
    "$XBDSNAP" dump -J bare >dump.json
    [ "$(jq -c '[.every_page, .doubt, (.devices[] | .confirmed, .confirmed_by)]' dump.json)" = \
        '[false,null,true,["bus","structure","ring"],true,["bus","structure","ring"]]' ]
}

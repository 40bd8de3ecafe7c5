#!/usr/bin/env bats
bats_require_minimum_version 1.5.0

# Guests of real checkpoints as the tool stacks of Xen 3.0 to 4.5 would have saved them
# (tests/tools/mklegacy.py): whatever the format, the answer is that of the checkpoint.

setup_file() {
    export REAL="$BATS_FILE_TMPDIR/real"
    mkdir "$REAL"
    for name in linux-6.1-base linux-6.1-hvm; do
        zstd -q -dc "$SRCDIR/tests/fixtures/$name/checkpoint.save.zst" > "$REAL/$name"
    done
}

mklegacy() {
    python3 "$SRCDIR/tests/tools/mklegacy.py" "$@"
}

# Devices and what is known of the guest; its name and kind depend on what the wrapper says, and so
# does whether a configuration confirms the devices.
essence='[(.devices | map(.confirmed_by -= ["configuration"])),
    (.guest | del(.name, .uuid, .vcpus, .type))]'

same_dump() { # same_dump FIXTURE FILE [STATUS]: does it say what the fixture says?
    run "-${3:-0}" --separate-stderr "$XBDSNAP" dump -J "$2"
    printf '%s' "$output" > "$BATS_TEST_TMPDIR/json"
    diff <(jq -S "$essence" "$SRCDIR/tests/fixtures/$1/dump.json") \
        <(jq -S "$essence" "$BATS_TEST_TMPDIR/json")
}

# Streams that end in an epoch of Remus are incomplete, and their state is that of the one before.
each_recipe() { # each_recipe KIND FIXTURE
    local name options status
    while read -r name options; do
        echo "$1 $name: $options"
        # shellcheck disable=SC2086
        mklegacy "$REAL/$2" "$BATS_TEST_TMPDIR/image" $options
        status=0
        [[ $options == *--cut* ]] && status=5
        same_dump "$2" "$BATS_TEST_TMPDIR/image" "$status" || return 1
    done < <(mklegacy --recipes "$1")
}

@test "a 64-bit PV guest in every format it can be in" {
    each_recipe pv64 linux-6.1-base
}

# bats test_tags=long
@test "an HVM guest in every format it can be in" {
    each_recipe hvm linux-6.1-hvm
}

configuration='[.guest.name, .guest.uuid, .config.vcpus, .config.kind,
    (.config.disks[] | [.vdev, .path, .read_only, .cdrom])]'

# bats test_tags=long
@test "the configuration of xend, xl and libvirt gives name, uuid, vcpus and disks" {
    image="$BATS_TEST_TMPDIR/image"
    want='"stuck","02fa61a4-e6f5-11f1-9762-553ec0263bd5",1,'
    disk='["xvda","/dev/mapper/stuck",false,false]'
    for form in xend:sxp xl:xlcfg xl-json:xl-json libvirt1:libvirt-xml; do
        mklegacy "$REAL/linux-6.1-base" "$image" --since 4.1 --wrap "${form%:*}"
        run -0 "$XBDSNAP" info -J "$image"
        echo "$form: $output"
        [ "$(jq -c "$configuration" <<<"$output")" = "[$want\"${form#*:}\",$disk]" ]
    done
}

# Xen 4.17's own converter of old streams: what it makes of a generated one gives the same answer.
need_convert() {
    [ -e /usr/lib/xen-4.17/bin/convert-legacy-stream ] || skip "xen-utils-4.17 is not installed"
}

convert() { # convert OUT IN WIDTH KIND OPTIONS...
    local tool=/usr/lib/xen-4.17/bin/convert-legacy-stream
    PYTHONPATH=${tool%/bin/*}/lib/python python3 "$tool" -o "$1" -i "$2" -w "$3" -g "$4" \
        "${@:5}" 2>&1
}

strip_xl_header() { # magic, four words of which the last is the length of what follows them
    tail -c "+$((48 + $(od -An -tu4 -j44 -N4 "$1") + 1))" "$1" > "$1.bare"
    mv "$1.bare" "$1"
}

# bats test_tags=long
@test "convert-legacy-stream reads what is generated, and the result says the same" {
    need_convert
    in="$BATS_TEST_TMPDIR/in" out="$BATS_TEST_TMPDIR/out"
    while read -r fixture kind width options; do
        echo "$fixture: $options"
        # shellcheck disable=SC2086
        mklegacy "$REAL/$fixture" "$in" --tools "$width" $options
        # On Python 3 its -x takes every xl header for none.
        [[ $options == *"--wrap xl"* ]] && strip_xl_header "$in"
        run -0 convert "$out" "$in" "$width" "$kind" -f libxl
        same_dump "$fixture" "$out"
    done << 'LIST'
linux-6.1-base pv 64 --since 3.2
linux-6.1-base pv 32 --since 4.1 --wrap xl
linux-6.1-base pv 64 --since 4.5 --wrap xl-json --live
linux-6.1-hvm hvm 64 --since 4.2 --wrap xl --qemu 0002
LIST
}

# Its known limits. Ours must not be among them.
# bats test_tags=long
@test "where convert-legacy-stream gives up, xbdsnap does not" {
    need_convert
    in="$BATS_TEST_TMPDIR/in" out="$BATS_TEST_TMPDIR/out"
    while IFS='|' read -r options flag why; do
        # shellcheck disable=SC2086
        mklegacy "$REAL/linux-6.1-base" "$in" $options
        # shellcheck disable=SC2086
        run convert "$out" "$in" 64 pv $flag
        echo "$options: $output"
        [ "$status" -ne 0 ]
        [[ $output == *"$why"* ]]
        same_dump linux-6.1-base "$in"
    done << 'LIST'
--since 3.1||Unexpected extended info marker
--since 4.0 --tmem||todo
--since 4.5 --odd-block||Unrecognised extended block
--since 4.1 --wrap xl|-x|No xl header
--since 3.2 --wrap xend||Stream Error
LIST
}

# What libvirt and xapi put around the streams of today's Xen: the version does not tell.
# bats test_tags=long
@test "libvirt's and xapi's images of Xen 4.6 and newer" {
    image="$BATS_TEST_TMPDIR/image"
    for form in base:libvirt1 hvm:libvirt2 base:xapi2 hvm:xapi2; do
        name=linux-6.1-${form%:*}
        echo "$form"
        mklegacy --wrap "${form#*:}" --stream "$REAL/$name" "$image"
        same_dump "$name" "$image"
    done
    run -0 "$XBDSNAP" validate "$image"
    # A suspend image often stands on a volume that is larger.
    truncate -s +1M "$image"
    run -0 "$XBDSNAP" validate "$image"
    [[ $output == *"note XB013"*"1048576 bytes follow the end"* ]]
}

# bats test_tags=long
@test "a wrapper in a compression in a pipe" {
    for options in "--wrap libvirt1" "--since 3.0"; do
        # shellcheck disable=SC2086
        mklegacy "$REAL/linux-6.1-base" "$BATS_TEST_TMPDIR/image" $options
        zstd -q -c "$BATS_TEST_TMPDIR/image" | "$XBDSNAP" dump -J - > "$BATS_TEST_TMPDIR/json"
        diff <(jq -S "$essence" "$SRCDIR/tests/fixtures/linux-6.1-base/dump.json") \
            <(jq -S "$essence" "$BATS_TEST_TMPDIR/json")
    done
}

has_text() { # has_text FILE PYTHON-BYTES
    python3 -c 'import sys; sys.exit(eval(sys.argv[2]) not in open(sys.argv[1], "rb").read())' "$@"
}

# Pages of an epoch that was lost, pages that a delta changed in vain, pages of tmem.
# bats test_tags=long
@test "redact keeps what compressed pages are made of, and nothing else" {
    image="$BATS_TEST_TMPDIR/image" out="$BATS_TEST_TMPDIR/out"
    mklegacy "$REAL/linux-6.1-base" "$image" --since 4.2 --wrap xl --remus 3 --compress --split --cut
    run -5 "$XBDSNAP" redact -q "$image" "$out"
    same_dump linux-6.1-base "$out" 5
    # Each page of the lost epoch is one pattern: 16 bytes that ascend, again and again.
    lost='bytes((7 * 0x1000 + 9 * 13 + i) & 255 for i in range(16)) * 4'
    has_text "$image" "$lost"
    run -1 has_text "$out" "$lost"
    mklegacy "$REAL/linux-6.1-base" "$image" --since 4.0 --tmem
    "$XBDSNAP" redact -q --force "$image" "$out"
    same_dump linux-6.1-base "$out"
    has_text "$image" 'b"\xee" * 4096'
    run -1 has_text "$out" 'b"\xee" * 64'
    # An older image behind this one.
    cat "$REAL/linux-6.1-hvm" >> "$image"
    "$XBDSNAP" redact -q --force "$image" "$out"
    same_dump linux-6.1-base "$out"
    run -1 has_text "$out" 'b"LibxlFmt"'
}

# bats test_tags=long
@test "every command works on a legacy stream" {
    image="$BATS_TEST_TMPDIR/image" out="$BATS_TEST_TMPDIR/out"
    mklegacy "$REAL/linux-6.1-base" "$image" --since 4.1 --wrap xl --live
    run -0 "$XBDSNAP" info "$image"
    [[ $output == *"xl > legacy libxc"*"xvda: 20 pending"* ]]
    run -0 --separate-stderr "$XBDSNAP" validate "$image"
    [[ $output == *"0 errors, 0 warnings"* ]]
    run -0 --separate-stderr "$XBDSNAP" replay -J "$image"
    [ "$(jq '.plan | length' <<<"$output")" -eq 20 ]
    diff <(jq -S .plan <<<"$output") <("$XBDSNAP" replay -q -J "$REAL/linux-6.1-base" | jq -S .plan)
    "$XBDSNAP" redact -q "$image" "$out"
    same_dump linux-6.1-base "$out"
    "$XBDSNAP" extract --page 0x10 "$image" > "$BATS_TEST_TMPDIR/a"
    "$XBDSNAP" extract --page 0x10 "$REAL/linux-6.1-base" > "$BATS_TEST_TMPDIR/b"
    cmp "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b"
}

# What wrote it, and what can restore it.
@test "info names the writer, its versions and the way back" {
    image="$BATS_TEST_TMPDIR/image"
    while IFS='|' read -r options writer restore; do
        # shellcheck disable=SC2086
        mklegacy $options "$image"
        "$XBDSNAP" info "$image" > "$BATS_TEST_TMPDIR/sheet" 2> /dev/null || true
        cat "$BATS_TEST_TMPDIR/sheet"
        grep -q "^written by *$writer\$" "$BATS_TEST_TMPDIR/sheet"
        grep -q "^restore *$restore" "$BATS_TEST_TMPDIR/sheet"
    done << 'LIST'
--since 3.0 --wrap xend made:pv64|xend (xm save) of Xen 3.0, 64-bit|not by today's Xen, whose converter refuses it (it has no extended information): with xm restore of Xen 3.0
--since 3.4 --wrap xend --tools 32 made:pv64|xend (xm save) of Xen 3.2 to 3.4, 32-bit|by today's Xen once it is converted: tail -c +503 FILE . convert-legacy-stream -i 0 -o OUT -w 32 -g pv -f libxl
--since 4.1 --wrap xl made:pv64|xl of Xen 4.1 to 4.4, 64-bit|by today's Xen, which converts it (convert-legacy-stream)
--since 4.5 --wrap xl-json made:pv64|xl of Xen 4.5, 64-bit|by today's Xen, which converts it
--since 4.0 --tmem made:pv64|xc_save of Xen 4.0, 64-bit|not by today's Xen, whose converter refuses it (it holds pages of tmem): with the tools of Xen 4.0
--since 4.0 --wrap xend --qemu eof --tmem --live made:hvm|xend (xm save) of Xen 4.0, 64-bit|not by today's Xen, whose converter refuses it (it holds pages of tmem): with xm restore of Xen 4.0
--since 3.1 --wrap xend --qemu eof made:hvm|xend (xm save) of Xen 3.1 to 3.4, 64-bit|by today's Xen once it is converted: .* -g hvm -f libxc --skip-qemu
--since 4.2 --tools 32 --wrap xl made:2level|xl of Xen 4.2 to 4.4, 32-bit|not by today's Xen, whose converter refuses it (guests with two levels
LIST
    run -0 "$XBDSNAP" info "$REAL/linux-6.1-base"
    [[ $output == *"written by     xl of Xen 4.17"*"restore        by today's Xen (xl restore)"* ]]
}

# The command that info names works as it stands.
# bats test_tags=long
@test "the conversion that info names gives the same guest" {
    [ -e /usr/lib/xen-4.17/bin/convert-legacy-stream ] || skip "xen-utils-4.17 is not installed"
    cd "$BATS_TEST_TMPDIR"
    export PYTHONPATH=/usr/lib/xen-4.17/lib/python PATH=/usr/lib/xen-4.17/bin:$PATH
    mklegacy "$REAL/linux-6.1-base" FILE --since 3.4 --wrap xend --tools 32
    command=$("$XBDSNAP" info FILE | sed -n 's/^restore .*converted: //p')
    [ -n "$command" ]
    bash -c "$command"
    same_dump linux-6.1-base OUT
    mklegacy "$REAL/linux-6.1-hvm" FILE --since 4.0 --wrap xend --qemu eof
    command=$("$XBDSNAP" info FILE | sed -n 's/^restore .*converted: //p')
    bash -c "$command"
    same_dump linux-6.1-hvm OUT
}

# What file(1) says by magic/xbdsnap is what info says; it cannot know a stream that has no magic.
# bats test_tags=long
@test "file and info agree" {
    command -v file || skip "no file(1)"
    mklegacy --corpus "$BATS_TEST_TMPDIR/small"
    python3 "$SRCDIR/tests/tools/mkstream.py" --corpus "$BATS_TEST_TMPDIR/made"
    mkdir "$BATS_TEST_TMPDIR/fixtures"
    for f in "$SRCDIR"/tests/fixtures/*/*.save.zst; do
        name=$(basename "$(dirname "$f")")-$(basename "$f" .save.zst)
        zstd -qdo "$BATS_TEST_TMPDIR/fixtures/$name" "$f"
    done
    for f in "$REAL"/* "$BATS_TEST_TMPDIR"/{fixtures,small}/* \
        "$BATS_TEST_TMPDIR"/made/{pv64-*,hvm-v2,pvh,live,xen20*}; do
        said=$(file -b -m "$SRCDIR/magic/xbdsnap" "$f")
        layers=$("$XBDSNAP" info -J "$f" 2> /dev/null |
            jq -r '(.source.layers | join(" > ")), .guest.type, .source.xen_version' || true)
        { read -r layers; read -r kind; read -r version; } <<< "$layers"
        echo "$f: $said; $layers, $kind, $version"
        case ${f##*/} in
        2level-3.0 | pae-3.0 | pv64-3.0 | hvm-4.0 | hvm-4.5-bare) [ "$said" = data ] && continue ;;
        *xapi) layers=${layers%% > *} ;; # what it holds stands behind a record of any length
        *-core-*) layers=${layers% *} ;; # its version stands in a note
        esac
        [[ $said == "Xen guest, $layers"* ]]
        case $said in
        *"HVM or PVH"*) [[ $kind == hvm || $kind == pvh ]] ;;
        *", PV"*) [ "$kind" = pv ] ;;
        *", HVM"*) [ "$kind" = hvm ] ;;
        esac
        [[ $said != *", Xen "[0-9]*.[0-9][0-9] ]] || [[ $said == *", Xen $version" ]]
    done
}

# The NetBSD guest of a Xen 2.0 image, as 3.0 and as xen-unstable of mid-2005 would have saved it.
# bats test_tags=long
@test "the NetBSD guest of Xen 2 in a stream of Xen 3" {
    zstd -q -dc "$SRCDIR/tests/fixtures/xen2-netbsd/checkpoint.save.zst" > "$REAL/xen2-netbsd"
    for options in "--since 3.0" "--since 3.0 --wrap xend" "--since 3.1 --live" \
        "--since 3.0 --wrap xen2 --context 2784" "--since 3.0 --wrap xend --list-bytes 4096" \
        "--since 3.0 --wrap xend --list-bytes 4096 --context 2816"; do
        echo "$options"
        # shellcheck disable=SC2086
        mklegacy "$REAL/xen2-netbsd" "$BATS_TEST_TMPDIR/image" --tools 32 $options
        same_dump xen2-netbsd "$BATS_TEST_TMPDIR/image"
    done
}

# Rubbish in front, and another stream behind: both are named by their offsets.
# bats test_tags=long
@test "a stream inside a file is found by its offset" {
    file="$BATS_TEST_TMPDIR/file" out="$BATS_TEST_TMPDIR/out"
    mklegacy "$REAL/linux-6.1-base" "$BATS_TEST_TMPDIR/second" --since 3.4 --wrap xend
    { head -c 777 "$SRCDIR/README"; cat "$REAL/linux-6.1-hvm" "$BATS_TEST_TMPDIR/second"; } > "$file"
    second=$((777 + $(stat -c %s "$REAL/linux-6.1-hvm")))
    run -5 "$XBDSNAP" info "$file"
    [[ $output == *"no known format begins with"*"headers of xl at 0x309"* ]]
    run -0 --separate-stderr "$XBDSNAP" validate --offset=0x309 "$file"
    [[ $output == *"XB013"*"headers of xend or Xen 2.0 at 0x$(printf %x $second)"* ]]
    for at in 777:linux-6.1-hvm "$second:linux-6.1-base"; do
        "$XBDSNAP" dump -J --offset "${at%:*}" "$file" > "$BATS_TEST_TMPDIR/json"
        diff <(jq -S "$essence" "$SRCDIR/tests/fixtures/${at#*:}/dump.json") \
            <(jq -S "$essence" "$BATS_TEST_TMPDIR/json")
    done
    "$XBDSNAP" redact -q --offset 777 "$file" "$out"
    run -1 has_text "$out" 'b"xbdsnap - "'
    run -1 has_text "$out" 'b"LinuxGuestRecord"'
    run -2 "$XBDSNAP" info --offset 999999999999 "$file"
    [[ $output == *"nothing begins at 0xe8d4a50fff"* ]]
    run -2 "$XBDSNAP" info --offset -1 "$file"
}

@test "an inherited descriptor is read like a file" {
    image="$REAL/linux-6.1-base"
    want=$("$XBDSNAP" info "$image" | tail -n +2)
    [ "$("$XBDSNAP" info --fd 7 7< "$image" | tail -n +2)" = "$want" ]
    [ "$("$XBDSNAP" info --fd=7 7< <(cat "$image") | tail -n +2)" = "$want" ]
    [ "$(zstd -q -c "$image" | "$XBDSNAP" info -J --fd 0 | jq -c '.source.layers')" = \
        '["zstd","xl","libxl v2","libxc v3"]' ]
    # An unlinked file, which no path leads to.
    cp "$image" "$BATS_TEST_TMPDIR/gone"
    exec 8< "$BATS_TEST_TMPDIR/gone"
    rm "$BATS_TEST_TMPDIR/gone"
    [ "$("$XBDSNAP" info --fd 8 | tail -n +2)" = "$want" ]
    exec 8<&-
    run -2 "$XBDSNAP" info --fd x
    [[ $output == *"--fd takes the number of an open descriptor"* ]]
    run -6 "$XBDSNAP" info --fd 99
    [[ $output == *"Bad file descriptor"* ]]
}

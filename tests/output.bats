#!/usr/bin/env bats
# What is written, and what never is: an input in the place of an output, raw bytes on a terminal.

setup() {
    bats_require_minimum_version 1.5.0
    mkdir "$BATS_TEST_TMPDIR/work"
    cd "$BATS_TEST_TMPDIR/work"
    python3 "$SRCDIR/tests/tools/mkxen2.py" a.save --seed 3
    python3 -c '
import struct
with open("p2m", "wb") as f:
    for pfn in range(1024):
        f.write(struct.pack("<Q", 5000 + pfn))'
}

real() {
    zstd -qdo linux.save "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst"
}

schema() { # schema FILE
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" "$1"
}

# refused WORDS COMMAND...: status 3, the words, and every file as it was.
refused() {
    local words=$1 before
    shift
    before=$(find . -type f -o -type l | sort | xargs sha256sum)
    run -3 --separate-stderr "$@"
    [[ $stderr == *"$words"* ]]
    [ "$before" = "$(find . -type f -o -type l | sort | xargs sha256sum)" ]
}

# bats test_tags=long
@test "no output takes the checkpoint's place, by whatever name" {
    ln -s a.save symlink
    ln a.save hardlink
    mkdir dir
    zstd -q a.save -o a.zst
    for out in a.save ./a.save "$PWD/a.save" dir/../a.save symlink hardlink; do
        refused "is the input 'a.save'" "$XBDSNAP" redact --force a.save "$out"
        refused "is the input 'a.save'" "$XBDSNAP" extract --force --page 5 -o "$out" a.save
        refused "is the input 'a.save'" "$XBDSNAP" replay --force --p2m p2m --ring "$out" a.save
        refused "is the input 'symlink'" "$XBDSNAP" redact --force symlink "$out"
        refused "is the input '-'" "$XBDSNAP" redact --force - "$out" <a.save
    done
    refused "is the input 'a.zst'" "$XBDSNAP" redact --force a.zst a.zst
    refused "is the input 'a.zst'" "$XBDSNAP" extract --force --page 5 -o ./a.zst a.zst
}

@test "no output takes the place of any other input" {
    touch kernel
    refused "is the input 'p2m'" "$XBDSNAP" replay --force --p2m p2m --ring ./p2m a.save
    echo '{}' >plan
    refused "is the input 'plan'" "$XBDSNAP" replay --force --p2m p2m --plan plan --ring plan a.save
    echo feature-barrier=1 >caps
    refused "is the input 'caps'" \
        "$XBDSNAP" replay --force --p2m p2m --target-caps caps --ring caps a.save
    cp "$XBDSNAP" kernel
    refused "is the input 'kernel'" "$XBDSNAP" extract --force --kernel kernel --page 5 -o kernel a.save
    refused "is the input 'kernel'" "$XBDSNAP" redact --force --kernel kernel a.save kernel
}

# bats test_tags=long
@test "extract --all keeps an input that has the name of one of its files" {
    real
    "$XBDSNAP" extract -q --slot 3 --holes=zero -J -o x linux.save >doc || true
    "$XBDSNAP" extract -q --holes=zero --all names linux.save || true
    mkdir dir
    ln linux.save dir/manifest.json
    refused "dir/manifest.json is the input 'linux.save'" \
        "$XBDSNAP" extract -q --force --all dir linux.save
}

# bats test_tags=long
@test "replay never writes to a file that it reads" {
    real
    truncate -s 64M disk
    cp linux.save save
    for as in --undo --to; do
        for out in save disk; do
            refused "is the input '$out'" "$XBDSNAP" replay --write "$as" "$out" \
                --allow=findings --allow=capacity --disk xvda=raw:disk save
        done
    done
    refused "is the input 'save'" "$XBDSNAP" replay --write --undo undo \
        --allow=findings --allow=capacity --allow=identity --disk xvda=raw:save save
}

@test "standard output is not the checkpoint either" {
    refused "standard output is the input 'a.save'" bash -c '"$XBDSNAP" dump a.save >>a.save'
    refused "standard output is the input '-'" bash -c '"$XBDSNAP" info - <a.save 1<>a.save'
    run -0 bash -c '"$XBDSNAP" info - <a.save >/dev/null'
}

@test "- is standard output" {
    "$XBDSNAP" extract --page 5 -o want a.save
    "$XBDSNAP" extract --page 5 -o - a.save | cmp - want
    "$XBDSNAP" extract --page 5 --hex -o - a.save | grep -c '^0000000000005'
    "$XBDSNAP" redact -q a.save small
    "$XBDSNAP" redact -q a.save - | cmp - small
    "$XBDSNAP" redact -q - - <a.save >small2
    cmp small small2
    "$XBDSNAP" replay -q --skip-unknown --p2m p2m --ring ring a.save
    "$XBDSNAP" replay -q --skip-unknown --p2m p2m --ring - a.save | cmp - ring
    "$XBDSNAP" replay -J a.save >plan || true
    run "$XBDSNAP" replay --plan plan a.save
    want=$output
    run bash -c '"$XBDSNAP" replay --plan - a.save <plan'
    [ "$output" = "$want" ]
    [ ! -e - ]
}

@test "where - makes no sense it is bad usage" {
    truncate -s 1M disk
    run -2 "$XBDSNAP" replay --write --undo - --disk xvda=disk a.save
    [[ $output == *"--undo and --to take a file"* ]]
    run -2 "$XBDSNAP" replay --write --to - --disk xvda=disk a.save
    run -2 "$XBDSNAP" extract --all - a.save
    [[ $output == *"--all takes a folder"* ]]
    run -2 "$XBDSNAP" extract -J --page 5 -o - a.save
    run -2 "$XBDSNAP" extract -J --page 5 a.save
    [[ $output == *"--output or --all"* ]]
    run -2 "$XBDSNAP" redact -J a.save -
    run -2 "$XBDSNAP" replay -J --p2m p2m --ring - a.save
    run -2 "$XBDSNAP" p2m -J --domid 1
    [ ! -e - ]
}

@test "raw bytes never go to a terminal" {
    for args in "extract --page 5 a.save" "extract --page 5 -o - a.save" "redact a.save -" \
        "replay --skip-unknown --p2m p2m --ring - a.save" "p2m --domid 1" "p2m --domid 1 -o -" \
        "extract --page 5 -o /dev/tty a.save"; do
        run -2 script -qec "'$XBDSNAP' $args" /dev/null
        [[ $output == *terminal* || $output == *"name a file with -o"* ]]
    done
    run -0 script -qec "'$XBDSNAP' extract --hex --page 5 a.save" /dev/null
}

@test "devices and pipes are written to, folders and block devices are not" {
    "$XBDSNAP" extract --page 5 -o want a.save
    mkfifo pipe
    cat pipe >got &
    "$XBDSNAP" extract --page 5 -o pipe a.save
    wait
    cmp want got
    [ -p pipe ]
    run -6 "$XBDSNAP" extract --page 5 -o /dev/full a.save
    [[ $output == *"/dev/full"*"No space left"* ]]
    [ -c /dev/full ]
    mkdir dir
    run -6 "$XBDSNAP" extract --force --page 5 -o dir a.save
    [[ $output == *"dir"*"Is a directory"* ]]
    run -0 "$XBDSNAP" extract --page 5 -o /dev/null a.save
    [ -c /dev/null ]
}

# bats test_tags=long
@test "extract and redact tell as a document what they wrote" {
    real
    "$XBDSNAP" extract -J --page 5 -o page a.save >doc
    schema doc
    jq -e '.extracted == [{"pfn": "0x5", "path": "page", "bytes": 4096, "error": null}] and
        .holes == 0 and .manifest == null and .source.format == "xen2"' doc
    "$XBDSNAP" extract -J --slot 3 --holes=zero -o slot linux.save >doc
    schema doc
    jq -e '.extracted[0] | .path == "slot" and .device == "xvda" and .slot == 3 and
        .bytes == ([.segments[].bytes] | add)' doc
    [ "$(jq '.extracted[0].bytes' doc)" -eq "$(stat -c %s slot)" ]
    "$XBDSNAP" extract -J --all all --holes=zero linux.save >doc
    schema doc
    jq -e '.manifest == "all/manifest.json" and (.extracted | length) == 20' doc
    while read -r path bytes; do
        [ "$(stat -c %s "$path")" -eq "$bytes" ]
    done < <(jq -r '.extracted[] | "\(.path) \(.bytes)"' doc)
    "$XBDSNAP" redact -J linux.save small >doc 2>talk
    schema doc
    [ ! -s talk ]
    size=$(stat -c %s small)
    jq -e --argjson size "$size" '.redacted | .path == "small" and .bytes == $size and
        .kept_pages > 0 and .zeroed_pages > 0 and .payload_kept == false' doc
    pages=$("$XBDSNAP" info -J linux.save | jq .source.data_pages)
    [ "$(jq '.redacted.kept_pages + .redacted.zeroed_pages' doc)" -eq "$pages" ]
    "$XBDSNAP" replay -J --skip-unknown --p2m p2m --ring ring a.save >doc
    schema doc
    steps=$("$XBDSNAP" replay -J a.save | jq '.plan | length')
    jq -e --argjson steps "$steps" '.ring | .path == "ring" and .bytes == 3848 and
        .requests > 0 and .requests + .left_out == $steps' doc
}

# bats test_tags=long
@test "every command takes -J and prints one document" {
    real
    for args in "info a.save" "dump a.save" "validate a.save" "replay a.save" "rules XB101" \
        "extract --page 5 -o out1 a.save" "redact a.save out2"; do
        # shellcheck disable=SC2086
        "$XBDSNAP" ${args%% *} -J ${args#* } >doc || [ $? -le 4 ]
        jq -es 'length == 1 and .[0].schema == "xbdsnap/1"' doc
        schema doc
    done
}

# planted COMMAND...: refused for the link on its way; nothing is written behind it.
planted() {
    run -3 --separate-stderr "$@"
    [[ $stderr == *"a symbolic link on its way may be somebody else's, and is not followed"* ]]
    [ -z "$(ls -A victim)" ]
}

# bats test_tags=long
@test "a link that was planted in a folder for all leads nowhere" {
    real
    truncate -s 64M disk
    mkdir victim common
    chmod 1777 common
    ln -s ../victim common/dir
    allow=(--allow=findings --allow=capacity --allow=hole --disk xvda=raw:disk)
    planted "$XBDSNAP" extract --page 5 -o common/dir/out a.save
    planted "$XBDSNAP" extract --force --page 5 -o "$PWD/common/dir/out" a.save
    planted "$XBDSNAP" extract -q --holes=zero --all common/dir linux.save
    planted "$XBDSNAP" extract -q --holes=zero --all common/dir/sub linux.save
    planted "$XBDSNAP" redact --force a.save common/dir/out
    planted "$XBDSNAP" export linux.save common/dir/out
    planted "$XBDSNAP" report -o common/dir/out a.save
    planted "$XBDSNAP" replay --skip-unknown --p2m p2m --ring common/dir/out a.save
    planted "$XBDSNAP" replay --write --undo common/dir/out "${allow[@]}" linux.save
    planted "$XBDSNAP" replay --write --to common/dir/out "${allow[@]}" linux.save
    for option in --keep --report; do
        "$XBDSNAP" guard "$option" common/dir/out <linux.save 2>talk >passed || true
        grep -q "is not followed" talk
        cmp passed linux.save
        [ -z "$(ls -A victim)" ]
    done
    # The last name of a path: replaced where that was asked for, and a pipe is not followed to.
    mkfifo victim/pipe
    ln -s ../victim/pipe common/pipe
    run -3 timeout 20 "$XBDSNAP" extract --force --page 5 -o common/pipe a.save
    rm victim/pipe
    echo precious >victim/file
    ln -s ../victim/file common/file
    ln -s ../victim/new common/new
    for name in file new; do
        run -3 "$XBDSNAP" extract --page 5 -o common/$name a.save
        "$XBDSNAP" extract --force --page 5 -o common/$name a.save
        [ ! -L common/$name ]
    done
    [ "$(cat victim/*)" = precious ]
}

@test "a link of our own is followed, one of somebody else's is not" {
    mkdir there
    ln -s there here
    ln -s here/ again
    "$XBDSNAP" extract --page 5 -o again/out a.save
    [ "$(stat -c %s there/out)" -eq 4096 ]
    ln -s circle circle
    run -3 "$XBDSNAP" extract --page 5 -o circle/out a.save
    run -6 "$XBDSNAP" extract --page 5 -o there/out/below a.save
    run -6 "$XBDSNAP" extract --page 5 -o missing/out a.save
    "$XBDSNAP" extract --page 5 -o - a.save | cmp - there/out
    bash -c '"$XBDSNAP" extract --page 5 -o /dev/stdout a.save' | cmp - there/out
    [ "$(id -u)" -eq 0 ] || skip "only root makes links of others"
    chown -h nobody here
    run -3 "$XBDSNAP" extract --force --page 5 -o here/out a.save
    [[ $output == *"is not followed"* ]]
}

# bats test_tags=long
@test "whatever is written is for its owner alone" {
    real
    truncate -s 64M disk
    allow=(--allow=findings --allow=capacity --allow=hole --disk xvda=raw:disk)
    umask 000
    mkdir out
    "$XBDSNAP" extract --page 5 -o out/page a.save
    "$XBDSNAP" extract -q --holes=zero --all out/all linux.save
    "$XBDSNAP" redact --keep-payload a.save out/copy
    "$XBDSNAP" export -q linux.save out/core
    "$XBDSNAP" report -q -o out/report a.save || [ $? -eq 3 ]
    "$XBDSNAP" replay --skip-unknown --p2m p2m --ring out/ring a.save
    "$XBDSNAP" guard --keep out/kept --report out/verdict <linux.save >passed
    "$XBDSNAP" replay --write --undo out/undo "${allow[@]}" linux.save || [ $? -eq 1 ]
    [ "$(find out -type f | wc -l)" -eq 29 ]
    [ -z "$(find out -type f ! -perm 600)" ]
    [ "$(stat -c %a out/all)" = 700 ]
    command -v qemu-img >/dev/null || skip "needs qemu-img"
    "$XBDSNAP" replay --write --to out/over "${allow[@]}" linux.save || [ $? -eq 1 ]
    [ "$(stat -c %a out/over)" = 600 ]
}

# order TRACE WORDS...: these stand in the trace, one after the other.
order() {
    python3 - "$@" <<'PYTHON'
import re
import sys

at, lines = 0, open(sys.argv[1]).read().split("\n")
for want in sys.argv[2:]:
    while at < len(lines) and not re.search(want, lines[at]):
        at += 1
    if at == len(lines):
        sys.exit(f"{want}: not there, or not behind the one before")
    at += 1
PYTHON
}

# traced COMMAND...: with what it writes, names and syncs in ./trace.
traced() {
    strace -f -y -qq -o trace -e trace=pwrite64,write,fsync,fdatasync,renameat2 "$@"
}

# bats test_tags=long
@test "a file has its name when it is on the disk, and its folder is synced" {
    command -v strace >/dev/null || skip "needs strace"
    export ASAN_OPTIONS=detect_leaks=0 # which traces too
    real
    mkdir out
    for args in "extract --page 5 -o out/x a.save" "redact a.save out/x" "export -q linux.save out/x" \
        "report -q -o out/x a.save" "replay --skip-unknown --p2m p2m --ring out/x a.save"; do
        # shellcheck disable=SC2086
        traced "$XBDSNAP" $args || [ $? -eq 3 ]
        order trace 'write.*/out/x\.' 'fsync\(.*/out/x\.[0-9a-f]*>\) += 0' \
            'renameat2\(.*"x\.[0-9a-f]*".*"x".* = 0' 'fsync\(.*/out>\) += 0'
        rm out/x
    done
}

# bats test_tags=long
@test "the undo file lasts before the first byte of the disk is another" {
    command -v strace >/dev/null || skip "needs strace"
    dir=$XBDSNAP_CACHE/linux-6.1-base
    [ -e "$dir/image.save" ] || skip "no checkpoint"
    export ASAN_OPTIONS=detect_leaks=0
    cp --sparse=always "$dir"/disk-before.img disk
    mkdir out
    traced "$XBDSNAP" replay --write --undo out/undo --disk xvda=disk "$dir/image.save"
    order trace 'write.*/out/undo\.' 'fsync\(.*/out/undo\.[0-9a-f]*>\) += 0' \
        'renameat2\(.*"undo".* = 0' 'fsync\(.*/out>\) += 0' 'pwrite64\([0-9]*<[^>]*/disk>' \
        'f(data)?sync\([0-9]*<[^>]*/disk>\) += 0'
    sed '/fsync(.*\/out>)/q' trace >before
    ! grep 'pwrite64([0-9]*<[^>]*/disk>' before
}

# bats test_tags=long
@test "a guest's name for its disk is no path" {
    real
    # The name in the disk's struct gendisk, behind its numbers.
    name() { # name TEXT
        python3 - "$1" <<'PYTHON'
import re
import sys

image = bytearray(open("linux.save", "rb").read())
text = sys.argv[1].encode()
for at in re.finditer(b"\xca\0\0\0\0\0\0\0\x10\0\0\0xvda\0", bytes(image)):
    image[at.end() - 5:at.end() - 5 + len(text) + 1] = text + b"\0"
open("named.save", "wb").write(image)
PYTHON
        rm -rf in
        mkdir in
        "$XBDSNAP" extract -q --holes=zero --all in/all named.save
        [ "$(ls -A in)" = all ]
        [ "$(find in/all -name '*-ring0-slot*' | wc -l)" -eq 20 ]
    }
    name xvdz
    [ -e in/all/xvdz-ring0-slot0-write-sector128 ]
    for text in ../x a/b /tmp/x .. . $'\e[2J' '%s%n' '-o' 'x y' "x;y"; do
        name "$text"
        [ -z "$(find in/all -mindepth 1 | grep -v '^in/all/[a-zA-Z0-9_.-]*$')" ]
        [ -z "$(find in/all -mindepth 1 -name '[.-]*')" ]
    done
}

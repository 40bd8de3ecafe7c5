#!/usr/bin/env bats
bats_require_minimum_version 1.5.0

# Streams as seen through the command line: what `info` says of them, and how they are refused.

setup_file() {
    export MADE="$BATS_FILE_TMPDIR/made"
    python3 "$SRCDIR/tests/tools/mkstream.py" --corpus "$MADE"
}

second() { # second FILE: what the independent reader says
    python3 "$SRCDIR/tests/tools/second_reader.py" "$1"
}

# Compare `info -J` with the second reader.
agree() { # agree FILE
    "$XBDSNAP" info -J "$1" > "$BATS_TEST_TMPDIR/mine" 2> /dev/null || true
    second "$1" > "$BATS_TEST_TMPDIR/theirs"
    python3 - "$BATS_TEST_TMPDIR/mine" "$BATS_TEST_TMPDIR/theirs" << 'PYTHON'
import json, sys
mine, theirs = (json.load(open(f)) for f in sys.argv[1:])
source, guest, config = mine["source"], mine["guest"], mine["config"]
got = {"complete": source["complete"], "layers": source["layers"], "guest": guest["type"],
       "word_bytes": guest["word_bytes"], "pt_levels": guest["pt_levels"] or 0,
       "nr_pfns": guest["nr_pfns"], "nr_data_pages": source["data_pages"],
       "nr_repeats": source["repeated_pages"], "emulator_records": source["emulator_records"],
       "name": guest["name"], "vcpus": guest["vcpus"],
       "disks": [[d["vdev"], d["path"]] for d in (config or {}).get("disks") or []]}
want = {k: theirs[k] for k in got}
want["vcpus"] = len(theirs["vcpus"])
bad = [f"{k}: {got[k]!r}, expected {want[k]!r}" for k in got if got[k] != want[k]]
sys.exit("\n".join(bad) or 0)
PYTHON
}

@test "info and the second reader agree on the real checkpoints" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no real checkpoints"
    for dir in "$XBDSNAP_CACHE"/*/; do
        echo "$dir"
        agree "$dir/image.save"
    done
}

@test "info and the second reader agree on made checkpoints" {
    for name in pv64-v3 pv64-v2 pv64-libxl hvm-v2 pvh hvm-pae xl-swapped pv32 live verify \
        long-batches epochs epochs-libxl xen20 xen20-0; do
        echo "$name"
        agree "$MADE/$name"
    done
    for pfn in 0x4b1 0x8b1; do # behind the lists of long-batches; a page begins with its frame
        run -0 "$XBDSNAP" extract --hex --page "$pfn" "$MADE/long-batches"
        [[ ${lines[0]} == *" ${pfn: -2} 0${pfn:2:1} 00 00 00 00 00 00 "* ]]
    done
}

@test "recognised formats that are not supported end with 4 and their name" {
    for f in "$MADE"/un-*; do
        case $f in
        *-elf-core | *-vmcore | *-kdump | *-xc-core) continue ;; # supported, and cut off behind the header
        esac
        run -4 "$XBDSNAP" info "$f"
        echo "$f: $output"
        case $f in
        *big-endian) [[ $output == *"the body is big-endian"* ]] ;;
        *v4) [[ $output == *"version 4, expected 2 or 3"* ]] ;;
        *qevm) [[ $output == *"QEMU device state without memory (QEVM): not of Xen"* ]] ;;
        *lzop) [[ $output == *"packed with lzop, lzip or compress: unpack it first"* ]] ;;
        *) false ;;
        esac
    done
}

@test "contradictions end with 5 and name the place" {
    for f in "$MADE"/bad-*; do
        run -5 "$XBDSNAP" info "$f"
        echo "$f: $output"
        [[ $output == *0x* || $f == *text ]]
    done
}

@test "an incomplete file ends with 5 and is shown as far as it goes" {
    run -5 "$XBDSNAP" info "$MADE/no-end"
    [[ $output == *"memory"*"13 pages with data"* ]]
    [[ $output == *"the file ends at 0x"*", where a libxc record was expected"* ]]
    run -5 "$XBDSNAP" info "$MADE/stub"
    [[ $output == *"no stream follows"* ]]
    run -5 "$XBDSNAP" info "$MADE/empty"
    [[ $output == *"the file is empty"* ]]
}

@test "a cut in the middle of page data keeps the whole pages before it" {
    # Header 40, X86_PV_INFO 16, P2M_FRAMES 32; then 16 bytes and the words of 16 frames.
    head -c $((40 + 16 + 32 + 16 + 16 * 8 + 5 * 4096 + 77)) "$MADE/pv64-v2" \
        > "$BATS_TEST_TMPDIR/cut"
    "$XBDSNAP" info -J "$BATS_TEST_TMPDIR/cut" > "$BATS_TEST_TMPDIR/json" || true
    run -0 python3 -c 'import json, sys; s = json.load(open(sys.argv[1]))["source"]
print(s["complete"], s["data_pages"], s["incomplete_why"])' "$BATS_TEST_TMPDIR/json"
    echo "$output"
    [[ $output == "False 5 the file ends at 0x"*", in the PAGE_DATA record at 0x"* ]]
}

@test "what is no file is refused" {
    run -4 "$XBDSNAP" info /dev/zero
    [[ $output == *"character device"* ]]
    run -6 "$XBDSNAP" info "$BATS_TEST_TMPDIR"
    [[ $output == *"Is a directory"* ]]
    run -6 "$XBDSNAP" info "$BATS_TEST_TMPDIR/missing"
    [[ $output == *"No such file"* ]]
}

@test "standard input, a pipe and a file say the same" {
    want=$("$XBDSNAP" info "$MADE/pv64-v3" | tail -n +2)
    [ "$("$XBDSNAP" info - <"$MADE/pv64-v3" | tail -n +2)" = "$want" ]
    [ "$(cat "$MADE/pv64-v3" | "$XBDSNAP" info - | tail -n +2)" = "$want" ]
    [ "$("$XBDSNAP" info <(cat "$MADE/pv64-v3") | tail -n +2)" = "$want" ]
    gzip -c "$MADE/pv64-v3" | "$XBDSNAP" info - | grep -q '^format *gzip > '
    bytes=$(stat -c %s "$MADE/pv64-v3")
    run -5 "$XBDSNAP" validate - < <(head -c $((bytes - 9)) "$MADE/pv64-v3")
    [[ $output == *XB001* ]]
    run -5 "$XBDSNAP" info - < <(:)
    [[ $output == *"the file is empty"* ]]
}

@test "a compressed checkpoint is unpacked, and leaves nothing behind" {
    export TMPDIR="$BATS_TEST_TMPDIR/tmp"
    mkdir "$TMPDIR"
    for tool in gzip bzip2 xz lz4 zstd; do
        command -v "$tool" || continue
        "$tool" -c "$MADE/pv64-v3" > "$BATS_TEST_TMPDIR/packed"
        "$XBDSNAP" info -J "$BATS_TEST_TMPDIR/packed" > "$BATS_TEST_TMPDIR/json" || true
        grep -A1 '"layers"' "$BATS_TEST_TMPDIR/json" | grep "\"$tool\""
        grep '"data_pages":13' "$BATS_TEST_TMPDIR/json"
        head -c 300 "$BATS_TEST_TMPDIR/packed" > "$BATS_TEST_TMPDIR/cut"
        run -5 "$XBDSNAP" info "$BATS_TEST_TMPDIR/cut"
        [[ $output == *"($tool)"* ]]
    done
    [ -z "$(ls -A "$TMPDIR")" ]
}

# What comes through a pipe is kept once, unpacked.
@test "a compressed pipe is copied once" {
    command -v strace || skip "no strace"
    export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" # LeakSanitizer does not work under ptrace
    zstd -q -c "$MADE/pv64-v3" | strace -f -e trace=openat,unlink -o "$BATS_TEST_TMPDIR/calls" \
        "$XBDSNAP" info - > "$BATS_TEST_TMPDIR/sheet" 2> /dev/null || true
    grep -q '^format *zstd > xl > libxl v2 > libxc v3' "$BATS_TEST_TMPDIR/sheet"
    [ "$(grep -cE 'O_TMPFILE|O_CREAT' "$BATS_TEST_TMPDIR/calls")" -eq 1 ]
}

# A pipe may give a byte at a time.
@test "a slow pipe is recognised all the same" {
    zstd -q -c "$MADE/pv64-v3" > "$BATS_TEST_TMPDIR/packed"
    { for i in 1 2 3 4 5 6 7; do dd if="$BATS_TEST_TMPDIR/packed" bs=1 skip=$((i - 1)) count=1 2> /dev/null; sleep 0.02; done
        tail -c +8 "$BATS_TEST_TMPDIR/packed"; } | "$XBDSNAP" info - > "$BATS_TEST_TMPDIR/sheet" 2> /dev/null || true
    grep -q '^format *zstd > xl > libxl v2 > libxc v3' "$BATS_TEST_TMPDIR/sheet"
    run -5 "$XBDSNAP" info - < <(printf abc)
    [[ $output == *"no known format begins with 61 62 63"* ]]
}

@test "the input may be read-only and is never changed" {
    cp "$MADE/pv64-v3" "$BATS_TEST_TMPDIR/ro"
    chmod 0444 "$BATS_TEST_TMPDIR/ro"
    before=$(sha256sum < "$BATS_TEST_TMPDIR/ro"; stat -c '%Y %s' "$BATS_TEST_TMPDIR/ro")
    run -4 "$XBDSNAP" info "$BATS_TEST_TMPDIR/ro"
    after=$(sha256sum < "$BATS_TEST_TMPDIR/ro"; stat -c '%Y %s' "$BATS_TEST_TMPDIR/ro")
    [ "$before" = "$after" ]
}

# 64 of a rule are told, the others counted.
# bats test_tags=long
@test "a file with many findings of one rule gets a short answer" {
    many=$MADE/optional-many
    run -4 "$XBDSNAP" validate "$many"
    [ "$(grep -c '^note XB011 at ' <<<"$output")" -eq 64 ]
    grep -qx 'note XB011: 36 more of these' <<<"$output"
    run -4 --separate-stderr "$XBDSNAP" dump "$many"
    [ "$(grep -c '^xbdsnap: XB011: ' <<<"$stderr")" -eq 65 ]
    grep -qx 'xbdsnap: XB011: 36 more of these' <<<"$stderr"
    for word in "info" "dump" "validate" "validate --rule XB011=warn" "replay"; do
        echo "$word"
        # shellcheck disable=SC2086
        "$XBDSNAP" $word -J "$many" > "$BATS_TEST_TMPDIR/doc" || [ $? -eq 4 ]
        want=note
        [[ $word != *warn ]] || want=warning
        python3 - "$BATS_TEST_TMPDIR/doc" "$want" << 'PYTHON'
import json, sys
doc = json.load(open(sys.argv[1]))
assert sum(f["rule"] == "XB011" for f in doc["findings"]) == 64, doc["findings"]
assert doc["findings_left_out"] == [{"rule": "XB011", "severity": sys.argv[2], "count": 36}], doc
assert sys.argv[2] == "note" or doc["counts"]["warning"] >= 100, doc["counts"]
PYTHON
        python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" \
            "$BATS_TEST_TMPDIR/doc"
    done
    "$XBDSNAP" validate -J --rule XB011=off "$many" > "$BATS_TEST_TMPDIR/doc" || [ $? -eq 4 ]
    run ! grep -q -e XB011 -e left_out "$BATS_TEST_TMPDIR/doc"
    "$XBDSNAP" info -J "$MADE/optional" > "$BATS_TEST_TMPDIR/doc" || [ $? -eq 4 ]
    run ! grep -q left_out "$BATS_TEST_TMPDIR/doc"
}

# Xen's own verifier refuses nothing in which we find no fault, except where it is wrong: optional
# records must be skipped, an epoch inside libxl returns to libxl, and on Python 3 it takes every
# string of an emulator for unterminated.
# bats test_tags=long
@test "whatever verify-stream-v2 refuses has a finding or is refused" {
    verify=$(compgen -G '/usr/lib/xen*/bin/verify-stream-v2' | head -1) || true
    verify=${VERIFY_STREAM_V2:-$verify}
    [ -n "$verify" ] || skip "verify-stream-v2 is not installed"
    export PYTHONPATH=${verify%/bin/*}/lib/python${PYTHONPATH:+:$PYTHONPATH}
    for f in "$MADE"/*; do
        name=${f##*/}
        case $name in
        un-* | xen20* | bad-xen20* | empty) continue ;;
        optional | optional-many | epochs-libxl | hvm-v2) wrong=1 ;;
        *) wrong=0 ;;
        esac
        case $(head -c 8 "$f" | tr -d '\0') in
        "Xen save") format=xl ;;
        LibxlFmt) format=libxl ;;
        *) format=libxc ;;
        esac
        refused=0
        python3 "$verify" -i "$f" -f "$format" > /dev/null 2>&1 || refused=1
        if [ "$wrong" -eq 1 ]; then
            echo "$name: the verifier was wrong once, refused=$refused"
            [ "$refused" -eq 1 ]
            continue
        fi
        [ "$refused" -eq 1 ] || continue
        status=0
        "$XBDSNAP" info -J "$f" > "$BATS_TEST_TMPDIR/json" 2> /dev/null || status=$?
        echo "$name: status $status"
        [ "$status" -eq 5 ] || grep -q '"rule":"XB0' "$BATS_TEST_TMPDIR/json"
    done
}

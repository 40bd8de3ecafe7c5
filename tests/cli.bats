#!/usr/bin/env bats
# The front door: usage, exit statuses, streams.

bats_require_minimum_version 1.5.0

setup() {
    fixture=$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst
    netbsd=$SRCDIR/tests/fixtures/xen2-netbsd/checkpoint.save.zst
}

@test "no command is bad usage" {
    run "$XBDSNAP"
    [ "$status" -eq 2 ]
}

@test "an unknown command is bad usage and the near one is named" {
    run "$XBDSNAP" dmp x
    [ "$status" -eq 2 ]
    [ "$output" = "xbdsnap: 'dmp' is not a command; 'dump' is" ]
}

@test "an unknown option is bad usage" {
    run "$XBDSNAP" dump --nonsense "$fixture"
    [ "$status" -eq 2 ]
}

@test "every command has help that names the exit statuses" {
    for c in $("$XBDSNAP" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z0-9]*\) .*/\1/p'); do
        run "$XBDSNAP" "$c" --help
        [ "$status" -eq 0 ]
        [[ $output == *"Exit status"* ]]
        [[ $output != *$'\v'* ]]
    done
}

@test "--version" {
    run "$XBDSNAP" --version
    [ "$status" -eq 0 ]
    [[ $output =~ ^xbdsnap\ [0-9]+\.[0-9]+ ]]
}

@test "a file that is not there is an operational failure" {
    run "$XBDSNAP" dump /nonexistent/file
    [ "$status" -eq 6 ]
    [[ $output == "xbdsnap: "*"/nonexistent/file': No such file or directory" ]]
}

@test "a folder is refused" {
    run "$XBDSNAP" dump "$BATS_TEST_TMPDIR"
    [ "$status" -ne 0 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "a file of something else is no checkpoint" {
    head -c 8192 /dev/zero >"$BATS_TEST_TMPDIR/zeros"
    : >"$BATS_TEST_TMPDIR/empty"
    for f in "$BATS_TEST_TMPDIR/zeros" "$SRCDIR/Makefile" "$BATS_TEST_TMPDIR/empty"; do
        run "$XBDSNAP" dump "$f"
        [ "$status" -eq 5 ]
        [ "${#lines[@]}" -eq 1 ]
    done
}

@test "an ELF file that holds no guest is named" {
    printf '\177ELF\002\001\001\0\0\0\0\0\0\0\0\0\004\0\076\0\001\0\0\0' >"$BATS_TEST_TMPDIR/core"
    head -c 4096 /dev/zero >>"$BATS_TEST_TMPDIR/core"
    run "$XBDSNAP" info "$BATS_TEST_TMPDIR/core"
    [ "$status" -eq 4 ]
    [[ $output == *"ELF file that is no dump of a guest's memory"* ]]
}

@test "the input is opened read-only and stays as it is" {
    zstd -q -dc "$netbsd" >"$BATS_TEST_TMPDIR/ck"
    chmod 0444 "$BATS_TEST_TMPDIR/ck"
    before=$(sha256sum <"$BATS_TEST_TMPDIR/ck")
    "$XBDSNAP" info "$BATS_TEST_TMPDIR/ck" >/dev/null
    "$XBDSNAP" dump -v "$BATS_TEST_TMPDIR/ck" >/dev/null
    [ "$before" = "$(sha256sum <"$BATS_TEST_TMPDIR/ck")" ]
}

@test "dump into head dies quietly" {
    run bash -c "'$XBDSNAP' dump -v '$fixture' | head -1"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "an output that cannot be written is an operational failure" {
    run bash -c "'$XBDSNAP' dump '$fixture' >/dev/full"
    [ "$status" -eq 6 ]
    [[ $output == *"cannot write the output"* ]] || [[ $output == *"No space left"* ]]
}

@test "a truncated file is shown as far as it goes, and is status 5" {
    zstd -q -dc "$netbsd" >"$BATS_TEST_TMPDIR/ck"
    truncate -s 4000000 "$BATS_TEST_TMPDIR/ck"
    run "$XBDSNAP" info "$BATS_TEST_TMPDIR/ck"
    [ "$status" -eq 5 ]
    [[ $output == *"incomplete"* ]]
}

@test "several files make one table; the worst decides" {
    run "$XBDSNAP" info "$fixture" "$SRCDIR/Makefile" "$netbsd"
    [ "$status" -eq 5 ]
    [[ $output == *"unreadable"* ]]
    [[ $output == *"hda1,hda2"* ]]
    run "$XBDSNAP" info "$fixture" "$netbsd"
    [ "$status" -eq 0 ]
}

# bats test_tags=long
@test "many files are looked at together, and are told of as each alone, in their order" {
    cd "$BATS_TEST_TMPDIR"
    zstd -q -dc "$netbsd" >whole
    head -c 4000000 whole >cut
    many=() alone=()
    for _ in 1 2 3; do
        for f in cut "$fixture" "$SRCDIR/Makefile" whole /nonexistent "$netbsd"; do
            many+=("$f")
        done
    done
    "$XBDSNAP" info -J "${many[@]}" >together 2>talk && status=0 || status=$?
    [ "$status" -eq 6 ]
    for f in "${many[@]}"; do
        "$XBDSNAP" info -J "$f" 2>>talk.alone || true
    done | jq -cS 'del(.error)' >alone
    # What cannot be opened has no document of its own.
    jq -cS '.files[] | select(.error | not)' together | diff - alone
    [ "$(jq -r '.files[].source.path' together)" = "$(printf '%s\n' "${many[@]}")" ]
    # The front door says the worst once more.
    head -n -1 talk | diff - talk.alone
    run --separate-stderr "$XBDSNAP" info "${many[@]}"
    [ "$(awk 'NR > 1 { print $1 }' <<<"$output")" = "$(printf '%s\n' "${many[@]}")" ]
}

# bats test_tags=long
@test "the exit status is the same with and without JSON" {
    for f in "$fixture" "$SRCDIR/Makefile" /nonexistent; do
        for c in info dump; do
            run "$XBDSNAP" "$c" "$f"
            text=$status
            run "$XBDSNAP" "$c" -J "$f"
            [ "$status" -eq "$text" ]
        done
    done
}

@test "columns: chosen, appended, unknown" {
    run "$XBDSNAP" dump -o SLOT,OP "$fixture"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "SLOT OP" ]
    [ "${lines[1]}" = "   0 write" ]
    run "$XBDSNAP" dump -o +HOLES "$fixture"
    [[ ${lines[0]} == DEVICE*HOLES ]]
    run "$XBDSNAP" dump -o NONSENSE "$fixture"
    [ "$status" -eq 2 ]
    [[ $output == *"no column 'NONSENSE'"* ]]
}

@test "filters by device and operation" {
    [ "$("$XBDSNAP" dump -J --op read "$fixture" | jq -c '[.devices[].requests[].op] | unique')" = '["read"]' ]
    [ "$("$XBDSNAP" dump -J --device hda2 "$netbsd" | jq -c '[.devices[].vdev]')" = '["hda2"]' ]
    run "$XBDSNAP" dump --device xvdz "$fixture"
    [ "$status" -eq 4 ]
    [[ $output == *"no device 'xvdz', but xvda" ]]
    run "$XBDSNAP" dump --device xvdz "$netbsd"
    [[ $output == *"no device 'xvdz', but hda1, hda2" ]]
    run "$XBDSNAP" extract --device xvdz "$fixture"
    [ "$status" -eq 4 ]
    [[ $output == *"no device 'xvdz', but xvda" ]]
}

@test "a flush has no sector, so it is known from nowhere" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no real checkpoints"
    cd "$BATS_TEST_TMPDIR"
    "$XBDSNAP" dump -o OP,SECTOR,FROM "$XBDSNAP_CACHE/linux-6.1-flush/image.save" >table
    grep -E '^flush +- +-' table
    [ -z "$(grep unknown table)" ]
}

@test "a slot that is not pending: which are" {
    mq=$SRCDIR/tests/fixtures/linux-6.1-mq/checkpoint.save.zst
    for f in "$fixture" "$mq"; do
        run "$XBDSNAP" extract --slot 99 "$f"
        [ "$status" -eq 4 ]
        "$XBDSNAP" dump -J "$f" | python3 -c '
import json, sys
parts = []
for d in json.load(sys.stdin)["devices"]:
    for ring in sorted({r["ring"] for r in d["requests"]}):
        slots = sorted(r["slot"] for r in d["requests"] if r["ring"] == ring)
        runs = []
        for s in slots:
            if runs and runs[-1][1] + 1 == s:
                runs[-1][1] = s
            else:
                runs.append([s, s])
        text = ", ".join(f"{a}-{b}" if b > a else str(a) for a, b in runs)
        parts.append(d["vdev"] + f" ring {ring}: " + text)
print("; ".join(parts))' >"$BATS_TEST_TMPDIR/want"
        [[ $output == *"slots that are pending: $(cat "$BATS_TEST_TMPDIR/want")" ]]
    done
}

@test "what has no payload is said to have none" {
    real=$SRCDIR/tests/fixtures/linux-6.12-discard/checkpoint.save.zst
    slot=$("$XBDSNAP" dump -J "$real" | jq '[.devices[0].requests[] | select(.op == "discard")][0].slot')
    run "$XBDSNAP" extract --device xvda --slot "$slot" "$real"
    [ "$status" -eq 4 ]
    [[ $output == *"slot $slot of xvda is a discard: it has no payload" ]]
}

@test "a full standard output is told once" {
    run bash -c "'$XBDSNAP' dump '$fixture' >/dev/full"
    [ "$status" -eq 6 ]
    [ "${#lines[@]}" -eq 1 ]
}

@test "extract: a page as hex, a hole named or filled" {
    run "$XBDSNAP" extract --page 0 --hex "$netbsd"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 256 ]
    run "$XBDSNAP" extract --page 0x7fffff --hex "$netbsd"
    [ "$status" -eq 4 ]
    [[ $output == *"pfn 0x7fffff is not in the checkpoint"* ]]
    run "$XBDSNAP" extract --page 0x7fffff --holes=zero "$netbsd"
    [ "$status" -eq 0 ]
}

@test "extract: --va wants --bytes" {
    run "$XBDSNAP" extract --va 0xc0000000 "$netbsd"
    [ "$status" -eq 2 ]
}

@test "extract: one of several requests must be named" {
    run "$XBDSNAP" extract "$fixture"
    [ "$status" -eq 2 ]
    [[ $output == *"20 requests fit"* ]]
}

# bats test_tags=long
@test "a device goes by its name or its number, everywhere alike" {
    "$XBDSNAP" extract --holes=zero --device xvda --ring 0 --slot 0 "$fixture" >"$BATS_TEST_TMPDIR/name"
    [ -s "$BATS_TEST_TMPDIR/name" ]
    for vdev in 51712 0xca00; do
        "$XBDSNAP" extract --holes=zero --device "$vdev" --ring 0 --slot 0 "$fixture" | cmp - "$BATS_TEST_TMPDIR/name"
        [ "$("$XBDSNAP" dump -J --device "$vdev" "$fixture" | jq -c '[.devices[].vdev]')" = '["xvda"]' ]
    done
    for vdev in xvdz 51728 18446744073709551615; do
        for c in extract dump; do
            run "$XBDSNAP" "$c" --device "$vdev" "$fixture"
            [ "$status" -eq 4 ]
            [[ $output == *"no device '$vdev'"* ]]
        done
    done
}

@test "extract: files are not replaced unasked" {
    echo keep >"$BATS_TEST_TMPDIR/f"
    run "$XBDSNAP" extract --page 0 -o "$BATS_TEST_TMPDIR/f" "$netbsd"
    [ "$status" -eq 3 ]
    [ "$(cat "$BATS_TEST_TMPDIR/f")" = keep ]
    run "$XBDSNAP" extract --page 0 --force -o "$BATS_TEST_TMPDIR/f" "$netbsd"
    [ "$status" -eq 0 ]
    [ "$(stat -c %s "$BATS_TEST_TMPDIR/f")" -eq 4096 ]
}

@test "extract on a real checkpoint: payloads name their sectors" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no real checkpoints"
    run "$XBDSNAP" extract -q --all "$BATS_TEST_TMPDIR/all" "$XBDSNAP_CACHE/linux-6.1-base/image.save"
    [ "$status" -eq 0 ]
    python3 "$SRCDIR/tests/tools/check_payload.py" "$BATS_TEST_TMPDIR/all"
}

# bats test_tags=long
@test "redact: keeps payloads when asked, and nothing else more" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no real checkpoints"
    in=$XBDSNAP_CACHE/linux-6.1-base/image.save
    "$XBDSNAP" redact -q --keep-payload "$in" "$BATS_TEST_TMPDIR/out"
    "$XBDSNAP" extract -q --all "$BATS_TEST_TMPDIR/all" "$BATS_TEST_TMPDIR/out"
    python3 "$SRCDIR/tests/tools/check_payload.py" "$BATS_TEST_TMPDIR/all"
    "$XBDSNAP" redact -q "$in" "$BATS_TEST_TMPDIR/bare"
    run grep -c XBLKSEC! "$BATS_TEST_TMPDIR/bare"
    [ "$output" = 0 ]
    # What was left out is a hole, not zeros.
    run "$XBDSNAP" extract --ring 0 --slot 0 -o "$BATS_TEST_TMPDIR/p" "$BATS_TEST_TMPDIR/bare"
    [ "$status" -ne 0 ]
    [[ $output == *"left out of this redacted checkpoint"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/p" ]
    run "$XBDSNAP" redact "$in" "$BATS_TEST_TMPDIR/bare"
    [ "$status" -eq 3 ]
    [[ $output == *"--force"* ]]
}

#!/usr/bin/env bats
# guard: the bytes that pass, the verdict, the veto, and all that may go wrong meanwhile.

bats_require_minimum_version 1.5.0

setup_file() {
    export MADE="$BATS_FILE_TMPDIR/made"
    python3 "$SRCDIR/tests/tools/mkstream.py" --corpus "$MADE"
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    PATH=$(dirname "$XBDSNAP"):$PATH
}

teardown() {
    ! mountpoint -q "$BATS_TEST_TMPDIR/full" || umount "$BATS_TEST_TMPDIR/full"
}

image() { # path of a real checkpoint, or skip
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    [ -e "$XBDSNAP_CACHE/$1/image.save" ] || skip "no $1"
    image=$XBDSNAP_CACHE/$1/image.save
}

# Made streams that guard can follow to their end.
FOLLOWED="pv64-v3 pv64-v2 pv64-libxl hvm-v2 pvh xl-swapped xl-extra pv32 live verify p2m-grows
epochs epochs-libxl optional optional-many padding reserved repeat-in-batch order foreign no-vcpu0 config-broken
emulator-id store-gone toolstack unknown-record tsc-size table-wild parts-first"

# Where libxc's END record begins: behind it are libxl's records only.
end_of_guest() {
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" end "$1"
}

# What guard reports is what validate says of the file.
same_as_validate() { # same_as_validate FILE [OPTION OF GUARD...]
    local file=$1 want=0 got=0
    shift
    "$XBDSNAP" validate -J - < "$file" > want.json 2> want.err || want=$?
    "$XBDSNAP" guard --report got.json "$@" < "$file" > out 2> got.err || got=$?
    cmp "$file" out
    echo "$file: $want, $got"
    [ "$got" = "$want" ]
    [ ! -s want.json ] || cmp want.json got.json
}

@test "guard passes real streams unchanged and says what validate says" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    for dir in "$XBDSNAP_CACHE"/linux-*; do
        rm -f got.json
        same_as_validate "$dir/image.save"
    done
}

# bats test_tags=long
@test "the verdict on made streams, good and bad, is that of validate" {
    for name in $FOLLOWED; do
        rm -f got.json
        same_as_validate "$MADE/$name"
        same_as_validate "$MADE/$name" --memory-limit=0
    done
}

# bats test_tags=long
@test "with the disks and the features that the guest will have, as validate does" {
    image linux-6.1-flush
    disk=${image%/*}/disk-before.img
    truncate -s 4096 short
    echo sectors=8 > caps
    for want in "0 --disk xvda=$disk" "3 --disk xvda=short" "3 --target-caps caps" \
        "3 --disk xvda=$disk --target-caps caps --thorough --seed 7"; do
        read -r status options <<< "$want"
        echo "$want"
        # shellcheck disable=SC2086
        run "-$status" bash -c '"$XBDSNAP" validate -q -J "$@" > want.json' _ $options "$image"
        # shellcheck disable=SC2086
        run "-$status" bash -c '"$XBDSNAP" guard -q --report got.json "$@" > out' _ $options < "$image"
        cmp "$image" out
        diff <(jq -S 'del(.source.path)' want.json) <(jq -S 'del(.source.path)' got.json)
    done
}

# bats test_tags=long
@test "streams of libvirt and of xenopsd" {
    zstd -q -dc "$SRCDIR/tests/fixtures/linux-6.1-hvm/checkpoint.save.zst" > hvm
    zstd -q -dc "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst" > base
    echo sectors=8 > caps
    for form in base:libvirt1 hvm:libvirt2 base:xapi2 hvm:xapi2; do
        echo "$form"
        python3 "$SRCDIR/tests/tools/mklegacy.py" --wrap "${form#*:}" --stream "${form%:*}" stream
        rm -f got.json
        same_as_validate stream
        at=$(end_of_guest stream)
        rm -f rest
        run -3 bash -c '"$XBDSNAP" guard -q --target-caps caps --veto=error --wait=600 --rest rest < stream > out'
        [ "$(stat -c %s out)" = "$at" ]
        cat rest >> out
        cmp stream out
    done
}

@test "every made stream passes unchanged, whatever it is" {
    for f in $(printf '%s\n' "$MADE"/* | "$SRCDIR/tests/tools/sample.sh"); do
        status=0
        "$XBDSNAP" guard -q < "$f" > out 2> err || status=$?
        echo "$f: $status"
        cmp "$f" out
        [ "$status" -le 5 ]
        cat "$f" | "$XBDSNAP" guard -q --memory-limit=0 2> /dev/null | cmp - "$f"
    done
}

@test "what cannot be followed passes with a note" {
    head -c 3000000 /dev/urandom > junk
    run -4 --separate-stderr bash -c '"$XBDSNAP" guard --veto=warning < junk > out'
    cmp junk out
    [[ $stderr == *"no stream that can be judged on its way"* ]]
    : > empty
    run -4 bash -c '"$XBDSNAP" guard < empty > out'
    [ ! -s out ]
    gzip -c "$MADE/pvh" > packed
    run -4 bash -c '"$XBDSNAP" guard --veto=error --wait=600 < packed > out'
    cmp packed out
}

@test "a stream that is cut passes as far as it goes" {
    size=$(stat -c %s "$MADE/pv64-v3")
    for at in 1 7 8 40 100 5000 $((size / 2)) $((size - 9)) $((size - 1)); do
        head -c "$at" "$MADE/pv64-v3" > cut
        status=0
        "$XBDSNAP" guard --veto=error --wait=600 < cut > out 2> err || status=$?
        cmp cut out
        echo "$at: $status"
        [ "$status" = $((at < 48 ? 4 : 5)) ]
    done
}

@test "bytes behind the end pass too" {
    cat "$MADE/pvh" "$MADE/pv64-v3" > both
    run -4 bash -c '"$XBDSNAP" guard -q --veto=error --wait=600 < both | cmp - both && "$XBDSNAP" guard -q < both > out'
    cmp both out
}

@test "a veto stops before the record that would complete the guest" {
    # Errors: status 3. The END records of libxc and libxl have 8 bytes each.
    run -3 --separate-stderr bash -c '"$XBDSNAP" guard --veto=error --wait=600 < "$MADE/no-static-end" > out'
    size=$(stat -c %s "$MADE/no-static-end")
    at=$(end_of_guest "$MADE/no-static-end")
    [ "$at" -lt "$size" ]
    [ "$(stat -c %s out)" = "$at" ]
    cmp -n "$at" "$MADE/no-static-end" out
    [[ $stderr == *"the stream is unsafe and was not completed: its last $((size - at)) bytes, from 0x"* ]]
    run -3 bash -c '"$XBDSNAP" guard --veto=error --wait=600 < "$MADE/order" > out'
    [ "$(stat -c %s out)" = "$(end_of_guest "$MADE/order")" ]
    # Without a veto it passes, with the same status.
    run -3 bash -c '"$XBDSNAP" guard < "$MADE/order" > out'
    cmp "$MADE/order" out
}

# bats test_tags=long
@test "a veto is for what is as severe as it says" {
    image linux-6.1-flush
    size=$(stat -c %s "$image")
    for want in error:error:3:16 warn:error:1:0 warn:warning:1:16 note:warning:0:0 error:never:3:0; do
        IFS=: read -r severity veto status missing <<< "$want"
        echo "$want"
        run -"$status" bash -c '"$XBDSNAP" guard -q --rule "XB131=$1" "--veto=$2" < "$3" > out' _ "$severity" "$veto" "$image"
        [ "$(stat -c %s out)" = $((size - missing)) ]
        cmp -n $((size - missing)) "$image" out
    done
    # What decides the status does not decide what passes.
    run -0 bash -c '"$XBDSNAP" guard -q --rule XB131=error --fail-on=never --veto=error --wait=600 < "$1" > out' _ "$image"
    [ "$(stat -c %s out)" = $((size - 16)) ]
    # A full HVM guest: libxl's records of its device model wait too, and pass when they may.
    image linux-6.1-hvm
    at=$(end_of_guest "$image")
    [ "$at" -lt $(($(stat -c %s "$image") - 1000)) ]
    echo sectors=8 > caps
    run -3 bash -c '"$XBDSNAP" guard -q --target-caps caps --veto=error --wait=600 --rest rest < "$1" > out' _ "$image"
    [ "$(stat -c %s out)" = "$at" ]
    cat rest >> out
    cmp "$image" out
    cat "$image" | "$XBDSNAP" guard -q --veto=error --wait=600 | cmp - "$image"
}

@test "a stream that is broken in its middle is not completed" {
    for name in bad-page-type bad-record-length bad-page-size; do
        run -5 bash -c '"$XBDSNAP" guard --veto=error --wait=600 < "$MADE/$1" > out' _ "$name"
        [ "$(stat -c %s out)" -lt "$(stat -c %s "$MADE/$name")" ]
        run -5 bash -c '"$XBDSNAP" guard < "$MADE/$1" > out' _ "$name"
        cmp "$MADE/$name" out
    done
}

@test "tiny writes, slow readers, sockets, files that are appended to" {
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" chunks "$MADE/pvh" "$MADE/live" \
        "$MADE/epochs-libxl" "$MADE/xl-extra"
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" slow "$MADE/pv64-v3"
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" socket "$MADE/pvh"
    echo before > out
    "$XBDSNAP" guard -q < "$MADE/pvh" >> out || [ $? -eq 4 ]
    { echo before; cat "$MADE/pvh"; } | cmp - out
}

# bats test_tags=long
@test "the analysis may be killed at any time: the stream passes" {
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" kill-watcher "$MADE/pvh" "$MADE/live"
}

# bats test_tags=long
@test "guard may be killed at any time: the stream passes whole, or the writer knows" {
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" kill-passer "$MADE/pvh" "$MADE/live"
}

@test "no room for temporary files: the stream passes, and that is said" {
    image linux-6.1-pvh
    export TMPDIR=$PWD/nowhere
    run -6 --separate-stderr bash -c '"$XBDSNAP" guard --veto=error --wait=600 --memory-limit=0 < "$1" > out' _ "$image"
    cmp "$image" out
    [[ $stderr == *"cannot create a temporary file in"*"there is no verdict; the stream has passed unchanged"* ]]
    mkdir full
    mount -t tmpfs -o size=2m none full 2> /dev/null || skip "no mounts"
    export TMPDIR=$PWD/full
    run -6 --separate-stderr bash -c '"$XBDSNAP" guard --veto=error --wait=600 --memory-limit=16M < "$1" > out' _ "$image"
    cmp "$image" out
    [[ $stderr == *"cannot keep the stream in a temporary file: No space left"* ]]
}

@test "no memory: the stream passes, and that is said" {
    case $XBDSNAP in *asan*) skip "the sanitizer needs it" ;; esac
    image linux-6.1-pvh
    run -6 --separate-stderr bash -c 'ulimit -v 150000; "$XBDSNAP" guard --veto=error --wait=600 < "$1" > out' _ "$image"
    cmp "$image" out
    [[ $stderr == *"cannot map the stream: Cannot allocate memory"* ]]
}

@test "rounds of a live migration need no more room than the guest has" {
    mkdir full
    mount -t tmpfs -o size=24m none full 2> /dev/null || skip "no mounts"
    export TMPDIR=$PWD/full
    # 8 MiB sixteen times, each page anew.
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" rounds
}

# bats test_tags=long
@test "a redacted copy is kept, and none is replaced unasked" {
    image linux-6.1-pvh
    "$XBDSNAP" redact -q "$image" want.save
    for limit in 0 1G; do
        run -0 bash -c '"$XBDSNAP" guard --force --keep got.save "--memory-limit=$2" < "$1" > out' _ "$image" "$limit"
        cmp "$image" out
        cmp want.save got.save
    done
    run -3 bash -c '"$XBDSNAP" guard --keep got.save < "$1" > out' _ "$image"
    [[ $output == *"got.save exists; --force replaces it"* ]]
    [ ! -s out ]
}

@test "what cannot be written beside the stream is told, and the stream passes" {
    image linux-6.1-pvh
    for option in report keep; do
        run -6 --separate-stderr bash -c '"$XBDSNAP" guard "--$2" no/such/file --veto=warning < "$1" > out' _ "$image" "$option"
        cmp "$image" out
        [[ $stderr == *"no/such/file"*"No such file or directory"* ]]
    done
}

# bats test_tags=long
@test "the rate is shown on a terminal, and only there" {
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" terminal "$MADE/pv64-v3"
}

@test "a command gets the stream, answers for itself, and its status counts" {
    run -7 bash -c '"$XBDSNAP" guard -q -- sh -c "cat > got; echo answer; exit 7" < "$MADE/pvh"'
    [ "$output" = answer ]
    cmp "$MADE/pvh" got
    run -0 bash -c '"$XBDSNAP" guard -q -- cat < "$MADE/pvh" | cmp - "$MADE/pvh"'
    run -127 bash -c '"$XBDSNAP" guard -q -- ./no-such-command < "$MADE/pvh"'
    run -143 bash -c '"$XBDSNAP" guard -q -- sh -c "kill \$\$" < "$MADE/pvh"'
    # An unsafe stream: the command gets no end, its status does not count.
    run -3 bash -c '"$XBDSNAP" guard -q --veto=error --wait=600 -- sh -c "cat > got; exit 7" < "$MADE/order"'
    [ "$(stat -c %s got)" = "$(end_of_guest "$MADE/order")" ]
}

@test "both directions of a migration pass, before, while and after the stream" {
    python3 "$SRCDIR/tests/tools/drive_guard.py" "$XBDSNAP" migrate "$MADE/pvh" "$MADE/live"
}

# bats test_tags=long
@test "who reads the stream may go away" {
    run -6 bash -c 'set -o pipefail; { cat "$MADE/pvh"; sleep 5; } | "$XBDSNAP" guard -q | true; exit ${PIPESTATUS[1]}'
    # Also where nothing more comes that could be written to it.
    mkfifo stream
    { cat "$MADE/pvh"; exec sleep 30; } 3>&- > stream &
    SECONDS=0
    run -1 "$XBDSNAP" guard -q -- false < stream
    [ "$SECONDS" -lt 15 ]
    kill $!
}

@test "recipe: save a guest, and destroy it only if the file is safe" {
    mkdir bin
    cat > bin/xl <<'EOF'
#!/bin/sh
echo "xl $*" >> log
[ "$1" != save ] || cat "$stream"
EOF
    chmod +x bin/xl
    PATH=$PWD/bin:$PATH
    image linux-6.1-pvh
    stream=$image run -0 "$SRCDIR"/tests/recipes/save-guarded.sh vm vm.save
    cmp "$image" vm.save
    [ "$(cat log)" = "xl save -p vm /dev/stdout"$'\n'"xl destroy vm" ]
    rm log
    stream=$MADE/order run -3 "$SRCDIR"/tests/recipes/save-guarded.sh vm vm.save
    [[ $output == *"vm goes on, saving ended with 3"* ]]
    [ "$(cat log)" = "xl save -p vm /dev/stdout"$'\n'"xl unpause vm" ]
}

@test "usage of guard" {
    run -2 "$XBDSNAP" guard file < /dev/null
    [[ $output == *"a command stands behind '--'"* ]]
    run -2 "$XBDSNAP" guard --veto=maybe < /dev/null
    run -2 "$XBDSNAP" guard -J < /dev/null
    run -2 "$XBDSNAP" guard --memory-limit=1X < /dev/null
    run -2 "$XBDSNAP" guard --memory-limit=99999999999T < /dev/null
    run -2 "$XBDSNAP" guard --domid=1 < /dev/null
    run -2 "$XBDSNAP" guard --offset=5 < /dev/null
}

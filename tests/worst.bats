#!/usr/bin/env bats
# The worst inputs that we could think of, each with a limit on its time and memory.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    # A piece of a bomb: zeros, packed. Each of these formats is one piece behind the other, too.
    head -c 32M /dev/zero >zeros
    for packer in $PACKERS; do
        command -v "$packer" >/dev/null || continue
        $packer -c <zeros >"piece.$packer"
    done
    rm zeros
}

PACKERS="gzip bzip2 xz lz4 zstd"

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

bomb() { # bomb PACKER PIECES: 32 MiB each
    local i
    for ((i = 0; i < $2; i++)); do
        cat "piece.$1"
    done
}

has() {
    [ -e "piece.$1" ]
}

# bats test_tags=long
@test "a bomb in each compression ends at --max-size" {
    for packer in $PACKERS; do
        has "$packer" || continue
        bomb "$packer" 1 >bomb
        for how in bomb -; do
            run -4 --separate-stderr "$XBDSNAP" info --max-size=20M "$how" <bomb
            echo "$packer $how: $stderr"
            [[ $stderr == *"'$how' ($packer) unpacks to more than 20971520 bytes; --max-size=SIZE allows more"* ]]
        done
    done
    # Zeros are no checkpoint, but they may be unpacked.
    run -5 --separate-stderr "$XBDSNAP" info --max-size=32M bomb
    [[ $stderr == *"no known format begins with 00"* ]]
}

# bats test_tags=long
@test "a bomb ends at so many times its size, nested or not" {
    has zstd && bomb zstd 10 >flat
    has gzip && bomb gzip 10 | gzip | gzip >nested
    for file in flat nested; do
        [ -e "$file" ] || continue
        run -4 --separate-stderr "$XBDSNAP" info "$file"
        echo "$stderr"
        [[ $stderr == *"unpacks to more than 2048 times its size: 0x"* ]]
        [[ $stderr == *"--max-size=SIZE allows more"* ]]
    done
    run -5 --separate-stderr "$XBDSNAP" info --max-size=1G flat
}

@test "a pipe that never ends does at --max-size" {
    run -4 --separate-stderr bash -c '"$XBDSNAP" info --max-size=20M - </dev/zero'
    [[ $stderr == *"character device"* ]]
    run -4 --separate-stderr bash -c 'cat /dev/zero | "$XBDSNAP" info --max-size=20M -'
    [[ $stderr == *"'-' is longer than 20971520 bytes; --max-size=SIZE allows more"* ]]
}

# The headers alone say so: half a gigabyte of xz, two of zstd.
@test "a window for unpacking that is too large is refused" {
    python3 - 34 wide.xz <<'END'
import lzma, struct, sys, zlib
data = bytearray(lzma.compress(b"x" * 100000))
size = (data[12] + 1) * 4
head = bytearray(data[12:12 + size - 4])
head[head.index(b"\x21\x01") + 2] = int(sys.argv[1])
data[12:12 + size] = head + struct.pack("<I", zlib.crc32(head))
open(sys.argv[2], "wb").write(data)
END
    packed=("wide.xz (xz)")
    if has zstd; then
        head -c 3M /dev/zero | zstd -q --long=31 --stream-size=3000M -o wide.zstd
        packed+=("wide.zstd (zstd)")
    fi
    grep -q __asan_init "$XBDSNAP" && packed=("${packed[@]:1}") # it bounds no memory
    for file in "${packed[@]}"; do
        run -4 --separate-stderr "$XBDSNAP" info "${file% *}"
        echo "$stderr"
        [[ $stderr == *"cannot unpack '${file% *}' ${file#* } after 0x0 bytes: the window it was packed with is too large"* ]]
    done
    # What everybody uses is not: 64 MiB of xz -9.
    has xz || return 0
    head -c 1M /dev/zero | xz -9 >usual.xz
    run -5 "$XBDSNAP" info usual.xz
}

@test "--max-size wants a size, and is none for a file that is not packed" {
    run -2 "$XBDSNAP" info --max-size=much bomb
    [[ $output == *"--max-size takes a size (300M, 2G), not 'much'"* ]]
    run -2 "$XBDSNAP" info --max-size=0 bomb
    fixture=$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst
    zstd -qdc "$fixture" >plain
    "$XBDSNAP" info --max-size=4K plain
    run -4 "$XBDSNAP" info --max-size=4K "$fixture"
    "$XBDSNAP" info --max-size=4T "$fixture"
}

# 64 MiB of private memory and 16 bytes a page, kept by the kernel; a few seconds. None of these
# guests has more than 4096 pages with data.
# bats test_tags=long
@test "the worst inputs take little time and memory" {
    python3 "$SRCDIR/tests/tools/worst.py" worst
    bound=(--data $(((64 << 20) + 16 * 4096)))
    seconds=2
    if grep -q __asan_init "$XBDSNAP"; then
        bound=()
        seconds=20
    fi
    for file in worst/*; do
        for command in "dump -J" "validate --thorough --locate both"; do
            # shellcheck disable=SC2086
            read -r status took peak < <(python3 "$SRCDIR/tests/tools/measure.py" "${bound[@]}" \
                "$XBDSNAP" $command "$file" 2>why)
            echo "$command $file: status $status, $took s, $peak KiB: $(head -c 300 why)"
            [[ $status = [345] ]]
            [ "${took%.*}" -lt "$seconds" ]
        done
    done
}

# A megabyte more than the bound is refused, so the test above can fail.
@test "the bound of memory is one" {
    grep -q __asan_init "$XBDSNAP" && skip "the sanitizer takes more itself"
    run python3 "$SRCDIR/tests/tools/measure.py" --data $((1 << 20)) "$XBDSNAP" dump worst/vcpus-4096
    [[ ${lines[0]} != [345]\ * ]]
}

# A tenth of a second and half a second for each GiB of a file that is not packed, two of what copies
# it, as the manual says; three times that, for slower machines, and as the sanitizer is slow.
# bats test_tags=long
@test "sound inputs take the time that the manual names" {
    grep -q "a tenth of a second and half a second for each GiB" "$SRCDIR/man/xbdsnap.1"
    slack=3
    ! grep -q __asan_init "$XBDSNAP" || slack=60
    n=0
    for image in "$XBDSNAP_CACHE"/*/image.save; do
        [ -e "$image" ] || skip "no checkpoints"
        for command in info "dump --who --locate=both" "validate --thorough" replay redact export; do
            each=0.5 out=()
            case $command in redact | export) each=2 out=(--force "$image" copy) ;; esac
            [ ${#out[@]} -gt 0 ] || out=("$image")
            # shellcheck disable=SC2086
            read -r status took peak < <(python3 "$SRCDIR/tests/tools/measure.py" \
                "$XBDSNAP" $command -q "${out[@]}" 2>why)
            echo "$command $image: status $status, $took s, $peak KiB: $(head -c 300 why)"
            [[ $status = [0134] ]]
            python3 -c 'import os, sys; took, each, slack = map(float, sys.argv[1:4])
sys.exit(took > slack * (0.1 + each * os.path.getsize(sys.argv[4]) / 2**30))' \
                "$took" "$each" "$slack" "$image"
            n=$((n + 1))
        done
    done
    [ "$n" -ge 60 ]
    rm -f copy
}

@test "a few real checkpoints that are changed where it hurts" {
    image=$XBDSNAP_CACHE/linux-6.1-base/image.save
    [ -e "$image" ] || skip "no checkpoints"
    "$SRCDIR/tests/tools/mutate.py" --runs 21 --seed 3 --keep failed "$XBDSNAP" "$image"
}

# Lists of bios in a circle, and bios that are as long as memory: what was said of them took all of it.
@test "changed checkpoints at which a command failed once" {
    n=0
    for mutant in "$SRCDIR"/tests/fixtures/mutants/*.json; do
        name=$(basename "$mutant" .json)
        python3 "$SRCDIR/tests/tools/mutate.py" --replay "$mutant" "$XBDSNAP" "$SRCDIR/tests/fixtures/$name"
        n=$((n + 1))
    done
    [ "$n" -ge 3 ]
}

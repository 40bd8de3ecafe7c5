#!/usr/bin/env bats
# export: the guest as an ELF core file.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
}

# bats test_tags=long
@test "every page at its place, registers and VMCOREINFO: PV, PVH and HVM" {
    for name in base pvh hvm; do
        image=$XBDSNAP_CACHE/linux-6.1-$name/image.save
        "$XBDSNAP" export -q "$image" "$name.core"
        read -r copied zeros segments < <(python3 "$SRCDIR/tests/tools/check_core.py" "$name.core" "$image")
        [ "$copied" -gt 1000 ]
        [ "$zeros" -gt 10000 ] # most pages of a reduced checkpoint are
        [ "$segments" -gt 2 ]
        [ "$(stat -c %s "$name.core")" -lt $((copied * 4096 + 65536)) ]
        readelf -lW "$name.core" | grep -Eq 'LOAD +0x[0-9a-f]+ 0xffffffff[89a-b]'
    done
}

@test "into a pipe the same bytes; --reduced less of them" {
    image=$XBDSNAP_CACHE/linux-6.1-ext4/image.save
    "$XBDSNAP" export -q "$image" a.core
    "$XBDSNAP" export -q "$image" - | cmp - a.core
    "$XBDSNAP" export -q --reduced "$image" r.core
    python3 "$SRCDIR/tests/tools/check_core.py" r.core "$image" --reduced
    [ "$(stat -c %s r.core)" -lt "$(stat -c %s a.core)" ]
}

@test "what cannot be exported, and what is in the way" {
    image=$XBDSNAP_CACHE/linux-6.1-base/image.save
    cp "$image" in.save
    run -3 "$XBDSNAP" export --force in.save in.save
    touch there
    run -3 "$XBDSNAP" export in.save there
    "$XBDSNAP" export -q --force in.save there
    run -2 "$XBDSNAP" export in.save
    run -4 "$XBDSNAP" export "$SRCDIR/tests/fixtures/linux-6.1-core/checkpoint.save.zst" c.core
    [[ $output == *"its page tables name machine frames"* ]]
    [ ! -e c.core ]
    run -4 "$XBDSNAP" export "$SRCDIR/tests/fixtures/xen2-netbsd/checkpoint.save.zst" n.core
    [[ $output == *"export is for guests of 64 bits"* ]]
}

# The kernel of a checkpoint with its debugging symbols, as Debian's linux-image-...-dbg has it. They
# take gigabytes, so nobody fetches them for a test.
debug_kernel() { # debug_kernel IMAGE: into $kernel
    [ ! "$CHECKPOINTS" -ef "$SRCDIR/tests/fixtures/real" ] || skip "these have no more than we read"
    kernel=${DEBUG_KERNELS:-/usr/lib/debug/boot}/vmlinux-$("$XBDSNAP" info -J "$1" | jq -r .guest.release)
    [ -r "$kernel" ] || skip "no $kernel"
}

# bats test_tags=long
@test "drgn finds the tasks that asked, and the requests, in cores of PV, PVH and HVM" {
    python=/usr/bin/python3 # Debian's, which its drgn is for
    "$python" -c 'import drgn' 2>/dev/null || skip "no drgn"
    for name in base pvh hvm; do
        image=$XBDSNAP_CACHE/linux-6.1-$name/image.save
        debug_kernel "$image"
        "$XBDSNAP" export -q "$image" core
        "$XBDSNAP" dump --who -J "$image" >dump.json
        "$python" "$SRCDIR/tests/tools/core_in_drgn.py" core "$kernel" dump.json >said
        grep -q '^requests of xvda: 20$' said
        rm core
    done
}

# bats test_tags=long
@test "crash opens cores of PVH and HVM: a stack, the tasks, and the requests in flight" {
    command -v crash >/dev/null || skip "no crash"
    for name in pvh hvm; do
        image=$XBDSNAP_CACHE/linux-6.1-$name/image.save
        debug_kernel "$image"
        "$XBDSNAP" export -q "$image" core
        options=()
        [ "$name" = pvh ] || options=(--kaslr auto)
        printf 'dev -d\nbt\nlist task_struct.tasks -s task_struct.pid,comm -h init_task\nquit\n' | crash -s "${options[@]}" "$kernel" core >said 2>&1
        want=$("$XBDSNAP" dump -J "$image" | jq -r '[.devices[].requests[].op] |
            "\(length) \(map(select(. == "read")) | length) \(map(select(. == "write")) | length)"')
        [ "$(awk '$3 == "xvda" {print $(NF - 2), $(NF - 1), $NF}' said)" = "$want" ]
        grep -q 'COMMAND: "swapper/0"' said
        grep -q ' __schedule at ffffffff' said
        tr -d '\n' <said >line
        "$XBDSNAP" dump --who -J "$image" | jq -r '[.devices[].requests[].who[]?.process | select(.) | "\(.tid) \(.comm)"] |
            unique[]' >asked
        [ -s asked ]
        while read -r pid comm; do
            grep -q " pid = $pid, *comm = \"$comm\\\\000" line
        done <asked
        rm core
    done
}

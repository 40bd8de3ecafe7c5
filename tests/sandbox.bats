#!/usr/bin/env bats
# The sandbox, with the whole program: what confines it, what it may open, how it ends.

bats_require_minimum_version 1.5.0

setup_file() {
    cc -shared -fPIC -O1 -o "$BATS_FILE_TMPDIR/escape.so" "$SRCDIR/tests/tools/escape.c" -ldl
}

setup() {
    fixture=$XBDSNAP_CACHE/linux-6.1-base/image.save
    [ -e "$fixture" ] || fixture=$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst
    cd "$BATS_TEST_TMPDIR" || return 1
}

is_sanitized() {
    grep -q __asan_init "$XBDSNAP"
}

preload() { # preload COMMAND...: with the decoder in other hands
    local asan=
    is_sanitized && asan=$(cc -print-file-name=libasan.so):
    LD_PRELOAD=$asan$BATS_FILE_TMPDIR/escape.so run --separate-stderr "$@"
}

@test "a decoder that was taken over gets nowhere, and the answer is the same" {
    is_sanitized && skip "the sanitizer needs files, threads that trace, and code"
    for command in dump info "validate -q" replay; do
        # shellcheck disable=SC2086
        preload "$XBDSNAP" $command "$fixture"
        [ "$status" -eq 0 ]
        for attempt in open create connect signal code exec hypercall; do
            grep -q "^escape: $attempt: Operation not permitted" <<<"$stderr" ||
                grep -q "^escape: $attempt: Permission denied" <<<"$stderr"
        done
    done
    [ ! -e /tmp/xbdsnap-escaped ]
    "$XBDSNAP" dump "$fixture" >straight
    preload "$XBDSNAP" dump "$fixture"
    [ "$output" = "$(cat straight)" ]
}

@test "--no-sandbox says so, and the attempts succeed" {
    is_sanitized && skip "the sanitizer does not survive the attempts"
    preload "$XBDSNAP" info --no-sandbox "$fixture"
    [[ $stderr == *"xbdsnap: --no-sandbox: "* ]]
    grep -q "^escape: open: done" <<<"$stderr"
    rm -f /tmp/xbdsnap-escaped
}

@test "--version -v says what confines it" {
    run "$XBDSNAP" --version -v
    [ "$status" -eq 0 ]
    [[ ${lines[1]} == "what opens and writes"*": not confined" ]]
    [[ ${lines[2]} == "what reads, unpacks and decodes, from the first byte on: "*"no capabilities; processor 120 s and 1 s for each 8 MiB of input; memory "* ]]
    [[ ${lines[3]} == "with --live, --domid, watch and p2m, what asks the hypervisor of "*", but for calls of Xen's devices" ]]
    if is_sanitized; then
        [[ ${lines[2]} == *"; memory not bounded in this build" ]]
    else
        [[ ${lines[2]} == *"; memory 64 MiB and 16 bytes for each page of the guest, 256 MiB more while it is unpacked" ]]
        # What it says is what a command has.
        strace -f -qq -o trace -e trace=prctl,capset,seccomp,landlock_restrict_self "$XBDSNAP" info "$fixture"
        for layer in seccomp:seccomp Landlock:landlock_restrict_self "no capabilities:capset"; do
            said=no done=no
            [[ ${lines[2]} != *"${layer%:*}"* ]] || said=yes
            ! grep -qE "\b${layer#*:}\(.*= 0$" trace || done=yes
            [ "$said" = "$done" ]
        done
    fi
    run "$XBDSNAP" --version
    [ "${#lines[@]}" -eq 1 ]
}

@test "a kernel without seccomp is told of, and the answer is the same" {
    is_sanitized && skip "preloaded libraries meet the sanitizer"
    cat >old.c <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int prctl(int what, ...)
{
	unsigned long a, b, c, d;
	va_list ap;

	va_start(ap, what);
	a = va_arg(ap, unsigned long);
	b = va_arg(ap, unsigned long);
	c = va_arg(ap, unsigned long);
	d = va_arg(ap, unsigned long);
	va_end(ap);
	if (what == PR_GET_SECCOMP) {
		errno = EINVAL;
		return -1;
	}
	return (int)syscall(SYS_prctl, what, a, b, c, d);
}
END
    cc -shared -fPIC -o old.so old.c
    "$XBDSNAP" dump "$fixture" >straight
    "$XBDSNAP" --version -v | grep -q seccomp || skip "built without"
    LD_PRELOAD=$PWD/old.so run -0 --separate-stderr "$XBDSNAP" dump "$fixture"
    [ "$output" = "$(cat straight)" ]
    [[ $stderr == "xbdsnap: this kernel has no seccomp: "* ]]
    LD_PRELOAD=$PWD/old.so run -0 "$XBDSNAP" --version -v
    [[ $output == *"not on this kernel, or not in this build: seccomp"* ]]
}

@test "nothing that an analysis needs is refused" {
    is_sanitized && skip "the sanitizer asks for what it knows to be refused"
    for command in dump info "validate -q --thorough" replay; do
        # shellcheck disable=SC2086
        strace -f -qq -o trace -e trace=all "$XBDSNAP" $command "$fixture"
        ! grep -E '= -1 E(PERM|ACCES)' trace
    done
}

@test "a file that is written to while it is read is told of" {
    cp "$fixture" image
    mkfifo p2m
    (
        sleep 0.5
        printf x >>image
        xz -dc "$SRCDIR/tests/fixtures/real/linux-6.1-base/source-p2m.bin.xz" >p2m
    ) &
    run --separate-stderr "$XBDSNAP" dump --p2m p2m image
    wait
    [ "$status" -eq 6 ]
    [[ $stderr == *"'image' was written to while it was read"* ]]
}

# bats test_tags=long
@test "nothing is made of a file that changes in any way while it is read" {
    case $fixture in
    *.zst) zstd -qdc "$fixture" >plain ;;
    *) cp "$fixture" plain ;;
    esac
    page=$("$XBDSNAP" dump -J plain | jq -r '.devices[0].requests[0].segments[0].pfn')
    for how in "printf x >>image" "truncate -s -8192 image" "cp plain new; mv new image" \
        "printf x | dd of=image seek=5000 bs=1 conv=notrunc status=none" "rm image"; do
        for command in "redact image pipe" "export image pipe" "extract --page $page -o pipe image" \
            "extract --slot 0 -o pipe image"; do
            [[ $command = redact* || $how = printf*image ]] || continue
            rm -f image pipe got
            cp plain image
            # Who writes waits for a reader, and by then it has the file open.
            mkfifo pipe
            (sleep 0.3; eval "$how"; timeout 2 cat pipe >got || true) 3>&- &
            # shellcheck disable=SC2086
            run --separate-stderr "$XBDSNAP" $command
            wait
            echo "$how, $command: $status, $stderr"
            [[ $status = 6 || ($how = truncate* && $status = 5) ]]
            [[ $stderr == *"while it "@(was|is)" read"* ]]
            [[ $command = extract* ]] || [ ! -s got ]
        done
    done
}

@test "what is written is for its owner alone" {
    umask 000
    "$XBDSNAP" extract --slot 0 -o slot "$fixture"
    "$XBDSNAP" extract --all all "$fixture"
    "$XBDSNAP" redact --keep-payload "$fixture" copy
    [ "$(stat -c %a slot copy all/manifest.json all | sort -u | tr '\n' ' ')" = "600 700 " ]
}

@test "a symbolic link in the place of an output is replaced, not followed" {
    echo precious >target
    ln -s target slot
    run "$XBDSNAP" extract --slot 0 -o slot "$fixture"
    [ "$status" -eq 3 ]
    "$XBDSNAP" extract --slot 0 --force -o slot "$fixture"
    [ "$(cat target)" = precious ]
    [ ! -L slot ]
}

@test "a killed parent takes its child with it" {
    mkfifo pipe
    "$XBDSNAP" info pipe 2>/dev/null &
    parent=$!
    exec 7>pipe
    for _ in $(seq 100); do
        child=$(pgrep -P $parent || true)
        [ -n "$child" ] && break
        sleep 0.05
    done
    [ -n "$child" ]
    kill -KILL $parent
    for _ in $(seq 100); do
        [ -d "/proc/$child" ] || break
        sleep 0.05
    done
    exec 7>&-
    [ ! -d "/proc/$child" ]
}

@test "a signal to the parent ends both, and is seen" {
    mkfifo pipe
    "$XBDSNAP" info pipe 2>/dev/null &
    parent=$!
    exec 7>pipe
    for _ in $(seq 100); do
        [ -n "$(pgrep -P $parent)" ] && break
        sleep 0.05
    done
    kill -TERM $parent
    status=0
    wait $parent || status=$?
    exec 7>&-
    [ "$status" -eq 143 ]
}

@test "replay --write: a decoder that was taken over has no disk, and the disks are written" {
    is_sanitized && skip "the sanitizer needs files, threads that trace, and code"
    dir=$XBDSNAP_CACHE/linux-6.1-base
    [ -e "$dir/image.save" ] || skip "no real checkpoints"
    cp --sparse=always "$(ls "$dir"/disk-before*.img | tail -n 1)" disk
    preload "$XBDSNAP" replay --write --undo undo --fsck true --disk xvda=disk "$dir/image.save"
    [ "$status" -eq 0 ]
    for attempt in open create connect signal code exec hypercall; do
        grep -q "^escape: $attempt: Operation not permitted" <<<"$stderr" ||
            grep -q "^escape: $attempt: Permission denied" <<<"$stderr"
    done
    cmp disk "$(ls "$dir"/disk-after*.img | tail -n 1)"
    # Who is confined has the checkpoint and the disk open to read, nothing to write but memory.
    rm undo
    strace -f -o trace -e trace=openat,open,pwrite64,pwritev \
        "$XBDSNAP" replay --write --undo undo --disk xvda=disk "$dir/image.save" 2>/dev/null
    keeper=$(head -n 1 trace | cut -d' ' -f1)
    grep -q "^$keeper .*O_RDWR.*" trace
    run ! grep -E "^[0-9]+ +(openat|open)\(.*(disk|undo).*= [0-9]" <(grep -v "^$keeper " trace)
    run ! grep -E "pwrite" <(grep -v "^$keeper " trace)
    # Nor has who reads the undo file.
    strace -f -o trace -e trace=openat,open,pwrite64,pwritev \
        "$XBDSNAP" replay --revert undo 2>/dev/null
    keeper=$(head -n 1 trace | cut -d' ' -f1)
    cmp disk "$(ls "$dir"/disk-after*.img | tail -n 1)"
    grep -q "^$keeper .*O_RDWR.*" trace
    run ! grep -E "^[0-9]+ +(openat|open)\(.*(disk|undo).*= [0-9]" <(grep -v "^$keeper " trace)
    run ! grep -E "pwrite" <(grep -v "^$keeper " trace)
}

@test "a disk image: a decoder that was taken over has no more than its server's socket" {
    is_sanitized && skip "the sanitizer needs files, threads that trace, and code"
    dir=$XBDSNAP_CACHE/linux-6.1-base
    [ -e "$dir/image.save" ] || skip "no real checkpoints"
    qemu-img convert -f raw -O qcow2 "$(ls "$dir"/disk-before*.img | tail -n 1)" disk
    run -0 "$XBDSNAP" replay --disk "xvda=raw:$(ls "$dir"/disk-before*.img | tail -n 1)" "$dir/image.save"
    straight=$output
    for command in replay "replay --write --undo undo" "validate -q"; do
        # shellcheck disable=SC2086
        preload "$XBDSNAP" $command --disk xvda=qcow2:disk "$dir/image.save"
        [ "$status" -eq 0 ]
        [ "$command" != replay ] || [ "$output" = "$straight" ]
        for attempt in open create connect signal code exec hypercall; do
            grep -q "^escape: $attempt: Operation not permitted" <<<"$stderr" ||
                grep -q "^escape: $attempt: Permission denied" <<<"$stderr"
        done
    done
    qemu-img compare -q -f qcow2 -F raw disk "$(ls "$dir"/disk-after*.img | tail -n 1)"
    # Their servers are gone, and what they listened at.
    run ! pgrep -f "qemu-nbd .*$PWD"
    run ! compgen -G '/tmp/xbdsnap-*/s'
}

@test "libblkid that was taken over has one disk to read, and the answer is the same" {
    is_sanitized && skip "the sanitizer needs files, threads that trace, and code"
    truncate -s 64M disk
    mkfs.ext4 -q -F disk
    "$XBDSNAP" dump --disk xvda=disk "$fixture" >straight
    grep -q '(ext4)' straight
    preload "$XBDSNAP" dump --disk xvda=disk "$fixture"
    [ "$output" = "$(cat straight)" ]
    # Two processes have tried.
    for attempt in open create connect signal code exec hypercall; do
        [ "$(grep -cE "^escape: $attempt: (Operation not permitted|Permission denied)$" <<<"$stderr")" -eq 2 ]
    done
    grep -q '^escape: files: Operation not permitted$' <<<"$stderr"
    run ! grep -q "^escape: .*: done" <<<"$stderr"
}

# bats test_tags=long
@test "libblkid that fails costs what lies on that disk, and nothing else" {
    is_sanitized && skip "preloaded libraries meet the sanitizer"
    cc -shared -fPIC -O1 -o badlib.so "$SRCDIR/tests/tools/badlib.c" -ldl
    truncate -s 1G disk
    mkfs.ext4 -q -F disk
    # Its memory does not say what its requests are for.
    python3 "$SRCDIR/tests/tools/mkxen2.py" image.save
    columns='[.devices[].requests[] | [.slot, .sector, .op]]'
    "$XBDSNAP" dump -J image.save | jq -c "$columns" >want
    for how in crash spin; do
        BADLIB=$how LD_PRELOAD=$PWD/badlib.so run -0 --separate-stderr \
            "$XBDSNAP" dump -J --disk hda1=disk image.save
        jq -c "$columns" <<<"$output" | cmp - want
        lost="libblkid fails at what stands from byte 0 of $(realpath disk) on"
        [ "$(jq -c '[.devices[].requests[].meaning[]?.lost] | unique' <<<"$output")" = "[\"$lost\"]" ]
    done
    # The file system that the guest has mounted is not said to be another.
    dir=$XBDSNAP_CACHE/linux-6.1-ext4
    if [ -e "$dir/image.save" ]; then
        run --separate-stderr "$XBDSNAP" validate -J --disk "xvdb=$PWD/disk" "$dir/image.save"
        [[ $output == *XB406* ]]
        BADLIB=crash LD_PRELOAD=$PWD/badlib.so run --separate-stderr \
            "$XBDSNAP" validate -J --disk "xvdb=$PWD/disk" "$dir/image.save"
        [ "$(jq -c '[.findings[].rule] | index("XB406")' <<<"$output")" = null ]
        [ "$(jq -c '[.not_evaluated[] | select(.rule == "XB406")] | length' <<<"$output")" -eq 1 ]
    fi
    # More than this it is not asked: a table of partitions has many.
    cat >table <<'END'
label: gpt
END
    for i in $(seq 60); do echo "start=$((2048 * i)), size=2048" >>table; done
    truncate -s 256M disk2
    sfdisk -q disk2 <table
    strace -f -qq -o trace -e trace=socketpair -E BADLIB=content -E LD_PRELOAD="$PWD/badlib.so" \
        "$XBDSNAP" dump -q --disk xvda=disk2 "$fixture" >/dev/null
    [ "$(grep -c 'socketpair(' trace)" -le 9 ]
}

@test "a volume at which old versions of libblkid crash is looked at, or not, and the rest goes on" {
    python3 - <<'EOF'
# OCFS 1: a label and a mount point of 64 KiB where there is room for 64 and 128 bytes
# (libblkid/src/superblocks/ocfs.c of util-linux 2.38).
disk = bytearray(64 << 20)
disk[8192:8201] = b"OracleCFS"
disk[8192 + 264:8192 + 266] = disk[8192 + 512 + 112:8192 + 512 + 114] = b"\xff\xff"
open("disk", "wb").write(disk)
EOF
    run -0 --separate-stderr "$XBDSNAP" dump -J --disk xvda=disk "$fixture"
    "$XBDSNAP" dump -J "$fixture" | jq -c '[.devices[].requests[] | [.slot, .sector]]' >want
    jq -c '[.devices[].requests[] | [.slot, .sector]]' <<<"$output" | cmp - want
    run --separate-stderr "$XBDSNAP" validate --disk xvda=disk "$fixture"
    [ "$status" -le 3 ]
}

@test "a fault is an error like others, and its status is 6" {
    is_sanitized && skip "preloaded libraries meet the sanitizer"
    cc -shared -fPIC -O1 -o badlib.so "$SRCDIR/tests/tools/badlib.c" -ldl
    for command in dump info "validate -q" replay; do
        # shellcheck disable=SC2086
        BADLIB=btf LD_PRELOAD=$PWD/badlib.so run -6 --separate-stderr "$XBDSNAP" $command "$fixture"
        [[ $stderr == "xbdsnap: failed at this input (Segmentation fault): "* ]]
    done
}

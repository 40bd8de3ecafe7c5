#!/usr/bin/env bats
# Linux' block frontend of every era, 32 and 64 bits, as made-up guests: what was put into the rings
# is what dump says, validate finds no error, and replay makes the disk that the writes say.

setup() {
    bats_require_minimum_version 1.5.0
    tools=$SRCDIR/tests/tools
}

sampled() { # sampled NUMBER: how many of so many are looked at
    echo $((($1 + ${SAMPLE:-1} - 1) / ${SAMPLE:-1}))
}

all_of() { # all_of PATTERN NUMBER: that many guests, all of them right
    run python3 "$tools/check_blkfront.py" "$XBDSNAP" "$BATS_TEST_TMPDIR" "$1"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "$(sampled "$2") guests" ]
}

@test "XenLinux, and kernels up to 3.9: frames in the shadow" {
    all_of '^(xenlinux|3\.4|3\.8)-' 42
}

@test "3.10: scatter lists in the shadow; 3.11 to 4.4: pointers to them" {
    all_of '^(3\.10|3\.16|4\.4)-' 48
}

@test "a later 4.4, and 4.5 to 5.7: rings of their own with room for 512" {
    all_of '^(4\.4\.late|4\.5)-' 36
}

@test "5.8 and newer: rings as long as they are" {
    all_of '^(5\.10|6\.1)-' 36
}

xen2() { # xen2 FAULT RULES...: of a guest with that fault
    run python3 "$tools/check_xen2linux.py" "$XBDSNAP" "$BATS_TEST_TMPDIR" "$1"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "$output" = "$2" ]
}

# bats test_tags=long
@test "Linux of Xen 2.0: by symbols and by shape, and replayed" {
    for fault in none idle answers noring; do xen2 $fault ""; done
}

# bats test_tags=long
@test "Linux of Xen 2.0: a full log, a probe, a recovery, a damaged list" {
    xen2 full XB251
    xen2 probe XB252
    xen2 recovery $'XB130\nXB253'
    xen2 cycle XB101
}

# bats test_tags=long
@test "by the DWARF of a kernel file, and of a module's, whatever the kernel's options" {
    all_of --kernel 26
    run "$XBDSNAP" dump --module x.ko x.save
    [ "$status" -eq 2 ]
    [[ $output == *"--module needs --kernel"* ]]
}

@test "one invariant broken alone: the rule that says so, and no other" {
    run python3 "$tools/break_blkfront.py" "$XBDSNAP" "$BATS_TEST_TMPDIR"
    echo "$output"
    [ "$output" = "$(sampled 81) faults" ]
}

@test "structures damaged in place crash nothing" {
    run python3 "$tools/mutate_blkfront.py" "$XBDSNAP" "$BATS_TEST_TMPDIR" 36
    echo "$output"
    [ "$output" = "36 mutants" ]
}

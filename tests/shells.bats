#!/usr/bin/env bats
# Completions: made from the tables, and typed at real shells through a terminal.

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
}

@test "the completions are those that the tables make" {
    mkdir made
    "$SRCDIR/tests/tools/completions.py" "$XBDSNAP" made
    for f in xbdsnap.bash _xbdsnap xbdsnap.fish; do
        diff -u "$SRCDIR/completions/$f" "made/$f" || { echo "make generated writes them"; false; }
    done
}

# bats test_tags=long
@test "bash, zsh and fish complete commands, options, words, devices and disks" {
    zstd -qdf -o checkpoint "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst"
    # An interpreter that has Debian's modules.
    python=$(for p in python3 /usr/bin/python3; do "$p" -c 'import pexpect' 2>/dev/null && echo "$p" && break; done) ||
        skip "needs python3-pexpect"
    for shell in bash zsh fish; do
        command -v "$shell" >/dev/null || { echo "# no $shell here" >&3; continue; }
        mkdir "$shell"
        (cd "$shell" && "$python" "$SRCDIR/tests/tools/shells.py" "$shell" "$SRCDIR/completions" \
            "$XBDSNAP" "$BATS_TEST_TMPDIR/checkpoint" >../"$shell.log" 2>&1 || touch ../failed) &
    done
    wait
    [ ! -e failed ] || { grep -v '^ok' ./*.log; false; }
    [ "$(cat ./*.log | grep -c '^ok')" -ge 13 ]
}

#!/usr/bin/env bats
# What docs/ promises.

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
}

# bats test_tags=long
@test "the tutorial does what it says" {
    guest=$XBDSNAP_CACHE/linux-6.1-ext4
    [ -d "$guest" ] || skip "no real checkpoints"
    ln -s "$guest/image.save" vm.save
    for d in xvda xvdb; do
        cp --sparse=always "$guest/disk-before-$d.img" "$d.raw"
    done
    ln -s "$guest/disk-before-xvdb.img" pristine.raw
    PATH=$(dirname "$XBDSNAP"):$PATH
    run python3 "$SRCDIR/tests/tools/run_tutorial.py" "$SRCDIR/docs/tutorial.md"
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${output% *}" -ge 12 ]
}

@test "the page of what can go wrong names every rule once" {
    "$XBDSNAP" rules -J | jq -r '.rules[].id' >want
    grep -oE '^- XB[0-9]{3}' "$SRCDIR/docs/what-can-go-wrong.md" | cut -c3- | sort >have
    diff want have
}

@test "the changelog begins with this version" {
    version=$("$XBDSNAP" --version)
    [ "$(grep -m1 -oE '^[0-9]+\.[0-9]+\.[0-9]+' "$SRCDIR/CHANGELOG")" = "${version#xbdsnap }" ]
}

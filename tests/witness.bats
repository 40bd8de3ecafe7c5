#!/usr/bin/env bats
# validate --disk: blocks that the guest remembers, against the disk (XB409).

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    ext4=$XBDSNAP_CACHE/linux-6.1-ext4
}

judge() { # judge DISK-OF-XVDB: into j; the status is not looked at
    "$XBDSNAP" validate -J --thorough --disk "xvdb=$1" "$ext4/image.save" >j || true
}

@test "no real disk is accused, as it stood when the guest was stuck or when it was done" {
    local dir disk name n=0
    for dir in "$XBDSNAP_CACHE"/linux-*; do
        for disk in "$dir"/disk-*.img; do
            name=$(basename "$disk" .img)
            [[ $name == *xvd* ]] && name=${name##*-} || name=xvda
            "$XBDSNAP" validate -J --thorough --disk "$name=$disk" "$dir/image.save" >j || true
            jq -e '[.findings[], .not_evaluated[] | select(.rule == "XB409")] == []' j
            jq -e '[.witnesses[].differ] == [0]' j
            n=$((n + 1))
        done
    done
    [ $n -ge 18 ]
}

@test "what the guest remembers of ext4: metadata and files, and each change of it is found" {
    judge "$ext4/disk-before-xvdb.img"
    blocks=$(jq '.witnesses[0].blocks' j)
    [ "$blocks" -ge 6 ]
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" j
    tr '\0-\377' '\1-\377\0' <"$ext4/disk-before-xvdb.img" >noise.img
    judge noise.img
    jq -e ".witnesses[0] | .blocks == $blocks and .differ == $blocks" j
    jq -e '[.findings[] | select(.rule == "XB409") | .message | capture("\\((?<w>.*)\\)").w]
        | unique | index("file data") != null and length > 1' j
    # One byte of one sector.
    sector=$(jq -r '[.findings[] | select(.rule == "XB409")][0].message | capture("sectors (?<s>[0-9]+) ").s' j)
    cp "$ext4/disk-before-xvdb.img" one.img
    printf '\xa5' | dd of=one.img bs=1 seek=$((sector * 512 + 77)) conv=notrunc status=none
    judge one.img
    jq -e "[.findings[] | select(.rule == \"XB409\") | .message | test(\"^sectors $sector to $sector of /.*/one.img \")] == [true]" j
    run -3 "$XBDSNAP" validate --disk xvdb=one.img "$ext4/image.save"
    [[ $output == *"1 differ"* ]]
}

@test "a seed is a number" {
    run -2 "$XBDSNAP" validate --seed=x --disk "xvdb=$ext4/disk-before-xvdb.img" "$ext4/image.save"
    "$XBDSNAP" validate -q --seed=7 --disk "xvdb=$ext4/disk-before-xvdb.img" "$ext4/image.save"
}

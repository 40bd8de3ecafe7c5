#!/usr/bin/env bats
# What users and scripts are told (help, manual, completion, schema) against what the program does.

bats_require_minimum_version 1.5.0

tables() { (cd "$SRCDIR" && python3 tests/tools/tables.py "$@"); }

@test "options: the manual pages have those that --help has, and no other" {
    tables options "$XBDSNAP"
}

# bats test_tags=long
@test "words that options take: program, manual and completion agree" {
    tables words "$XBDSNAP"
}

@test "JSON keys: the schema has those that the commands write, and no other" {
    tables keys
}

# bats test_tags=long
@test "what HACKING says one touches for a format, a frontend, a rule, a command, a column" {
    cd "$SRCDIR"
    python3 tests/tools/touched.py
}

document() { # document COMMAND...: its document is docs/N
    nr=$((${nr:-0} + 1))
    "$XBDSNAP" "$1" -J "${@:2}" 2>errors >"docs/$nr" || [[ $? -le 5 && -s docs/$nr ]] || {
        echo "$@"
        cat errors
        return 1
    }
}

@test "documents follow the schema, and produce every key of it" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    cd "$BATS_TEST_TMPDIR"
    mkdir docs
    document dump --who "$XBDSNAP_CACHE/linux-6.1-ext4/image.save"
    document dump --disk "xvdb=$(ls "$XBDSNAP_CACHE"/linux-6.1-ext4/disk-before*-xvdb.img)" "$XBDSNAP_CACHE/linux-6.1-ext4/image.save"
    truncate -s 32M parts volumes
    echo 2048,,83 | sfdisk -q parts
    zstd -qdc "$SRCDIR/tests/fixtures/lvm/pv0-head.zst" | dd of=volumes conv=notrunc status=none
    document dump --disk xvda=parts "$XBDSNAP_CACHE/linux-6.1-base/image.save"
    document dump --disk xvda=volumes "$XBDSNAP_CACHE/linux-6.1-base/image.save"
    for name in linux-6.1-base linux-6.1-pvh linux-6.12-discard xen2-netbsd; do
        zstd -qdo "$name.save" "$SRCDIR/tests/fixtures/$name/checkpoint.save.zst"
        for command in info dump validate replay; do
            document $command "$name.save"
        done
    done
    document info linux-6.1-base.save xen2-netbsd.save errors
    document info --json-lines linux-6.1-base.save
    document info --json-lines errors
    document validate --json-lines linux-6.1-base.save
    "$XBDSNAP" validate --json-lines linux-6.1-base.save xen2-netbsd.save >lines || [ $? -eq 3 ]
    document summary lines
    document rules
    document validate --disk "xvda=$(ls "$XBDSNAP_CACHE"/linux-6.1-base/disk-before*.img)" \
        "$XBDSNAP_CACHE/linux-6.1-base/image.save"
    zstd -qdo database "$SRCDIR/tests/fixtures/busy/database.save.zst"
    document dump -v database
    python3 "$SRCDIR/tests/tools/edit_ring.py" linux-6.1-base.save unlisted unlist \
        "$("$XBDSNAP" dump -J linux-6.1-base.save | jq -r '.devices[0].rings[0].address')"
    document dump unlisted
    document diff linux-6.1-base.save unlisted
    python3 "$SRCDIR/tests/tools/mkstream.py" pv64-v3 made
    document dump made
    python3 "$SRCDIR/tests/tools/mkstream.py" optional-many many
    document info many
    document extract --all all database
    document diff linux-6.1-base.save database
    document redact database redacted
    document extract --all payloads redacted
    document extract --slot 0 -o bytes database
    document extract --page 0 -o page database
    ring=$("$XBDSNAP" dump -J database | jq -r ".devices[0].rings[0].address")
    document extract --va "$ring" --bytes 16 -o bytes2 database
    printf 'feature-flush-cache=1\nfeature-max-indirect-segments=0\n' >caps
    document replay --target-caps caps linux-6.12-discard.save
    truncate -s 16M disk
    document replay --disk xvda=disk database
    truncate -s 400K small
    document replay --disk xvda=small database
    document replay --disk xvda=disk --write --undo undo --fsck true database
    document replay --revert undo
    head -c $((16 << 20)) database >cut
    document validate cut
    python3 -c '
import struct, sys
sys.stdout.buffer.write(b"".join(struct.pack("<Q", 5000 + i) for i in range(4096)))' >p2m
    document replay --ring ring --p2m p2m xen2-netbsd.save
    document dump --p2m p2m xen2-netbsd.save
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" docs/*
    tables produced "$PWD"/docs/*
}

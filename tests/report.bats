#!/usr/bin/env bats
# report: one HTML file; dump --map and --ring: the same in characters.

bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
}

each_fixture() { # each_fixture FUNCTION
    local f
    for f in "$SRCDIR"/tests/fixtures/*/checkpoint.save.zst; do
        "$1" "$f" || {
            echo "in $f"
            return 1
        }
    done
}

well_formed() {
    "$XBDSNAP" report -q --force -o page.html "$1" || [ $? -le 4 ]
    python3 "$SRCDIR/tests/tools/check_html.py" page.html
    said=$("$XBDSNAP" validate -J "$1" | jq -r .verdict) || true
    grep -q "<span class=\"verdict $said\">$said</span>" page.html
    [ "$(grep -c '<tr><td class="n">' page.html)" = \
        "$("$XBDSNAP" dump -J "$1" | jq '[.devices[] | .requests[], .queued[]?] | length')" ]
    name=$(basename "$(dirname "$1")")
    mkdir -p "$BATS_FILE_TMPDIR/pages"
    cp page.html "$BATS_FILE_TMPDIR/pages/$name.html"
    echo "$name $said $(grep -o '<rect ' page.html | wc -l) fits" >>"$BATS_FILE_TMPDIR/pages/expected"
}

# bats test_tags=long
@test "of every shipped checkpoint: well formed, nothing from outside, the verdict, each request" {
    each_fixture well_formed
}

# bats test_tags=long
@test "rendered by a browser: the text is there, no error, no request to the network" {
    command -v chromium >/dev/null || skip "no chromium"
    "$XBDSNAP" report -q -o page.html "$SRCDIR/tests/fixtures/linux-6.1-ext4/checkpoint.save.zst" || true
    timeout 120 chromium --headless --no-sandbox --disable-gpu --enable-logging=stderr --v=0 \
        --user-data-dir="$PWD/profile" --screenshot="$PWD/page.png" --window-size=1200,2000 \
        "file://$PWD/page.html" >log 2>&1
    run ! grep -E 'CONSOLE|Refused to' log
    [ "$(head -c 8 page.png | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ]
    [ "$(stat -c %s page.png)" -gt 20000 ]
    timeout 120 chromium --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" \
        --dump-dom "file://$PWD/page.html" >dom 2>/dev/null
    grep -q '>safe</span>' dom
    [ "$(grep -c '<rect class="write"' dom)" -gt 20 ]
}

# bats test_tags=long
@test "all of them in one browser: nothing is refused, the verdict is seen, nothing runs off the side" {
    command -v chromium >/dev/null || skip "no chromium"
    pages=$BATS_FILE_TMPDIR/pages
    [ -s "$pages/expected" ] || each_fixture well_formed
    {
        echo '<!DOCTYPE html><title>all</title><pre id="out"></pre>'
        while read -r name _; do
            echo "<iframe id=\"$name\" src=\"$name.html\" width=\"1000\" height=\"900\"></iframe>"
        done <"$pages/expected"
        cat <<'EOF'
<script>
onload = () => {
    for (const f of document.querySelectorAll("iframe")) {
        const d = f.contentDocument, word = d.querySelector(".verdict"), root = d.documentElement;
        document.getElementById("out").textContent += [f.id, word.innerText,
            d.querySelectorAll("rect").length,
            root.scrollWidth <= root.clientWidth ? "fits" : "runs off"].join(" ") + "\n";
    }
};
</script>
EOF
    } >"$pages/all.html"
    timeout 200 chromium --headless --no-sandbox --disable-gpu --enable-logging=stderr --v=0 \
        --user-data-dir="$PWD/profile" --allow-file-access-from-files --dump-dom \
        "file://$pages/all.html" >dom 2>log
    run ! grep -E 'CONSOLE|Refused to' log
    diff "$pages/expected" <(sed 's/.*<pre id="out">//; s/<.*//' dom | grep -E ' (fits|runs off)$')
}

@test "the disk that is given: which requests are on it" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    dir=$XBDSNAP_CACHE/linux-6.1-base
    "$XBDSNAP" report -o stuck.html --disk "xvda=$dir/disk-before.img" "$dir/image.save"
    [ "$(grep -o '<td>not-landed</td>' stuck.html | wc -l)" = 16 ]
    "$XBDSNAP" report --disk "xvda=$dir/disk-after.img" "$dir/image.save" >done.html
    [ "$(grep -o '<td>landed</td>' done.html | wc -l)" = 16 ]
    grep -q 'XBLKSEC!' stuck.html
    dir=$XBDSNAP_CACHE/linux-6.1-ext4
    "$XBDSNAP" report -o ext4.html --disk "xvdb=$dir/disk-before-xvdb.img" "$dir/image.save"
    [ "$(grep -o '<td>file data</td>' ext4.html | wc -l)" = 26 ]
    grep -q '<p class="dim">without it: nothing is lost: the journal holds it' ext4.html
}

@test "a disk that is given is opened once" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    server=$(command -v qemu-nbd) || skip "no qemu-nbd"
    dir=$XBDSNAP_CACHE/linux-6.1-base
    qemu-img convert -f raw -O qcow2 "$dir/disk-before.img" disk.qcow2
    mkdir bin
    printf '#!/bin/sh\necho run >>"%s"\nexec "%s" "$@"\n' "$PWD/runs" "$server" >bin/qemu-nbd
    chmod +x bin/qemu-nbd
    PATH=$PWD/bin:$PATH "$XBDSNAP" report -o r.html --disk xvda=qcow2:disk.qcow2 "$dir/image.save"
    [ "$(cat runs)" = run ]
    [ "$(grep -o '<td>not-landed</td>' r.html | wc -l)" = 16 ]
}

@test "a report takes no input's place, and is no JSON" {
    cp "$SRCDIR/tests/fixtures/linux-6.1-pvh/checkpoint.save.zst" a.zst
    truncate -s 32M disk.img
    run -3 "$XBDSNAP" report --force -o a.zst a.zst
    run -3 "$XBDSNAP" report --force -o disk.img --disk xvda=disk.img a.zst
    run -2 "$XBDSNAP" report -J a.zst
}

# bats test_tags=long
@test "names of the guest are harmless: no tag, no control character, no turned writing" {
    [ -n "${XBDSNAP_CACHE:-}" ] || skip "no checkpoints"
    python3 - "$XBDSNAP_CACHE/linux-6.1-ext4/image.save" bad.save <<'PY'
import sys
raw = open(sys.argv[1], "rb").read()
new = raw.replace(b"ext4io\0", b"<b>\x1b[&\0")      # the program's name
new = new.replace(b"frag0\0", b"\xe2\x80\xae\"\x07\0")  # a file's
assert new != raw and b"\xe2\x80\xae\"\x07\0" in new
open(sys.argv[2], "wb").write(new)
PY
    "$XBDSNAP" report -o bad.html bad.save
    python3 "$SRCDIR/tests/tools/check_html.py" bad.html
    grep -qF '&lt;b&gt;\x1b[&amp;[145]' bad.html
    grep -qF '/mnt/dio/\xe2\x80\xae&quot;\x07' bad.html
    "$XBDSNAP" dump --who --color=always bad.save >t
    run ! grep -q $'\x07\|\x1b\\[&\|\xe2\x80\xae' t
    grep -qF 'x1b[&[145]' t
    "$XBDSNAP" dump --who -J bad.save | jq -e '[.devices[].requests[].who[].process.comm?] | index("<b>\u001b[&")'
}

@test "the map and the ring in characters: as wide as asked, plain in a pipe, coloured on request" {
    image=$SRCDIR/tests/fixtures/linux-6.1-mq/checkpoint.save.zst
    COLUMNS=40 "$XBDSNAP" dump -q --map "$image" >t
    [ "$(sed -n 1p t)" = "xvda: 65536 sectors, 1639 a character" ]
    [[ $(sed -n 2p t) =~ ^[rw*.]{40}$ ]]
    run ! grep -q $'\x1b' t
    COLUMNS=40 "$XBDSNAP" dump -q --map --color=always "$image" >c
    [ "$(sed 's/\x1b\[[0-9;]*m//g' c)" = "$(cat t)" ]
    grep -q $'\x1b' c
    "$XBDSNAP" dump -q --ring "$image" >r
    grep -Eq '^xvda ring 1: 128 slots, 60 used$' r
    # Letters of the shadow are the requests, '>' those without an answer.
    [ "$(sed -n '/ring 0:/,/ring 1:/p' r | grep -A1 shadow | tr -cd 'rwfd>' | sed 's/^[^0-9]*shadow//' | tr -cd rw | wc -c)" -ge 60 ]
    [ "$(tr -cd '>' <r | wc -c)" = 120 ]
}

#!/usr/bin/env bats
# Many files, many hosts, and what watches them.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || exit 1
    zstd -qdf -o good.save "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst"
    zstd -qdf -o unsafe.save "$SRCDIR/tests/fixtures/xen2-netbsd/checkpoint.save.zst"
    head -c 3000000 good.save >cut.save
    : >empty.save
}

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    ln -s "$BATS_FILE_TMPDIR"/*.save .
}

schema() {
    python3 "$SRCDIR/tests/tools/check_schema.py" "$SRCDIR/docs/xbdsnap.schema.json" "$1"
}

# bats test_tags=long
@test "JSON Lines: a document a file, in order; a bad one does not stop the rest" {
    for command in info validate; do
        run -5 --separate-stderr "$XBDSNAP" "$command" --json-lines good.save empty.save cut.save good.save
        [ "$(printf '%s\n' "${lines[@]}" | jq -r .source.path | tr '\n' ' ')" = "good.save empty.save cut.save good.save " ]
    done
    run -6 --separate-stderr "$XBDSNAP" info --json-lines good.save empty.save nowhere.save good.save
    [ "${#lines[@]}" -eq 4 ]
    printf '%s\n' "${lines[@]}" >lines
    [ "$(jq -c '[.source.path, .fleet.status, .fleet.pending, .fleet.writes]' lines | tr '\n' ' ')" = \
        '["good.save",0,20,16] ["empty.save",5,null,null] ["nowhere.save",6,null,null] ["good.save",0,20,16] ' ]
    [ "$(jq -r .fleet.host lines | sort -u)" = "$(hostname)" ]
    # The oldest of all requests, as dump lists them.
    want=$("$XBDSNAP" dump -J good.save | jq '[.devices[] | .requests[], .queued[] | .age_ns] | max')
    [ "$(head -n 1 lines | jq .fleet.oldest_ns)" = "$want" ]
    while read -r line; do
        printf '%s\n' "$line" >doc
        schema doc
    done <lines
}

# bats test_tags=long
@test "validate judges each of many files as alone" {
    run -5 --separate-stderr "$XBDSNAP" validate good.save unsafe.save cut.save empty.save
    printf '%s\n' "${lines[@]}" >together
    for f in good unsafe cut; do
        "$XBDSNAP" validate "$f.save" 2>/dev/null || true
    done >alone
    diff alone together
    run -3 --separate-stderr "$XBDSNAP" validate --json-lines unsafe.save good.save
    printf '%s\n' "${lines[@]}" >lines
    [ "$(jq -c '[.verdict, .counts.error > 0, .fleet.status]' lines | tr '\n' ' ')" = \
        '["unsafe",true,3] ["safe",false,0] ' ]
    head -n 1 lines >doc
    schema doc
    run -3 --separate-stderr "$XBDSNAP" validate -J unsafe.save good.save
    printf '%s\n' "$output" >doc
    schema doc
    [ "$(jq -c '.files | map(.verdict)' doc)" = '["unsafe","safe"]' ]
    run -0 "$XBDSNAP" validate --rule XB201=note --fail-on=never unsafe.save good.save
    run -2 "$XBDSNAP" validate --disk xvda=disk good.save unsafe.save
    [[ $output == *"are for one checkpoint"* ]]
}

@test "names come from lists, by lines or zero bytes" {
    ln -s good.save "a name
of two lines"
    printf '%s\0' good.save "a name
of two lines" >list0
    printf 'good.save\n\ncut.save\n' >list
    run -0 --separate-stderr "$XBDSNAP" info --json-lines -0 --files-from=list0
    [ "$(printf '%s\n' "${lines[@]}" | jq -s 'map(.source.path) | . == ["good.save", "a name\nof two lines"]')" = true ]
    run -5 --separate-stderr "$XBDSNAP" validate --json-lines --files-from=- unsafe.save <list
    [ "$(printf '%s\n' "${lines[@]}" | jq -r .source.path | tr '\n' ' ')" = "unsafe.save good.save cut.save " ]
    run -6 "$XBDSNAP" info --files-from=nowhere
    : >none
    run -0 --separate-stderr "$XBDSNAP" info --json-lines --files-from=none
    [ -z "$output" ]
}

@test "a thousand files" {
    for i in $(seq 1000); do echo empty.save; done >list
    sed -i '500s/.*/good.save/' list
    run -5 --separate-stderr "$XBDSNAP" info --json-lines --files-from=list
    [ "${#lines[@]}" -eq 1000 ]
    [ "$(jq .fleet.pending <<<"${lines[499]}")" -eq 20 ]
}

@test "prometheus: metrics that its parser takes" {
    ln -s good.save 'a "quoted\ name.save'
    run -5 --separate-stderr "$XBDSNAP" validate --format=prometheus good.save 'a "quoted\ name.save' unsafe.save cut.save
    printf '%s\n' "${lines[@]}" >metrics
    grep -qxF 'xbdsnap_pending_writes{file="good.save",guest="stuck"} 16' metrics
    grep -qxF 'xbdsnap_status{file="a \"quoted\\ name.save",guest="stuck"} 0' metrics
    grep -qxF 'xbdsnap_status{file="cut.save",guest="stuck"} 5' metrics
    grep -qxF 'xbdsnap_findings{file="unsafe.save",guest="nbsd",severity="error"} 2' metrics
    # What is not known has no sample.
    ! grep -q 'pending_requests.*cut.save' metrics
    # Each name has its type once, before its samples, which stand together.
    python3 - <<'EOF'
import re
name, seen = None, set()
for line in open("metrics"):
    m = re.match(r"# (HELP|TYPE) (\w+) (.*)", line)
    if m:
        if m[1] == "TYPE":
            assert m[2] not in seen and m[3] == "gauge"
            seen.add(m[2])
            name = m[2]
        continue
    m = re.fullmatch(r'(\w+)\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\} ([0-9.e+-]+)\n', line)
    assert m and m[1] == name, line
assert len(seen) == 5
EOF
}

@test "nagios: one line, its statuses" {
    run -0 "$XBDSNAP" validate --format=nagios good.save
    [ "$output" = "XBDSNAP OK - 1 saved guests: 0 unsafe or damaged, 0 with warnings, 0 unknown | guests=1 critical=0 warning=0 pending=20 writes=16 oldest=23.1s" ]
    run -2 --separate-stderr "$XBDSNAP" validate --format=nagios good.save unsafe.save nowhere.save
    [[ $output == "XBDSNAP CRITICAL - 3 saved guests: 1 unsafe or damaged, 0 with warnings, 1 unknown | "* ]]
    run -3 --separate-stderr "$XBDSNAP" validate --format=nagios good.save nowhere.save
    run -1 --separate-stderr "$XBDSNAP" validate --format=nagios --rule XB201=warn --rule XB202=warn unsafe.save
    [[ $output == "XBDSNAP WARNING"* ]]
}

@test "summary: a row for each host" {
    "$XBDSNAP" validate --json-lines good.save unsafe.save 2>/dev/null | sed 's/"host":"[^"]*"/"host":"alpha"/' >lines || true
    "$XBDSNAP" info --json-lines good.save cut.save 2>/dev/null | sed 's/"host":"[^"]*"/"host":"beta"/' >>lines || true
    run -5 --separate-stderr "$XBDSNAP" summary -J lines
    printf '%s\n' "$output" >doc
    schema doc
    [ "$(jq -c '.hosts[0] | [.host, .guests, .failed, .with_writes, .writes, .errors, .status, .worst]' doc)" = \
        '["alpha",2,0,2,40,2,3,"unsafe.save: XB201"]' ]
    [ "$(jq -c '.hosts[1] | [.host, .guests, .failed, .with_writes, .status]' doc)" = '["beta",2,1,1,5]' ]
    run -5 --separate-stderr "$XBDSNAP" summary <lines
    [ "$(awk '{ print $1, $2 }' <<<"$output" | tr '\n' ' ')" = "HOST GUESTS alpha 2 beta 2 " ]
    [[ ${lines[2]} == *">="* ]]
}

@test "summary: lines of strangers do no harm" {
    {
        echo 'not json'
        echo '{"fleet": 7}'
        echo '{"fleet": {"host": ["x"], "status": "y", "writes": -1}}'
        printf '{"fleet": {"host": "\\u001b[2Jx", "status": 99}, "source": 7, "findings": [7, {"severity": 1}]}\n'
        printf '%0200000d\n' 0
        printf '[%.0s' $(seq 5000)
        echo
        "$XBDSNAP" info --json-lines good.save
    } >lines
    run -6 --separate-stderr "$XBDSNAP" summary lines
    [[ $output == *'x1b[2Jx'* && $output != *$'\e'* ]]
    [[ $stderr == *"4 lines are none of --json-lines"* ]]
    [ "$(awk 'END { print $2 }' <<<"$output")" -eq 1 ]
    run -0 "$XBDSNAP" summary /dev/null
}

@test "sizes in bytes, times of the clock" {
    run -0 "$XBDSNAP" dump -o SECTORS,BYTES good.save
    [[ ${lines[1]} =~ ^" "+8" "+4K$ ]]
    run -0 "$XBDSNAP" dump --bytes -o SECTORS,BYTES good.save
    [[ ${lines[1]} =~ ^" "+8" "+4096$ ]]
    run -0 "$XBDSNAP" dump --time-format=seconds -o AGE good.save
    age=${lines[1]// /}
    [[ $age =~ ^23\.[0-9]{3}$ ]]
    run -0 "$XBDSNAP" dump --time-format=utc -o AGE good.save
    saved=$("$XBDSNAP" info -J good.save | jq .guest.wall_sec)
    [ "$(date -u -d "${lines[1]// /}" +%s)" -eq $((saved - ${age%.*})) ]
    run -2 "$XBDSNAP" dump --time-format=sundial good.save
    run -0 "$XBDSNAP" info --bytes good.save
    pages=$("$XBDSNAP" info -J good.save | jq .source.data_pages)
    [[ $output == *"$pages pages with data ($((pages * 4096))),"* ]]
}

@test "a choice of columns is remembered" {
    XBDSNAP_OUTPUT=slot,op run -0 "$XBDSNAP" dump good.save
    [ "${lines[0]}" = "SLOT OP" ]
    XBDSNAP_OUTPUT=+ID run -0 "$XBDSNAP" dump good.save
    [[ ${lines[0]} == DEVICE*ID ]]
    XBDSNAP_OUTPUT=slot run -0 "$XBDSNAP" dump -o ring good.save
    [ "${lines[0]}" = "RING" ]
    XBDSNAP_OUTPUT='' run -0 "$XBDSNAP" dump good.save
    [[ ${lines[0]} == DEVICE* ]]
    XBDSNAP_OUTPUT=nonsense run -2 "$XBDSNAP" dump good.save
    [ "$output" = "xbdsnap: XBDSNAP_OUTPUT: no column 'nonsense'; --help lists them" ]
    XBDSNAP_OUTPUT=nonsense run -0 "$XBDSNAP" dump -J good.save
}

@test "colour by rule, where it is wanted" {
    red=$'\e[31m' end=$'\e[0m'
    run -3 "$XBDSNAP" --color=always validate unsafe.save
    [[ ${lines[0]} == "${red}error$end XB201"* ]]
    run -3 "$XBDSNAP" validate unsafe.save
    [[ ${lines[0]} == "error XB201"* ]]
    run -5 --separate-stderr "$XBDSNAP" --color=always info good.save cut.save
    [[ ${lines[2]} == *"${red}NO"* && ${lines[1]} != *$'\e['* ]]
    run -6 "$XBDSNAP" --color=always info nowhere
    [[ $output == "${red}xbdsnap$end: "* ]]
    NO_COLOR=1 run -5 --separate-stderr "$XBDSNAP" info good.save cut.save
    [[ $output != *$'\e['* ]]
}

# bats test_tags=long
@test "recipe: many hosts, over ssh, with GNU parallel and with Ansible" {
    for needed in unshare ip sshd parallel; do
        PATH=$PATH:/usr/sbin command -v $needed >/dev/null || skip "needs $needed"
    done
    unshare --net --uts --mount --pid --fork true 2>/dev/null || skip "needs root"
    mkdir alpha beta bin
    cp good.save alpha/
    cp unsafe.save cut.save beta/
    ln -s "$XBDSNAP" bin/xbdsnap
    PATH=$PWD/bin:$PATH:/usr/sbin
    # Both hosts have the same file system here: each shows the folder that has its name.
    cat >both.sh <<'EOF'
set -eu
sed 's,find "$1",find "$1/$(hostname)",' "$SRCDIR/tests/recipes/fleet.sh" >fleet.sh
status=0
sh fleet.sh hosts "$PWD" >parallel.out || status=$?
echo "parallel $status"
command -v ansible-playbook >/dev/null || exit 0
ANSIBLE_SSH_ARGS="-F $PWD/ssh_config" ANSIBLE_LOCAL_TEMP=$PWD/tmp ansible-playbook -i inventory \
    -e lines="$PWD/lines" "$SRCDIR/docs/ansible/collect.yml" >ansible.out
EOF
    run -0 --separate-stderr "$SRCDIR/tests/tools/hosts.sh" bash both.sh
    [ "$output" = "parallel 5" ]
    awk '{ print $1, $2, $3, $4, $7 }' parallel.out | sort >have
    printf 'HOST GUESTS FAILED WITH-WRITES ERRORS\nalpha 1 0 1 0\nbeta 2 1 >=1 3\n' | sort | diff - have
    [ ! -e ansible.out ] || grep -qE '"beta +2 +1 ' ansible.out
}

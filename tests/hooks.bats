#!/usr/bin/env bats
# The hooks, each run with the arguments and the environment that its caller documents.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || exit 1
    zstd -qdf -o good.save "$SRCDIR/tests/fixtures/linux-6.1-base/checkpoint.save.zst"
    head -c 3000000 good.save >cut.save
}

setup() {
    cd "$BATS_TEST_TMPDIR" || exit 1
    ln -s "$BATS_FILE_TMPDIR"/*.save .
    hooks=$SRCDIR/hooks
    mkdir bin
    ln -s "$XBDSNAP" bin/xbdsnap
    PATH=$PWD/bin:$PATH
    : >log
}

fake() { # fake NAME: a program that notes how it was called
    rm -f "bin/$1"
    cat >"bin/$1"
    chmod +x "bin/$1"
}

fake_xl() {
    fake real-xl <<'EOF'
#!/bin/sh
for word; do printf '<%s>' "$word"; done >>log
echo >>log
case ${1:-} in save) cp "$SAVED" "$3" ;; esac
EOF
    export XL=$PWD/bin/real-xl
}

@test "xl: restore looks at the file first" {
    fake_xl
    run -0 "$hooks/xl-checked" restore good.save
    [ "$(cat log)" = "<restore><good.save>" ]
    run -0 "$hooks/xl-checked" -v restore -p -e "vm's.cfg" good.save
    [ "$(tail -n 1 log)" = "<-v><restore><-p><-e><vm's.cfg><good.save>" ]
    : >log
    run -5 "$hooks/xl-checked" restore -p cut.save
    [[ $output == *"cut.save: not restored: xbdsnap says 5"* ]]
    [ ! -s log ]
}

@test "xl: save looks at what was written" {
    fake_xl
    SAVED=good.save run -0 "$hooks/xl-checked" save vm "a b.save"
    [ "$(cat log)" = "<save><vm><a b.save>" ]
    SAVED=cut.save run -5 "$hooks/xl-checked" save vm other.save vm.cfg
    [[ $output == *"other.save: saved, but do not restore it: xbdsnap says 5"* ]]
    [ "$(tail -n 1 log)" = "<save><vm><other.save><vm.cfg>" ]
    rm log
    # xl's own failure stays what it is, and nothing is looked at.
    SAVED=nowhere run ! "$hooks/xl-checked" save vm third.save
    [[ $output != *xbdsnap* ]]
}

@test "xl: migrate goes through guard, where there is one" {
    fake_xl
    fake xbdsnap <<'EOF'
#!/bin/sh
exit 2
EOF
    run -0 "$hooks/xl-checked" migrate -s "my ssh" vm host
    [[ $output == *"this xbdsnap has no guard"* ]]
    [ "$(tail -n 1 log)" = "<migrate><-s><my ssh><vm><host>" ]
    : >log
    fake xbdsnap <<'EOF'
#!/bin/sh
[ "$1 $2" = "guard --help" ]
EOF
    run -0 "$hooks/xl-checked" migrate --live vm "host b"
    [ "$(cat log)" = "<migrate><-s><xbdsnap guard --veto=error  -- ssh><--live><vm><host b>" ]
    XBDSNAP_OPTIONS=--thorough run -0 "$hooks/xl-checked" -v migrate -C vm.cfg -s "ssh -p 2222" vm host
    [ "$(tail -n 1 log)" = \
        "<-v><migrate><-s><xbdsnap guard --veto=error --thorough -- ssh -p 2222><-C><vm.cfg><vm><host>" ]
}

@test "xl: migrate through the guard that there is" {
    fake real-xl <<'EOF'
#!/bin/sh
[ "$1 $2" = "migrate -s" ] || exit 9
# As xl does it: the command, the host and the receiver are words of a shell.
sh -c "exec $3 $5 xl migrate-receive" <"$SENT"
EOF
    fake my-ssh <<'EOF'
#!/bin/sh
echo "$*" >log
cat >received
EOF
    export XL=$PWD/bin/real-xl
    SENT=good.save run -0 "$hooks/xl-checked" migrate -s "my-ssh -p 22" vm host
    [ "$(cat log)" = "-p 22 host xl migrate-receive" ]
    cmp good.save received
    [[ $output == *"0 errors"* ]]
    echo sectors=8 >caps
    XBDSNAP_OPTIONS=--target-caps=caps SENT=good.save run -3 "$hooks/xl-checked" migrate -s my-ssh vm host
    [[ $output == *"was not completed"* ]]
    [ "$(stat -c %s received)" -lt "$(stat -L -c %s good.save)" ]
}

@test "xl: everything else is handed on as it is" {
    fake_xl
    run -0 "$hooks/xl-checked" list -l "a b" '$c'
    [ "$(cat log)" = '<list><-l><a b><$c>' ]
    run -0 "$hooks/xl-checked"
}

domain_xml() { # domain_xml DISK
    cat <<EOF
<domain type='xen' id='-1'>
  <name>vm</name>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='$1'/><target dev='xvda' bus='xen'/>
    </disk>
    <disk type='file' device='cdrom'><target dev='hdc'/></disk>
  </devices>
</domain>
EOF
}

@test "libvirt: a guest whose managed save is damaged does not start from it" {
    export XBDSNAP_SAVES=$PWD/saves
    mkdir saves
    domain_xml "$PWD/none" >xml
    # No managed save: nothing to look at.
    run -0 "$hooks/libvirt-libxl" vm prepare begin - <xml
    [ -z "$output" ]
    cp good.save saves/vm.save
    run -0 --separate-stderr "$hooks/libvirt-libxl" vm prepare begin - <xml
    # What goes to standard output would take the place of the domain's XML.
    [ -z "$output" ]
    cp cut.save saves/vm.save
    for operation in prepare restore; do
        run -1 --separate-stderr "$hooks/libvirt-libxl" vm "$operation" begin - <xml
        [[ $stderr == *"vm.save: not started from it: xbdsnap says 5"* ]]
        [ -z "$output" ]
    done
    # An incoming migration, and what is past changing.
    run -0 --separate-stderr "$hooks/libvirt-libxl" vm migrate begin - <xml
    [ -z "$output" ]
    for operation in "start begin" "started begin" "stopped end" "release end" "reconnect begin"; do
        # shellcheck disable=SC2086
        run -0 "$hooks/libvirt-libxl" vm $operation - <xml
    done
}

@test "libvirt: the disks of the domain are looked at too" {
    export XBDSNAP_SAVES=$PWD/saves
    mkdir saves
    cp good.save saves/vm.save
    domain_xml "$PWD/disk.raw" >xml
    truncate -s 1M disk.raw # smaller than the guest knows it
    run -1 --separate-stderr "$hooks/libvirt-libxl" vm prepare begin - <xml
    [[ $stderr == *XB402* ]]
    truncate -s 32M disk.raw
    run -0 --separate-stderr "$hooks/libvirt-libxl" vm prepare begin - <xml
}

@test "xapi: a resume looks at the suspend image" {
    fake xe <<'EOF'
#!/bin/sh
echo "xe $*" >>log
case $1 in
vm-param-get) echo "$VDI" ;;
vdi-export) cat "$IMAGE" ;;
esac
EOF
    export VDI=0b3ffb5c-1111-2222-3333-444455556666 IMAGE=good.save
    uuid=7a0c9f0e-aaaa-bbbb-cccc-ddddeeeeffff
    run -0 "$hooks/xapi-vm-pre-resume" -vmuuid $uuid -reason none
    [ "$(cat log)" = "xe vm-param-get uuid=$uuid param-name=suspend-VDI-uuid
xe vdi-export uuid=$VDI format=raw filename=/dev/stdout" ]
    # 1 is only logged by xapi: what aborts is another one.
    IMAGE=cut.save run -3 "$hooks/xapi-vm-pre-resume" -vmuuid $uuid -reason none
    [[ $output == *"$uuid: not resumed (none): xbdsnap says 5 of its image $VDI"* ]]
    VDI="<not in database>" run -0 "$hooks/xapi-vm-pre-resume" -vmuuid $uuid -reason none
    run -1 "$hooks/xapi-vm-pre-resume"
}

# A domain that lives is a file here.
fake_live() {
    fake xbdsnap <<'EOF'
#!/bin/bash
args=()
while [ $# -gt 0 ]; do
    case $1 in
    --live)
        echo "live $2" >>log
        [ "$2" != 99 ] || exit 4
        args+=(good.save)
        shift
        ;;
    *) args+=("$1") ;;
    esac
    shift
done
exec "$XBDSNAP" "${args[@]}"
EOF
    ln -s "$hooks/stuck-requests" bin/stuck-requests
}

@test "requests that nobody answers are found, and named" {
    fake_live
    run -3 stuck-requests 7 20
    [[ ${lines[0]} =~ ^"7: write of xvda in slot 0 waits for 23."[0-9]+" s"$ ]]
    [ "${#lines[@]}" -eq 20 ]
    run -0 stuck-requests 7 24
    [ -z "$output" ]
    run -4 stuck-requests 99
}

@test "xapi: a guest that waits for its disks does not migrate" {
    fake_live
    fake xe <<'EOF'
#!/bin/sh
echo 7
EOF
    uuid=7a0c9f0e-aaaa-bbbb-cccc-ddddeeeeffff
    XBDSNAP_SECONDS=20 run -3 "$hooks/xapi-vm-pre-migrate" -vmuuid $uuid -reason source
    run -0 "$hooks/xapi-vm-pre-migrate" -vmuuid $uuid -reason source
    XBDSNAP_SECONDS=20 run -0 "$hooks/xapi-vm-pre-migrate" -vmuuid $uuid -reason destination
    run -1 "$hooks/xapi-vm-pre-migrate" -vmuuid $uuid -reason source -vmdomid 99
    [ "$(tail -n 1 log)" = "live 99" ]
}

@test "ganeti: a guest that waits for its disks does not migrate" {
    fake_live
    fake hostname <<'EOF'
#!/bin/sh
echo node1.example.com
EOF
    export GANETI_HOOKS_PHASE=pre GANETI_HOOKS_VERSION=2 GANETI_OP_CODE=OP_INSTANCE_MIGRATE \
        GANETI_INSTANCE_NAME=vm.example.com GANETI_INSTANCE_PRIMARY=node1.example.com \
        GANETI_INSTANCE_HYPERVISOR=xen-pvm
    XBDSNAP_SECONDS=20 run -3 "$hooks/ganeti-pre"
    [ "$(cat log)" = "live vm.example.com" ]
    run -0 "$hooks/ganeti-pre"
    : >log
    GANETI_HOOKS_PHASE=post XBDSNAP_SECONDS=20 run -0 "$hooks/ganeti-pre"
    GANETI_INSTANCE_HYPERVISOR=kvm XBDSNAP_SECONDS=20 run -0 "$hooks/ganeti-pre"
    GANETI_INSTANCE_PRIMARY=node2.example.com XBDSNAP_SECONDS=20 run -0 "$hooks/ganeti-pre"
    [ ! -s log ]
}

@test "pacemaker: an agent that starts where the guest may be restored" {
    agent=$hooks/ocf-checkpoint
    export OCF_ROOT=/usr/lib/ocf OCF_RESOURCE_INSTANCE=vm-save HA_RSCTMP=$PWD
    run -0 "$agent" meta-data
    python3 -c 'import sys, xml.etree.ElementTree as ET
a = ET.fromstring(sys.stdin.read())
assert {x.get("name") for x in a.iter("action")} == {"start", "stop", "monitor", "validate-all", "meta-data"}
assert [x.get("name") for x in a.iter("parameter")] == ["save", "disks"]' <<<"$output"
    run -6 "$agent" validate-all
    OCF_RESKEY_save=good.save OCF_RESKEY_disks=nonsense run -6 "$agent" validate-all
    export OCF_RESKEY_save=good.save
    run -0 "$agent" validate-all
    run -7 "$agent" monitor
    run -0 "$agent" start
    run -0 "$agent" monitor
    run -0 "$agent" start
    run -0 "$agent" stop
    run -0 "$agent" stop
    run -7 "$agent" monitor
    OCF_RESKEY_save=cut.save run -1 "$agent" start
    run -7 "$agent" monitor
    truncate -s 1M small.raw
    OCF_RESKEY_disks="xvda=small.raw" run -1 "$agent" start
    [[ $output == *XB402* ]]
    OCF_RESKEY_save=none run -0 "$agent" start
    run -3 "$agent" promote
    mkdir empty
    ln -s "$(command -v sh)" empty/sh
    PATH=$PWD/empty run -5 "$agent" validate-all
}

@test "the hooks are short" {
    for hook in "$hooks"/*; do
        [ -x "$hook" ]
        [ "$(wc -l <"$hook")" -le 80 ] || { wc -l "$hook"; false; }
    done
}

#!/bin/sh
# One cycle of the lab, sourced by dom0's init: a guest gets requests stuck, is saved and restored.
# /lab/vars has the variant: TYPE (lines of the guest's configuration), MEMORY, VCPUS, KERNEL_ARGS,
# DISKS, STUCK (letters of disks), BACKEND (parameters of blkback's module), SAVE (options of xl
# save), CORE, AGED, LOOK, BUSY, GRANTS, METHOD (save, core, or a function of this file),
# READY_SECONDS.
# shellcheck disable=SC2086,SC2154
guest_log=/var/log/xen/console/guest-lab.log

# await WORD SECONDS: until the guest has printed it.
await() {
    end=$(($(date +%s) + $2))
    until grep -q "$1" "$guest_log" 2>/dev/null; do
        if grep -q 'Kernel panic' "$guest_log" 2>/dev/null || [ "$(date +%s)" -gt $end ]; then
            log "no $1 from the guest"
            tail -20 "$guest_log"
            return 1
        fi
        sleep 0.2
    done
    log "guest: $1"
}

# say WORD: a line to the guest's console
say() { echo "$1" >"$(xenstore-read "/local/domain/$(xl domid lab)/console/tty")"; }

# A line that reaches the console before a restored guest has taken it up again is lost: say it again.
say_until() { # say_until WORD ANSWER
    tries=0
    until say "$1" && await "$2" 10; do
        tries=$((tries + 1))
        [ $tries -lt 12 ] || return 1
    done
}

# status NAME COMMAND...: keep the command's output, its talk and its exit status
status() {
    name=$1
    shift
    "$@" >"/out/$name.out" 2>"/out/$name.err"
    echo $? >"/out/$name.status"
    log "$name: status $(cat "/out/$name.status")"
}

image() { echo "/out/disk-$1.img"; }
table() { echo "0 $(($(stat -c %s "$(image "$1")") / 512)) $2"; }
each_stuck() { for letter in $STUCK; do "$@" "$letter"; done; }
suspend() { dmsetup suspend --noflush --nolockfs "lab-$1"; }
resume() { dmsetup resume --noudevsync "lab-$1"; }

attach() {
    zcat "/lab/disk-$1.img.gz" >"$(image "$1")"
    echo "/dev/loop$2" >"/run/loop.$1"
    losetup "/dev/loop$2" "$(image "$1")"
    dmsetup create "lab-$1" --noudevsync --noudevrules --table "$(table "$1" "linear /dev/loop$2 0")"
    dmsetup mknodes
}

keep_before() { cp "$(image "$1")" "/out/before-$1.img"; }

# What the dead guest still has on the way must not reach the disk: fail it, then put things back.
fail_pending() {
    dmsetup reload "lab-$1" --table "$(table "$1" error)"
    resume "$1"
}

# What is on its way is waited for.
change_table() { # change_table LETTER TARGET
    dmsetup suspend --nolockfs "lab-$1"
    dmsetup reload "lab-$1" --table "$(table "$1" "$2")"
    resume "$1"
}

# The disk answers as always, but so late that most of the time something is asked of it, and the
# processors are free for who looks.
answer_late() { change_table "$1" "delay $(cat "/run/loop.$1") 0 50"; }
answer_at_once() { change_table "$1" "linear $(cat "/run/loop.$1") 0"; }

put_back() {
    cp "/out/before-$1.img" "$(image "$1")"
    answer_at_once "$1"
    blockdev --flushbufs "/dev/mapper/lab-$1"
}

configuration() {
    echo 'name="lab"'
    printf '%b\n' "$TYPE"
    echo 'kernel="/lab/guest/vmlinuz"'
    echo 'ramdisk="/lab/guest/initrd"'
    echo "memory=$MEMORY"
    echo "vcpus=$VCPUS"
    echo "extra=\"console=hvc0 $KERNEL_ARGS\""
    [ -z "$GRANTS" ] || echo "max_grant_frames=$GRANTS"
    echo 'on_poweroff="destroy"'
    echo 'on_reboot="destroy"'
    echo 'on_crash="preserve"'
    printf 'disk=['
    for letter in $DISKS; do
        printf '"format=raw,vdev=xvd%s,access=w,backendtype=phy,script=block-lab,target=%s",' \
            "$letter" "/dev/mapper/lab-$letter"
    done
    echo ']'
}

# What dom0 knows of the stuck guest.
witness() {
    id=$(xl domid lab)
    echo "$id" >/out/domid.txt
    xenstore-ls -f >/out/xenstore.txt
    xl list -l >/out/xl-list.json
    xl vcpu-list >/out/vcpu-list.txt
    if [ "$PV" = yes ]; then probe p2m "$id" /out/source-p2m.bin; fi
    for letter in $STUCK; do
        node=/local/domain/$id/device/vbd/$(cat "/lab/vdev.$letter")
        for ref in $(xenstore-ls -f "$node" | sed -n 's/.*ring-ref[0-9]* = "\([0-9]*\)".*/\1/p'); do
            probe ring "$id" "$ref" "/out/ring-$letter-$ref.bin"
        done
    done
    xl dmesg -c >/out/xl-dmesg-boot.txt
    xl debug-keys g
    xl dmesg -c >/out/grants.txt
    [ -z "$CORE" ] || status core xl dump-core lab /out/core.elf
    [ -z "$LOOK" ] || look_and_pause "$id"
}

look_and_pause() {
    look ""
    xl pause lab
    look -paused
    xl unpause lab
    pause_and_kill "$1"
}

# A hundred looks at a guest that goes on meanwhile, most of them by one process. It is never found
# paused.
busy() {
    id=$(xl domid lab)
    answer_late a
    n=0
    while [ $n -lt 10 ]; do
        xbdsnap dump -q -J --live "$id" >>/out/busy.json 2>>/out/busy.err
        echo $? >>/out/busy.statuses
        [ $((n % 5)) != 0 ] || xl list lab >>/out/busy.list
        n=$((n + 1))
    done
    log "looked at $n times"
    status busy-validate xbdsnap validate -J --live "$id"
    status busy-replay xbdsnap replay -J --live "$id" --disk "xvda=$(image a)"
    status busy-extract xbdsnap extract -J --live "$id" --all /out/busy-payloads
    status busy-watch xbdsnap watch -v -J --live "$id" --count 90 --interval 0
    xl list lab >>/out/busy.list
    # Its requests must be through before the disk stands still.
    answer_at_once a
    say_until calm CALM
}

# It is paused, and the tool killed while it is.
pause_and_kill() {
    n=0
    while [ $n -lt 5 ]; do
        xbdsnap dump -J --live "$1" --pause >/dev/null 2>&1 &
        probe killpaused "$1" $! >>/out/killed.txt 2>&1
        wait $!
        n=$((n + 1))
    done
    xl list lab >/out/killed.list
    status live-pause xbdsnap dump -J --live "$1" --pause
}

# What is said of the domain while it lives and hangs.
look() {
    status "live-watch$1" xbdsnap watch -J --live lab --older-than 1 --count 30 --interval 0.5
    status "live-dump$1" xbdsnap dump -J --live "$(xl domid lab)"
    status "live-validate$1" xbdsnap validate -J --live lab
    status "live-replay$1" xbdsnap replay -J --live lab --disk "xvda=$(image a)"
    status "live-extract$1" xbdsnap extract --live lab --all "/out/payloads$1"
    status "live-info$1" xbdsnap info --live lab
    xl list lab >"/out/xl-list$1.txt"
}

# The commands of xbdsnap that need no domain, on the file as dom0 has it.
ask_file() {
    status info xbdsnap info -J "$1"
    status dump xbdsnap dump -J "$1"
    status validate-file xbdsnap validate -J "$1"
}

# Those that need the restored guest, still paused. PV frames are machine frames, others are guest
# frames: a field of the dump names the first byte's frame for the test of a changed page.
ask_paused() {
    id=$(xl domid lab)
    xenstore-ls -f >/out/xenstore-restored.txt
    [ "$PV" = yes ] && status p2m xbdsnap p2m --domid "$id" -o /out/target-p2m.bin
    status dump-domid xbdsnap dump -J --domid "$id" "$1"
    status validate-domid xbdsnap validate -J --domid "$id" --compare-pages "$1"
    field=pfn
    [ "$PV" = yes ] && field=target_mfn
    frame=$(sed -n "s/.*\"$field\": *\"\(0x[0-9a-f]*\)\".*/\1/p" /out/dump-domid.out | head -n 1)
    [ -n "$frame" ] || return 0
    status flip probe flip "$id" "$frame" 100
    status validate-changed xbdsnap validate -J --domid "$id" --compare-pages "$1"
    status flip-back probe flip "$id" "$frame" 100
    status validate-again xbdsnap validate -J --domid "$id" --compare-pages "$1"
}

trace_start() {
    echo 8192 >/sys/kernel/tracing/buffer_size_kb
    echo >/sys/kernel/tracing/trace
    echo 1 >/sys/kernel/tracing/events/block/block_bio_queue/enable
}

trace_stop() {
    echo 0 >/sys/kernel/tracing/events/block/block_bio_queue/enable
    cat /sys/kernel/tracing/trace >/out/arrivals.txt
    for letter in $DISKS; do
        stat -L -c "xvd$letter %t %T" "/dev/mapper/lab-$letter"
    done >/out/devices.txt
}

finish() {
    say_until finish FINISHED || return 1
    await 'DONE status' 20
    if [ "$PV" = yes ]; then probe p2m "$(xl domid lab)" /out/resumed-p2m.bin; fi
    xl destroy lab
    sync
    for letter in $DISKS; do
        blockdev --flushbufs "/dev/mapper/lab-$letter"
        mv "$(image "$letter")" "/out/after-$letter.img"
    done
}

# The backend answers, and the guest does not look, for it is paused.
look_at_answers() {
    xl pause lab
    each_stuck resume
    sleep 3
    look -answered
    xl unpause lab
}

# Nobody takes what is saved, so that the guest stays suspended, until it was looked at.
save_slowly() {
    mkfifo /run/image
    (
        until [ -e /run/looked ]; do sleep 0.2; done
        cat >/out/image.save
    ) </run/image &
    status save xl -vv save $SAVE lab /run/image &
    tries=0
    until xl list lab | grep -q ' [-rbp]*s[-c]*[-d]* ' || [ $tries -gt 60 ]; do
        tries=$((tries + 1))
        sleep 0.5
    done
    look -suspended
    touch /run/looked
    wait
}

saved() {
    if [ "$LOOK" ]; then save_slowly; else status save xl -vv save $SAVE lab /out/image.save; fi
    [ "$(cat /out/save.status)" = 0 ] || return 1
    cp "$guest_log" /out/guest.txt
    ask_file /out/image.save
    if [ "$SAVE" = -c ]; then
        if [ "$LOOK" ]; then look_at_answers; else each_stuck resume; fi
        finish
        return
    fi
    each_stuck fail_pending
    sleep 1
    each_stuck put_back
    status restore xl -v restore -p /out/image.save
    [ "$(cat /out/restore.status)" = 0 ] || return 1
    ask_paused /out/image.save
    [ -z "$LOOK" ] || look -restored
    trace_start
    xl unpause lab
    finish || return 1
    trace_stop
}

# The guest that a migration has brought here, with a console of its own, until it is done.
finish_incoming() {
    incoming=/var/log/xen/console/guest-lab--incoming.log
    [ -f $incoming ] && guest_log=$incoming
    each_stuck resume
    finish
}

# The stream of a migration to this same host, as it passes by.
live() {
    xl -vv migrate -s "" lab "tee /out/image.save | xl -vv migrate-receive 2>/out/receive.err" \
        >/out/migrate.out 2>&1 &
    wait $!
    echo $? >/out/migrate.status
    log "migrate: status $(cat /out/migrate.status)"
    cp "$guest_log" /out/guest.txt
    ask_file /out/image.save
    finish_incoming
}

# Features of a target that no guest fits: its disk has eight sectors.
tiny_target() { echo 'sectors=8' >/run/caps; }

# A migration to this same host, with guard where ssh would stand: what comes in is summed up, what
# goes out is kept.
guarded_live() {
    mkfifo /run/before
    md5sum </run/before >/out/before.md5 &
    cat >/run/guarded <<'SH'
#!/bin/sh
shift
tee /run/before | xbdsnap guard -v --veto=error --report /out/guard.json -- \
    sh -c 'tee /out/image.save | "$@" 2>/out/receive.err' sh "$@"
SH
    chmod +x /run/guarded
    status migrate xl -vv migrate -s /run/guarded lab here
    [ "$(cat /out/migrate.status)" = 0 ] || return 1
    cp "$guest_log" /out/guest.txt
    ask_file /out/image.save
    finish_incoming
}

# The same, but guard says no: the guest goes on where it is.
vetoed_live() {
    tiny_target
    printf '#!/bin/sh\nshift\nexec "$@" 2>/out/receive.err\n' >/run/remote
    chmod +x /run/remote
    status migrate xl -vv migrate -s "xbdsnap guard -v --veto=error --target-caps /run/caps \
        --report /out/guard.json -- /run/remote" lab here
    xl list >/out/xl-list-vetoed.txt
    cp "$guest_log" /out/guest.txt
    each_stuck resume
    finish
}

# xl save into a pipe, which nobody can hold back: with -p, vetoed, and the guest goes on; then
# without, vetoed, and the guest is gone but for the file and what was left out of it.
guarded_save() {
    tiny_target
    ln -sf /proc/self/fd/1 /dev/stdout
    status save-kept sh -c 'xl -vv save -p lab /dev/stdout |
        { xbdsnap guard -v --veto=error --target-caps /run/caps >/dev/null; echo $? >/out/guard-kept.status; }'
    xl list >/out/xl-list-kept.txt
    xl unpause lab
    sleep 2
    status save sh -c 'mkfifo /run/before; md5sum </run/before >/out/before.md5 &
        xl -vv save lab /dev/stdout | tee /run/before |
        { xbdsnap guard -v --veto=error --target-caps /run/caps --report /out/guard.json \
            --rest /out/rest >/out/image.save
        echo $? >/out/guard.status; }; wait'
    xl list >/out/xl-list-saved.txt
    cp "$guest_log" /out/guest.txt
    status restore-cut xl restore -p /out/image.save
    cat /out/rest >>/out/image.save
    ask_file /out/image.save
    each_stuck fail_pending
    sleep 1
    each_stuck put_back
    status restore xl -v restore -p /out/image.save
    [ "$(cat /out/restore.status)" = 0 ] || return 1
    xl unpause lab
    finish
}

# The wrapper among the hooks does what xl would: a file that was cut is not restored, a guest that does
# not fit is not migrated, all else goes on as without it.
wrapped() {
    tiny_target
    XL=$(command -v xl)
    export XL
    printf '#!/bin/sh\nshift\nexec "$@" 2>>/out/receive.err\n' >/run/remote
    chmod +x /run/remote
    status save /lab/xl-checked save lab /out/image.save
    [ "$(cat /out/save.status)" = 0 ] || return 1
    cp "$guest_log" /out/guest.txt
    ask_file /out/image.save
    each_stuck fail_pending
    sleep 1
    each_stuck put_back
    head -c 3000000 /out/image.save >/run/cut.save
    status restore-cut /lab/xl-checked restore -p /run/cut.save
    xl list >/out/xl-list-cut.txt
    status restore /lab/xl-checked restore -p /out/image.save
    [ "$(cat /out/restore.status)" = 0 ] || return 1
    each_stuck suspend
    xl unpause lab
    sleep 3
    export XBDSNAP_OPTIONS=--target-caps=/run/caps
    status migrate-vetoed /lab/xl-checked migrate -s /run/remote lab here
    unset XBDSNAP_OPTIONS
    xl list >/out/xl-list-vetoed.txt
    status migrate /lab/xl-checked migrate -s /run/remote lab here
    [ "$(cat /out/migrate.status)" = 0 ] || return 1
    finish_incoming
}

# A paused guest never acknowledges the suspension: xl save gives up and leaves what it has.
stub() {
    xl pause lab
    status save xl -vv save lab /out/image.save
    ask_file /out/image.save
    [ "$(cat /out/save.status)" != 0 ]
}

# Dumps of a guest that nobody saves: Xen's own is there already; of a guest with a device model also
# those of that. The guest goes on.
dumped() {
    cp "$guest_log" /out/guest.txt
    ask_file /out/core.elf
    if [ -n "$EMULATOR" ]; then
        for how in "" -z; do
            status "emulator$how" timeout 60 xl qemu-monitor-command lab \
                "dump-guest-memory $how /out/emulator$how.dump"
        done
    fi
    each_stuck resume
    finish
}

# The guest has no grant left for a request's pages, so that none reaches the ring; then it has some,
# and they all do.
starved() {
    look -starved
    status save xl -vv save -c lab /out/image.save
    [ "$(cat /out/save.status)" = 0 ] || return 1
    cp "$guest_log" /out/guest.txt
    ask_file /out/image.save
    say_until feed FED || return 1
    sleep 3
    look -fed
    each_stuck resume
    finish
}

# It panics, and Xen keeps what is left of it.
crash() {
    xl sysrq lab c
    tries=0
    until xl list lab | grep -q ' [-rbps]*c[-d] '; do
        tries=$((tries + 1))
        [ $tries -lt 60 ] || return 1
        sleep 1
    done
    cp "$guest_log" /out/guest.txt
    look -crashed
    each_stuck fail_pending
    xl destroy lab
}

# A guest that was saved and restored before has copies of its old rings in freed memory.
age() {
    xl save lab /out/young.save || return 1
    xl restore /out/young.save || return 1
    rm /out/young.save
    log "saved and restored once"
}

cycle() {
    for p in $BACKEND; do
        echo "${p#*=}" >"/sys/module/xen_blkback/parameters/${p%%=*}"
    done
    loop=0
    for letter in $DISKS; do
        attach "$letter" $loop
        loop=$((loop + 1))
    done
    configuration >/out/guest.cfg
    status create xl -v create /out/guest.cfg
    [ "$(cat /out/create.status)" = 0 ] || return 1
    await READY "$READY_SECONDS" || return 1
    [ -z "$AGED" ] || age || return 1
    [ -z "$BUSY" ] || busy || return 1
    [ ! -e /lab/kills ] || kills || return 1
    each_stuck suspend
    each_stuck keep_before
    say_until go 'GO go' || return 1
    await STUCK 60 || return 1
    sleep 1
    witness
    case $METHOD in
    save) saved ;;
    core) dumped ;;
    *) "$METHOD" ;;
    esac
}

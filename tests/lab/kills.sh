#!/bin/sh
# Processes of guard die while a guest goes through it; sourced by cycle.sh. /lab/kills has a line for
# each time: the way (save; here, there: a migration, with guard on the side of the sender or of the
# receiver), who dies (passer: hands the stream on; opener: opens files for the looker; looker; none;
# disk: none, but there is no room for what is kept), and behind how many thousandths of the stream.
# What became of it stands in a line of /out/kills.txt.
# shellcheck disable=SC2034,SC2154

first_child() { cut -d' ' -f1 "/proc/$1/task/$1/children"; }

process_of() {
    case $1 in
    passer) cat /run/passer ;;
    opener) first_child "$(process_of passer)" ;;
    looker) first_child "$(process_of opener)" ;;
    esac
}

await_process() {
    tries=0
    until victim=$(process_of "$1" 2>/dev/null) && [ "$victim" ] || [ $tries -gt 400 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
    echo "$victim"
}

# Scripts, so that what dies is a process of guard, and no shell.
prepare_kills() {
    mkdir -p /run/small
    mount -t tmpfs -o size=1m small /run/small
    ln -sf /proc/self/fd/1 /dev/stdout
    cat >/run/guard <<'SH'
#!/bin/sh
echo $$ >/run/passer
. /run/settings
exec xbdsnap guard --veto=error $LIMIT "$@" 2>/run/guard.err
SH
    printf '#!/bin/sh\ntee /run/passed | "$@" 2>>/out/receive.err\n' >/run/receive
    printf '#!/bin/sh\nshift\nexec /run/guard -- /run/receive "$@"\n' >/run/here
    printf '#!/bin/sh\nshift\ncat | /run/guard -- /run/receive "$@"\n' >/run/there
    chmod +x /run/guard /run/receive /run/here /run/there
}

save_out() {
    xl save -p lab /dev/stdout 2>/run/xl.err
    echo $? >/run/xl.status
}

# What xl wrote is kept, but where the passer dies: then nothing stands between the two.
send() {
    if [ "$1" = passer ]; then save_out; else save_out | tee /run/sent; fi
}

way_save() {
    send "$1" | {
        /run/guard >/run/passed
        echo $? >/run/guard.status
    }
}

migrate() {
    xl migrate -s "$1" lab somewhere >/run/xl.err 2>&1
    echo $? >/run/xl.status
}

way_here() { migrate /run/here; }
way_there() { migrate /run/there; }

# A migration gives the guest another number, and another log; a copy that was given up goes away in
# its own time.
find_guest() {
    tries=0
    while xl list | grep -q incoming && [ $tries -lt 60 ]; do
        sleep 0.5
        tries=$((tries + 1))
    done
    now=$(xl domid lab)
    [ "$now" = "$id" ] || guest_log=/var/log/xen/console/guest-lab--incoming.log
}

# say_facts WORD VALUE [WORD VALUE]...
say_facts() {
    while [ $# -gt 0 ]; do
        printf '%s=%s ' "$1" "$2" >>/out/kills.txt
        shift 2
    done
}

domains() { xl list | awk 'NR > 1 && $1 != "(null)" { printf "%s%s", sep, $1; sep = "," }'; }
state() { xl list lab | awk 'NR > 1 { gsub("-", "", $5); print $5 }'; }

# Where xl ended well it has left the guest paused; who saves it then destroys it, or lets it run.
after_save() {
    say_facts guard "$(cat /run/guard.status)"
    [ "$(cat /run/xl.status)" != 0 ] || xl unpause lab
    [ -e /run/sent ] || return 0
    if cmp -s /run/sent /run/passed; then say_facts same yes; else say_facts same no; fi
}

settings() {
    [ "$1" = disk ] || return 0
    echo 'LIMIT=--memory-limit=0'
    echo 'export TMPDIR=/run/small'
}

# go_way NUMBER WAY VICTIM BYTES
go_way() {
    rm -f /run/passer /run/sent /run/killed /run/passed /run/*.status
    id=$(xl domid lab)
    settings "$3" >/run/settings
    "way_$2" "$3" &
    going=$!
    echo none >/run/killed
    case $3 in
    none | disk) ;;
    *) probe killat "$(await_process "$3")" /run/passed "$4" >/run/killed ;;
    esac
    wait $going
    find_guest
    say_facts number "$1" way "$2" victim "$3" at "$4" killed "$(cat /run/killed)" \
        xl "$(cat /run/xl.status)" passed "$(stat -c %s /run/passed)" \
        unjudged "$(grep -c 'there is no verdict' /run/guard.err)" \
        domains "$(domains)" state "$(state)" moved "$([ "$now" = "$id" ] && echo no || echo yes)"
    [ "$2" != save ] || after_save
    if say_until "ping $1" "PONG $1[.]"; then say_facts alive yes; else say_facts alive no; fi
    echo >>/out/kills.txt
}

kills() {
    prepare_kills
    number=0 whole=0
    while read -r way victim thousandths <&3; do
        number=$((number + 1))
        go_way $number "$way" "$victim" $((whole * thousandths / 1000))
        [ "$victim" != none ] || whole=$(stat -c %s /run/passed)
        tail -n 1 /out/kills.txt | grep -q 'alive=yes' || return 1
        [ $((number % 10)) != 0 ] || log "$number times"
    done 3</lab/kills
    rm -f /run/sent /run/passed
}

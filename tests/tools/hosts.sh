#!/bin/bash
# hosts.sh COMMAND...: two hosts, alpha and beta, reached by ssh on loopback addresses of a network
# namespace, each with a name of its own and the files in ./alpha and ./beta; runs COMMAND beside them.
# Needs root. ./hosts names them for GNU parallel, ./inventory for Ansible, ./ssh_config for ssh.
set -eu
if [ "${1:-}" != --inside ]; then
    exec unshare --net --mount --pid --fork --kill-child -- "$0" --inside "$@"
fi
shift
ip link set lo up
mount -t proc proc /proc
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f key
cat >ssh_config <<END
Host *
    Port 2222
    User root
    IdentityFile $PWD/key
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
END
n=2
for host in alpha beta; do
    cat >"sshd_$host" <<END
ListenAddress 127.0.0.$n:2222
HostKey $PWD/key
AuthorizedKeysFile $PWD/key.pub
PidFile none
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
PermitRootLogin yes
SetEnv PATH=$PATH
END
    # shellcheck disable=SC2016 # for the shell inside
    unshare --uts -- sh -c 'hostname "$1" && exec "$2" -D -f "$3"' sh "$host" "$(command -v sshd)" \
        "$PWD/sshd_$host" 2>"sshd_$host.log" &
    echo "ssh -F $PWD/ssh_config 127.0.0.$n" >>hosts
    printf '%s ansible_host=127.0.0.%s saves=%s ansible_python_interpreter=/usr/bin/python3\n' "$host" "$n" \
        "$PWD/$host" >>inventory
    n=$((n + 1))
done
for n in 2 3; do
    for _ in $(seq 50); do
        ssh -F ssh_config "127.0.0.$n" true 2>/dev/null && break
        sleep 0.1
    done
done
"$@"

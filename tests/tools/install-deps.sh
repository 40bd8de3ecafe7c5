#!/bin/sh
# install-deps.sh PURPOSE: make sure that the packages for build, test, lint, deb, matrix or lab are there.
# On Debian and its relatives it installs what is missing; elsewhere it says what to install.
set -eu

build='gcc make pkg-config libelf-dev libdw-dev libbpf-dev libjson-c-dev libsmartcols-dev
	libarchive-dev zlib1g-dev libzstd-dev libxml2-dev libnbd-dev libblkid-dev libext2fs-dev libxen-dev libseccomp-dev zstd'
test='libcmocka-dev liblzo2-2 libsnappy1v5 bats python3 python3-jsonschema jq xz-utils zstd bzip2 lz4 qemu-utils
	qemu-system-common qemu-system-x86 e2fsprogs fdisk xfsprogs btrfs-progs cryptsetup-bin clang libclang-rt-14-dev procps nbdkit file strace
	man-db zsh fish python3-pexpect parallel chromium openssh-server openssh-client iproute2'
deb='debhelper dpkg-dev lintian mandoc man-db jq zstd bash-completion'
matrix='musl-tools rpm rpmlint jq zstd'
lint='clang-format cppcheck mandoc shellcheck codespell python3'
lab='qemu-system-x86 qemu-system-xen xen-hypervisor-4.17-amd64 xen-utils-4.17 xenstore-utils busybox-static cpio
	dmsetup mdadm kmod bc binutils libxen-dev python3 xz-utils zstd e2fsprogs xfsprogs btrfs-progs util-linux gcc-multilib'

case ${1:-} in
build) want=$build ;;
test) want=$test ;;
lint) want=$lint ;;
deb) want=$deb ;;
matrix) want=$matrix ;;
lab) want=$lab ;;
*)
    echo "usage: install-deps.sh build|test|lint|deb|matrix|lab" >&2
    exit 2
    ;;
esac

if ! command -v dpkg-query >/dev/null; then
    # Not a Debian: believe that the user has them, and say which when the compiler disagrees.
    # shellcheck disable=SC2086
    echo "not a Debian system; needed are what Debian calls:" $want >&2
    exit 0
fi

# Targets of one parallel make ask at the same time, and apt refuses a second run beside its first.
exec 9<"$0"
flock 9

missing=
for p in $want; do
    [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null)" = 'ii ' ] || missing="$missing $p"
done
[ -z "$missing" ] && exit 0

run=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "missing packages, install as root:$missing" >&2
        exit 1
    fi
    run=sudo
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$run apt-get -q -y update >&2
# shellcheck disable=SC2086
$run apt-get -q -y --no-install-recommends install $missing >&2

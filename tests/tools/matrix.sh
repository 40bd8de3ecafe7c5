#!/bin/bash
# matrix.sh: what is built where something is missing. Each optional library left out, and all of them; a
# libc that is not glibc, as far as headers tell; the versions of all recipes; the RPM, where rpmbuild is.
# shellcheck disable=SC2317 # what say() is handed is called
set -u
cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

say() { # say TITLE COMMAND...: its output when it fails
    local title=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        echo "ok $title"
    else
        printf -- '-- %s\n' "$title"
        tail -n 30 "$work/out"
        bad=1
    fi
}

cc=gcc
! command -v ccache >/dev/null || cc="ccache gcc"

# Built, and what it says of a checkpoint is what the full one says.
build_without() { # build_without FLAVOUR UNWANTED NAME=1...
    local objects=obj/opt$1 unwanted=$2
    shift 2
    # Not optimised: only what is compiled and linked matters. Its folder is its own.
    make CC="$cc" CFLAGS=-O0 FLAVOUR_C= O="$objects-matrix" -j"$(nproc)" "$@" \
        "$objects-matrix/xbdsnap" || return 1
    "$objects-matrix/xbdsnap" dump -J tests/fixtures/linux-6.1-base/checkpoint.save.zst |
        jq -S 'del(.source.path)' >"$work/got" || return 1
    jq -S . tests/fixtures/linux-6.1-base/dump.json | diff - "$work/got" || return 1
    # What it asks for itself; libarchive may bring libxml2 all the same.
    ! readelf -d "$objects-matrix/xbdsnap" | grep NEEDED | grep -E "$unwanted"
}

say "without Xen" build_without -noxen libxen WITHOUT_XEN=1
say "without libxml2" build_without -noxml libxml2 WITHOUT_XML=1
say "without libseccomp" build_without -noseccomp libseccomp WITHOUT_SECCOMP=1
say "without libnbd" build_without -nonbd libnbd WITHOUT_NBD=1
say "without libext2fs" build_without -noext2fs libext2fs WITHOUT_EXT2FS=1
say "without any of them" build_without -none 'libxen|libxml2|libseccomp|libnbd|libext2fs' \
    WITHOUT_XEN=1 WITHOUT_XML=1 WITHOUT_SECCOMP=1 WITHOUT_NBD=1 WITHOUT_EXT2FS=1

# An image that is no raw disk is refused by name then.
refuses_qcow2() {
    truncate -s 32M "$work/disk"
    zstd -dc tests/fixtures/linux-6.1-base/checkpoint.save.zst >"$work/vm.save"
    obj/opt-nonbd-matrix/xbdsnap replay --disk xvda=qcow2:"$work/disk" "$work/vm.save"
    [ $? -eq 4 ]
}
say "without libnbd, other images than raw ones are refused" refuses_qcow2

# musl, with the headers of the libraries. argp is argp-standalone there: its header is glibc's own.
musl() {
    local h f inc=$work/musl failed=0
    mkdir -p "$inc/bits"
    : >"$inc/bits/floatn.h"
    for h in argp.h gelf.h libelf.h elf.h dwarf.h zlib.h zconf.h zstd.h zstd_errors.h archive.h archive_entry.h \
        libnbd.h libxml2 json-c libsmartcols blkid ext2fs et elfutils bpf unicode linux asm asm-generic \
        seccomp.h seccomp-syscalls.h; do
        for f in /usr/include /usr/include/"$(gcc -dumpmachine)"; do
            if [ "$h" != elf.h ] && [ -e "$f/$h" ]; then ln -sfn "$f/$h" "$inc/$h"; fi
        done
    done
    while read -r f; do
        musl-gcc -fsyntax-only -std=c11 -D_GNU_SOURCE -DHAVE_XML=1 -DHAVE_NBD=1 -DHAVE_SECCOMP=1 -DXBDSNAP_VERSION='"0"' \
            -D__BEGIN_DECLS= -D__END_DECLS= -D__THROW= '-D__NTH(x)=x' -Isrc -isystem "$inc" \
            -isystem "$inc/json-c" -isystem "$inc/libxml2" -isystem "$inc/libsmartcols" -isystem "$inc/blkid" \
            -Wall -Wextra -Werror=implicit-function-declaration "$f" || failed=1
    done < <(git ls-files 'src/*.c')
    return "$failed"
}
if command -v musl-gcc >/dev/null; then
    say "a libc that is not glibc" musl
else
    echo "skipped: a libc that is not glibc (no musl-gcc)"
fi

same_version() {
    local v
    v=$(sed -n 's/^VERSION := //p' Makefile)
    grep -q "^xbdsnap ($v)" debian/changelog && grep -qE "^Version: +$v\$" packaging/xbdsnap.spec &&
        grep -q "^pkgver=$v\$" packaging/APKBUILD && grep -q "xbdsnap-$v\$" packaging/pkgsrc/Makefile &&
        grep -q "^$v " CHANGELOG
}
say "one version in all recipes" same_version
say "the APKBUILD is a shell script" sh -n packaging/APKBUILD

rpm() {
    local v
    v=$(sed -n 's/^VERSION := //p' Makefile)
    mkdir -p "$work/rpm/SOURCES"
    git archive --prefix="xbdsnap-$v/" HEAD | gzip -n >"$work/rpm/SOURCES/xbdsnap-$v.tar.gz"
    # Debian's libraries are not in the database of RPM; debug information is Debian's to strip.
    rpmbuild --quiet --nodeps --define "_topdir $work/rpm" --define 'debug_package %{nil}' \
        --define "build_cflags -O0" --define "build_ldflags -pie" --define '__brp_strip /bin/true' \
        -bb packaging/xbdsnap.spec || return 1
    rpm_files=$(command rpm -qpl "$work"/rpm/RPMS/*/*.rpm)
    grep -qx /usr/bin/xbdsnap <<<"$rpm_files" && grep -q 'man1/xbdsnap-dump.1' <<<"$rpm_files"
}
if command -v rpmbuild >/dev/null && command -v rpmlint >/dev/null; then
    say "rpmlint" rpmlint packaging/xbdsnap.spec
    say "RPM" rpm
else
    echo "skipped: RPM (no rpmbuild, or no rpmlint)"
fi
exit $bad

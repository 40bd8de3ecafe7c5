#!/bin/bash
# deb.sh FOLDER: build the Debian packages in FOLDER, twice, from what git has; hold them against each
# other byte for byte, against lintian, and against the package's own test. Installs nothing.
set -eu

into=$1
cd "$(dirname "$0")/../.."
top=$PWD
version=$(sed -n 's/^VERSION := //p' Makefile)
packaged=$(dpkg-parsechangelog -S Version)
[ "$version" = "$packaged" ] || {
    echo "debian/changelog says $packaged, Makefile $version" >&2
    exit 1
}
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

build() { # build NAME: into FOLDER/NAME, from a fresh copy
    mkdir -p "$into/$1/xbdsnap-$version"
    git archive HEAD | tar -x -C "$into/$1/xbdsnap-$version"
    (cd "$into/$1/xbdsnap-$version" && dpkg-buildpackage -us -uc -b -j2) >"$into/$1/log" 2>&1 || {
        tail -n 40 "$into/$1/log"
        exit 1
    }
}

rm -rf "$into"
mkdir -p "$into"
into=$(cd "$into" && pwd)
build first
build second
for deb in "$into"/first/*.deb; do
    cmp "$deb" "$into/second/$(basename "$deb")"
done
lintian --fail-on error,warning "$into"/first/*.changes

# The package's own test, on the installed package; and nothing is left of it when it is removed.
root=$into/root
mkdir -p "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/info" "$into/tmp" "$into/shell"
touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
into_root=(dpkg --root="$root" --force-depends --path-include='/usr/*' --log=/dev/null)
"${into_root[@]}" -i "$into/first/xbdsnap_${version}_"*.deb >/dev/null
PATH=$root/usr/bin:$PATH AUTOPKGTEST_TMP=$into/tmp "$top/debian/tests/dump-fixture"
[ "$("$root/usr/bin/xbdsnap" --version)" = "xbdsnap $version" ]
for page in "$root"/usr/share/man/man*/*.gz; do
    gzip -dc "$page" | mandoc -Tlint -Wwarning
    name=$(basename "${page%.gz}")
    man -M "$root/usr/share/man" "${name##*.}" "${name%.?}" | grep -q EXIT\ STATUS || [ "${name##*.}" = 7 ]
done
[ "$(find "$root"/usr/share/man/man1 -name 'xbdsnap-*' | wc -l)" -ge 9 ]
# Hooks and recipes are examples: nothing of them lies where it would run.
[ -x "$root/usr/share/doc/xbdsnap/examples/hooks/xl-checked" ]
[ -z "$(find "$root/etc" "$root/lib" "$root/usr/lib" -type f ! -path '*/.build-id/*' 2>/dev/null)" ]
for python in python3 /usr/bin/python3; do
    "$python" -c 'import pexpect' 2>/dev/null || continue
    zstd -qdf -o "$into/vm.save" tests/fixtures/linux-6.1-base/checkpoint.save.zst
    cp "$root/usr/share/bash-completion/completions/xbdsnap" "$into/shell/xbdsnap.bash"
    mkdir "$into/typed"
    (cd "$into/typed" && "$python" "$top/tests/tools/shells.py" bash "$into/shell" "$root/usr/bin/xbdsnap" "$into/vm.save")
    break
done
"${into_root[@]}" -P xbdsnap >/dev/null
left=$(find "$root" -mindepth 1 ! -path "$root/var*" ! -path "$root/usr" ! -path "$root/usr/*" -o -path "$root/usr/*" -type f)
[ -z "$left" ] || {
    echo "left behind: $left" >&2
    exit 1
}
ls "$into"/first/*.deb

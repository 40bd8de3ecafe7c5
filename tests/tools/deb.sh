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

# The package's own test, on the unpacked package.
dpkg-deb -x "$into/first/xbdsnap_${version}_"*.deb "$into/root"
mkdir -p "$into/tmp"
PATH=$into/root/usr/bin:$PATH AUTOPKGTEST_TMP=$into/tmp "$top/debian/tests/dump-fixture"
[ "$("$into/root/usr/bin/xbdsnap" --version)" = "xbdsnap $version" ]
for page in "$into"/root/usr/share/man/man*/*.gz; do
    gzip -dc "$page" | mandoc -Tlint -Wwarning
done
ls "$into"/first/*.deb

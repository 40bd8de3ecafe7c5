#!/bin/bash
# run.sh OBJDIR: run every unit test (cmocka) and every command-line test (bats) against the
# build in OBJDIR. Real checkpoints are unpacked once into a cache (XBDSNAP_CACHE, default
# obj/checkpoints) when CHECKPOINTS has them.
set -u

here=$(cd "$(dirname "$0")/.." && pwd)
objdir=$(cd "$1" && pwd)
export XBDSNAP=$objdir/xbdsnap
export SRCDIR=$here
export CHECKPOINTS=${CHECKPOINTS:-$here/../shared/checkpoints}
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
cd "$here" || exit 1

if [ -d "$CHECKPOINTS" ]; then
    CHECKPOINTS=$(cd "$CHECKPOINTS" && pwd)
    XBDSNAP_CACHE=$(tests/tools/unpack-checkpoints.sh "$CHECKPOINTS" "${XBDSNAP_CACHE:-$here/obj/checkpoints}") || exit 1
    export XBDSNAP_CACHE
else
    echo "no checkpoints at $CHECKPOINTS: tests on them are skipped" >&2
    unset CHECKPOINTS XBDSNAP_CACHE
fi

passed=0 failed=0 skipped=0
only=${ONLY:-}

for t in "$objdir"/unit/test_*; do
    case $t in *.d | *'*') continue ;; esac
    [ -n "$only" ] && [[ $t != *$only* ]] && continue
    echo "== $(basename "$t")"
    if out=$("$t" 2>&1); then
        passed=$((passed + $(printf '%s\n' "$out" | grep -c '^\[       OK \]')))
        skipped=$((skipped + $(printf '%s\n' "$out" | grep -c '^\[  SKIPPED \] [a-z_]')))
    else
        printf '%s\n' "$out"
        n=$(printf '%s\n' "$out" | grep -c '^\[  FAILED  \] [a-z_0-9]*$')
        failed=$((failed + (n > 0 ? n : 1)))
    fi
done

for t in tests/*.bats; do
    [ -e "$t" ] || continue
    [ -n "$only" ] && [[ $t != *$only* ]] && continue
    echo "== $t"
    out=$(bats --tap "$t" 2>&1)
    status=$?
    printf '%s\n' "$out" | grep -v '^ok ' | grep -v '^1\.\.'
    n_ok=$(printf '%s\n' "$out" | grep -c '^ok ')
    n_skip=$(printf '%s\n' "$out" | grep -c '^ok .*# skip')
    n_bad=$(printf '%s\n' "$out" | grep -c '^not ok ')
    passed=$((passed + n_ok - n_skip))
    skipped=$((skipped + n_skip))
    [ $status -ne 0 ] && [ "$n_bad" -eq 0 ] && n_bad=1
    failed=$((failed + n_bad))
done

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

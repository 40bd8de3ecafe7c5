#!/bin/bash
# run.sh OBJDIR: run every unit test (cmocka) and every command-line test (bats) against the
# build in OBJDIR, one file more at once than there are processors: some wait. CHECKPOINTS names a
# folder of real checkpoints with what is known of them; without it, the reduced ones of the
# repository. They are unpacked once into a cache (XBDSNAP_CACHE). ONLY=NAME: the files whose name
# holds NAME. SAMPLE=N, more than one: only the tests that take little time (those without the tag
# "long"), and of a long series of cases each N-th (tests/tools/sample.sh).
set -u

# Who starts this in the background, or by nohup, ignores signals, and so would all that is started
# here and is to be interrupted; no shell can heed them again.
if [ -z "${SIGNALS_HEEDED:-}" ] && env --default-signal true 2>/dev/null; then
    SIGNALS_HEEDED=1 exec env --default-signal "$0" "$@"
fi

here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here" || exit 1

run_one() { # run_one FILE: its output, then "count PASSED FAILED SKIPPED", and "time SECONDS" of processors
    local out status n_ok n_bad n_skip
    echo "== ${1#"$objdir"/}"
    case $1 in
    *.bats)
        out=$(bats --tap "${filter[@]}" "$1" 2>&1)
        status=$?
        printf '%s\n' "$out" | grep -v '^ok [^#]*$' | grep -v '^1\.\.'
        n_ok=$(printf '%s\n' "$out" | grep -c '^ok ')
        n_skip=$(printf '%s\n' "$out" | grep -c '^ok .*# skip')
        n_bad=$(printf '%s\n' "$out" | grep -c '^not ok ')
        n_ok=$((n_ok - n_skip))
        ;;
    *)
        out=$("$1" 2>&1)
        status=$?
        [ $status -eq 0 ] || printf '%s\n' "$out"
        n_ok=$(printf '%s\n' "$out" | grep -c '^\[       OK \]')
        n_skip=$(printf '%s\n' "$out" | grep -c '^\[  SKIPPED \] [a-z_]')
        n_bad=$(printf '%s\n' "$out" | grep -c '^\[  FAILED  \] [a-z_0-9]*$')
        ;;
    esac
    [ $status -ne 0 ] && [ "$n_bad" -eq 0 ] && n_bad=1
    echo "count $n_ok $n_bad $n_skip"
    # Of us and of those that we waited for: "0m1.002s" four times.
    times >"$logs/times.$$"
    tr -s ' \n' '\n' <"$logs/times.$$" | awk -F '[ms]' '{ sum += 60 * $1 + $2 } END { print "time", sum }'
    rm "$logs/times.$$"
}

filter=()
[ "${SAMPLE:-1}" -eq 1 ] || filter=(--filter-tags '!long')

if [ "$1" = --one ]; then
    run_one "$2" >"$logs/$(basename "$2").log" 2>&1
    exit 0
fi

objdir=$(cd "$1" && pwd)
logs=$objdir/test-logs
export objdir logs
export XBDSNAP=$objdir/xbdsnap
export SRCDIR=$here
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
# Tests start Python some thousand times; a wrapper for it that chooses a version (pyenv, for one)
# takes ten times as long as the start itself.
PATH=$(dirname "$(python3 -c 'import sys; print(sys.executable)')"):$PATH
export PATH
CHECKPOINTS=$(cd "${CHECKPOINTS:-tests/fixtures/real}" && pwd) || exit 1
XBDSNAP_CACHE=$(tests/tools/unpack-checkpoints.sh "$CHECKPOINTS" \
    "${XBDSNAP_CACHE:-$here/obj/unpacked/$(basename "$CHECKPOINTS")}") || exit 1
export CHECKPOINTS XBDSNAP_CACHE

# The longest first, so that none of them runs alone at the end.
files=()
for t in $(ls -S tests/*.bats tests/*/*.bats 2>/dev/null) "$objdir"/unit/test_*; do
    case $t in *.d | *'*') continue ;; esac
    [ -n "${ONLY:-}" ] && [[ $t != *$ONLY* ]] && continue
    files+=("$t")
done
[ ${#files[@]} -gt 0 ] || {
    echo "no test of that name: $ONLY" >&2
    exit 1
}

rm -rf "$logs"
mkdir -p "$logs"
printf '%s\0' "${files[@]}" | xargs -0 -n1 -P$(($(nproc) + 1)) "$0" --one

passed=0 failed=0 skipped=0
for t in "${files[@]}"; do
    log=$logs/$(basename "$t").log
    grep -v -E '^(count|time) ' "$log"
    read -r _ ok bad skip < <(grep '^count ' "$log" || echo "count 0 1 0")
    passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
done

echo "the longest, in seconds of a processor:"
(cd "$logs" && grep -H '^time ' -- *.log) | sed 's/\.log:time / /' | sort -k2 -rn | head -n 12 | column -t
[ "$skipped" -eq 0 ] || echo "skipped tests are named above, each with what it misses" >&2
[ ${#filter[@]} -eq 0 ] || echo "the $(cat "${files[@]}" | grep -ac '^# bats test_tags=long$') tests that take" \
    "long were left out, and of long series all cases but one in $SAMPLE: make check-all runs them"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

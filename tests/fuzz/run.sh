#!/bin/bash
# run.sh OBJDIR SECONDS: run every fuzzer in OBJDIR on its corpus, for SECONDS in all. SECONDS 0
# only replays the corpus: that of tests/fuzz/corpus/NAME, where inputs that once failed are kept,
# and the seeds that tests/tools make.
set -eu

objdir=$(cd "$1" && pwd)
seconds=$2
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The default quarantine of freed memory alone is a quarter of the limit below.
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=16}

shopt -s nullglob
fuzzers=()
for f in "$objdir"/fuzz_*; do
    [ -x "$f" ] && [ -f "$f" ] && fuzzers+=("$f")
done
[ ${#fuzzers[@]} -gt 0 ] || {
    echo "run.sh: no fuzzer in $objdir" >&2
    exit 1
}

seeds_of() { # seeds_of NAME DIR: generated seeds of a fuzzer, if it has any
    case $1 in
    ckpt) python3 ../tools/mkstream.py --corpus "$2" ;;
    core) python3 ../tools/mkcore.py --seeds "$2" ;;
    domu) python3 ../tools/mkdomu.py --seeds "$2" ;;
    legacy) python3 ../tools/mklegacy.py --corpus "$2" ;;
    *) [ -x "seeds_$1" ] && "./seeds_$1" "$2" ;;
    esac
    return 0
}

each=$((seconds / ${#fuzzers[@]}))
[ "$seconds" -gt 0 ] && [ "$each" -eq 0 ] && each=1
for f in "${fuzzers[@]}"; do
    name=${f##*/fuzz_}
    mkdir -p "$work/$name/new" "$work/$name/seeds" "$work/$name/crash"
    seeds_of "$name" "$work/$name/seeds"
    dirs=("$work/$name/seeds")
    [ -d "corpus/$name" ] && dirs+=("corpus/$name")
    echo "== fuzz_$name: $(find "${dirs[@]}" -type f | wc -l) inputs, $each s"
    if [ "$each" -gt 0 ]; then
        "$f" -max_total_time="$each" -timeout=20 -rss_limit_mb=1024 -max_len=300000 \
            -artifact_prefix="$work/$name/crash/" -print_final_stats=1 -verbosity=0 \
            "$work/$name/new" "${dirs[@]}" 2> "$work/$name/log" || {
            tail -60 "$work/$name/log"
            mkdir -p "$objdir/crashes"
            cp "$work/$name/crash"/* "$objdir/crashes/" || true
            echo "fuzz_$name failed; the input is in $objdir/crashes" >&2
            exit 1
        }
        grep -E 'number_of_executed_units|peak_rss' "$work/$name/log" || true
    else
        find "${dirs[@]}" -type f -print0 | xargs -0 -r "$f" -timeout=20 -rss_limit_mb=1024 \
            > "$work/$name/log" 2>&1 || {
            tail -60 "$work/$name/log"
            exit 1
        }
    fi
done

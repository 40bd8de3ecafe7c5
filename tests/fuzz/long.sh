#!/bin/bash
# long.sh OBJDIR RUNS [SLICE]: every fuzzer in OBJDIR until it has been executed RUNS times, one
# process at a time, in turns of SLICE seconds (60), so that each has had its share whenever this is
# interrupted. What they learn is kept in OBJDIR/corpus/NAME, and how often they ran beside it: the
# next start goes on from there. SIGTERM to it and its fuzzer ends it, counted to the last one. A
# failure ends it; its input is in OBJDIR/crashes.
#
#   long.sh OBJDIR report         executions, inputs and covered edges of each so far
#   long.sh OBJDIR keep           write the smallest set of inputs with that coverage, of at most
#                                 KEEP_BYTES (1024) each, to tests/fuzz/corpus
set -eu

objdir=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$objdir/corpus
# Where memory came from is asked of the input of a failure, not of each execution.
export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=16:malloc_context_size=0}
mkdir -p "$work"
INTERRUPTED=72 # how a fuzzer ends that got a signal
cd "$here" # some ask a generator beside them for the guest that they change

shopt -s nullglob
names=()
for f in "$objdir"/fuzz_*; do
    [ -x "$f" ] && [ -f "$f" ] && names+=("${f##*/fuzz_}")
done
[ ${#names[@]} -gt 0 ] || {
    echo "long.sh: no fuzzer in $objdir" >&2
    exit 1
}

seeds_of() { # seeds_of NAME DIR
    case $1 in
    ckpt) python3 "$here/../tools/mkstream.py" --corpus "$2" ;;
    core) python3 "$here/../tools/mkcore.py" --seeds "$2" ;;
    domu) python3 "$here/../tools/mkdomu.py" --seeds "$2" ;;
    legacy) python3 "$here/../tools/mklegacy.py" --corpus "$2" ;;
    *) [ ! -x "$here/seeds_$1" ] || "$here/seeds_$1" "$2" ;;
    esac
}

runs_of() { # runs_of NAME
    cat "$work/$1.runs" 2>/dev/null || echo 0
}

turn() { # turn NAME SECONDS RUNS: at most so long, at most so often
    local name=$1 log=$work/$1.log rc=0
    local dirs=("$work/$name" "$work/$name.seeds")
    [ ! -d "$here/corpus/$name" ] || dirs+=("$here/corpus/$name")
    if [ ! -d "$work/$name" ]; then
        mkdir -p "$work/$name" "$work/$name.seeds"
        seeds_of "$name" "$work/$name.seeds"
    fi
    mkdir -p "$objdir/crashes"
    "$objdir/fuzz_$name" -max_total_time="$2" -runs="$3" -timeout=20 -rss_limit_mb=1024 \
        -max_len=300000 -entropic_scale_per_exec_time=1 \
        -artifact_prefix="$objdir/crashes/$name-" -print_final_stats=1 "${dirs[@]}" 2>"$log" || rc=$?
    [ "$rc" -eq 0 ] || [ "$rc" -eq "$INTERRUPTED" ] || {
        tail -60 "$log"
        echo "fuzz_$name failed; the input is in $objdir/crashes" >&2
        return 1
    }
    local n
    n=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo $(($(runs_of "$name") + n)) >"$work/$name.runs"
    sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1 >"$work/$name.edges"
    [ "$rc" -eq 0 ] || left=0
}

report() {
    local name
    printf '%-8s %12s %8s %8s\n' HARNESS EXECUTIONS INPUTS EDGES
    for name in "${names[@]}"; do
        printf '%-8s %12s %8s %8s\n' "$name" "$(runs_of "$name")" \
            "$(find "$work/$name" -type f 2>/dev/null | wc -l)" \
            "$(cat "$work/$name.edges" 2>/dev/null || echo -)"
    done
}

keep() {
    local name
    for name in "${names[@]}"; do
        [ -d "$work/$name" ] || continue
        rm -rf "$work/$name.small" "$work/$name.kept"
        mkdir -p "$work/$name.small" "$work/$name.kept" "$here/corpus/$name"
        find "$work/$name" -type f -size "-$((${KEEP_BYTES:-1024} + 1))c" \
            -exec cp -t "$work/$name.small" {} +
        # What is in the repository stays, the inputs of old bugs among it; only what adds to it
        # and to the seeds is new, which has the name of its hash.
        cp -t "$work/$name.kept" "$work/$name.seeds"/* "$here/corpus/$name"/*
        "$objdir/fuzz_$name" -merge=1 -timeout=20 -rss_limit_mb=1024 "$work/$name.kept" \
            "$work/$name.small" 2>/dev/null
        find "$work/$name.kept" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' \
            -exec cp -n -t "$here/corpus/$name" {} +
        echo "$name: $(find "$here/corpus/$name" -type f | wc -l) inputs kept"
    done
}

case $2 in
report)
    report
    exit 0
    ;;
keep)
    keep
    exit 0
    ;;
esac

trap 'left=0' TERM
left=1
while [ "$left" -eq 1 ]; do
    left=0
    for name in "${names[@]}"; do
        more=$(($2 - $(runs_of "$name")))
        [ "$more" -gt 0 ] || continue
        left=1
        turn "$name" "${3:-60}" "$more"
        [ "$left" -eq 1 ] || break
    done
done
report

#!/bin/bash
# coverage.sh OBJDIR: run the tests and the fuzzers' corpora against a build with counters (D=gcov)
# and print which share of the lines of each parser they reach. LEAST=90: end with 1 where all
# parsers together have less. A confined process cannot write its counts at its end, so commands run
# with --no-sandbox, and tests of the sandbox itself are left out.
set -eu

objdir=$(cd "$1" && pwd)
cd "$(dirname "$0")/../.."
work=$objdir/counted
mkdir -p "$work"
find "$objdir" -name '*.gcda' -delete
rm -rf "$work/unit"
mkdir -p "$work/unit"
for t in "$objdir"/unit/test_*; do
    case $t in
    *.* | */test_pause | */test_door | */test_sandbox) ;; # of processes, which end before they count
    *) ln -s "$t" "$work/unit/" ;;
    esac
done
cat >"$work/xbdsnap" <<EOF
#!/bin/bash
# What is said of --no-sandbox is no part of an answer. guard is sent signals, so it is exec'ed.
command=\${1:-}
case \$command in
info | dump | extract | diff | redact | validate | replay | report | export)
    shift
    exec 3>&1
    "$objdir/xbdsnap" "\$command" --no-sandbox "\$@" 2>&1 >&3 3>&- | grep -av 'no-sandbox:' >&2
    exit "\${PIPESTATUS[0]}"
    ;;
guard)
    shift
    exec "$objdir/xbdsnap" guard --no-sandbox "\$@" 2> >(grep -av 'no-sandbox:' >&2)
    ;;
esac
exec "$objdir/xbdsnap" "\$@"
EOF
chmod +x "$work/xbdsnap"

tests/fuzz/run.sh "$objdir" 0 >&2
# Some count threads, files or lines on stderr; what they reach counts all the same.
for name in ${TESTS:-test_ stream formats core foreign legacy domu linux netbsd blkfront who mounted witness fixtures guard replay diff validate live p2m ondisk}; do
    sample=1
    case $name in guard | replay | live) sample=8 ;; esac # a hundred kills reach what a few do
    SAMPLE=$sample ONLY=$name tests/run.sh "$work" >"$work/log.$name" 2>&1 ||
        echo "coverage.sh: $name: $(tail -1 "$work/log.$name")" >&2
done

python3 - "$objdir" "${LEAST:-0}" <<'PYTHON'
import collections, glob, gzip, json, os, subprocess, sys, tempfile

objdir, least = sys.argv[1], float(sys.argv[2])
PARSERS = ("src/checkpoint/", "src/guest/", "src/kernel/", "src/frontend/", "src/ondisk/", "src/parse_checkpoint.c",
           "src/io/unpack.c", "src/io/source.c", "src/io/ext_super.c", "src/base/cursor.c",
           "src/base/num.c", "src/guard/")
lines = collections.defaultdict(dict)
with tempfile.TemporaryDirectory() as tmp:
    notes = [os.path.abspath(f) for f in glob.glob(objdir + "/src/**/*.gcno", recursive=True)]
    subprocess.run(["gcov", "--json-format", *notes], cwd=tmp, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name in glob.glob(tmp + "/*.gcov.json.gz"):
        for f in json.load(gzip.open(name))["files"]:
            for l in f["lines"]:
                at = lines[f["file"]]
                at[l["line_number"]] = max(at.get(l["line_number"], 0), l["count"])

def share(files):
    total = sum(len(lines[f]) for f in files)
    return total, sum(1 for f in files for c in lines[f].values() if c) / max(total, 1) * 100

parsers = sorted(f for f in lines if f.startswith(PARSERS) and f.endswith(".c"))
rooms = collections.defaultdict(list)
for f in parsers:
    print("%6.1f %% of %5d  %s" % (share([f])[1], share([f])[0], f))
    rooms[os.path.dirname(f)].append(f)
print()
for room, files in sorted(rooms.items()):
    print("%6.1f %% of %5d  %s" % (share(files)[1], share(files)[0], room))
total, percent = share(parsers)
print("%6.1f %% of %5d  all parsers" % (percent, total))
with open(objdir + "/missed", "w") as out:
    for f in parsers:
        for n in sorted(n for n, c in lines[f].items() if not c):
            out.write(f"{f}:{n}\n")
sys.exit(percent < least)
PYTHON

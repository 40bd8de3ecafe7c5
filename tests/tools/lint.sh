#!/bin/bash
# lint.sh [OBJDIR]: everything that can be said about the tree without running it. Which functions
# nobody uses is asked from the objects in OBJDIR (obj/opt).
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

say() { # say TITLE: runs the rest; its output and failure count
    local title=$1
    shift
    if ! out=$("$@" 2>&1); then
        printf -- '-- %s\n%s\n' "$title" "$out"
        bad=1
    else
        printf 'ok %s\n' "$title"
    fi
}

mapfile -t c_files < <(git ls-files '*.c' '*.h')
mapfile -t sh_files < <(git ls-files '*.sh' '.ci/run' 'debian/tests/dump-*' hooks | grep -v libvirt)
mapfile -t py_files < <(git ls-files '*.py' hooks/libvirt-libxl)

say "clang-format" clang-format --dry-run --Werror "${c_files[@]}"
# A number of 64 bits is printed with PRIu64, PRIx64 or PRId64, read with SCNu64: no %ll, no cast.
say "64-bit formats" bash -c '! grep -nE "%[-+ 0-9.#*]*ll[a-zA-Z]|\(((unsigned )?long long)\)" "$@"' - "${c_files[@]}"
say "dependency law" python3 tests/tools/layers.py
say "function length" python3 tests/tools/functions.py
say "unused functions" python3 tests/tools/unused.py "${1:-obj/opt}"
say "cppcheck" cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr \
    --enable=warning,portability --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    -D_GNU_SOURCE -Isrc -j2 src
say "builds without libxml2" gcc -std=c11 -D_GNU_SOURCE -Isrc -Wall -Wextra -Werror -fsyntax-only src/checkpoint/config_xml.c
say "manual pages" mandoc -Tlint -Wwarning man/*.[17]
say "shell scripts" shellcheck -x "${sh_files[@]}"
say "python compiles" python3 -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' "${py_files[@]}"
say "spelling" codespell -L sring,uptodate,acces,nnumber,gref,nd,fo,msdos,hda,statics,inflight --skip '*.zst,*.xz,*.json,*.S,corpus,*.bin' README HACKING man docs src tests Makefile
exit $bad

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Write the completions for bash, zsh and fish from the tables of options: completions.py XBDSNAP FOLDER

The tables come from --help=names. A test compares what this makes with what is kept.
"""
import pathlib
import re
import subprocess
import sys

# Arguments for which nothing can be offered; of all others that are no list of words: a file.
FREE = {"N", "BYTES", "PFN", "ADDRESS", "CMD", "DOMAIN", "SECONDS", "SIZE", "COUNT", "NAME", "TIME"}


def ask(xbdsnap, *words):
    return subprocess.run([xbdsnap, *words], check=True, capture_output=True, text=True).stdout


class Option:
    def __init__(self, line):
        self.short, self.long, self.arg, self.doc = line.split("\t")

    def kind(self):
        """words, device, disk, rule, columns, file, free, or none."""
        if not self.arg:
            return "none"
        if re.fullmatch(r"[a-z0-9|-]+", self.arg):
            return "words"
        for start, kind in (("VDEV=", "disk"), ("VDEV", "device"), ("ID", "rule"), ("COLUMNS", "columns")):
            if self.arg.startswith(start):
                return kind
        return "free" if self.arg in FREE else "file"

    def words(self):
        return self.arg.split("|")

    def optional(self):
        return self.long == "--help"


class Tables:
    def __init__(self, xbdsnap):
        top = ask(xbdsnap, "--help")
        listed = top[top.index("Commands:"):].split("\n\n")[0]
        self.commands = re.findall(r"^  ([a-z0-9-]+) +(.*)$", listed, re.M)
        names = lambda *c: [Option(l) for l in ask(xbdsnap, *c, "--help=names").splitlines()]
        self.common = names()
        self.options = {c: names(c) for c, _ in self.commands}
        self.columns = re.findall(r"^  ([A-Z][A-Z-]+) +\S", ask(xbdsnap, "dump", "--help=all"), re.M)


HEAD = "# Completion of {} for xbdsnap(1), made by tests/tools/completions.py: change the tables of options.\n"

# ---- bash ------------------------------------------------------------------------------------------

BASH = r"""
# Words that begin with what is typed. Not compgen -W: it expands what a guest calls its devices.
_xbdsnap_offer() {
    local w
    for w; do
        [[ $w != "$cur"* ]] || COMPREPLY+=("$(printf %q "$w")")
    done
}

# The devices of the file that stands on the line.
_xbdsnap_devices() {
    local w d
    for w in "${COMP_WORDS[@]:2}"; do
        [[ -f $w ]] || continue
        while IFS= read -r d; do
            _xbdsnap_offer "$d$1"
        done < <(xbdsnap info -q "$w" 2>/dev/null | sed -n 's/^frontend  *\([^:]*\):.*/\1/p')
        return
    done
}

_xbdsnap_rules() {
    local id
    while read -r id _; do
        _xbdsnap_offer "$id$1"
    done < <(xbdsnap rules 2>/dev/null)
}

_xbdsnap_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}

_xbdsnap() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command='' i
    local before=''
    COMPREPLY=()
    # "=" is a word of its own.
    if [[ $cur == = ]]; then
        cur=''
        before=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD - 2]}
        before=${COMP_WORDS[COMP_CWORD - 3]}
        [[ $before != = ]] || before=${COMP_WORDS[COMP_CWORD - 4]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] || {
            command=${COMP_WORDS[i]}
            break
        }
    done
    case $command:$before in
    @DISKS@)
        _xbdsnap_files
        return
        ;;
    esac
    case $command:$prev in
@VALUES@
    esac
    if [[ $cur == -* ]]; then
        case $command in
@OPTIONS@
        esac
        return
    fi
    case $command in
    '') _xbdsnap_offer @COMMANDS@ ;;
    rules) _xbdsnap_rules ;;
    help) _xbdsnap_offer @COMMANDS@ formats ;;
    *) _xbdsnap_files ;;
    esac
}

complete -F _xbdsnap xbdsnap
"""


def bash_value(command, o, columns):
    keys = "|".join(f"{command}:{n}" for n in (o.short, o.long) if n)
    kind = o.kind()
    act = {"words": "_xbdsnap_offer " + " ".join(o.words()), "device": "_xbdsnap_devices ''",
           "disk": "compopt -o nospace 2>/dev/null\n        _xbdsnap_devices =",
           "rule": "compopt -o nospace 2>/dev/null\n        _xbdsnap_rules =",
           "columns": "_xbdsnap_offer " + " ".join(columns), "free": ":", "file": "_xbdsnap_files"}[kind]
    return f"    {keys.replace('|', ' | ')})\n        {act}\n        return\n        ;;"


def bash(t):
    values, options, disks = [], [], []
    for command, table in [("", t.common), *t.options.items()]:
        values += [bash_value(command, o, t.columns) for o in table
                   if o.kind() != "none" and not o.optional()]
        disks += [f"{command}:{o.long}" for o in table if o.kind() == "disk"]
        names = " ".join(o.long for o in table)
        options.append(f"        {command or chr(39) * 2}) _xbdsnap_offer {names} ;;")
    text = BASH.replace("@VALUES@", "\n".join(values)).replace("@OPTIONS@", "\n".join(options))
    text = text.replace("@DISKS@", " | ".join(disks))
    return HEAD.format("bash") + text.replace("@COMMANDS@", " ".join(c for c, _ in t.commands))


# ---- zsh -------------------------------------------------------------------------------------------

ZSH = r"""
_xbdsnap_devices() {
    local w
    local -a found
    for w in "${(@Q)words[2,-1]}"; do
        [[ -f $w ]] || continue
        found=("${(@f)$(xbdsnap info -q "$w" 2>/dev/null | sed -n 's/^frontend  *\([^:]*\):.*/\1/p')}")
        (( $#found )) && compadd "$@" -a found
        return
    done
}

_xbdsnap_disk() {
    if compset -P '*='; then
        _files
    else
        _xbdsnap_devices -S =
    fi
}

_xbdsnap_rules() {
    local -a found
    found=("${(@)${(@f)$(xbdsnap rules 2>/dev/null)}%% *}")
    compadd "$@" -a found
}

_xbdsnap_rule_severity() {
    if compset -P '*='; then
        compadd off note warn error
    else
        _xbdsnap_rules -S =
    fi
}

_xbdsnap_columns() {
    local -a all
    all=(@COLUMNS@)
    compset -P '*,'
    compset -P '+'
    compadd -S '' -a all
}

_xbdsnap() {
    local curcontext=$curcontext state
    local -a commands
    commands=(
@COMMANDS@
    )
    _arguments -C \
@COMMON@
        '1: :->command' '*:: :->rest' && return
    case $state in
    command) _describe command commands ;;
    rest)
        case $words[1] in
@OPTIONS@
        esac
        ;;
    esac
}

_xbdsnap "$@"
"""


def zsh_quote(text):
    return text.replace("\\", "\\\\").replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]").replace(
        ":", "\\:")


def zsh_option(o):
    act = {"words": "(" + " ".join(o.words()) + ")", "device": "_xbdsnap_devices", "disk": "_xbdsnap_disk",
           "rule": "_xbdsnap_rule_severity", "columns": "_xbdsnap_columns", "free": " ", "file": "_files"}
    tail = f":{zsh_quote(o.arg.lower())}:{act[o.kind()]}" if o.kind() != "none" else ""
    out = []
    for name in (o.short, o.long):
        if name:
            sign = "" if not tail else "=" if name.startswith("--") else "+"
            # ":" once more: a value that need not be there
            middle = (sign + "-") if o.optional() and sign == "=" else sign
            if o.optional() and sign == "+":
                middle, end = "", ""
            else:
                end = (":" + tail if o.optional() else tail)
            out.append(f"'*{name}{middle}[{zsh_quote(o.doc)}]{end}'")
    return " ".join(out)


def zsh(t):
    lines = lambda table, pad: " \\\n".join(pad + zsh_option(o) for o in table) + " \\"
    options = []
    for command, table in t.options.items():
        rest = {"rules": "'*:rule:_xbdsnap_rules'",
                "help": "'1:command:(" + " ".join(c for c, _ in t.commands) + " formats)'"}
        tail = rest.get(command, "'*:file:_files'")
        options.append(f"        {command})\n            _arguments \\\n" + lines(table, " " * 16) +
                       f"\n                {tail}\n            ;;")
    text = ZSH.replace("@COLUMNS@", " ".join(t.columns)).replace("@OPTIONS@", "\n".join(options))
    text = text.replace("@COMMANDS@", "\n".join(f"        '{c}:{zsh_quote(d)}'" for c, d in t.commands))
    return "#compdef xbdsnap\n" + HEAD.format("zsh") + text.replace("@COMMON@", lines(t.common, " " * 8))


# ---- fish ------------------------------------------------------------------------------------------

FISH = r"""
function __xbdsnap_command
    for w in (commandline -opc)[2..]
        string match -q -- '-*' $w; or begin
            echo $w
            return
        end
    end
    return 1
end

function __xbdsnap_is
    test (__xbdsnap_command; or echo none) = $argv[1]
end

# The devices of the file that stands on the line.
function __xbdsnap_devices
    for w in (commandline -o)[3..]
        test -f $w; or continue
        xbdsnap info -q $w 2>/dev/null | string replace -rf '^frontend +([^:]*):.*' '$1'"$argv[1]"
        return
    end
end

function __xbdsnap_rules
    xbdsnap rules 2>/dev/null | string replace -rf '^(XB\d+) .*' '$1'"$argv[1]"
end

function __xbdsnap_disk
    set -l typed (commandline -ct | string replace -r '^--[a-z-]+=' '')
    if string match -q '*=*' -- $typed
        set -l parts (string split -m 1 = -- $typed)
        for f in $parts[2]*
            echo $parts[1]=$f
        end
    else
        __xbdsnap_devices =
    end
end

complete -c xbdsnap -n 'not __xbdsnap_command' -f
"""


def fish_quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_option(when, o, columns):
    act = {"none": "-f", "words": "-x -a " + fish_quote(" ".join(o.words())),
           "device": "-x -a '(__xbdsnap_devices)'", "disk": "-x -a '(__xbdsnap_disk)'",
           "rule": "-x -a '(__xbdsnap_rules =)'", "columns": "-x -a " + fish_quote(" ".join(columns)),
           "free": "-x", "file": "-r -F"}[o.kind()]
    if o.optional():
        act = "-f"
    short = f" -s {o.short[1]}" if o.short and o.short != "-?" else ""
    return f"complete -c xbdsnap -n {fish_quote(when)}{short} -l {o.long[2:]} {act} -d {fish_quote(o.doc)}"


def fish(t):
    out = [HEAD.format("fish") + FISH.rstrip("\n")]
    for c, doc in t.commands:
        out.append(f"complete -c xbdsnap -n 'not __xbdsnap_command' -a {c} -d {fish_quote(doc)}")
    for command, table in [("", t.common), *t.options.items()]:
        when = f"__xbdsnap_is {command}" if command else "not __xbdsnap_command"
        out += [fish_option(when, o, t.columns) for o in table]
    out.append("complete -c xbdsnap -n '__xbdsnap_is rules' -f -a '(__xbdsnap_rules)'")
    names = " ".join(c for c, _ in t.commands)
    out.append(f"complete -c xbdsnap -n '__xbdsnap_is help' -f -a '{names} formats'")
    return "\n".join(out) + "\n"


def main():
    t = Tables(sys.argv[1])
    folder = pathlib.Path(sys.argv[2])
    for name, text in (("xbdsnap.bash", bash(t)), ("_xbdsnap", zsh(t)), ("xbdsnap.fish", fish(t))):
        folder.joinpath(name).write_text(text)


if __name__ == "__main__":
    main()

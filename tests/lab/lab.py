#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""lab.py run|check XBDSNAP VARIANT...: a real Xen saves and restores guests with requests in flight.

run makes the images, boots Xen under an emulator for every variant, keeps what comes out in
obj/lab/out/VARIANT, and checks it. check looks at the results again. VARIANT may be --all or
--check (those of the short table).
"""
import configparser
import os
import random
import shutil
import subprocess
import sys
import time

import checks
import images
import results

QEMU_MEMORY, DOM0_MEMORY = 2048, 1280
# Without these the emulator's SVM does not carry a PVH or HVM guest: README, "What failed".
CPUS = {"pv": "Nehalem", "pvh": "EPYC,-smap,-monitor,-rdtscp", "hvm": "EPYC,-smap,-monitor,-rdtscp,-xsave"}
TYPES = {
    "pv": 'type="pv"',
    "pvh": 'type="pvh"\\ntsc_mode="native"',
    "hvm": 'type="hvm"\\ntsc_mode="native"\\nnographic=1\\nvnc=0\\nsdl=0\\nvga="none"\\n'
    'serial="pty"\\nusb=0\\nxen_platform_pci=1\\nacpi=1',
}
LIMIT = {"pv": 420, "pvh": 420, "hvm": 900}


def read_variants():
    parser = configparser.ConfigParser(interpolation=None)
    with open(os.path.join(images.HERE, "variants.ini")) as f:
        parser.read_file(f)
    return {name: dict(parser[name], name=name) for name in parser.sections()}


def lettered(variant, key):
    """{letter: value} of the keys "key.letter"."""
    return {k.split(".")[1]: v for k, v in sorted(variant.items()) if k.startswith(key + ".")}


def shell_line(name, value):
    return "%s='%s'\n" % (name, value)


def vdev_number(letter):
    """xvdX: block major 202, sixteen minors a disk (Xen, docs/man/xen-vbd-interface)."""
    return 202 << 8 | (ord(letter) - ord("a")) << 4


def guest_archive(variant, into):
    """The kernel's first file system: the series' own, and the plans behind it."""
    tree = images.fresh("run-guest")
    os.makedirs(os.path.join(tree, "lab"))
    plans, kinds = lettered(variant, "plan"), lettered(variant, "fs")
    for letter, plan in plans.items():
        images.put(tree, os.path.join(images.HERE, "plans", plan), f"/lab/plan.{letter}")
    modules = [kind.partition("-")[0] for kind in kinds.values()]
    for kind in kinds.values():
        images.put_volume(tree, kind, modules)
    if variant["grants"]:
        modules.append("xen-gntalloc")
    images.put_modules(tree, images.fetch_kernel(variant["kernel"]), modules, "lab/fs")
    with open(os.path.join(tree, "lab/vars"), "w") as f:
        f.write(shell_line("FRONTEND", variant["frontend"]))
        f.write(shell_line("BUSY", "yes" if variant["busy"] == "yes" else ""))
        f.write(shell_line("DISKS", " ".join(lettered(variant, "disk"))))
        f.write(shell_line("PLANS", " ".join(plans)))
        f.write(shell_line("FS", " ".join(f"{k}={v}" for k, v in kinds.items())))
    images.archive(tree, into + ".part")
    join([images.path(f"guest-{variant['kernel']}.cpio"), into + ".part"], into)
    os.unlink(into + ".part")


# Of four times guard's processes die, it is twice the one that the stream depends on.
VICTIMS = ("passer", "opener", "passer", "looker")


def kill_lines(variant):
    """What kills.sh reads: each way once when nobody dies, once without room on the disk, and then all
    of them, one after the other as the dice fall, so many times when somebody dies. The very end of
    the stream is left out: behind it xl lets go of a guest."""
    words = variant["kills"].split()
    rng = random.Random(variant["name"])
    first, then = [], []
    for way, count in zip(words[::2], words[1::2]):
        first += [f"{way} none 0", f"{way} disk 0"]
        then += [f"{way} {VICTIMS[i % 4]} {rng.randrange(985)}" for i in range(int(count))]
    rng.shuffle(then)
    return "".join(line + "\n" for line in first + then)


def join(sources, into):
    """Linux takes archives one behind the other."""
    with open(into, "wb") as f:
        for source in sources:
            with open(source, "rb") as g:
                shutil.copyfileobj(g, f)


def dom0_archive(variant, into):
    tree = images.fresh("run-dom0")
    lab = os.path.join(tree, "lab")
    os.makedirs(os.path.join(lab, "guest"))
    guest_archive(variant, os.path.join(lab, "guest/initrd"))
    shutil.copy(images.path(f"guest-{variant['kernel']}-vmlinuz"), os.path.join(lab, "guest/vmlinuz"))
    shutil.copy(images.WRAPPER, os.path.join(lab, "xl-checked"))
    disks = lettered(variant, "disk")
    for letter, sectors in disks.items():
        images.write_disk(int(sectors), variant.get("fs." + letter),
                          os.path.join(lab, f"disk-{letter}.img.gz"))
        with open(os.path.join(lab, f"vdev.{letter}"), "w") as f:
            f.write(str(vdev_number(letter)))
    for letter, offer in lettered(variant, "offer").items():
        with open(os.path.join(lab, f"backend.xvd{letter}"), "w") as f:
            f.writelines(pair.strip() + "\n" for pair in offer.split(","))
    if variant["kills"]:
        with open(os.path.join(lab, "kills"), "w") as f:
            f.write(kill_lines(variant))
    kind = variant["type"]
    with open(os.path.join(lab, "vars"), "w") as f:
        for name, value in {
            "TYPE": TYPES[kind], "PV": "yes" if kind == "pv" else "", "MEMORY": variant["memory"],
            "VCPUS": variant["vcpus"], "KERNEL_ARGS": variant["args"], "DISKS": " ".join(disks),
            "STUCK": " ".join(lettered(variant, "plan")), "BACKEND": variant["backend"],
            "SAVE": variant["save"], "CORE": "yes" if variant["core"] == "yes" else "",
            "AGED": "yes" if variant["aged"] == "yes" else "", "METHOD": variant["method"],
            "LOOK": "yes" if variant["look"] == "yes" else "",
            "BUSY": "yes" if variant["busy"] == "yes" else "",
            "READY_SECONDS": int(variant["seconds"] or LIMIT[kind]) // 2,
            "GRANTS": variant["grants"], "EMULATOR": "yes" if kind == "hvm" else "",
        }.items():
            f.write(shell_line(name, value))
    images.archive(tree, into + ".part")
    base = [images.path("dom0.cpio")] + ([images.path("dom0-hvm.cpio")] if kind == "hvm" else [])
    join([*base, into + ".part"], into)
    os.unlink(into + ".part")


def boot(variant, out):
    """Run Xen with the variant's dom0 until it powers off; unpack what it hands out."""
    work = images.path("work")
    os.makedirs(work, exist_ok=True)
    initrd, disk = os.path.join(work, "dom0.initrd"), os.path.join(work, "out.raw")
    dom0_archive(variant, initrd)
    with open(disk, "wb") as f:
        f.truncate(1 << 30)
    kind = variant["type"]
    # The emulator's -initrd list is parted by commas, so the kernel's arguments have none.
    argv = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", CPUS[kind], "-m", str(QEMU_MEMORY),
            "-smp", "2", "-display", "none", "-monitor", "none", "-no-reboot", "-net", "none",
            "-serial", "file:" + os.path.join(out, "console.txt"), "-kernel",
            images.path("xen-narrow" if variant["kernel"] in images.ARCH else "xen"),
            "-append", f"console=com1 com1=115200,8n1 dom0_mem={DOM0_MEMORY}M,max:{DOM0_MEMORY}M "
            "dom0_max_vcpus=1 loglvl=all guest_loglvl=all conring_size=1m",
            "-initrd", images.path("dom0-vmlinux") + " console=hvc0 quiet loglevel=4 nomodeset,"
            + initrd, "-drive", f"file={disk},format=raw,if=virtio,cache=unsafe"]
    began = time.monotonic()
    try:
        with open(os.path.join(out, "emulator.txt"), "w") as talk:
            subprocess.run(argv, timeout=int(variant["seconds"] or LIMIT[kind]), check=False, stdin=subprocess.DEVNULL,
                           stderr=talk)
    except subprocess.TimeoutExpired:
        print(f"lab: {variant['name']}: stopped after {variant['seconds'] or LIMIT[kind]} s", file=sys.stderr)
    print(f"lab: {variant['name']}: {time.monotonic() - began:.0f} s in the emulator", flush=True)
    subprocess.run(["tar", "-x", "-C", out, "-f", disk], check=False, stderr=subprocess.DEVNULL)
    os.unlink(disk)
    os.unlink(initrd)


def ended(out):
    with open(os.path.join(out, "console.txt"), errors="replace") as f:
        return "CYCLE OK" in f.read()


def make(variant, stamp):
    out = images.path("out", variant["name"])
    shutil.rmtree(out, ignore_errors=True)
    os.makedirs(out)
    boot(variant, out)
    if not ended(out):
        # An emulated machine may hang or be too slow, once. What our program did is judged later.
        print(f"lab: {variant['name']}: the cycle did not end well; once more", flush=True)
        first = out + ".first"
        shutil.rmtree(first, ignore_errors=True)
        os.rename(out, first)
        os.makedirs(out)
        boot(variant, out)
    with open(os.path.join(out, "stamp"), "w") as f:
        f.write(stamp)


def examine(variant, xbdsnap, stamp):
    """True when all that is asserted of the variant holds."""
    out = images.path("out", variant["name"])
    try:
        with open(os.path.join(out, "stamp")) as f:
            if f.read() != stamp:
                raise results.Wrong("the results are stale: run it again")
        for line in checks.check(variant, out, xbdsnap):
            print(f"ok {variant['name']}: {line}", flush=True)
        return True
    except (results.Wrong, OSError, ValueError, KeyError) as e:
        print(f"not ok {variant['name']}: {type(e).__name__}: {e}")
        print(f"   consoles: {out}/console.txt, {out}/logs, {out}/guest.txt", flush=True)
        return False


def main(argv):
    if len(argv) < 4 or argv[1] not in ("run", "check"):
        raise SystemExit(__doc__)
    table = read_variants()
    xbdsnap = os.path.abspath(argv[2])
    names = argv[3:]
    if names == ["--all"]:
        names = list(table)
    elif names == ["--check"]:
        names = [n for n, v in table.items() if v["check"] == "yes"]
    unknown = [n for n in names if n not in table]
    if unknown:
        raise SystemExit(f"lab: no variant {unknown[0]}; there are: {' '.join(table)}")
    variants = [table[n] for n in names]
    if argv[1] == "run":
        images.build(xbdsnap, variants)
    passed = 0
    for variant in variants:
        stamp = images.fingerprint(xbdsnap, variant)
        if argv[1] == "run":
            make(variant, stamp)
        passed += examine(variant, xbdsnap, stamp)
    print(f"lab: {passed} passed, {len(variants) - passed} failed")
    return passed != len(variants)


if __name__ == "__main__":
    sys.exit(main(sys.argv))

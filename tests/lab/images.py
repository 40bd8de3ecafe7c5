# SPDX-License-Identifier: BSD-2-Clause
"""The lab's images, of Debian's packages alone: kernels, dom0's and the guests' first file systems."""
import functools
import glob
import gzip
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LAB = os.path.join(ROOT, "obj", "lab")

# Release of Debian, None for this system's own, and the package that depends on its newest kernel.
# Those of ARCH are of another architecture than this system.
KERNELS = {
    "dom0": (None, "linux-image-amd64"),
    "5.10": ("bullseye", "linux-image-cloud-amd64"),
    "6.1": (None, "linux-image-cloud-amd64"),
    "6.12": (None, "linux-image-6.12-cloud-amd64"),
    "6.12-rt": (None, "linux-image-6.12-rt-amd64"),
    "newest": ("trixie-backports", "linux-image-cloud-amd64"),
    "6.1-i386": ("bookworm", "linux-image-686-pae"),
    "5.10-i386": ("bullseye", "linux-image-686-pae"),
}
ARCH = {"6.1-i386": "i386", "5.10-i386": "i386"}
DOM0_MODULES = """xen-privcmd xenfs xen-evtchn xen-gntdev xen-gntalloc xen-blkback loop dm-mod dm-delay
    virtio_pci virtio_blk""".split()
WRAPPER = os.path.join(HERE, "../../hooks/xl-checked")
XEN_TOOLS = """xl libxl-save-helper xenstored xenconsoled xen-init-dom0""".split()
# Where Debian's libxl looks for the device model, and what hvmloader's guests need beside it.
DEVICE_MODEL = "/usr/libexec/xen-qemu-system-i386"
FIRMWARE = """/usr/share/seabios/bios-256k.bin /usr/share/qemu/linuxboot.bin
    /usr/share/qemu/linuxboot_dma.bin /usr/share/qemu/kvmvapic.bin /usr/share/qemu/multiboot.bin
    /usr/share/qemu/pvh.bin /usr/share/seabios/vgabios-stdvga.bin""".split()


def run(*argv, **kw):
    kw.setdefault("check", True)
    return subprocess.run(argv, **kw)


def output(*argv):
    return run(*argv, stdout=subprocess.PIPE, text=True).stdout


def path(*parts):
    return os.path.join(LAB, *parts)


def xen_folder():
    found = sorted(glob.glob("/usr/lib/xen-[0-9]*/bin/xl"))
    if not found:
        raise SystemExit("lab: no Xen tools; install xen-utils")
    return os.path.dirname(found[-1])


def own_mirror():
    """Where this system has Debian's own packages from."""
    uris = output("apt-get", "indextargets", "--format", "$(REPO_URI)", "Origin: Debian",
                  "Created-By: Packages").split()
    if not uris:
        raise SystemExit("lab: no source of Debian's packages")
    return min(uris, key=len)


def apt(release, command, *words, arch=None, cwd=None, check=True):
    """apt-get or apt-cache for a release, whose lists stand beside those of the system."""
    options = ["-q", "-o", "APT::Sandbox::User=root"]
    if arch:
        options += ["-o", f"APT::Architecture={arch}", "-o", f"APT::Architectures={arch}"]
    if release:
        folder = path("apt", f"{release}-{arch}" if arch else release)
        sources = os.path.join(folder, "sources.list")
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        if not os.path.exists(sources):
            with open(sources, "w") as f:
                f.write(f"deb {own_mirror()} {release} main\n")
        for name, value in {"Dir::Etc::SourceList": sources, "Dir::Etc::SourceParts": "-",
                            "Dir::State::Lists": os.path.join(folder, "lists"),
                            "Dir::Cache": os.path.join(folder, "cache")}.items():
            options += ["-o", f"{name}={value}"]
    return run(command, *options, *words, cwd=cwd, check=check, stdout=subprocess.PIPE, text=True,
               stderr=None if check else subprocess.DEVNULL).stdout


def refresh_lists(release, arch=None):
    """A new machine has no lists of packages, an old one names packages that are gone."""
    if release or os.geteuid() == 0:
        apt(release, "apt-get", "update", arch=arch)
    else:
        run("sudo", "apt-get", "-q", "-y", "update", stdout=sys.stderr)


def find_package(series):
    """The name of the kernel's package, or None when the lists do not have it."""
    release, name = KERNELS[series]
    found = re.findall(r"Depends: (linux-image-[0-9]\S+)",
                       apt(release, "apt-cache", "depends", name, arch=ARCH.get(series),
                           check=False))
    return found[0] if found else None


@functools.lru_cache(maxsize=None)
def kernel_package(series):
    """The package that holds the kernel."""
    found = find_package(series)
    if not found:
        refresh_lists(KERNELS[series][0], ARCH.get(series))
        found = find_package(series)
    if not found:
        raise SystemExit(f"lab: {KERNELS[series][1]} is not in the package lists")
    return found


def packages_of(series):
    """The kernel's package and those into which newer ones are split."""
    release, package = KERNELS[series][0], kernel_package(series)
    flavour = package.removeprefix("linux-image-")
    found = apt(release, "apt-cache", "depends", package, arch=ARCH.get(series))
    return [package, *re.findall(r"Depends: (linux-(?:binary|modules)-\S+)", found)], flavour


def download(series, into):
    """The kernel's packages, into an empty folder; the names of their files."""
    release, arch = KERNELS[series][0], ARCH.get(series)
    for again in (False, True):
        if again:
            refresh_lists(release, arch)
            kernel_package.cache_clear()
        packages, flavour = packages_of(series)
        apt(release, "apt-get", "download", *packages, arch=arch, cwd=into, check=again)
        found = glob.glob(os.path.join(into, "*.deb"))
        if len(found) == len(packages):
            return found, flavour
    raise SystemExit(f"lab: {kernel_package(series)} could not be downloaded")


def fetch_kernel(series):
    """Download and unpack a kernel's packages once; return their folder."""
    into = path("kernels", kernel_package(series))
    if not os.path.exists(os.path.join(into, "complete")):
        shutil.rmtree(into, ignore_errors=True)
        os.makedirs(into)
        files, flavour = download(series, into)
        for deb in files:
            run("dpkg", "-x", deb, into)
            os.unlink(deb)
        if os.path.isdir(os.path.join(into, "usr/lib/modules")):
            os.rename(os.path.join(into, "usr/lib"), os.path.join(into, "lib"))
        run("/sbin/depmod", "-b", into, flavour)
        open(os.path.join(into, "complete"), "w").close()
    return into


def one(pattern):
    (found,) = glob.glob(pattern)
    return found


def boot_image(kernel):
    """Newer packages have it beside the modules."""
    found = [f for pattern in ("boot/vmlinuz-*", "lib/modules/*/vmlinuz")
             for f in glob.glob(os.path.join(kernel, pattern)) if os.path.isfile(f)]
    return found[0]


def extract_elf(vmlinuz, into):
    """The ELF kernel inside a bzImage: payload_offset and payload_length of the setup header
    (Linux, Documentation/arch/x86/boot.rst, protocol 2.08). Saves emulated dom0 the unpacking."""
    with open(vmlinuz, "rb") as f:
        image = f.read()
    sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    payload = image[start : start + length]
    if payload.startswith(b"\xfd7zXZ\0"):
        elf = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith(b"\x1f\x8b"):
        elf = zlib.decompressobj(31).decompress(payload)
    elif payload.startswith(b"\x28\xb5\x2f\xfd"):
        # The last four bytes are the unpacked size, not zstd's.
        elf = run("zstd", "-dc", input=payload[:-4], stdout=subprocess.PIPE).stdout
    else:
        raise SystemExit(f"lab: {vmlinuz}: a payload that starts with {payload[:4].hex()}")
    if not elf.startswith(b"\x7fELF"):
        raise SystemExit(f"lab: {vmlinuz}: the payload is no ELF file")
    with open(into, "wb") as f:
        f.write(elf)


def put(tree, source, at=None):
    target = os.path.join(tree, (at or source).lstrip("/"))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(os.path.realpath(source), target)


def put_program(tree, source, at=None):
    """A program with the libraries that it is linked with."""
    put(tree, source, at)
    for line in output("ldd", source).splitlines():
        found = re.search(r"(/\S+) \(0x", line)
        if found and not os.path.exists(tree + found.group(1)):
            put(tree, found.group(1))


def fetch_busybox(series):
    """The static busybox of the kernel's architecture."""
    release, arch = KERNELS[series][0], ARCH[series]
    into = path("kernels", f"busybox-{release}-{arch}")
    if not os.path.isdir(into):
        os.makedirs(into + ".part", exist_ok=True)
        apt(release, "apt-get", "download", "busybox-static", arch=arch, cwd=into + ".part")
        run("dpkg", "-x", one(into + ".part/*.deb"), into + ".part")
        os.rename(into + ".part", into)
    return os.path.join(into, "bin/busybox")


def put_busybox(tree, program="/bin/busybox"):
    put(tree, program, "/bin/busybox")
    for applet in output("busybox", "--list").split():
        if applet != "busybox":
            os.symlink("busybox", os.path.join(tree, "bin", applet))
    for folder in "proc sys dev run lab etc".split():
        os.makedirs(os.path.join(tree, folder), exist_ok=True)


def put_modules(tree, kernel, names, at="lab/modules"):
    """Modules and what they depend on, unpacked, with the order in which to load them. A name that
    is none is built into the kernel."""
    folder = one(os.path.join(kernel, "lib/modules/*"))
    needs = {}
    with open(os.path.join(folder, "modules.dep")) as f:
        for line in f:
            module, rest = line.strip().split(":", 1)
            needs[re.sub(r"\.ko.*", "", os.path.basename(module)).replace("-", "_")] = [
                module,
                *rest.split(),
            ]
    order = []
    for name in names:
        for module in reversed(needs.get(name.replace("-", "_"), [])):
            if module not in order:
                order.append(module)
    into = os.path.join(tree, at)
    os.makedirs(into)
    with open(os.path.join(into, "ORDER"), "w") as f:
        for module in order:
            name = os.path.basename(module)
            shutil.copy(os.path.join(folder, module), into)
            for ending, unpack in {".xz": "xz", ".zst": "zstd"}.items():
                if name.endswith(ending):
                    run(unpack, "-q", "-d", os.path.join(into, name))
                    name = name.removesuffix(ending)
            f.write(name + "\n")


def put_script(tree, name, at):
    put(tree, os.path.join(HERE, name), at)
    os.chmod(os.path.join(tree, at.lstrip("/")), 0o755)


def archive(tree, into):
    """A newc archive, with all files root's."""
    names = []
    for folder, folders, files in os.walk(tree):
        names += [os.path.relpath(os.path.join(folder, n), tree) for n in folders + files]
    with open(into, "wb") as f:
        run("cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0", cwd=tree, stdout=f,
            input="\n".join(sorted(names)).encode())


def fresh(name):
    tree = path("trees", name)
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(tree)
    return tree


def compile_c(name, *libraries, options=(), more=()):
    into = path("-".join([name, *(o.lstrip("-") for o in options)]))
    sources = [os.path.join(HERE, n + ".c") for n in (name, *more)]
    run("gcc", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror", *options,
        "-o", into, *sources, *libraries)
    return into


def build_dom0(xbdsnap):
    tree = fresh("dom0")
    tools = xen_folder()
    kernel = fetch_kernel("dom0")
    put_busybox(tree)
    for tool in XEN_TOOLS:
        put_program(tree, os.path.join(tools, tool))
    for tool in "ls read write".split():
        put_program(tree, "/usr/bin/xenstore-" + tool)
    put_program(tree, "/sbin/dmsetup")
    put_program(tree, compile_c("probe", "-lxenctrl", "-lxenguest", "-lxenforeignmemory",
                                "-lxengnttab"), "/usr/bin/probe")
    put_program(tree, xbdsnap, "/usr/bin/xbdsnap")
    # xl cancels threads, for which the C library loads this one at run time.
    put(tree, one("/lib/*/libgcc_s.so.1"), "/lib/x86_64-linux-gnu/libgcc_s.so.1")
    put_modules(tree, kernel, DOM0_MODULES)
    put_script(tree, "dom0-init.sh", "/init")
    put_script(tree, "cycle.sh", "/lab/cycle.sh")
    put_script(tree, "kills.sh", "/lab/kills.sh")
    put_script(tree, "block-lab.sh", "/etc/xen/scripts/block-lab")
    os.symlink(tools, os.path.join(tree, "lab/xen"))
    for folder in "var/lib/xen var/lib/xenstored var/log/xen/console var/lock tmp".split():
        os.makedirs(os.path.join(tree, folder), exist_ok=True)
    os.symlink("/run", os.path.join(tree, "var/run"))
    open(os.path.join(tree, "etc/xen/xl.conf"), "w").close()
    archive(tree, path("dom0.cpio"))
    extract_elf(boot_image(kernel), path("dom0-vmlinux"))


def build_device_model():
    """What dom0 needs more for a full HVM guest."""
    tree = fresh("dom0-hvm")
    put_program(tree, DEVICE_MODEL)
    put(tree, os.path.join(os.path.dirname(xen_folder()), "boot/hvmloader"))
    for file in FIRMWARE:
        put(tree, file)
    shutil.copytree("/usr/share/qemu/keymaps", os.path.join(tree, "usr/share/qemu/keymaps"))
    archive(tree, path("dom0-hvm.cpio"))


def build_guest(series):
    tree = fresh("guest-" + series)
    kernel = fetch_kernel(series)
    options = ["-static"]
    if series in ARCH:
        options += ["-m32", "-D_FILE_OFFSET_BITS=64"]
        put_busybox(tree, fetch_busybox(series))
    else:
        put_busybox(tree)
    put(tree, compile_c("guestio", options=options, more=["uring", "busy", "grants"]), "/lab/guestio")
    put_modules(tree, kernel, ["xen-blkfront"])
    put_script(tree, "guest-init.sh", "/init")
    archive(tree, path(f"guest-{series}.cpio"))
    shutil.copy(boot_image(kernel), path(f"guest-{series}-vmlinuz"))


def xen_program():
    with gzip.open(sorted(glob.glob("/boot/xen-[0-9]*-amd64.gz"))[-1]) as f:
        return f.read()


def build_xen():
    with open(path("xen"), "wb") as f:
        f.write(xen_program())


def build_xen_narrow():
    """Xen for guests of 32 bits. When the emulator walks their page tables it marks the entries of
    the top one as accessed, which no processor does; Xen takes that for a reserved bit, reads no
    instruction and returns to the one that it stopped at, for ever. So Xen must pass the bit over:
    GUEST_L3_PAGETABLE_RSVD of three levels (asm/guest_pt.h) stands in the program once."""
    reserved, accessed = 0xFFF00000000001E6, 0x20
    old, new = (struct.pack("<Q", n) for n in (reserved, reserved & ~accessed))
    xen = xen_program()
    if xen.count(old) != 1:
        raise SystemExit("lab: this Xen has not the mask that guests of 32 bits need changed")
    with open(path("xen-narrow"), "wb") as f:
        f.write(xen.replace(old, new))


# mkfs.xfs makes no file system below 300 MB unless it believes that it is being tested.
MAKERS = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "fast_commit",
              "-E", "lazy_itable_init=0"], {}),
    "xfs": (["mkfs.xfs", "-q", "-f"],
            {"TEST_DIR": "/", "TEST_DEV": "/", "QA_CHECK_FS": "/"}),
    # One copy of everything: what the guest calls physical is the place on the disk then.
    "btrfs": (["mkfs.btrfs", "-q", "-f", "-m", "single", "-d", "single"], {}),
    "swap": (["mkswap", "-q", "-f"], {}),
}


def pattern(sectors):
    """Every 32 bytes name their sector, as guestio does for what it writes."""
    return b"".join((b"%-8s %022d\n" % (b"first", n)) * 16 for n in range(sectors))


def file_system(kind, sectors, at):
    with open(at, "wb") as f:
        f.truncate(sectors * 512)
    argv, environment = MAKERS[kind]
    run(*argv, at, env={**os.environ, **environment})
    with open(at, "rb") as f:
        data = f.read()
    os.unlink(at)
    return data


def partitioned(kind, sectors, at):
    """A file system in the one partition, sectors 2048 to the last 8 MiB (an MBR: four entries of 16
    bytes from byte 446 on, type at 4, first sector at 8, their number at 12)."""
    start, count = 2048, sectors - 2048 - 16384
    table = struct.pack("<8xII", start, count)
    table = table[:4] + b"\x83" + table[5:]
    head = (bytes(446) + table + bytes(48) + b"\x55\xaa").ljust(start * 512, b"\0")
    return head + file_system(kind, count, at) + bytes(16384 * 512)


VOLUME_START = 2048  # sectors; guest-init.sh has it too


def put_volume(tree, kind, modules):
    """What a guest needs for a file system on device-mapper, on md, or on a loop device."""
    if kind.endswith("-mirror"):
        modules += ["md-mod", "raid1"]
    if kind.endswith("-stripe"):
        modules += ["md-mod", "raid0"]
    if kind.endswith(("-mirror", "-stripe")):
        put_program(tree, "/sbin/mdadm")
        put_program(tree, "/sbin/mkfs.ext4")
    if kind.endswith(("-loop", "-cached")):
        modules.append("loop")
        for program in ("/sbin/losetup", "/sbin/mkfs.ext4"):
            put_program(tree, program)
    if not kind.endswith(("-volume", "-crypt")):
        return
    modules.append("dm-mod")
    put_program(tree, "/sbin/dmsetup")
    if kind.endswith("-crypt"):
        modules += ["dm-crypt", "xts", "ecb", "aes_generic", "aesni-intel"]
        put_program(tree, "/sbin/mkfs.ext4")


def contents(kind, sectors, at):
    if not kind:
        return pattern(sectors)
    if kind.endswith("-volume"):
        return bytes(VOLUME_START * 512) + file_system(kind.removesuffix("-volume"),
                                                       sectors - VOLUME_START, at)
    if kind.endswith(("-crypt", "-mirror", "-stripe")):
        return bytes(sectors * 512)  # the guest makes it
    if kind.endswith("-partition"):
        return partitioned(kind.removesuffix("-partition"), sectors, at)
    # A loop device's file is made by the guest.
    return file_system(kind.removesuffix("-loop").removesuffix("-cached"), sectors, at)


def write_disk(sectors, kind, into):
    """Compressed; of a kind in MAKERS, perhaps in a partition, or a pattern."""
    data = contents(kind, sectors, into + ".raw")
    with open(into, "wb") as f:
        run("gzip", "-1", "-n", "-c", input=data, stdout=f)


def build(xbdsnap, variants):
    os.makedirs(LAB, exist_ok=True)
    build_xen()
    if any(v["kernel"] in ARCH for v in variants):
        build_xen_narrow()
    build_dom0(xbdsnap)
    if any(v["type"] == "hvm" for v in variants):
        build_device_model()
    for series in sorted({v["kernel"] for v in variants}):
        build_guest(series)


def fingerprint(xbdsnap, variant):
    """Of all that a result depends on: the lab's files, the binary, the packages."""
    digest = hashlib.sha256()
    for name in sorted(glob.glob(HERE + "/*") + glob.glob(HERE + "/plans/*")) + [WRAPPER, xbdsnap]:
        if os.path.isfile(name):
            with open(name, "rb") as f:
                digest.update(name.encode() + b"\0" + f.read())
    for series in ("dom0", variant["kernel"]):
        digest.update(kernel_package(series).encode())
    return digest.hexdigest()

/* SPDX-License-Identifier: BSD-2-Clause
 *
 * limits.h - the ceilings of what an input can make us keep or look at, whatever stands in it.
 *
 * Those that one file alone knows (the bytes of a line, the depth of a list) stand there, beside
 * what they bound; here is what decides about memory and time. What a guest's memory must hold to
 * be counted is scaled by limit_in_guest() to the guest at hand: a ceiling is what the largest can
 * have.
 */
#ifndef XB_BASE_LIMITS_H
#define XB_BASE_LIMITS_H

#include "base/util.h"

/* ---- the process: sandbox.h makes the kernel hold them ------------------------------------- */

/* Private memory, and 16 bytes of it for each page of the guest. Until its pages are counted, for
 * each that the input can name: that takes 8 bytes of a stream at least, its type and number. */
#define LIMIT_MEMORY_BYTES  (UINT64_C(64) << 20)
#define LIMIT_MEMORY_A_PAGE 16u
#define LIMIT_MEMORY_A_BYTE 2u
/* While a file is unpacked, its unpacker's window: 128 MiB of zstd --long, 64 of xz -9, and what
 * goes with it. */
#define LIMIT_UNPACK_MEMORY (UINT64_C(256) << 20)
/* With --live, which has no file: the pages that are held (LIVE_HELD of live_memory.h) and as much
 * again, the table of frames with its reverse while both grow. */
#define LIMIT_LIVE_MEMORY (UINT64_C(128) << 20)
#define LIMIT_LIVE_A_PAGE 48u
/* The types and symbols of a kernel's own file (--kernel, --module) take the room of a debugger. */
#define LIMIT_SYMBOLS_MEMORY (UINT64_C(2) << 30)
/* Time of the processor: so much, and a second for so many bytes. */
#define LIMIT_SECONDS	     120u
#define LIMIT_BYTES_A_SECOND (UINT64_C(8) << 20)

/* What libblkid may take for one question, beside the memory of above, how long an answer is waited
 * for (a disk may be slow), and how often it may fail until it is asked no more. */
#define LIMIT_PROBE_SECONDS	 5u
#define LIMIT_PROBE_WAIT_SECONDS 120u
#define LIMIT_PROBE_FAILURES	 8u

/* ---- unpacking ----------------------------------------------------------------------------- */

/* The most that is unpacked, or taken from a pipe, unless the user says otherwise. A larger guest
 * is better put into a file by hand, and a decompression bomb ends here, */
#define UNPACK_MAX_BYTES (UINT64_C(64) << 30)
/* or, earlier, where more than this comes out than went in, the first bytes apart. What Xen sends
 * of a guest that is all zeros packs to a two-thousandth of its size: a page has its own number. */
#define UNPACK_MAX_RATIO  2048u
#define UNPACK_FREE_BYTES (UINT64_C(256) << 20)

/* ---- what is said -------------------------------------------------------------------------- */

/* More than this many findings of one rule are counted, not stored: a hostile file may earn
 * millions of them. */
#define FINDING_MAX_PER_RULE 64u

/* ---- the file ------------------------------------------------------------------------------ */

/* Above Xen's own limits (HVM 128, PV 8192 in the word, 512 in practice). */
#define CKPT_MAX_VCPUS 4096u
/* A record that lists p2m frames may recur; writers send one. */
#define CKPT_MAX_P2M_PARTS 64u
/* Frames are physical addresses of at most 52 bits (AMD64 manual, volume 2, 5.1). */
#define CKPT_MAX_PFN ((UINT64_C(1) << 40) - 1)
/* Configurations are a few KiB. json-c spends up to some 150 bytes of memory on a byte of text, so
 * this bounds it to tens of MiB. */
#define CKPT_MAX_CONFIG_BYTES (256u << 10)
/* Disks of a configuration. */
#define CKPT_MAX_DISKS 256u
/* What Xen 4.10 and newer accept for one record (e48e33e219, 2017); libxl has the same. */
#define LIBXC_MAX_RECORD_BYTES (128u << 20)

/* ---- the kernel ---------------------------------------------------------------------------- */

/* BTF of vmlinux and of a module. vmlinux of distribution kernels: 4 to 8 MiB. */
#define LAYOUT_MAX_BTF_BYTES (32u << 20)
/* Symbols of a kernel; distribution kernels have some 200,000. */
#define KALLSYMS_MAX_SYMS (1u << 21)
/* Symbols of one module; the largest modules have some ten thousand. */
#define SYMBOLS_MAX_OF_MODULE (1u << 17)
/* PID_MAX_LIMIT is 4 Mi, of which 64-bit systems use 32 Ki by default. */
#define KERNEL_MAX_TASKS  262144u
#define KERNEL_TASK_BYTES 1024u
/* File systems. */
#define KERNEL_MAX_SUPERS 4096u
/* Block devices. */
#define KERNEL_MAX_BDEVS 4096u
/* Slots of the page cache's trees, inodes and extents that are looked at: of a guest of 1 TiB. */
#define KERNEL_MAX_CACHED   (1ull << 28)
#define KERNEL_CACHED_BYTES 8u
/* Inodes of one file system, in memory; struct inode alone is larger. */
#define KERNEL_MAX_INODES  (1u << 22)
#define KERNEL_INODE_BYTES 512u

/* ---- the frontends ------------------------------------------------------------------------- */

/* Over all devices together. A queue has one ring; Linux starts at most one a CPU. */
#define LINUX_MAX_RINGS 8192u
/* Shadow slots: 256 rings of the longest kind, 4096 of the usual one. */
#define LINUX_MAX_SLOTS (256u * 512u)
/* Segments. Each one that is pending holds a grant: 1024 grant frames of 512 entries; Xen's
 * default limit is 64 frames. */
#define LINUX_MAX_SEGMENTS (1024u * 512u)
/* Block-layer tags, of which each can be a queued request: 64 queues as deep as the driver could
 * ask for. */
#define LINUX_MAX_TAGS (64u * 4096u)
/* Those that are: half of them. */
#define LINUX_MAX_QUEUED (32u * 4096u)
/* A guest has as many disks as somebody attached. */
#define LINUX_MAX_DEVICES 1024u
/* Bios of one request: a request is at most some MiB, a bio at least a sector. */
#define LINUX_MAX_BIOS 8192u
/* Bios of all requests, and pages of theirs that are looked at: 4 GiB in flight. */
#define LINUX_MAX_WHO_STEPS (1u << 20)
/* What is said of who asked, which has names in it, takes memory; and what is written of it some
 * times as much. */
#define LINUX_WHO_BYTES	       (UINT64_C(4) << 20)
#define LINUX_WHO_BYTES_A_PAGE 4u
/* What all anchors of the scan together may cost: one each, and one for each page walk of its
 * proof. A ring takes as many as its device has rings. Real guests have a handful of anchors that
 * are none; a memory full of them must not cost hours. */
#define LINUX_MAX_WALKS 2000000u
/* As many disks as somebody attached; each has a page of the guest's for its ring. */
#define FREEBSD_MAX_DEVICES 1024u
#define NETBSD_MAX_DEVICES  1024u
/* Shared rings that are known by their shape alone. */
#define RING_SHAPES_MAX 256u
/* FreeBSD's XBD_MAX_RING_PAGES; Linux and Windows have 16. */
#define SHARED_RING_MAX_PAGES	32u
#define SHARED_RING_MAX_ENTRIES 1024u
/* The largest shadow that a ring of Linux (16 pages of 32 entries) or Xen 2 (64) has, with room to
 * spare: nothing is allocated for a ring that claims more. */
#define CHECK_MAX_ENTRIES 65536u

/*
 * Of things that take so many bytes of the guest's memory each, a guest of so many pages has at
 * most this many; 0 pages: not known. One it may have in any case.
 */
static inline uint64_t limit_in_guest(uint64_t most, uint64_t pages, uint64_t bytes_each)
{
	uint64_t room = pages > UINT64_MAX / 4096 ? UINT64_MAX : pages * 4096;

	return pages ? MIN(most, room / bytes_each + 1) : most;
}

#endif

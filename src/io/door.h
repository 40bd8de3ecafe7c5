/* SPDX-License-Identifier: BSD-2-Clause
 *
 * door.h - the one way to the file system, which can be shut.
 *
 * Before the first byte of an input is looked at, the process that looks gives up the right to open
 * anything (sandbox.h). What it still needs it asks of its parent, the keeper, which knows from the
 * command line, and from nothing else, which paths may be asked for and what for. Each function
 * does what the call of the C library does, and sets errno: directly while the door is open, in the
 * keeper once it is shut. EPERM: the keeper knows no such path.
 *
 * That the door is shut is a fact about the process, as its limits and its filter are; it is kept
 * in door.c and not handed through every function that opens a file. Threads may ask.
 */
#ifndef XB_IO_DOOR_H
#define XB_IO_DOOR_H

#include <linux/fs.h>
#include <sys/stat.h>

#include "base/err.h"

enum door_right {
	DOOR_READ = 1,	   /* open for reading, and look at what it is */
	DOOR_OUTPUT = 2,   /* write what is there, or a file that takes its place */
	DOOR_FOLDER = 4,   /* make it, and outputs directly in it */
	DOOR_BELOW = 8,	   /* read what is below it */
	DOOR_JOURNAL = 16, /* send entries there */
};

/* What the user named. */
struct door_pass {
	const char *path;
	unsigned rights;   /* enum door_right */
	const char *image; /* qemu's word for the format in which it is served; NULL: it is not */
};

/*
 * What the keeper does itself, once, where the confined process must not: `fn` reads the order, in
 * which nobody writes any more, checks all of it, and writes what became of it to `result`.
 */
struct door_work {
	void (*fn)(void *arg, int order, int result); /* NULL: there is none */
	void *arg;
};

/*
 * What the keeper holds while the confined process looks: begin() says in *ret what end() is to let
 * go. If nobody does, it goes with the keeper.
 */
struct door_hold {
	int (*begin)(void *arg, void **ret, struct err *err); /* NULL: there is none */
	int (*end)(void *held, uint64_t *ret_ns, struct err *err);
	void *arg;
};

/* A list of them, by who takes paths from the command line. */
struct door_passes {
	struct door_work work;
	struct door_hold hold;
	struct door_pass *v; /* owned; the paths are not */
	size_t nr, cap;
	bool lost; /* no memory for one */
};
/* NULL, "-" (what is open already) and "" are no paths. */
void door_pass_add(struct door_passes *list, const char *path, unsigned rights);
/* To be read, and served. Whoever confines itself loads libnbd before. */
void door_pass_add_image(struct door_passes *list, const char *path, const char *format);
void door_passes_fini(struct door_passes *list);

/* Flags of open(2) without O_CREAT. A path that is opened for writing needs DOOR_OUTPUT. */
int door_open(const char *path, int flags) MUST_CHECK;
/* The same as a stream that is read. */
FILE *door_fopen(const char *path) MUST_CHECK;
int door_stat(const char *path, struct stat *ret) MUST_CHECK;
/* malloc'ed; NULL. */
char *door_realpath(const char *path) MUST_CHECK;
/* For its owner alone. */
int door_mkdir(const char *path) MUST_CHECK;
/* A file without a name, in TMPDIR or /var/tmp, for reading and writing. */
int door_temp(void) MUST_CHECK;
const char *door_temp_folder(void);

/* A new file beside an output, for its owner alone; *name is malloc'ed. */
int door_create_beside(const char *path, char **name) MUST_CHECK;
/* A file that was created beside a path takes its name. RENAME_NOREPLACE of renameat2(2) or 0. */
int door_rename(const char *from, const char *to, unsigned flags) MUST_CHECK;
int door_link(const char *from, const char *to) MUST_CHECK;
/* Of what was created beside an output. */
int door_unlink(const char *path);
/* The folder in which a path is, for fsync(). */
int door_open_folder_of(const char *path) MUST_CHECK;

/* enum disk_use (hold.h) of the disk at this path, which is open for reading; of an image, whose
 * server has locked it. The door must be shut. */
int door_disk_use(const char *path, bool image) MUST_CHECK;

/* The journal that listens there (journal.h), which may have been started anew. */
int door_journal(const char *path) MUST_CHECK;

/* A server of the image at this path, in its format: a socket. The door must be shut. */
int door_serve_image(const char *path, const char *format) MUST_CHECK;

/* A new process that asks libblkid (prober.h): a socket; the one before ends. The door must be
 * shut. */
int door_prober(void) MUST_CHECK;

/* For what the keeper shall do: a file in memory, to be written. The door must be shut. */
int door_order(void) MUST_CHECK;
/* It is written: have it carried out. A file in memory with the result, at its start. */
int door_carry_out(void) MUST_CHECK;

/* As struct door_hold says; one at a time. The door must be shut. */
int door_hold_begin(struct err *err) MUST_CHECK;
int door_hold_end(uint64_t *ret_ns, struct err *err) MUST_CHECK;

/* From now on functions ask at the other end of this socket (keeper.h), which becomes ours. */
void door_shut(int to_keeper);
bool door_is_shut(void);

#endif

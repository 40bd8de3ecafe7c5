/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/temp.h"

#include <fcntl.h>
#include <unistd.h>

int temp_open(struct err *err)
{
	CLEANUP_FREE char *name = NULL;
	const char *dir = getenv("TMPDIR");
	int fd;

	if (!dir || !*dir)
		dir = "/var/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	if (fd >= 0)
		return fd;
	/* A file system without O_TMPFILE. */
	if (asprintf(&name, "%s/xbdsnap-XXXXXX", dir) < 0) {
		name = NULL;
		return err_nomem(err, "the name of a temporary file");
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, "cannot create a temporary file in '%s'", dir);
	unlink(name);
	return fd;
}

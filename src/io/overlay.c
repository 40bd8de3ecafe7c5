/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/overlay.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/place.h"

/* Both paths are absolute: qemu takes what stands before a colon for a protocol otherwise. */
static int run_qemu_img(char *base, const char *format, char *path, struct err *err)
{
	char program[] = "qemu-img", create[] = "create", quiet[] = "-q", f[] = "-f";
	char qcow2[] = "qcow2", b[] = "-b", of[] = "-F", name[16];
	char *argv[] = {program, create, quiet, f, qcow2, b, base, of, name, path, NULL};
	pid_t pid;
	int st;

	snprintf(name, sizeof(name), "%s", format);
	if ((errno = posix_spawnp(&pid, program, NULL, NULL, argv, environ)))
		return err_sys(err, "cannot run qemu-img");
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, "cannot wait for qemu-img");
	if (WIFEXITED(st) && !WEXITSTATUS(st))
		return 0;
	return err_set(err, ERR_SYSTEM, "qemu-img does not make %s", path);
}

int overlay_create(const char *base, enum disk_format format, const char *path, struct err *err)
{
	CLEANUP_FREE char *below = realpath(base, NULL), *above = NULL;
	int fd, rc;

	if (!below)
		return err_sys(err, "cannot find %s", base);
	/* The name is ours before qemu-img, which replaces what it finds, gets it. */
	fd = place_create(path);
	if (fd < 0)
		return errno == EEXIST
			       ? err_set(err, ERR_REFUSED, "%s exists; give another name", path)
			       : place_error(err, "cannot create", path);
	close(fd);
	above = realpath(path, NULL);
	rc = above ? run_qemu_img(below, disk_format_of_qemu(format), above, err)
		   : err_sys(err, "cannot find %s", path);
	if (rc)
		unlink(path);
	return rc;
}

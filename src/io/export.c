/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/export.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_STEP_MS 10
#define WAIT_MS	     30000

static void remove_files(struct exported *x)
{
	unlink(x->file);
	unlink(x->pid_file);
	rmdir(x->dir);
}

static int make_files(struct exported *x, struct err *err)
{
	FILE *f;

	snprintf(x->dir, sizeof(x->dir), "/tmp/xbdsnap-image-XXXXXX");
	if (!mkdtemp(x->dir))
		return err_sys(err, "cannot create a folder in /tmp");
	snprintf(x->file, sizeof(x->file), "%s/disk", x->dir);
	snprintf(x->pid_file, sizeof(x->pid_file), "%s/pid", x->dir);
	f = fopen(x->file, "wxe");
	if (f && !fclose(f))
		return 0;
	err_sys(err, "cannot create %s", x->file);
	remove_files(x);
	return -1;
}

/* In an option of qemu a comma is written twice. */
static char *make_blockdev(const char *path, enum disk_format format)
{
	struct stat st;
	bool block = !stat(path, &st) && S_ISBLK(st.st_mode);
	char *out = malloc(2 * strlen(path) + 128), *to;
	int n;

	if (!out)
		return NULL;
	n = sprintf(out, "driver=%s,node-name=disk,read-only=on,file.driver=%s,file.filename=",
		disk_format_of_qemu(format), block ? "host_device" : "file");
	for (to = out + n; *path; path++) {
		*to++ = *path;
		if (*path == ',')
			*to++ = ',';
	}
	*to = 0;
	return out;
}

/* The server's own signals are not blocked: it ends by SIGTERM. */
static int start_server(struct exported *x, char *device, struct err *err)
{
	char program[] = "qemu-storage-daemon", blockdev_option[] = "--blockdev";
	char export_option[] = "--export", export[160], pid_option[] = "--pidfile";
	char *argv[] = {program, blockdev_option, device, export_option, export, pid_option,
		x->pid_file, NULL};
	posix_spawnattr_t attr;
	sigset_t none;

	snprintf(export, sizeof(export),
		"type=fuse,id=export,node-name=disk,mountpoint=%s,writable=off", x->file);
	sigemptyset(&none);
	if ((errno = posix_spawnattr_init(&attr)))
		return err_sys(err, "cannot run qemu-storage-daemon");
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	errno = posix_spawnp(&x->server, program, NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	return errno ? err_sys(err, "cannot run qemu-storage-daemon, which shows a checker what "
				    "an image holds")
		     : 0;
}

/* It writes its pid file when the export is there. */
static int await_server(struct exported *x, const char *path, struct err *err)
{
	const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
	int waited, st;

	for (waited = 0; waited < WAIT_MS; waited += WAIT_STEP_MS) {
		if (!access(x->pid_file, F_OK))
			return 0;
		if (waitpid(x->server, &st, WNOHANG) == x->server) {
			x->server = 0;
			break;
		}
		nanosleep(&step, NULL);
	}
	return err_set(err, ERR_SYSTEM, "qemu-storage-daemon does not show %s as a file", path);
}

int export_open(struct exported *x, const char *path, enum disk_format format, struct err *err)
{
	CLEANUP_FREE char *device = make_blockdev(path, format);

	memset(x, 0, sizeof(*x));
	if (!device)
		return err_nomem(err, "showing an image");
	if (make_files(x, err))
		return -1;
	if (!start_server(x, device, err) && !await_server(x, path, err))
		return 0;
	export_close(x);
	return -1;
}

void export_close(struct exported *x)
{
	if (x->server) {
		kill(x->server, SIGTERM);
		while (waitpid(x->server, NULL, 0) < 0 && errno == EINTR)
			;
	}
	remove_files(x);
}

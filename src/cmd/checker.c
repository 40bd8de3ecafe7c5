/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/checker.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/export.h"
#include "io/progress.h"

/* It can take hours, and must hear the signals that we put off. */
static int spawn_checker(pid_t *pid, char *argv[], struct err *err)
{
	posix_spawnattr_t attr;
	sigset_t none;

	sigemptyset(&none);
	if ((errno = posix_spawnattr_init(&attr)))
		return err_sys(err, "cannot run the checker");
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	errno = posix_spawn(pid, "/bin/sh", NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	return errno ? err_sys(err, "cannot run the checker") : 0;
}

static int run_checker(const char *cmd, char *path, int *status, struct err *err)
{
	CLEANUP_FREE char *script = NULL;
	char sh[] = "sh", option[] = "-c";
	pid_t pid;
	int st;

	if (asprintf(&script, "%s \"$1\" >&2", cmd) < 0) {
		script = NULL;
		return err_nomem(err, "the checker's command");
	}
	char *argv[] = {sh, option, script, sh, path, NULL};

	if (spawn_checker(&pid, argv, err))
		return -1;
	while (waitpid(pid, &st, 0) < 0)
		if (errno != EINTR)
			return err_sys(err, "cannot wait for the checker");
	*status = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
	if (progress_interrupted())
		return err_set(err, ERR_SYSTEM, "interrupted while the checker ran");
	/* The shell's words for a command that it cannot find or run. */
	return *status == 126 || *status == 127
		       ? err_set(err, ERR_SYSTEM, "the checker '%s' cannot be run", cmd)
		       : 0;
}

int checker_run(
	const char *cmd, const char *disk, enum disk_format format, int *status, struct err *err)
{
	CLEANUP_FREE char *path = realpath(disk, NULL);
	struct exported x;
	int rc;

	if (!path)
		return err_sys(err, "cannot find %s", disk);
	if (format == DISK_RAW || format == DISK_UNSAID)
		return run_checker(cmd, path, status, err);
	if (export_open(&x, path, format, err))
		return -1;
	rc = run_checker(cmd, x.file, status, err);
	export_close(&x);
	return rc;
}

/* SPDX-License-Identifier: BSD-2-Clause
 *
 * guard_command.c - the command that a stream is passed on to.
 */
#include "cmd/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A receiver that got no end has that long to go by itself. */
#define GRACE_MS 10000
#define STEP_MS	 20

/* In the child: the command, or an exit status as a shell gives it. */
static void __attribute__((noreturn)) exec_command(char **command, int in)
{
	int failed;

	if (dup2(in, STDIN_FILENO) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	execvp(command[0], command);
	failed = errno;
	dprintf(STDERR_FILENO, "xbdsnap: cannot run '%s': %s\n", command[0], strerror(failed));
	_exit(failed == ENOENT ? 127 : 126);
}

int command_start(char **argv, pid_t *ret_pid, int *ret_in, struct err *err)
{
	CLEANUP_CLOSE int in = -1;
	CLEANUP_CLOSE int null = -1;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return err_sys(err, "cannot make a pipe");
	in = ends[0];
	*ret_in = ends[1];
	*ret_pid = fork();
	if (*ret_pid < 0) {
		*ret_pid = 0;
		return err_sys(err, "cannot start a process");
	}
	if (!*ret_pid)
		exec_command(argv, in);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
		return err_sys(err, "cannot open '/dev/null'");
	return 0;
}

int command_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CMD_FAILED;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Its answers may be what the sender waits for, so that it must not stay. */
void command_dismiss(pid_t pid)
{
	const struct timespec step = {.tv_nsec = STEP_MS * 1000000};
	int waited;

	for (waited = 0; waited < GRACE_MS; waited += STEP_MS) {
		if (waitpid(pid, NULL, WNOHANG))
			return;
		nanosleep(&step, NULL);
	}
	kill(pid, SIGTERM);
	(void)command_wait(pid);
}

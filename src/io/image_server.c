/* SPDX-License-Identifier: BSD-2-Clause
 *
 * image_server.c - sd_listen_fds(3): a server that is started with a listening socket as descriptor
 * 3 finds its number in LISTEN_FDS and its own in LISTEN_PID.
 */
#include "io/image_server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"

#define FIRST_LISTEN_FD 3

static int take_fd(int *fd)
{
	int ret = *fd;

	*fd = -1;
	return ret;
}

/* A socket in a folder of our own, so that nobody else can connect; it loses its name at once. */
static int listen_and_connect(int *ret_listening)
{
	char folder[] = "/tmp/xbdsnap-XXXXXX";
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	CLEANUP_CLOSE int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = false;

	if (listening < 0 || fd < 0 || !mkdtemp(folder))
		return -1;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", folder);
	if (!bind(listening, (struct sockaddr *)&at, sizeof(at))) {
		ok = !listen(listening, 1) && !connect(fd, (struct sockaddr *)&at, sizeof(at));
		unlink(at.sun_path);
	}
	rmdir(folder);
	if (!ok)
		return -1;
	*ret_listening = take_fd(&listening);
	return take_fd(&fd);
}

/* Between fork and exec. The signals that the keeper has blocked are the server's own. */
static void __attribute__((noreturn))
become_server(int listening, const char *path, const char *format, pid_t parent)
{
	char pid[24];
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	/* dup2() of a descriptor to itself leaves it to be closed. */
	if (getppid() != parent || setenv("LISTEN_PID", pid, 1) || setenv("LISTEN_FDS", "1", 1) ||
		(listening == FIRST_LISTEN_FD ? fcntl(listening, F_SETFD, 0)
					      : dup2(listening, FIRST_LISTEN_FD)) < 0)
		_exit(127);
	execlp("qemu-nbd", "qemu-nbd", "--format", format, "--read-only", "--", path, (char *)NULL);
	fprintf(stderr, "xbdsnap: qemu-nbd: %s\n", strerror(errno));
	_exit(127);
}

/* Those that have ended leave their places. */
static pid_t *find_place(struct image_servers *s)
{
	pid_t *place = NULL;
	size_t i;

	for (i = 0; i < IMAGE_MAX_SERVERS; i++) {
		if (s->pid[i] && waitpid(s->pid[i], NULL, WNOHANG) == s->pid[i])
			s->pid[i] = 0;
		if (!s->pid[i])
			place = &s->pid[i];
	}
	return place;
}

int image_serve(struct image_servers *s, const char *path, const char *format)
{
	pid_t *place = find_place(s), parent = getpid();
	CLEANUP_CLOSE int listening = -1;
	CLEANUP_CLOSE int fd = -1;

	if (!place) {
		errno = EMFILE;
		return -1;
	}
	fd = listen_and_connect(&listening);
	if (fd < 0)
		return -1;
	*place = fork();
	if (!*place)
		become_server(listening, path, format, parent);
	if (*place > 0)
		return take_fd(&fd);
	*place = 0;
	return -1;
}

void image_servers_stop(struct image_servers *s)
{
	size_t i;

	for (i = 0; i < IMAGE_MAX_SERVERS; i++)
		util_stop_child(&s->pid[i]);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io/hold.h"
#include "io/image_server.h"
#include "io/journal.h"
#include "io/message.h"
#include "io/prober.h"

/* A path that was named, and where it leads. */
struct known {
	const char *path;
	char *real; /* owned; NULL: there was nothing when the door was shut */
	unsigned rights;
	const char *image;
};

/* A file that was created beside an output and has no name of its own yet. */
struct made {
	char *temp;	  /* owned */
	const char *path; /* the output, as it was asked for; owned */
};

struct keeper {
	struct known *known;
	size_t nr_known;
	struct made *made;
	size_t nr_made, cap_made;
	struct door_work work;
	int order; /* what the work is, for the child to write; -1: it was not asked for */
	bool ordered;
	struct image_servers servers;
	pid_t prober; /* 0: there is none */
	struct door_hold hold;
	void *held; /* NULL: nothing is */
};

static bool is_below(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strncmp(path, folder, len) && path[len] == '/' && !strstr(path, "/../");
}

/* A name in the folder, and no more than a name. */
static bool is_in_folder(const char *path, const char *folder)
{
	size_t len = strlen(folder);
	const char *name = path + len + 1;

	return !strncmp(path, folder, len) && path[len] == '/' && *name && !strchr(name, '/') &&
	       strcmp(name, ".") && strcmp(name, "..");
}

static unsigned rights_of(const struct keeper *k, const char *path)
{
	unsigned rights = 0;
	size_t i;

	for (i = 0; i < k->nr_known; i++) {
		const struct known *n = &k->known[i];

		if (!strcmp(path, n->path) || (n->real && !strcmp(path, n->real)))
			rights |= n->rights;
		if (n->rights & DOOR_FOLDER && is_in_folder(path, n->path))
			rights |= DOOR_READ | DOOR_OUTPUT;
		if (n->rights & DOOR_BELOW && is_below(path, n->path))
			rights |= DOOR_READ;
	}
	for (i = 0; i < k->nr_made; i++)
		if (!strcmp(path, k->made[i].temp))
			rights |= DOOR_READ;
	return rights;
}

static int refuse_call(void)
{
	errno = EPERM;
	return -1;
}

/* No flag that creates, cuts off or follows into a folder. */
#define OPEN_FLAGS (O_ACCMODE | O_NOCTTY | O_NONBLOCK | O_EXCL | O_CLOEXEC | O_NOFOLLOW)

static int serve_open(struct keeper *k, const struct keeper_call *c)
{
	int flags = (int)c->flags;
	unsigned need = (flags & O_ACCMODE) == O_RDONLY ? DOOR_READ : DOOR_OUTPUT;

	if (flags & ~OPEN_FLAGS || !(rights_of(k, c->path) & need))
		return refuse_call();
	return door_open(c->path, flags);
}

static int serve_stat(struct keeper *k, const struct keeper_call *c, struct keeper_answer *a)
{
	return rights_of(k, c->path) ? stat(c->path, &a->st) : refuse_call();
}

static int serve_realpath(struct keeper *k, const struct keeper_call *c, struct keeper_answer *a)
{
	return !rights_of(k, c->path) ? refuse_call() : realpath(c->path, a->text) ? 0 : -1;
}

static int serve_mkdir(struct keeper *k, const struct keeper_call *c)
{
	return rights_of(k, c->path) & DOOR_FOLDER ? door_mkdir(c->path) : refuse_call();
}

static int serve_create(struct keeper *k, const struct keeper_call *c, struct keeper_answer *a)
{
	CLEANUP_FREE char *temp = NULL, *path = NULL;
	int fd;

	if (!(rights_of(k, c->path) & DOOR_OUTPUT))
		return refuse_call();
	path = strdup(c->path);
	if (!path || util_grow(&k->made, &k->cap_made, k->nr_made + 1, sizeof(*k->made))) {
		errno = ENOMEM;
		return -1;
	}
	fd = door_create_beside(path, &temp);
	if (fd < 0)
		return -1;
	if (strlen(temp) >= sizeof(a->text)) {
		door_unlink(temp);
		close(fd);
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(a->text, temp);
	k->made[k->nr_made++] = (struct made){take(temp), take(path)};
	return fd;
}

static struct made *find_made(struct keeper *k, const char *temp)
{
	size_t i;

	for (i = 0; i < k->nr_made; i++)
		if (!strcmp(k->made[i].temp, temp))
			return &k->made[i];
	return NULL;
}

static void forget_made(struct keeper *k, struct made *m)
{
	free(m->temp);
	free((char *)(uintptr_t)m->path);
	*m = k->made[--k->nr_made];
}

/* To the path that it was made for, and to no other. */
static int serve_name(struct keeper *k, const struct keeper_call *c)
{
	struct made *m = find_made(k, c->path);
	int rc;

	if (!m || strcmp(m->path, c->other) || c->flags & ~RENAME_NOREPLACE)
		return refuse_call();
	if (c->op == KEEPER_LINK)
		return door_link(m->temp, m->path);
	rc = door_rename(m->temp, m->path, c->flags);
	if (!rc)
		forget_made(k, m);
	return rc;
}

static int serve_unlink(struct keeper *k, const struct keeper_call *c)
{
	struct made *m = find_made(k, c->path);
	int rc;

	if (!m)
		return refuse_call();
	rc = door_unlink(m->temp);
	forget_made(k, m);
	return rc;
}

static int serve_folder(struct keeper *k, const struct keeper_call *c)
{
	return rights_of(k, c->path) & DOOR_OUTPUT ? door_open_folder_of(c->path) : refuse_call();
}

static int serve_use(struct keeper *k, const struct keeper_call *c, struct keeper_answer *a)
{
	struct disk d;
	struct err err;

	if (!(rights_of(k, c->path) & DOOR_READ))
		return refuse_call();
	if (disk_open(&d, c->path, DISK_RAW, 0, &err)) {
		errno = err.sys_errno;
		return -1;
	}
	a->value = (int32_t)disk_use(&d);
	if (c->flags && a->value == DISK_USE_LOCK)
		a->value = DISK_USE_NONE;
	disk_drop(&d);
	return 0;
}

/* In the format that the command line has for it. */
static int serve_image(struct keeper *k, const struct keeper_call *c)
{
	size_t i;

	for (i = 0; i < k->nr_known; i++) {
		const struct known *n = &k->known[i];

		if (n->image && n->real && !strcmp(c->path, n->real) && !strcmp(c->other, n->image))
			return image_serve(&k->servers, n->real, n->image);
	}
	return refuse_call();
}

/* One at a time. */
static int serve_prober(struct keeper *k)
{
	util_stop_child(&k->prober);
	return prober_start(&k->prober);
}

static int serve_order(struct keeper *k)
{
	if (!k->work.fn || k->order >= 0)
		return refuse_call();
	k->order = memfd_create("order", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return k->order < 0 ? -1 : fcntl(k->order, F_DUPFD_CLOEXEC, 0);
}

#define SEALS	   (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SEAL_TRIES 100
#define SEAL_MS	   20

/*
 * While the kernel itself holds a page of it, or somebody has it mapped to write, it is busy
 * (mm/memfd.c, memfd_wait_for_pins()). The former passes.
 */
static int seal_order(int fd)
{
	const struct timespec pause = {.tv_nsec = SEAL_MS * 1000000};
	int i, rc = -1;

	for (i = 0; i < SEAL_TRIES; i++) {
		rc = fcntl(fd, F_ADD_SEALS, SEALS);
		if (!rc || errno != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	return rc;
}

/* Once. Nothing that the child still does changes an order that is sealed. */
static int serve_carry_out(struct keeper *k)
{
	int result;

	if (k->order < 0 || k->ordered)
		return refuse_call();
	k->ordered = true;
	/* What is read is locked. */
	image_servers_stop(&k->servers);
	if (seal_order(k->order))
		return -1;
	result = memfd_create("result", MFD_CLOEXEC);
	if (result >= 0)
		k->work.fn(k->work.arg, k->order, result);
	return result;
}

static int serve_journal(struct keeper *k, const struct keeper_call *c)
{
	struct err err;
	int fd;

	if (!(rights_of(k, c->path) & DOOR_JOURNAL))
		return refuse_call();
	fd = journal_connect(c->path, &err);
	errno = fd < 0 ? err.sys_errno : 0;
	return fd;
}

static int tell_why(struct keeper_answer *a, const struct err *err)
{
	a->value = (int32_t)err->cls;
	snprintf(a->text, sizeof(a->text), "%s", err->text);
	errno = err->sys_errno;
	return -1;
}

static int serve_hold(struct keeper *k, struct keeper_answer *a)
{
	struct err err;

	if (!k->hold.begin || k->held)
		return refuse_call();
	return k->hold.begin(k->hold.arg, &k->held, &err) ? tell_why(a, &err) : 0;
}

static int serve_release(struct keeper *k, struct keeper_answer *a)
{
	void *held = take(k->held);
	struct err err;

	if (!held)
		return refuse_call();
	return k->hold.end(held, &a->amount, &err) ? tell_why(a, &err) : 0;
}

/* -1 and errno, 0, or a descriptor where the call gives one. */
static int serve_call(struct keeper *k, const struct keeper_call *c, struct keeper_answer *a)
{
	switch ((enum keeper_op)c->op) {
	case KEEPER_OPEN:
		return serve_open(k, c);
	case KEEPER_STAT:
		return serve_stat(k, c, a);
	case KEEPER_REALPATH:
		return serve_realpath(k, c, a);
	case KEEPER_MKDIR:
		return serve_mkdir(k, c);
	case KEEPER_TEMP:
		return door_temp();
	case KEEPER_CREATE_BESIDE:
		return serve_create(k, c, a);
	case KEEPER_RENAME:
	case KEEPER_LINK:
		return serve_name(k, c);
	case KEEPER_UNLINK:
		return serve_unlink(k, c);
	case KEEPER_OPEN_FOLDER:
		return serve_folder(k, c);
	case KEEPER_DISK_USE:
		return serve_use(k, c, a);
	case KEEPER_SERVE_IMAGE:
		return serve_image(k, c);
	case KEEPER_PROBER:
		return serve_prober(k);
	case KEEPER_ORDER:
		return serve_order(k);
	case KEEPER_CARRY_OUT:
		return serve_carry_out(k);
	case KEEPER_JOURNAL:
		return serve_journal(k, c);
	case KEEPER_HOLD:
		return serve_hold(k, a);
	case KEEPER_RELEASE:
		return serve_release(k, a);
	case KEEPER_NR_OPS:
		break;
	}
	return refuse_call();
}

static bool gives_fd(uint32_t op)
{
	return op == KEEPER_OPEN || op == KEEPER_TEMP || op == KEEPER_CREATE_BESIDE ||
	       op == KEEPER_OPEN_FOLDER || op == KEEPER_SERVE_IMAGE || op == KEEPER_PROBER ||
	       op == KEEPER_ORDER || op == KEEPER_JOURNAL || op == KEEPER_CARRY_OUT;
}

static bool is_sound(const struct keeper_call *c, ssize_t n)
{
	return n == (ssize_t)sizeof(*c) && memchr(c->path, 0, sizeof(c->path)) &&
	       memchr(c->other, 0, sizeof(c->other));
}

/* False: the other end is closed. */
static bool serve_next(struct keeper *k, int socket)
{
	struct keeper_answer a = {.rc = -1, .number = EPERM};
	struct keeper_call c;
	int rc = -1;
	ssize_t n;

	n = recv(socket, &c, sizeof(c), 0);
	if (n < 0)
		return errno == EINTR || errno == EAGAIN;
	if (!n)
		return false;
	if (is_sound(&c, n)) {
		errno = 0;
		rc = serve_call(k, &c, &a);
		a.rc = rc < 0 ? -1 : 0;
		a.number = rc < 0 ? errno : 0;
	}
	/* Who does not take the answer ends, and the next call is not there. */
	(void)!message_send(socket, &a, sizeof(a), rc >= 0 && gives_fd(c.op) ? rc : -1);
	if (rc >= 0 && gives_fd(c.op))
		close(rc);
	return true;
}

static void forward_signal(int signals, pid_t child)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		(void)kill(child, (int)info.ssi_signo);
}

static void serve_all(struct keeper *k, int socket, int signals, pid_t child)
{
	struct pollfd wait[] = {
		{.fd = socket, .events = POLLIN}, {.fd = signals, .events = POLLIN}};

	for (;;) {
		if (poll(wait, ARRAY_SIZE(wait), -1) < 0) {
			if (errno == EINTR)
				continue;
			return;
		}
		if (wait[1].revents & POLLIN)
			forward_signal(signals, child);
		if (wait[0].revents && !serve_next(k, socket))
			return;
	}
}

/* What nobody will name any more. */
static void remove_made(struct keeper *k)
{
	while (k->nr_made) {
		unlink(k->made[0].temp);
		forget_made(k, &k->made[0]);
	}
	free(k->made);
}

int keeper_serve(
	int socket, int signals, pid_t child, const struct door_passes *passes, struct err *err)
{
	struct keeper k = {
		.nr_known = passes->nr, .work = passes->work, .hold = passes->hold, .order = -1};
	uint64_t ns;
	size_t i;

	k.known = calloc(passes->nr + 1, sizeof(*k.known));
	if (!k.known)
		return err_nomem(err, "the list of files");
	for (i = 0; i < passes->nr; i++)
		k.known[i] = (struct known){passes->v[i].path, realpath(passes->v[i].path, NULL),
			passes->v[i].rights, passes->v[i].image};
	serve_all(&k, socket, signals, child);
	remove_made(&k);
	image_servers_stop(&k.servers);
	util_stop_child(&k.prober);
	if (k.held)
		(void)!k.hold.end(k.held, &ns, NULL);
	for (i = 0; i < passes->nr; i++)
		free(k.known[i].real);
	free(k.known);
	if (k.order >= 0)
		close(k.order);
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/door.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "io/journal.h"
#include "io/keeper.h"
#include "io/message.h"
#include "io/place.h"

/* See door.h: why this is the process's, and nobody's else. */
static struct {
	pthread_mutex_t lock; /* one call at a time */
	int keeper;	      /* -1: open */
} door = {PTHREAD_MUTEX_INITIALIZER, -1};

void door_shut(int to_keeper)
{
	door.keeper = to_keeper;
}

bool door_is_shut(void)
{
	return door.keeper >= 0;
}

void door_pass_add(struct door_passes *list, const char *path, unsigned rights)
{
	if (!path || !*path || !strcmp(path, "-"))
		return;
	if (util_grow(&list->v, &list->cap, list->nr + 1, sizeof(*list->v))) {
		list->lost = true;
		return;
	}
	list->v[list->nr++] = (struct door_pass){path, rights, NULL};
}

void door_pass_add_image(struct door_passes *list, const char *path, const char *format)
{
	size_t before = list->nr;

	door_pass_add(list, path, DOOR_READ);
	if (list->nr > before)
		list->v[before].image = format;
}

void door_passes_fini(struct door_passes *list)
{
	free(list->v);
	*list = (struct door_passes){0};
}

/* -1 and errno. *fd is -1 where the answer has none. */
static int ask_keeper(const struct keeper_call *call, struct keeper_answer *ret, int *fd)
{
	bool ok;

	*fd = -1;
	pthread_mutex_lock(&door.lock);
	ok = message_send(door.keeper, call, sizeof(*call), -1) &&
	     message_receive(door.keeper, ret, sizeof(*ret), fd);
	pthread_mutex_unlock(&door.lock);
	if (!ok) {
		errno = EPIPE;
		return -1;
	}
	errno = ret->number;
	return ret->rc;
}

static int fill_call(
	struct keeper_call *call, enum keeper_op op, const char *path, const char *other)
{
	memset(call, 0, sizeof(*call));
	call->op = op;
	if (strlen(path) >= sizeof(call->path) || strlen(other) >= sizeof(call->other)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(call->path, path);
	strcpy(call->other, other);
	return 0;
}

/* A call that gives a descriptor. `answer` may be NULL. */
static int ask_fd(enum keeper_op op, const char *path, int flags, struct keeper_answer *answer)
{
	struct keeper_answer own;
	struct keeper_call call;
	int fd;

	if (fill_call(&call, op, path, ""))
		return -1;
	call.flags = (uint32_t)flags;
	return ask_keeper(&call, answer ? answer : &own, &fd) ? -1 : fd;
}

static int ask_plain(enum keeper_op op, const char *path, const char *other, unsigned flags,
	struct keeper_answer *answer)
{
	struct keeper_answer own;
	struct keeper_call call;
	CLEANUP_CLOSE int fd = -1;

	if (fill_call(&call, op, path, other))
		return -1;
	call.flags = flags;
	return ask_keeper(&call, answer ? answer : &own, &fd);
}

int door_open(const char *path, int flags)
{
	if (door_is_shut())
		return ask_fd(KEEPER_OPEN, path, flags, NULL);
	return (flags & O_ACCMODE) == O_RDONLY ? open(path, flags | O_CLOEXEC)
					       : place_open(path, flags);
}

FILE *door_fopen(const char *path)
{
	int fd = door_open(path, O_RDONLY);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!f && fd >= 0)
		close(fd);
	return f;
}

int door_stat(const char *path, struct stat *ret)
{
	struct keeper_answer answer;

	if (!door_is_shut())
		return stat(path, ret);
	if (ask_plain(KEEPER_STAT, path, "", 0, &answer))
		return -1;
	*ret = answer.st;
	return 0;
}

char *door_realpath(const char *path)
{
	struct keeper_answer answer;

	if (!door_is_shut())
		return realpath(path, NULL);
	if (ask_plain(KEEPER_REALPATH, path, "", 0, &answer))
		return NULL;
	return strndup(answer.text, sizeof(answer.text));
}

int door_mkdir(const char *path)
{
	return door_is_shut() ? ask_plain(KEEPER_MKDIR, path, "", 0, NULL) : place_mkdir(path);
}

/* A file system without O_TMPFILE. */
static int temp_named(const char *dir)
{
	CLEANUP_FREE char *name = NULL;
	int fd;

	if (asprintf(&name, "%s/xbdsnap-XXXXXX", dir) < 0) {
		name = NULL;
		errno = ENOMEM;
		return -1;
	}
	fd = mkostemp(name, O_CLOEXEC);
	if (fd >= 0)
		unlink(name);
	return fd;
}

const char *door_temp_folder(void)
{
	const char *dir = getenv("TMPDIR");

	return dir && *dir ? dir : "/var/tmp";
}

int door_temp(void)
{
	const char *dir = door_temp_folder();
	int fd;

	if (door_is_shut())
		return ask_fd(KEEPER_TEMP, "", 0, NULL);
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
	return fd >= 0 ? fd : temp_named(dir);
}

int door_create_beside(const char *path, char **name)
{
	struct keeper_answer answer;
	int fd;

	*name = NULL;
	if (!door_is_shut())
		return place_create_beside(path, name);
	fd = ask_fd(KEEPER_CREATE_BESIDE, path, 0, &answer);
	if (fd < 0)
		return -1;
	*name = strndup(answer.text, sizeof(answer.text));
	if (*name)
		return fd;
	close(fd);
	return -1;
}

int door_rename(const char *from, const char *to, unsigned flags)
{
	return door_is_shut() ? ask_plain(KEEPER_RENAME, from, to, flags, NULL)
			      : place_rename(from, to, flags);
}

int door_link(const char *from, const char *to)
{
	return door_is_shut() ? ask_plain(KEEPER_LINK, from, to, 0, NULL) : place_link(from, to);
}

int door_unlink(const char *path)
{
	return door_is_shut() ? ask_plain(KEEPER_UNLINK, path, "", 0, NULL) : place_unlink(path);
}

int door_open_folder_of(const char *path)
{
	return door_is_shut() ? ask_fd(KEEPER_OPEN_FOLDER, path, 0, NULL) : place_open_folder(path);
}

int door_disk_use(const char *path, bool image)
{
	struct keeper_answer answer;

	return ask_plain(KEEPER_DISK_USE, path, "", image, &answer) ? -1 : answer.value;
}

int door_journal(const char *path)
{
	return door_is_shut() ? ask_fd(KEEPER_JOURNAL, path, 0, NULL) : journal_connect(path, NULL);
}

int door_serve_image(const char *path, const char *format)
{
	struct keeper_answer own;
	struct keeper_call call;
	int fd;

	if (fill_call(&call, KEEPER_SERVE_IMAGE, path, format) || ask_keeper(&call, &own, &fd))
		return -1;
	return fd;
}

int door_prober(void)
{
	return ask_fd(KEEPER_PROBER, "", 0, NULL);
}

int door_order(void)
{
	return ask_fd(KEEPER_ORDER, "", 0, NULL);
}

int door_carry_out(void)
{
	return ask_fd(KEEPER_CARRY_OUT, "", 0, NULL);
}

/* The reason is the keeper's. */
static int ask_hold(enum keeper_op op, uint64_t *ret_ns, struct err *err)
{
	struct keeper_answer answer = {0};

	if (!ask_plain(op, "", "", 0, &answer)) {
		*ret_ns = answer.amount;
		return 0;
	}
	if (!answer.text[0])
		return err_sys(err, "cannot ask for a pause");
	err_set(err, (enum err_class)answer.value, "%.*s", (int)sizeof(answer.text), answer.text);
	if (err)
		err->sys_errno = answer.number;
	return -1;
}

int door_hold_begin(struct err *err)
{
	uint64_t none;

	return ask_hold(KEEPER_HOLD, &none, err);
}

int door_hold_end(uint64_t *ret_ns, struct err *err)
{
	return ask_hold(KEEPER_RELEASE, ret_ns, err);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

/* As many as Linux itself follows. */
#define MAX_LINKS 40u
#define TRIES	  100u

/* ---- the walk ----------------------------------------------------------------------------- */

static int enter_path(int from, const char *path, unsigned *links);

static bool may_be_planted(const struct stat *folder, const struct stat *link)
{
	return folder->st_mode & S_IWOTH || (link->st_uid && link->st_uid != geteuid());
}

/* Where the link leads, in text[PATH_MAX]. What is asked and what is read is one and the same. */
static int read_link(int folder, const char *name, char *text)
{
	CLEANUP_CLOSE int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat in, st;
	ssize_t n;

	if (fd < 0 || fstat(folder, &in) || fstat(fd, &st))
		return -1;
	if (!S_ISLNK(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	if (may_be_planted(&in, &st)) {
		errno = ELOOP;
		return -1;
	}
	n = readlinkat(fd, "", text, PATH_MAX - 1);
	if (n >= 0)
		text[n] = '\0';
	return n < 0 ? -1 : 0;
}

static int enter_link(int from, const char *name, unsigned *links)
{
	char text[PATH_MAX];

	if (++*links > MAX_LINKS)
		errno = ELOOP;
	else if (!read_link(from, name, text))
		return enter_path(from, text, links);
	close(from);
	return -1;
}

/* Takes `from`. */
static int enter_folder(int from, const char *name, unsigned *links)
{
	int next = openat(from, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (next < 0 && (errno == ENOTDIR || errno == ELOOP))
		return enter_link(from, name, links);
	close(from);
	return next;
}

/* Takes `from`. */
static int enter_path(int from, const char *path, unsigned *links)
{
	char name[NAME_MAX + 1];

	if (*path == '/') {
		close(from);
		from = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	while (from >= 0 && *(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		if (len > NAME_MAX) {
			close(from);
			errno = ENAMETOOLONG;
			return -1;
		}
		memcpy(name, path, len);
		name[len] = '\0';
		from = enter_folder(from, name, links);
		path += len;
	}
	return from;
}

/* The folder, and the name in it: "." of one that has none. */
static int find_folder(const char *path, char name[NAME_MAX + 1])
{
	CLEANUP_FREE char *folder = NULL;
	size_t end = strlen(path), start;
	unsigned links = 0;

	while (end && path[end - 1] == '/')
		end--;
	for (start = end; start && path[start - 1] != '/'; start--)
		;
	if (end - start > NAME_MAX || !*path) {
		errno = *path ? ENAMETOOLONG : ENOENT;
		return -1;
	}
	memcpy(name, path + start, end - start);
	name[end - start] = '\0';
	if (end == start)
		strcpy(name, ".");
	folder = strndup(path, start);
	if (!folder) {
		errno = ENOMEM;
		return -1;
	}
	return enter_path(open(".", O_PATH | O_DIRECTORY | O_CLOEXEC), folder, &links);
}

/* ---- what is done there ------------------------------------------------------------------- */

/* A device or a pipe may be named by a link that is ours. */
int place_open(const char *path, int flags)
{
	char name[NAME_MAX + 1], text[PATH_MAX];
	CLEANUP_CLOSE int folder = find_folder(path, name);
	int fd;

	if (folder < 0)
		return -1;
	fd = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 || errno != ELOOP || read_link(folder, name, text))
		return fd;
	return openat(folder, name, (flags | O_CLOEXEC) & ~O_NOFOLLOW);
}

static int create_file(int folder, const char *name)
{
	return openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		S_IRUSR | S_IWUSR);
}

int place_create(const char *path)
{
	char name[NAME_MAX + 1];
	CLEANUP_CLOSE int folder = find_folder(path, name);

	return folder < 0 ? -1 : create_file(folder, name);
}

/* The last component of a path that we made. */
static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* "PATH.", and what nobody guesses. */
static char *invent_name(const char *path)
{
	size_t end = strlen(path);
	uint32_t any;
	char *name;

	while (end > 1 && path[end - 1] == '/')
		end--;
	if (getrandom(&any, sizeof(any), 0) != sizeof(any) ||
		asprintf(&name, "%.*s.%08" PRIx32, (int)end, path, any) < 0)
		return NULL;
	return name;
}

int place_create_beside(const char *path, char **ret_name)
{
	char name[NAME_MAX + 1];
	CLEANUP_CLOSE int folder = find_folder(path, name);
	unsigned i;

	for (i = 0; folder >= 0 && i < TRIES; i++) {
		CLEANUP_FREE char *temp = invent_name(path);
		int fd = temp ? create_file(folder, name_of(temp)) : -1;

		if (fd >= 0)
			*ret_name = take(temp);
		if (fd >= 0 || !temp || errno != EEXIST)
			return fd;
	}
	return -1;
}

int place_mkdir(const char *path)
{
	char name[NAME_MAX + 1];
	CLEANUP_CLOSE int folder = find_folder(path, name);

	return folder < 0 ? -1 : mkdirat(folder, name, S_IRWXU);
}

/* renameat2(2), which not every C library has a function for. */
int place_rename(const char *from, const char *to, unsigned flags)
{
	char name[NAME_MAX + 1];
	CLEANUP_CLOSE int folder = find_folder(to, name);

	return folder < 0 ? -1
			  : (int)syscall(SYS_renameat2, folder, name_of(from), folder, name, flags);
}

int place_link(const char *from, const char *to)
{
	char name[NAME_MAX + 1];
	CLEANUP_CLOSE int folder = find_folder(to, name);

	return folder < 0 ? -1 : linkat(folder, name_of(from), folder, name, 0);
}

int place_unlink(const char *path)
{
	char name[NAME_MAX + 1];
	CLEANUP_CLOSE int folder = find_folder(path, name);

	return folder < 0 ? -1 : unlinkat(folder, name, 0);
}

int place_open_folder(const char *path)
{
	char name[NAME_MAX + 1];
	CLEANUP_CLOSE int folder = find_folder(path, name);

	return folder < 0 ? -1 : openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int place_error(struct err *err, const char *what, const char *path)
{
	if (errno != ELOOP)
		return err_sys(err, "%s %s", what, path);
	return err_set(err, ERR_REFUSED,
		"%s %s: a symbolic link on its way may be somebody else's, and is not followed",
		what, path);
}

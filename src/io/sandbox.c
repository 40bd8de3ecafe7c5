/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/limits.h"
#include "io/syscalls.h"

/* A build with the address sanitizer looks for leaks by a tracing thread and /proc, and its
 * bookkeeping takes terabytes of address space. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

const char *sandbox_layer_name(unsigned layer)
{
	switch (layer) {
	case SANDBOX_SECCOMP:
		return "seccomp";
	case SANDBOX_LANDLOCK:
		return "Landlock";
	case SANDBOX_PRIVILEGE:
		return "no capabilities";
	default:
		return "nothing";
	}
}

/* ---- Landlock ------------------------------------------------------------------------------ */

/* The rights that each version added, of linux/landlock.h; headers may be older than the kernel. */
#define FS_RIGHTS_1 ((1ull << 13) - 1) /* execute ... make_sym */
#define FS_REFER    (1ull << 13)       /* version 2 */
#define FS_TRUNCATE (1ull << 14)       /* version 3 */
#define FS_IOCTL    (1ull << 15)       /* version 5: ioctl() of devices opened from now on */
#define NET_TCP	    3ull	       /* version 4: bind and connect */
#define SCOPES	    3ull	       /* version 6: abstract sockets, signals */

struct ruleset {
	uint64_t fs, net, scoped;
};

static int landlock_version(void)
{
	long v = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return v > 0 ? (int)v : 0;
}

/* No rule at all: nothing of what is handled is allowed. */
static bool enter_landlock(void)
{
	int version = landlock_version();
	struct ruleset set = {.fs = FS_RIGHTS_1 | (version >= 2 ? FS_REFER : 0) |
				    (version >= 3 ? FS_TRUNCATE : 0) |
				    (version >= 5 ? FS_IOCTL : 0),
		.net = version >= 4 ? NET_TCP : 0,
		.scoped = version >= 6 ? SCOPES : 0};
	size_t bytes = version >= 6 ? 24 : version >= 4 ? 16 : 8;
	CLEANUP_CLOSE int fd = -1;

	if (!version)
		return false;
	fd = (int)syscall(SYS_landlock_create_ruleset, &set, bytes, 0);
	return fd >= 0 && !syscall(SYS_landlock_restrict_self, fd, 0);
}

/* ---- capabilities --------------------------------------------------------------------------- */

static bool drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return !syscall(SYS_capset, &head, none);
}

/* ---- all ------------------------------------------------------------------------------------ */

int sandbox_enter(enum sandbox_kind kind, unsigned *ret, struct err *err)
{
	*ret = 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_sys(err, "cannot give up new privileges");
	/* A core of this process would hold the guest's memory. */
	(void)prctl(PR_SET_DUMPABLE, SANITIZED, 0, 0, 0);
	if (!SANITIZED && enter_landlock())
		*ret |= SANDBOX_LANDLOCK;
	if (drop_capabilities())
		*ret |= SANDBOX_PRIVILEGE;
	if (!syscalls_available())
		return 0;
	if (syscalls_confine(kind, err))
		return -1;
	*ret |= SANDBOX_SECCOMP;
	return 0;
}

unsigned sandbox_try(enum sandbox_kind kind)
{
	pid_t child = fork();
	unsigned layers;
	int status;

	if (!child)
		_exit(sandbox_enter(kind, &layers, NULL) ? 0 : (int)layers);
	while (child > 0 && waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return child > 0 && WIFEXITED(status) ? (unsigned)WEXITSTATUS(status) : 0;
}

bool sandbox_bounds_memory(void)
{
	return !SANITIZED;
}

/* ---- bounds --------------------------------------------------------------------------------- */

/* Inputs may be opened by several threads. */
static struct {
	pthread_mutex_t lock;
	unsigned unpacking; /* inputs that are being unpacked */
	uint64_t room;	    /* what their windows were given, beside the inputs' */
} bounds = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* What the program itself takes comes with the first of what is bounded. */
static void begin_bound(struct rlimit *limit, uint64_t base)
{
	if (limit->rlim_cur == RLIM_INFINITY)
		limit->rlim_cur = MIN(base, (uint64_t)limit->rlim_max);
}

static void give_room(struct rlimit *limit, uint64_t bytes)
{
	bytes = MIN(bytes, (uint64_t)(limit->rlim_max - limit->rlim_cur));
	limit->rlim_cur += bytes;
	bounds.room += bytes;
}

static void bound_resource(int resource, uint64_t base, uint64_t more)
{
	struct rlimit now;

	pthread_mutex_lock(&bounds.lock);
	if (!getrlimit(resource, &now)) {
		begin_bound(&now, base);
		now.rlim_cur += MIN(more, (uint64_t)(now.rlim_max - now.rlim_cur));
		(void)setrlimit(resource, &now);
	}
	pthread_mutex_unlock(&bounds.lock);
}

void sandbox_begin_unpacking(void)
{
	struct rlimit now;

	if (SANITIZED)
		return;
	pthread_mutex_lock(&bounds.lock);
	bounds.unpacking++;
	if (!getrlimit(RLIMIT_DATA, &now)) {
		begin_bound(&now, LIMIT_MEMORY_BYTES);
		give_room(&now, LIMIT_UNPACK_MEMORY);
		(void)setrlimit(RLIMIT_DATA, &now);
	}
	pthread_mutex_unlock(&bounds.lock);
}

void sandbox_end_unpacking(void)
{
	struct rlimit now;

	if (SANITIZED)
		return;
	pthread_mutex_lock(&bounds.lock);
	if (!--bounds.unpacking && bounds.room && !getrlimit(RLIMIT_DATA, &now)) {
		now.rlim_cur -= bounds.room;
		bounds.room = 0;
		(void)setrlimit(RLIMIT_DATA, &now);
	}
	pthread_mutex_unlock(&bounds.lock);
}

void sandbox_bound(uint64_t input_bytes)
{
	uint64_t bytes = MIN(input_bytes, (uint64_t)1 << 50);

	if (!SANITIZED)
		bound_resource(RLIMIT_DATA, LIMIT_MEMORY_BYTES, LIMIT_MEMORY_A_BYTE * bytes);
	bound_resource(RLIMIT_CPU, LIMIT_SECONDS, bytes / LIMIT_BYTES_A_SECOND);
}

void sandbox_bound_live(uint64_t pages)
{
	uint64_t bytes = LIMIT_LIVE_A_PAGE * MIN(pages, (uint64_t)1 << 50);

	if (!SANITIZED)
		bound_resource(RLIMIT_DATA, LIMIT_MEMORY_BYTES, LIMIT_LIVE_MEMORY + bytes);
}

void sandbox_bound_look(uint64_t pages)
{
	uint64_t bytes = MIN(pages, (uint64_t)1 << 38) * PAGE_BYTES;

	bound_resource(RLIMIT_CPU, LIMIT_SECONDS, 1 + bytes / LIMIT_BYTES_A_SECOND);
}

void sandbox_settle(uint64_t input_bytes, uint64_t pages)
{
	uint64_t given = LIMIT_MEMORY_A_BYTE * MIN(input_bytes, (uint64_t)1 << 50);
	uint64_t wanted = LIMIT_MEMORY_A_PAGE * MIN(pages, (uint64_t)1 << 50);
	struct rlimit now;

	if (SANITIZED || wanted >= given)
		return;
	pthread_mutex_lock(&bounds.lock);
	if (!getrlimit(RLIMIT_DATA, &now) && now.rlim_cur - LIMIT_MEMORY_BYTES >= given) {
		now.rlim_cur -= given - wanted;
		(void)setrlimit(RLIMIT_DATA, &now);
	}
	pthread_mutex_unlock(&bounds.lock);
}

void sandbox_allow_symbols(void)
{
	if (!SANITIZED)
		bound_resource(RLIMIT_DATA, LIMIT_MEMORY_BYTES, LIMIT_SYMBOLS_MEMORY);
}

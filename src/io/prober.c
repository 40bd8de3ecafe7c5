/* SPDX-License-Identifier: BSD-2-Clause */
#include "io/prober.h"

#include <blkid/blkid.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/limits.h"
#include "base/num.h"
#include "io/message.h"
#include "io/sandbox.h"

static void drop_probe(blkid_probe *pr)
{
	blkid_free_probe(*pr);
}

/* ---- file systems and the like ------------------------------------------------------------ */

static void copy_value(blkid_probe pr, const char *name, char *buf, size_t cap)
{
	const char *v;

	if (!blkid_probe_lookup_value(pr, name, &v, NULL))
		snprintf(buf, cap, "%s", v);
}

/* Only file systems count where the guest has one mounted: the remains of a RAID at the end of a
 * disk are common. */
static void look_at_content(blkid_probe pr, enum prober_what what, struct probed *ret)
{
	int rc;

	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(
		pr, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_UUID | BLKID_SUBLKS_LABEL);
	if (what == PROBER_FILE_SYSTEM)
		blkid_probe_filter_superblocks_usage(pr, BLKID_FLTR_ONLYIN, BLKID_USAGE_FILESYSTEM);
	/* 0 found, 1 nothing, negative: several, or it failed. */
	rc = blkid_do_safeprobe(pr);
	ret->unsure = rc < 0;
	if (rc)
		return;
	copy_value(pr, "TYPE", ret->type, sizeof(ret->type));
	copy_value(pr, "UUID", ret->uuid, sizeof(ret->uuid));
	copy_value(pr, "LABEL", ret->label, sizeof(ret->label));
}

/* ---- partitions --------------------------------------------------------------------------- */

static void take_partition(
	struct probed_table *t, blkid_partition p, blkid_parttable root, uint64_t nr_sectors)
{
	struct probed_partition *to = &t->v[t->nr];
	blkid_loff_t start = blkid_partition_get_start(p), nr = blkid_partition_get_size(p);
	int number = blkid_partition_get_partno(p);

	/* Slices within a partition are that one's. */
	if (start < 0 || nr <= 0 || (uint64_t)start >= nr_sectors ||
		blkid_partition_get_table(p) != root)
		return;
	to->start = (uint64_t)start;
	to->nr = MIN((uint64_t)nr, nr_sectors - to->start);
	to->number = number > 0 ? (uint32_t)number : 0;
	to->extended = blkid_partition_is_extended(p);
	t->nr++;
}

static void look_at_table(blkid_probe pr, uint64_t nr_sectors, struct probed_table *ret)
{
	blkid_partlist list;
	blkid_parttable root;
	int i;

	blkid_probe_enable_superblocks(pr, 0);
	blkid_probe_enable_partitions(pr, 1);
	list = blkid_probe_get_partitions(pr);
	root = list ? blkid_partlist_get_table(list) : NULL;
	if (!root || !blkid_parttable_get_type(root))
		return;
	snprintf(ret->type, sizeof(ret->type), "%s", blkid_parttable_get_type(root));
	for (i = 0; i < blkid_partlist_numof_partitions(list) && ret->nr < PROBE_MAX_PARTITIONS;
		i++)
		take_partition(ret, blkid_partlist_get_partition(list, i), root, nr_sectors);
}

void prober_look(const struct prober_call *c, int disk, struct prober_answer *ret)
{
	CLEANUP(drop_probe) blkid_probe pr = blkid_new_probe();

	ret->rc = !pr || blkid_probe_set_device(
				 pr, disk, (blkid_loff_t)c->start, (blkid_loff_t)c->bytes)
			  ? -1
			  : 0;
	if (!ret->rc && c->what == PROBER_TABLE)
		look_at_table(pr, c->sectors, &ret->table);
	else if (!ret->rc)
		look_at_content(pr, (enum prober_what)c->what, &ret->content);
}

/* ---- what is answered --------------------------------------------------------------------- */

static bool is_text(const char *text, size_t cap)
{
	return memchr(text, 0, cap) != NULL;
}

/* Another value than these two is none of the language's. */
static bool is_bool(const bool *b)
{
	uint8_t raw;

	memcpy(&raw, b, 1);
	return raw <= 1;
}

static bool content_sound(const struct probed *p)
{
	return is_text(p->type, sizeof(p->type)) && is_text(p->uuid, sizeof(p->uuid)) &&
	       is_text(p->label, sizeof(p->label)) && is_bool(&p->unsure);
}

static bool table_sound(const struct probed_table *t, uint64_t sectors)
{
	size_t i;

	if (!is_text(t->type, sizeof(t->type)) || t->nr > PROBE_MAX_PARTITIONS)
		return false;
	for (i = 0; i < t->nr; i++)
		if (!t->v[i].nr || !num_range_ok(t->v[i].start, t->v[i].nr, sectors) ||
			!is_bool(&t->v[i].extended))
			return false;
	return true;
}

bool prober_answer_sound(const struct prober_call *c, const struct prober_answer *a)
{
	return c->what == PROBER_TABLE ? table_sound(&a->table, c->sectors)
				       : content_sound(&a->content);
}

/* ---- the process -------------------------------------------------------------------------- */

/* It ends at SIGXCPU. */
static void bound_next(void)
{
	struct rusage used;
	struct rlimit limit;

	if (getrusage(RUSAGE_SELF, &used) || getrlimit(RLIMIT_CPU, &limit))
		_exit(1);
	limit.rlim_cur =
		MIN((rlim_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + LIMIT_PROBE_SECONDS,
			limit.rlim_max);
	if (setrlimit(RLIMIT_CPU, &limit))
		_exit(1);
}

static bool answer_one(int socket)
{
	struct prober_answer a = {0};
	struct prober_call c;
	CLEANUP_CLOSE int disk = -1;

	if (!message_receive(socket, &c, sizeof(c), &disk) || disk < 0)
		return false;
	bound_next();
	prober_look(&c, disk, &a);
	return message_send(socket, &a, sizeof(a), -1);
}

#define PROBER_SOCKET STDIN_FILENO

static void __attribute__((noreturn)) become_prober(int socket)
{
	sigset_t none;
	unsigned layers;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(socket, PROBER_SOCKET) < 0)
		_exit(1);
	/* What the keeper has open is none of its business. */
	close(STDOUT_FILENO);
	util_close_range(STDERR_FILENO + 1, ~0u);
	if (sandbox_enter(SANDBOX_CLOSED, &layers, NULL))
		_exit(1);
	sandbox_bound(0);
	while (answer_one(PROBER_SOCKET))
		;
	_exit(0);
}

int prober_start(pid_t *ret)
{
	const struct timeval longest = {.tv_sec = LIMIT_PROBE_WAIT_SECONDS};
	CLEANUP_CLOSE int theirs = -1;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	theirs = ends[1];
	*ret = setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof(longest)) ? -1
										       : fork();
	if (!*ret)
		become_prober(theirs);
	if (*ret > 0)
		return ends[0];
	*ret = 0;
	close(ends[0]);
	return -1;
}

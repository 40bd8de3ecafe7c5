/* SPDX-License-Identifier: BSD-2-Clause
 *
 * config_disk.c - what the languages of configurations share in how they name a disk
 * (docs/misc/xl-disk-configuration.txt; xend: XenVBDInterface of the wiki and blkif.py).
 */
#include <string.h>

#include "checkpoint/config.h"

#include "base/limits.h"

/* More than any Xen has; bounds what is multiplied by it. */
#define MAX_VCPUS 65536u

struct ckpt_disk *config_add_disk(struct ckpt *ck, bool *full, struct err *err)
{
	struct ckpt_info *info = &ck->info;
	struct ckpt_disk *grown;

	*full = info->nr_disks >= CKPT_MAX_DISKS;
	if (*full) {
		finding_add(&ck->findings, "XB014", finding_anywhere(),
			"the configuration names more than %u disks", CKPT_MAX_DISKS);
		return NULL;
	}
	/* So few that growing one by one costs nothing. */
	grown = reallocarray(info->disks, info->nr_disks + 1, sizeof(*grown));
	if (!grown) {
		err_nomem(err, "the configuration's disks");
		return NULL;
	}
	info->disks = grown;
	memset(&grown[info->nr_disks], 0, sizeof(*grown));
	return &grown[info->nr_disks++];
}

static void drop_head(char *text, size_t n)
{
	memmove(text, text + n, strlen(text + n) + 1);
}

void config_trim_vdev(struct ckpt_disk *d)
{
	char *colon;

	if (!d->vdev)
		return;
	if (!strncmp(d->vdev, "ioemu:", 6))
		drop_head(d->vdev, 6);
	if (!strncmp(d->vdev, "/dev/", 5))
		drop_head(d->vdev, 5);
	colon = strchr(d->vdev, ':');
	if (!colon)
		return;
	d->cdrom |= !strcmp(colon + 1, "cdrom");
	*colon = 0;
}

/* Words that may stand before a path. `format` is what the word says of the image. */
static const struct {
	const char *word, *format;
	bool backend; /* names one */
	bool driver;  /* another word follows */
} prefixes[] = {
	{"phy", NULL, true, false},
	{"file", NULL, true, false},
	{"drbd", NULL, true, false},
	{"nbd", NULL, true, false},
	{"tap", NULL, true, true},
	{"tap2", NULL, true, true},
	{"tapdisk", NULL, false, true},
	{"aio", "raw", false, false},
	{"sync", "raw", false, false},
	{"raw", "raw", false, false},
	{"qcow", "qcow", false, false},
	{"qcow2", "qcow2", false, false},
	{"vhd", "vhd", false, false},
};

static int copy_word(char **to, const char *word, struct err *err)
{
	if (*to)
		return 0;
	*to = strdup(word);
	return *to ? 0 : err_nomem(err, "the configuration");
}

int config_split_target(struct ckpt_disk *d, struct err *err)
{
	size_t i, n;
	bool more = true;

	while (more && d->path && strchr(d->path, ':')) {
		n = (size_t)(strchr(d->path, ':') - d->path);
		for (i = 0; i < ARRAY_SIZE(prefixes); i++)
			if (strlen(prefixes[i].word) == n && !strncmp(d->path, prefixes[i].word, n))
				break;
		if (i == ARRAY_SIZE(prefixes))
			return 0;
		if ((prefixes[i].backend && copy_word(&d->backend, prefixes[i].word, err)) ||
			(prefixes[i].format && copy_word(&d->format, prefixes[i].format, err)))
			return -1;
		drop_head(d->path, n + 1);
		more = prefixes[i].driver;
	}
	return 0;
}

void config_set_vcpus(struct ckpt *ck, const char *text)
{
	uint64_t n;

	if (text && num_parse_u64(text, MAX_VCPUS, &n))
		ck->info.config_vcpus = (unsigned)n;
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "ondisk/content.h"

#include <errno.h>
#include <string.h>

#include "io/probe.h"

static const struct ondisk_fs *const readers[] = {
#ifdef HAVE_EXT2FS
	&ondisk_ext,
#endif
	&ondisk_xfs,
	&ondisk_btrfs,
	&ondisk_swap,
	&ondisk_lvm,
	&ondisk_luks,
};

static const struct ondisk_fs *find_reader(const char *type)
{
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(readers); i++)
		for (k = 0; readers[i]->types[k]; k++)
			if (!strcmp(readers[i]->types[k], type))
				return readers[i];
	return NULL;
}

int content_lose(struct content *c, const struct err *why, struct err *err)
{
	if (why->cls == ERR_SYSTEM && why->sys_errno == ENOMEM)
		return err_nomem(err, "what lies on a disk");
	if (!c->lost)
		c->lost = strdup(why->text);
	return 0;
}

int content_look(
	struct content *c, const struct disk *d, uint64_t start, uint64_t bytes, struct err *err)
{
	struct probed found;
	struct err why;

	*c = (struct content){0};
	if (probe_content(d, start, bytes, PROBE_ANYTHING, &found, &why))
		return content_lose(c, &why, err);
	memcpy(c->type, found.type, sizeof(c->type));
	c->unsure = found.unsure;
	c->fs = find_reader(found.type);
	return 0;
}

int content_open(struct content *c, const struct ondisk_range *asked, size_t nr, struct err *err)
{
	struct err why;

	if (c->fs->open(&c->view, &c->state, &why)) {
		c->state = NULL;
		return content_lose(c, &why, err);
	}
	if (c->fs->prepare && c->fs->prepare(c->state, asked, nr, &why))
		return content_lose(c, &why, err);
	return 0;
}

bool content_tell(
	const struct content *c, uint64_t off, uint64_t bytes, struct meaning *m, uint64_t *ret)
{
	snprintf(m->fs, sizeof(m->fs), "%s", c->type);
	if (c->state) {
		*ret = c->fs->tell(c->state, off, bytes, m);
		return true;
	}
	m->lost = strdup(c->lost       ? c->lost
			 : c->unsure   ? "it looks like several things at once"
			 : !c->type[0] ? "nothing known is there"
				       : "nobody here can read it");
	*ret = bytes;
	return false;
}

void content_close(struct content *c)
{
	if (c->state)
		c->fs->close(c->state);
	free(c->lost);
	*c = (struct content){0};
}

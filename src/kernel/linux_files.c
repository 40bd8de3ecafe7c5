/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A path is put together from its end: from the dentry to the root of its file system, from there
 * to the dentry that it is mounted on, and so on (fs/d_path.c).
 */
#include "kernel/linux_files.h"

#include <string.h>

#define MAX_PARTS  256u /* PATH_MAX is 4096 */
#define MAX_MOUNTS 64u	/* on top of each other */
#define MAX_NAME   255u /* NAME_MAX */
#define MAX_PATH   8192u
/* include/uapi/linux/stat.h */
#define S_IFMT_MASK 0170000u
#define S_IFBLK_IS  0060000u

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct linux_files_layout, dest), false                     \
	}

static const struct field_spec specs[] = {
	MAY("address_space", "host", host),
	MAY("inode", "i_mapping", i_mapping),
	MAY("inode", "i_data", i_data),
	MAY("inode", "i_sb", i_sb),
	MAY("inode", "i_ino", i_ino),
	MAY("inode", "i_mode", i_mode),
	MAY("inode", "i_dentry.first", i_dentry),
	MAY("super_block", "s_type", s_type),
	MAY("super_block", "s_mounts", s_mounts_pointer), /* since 6.18 */
	MAY("super_block", "s_mounts.next", s_mounts),	  /* until then a list */
	MAY("file_system_type", "name", type_name),
	MAY("dentry", "d_parent", d_parent),
	MAY("dentry", "d_name.name", d_name),
	MAY("dentry", "d_name.len", d_len),
	MAY("dentry", "d_inode", d_inode),
	MAY("dentry", "d_alias", d_alias),
	MAY("dentry", "d_u.d_alias", d_alias_in_union), /* until 7.0 */
	MAY("dentry", "d_hash.pprev", d_hash),
	MAY("file", "f_inode", f_inode),
	MAY("file", "f_path.dentry", f_dentry),
	MAY("file", "f_path.mnt", f_mnt),
	MAY("mount", "mnt", m_mnt),
	MAY("mount", "mnt_parent", m_parent),
	MAY("mount", "mnt_mountpoint", m_point),
	MAY("mount", "mnt_instance", m_instance), /* until 6.17 */
	MAY("mount", "mnt.mnt_root", m_root),
	MAY("bdev_inode", "bdev", bi_bdev),
	MAY("bdev_inode", "vfs_inode", bi_inode),
};

void linux_files_init(struct linux_files *f, const struct linux_kernel *k)
{
	*f = (struct linux_files){.k = k};
	if (k->types)
		layout_fill_known(k->types, specs, ARRAY_SIZE(specs), &f->l);
}

/* ---- inodes ------------------------------------------------------------------------------- */

static bool read_inode(const struct linux_files *f, uint64_t inode, struct linux_inode *ret)
{
	struct guest *g = f->k->g;
	uint64_t type, name, mode;

	*ret = (struct linux_inode){.at = inode};
	ret->sb = layout_pointer(f->k->g, inode, &f->l.i_sb);
	type = ret->sb ? layout_pointer(f->k->g, ret->sb, &f->l.s_type) : 0;
	name = type ? layout_pointer(f->k->g, type, &f->l.type_name) : 0;
	if (!name || guest_read_str(g, GVA(name), ret->fs, sizeof(ret->fs), NULL) ||
		layout_read(g, GVA(inode), &f->l.i_ino, &ret->ino, NULL) ||
		layout_read(g, GVA(inode), &f->l.i_mode, &mode, NULL))
		return false;
	if (!strcmp(ret->fs, "bdev")) {
		ret->kind = LINUX_INODE_BDEV;
		if (f->l.bi_inode.present && f->l.bi_bdev.present)
			ret->bdev = inode - f->l.bi_inode.off + f->l.bi_bdev.off;
	} else if ((mode & S_IFMT_MASK) == S_IFBLK_IS) {
		ret->kind = LINUX_INODE_BNODE;
	}
	return true;
}

bool linux_inode_of_mapping(const struct linux_files *f, uint64_t mapping, struct linux_inode *ret)
{
	uint64_t host = layout_pointer(f->k->g, mapping, &f->l.host);

	return host && f->l.i_data.present &&
	       (host + f->l.i_data.off == mapping ||
		       layout_pointer(f->k->g, host, &f->l.i_mapping) == mapping) &&
	       read_inode(f, host, ret);
}

bool linux_inode_of_file(const struct linux_files *f, uint64_t file, struct linux_inode *ret)
{
	uint64_t inode = layout_pointer(f->k->g, file, &f->l.f_inode);

	return inode && read_inode(f, inode, ret);
}

/* ---- paths -------------------------------------------------------------------------------- */

struct path_walk {
	const struct linux_files *f;
	uint64_t mount; /* its struct mount; 0 unknown */
	char text[MAX_PATH];
	size_t at; /* where the text begins: it grows towards the front */
	bool whole;
};

static bool put_name(struct path_walk *w, uint64_t dentry)
{
	const struct linux_files *f = w->f;
	uint64_t name = layout_pointer(f->k->g, dentry, &f->l.d_name);
	uint64_t len = layout_read_or(f->k->g, GVA(dentry), &f->l.d_len, 0);

	if (!name || !len || len > MAX_NAME || len + 1 > w->at)
		return false;
	w->at -= len;
	if (guest_read(f->k->g, GVA(name), w->text + w->at, len, NULL) ||
		memchr(w->text + w->at, 0, len))
		return false;
	w->text[--w->at] = '/';
	return true;
}

/* To the dentry that the file system of `w->mount` is mounted on. 0: it is the system's root. */
static uint64_t cross_mount(struct path_walk *w)
{
	const struct linux_files *f = w->f;
	uint64_t parent = w->mount ? layout_pointer(f->k->g, w->mount, &f->l.m_parent) : 0, dentry;

	if (!parent || parent == w->mount) {
		w->whole = parent != 0;
		return 0;
	}
	dentry = layout_pointer(f->k->g, w->mount, &f->l.m_point);
	w->mount = parent;
	return dentry;
}

/* False: it does not lead to a root. */
static bool climb_path(struct path_walk *w, uint64_t dentry)
{
	const struct linux_files *f = w->f;
	unsigned parts = 0, mounts = 0;

	while (dentry) {
		uint64_t parent = layout_pointer(f->k->g, dentry, &f->l.d_parent);

		if (!parent || parts++ == MAX_PARTS)
			return false;
		if (parent == dentry ||
			(w->mount && layout_pointer(f->k->g, w->mount, &f->l.m_root) == dentry)) {
			if (mounts++ == MAX_MOUNTS)
				return false;
			dentry = cross_mount(w);
			continue;
		}
		if (!put_name(w, dentry))
			return false;
		dentry = parent;
	}
	return true;
}

static void make_path(
	const struct linux_files *f, uint64_t dentry, uint64_t mount, struct linux_path *ret)
{
	struct path_walk w = {.f = f, .mount = mount, .at = MAX_PATH - 1};

	*ret = (struct linux_path){0};
	if (!dentry || !climb_path(&w, dentry))
		return;
	if (w.at == MAX_PATH - 1)
		w.text[--w.at] = '/';
	ret->text = strdup(w.text + w.at);
	ret->whole = w.whole;
	ret->deleted = f->l.d_hash.present &&
		       layout_pointer(f->k->g, dentry, &f->l.d_parent) != dentry &&
		       !layout_read_or(f->k->g, GVA(dentry), &f->l.d_hash, 1);
}

/* Where a file system is mounted: the kernel's newest mount of it. */
static uint64_t mount_of(const struct linux_files *f, uint64_t sb)
{
	uint64_t node;

	if (f->l.m_instance.present) {
		node = layout_pointer(f->k->g, sb, &f->l.s_mounts);
		return !node || node == sb + f->l.s_mounts.off ? 0 : node - f->l.m_instance.off;
	}
	return layout_pointer(f->k->g, sb, &f->l.s_mounts_pointer);
}

void linux_inode_path(
	const struct linux_files *f, const struct linux_inode *in, struct linux_path *ret)
{
	const struct field *alias = f->l.d_alias.present ? &f->l.d_alias : &f->l.d_alias_in_union;
	uint64_t node = layout_pointer(f->k->g, in->at, &f->l.i_dentry), dentry = 0;

	if (node && alias->present)
		dentry = node - alias->off;
	if (dentry && layout_pointer(f->k->g, dentry, &f->l.d_inode) != in->at)
		dentry = 0;
	make_path(f, dentry, mount_of(f, in->sb), ret);
}

void linux_file_path(const struct linux_files *f, uint64_t file, struct linux_path *ret)
{
	uint64_t mnt = layout_pointer(f->k->g, file, &f->l.f_mnt);

	make_path(f, layout_pointer(f->k->g, file, &f->l.f_dentry),
		mnt && f->l.m_mnt.present ? mnt - f->l.m_mnt.off : 0, ret);
}

/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_btrfs.h"

#include "io/btrfs_super.h"

#define MAX_DEVICES 256u

struct btrfs_layout {
	/* struct btrfs_fs_info, btrfs_fs_devices, btrfs_device */
	struct field for_commit, committed, fs_devices;
	struct field devices, dev_list, bdev;
};

#define MAY(type, member, dest)                                                                    \
	{                                                                                          \
		type, member, offsetof(struct btrfs_layout, dest), false                           \
	}

static const struct field_spec specs[] = {
	MAY("btrfs_fs_info", "super_for_commit", for_commit),
	MAY("btrfs_fs_info", "last_trans_committed", committed),
	MAY("btrfs_fs_info", "fs_devices", fs_devices),
	MAY("btrfs_fs_devices", "devices", devices),
	MAY("btrfs_device", "dev_list", dev_list),
	MAY("btrfs_device", "bdev", bdev),
};

static void each_device(const struct linux_kernel *k, const struct btrfs_layout *l, uint64_t info,
	void (*fn)(void *arg, uint64_t bdev), void *arg)
{
	uint64_t devices = layout_pointer(k->g, info, &l->fs_devices), head, node, bdev;
	unsigned i;

	if (!devices || !l->devices.present || !l->dev_list.present)
		return;
	node = head = devices + l->devices.off;
	for (i = 0; i < MAX_DEVICES; i++) {
		if (guest_read_word(k->g, GVA(node), &node, NULL) || node == head ||
			!guest_is_kernel_addr(k->g, node))
			return;
		bdev = layout_pointer(k->g, node - l->dev_list.off, &l->bdev);
		if (bdev)
			fn(arg, bdev);
	}
}

static void read_transactions(const struct linux_kernel *k, const struct btrfs_layout *l,
	uint64_t info, struct mounted_fs *fs)
{
	uint64_t at = layout_pointer(k->g, info, &l->for_commit);
	uint8_t raw[BTRFS_SUPER_BYTES];
	struct btrfs_super super;

	if (!at || guest_read(k->g, GVA(at), raw, sizeof(raw), NULL) ||
		!btrfs_super_parse(raw, &super) ||
		layout_read(k->g, GVA(info), &l->committed, &fs->committed, NULL)) {
		fs->committed = FS_UNKNOWN_U64;
		return;
	}
	fs->written = super.generation;
}

void linux_btrfs_read(const struct linux_kernel *k, uint64_t info, struct mounted_fs *fs,
	void (*fn)(void *arg, uint64_t bdev), void *arg)
{
	CLEANUP(linux_module_close) struct linux_module m;
	struct btrfs_layout l = {0};
	const struct layout *types;

	linux_module_open(k, "btrfs", &m);
	types = m.types ? m.types : k->types;
	layout_fill_known(types, specs, ARRAY_SIZE(specs), &l);
	read_transactions(k, &l, info, fs);
	each_device(k, &l, info, fn, arg);
}

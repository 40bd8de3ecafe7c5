/* SPDX-License-Identifier: BSD-2-Clause */
#include "frontend/meaning.h"

const char *meaning_kind_name(enum meaning_kind kind)
{
	static const char *const names[] = {
		[MEANING_UNKNOWN] = "unknown",
		[MEANING_TABLE] = "partition table",
		[MEANING_TABLE_BACKUP] = "backup partition table",
		[MEANING_GAP] = "unpartitioned",
		[MEANING_BOOT] = "boot block",
		[MEANING_SUPER] = "superblock",
		[MEANING_SUPER_BACKUP] = "backup superblock",
		[MEANING_GROUPS] = "group descriptors",
		[MEANING_GROUPS_BACKUP] = "backup group descriptors",
		[MEANING_RESERVED] = "reserved",
		[MEANING_BLOCK_BITMAP] = "block bitmap",
		[MEANING_INODE_BITMAP] = "inode bitmap",
		[MEANING_INODES] = "inode table",
		[MEANING_JOURNAL] = "journal",
		[MEANING_DIRECTORY] = "directory",
		[MEANING_FILE] = "file data",
		[MEANING_FILE_MAP] = "block map",
		[MEANING_ATTRIBUTES] = "extended attributes",
		[MEANING_QUOTA] = "quota",
		[MEANING_METADATA] = "metadata",
		[MEANING_SPACE_HEADERS] = "allocation group headers",
		[MEANING_BEHIND] = "behind the end",
		[MEANING_FREE] = "free space",
		[MEANING_SWAP_HEADER] = "swap header",
		[MEANING_SWAP] = "swap",
		[MEANING_VOLUME_LABEL] = "LVM label",
		[MEANING_VOLUME_METADATA] = "LVM metadata",
		[MEANING_CRYPT_HEADER] = "LUKS header",
		[MEANING_CRYPT] = "encrypted data",
		[MEANING_DEVICE] = "device",
	};

	return names[kind];
}

const char *meaning_fate_name(enum meaning_fate fate)
{
	static const char *const names[] = {
		[MEANING_AS_KIND] = NULL,
		[MEANING_REPLAYED] = "replayed",
		[MEANING_UNMAPPED] = "unmapped",
		[MEANING_UNWRITTEN] = "unwritten",
	};

	return names[fate];
}

void meaning_init(struct meaning *m)
{
	*m = (struct meaning){.inode = MEANING_UNKNOWN_U64, .position = MEANING_UNKNOWN_U64};
}

void meaning_fini(struct meaning *m)
{
	free(m->detail);
	free(m->path);
	free(m->lost);
	meaning_init(m);
}

int meaning_append(struct meaning **array, size_t *nr, struct meaning *m)
{
	struct meaning *to = util_append_zeroed(array, nr, sizeof(*to));

	if (!to)
		return -1;
	*to = *m;
	meaning_init(m);
	return 0;
}

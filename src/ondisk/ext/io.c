/* SPDX-License-Identifier: BSD-2-Clause
 *
 * What libext2fs reads through: never a file by its name, and never a write.
 */
#include "ondisk/ext/ext.h"

#include <inttypes.h>

#include "base/num.h"

/* An io_manager has no argument of its own but the name of what it opens. */
void ext_io_name(const struct view *v, char name[EXT_IO_NAME_BYTES])
{
	snprintf(name, EXT_IO_NAME_BYTES, "%" PRIuPTR, (uintptr_t)v);
}

static errcode_t open_view(const char *name, int flags, io_channel *ret)
{
	io_channel c;
	uint64_t at;

	if (flags & IO_FLAG_RW || !num_parse_u64(name, UINTPTR_MAX, &at))
		return EXT2_ET_RO_FILSYS;
	c = calloc(1, sizeof(*c));
	if (!c)
		return EXT2_ET_NO_MEMORY;
	c->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	c->manager = &ext_io;
	c->block_size = 1024;
	c->refcount = 1;
	c->private_data = (void *)(uintptr_t)at;
	*ret = c;
	return 0;
}

static errcode_t close_view(io_channel c)
{
	if (!--c->refcount)
		free(c);
	return 0;
}

static errcode_t set_block_bytes(io_channel c, int bytes)
{
	c->block_size = bytes;
	return 0;
}

/* A negative count is of bytes. */
static errcode_t read_blocks(io_channel c, unsigned long long block, int count, void *buf)
{
	uint64_t off,
		bytes = count < 0 ? -(uint64_t)count : (uint64_t)count * (uint64_t)c->block_size;

	if (!num_mul(block, (uint64_t)c->block_size, &off) ||
		view_read(c->private_data, off, buf, (size_t)bytes, NULL))
		return EXT2_ET_SHORT_READ;
	return 0;
}

static errcode_t read_blocks_32(io_channel c, unsigned long block, int count, void *buf)
{
	return read_blocks(c, block, count, buf);
}

static errcode_t refuse_write(
	io_channel c UNUSED, unsigned long block UNUSED, int count UNUSED, const void *buf UNUSED)
{
	return EXT2_ET_RO_FILSYS;
}

static errcode_t refuse_write_64(io_channel c UNUSED, unsigned long long block UNUSED,
	int count UNUSED, const void *buf UNUSED)
{
	return EXT2_ET_RO_FILSYS;
}

static errcode_t flush_nothing(io_channel c UNUSED)
{
	return 0;
}

struct struct_io_manager ext_io = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "view",
	.open = open_view,
	.close = close_view,
	.set_blksize = set_block_bytes,
	.read_blk = read_blocks_32,
	.write_blk = refuse_write,
	.flush = flush_nothing,
	.read_blk64 = read_blocks,
	.write_blk64 = refuse_write_64,
};

/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/linux_slide.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"

/* The notes of a kernel have some hundred bytes: Xen's and the build id. */
#define MAX_NOTES_BYTES	 PAGE_BYTES
#define FUNCTIONS_ENOUGH 8u

/*
 * Functions (and ends of code) of kernels of every age, from all over the image: two builds that
 * have the same code up to each of them are the same build.
 */
static const char *const functions[] = {"_stext", "_etext", "_sinittext", "_einittext",
	"start_kernel", "panic", "do_exit", "schedule", "kfree", "vfree", "vfs_read", "vfs_write",
	"inode_init_once", "dput", "bio_endio", "submit_bio", "blk_execute_rq", "device_register",
	"kobject_put", "vsnprintf", "simple_strtoul", "memparse", "netif_rx", "kfree_skb",
	"register_netdevice", "crc32_le", "__kmalloc", "wake_up_process"};

static bool get_symbol(const struct symbols *s, const char *name, gva_t *ret)
{
	return !symbols_get(s, name, ret, NULL);
}

/* The build id of the kernel in memory. */
static bool read_build_id(
	struct guest *g, const struct symbols *file, uint64_t slide, struct build_id *ret)
{
	uint8_t notes[MAX_NOTES_BYTES];
	gva_t start, stop;

	return get_symbol(file, "__start_notes", &start) &&
	       get_symbol(file, "__stop_notes", &stop) && stop.v > start.v &&
	       stop.v - start.v <= sizeof(notes) &&
	       !guest_read(g, gva_add(start, slide), notes, stop.v - start.v, NULL) &&
	       build_id_in_notes(notes, stop.v - start.v, ret);
}

int linux_check_file(struct guest *g, const struct symbols *file, uint64_t slide, bool *ret_by_id,
	struct err *err)
{
	static const char banner[] = "Linux version ";
	const struct build_id *id = symbols_build_id(file);
	struct build_id here;
	char text[sizeof(banner)];
	bool by_id;
	gva_t at;

	if (symbols_get(file, "linux_banner", &at, err))
		return -1;
	at = gva_add(at, slide);
	if (guest_read(g, at, text, sizeof(banner) - 1, err))
		return -1;
	if (memcmp(text, banner, sizeof(banner) - 1))
		return err_set(err, ERR_NOTFOUND, "no banner at linux_banner, 0x%" PRIx64, at.v);
	by_id = id && read_build_id(g, file, slide, &here);
	if (by_id && (here.bytes != id->bytes || memcmp(here.v, id->v, id->bytes)))
		return err_set(err, ERR_CORRUPT, "its build id is another one than the guest's");
	if (ret_by_id)
		*ret_by_id = by_id;
	return 0;
}

static int compare_functions(const struct symbols *file, const struct symbols *image,
	struct linux_slide *ret, struct err *why)
{
	gva_t here, there;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		if (!get_symbol(image, functions[i], &here) ||
			!get_symbol(file, functions[i], &there))
			continue;
		if (!ret->functions++)
			ret->by = here.v - there.v;
		else if (here.v - there.v != ret->by)
			return err_set(why, ERR_CORRUPT,
				"its functions do not lie as the guest's do: %s is where no common "
				"shift would put it",
				functions[i]);
	}
	if (ret->functions < FUNCTIONS_ENOUGH)
		return err_set(why, ERR_NOTFOUND,
			"of the functions that are compared, %u are in both, and %u are needed",
			ret->functions, FUNCTIONS_ENOUGH);
	return 0;
}

/*
 * CONFIG_PHYSICAL_ALIGN (arch/x86/Kconfig), by which a relocatable kernel is placed: at least 2 MiB
 * with 64 bits, 8 KiB with 32. Only what lies between _text and _end is relocated: the offsets of
 * per-CPU variables of 64 bits do not move (arch/x86/tools/relocs.c).
 */
int linux_find_slide(struct guest *g, const struct symbols *file, const struct symbols *image,
	struct linux_slide *ret, struct err *why)
{
	uint64_t align = guest_word_bytes(g) == 8 ? 2u << 20 : 2 * PAGE_BYTES;
	gva_t text, end;

	*ret = (struct linux_slide){0};
	if (compare_functions(file, image, ret, why))
		return -1;
	if (ret->by % align)
		return err_set(why, ERR_CORRUPT,
			"its functions lie 0x%" PRIx64
			" from the guest's, which no kernel is moved by",
			ret->by);
	if (linux_check_file(g, file, ret->by, &ret->by_build_id, why)) {
		why->cls = ERR_CORRUPT;
		return -1;
	}
	if (!get_symbol(file, "_text", &text) || !get_symbol(file, "_end", &end) || end.v <= text.v)
		return err_set(why, ERR_NOTFOUND, "the file does not say where the kernel ends");
	ret->from = text.v;
	ret->to = end.v;
	return 0;
}

/* SPDX-License-Identifier: BSD-2-Clause
 *
 * origin.c - what wrote the file, and what can restore it.
 *
 * What today's Xen does with a legacy stream: libxl hands it to convert-legacy-stream and takes the
 * tool stack that wrote it for as wide as itself (tools/libs/light/libxl_convert_callout.c). What
 * that script refuses: tools/python/scripts/convert-legacy-stream.
 */
#include <inttypes.h>
#include <string.h>

#include "checkpoint/ckpt_priv.h"

static const struct {
	const char *format, *tool;
	unsigned first, last; /* the versions of Xen in which it writes this; 0: no limit */
	bool emulator;	      /* ckpt_origin.emulator */
} tools[] = {
	{"xl", "xl", 0x0401, 0, false},
	{"xend", "xend (xm save)", 0x0300, 0x0404, false},
	{"libvirt", "libvirt", 0x0401, 0, false},
	{"xapi", "xapi (XenServer, XCP-ng)", 0x0300, 0, false},
	{"libxl", "libxl", 0x0406, 0, false},
	{"libxc", "libxc", 0x0406, 0, false},
	{"legacy", "xc_save", 0x0300, 0x0405, false},
	{"xen2", "xfrd", 0x0200, 0x0200, false},
	{"xen-core", "dump-core", 0, 0, false},
	{"xc-core", "xm dump-core", 0x0300, 0x0300, false},
	{"vmcore", "QEMU (dump-guest-memory)", 0, 0, true},
	{"vmcore", "the guest's own crash kernel (/proc/vmcore)", 0, 0, false},
	{"kdump", "QEMU (dump-guest-memory -z, -l or -s)", 0, 0, true},
	{"kdump", "makedumpfile", 0, 0, false},
};

/* "Xen 3.2 to 4.0", "Xen 4.5", "Xen 4.14 or newer" */
static void put_versions(const struct ckpt_origin *o, char *buf, size_t cap)
{
	unsigned a = o->first, b = o->last;

	if (!a)
		buf[0] = 0;
	else if (!b)
		snprintf(buf, cap, " of Xen %u.%u or newer", a >> 8, a & 0xff);
	else if (a >= b)
		snprintf(buf, cap, " of Xen %u.%u", a >> 8, a & 0xff);
	else
		snprintf(buf, cap, " of Xen %u.%u to %u.%u", a >> 8, a & 0xff, b >> 8, b & 0xff);
}

static void narrow_versions(struct ckpt_origin *o, unsigned first, unsigned last)
{
	o->first = MAX(o->first, first);
	if (last && (!o->last || last < o->last))
		o->last = last;
}

static bool has_layer(const struct ckpt_info *info, const char *name)
{
	unsigned i;

	for (i = 0; i < info->nr_layers; i++)
		if (!strcmp(info->layers[i], name))
			return true;
	return false;
}

/* A header of xl's is followed by JSON since 4.5, and by this stream until 4.5. */
static void narrow_by_stream(struct ckpt *ck)
{
	struct ckpt_origin *o = &ck->origin;
	const struct ckpt_info *info = &ck->info;

	if (has_layer(info, "libxc v3"))
		narrow_versions(o, 0x040e, 0);
	if (has_layer(info, "libxc v2"))
		narrow_versions(o, 0x0406, 0x040d);
	if (has_layer(info, "legacy libxc") && info->config_kind == CKPT_CONFIG_XL_JSON)
		narrow_versions(o, 0x0405, 0x0405);
	if (info->config_kind == CKPT_CONFIG_XLCFG)
		narrow_versions(o, 0x0401, 0x0404);
	if (info->xen_major)
		o->first = o->last = info->xen_major << 8 | info->xen_minor;
}

static void say_writer(struct ckpt *ck)
{
	struct ckpt_info *info = &ck->info;
	const char *tool = "an unknown tool";
	char versions[64], width[32] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(tools); i++)
		if (info->format && !strcmp(tools[i].format, info->format) &&
			tools[i].emulator == ck->origin.emulator) {
			tool = tools[i].tool;
			narrow_versions(&ck->origin, tools[i].first, tools[i].last);
		}
	narrow_by_stream(ck);
	put_versions(&ck->origin, versions, sizeof(versions));
	if (ck->origin.tools)
		snprintf(width, sizeof(width), ", %u-bit", ck->origin.tools * 8);
	snprintf(info->written_by, sizeof(info->written_by), "%s%s%s%s", tool, versions, width,
		ck->origin.converted ? ", converted from a stream of Xen 4.5 or older" : "");
}

/* What keeps convert-legacy-stream from reading it; NULL: nothing. */
static const char *converter_refuses(const struct ckpt *ck)
{
	const struct ckpt_origin *o = &ck->origin;

	if (ck->info.guest_type == CKPT_GUEST_PV && ck->info.pt_levels == 2)
		return "guests with two levels of page tables are gone since Xen 4.3";
	if (ck->nr_epochs)
		return "it has checkpoints";
	if (o->no_extended)
		return "it has no extended information";
	return o->refused;
}

static void say_legacy_restore(struct ckpt *ck)
{
	struct ckpt_info *info = &ck->info;
	const char *why = converter_refuses(ck);
	const char *guest = info->guest_type == CKPT_GUEST_PV ? "pv" : "hvm";
	bool by_itself = !strcmp(info->format, "xl") || !strcmp(info->format, "libvirt");
	char versions[64];

	put_versions(&ck->origin, versions, sizeof(versions));
	if (why)
		snprintf(info->restore, sizeof(info->restore),
			"not by today's Xen, whose converter refuses it (%s): with %s%s", why,
			info->format && !strcmp(info->format, "xend") ? "xm restore" : "the tools",
			versions);
	else if (by_itself && ck->origin.tools == 8)
		snprintf(info->restore, sizeof(info->restore),
			"by today's Xen, which converts it (convert-legacy-stream)");
	else
		snprintf(info->restore, sizeof(info->restore),
			"by today's Xen once it is converted: tail -c +%" PRIu64
			" FILE | convert-legacy-stream -i 0 -o OUT -w %u -g %s -f %s",
			info->stream_off + 1, ck->origin.tools * 8, guest,
			ck->origin.skip_qemu ? "libxc --skip-qemu" : "libxl");
}

static void say_restore(struct ckpt *ck)
{
	struct ckpt_info *info = &ck->info;
	const char *text = "by today's Xen";

	if (!info->suspended)
		text = "by nothing: a dump is not a saved guest";
	else if (info->format && !strcmp(info->format, "xen2"))
		text = "not by today's Xen: with the tools of Xen 2.0";
	else if (ck->nr_epochs)
		text = "by today's Xen as the secondary host takes it (xl migrate-receive --remus)";
	else if (info->format && !strcmp(info->format, "xapi"))
		text = "by xapi of XenServer 7 or XCP-ng";
	else if (info->format && !strcmp(info->format, "libvirt"))
		text = "by today's Xen (virsh restore)";
	else if (info->format && !strcmp(info->format, "xl"))
		text = "by today's Xen (xl restore)";
	if (has_layer(info, "legacy libxc") && strcmp(info->format, "xapi"))
		say_legacy_restore(ck);
	else
		snprintf(info->restore, sizeof(info->restore), "%s", text);
}

void ckpt_say_origin(struct ckpt *ck)
{
	say_writer(ck);
	say_restore(ck);
}

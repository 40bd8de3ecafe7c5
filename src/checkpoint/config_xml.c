/* SPDX-License-Identifier: BSD-2-Clause
 *
 * config_xml.c - what libvirt's domain XML says (https://libvirt.org/formatdomain.html), by
 * libxml2.
 *
 * The text is hostile: it is taken for UTF-8 whatever it says of itself, one with a document type
 * (and so with entities) is refused unread, and the library is told to load nothing.
 */
#include <string.h>

#include "checkpoint/config.h"

#ifdef HAVE_XML

#include <libxml/parser.h>
#include <libxml/tree.h>

static void free_doc(xmlDoc **doc)
{
	xmlFreeDoc(*doc);
}

static void free_text(xmlChar **text)
{
	xmlFree(*text);
}

/* The first element of that name; NULL: none. */
static xmlNode *find_child(xmlNode *parent, const char *name)
{
	xmlNode *n = parent ? parent->children : NULL;

	for (; n; n = n->next)
		if (n->type == XML_ELEMENT_NODE && !xmlStrcmp(n->name, (const xmlChar *)name))
			return n;
	return NULL;
}

static int copy_text(const xmlChar *text, char **ret, struct err *err)
{
	if (!text || *ret)
		return 0;
	*ret = strdup((const char *)text);
	return *ret ? 0 : err_nomem(err, "the configuration");
}

static int copy_content(xmlNode *n, char **ret, struct err *err)
{
	CLEANUP(free_text) xmlChar *text = n ? xmlNodeGetContent(n) : NULL;

	return copy_text(text, ret, err);
}

static int copy_attribute(xmlNode *n, const char *name, char **ret, struct err *err)
{
	CLEANUP(free_text) xmlChar *text = n ? xmlGetProp(n, (const xmlChar *)name) : NULL;

	return copy_text(text, ret, err);
}

static int fill_disk(struct ckpt_disk *d, xmlNode *n, struct err *err)
{
	CLEANUP_FREE char *device = NULL;
	xmlNode *source = find_child(n, "source"), *driver = find_child(n, "driver");

	if (copy_attribute(find_child(n, "target"), "dev", &d->vdev, err) ||
		copy_attribute(source, "dev", &d->path, err) ||
		copy_attribute(source, "file", &d->path, err) ||
		copy_attribute(driver, "name", &d->backend, err) ||
		copy_attribute(driver, "type", &d->format, err) ||
		copy_attribute(n, "device", &device, err))
		return -1;
	d->read_only = find_child(n, "readonly");
	d->cdrom = device && !strcmp(device, "cdrom");
	return 0;
}

static int add_disks(struct ckpt *ck, xmlNode *devices, struct err *err)
{
	xmlNode *n = devices ? devices->children : NULL;
	bool full = false;

	for (; n && !full; n = n->next) {
		struct ckpt_disk *d;

		if (n->type != XML_ELEMENT_NODE || xmlStrcmp(n->name, (const xmlChar *)"disk"))
			continue;
		d = config_add_disk(ck, &full, err);
		if (!d && !full)
			return -1;
		if (d && fill_disk(d, n, err))
			return -1;
	}
	return 0;
}

static int read_type(xmlNode *domain, enum ckpt_guest_type *ret, struct err *err)
{
	static const struct {
		const char *text;
		enum ckpt_guest_type type;
	} types[] = {
		{"hvm", CKPT_GUEST_HVM},
		{"xenpvh", CKPT_GUEST_PVH},
		{"xen", CKPT_GUEST_PV},
		{"linux", CKPT_GUEST_PV},
	};
	CLEANUP_FREE char *text = NULL;
	size_t i;

	if (copy_content(find_child(find_child(domain, "os"), "type"), &text, err))
		return -1;
	for (i = 0; text && i < ARRAY_SIZE(types); i++)
		if (!strcmp(text, types[i].text))
			*ret = types[i].type;
	return 0;
}

static int read_domain(
	struct ckpt *ck, xmlNode *domain, enum ckpt_guest_type *ret_type, struct err *err)
{
	CLEANUP_FREE char *vcpus = NULL;
	struct ckpt_info *info = &ck->info;

	if (copy_content(find_child(domain, "name"), &info->name, err) ||
		copy_content(find_child(domain, "uuid"), &info->uuid, err) ||
		copy_content(find_child(domain, "vcpu"), &vcpus, err) ||
		read_type(domain, ret_type, err) ||
		add_disks(ck, find_child(domain, "devices"), err))
		return -1;
	config_set_vcpus(ck, vcpus);
	return 0;
}

int config_parse_xml(struct ckpt *ck, enum ckpt_guest_type *ret_type, struct err *err)
{
	CLEANUP(free_doc) xmlDoc *doc = NULL;
	struct ckpt_info *info = &ck->info;
	xmlNode *domain;

	if (memmem(info->config, info->config_bytes, "<!DOCTYPE", 9)) {
		finding_add(&ck->findings, "XB014", finding_anywhere(),
			"the domain XML has a document type, which libvirt never writes: it was "
			"not "
			"read");
		return 0;
	}
	/* Its length is at most CKPT_MAX_CONFIG_BYTES; the depth is the library's own 256. */
	doc = xmlReadMemory(info->config, (int)info->config_bytes, NULL, "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	domain = doc ? xmlDocGetRootElement(doc) : NULL;
	if (!domain || xmlStrcmp(domain->name, (const xmlChar *)"domain")) {
		finding_add(&ck->findings, "XB014", finding_anywhere(),
			"the configuration is not the XML of a domain");
		return 0;
	}
	return read_domain(ck, domain, ret_type, err);
}

#else

int config_parse_xml(struct ckpt *ck, enum ckpt_guest_type *ret_type UNUSED, struct err *err UNUSED)
{
	finding_add(&ck->findings, "XB014", finding_anywhere(),
		"the configuration is libvirt's XML, and this xbdsnap was built without libxml2");
	return 0;
}

#endif

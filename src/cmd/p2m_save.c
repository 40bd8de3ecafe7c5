/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/p2m_save.h"

#include "base/num.h"
#include "cmd/outfile.h"

#define PIECE_ENTRIES 4096u

/* The table as bytes, a piece at a time. */
static int write_table(struct outfile *out, const struct xenhost_p2m *t, struct err *err)
{
	uint8_t buf[8 * PIECE_ENTRIES];
	uint64_t i, k;

	for (i = 0; i < t->nr; i += k) {
		uint64_t n = MIN(t->nr - i, (uint64_t)PIECE_ENTRIES);

		for (k = 0; k < n; k++)
			num_put_le64(buf + 8 * k, t->mfn[i + k]);
		if (outfile_write_at(out, 8 * i, buf, (size_t)(8 * n), err))
			return -1;
	}
	return 0;
}

int p2m_save(const struct xenhost_p2m *t, const char *path, struct err *err)
{
	struct outfile out;

	if (outfile_open(&out, path, true, NULL, err))
		return -1;
	if (write_table(&out, t, err)) {
		outfile_drop(&out);
		return -1;
	}
	return outfile_commit(&out, err);
}

struct json_object *p2m_save_json(
	const struct xenhost_domain *dom, const struct xenhost_p2m *t, const char *path)
{
	struct json_object *doc = json_new_document(), *domain = json_object_new_object();
	struct json_object *table = json_object_new_object();

	json_put_num(domain, "domid", dom->domid);
	json_put_text(domain, "name", dom->name);
	json_put_text(domain, "uuid", dom->uuid);
	json_put_bool(domain, "paused", dom->paused);
	json_put_num(domain, "word_bytes", dom->word_bytes);
	json_put_num(domain, "pages", dom->nr_pages);
	json_put_text(table, "path", path);
	json_put_num(table, "bytes", t->nr * 8);
	json_put_num(table, "entries", t->nr);
	json_put_num(table, "frames", t->nr_valid);
	json_put_text(table, "found_by", t->how);
	json_put_text(table, "compared_with", t->checked);
	json_put(table, "differ", t->checked ? json_object_new_uint64(t->nr_differ) : NULL);
	json_put_num(table, "foreign", t->nr_foreign);
	json_put(doc, "domain", domain);
	json_put(doc, "table", table);
	return doc;
}

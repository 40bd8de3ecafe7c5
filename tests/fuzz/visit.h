/* SPDX-License-Identifier: BSD-2-Clause
 *
 * visit.h - open bytes as a checkpoint and ask for everything that it can say; what must hold
 * whatever the bytes are ends the process when it does not.
 */
#ifndef XB_TESTS_FUZZ_VISIT_H
#define XB_TESTS_FUZZ_VISIT_H

#include "check/catalogue.h"
#include "checkpoint/checkpoint.h"

/* Keeps reads from being optimised away. */
static volatile uint64_t sink;

static void visit_pages(const struct ckpt *ck)
{
	size_t i;

	for (i = 0; i < ckpt_nr_runs(ck); i++) {
		struct ckpt_run run = ckpt_run(ck, i);
		struct ckpt_page first = ckpt_page(ck, PFN(run.pfn));
		struct ckpt_page last = ckpt_page(ck, PFN(run.pfn + run.nr - 1));

		if (first.type != run.type || last.type != run.type)
			abort();
		if (!run.squeezed && ckpt_type_has_data(run.type) != (last.data && first.data))
			abort();
		if (run.squeezed &&
			(run.nr != 1 || !first.data != (first.kind == CKPT_PAGE_FAILED)))
			abort();
		if (i && run.pfn < ckpt_run(ck, i - 1).pfn + ckpt_run(ck, i - 1).nr)
			abort();
		if (last.data)
			sink += last.data[PAGE_BYTES - 1];
	}
	for (i = 0; i < ckpt_nr_file_runs(ck); i++)
		sink += ckpt_file_run(ck, i).pfn;
	if (ckpt_page(ck, PFN(UINT64_MAX)).kind != CKPT_PAGE_ABSENT)
		abort();
}

static void visit(const struct ckpt *ck)
{
	const struct ckpt_info *info = ckpt_info(ck);
	size_t i;

	if (info->complete == !!info->incomplete_why[0])
		abort();
	visit_pages(ck);
	for (i = 0; i < ckpt_nr_vcpus(ck); i++)
		sink += ckpt_vcpu(ck, i)->ctx[ckpt_vcpu(ck, i)->ctx_bytes - 1];
	for (i = 0; i < ckpt_nr_p2m_frames(ck); i++)
		sink += ckpt_p2m_frame(ck, i).v;
	for (i = 0; i < info->config_bytes; i++)
		sink += (uint8_t)info->config[i];
	if (ckpt_shared_info(ck))
		sink += ckpt_shared_info(ck)[PAGE_BYTES - 1];
	for (i = 0; i < ckpt_findings(ck)->nr; i++)
		if (!catalogue_find(ckpt_findings(ck)->v[i].rule))
			abort();
}

static void visit_bytes(const void *data, size_t size)
{
	struct err err = ERR_INIT;
	struct source *src;
	struct ckpt *ck;

	if (source_from_memory(data, size, "fuzz", &src, &err))
		return;
	if (!ckpt_open_source(src, &ck, &err)) {
		visit(ck);
		ckpt_close(ck);
	} else if (err.cls == ERR_NONE || !err.text[0]) {
		abort();
	}
}

#endif

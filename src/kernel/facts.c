/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernel/facts.h"

#include <string.h>

int guest_facts_copy(const struct guest_facts *from, struct guest_facts *ret, struct err *err)
{
	char *cmdline = from->cmdline ? strdup(from->cmdline) : NULL;

	if (from->cmdline && !cmdline)
		return err_nomem(err, "the command line of the guest's kernel");
	*ret = *from;
	ret->cmdline = cmdline;
	return 0;
}

void guest_facts_fini(struct guest_facts *f)
{
	free(f->cmdline);
	memset(f, 0, sizeof(*f));
}

void witness_list_fini(struct witness_list *l)
{
	free(l->v);
	*l = (struct witness_list){0};
}

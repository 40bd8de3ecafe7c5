/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/handover.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/cmd.h"

/* Both ends are one program. */
struct outcome {
	int rc;
	enum err_class cls;
	int sys_errno;
	char override[32], text[ERR_TEXT_BYTES];
};

const uint8_t *handover_map(int order, size_t *ret, struct err *err)
{
	struct stat st;
	void *p = MAP_FAILED;

	if (!fstat(order, &st) && st.st_size > 0)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, order, 0);
	if (p == MAP_FAILED) {
		err_set(err, ERR_REFUSED, "what was to be written is not there");
		return NULL;
	}
	*ret = (size_t)st.st_size;
	return p;
}

void handover_unmap(const uint8_t *bytes, size_t len)
{
	if (bytes)
		munmap((void *)(uintptr_t)bytes, len);
}

void handover_give(int result, int rc, const struct err *err, const void *data, size_t bytes)
{
	struct outcome o = {.rc = rc};

	if (rc) {
		o.cls = err->cls;
		o.sys_errno = err->sys_errno;
		snprintf(o.override, sizeof(o.override), "%s", err->override ? err->override : "");
		snprintf(o.text, sizeof(o.text), "%s", err->text);
	}
	/* Without a result the other end knows that there is none. */
	if (write(result, &o, sizeof(o)) == (ssize_t)sizeof(o) && !rc && bytes)
		(void)!write(result, data, bytes);
}

int handover_take(int result, void *data, size_t bytes, struct err *err)
{
	struct outcome o;

	if (pread(result, &o, sizeof(o), 0) != (ssize_t)sizeof(o) ||
		(!o.rc && pread(result, data, bytes, sizeof(o)) != (ssize_t)bytes))
		return err_set(err, ERR_SYSTEM, "nothing is known of what was written");
	if (!o.rc)
		return 0;
	err_set(err, o.cls, "%s", o.text);
	err->sys_errno = o.sys_errno;
	err->override = cmd_hint_word(o.override);
	return -1;
}

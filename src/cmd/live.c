/* SPDX-License-Identifier: BSD-2-Clause */
#include "cmd/live.h"

#include <inttypes.h>
#include <string.h>

int live_open(struct live *l, struct xenhost *x, uint32_t domid, struct finding_list *findings,
	struct err *err)
{
	memset(l, 0, sizeof(*l));
	l->x = x;
	if (xenhost_domain(l->x, domid, &l->dom, err))
		return -1;
	return l->dom.is_pv ? xenhost_target(l->x, domid, &l->target, findings, err) : 0;
}

/* xenbus.h: XenbusStateConnected. blkback writes most features when it reaches it. */
#define STATE_CONNECTED 4u

static const struct blkdev *device_of(const struct xenhost_vbd *vbd, const struct snapshot *s)
{
	const struct blkdev *d;
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, vbd->handle);
	d = snapshot_find_device(s, number);
	return d || !vbd->vdev[0] ? d : snapshot_find_device(s, vbd->vdev);
}

bool live_caps_of(const struct xenhost_vbd *vbd, const struct snapshot *s, struct check_caps *ret)
{
	const struct blkdev *d = device_of(vbd, s);
	unsigned i;

	if (!d)
		return false;
	*ret = check_caps_none();
	snprintf(ret->device, sizeof(ret->device), "%s", d->name);
	ret->partial = vbd->backend_state != STATE_CONNECTED;
	for (i = 0; i < BACKEND_NR_NUMBERS; i++) /* absent is all ones on both sides */
		check_caps_set(ret, i, vbd->feature[i]);
	ret->read_only_known = vbd->mode[0];
	ret->read_only = vbd->mode[0] == 'r';
	return true;
}

int live_read_caps(struct live *l, const struct snapshot *s, struct err *err)
{
	struct xenhost_vbd *vbds;
	int failed = 0;
	size_t nr, i;

	if (xenhost_vbds(l->x, l->dom.domid, &vbds, &nr, err))
		return -1;
	l->caps = calloc(nr + 1, sizeof(*l->caps));
	if (!l->caps)
		failed = err_nomem(err, "reading the target's features");
	for (i = 0; !failed && i < nr; i++) {
		/* What is not known of a disk must not pass for what it has not. */
		if (vbds[i].why.cls != ERR_NONE) {
			*err = vbds[i].why;
			failed = -1;
		} else {
			l->nr_caps += live_caps_of(&vbds[i], s, &l->caps[l->nr_caps]);
		}
	}
	xenhost_vbds_free(vbds, nr);
	return failed;
}

const uint8_t *live_fetch(void *arg, pfn_t pfn, struct err *err)
{
	struct live *l = arg;
	uint64_t frame = pfn.v;
	bool ok = false;
	mfn_t mfn;

	if (l->target) {
		if (p2m_lookup(l->target, pfn, &mfn) != P2M_VALID) {
			err_set(err, ERR_NOTFOUND, "domain %u maps no frame for it", l->dom.domid);
			return NULL;
		}
		frame = mfn.v;
	}
	if (xenhost_read_frames(l->x, l->dom.domid, &frame, 1, l->page, &ok, err))
		return NULL;
	if (ok)
		return l->page;
	err_set(err, ERR_SYSTEM, "frame 0x%" PRIx64 " of domain %u cannot be mapped", frame,
		l->dom.domid);
	return NULL;
}

void live_fini(struct live *l)
{
	p2m_free(l->target);
	free(l->caps);
	memset(l, 0, sizeof(*l));
}

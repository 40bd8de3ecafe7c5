/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Words of a driver's structures damaged at random, one at a time: no damage may turn requests into
 * silence, fewer of them with a verdict that says that all is well.
 *
 *     SWEEP=20000 SWEEP_SEED=7 obj/opt/unit/test_damage_sweep
 *
 * looks at many more; what fails is printed with all that is needed to repeat it.
 */
#include "lab.h"

#include <inttypes.h>

#define MAX_REGIONS 8u

struct region {
	const char *what;
	uint64_t va;
	unsigned bytes;
};

static uint64_t next_random(uint64_t *s)
{
	*s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *s >> 20;
}

static unsigned env_number(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

/* What the driver keeps for its first ring: lists, pointers, slots, and the page that it shares. */
static unsigned list_regions(const struct lab *l, struct region r[MAX_REGIONS])
{
	const struct blkdev *d = &l->snap.devices[0];
	const struct io_ring *ring = &d->rings[0];
	unsigned nr = 0;

	if (d->driver == &frontend_netbsd_xbd) {
		r[nr++] = (struct region){"log", ring->shadow_va.v, 64 * 60};
		r[nr++] = (struct region){"shared ring", ring->sring_va.v, 8 + 64 * 60};
		r[nr++] = (struct region){"variables", ring->va.v - 32, 64};
		return nr;
	}
	r[nr++] = (struct region){"info", d->va.v, 384};
	r[nr++] = (struct region){"ring info", ring->va.v, 232};
	r[nr++] = (struct region){"shadow", ring->shadow_va.v, 160 * ring->entries};
	r[nr++] = (struct region){"shared ring", ring->sring_va.v, 4096};
	return nr;
}

static uint32_t damage_of(uint64_t *seed, uint32_t was)
{
	switch (next_random(seed) % 5) {
	case 0:
		return 0;
	case 1:
		return UINT32_MAX;
	case 2:
		return was ^ 1u << next_random(seed) % 32;
	case 3:
		return was + 1 + (uint32_t)(next_random(seed) % 8);
	default:
		return (uint32_t)next_random(seed);
	}
}

static bool is_silence(const struct lab *l, size_t devices, size_t pending)
{
	return !lab_status(l) && (lab_pending(l) < pending || l->snap.nr_devices < devices);
}

static unsigned sweep(const char *fixture, bool symbols, unsigned turns, uint64_t seed)
{
	unsigned turn, nr, bad = 0, lost = 0;
	struct region r[MAX_REGIONS];
	size_t devices, pending;
	struct lab l;

	lab_load(&l, fixture, FRONTEND_LOCATE_AUTO);
	if (!symbols)
		lab_strip_symbols(&l);
	devices = l.snap.nr_devices;
	pending = lab_pending(&l);
	nr = list_regions(&l, r);
	for (turn = 0; turn < turns; turn++) {
		const struct region *at = &r[next_random(&seed) % nr];
		uint64_t va = at->va + 4 * (next_random(&seed) % (at->bytes / 4));
		uint32_t was = (uint32_t)lab_get(&l, va, 4), is = damage_of(&seed, was);

		lab_put(&l, va, is, 4);
		lab_run(&l);
		lost += !l.snap.nr_devices;
		if (is_silence(&l, devices, pending)) {
			print_error("%s, %s: 0x%" PRIx32 " for 0x%" PRIx32 " at byte %" PRIu64
				    " of the %s: %zu of %zu requests, status 0\n",
				fixture, symbols ? "symbols" : "no symbols", is, was, va - at->va,
				at->what, lab_pending(&l), pending);
			bad++;
		}
		lab_mend(&l);
	}
	if (getenv("SWEEP"))
		print_message("%s, %s: %u turns, nothing found in %u of them\n", fixture,
			symbols ? "symbols" : "no symbols", turns, lost);
	lab_close(&l);
	return bad;
}

static void damage_is_no_silence(void **state UNUSED)
{
	unsigned turns = env_number("SWEEP", 40), seed = env_number("SWEEP_SEED", 1), bad = 0;

	bad += sweep("linux-6.1-pvh", false, turns, seed);
	bad += sweep("linux-6.1-pvh", true, turns, seed + 1);
	bad += sweep("linux-6.1-hvm", false, turns, seed + 2);
	bad += sweep("xen2-netbsd", true, turns, seed + 3);
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damage_is_no_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

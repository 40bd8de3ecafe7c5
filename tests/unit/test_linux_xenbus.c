/* SPDX-License-Identifier: BSD-2-Clause
 *
 * The devices on a guest's xenbus: on real checkpoints those that xenstore had, and broken lists.
 */
#include "real.h"

#include <inttypes.h>

#include "frontend/frontend.h"
#include "kernel/linux_xenbus.h"

/* What dom0's xenstore had when they were saved: xenstore.txt beside the checkpoints. */
static const struct {
	const char *image;
	const char *vbds[3];
} images[] = {
	{"linux-6.1-base", {"device/vbd/51712"}},
	{"linux-6.1-mq", {"device/vbd/51712"}},
	{"linux-6.1-pvh", {"device/vbd/51712"}},
	{"linux-6.1-hvm", {"device/vbd/51712"}},
	{"linux-6.12-discard", {"device/vbd/51712"}},
	{"linux-6.1-ext4", {"device/vbd/51712", "device/vbd/51728"}},
};

static const struct linux_xenbus_device *find_node(const struct linux_xenbus *x, const char *name)
{
	size_t i;

	for (i = 0; i < x->nr; i++)
		if (!strcmp(x->v[i].nodename, name))
			return &x->v[i];
	return NULL;
}

static size_t count_vbds(const struct linux_xenbus *x)
{
	size_t i, nr = 0;

	for (i = 0; i < x->nr; i++)
		nr += !strncmp(x->v[i].nodename, "device/vbd/", 11);
	return nr;
}

static void check_image(size_t which)
{
	const struct frontend_options opt = {.locate = FRONTEND_LOCATE_SYMBOLS};
	struct err err = ERR_INIT;
	struct linux_kernel k;
	struct linux_xenbus x;
	struct snapshot s = {0};
	struct ckpt *ck;
	struct guest *g = real_open(images[which].image, &ck);
	size_t i;

	assert_int_equal(linux_kernel_open(g, NULL, &k, &err), 0);
	if (linux_xenbus_read(&k, &x, &err))
		fail_msg("%s: %s", images[which].image, err.text);
	assert_int_equal(frontend_analyse(g, &opt, &s, &err), 0);
	for (i = 0; images[which].vbds[i]; i++) {
		const struct linux_xenbus_device *d = find_node(&x, images[which].vbds[i]);
		size_t n;

		assert_non_null(d);
		for (n = 0; n < s.nr_devices && strcmp(s.devices[n].nodename, d->nodename); n++)
			;
		assert_true(n < s.nr_devices);
		assert_int_equal(d->driver_data, s.devices[n].va.v);
	}
	assert_int_equal(count_vbds(&x), i);
	assert_int_equal(s.nr_devices, i);
	snapshot_fini(&s);
	linux_xenbus_free(&x);
	linux_kernel_close(&k);
	real_close(g, ck);
}

static void the_bus_has_what_xenstore_had(void **state UNUSED)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(images); i++)
		check_image(i);
}

static void without_types_or_symbols_there_is_none(void **state UNUSED)
{
	struct err err = ERR_INIT;
	struct linux_kernel k;
	struct linux_xenbus x;
	struct layout *types;
	struct ckpt *ck;
	struct guest *g = real_open("linux-6.1-base", &ck);

	assert_int_equal(linux_kernel_open(g, NULL, &k, &err), 0);
	types = k.types;
	k.types = NULL;
	assert_int_equal(linux_xenbus_read(&k, &x, &err), -1);
	assert_int_equal(err.cls, ERR_NOTFOUND);
	linux_xenbus_free(&x);
	k.types = types;
	linux_kernel_close(&k);
	real_close(g, ck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bus_has_what_xenstore_had),
		cmocka_unit_test(without_types_or_symbols_there_is_none),
	};

	return cmocka_run_group_tests_name("linux xenbus", tests, NULL, NULL);
}

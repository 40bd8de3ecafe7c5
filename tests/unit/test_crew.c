/* SPDX-License-Identifier: BSD-2-Clause
 *
 * Unit tests of base/crew: everything is done once, at once where there are processors, and taken
 * in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "base/crew.h"

#define NR 500

struct count {
	unsigned done[NR], taken;
	pthread_mutex_t lock;
	unsigned at_once, most_at_once;
};

static void note_work(void *arg, size_t index)
{
	const struct timespec some_time = {.tv_nsec = index % 7 * 100000};
	struct count *c = arg;

	pthread_mutex_lock(&c->lock);
	c->most_at_once = MAX(c->most_at_once, ++c->at_once);
	pthread_mutex_unlock(&c->lock);
	nanosleep(&some_time, NULL);
	c->done[index]++;
	pthread_mutex_lock(&c->lock);
	c->at_once--;
	pthread_mutex_unlock(&c->lock);
}

static void note_taken(void *arg, size_t index)
{
	struct count *c = arg;

	assert_int_equal(index, c->taken++);
	assert_int_equal(c->done[index], 1);
}

static void run(struct count *c, size_t nr)
{
	const struct crew_job job = {.nr = nr, .arg = c, .work = note_work, .collect = note_taken};

	*c = (struct count){.lock = PTHREAD_MUTEX_INITIALIZER};
	crew_run(&job);
	assert_int_equal(c->taken, nr);
}

static void all_is_done_once_and_taken_in_order(void **state UNUSED)
{
	struct count c;
	cpu_set_t set;

	run(&c, NR);
	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	assert_true(c.most_at_once <= (unsigned)CPU_COUNT(&set));
	assert_true(CPU_COUNT(&set) == 1 || c.most_at_once > 1);
	run(&c, 1);
	run(&c, 0);
}

static void one_processor_does_it_alone(void **state UNUSED)
{
	cpu_set_t all, one;
	struct count c;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	run(&c, 50);
	assert_int_equal(c.most_at_once, 1);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_is_done_once_and_taken_in_order),
		cmocka_unit_test(one_processor_does_it_alone),
	};

	return cmocka_run_group_tests_name("crew", tests, NULL, NULL);
}

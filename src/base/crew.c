/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/crew.h"

#include <pthread.h>
#include <sched.h>

#define MAX_HANDS 64u
/* The usual 8 MiB each would count as memory that we take. */
#define STACK_BYTES (512u << 10)

struct crew {
	const struct crew_job *job;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	size_t next;
	bool *done;
};

/* The processors that we may use, not those that there are. */
static size_t nr_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (size_t)CPU_COUNT(&set);
}

static void *work_along(void *arg)
{
	struct crew *crew = arg;
	size_t index;

	pthread_mutex_lock(&crew->lock);
	while ((index = crew->next) < crew->job->nr) {
		crew->next++;
		pthread_mutex_unlock(&crew->lock);
		crew->job->work(crew->job->arg, index);
		pthread_mutex_lock(&crew->lock);
		crew->done[index] = true;
		pthread_cond_signal(&crew->changed);
	}
	pthread_mutex_unlock(&crew->lock);
	return NULL;
}

static void collect_all(struct crew *crew)
{
	size_t i;

	for (i = 0; i < crew->job->nr; i++) {
		pthread_mutex_lock(&crew->lock);
		while (!crew->done[i])
			pthread_cond_wait(&crew->changed, &crew->lock);
		pthread_mutex_unlock(&crew->lock);
		crew->job->collect(crew->job->arg, i);
	}
}

static void run_alone(const struct crew_job *job)
{
	size_t i;

	for (i = 0; i < job->nr; i++) {
		job->work(job->arg, i);
		job->collect(job->arg, i);
	}
}

void crew_run(const struct crew_job *job)
{
	struct crew crew = {
		.job = job,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	CLEANUP_FREE bool *done = calloc(job->nr + 1, sizeof(*done));
	size_t nr = 0, max = MIN(nr_processors(), (size_t)MAX_HANDS);
	pthread_t hands[MAX_HANDS];
	pthread_attr_t small;

	crew.done = done;
	max = MIN(max, job->nr);
	if (done && max > 1 && !pthread_attr_init(&small)) {
		(void)pthread_attr_setstacksize(&small, STACK_BYTES);
		while (nr < max && !pthread_create(&hands[nr], &small, work_along, &crew))
			nr++;
		pthread_attr_destroy(&small);
	}
	if (!nr) {
		run_alone(job);
		return;
	}
	collect_all(&crew);
	while (nr)
		pthread_join(hands[--nr], NULL);
}

/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * sleeper [DECAY [LIMIT [MIB]]]: a thread allocates 1 GiB (or MIB) in blocks of
 * 16 bytes to 32 KiB and goes to sleep; two other threads free all of it.  Then
 * two decay times pass, in which yet another thread allocates and frees a block
 * fifty times a second, and the one that owned everything still sleeps.
 * Prints the RSS, and fails when it is above LIMIT MiB (96).  DECAY is in
 * milliseconds; without it, it is taken from dirty_decay_ms in MALLOC_CONF, and
 * is 10,000 when that does not say.  Memory that waits for its owner to wake up
 * does not pass.
 */

#include <time.h>

#include "wl.h"

#define	FREERS	2

static void *chain[FREERS];
static size_t mib;
static int allocated, stop;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void
pause_ms(unsigned long ms)
{
	struct timespec t;

	t.tv_sec = (time_t)(ms / 1000);
	t.tv_nsec = (long)(ms % 1000 * 1000000);
	while (nanosleep(&t, &t) != 0)
		continue;
}

static void *
owner(void *arg)
{
	uint64_t state;
	size_t done, size, which;
	void *p;

	(void)arg;
	state = seed(7, 1);
	for (done = 0; done < mib << 20; done += size) {
		size = powerlaw2(&state, 16, 32768);
		which = rnd(&state) % FREERS;
		p = get(size);
		*(void **)p = chain[which];
		chain[which] = p;
	}
	pthread_mutex_lock(&lock);
	allocated = 1;
	pthread_cond_broadcast(&changed);
	while (!stop)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	return (NULL);
}

static void *
freer(void *arg)
{
	void *next, *p;

	for (p = *(void **)arg; p != NULL; p = next) {
		next = *(void **)p;
		free(p);
	}
	return (NULL);
}

static void *
ticker(void *arg)
{
	uint64_t state;
	void *p;
	int now;

	(void)arg;
	state = seed(7, 2);
	do {
		p = get(powerlaw2(&state, 16, 262144));
		pause_ms(20);
		put(p);
		pthread_mutex_lock(&lock);
		now = stop;
		pthread_mutex_unlock(&lock);
	} while (!now);
	return (NULL);
}

static unsigned long
configured(void)
{
	const char key[] = "dirty_decay_ms:", *conf, *p;

	conf = getenv("MALLOC_CONF");
	p = conf == NULL ? NULL : strstr(conf, key);
	return (p == NULL ? 10000 : strtoul(p + strlen(key), NULL, 10));
}

int
main(int argc, char **argv)
{
	pthread_t freeing[FREERS], owning, ticking;
	unsigned long decay, limit;
	double rss;
	int i;

	decay = argument(argc, argv, 1, configured());
	limit = argument(argc, argv, 2, 96);
	mib = argument(argc, argv, 3, 1024);
	owning = start(owner, NULL);
	pthread_mutex_lock(&lock);
	while (!allocated)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	printf("allocated: RSS %.1f MiB\n", status_mib("VmRSS:"));
	for (i = 0; i < FREERS; i++)
		freeing[i] = start(freer, &chain[i]);
	for (i = 0; i < FREERS; i++)
		pthread_join(freeing[i], NULL);
	printf("freed: RSS %.1f MiB\n", status_mib("VmRSS:"));
	ticking = start(ticker, NULL);
	pause_ms(2 * decay);
	rss = status_mib("VmRSS:");
	printf("sleeper: RSS %.1f MiB after two decay times of %lu ms, "
	    "limit %lu MiB\n", rss, decay, limit);
	pthread_mutex_lock(&lock);
	stop = 1;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	pthread_join(ticking, NULL);
	pthread_join(owning, NULL);
	return (rss > (double)limit);
}

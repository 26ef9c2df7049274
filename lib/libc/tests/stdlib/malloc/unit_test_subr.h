/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What the tests of the allocator's parts share.  A test program that does
 * not call malloc() itself has the allocator in it but runs on the system's.
 * One that does runs on the allocator under test: what it does to a global
 * it undoes before anybody else allocates.
 */

#ifndef _UNIT_TEST_SUBR_H_
#define	_UNIT_TEST_SUBR_H_

#include <sys/mman.h>
#include <sys/resource.h>

#include "dsm_base.h"
#include "dsm_hooks.h"
#include "dsm_init.h"
#include "dsm_os.h"
#include "dsm_region.h"
#include "dsm_slab.h"
#include "malloc_test_subr.h"

/* Every page size that one binary has to serve; for (FOREACH_PAGE(shift)) */
#define	FOREACH_PAGE(shift)						\
	(shift) = 12; (shift) <= 16; (shift) += 2

static void __attribute__((__constructor__))
unit_init(void)
{

	if (!init_once())
		abort();
}

static inline void
set_page(unsigned int shift)
{

	os_page_shift = shift;
	os_page = (size_t)1 << shift;
	slab_boot();
}

#define	IND	17		/* the arena that the parts are told to be of */

/*
 * Hooks over the system's memory that count, and refuse when told to.
 */
struct fake {
	struct hooks	 hooks;		/* first: the hooks get its address */
	size_t		 max;		/* alloc refuses more than this */
	size_t		 mapped;
	unsigned int	 nalloc;
	unsigned int	 ndalloc;
	unsigned int	 purges;	/* ranges purged */
	unsigned int	 purge_left;	/* ranges until purging fails */
	uint64_t	 slow;		/* ns that purging a range takes */
	bool		 no_split;
	bool		 no_merge;
	bool		 wrong;		/* a hook was given what is wrong */
};

static inline struct fake *
fake_of(struct hooks *h, unsigned int ind)
{
	struct fake *f;

	f = (struct fake *)(void *)h;
	if (ind != IND)
		f->wrong = true;
	return (f);
}

static inline void *
fake_alloc(struct hooks *h, void *addr, size_t size, size_t align, bool *zero,
    bool *commit, unsigned int ind)
{
	struct fake *f;
	void *p;

	f = fake_of(h, ind);
	if (addr != NULL || size % os_page != 0 || align % os_page != 0)
		f->wrong = true;
	/* The system's pages may be smaller than those of the test.  A gap
	 * behind keeps a pool apart from what an earlier one has left. */
	align = MAX(align, 2 * os_page);
	if (size > f->max || (p = os_map(size + align, align)) == NULL)
		return (NULL);
	f->nalloc++;
	f->mapped += size;
	*zero = *commit = true;
	return (p);
}

static inline bool
fake_dalloc(struct hooks *h, void *p, size_t size, bool committed,
    unsigned int ind)
{
	struct fake *f;

	(void)committed;
	f = fake_of(h, ind);
	f->ndalloc++;
	f->mapped -= size;
	return (!os_unmap(p, size));
}

static inline bool
fake_purge(struct hooks *h, void *p, size_t size, size_t off, size_t len,
    unsigned int ind)
{
	struct fake *f;
	uint64_t end;

	f = fake_of(h, ind);
	end = f->slow == 0 ? 0 : os_time_ns() + f->slow;
	while (end != 0 && os_time_ns() < end)
		continue;
	if (off + len > size || len == 0)
		f->wrong = true;
	if (f->purge_left == 0)
		return (true);
	f->purge_left--;
	f->purges++;
	return (!os_purge_forced((char *)p + off, len));
}

static inline bool
fake_split(struct hooks *h, void *p, size_t size, size_t a, size_t b,
    bool committed, unsigned int ind)
{
	struct fake *f;

	(void)p;
	(void)committed;
	f = fake_of(h, ind);
	if (a + b != size || a == 0 || b == 0)
		f->wrong = true;
	return (f->no_split);
}

static inline bool
fake_merge(struct hooks *h, void *a, size_t alen, void *b, size_t blen,
    bool committed, unsigned int ind)
{
	struct fake *f;

	(void)blen;
	(void)committed;
	f = fake_of(h, ind);
	if ((char *)a + alen != b)
		f->wrong = true;
	return (f->no_merge);
}

static inline void
fake_init(struct fake *f)
{

	memset(f, 0, sizeof(*f));
	f->hooks.alloc = fake_alloc;
	f->hooks.dalloc = fake_dalloc;
	f->hooks.purge_forced = fake_purge;
	f->hooks.split = fake_split;
	f->hooks.merge = fake_merge;
	f->max = SIZE_MAX;
	f->purge_left = UINT32_MAX;
}

/* Pools and regions that a test has had before begin as new. */
static inline void
fresh_pool(struct pool *p, struct hooks *h, unsigned int ind)
{

	memset(p, 0, sizeof(*p));
	pool_init(p, h, ind);
}

static inline void
fresh_regions(struct regions *r, struct pool *p, struct hooks *h,
    unsigned int ind)
{

	fresh_pool(p, h, ind);
	memset(r, 0, sizeof(*r));
	regions_init(r, p);
}

/* A run that is out. */
struct run {
	struct region	*r;
	char		*p;
	size_t		 size;
	uint16_t	 page;
	bool		 zeroed;
};

static inline bool
run_take(struct regions *rs, struct run *run, size_t size)
{

	run->size = size;
	run->p = region_alloc(rs, size, &run->r, &run->page, &run->zeroed);
	return (run->p != NULL);
}

static inline void
run_give(struct run *run)
{

	region_free(run->r, run->page, run->size, 1);
	run->p = NULL;
}

/* From here on the system maps nothing more. */
static inline void
no_more_memory(void)
{
	struct rlimit rl;

	rl.rlim_cur = 0;
	rl.rlim_max = RLIM_INFINITY;
	(void)getrlimit(RLIMIT_AS, &rl);
	rl.rlim_cur = 0;
	ATF_REQUIRE(setrlimit(RLIMIT_AS, &rl) == 0);
}

static inline void
memory_again(void)
{
	struct rlimit rl;

	ATF_REQUIRE(getrlimit(RLIMIT_AS, &rl) == 0);
	rl.rlim_cur = rl.rlim_max;
	ATF_REQUIRE(setrlimit(RLIMIT_AS, &rl) == 0);
}

/* Take all there is of a type of base memory; how many objects. */
static inline unsigned int
exhaust_base(enum base_type type, size_t size)
{
	unsigned int n;

	no_more_memory();
	for (n = 0; base_alloc(type, size) != NULL; n++)
		continue;
	return (n);
}

/* Are all pages of a range without memory? */
static inline bool
absent(const void *p, size_t size)
{
	static unsigned char vec[1 << 18];
	size_t i, n;

	n = size / (size_t)getpagesize();
	ATF_REQUIRE(n <= nitems(vec));
	ATF_REQUIRE(mincore((void *)(uintptr_t)p, size, vec) == 0);
	for (i = 0; i < n; i++)
		if (vec[i] & 1)
			return (false);
	return (true);
}

/*
 * fn(arg) must end the process by abort(), having said something that holds
 * each of the words, and the words' order counts.
 */
static inline void
expect_death(void (*fn)(void *), void *arg, const char *word1,
    const char *word2)
{
	char buf[16384], *p;
	int fds[2], status;
	pid_t pid;

	ATF_REQUIRE(pipe(fds) == 0);
	pid = fork_child(60);
	if (pid == 0) {
		(void)signal(SIGABRT, SIG_DFL);
		(void)dup2(fds[1], STDERR_FILENO);
		(void)close(fds[0]);
		fn(arg);
		_exit(0);
	}
	(void)close(fds[1]);
	(void)read_all(fds[0], buf, sizeof(buf));
	status = wait_for(pid, 60);
	ATF_CHECK_MSG(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
	    "no abort: status %#x, \"%s\", expected \"%s\"", status, buf,
	    word1);
	p = strstr(buf, word1);
	ATF_CHECK_MSG(p != NULL && strstr(p, word2) != NULL,
	    "\"%s\" does not say \"%s\" ... \"%s\"", buf, word1, word2);
}

#endif /* !_UNIT_TEST_SUBR_H_ */

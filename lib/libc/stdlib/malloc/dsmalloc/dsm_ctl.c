/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * ctl: the table of keys.
 *
 * Theory of operation.  A key is a row of a table: its dotted name, with <i>
 * and <j> for the index of an arena and of a bin, its type, and functions
 * that get and set its value.  Rows are numbered through all the tables;
 * dsm_ctl_name.c finds a row, and dsm_mallctl.c calls its handlers.
 *
 * There is no state but the epoch, which is atomic, and no lock of its own; a
 * handler may take those of what it reads or sets.
 *
 * To add a key, add a row to ctl_keys and, if none fits, a handler.
 */

#include <errno.h>

#include "dsm_apart.h"
#include "dsm_arena.h"
#include "dsm_cache.h"
#include "dsm_conf.h"
#include "dsm_ctl.h"
#include "dsm_explicit.h"
#include "dsm_keeper.h"
#include "dsm_os.h"
#include "dsm_print.h"
#include "dsm_relief.h"
#include "dsm_set.h"
#include "dsm_set_cap.h"
#include "dsm_set_purge.h"
#include "dsm_size.h"
#include "dsm_stats.h"
#include "malloc_np.h"

/* The longest decay time, in milliseconds; jemalloc's. */
#define	CTL_DECAY_MAX	INT64_C(18446744072000)

static uint64_t	ctl_epoch = 1;		/* atomic */

/* The head of a handler; most of them need only some of what they get. */
#define	CTL_UNUSED	__attribute__((__unused__))
#define	CTL_HANDLER(name)						\
static int								\
name(const struct ctl_key *k CTL_UNUSED, const unsigned *index CTL_UNUSED, \
    union ctl_value *v CTL_UNUSED)

static const bool	ctl_false = false;
static const bool	ctl_true = true;
#ifdef DSM_DEBUG
static const bool	ctl_debug = true;
#else
static const bool	ctl_debug = false;
#endif
static const enum pages	ctl_dirty = PAGES_DIRTY;
static const enum pages	ctl_muzzy = PAGES_MUZZY;
static const unsigned	ctl_nbins = SIZE_NCLASSES - 1;
static const size_t	ctl_quantum = STATS_QUANTUM;
static const size_t	ctl_tcache_max = SIZE_SMALL_MAX;

/*
 * Handlers.
 */

CTL_HANDLER(ctl_value_bool)
{

	v->b = *(const bool *)k->where;
	return (0);
}

CTL_HANDLER(ctl_value_unsigned)
{

	v->u = *(const unsigned *)k->where;
	return (0);
}

CTL_HANDLER(ctl_value_size)
{

	v->z = *(const size_t *)k->where;
	return (0);
}

CTL_HANDLER(ctl_string)
{

	v->s = k->where;
	return (0);
}

CTL_HANDLER(ctl_page)
{

	v->z = os_page;
	return (0);
}

CTL_HANDLER(ctl_epoch_get)
{

	v->u64 = load_rlx(&ctl_epoch);
	return (0);
}

/* Statistics are fresh at each reading; the epoch only counts.  Who raises it
 * is to find nothing dirty where all goes at once. */
CTL_HANDLER(ctl_epoch_set)
{

	if (!hooks_within())
		set_settle();
	add_rlx(&ctl_epoch, 1);
	return (0);
}

CTL_HANDLER(ctl_keeper)
{

	v->b = keeper_is_on();
	return (0);
}

CTL_HANDLER(ctl_keeper_set)
{

	keeper_turn(v->b);
	return (CTL_SETTLE);
}

CTL_HANDLER(ctl_keepers)
{

	v->z = keeper_most();
	return (0);
}

CTL_HANDLER(ctl_keepers_set)
{

	if (v->z < 1 || v->z > conf.max_background_threads)
		return (EINVAL);
	keeper_limit(v->z);
	return (CTL_SETTLE);
}

CTL_HANDLER(ctl_dirty_max)
{

	v->zs = (ptrdiff_t)set_dirty_max_get();
	return (0);
}

/* Below 0: per cent. */
CTL_HANDLER(ctl_dirty_max_set)
{

	if (v->zs < -CONF_SHARE_MAX || v->zs > (int64_t)SIZE_LARGE_MAX)
		return (EFAULT);
	set_dirty_max_set(v->zs);
	return (0);
}

CTL_HANDLER(ctl_narenas)
{

	v->u = arena_count();
	return (0);
}

CTL_HANDLER(ctl_thread_arena)
{

	v->u = cache_arena()->ind;
	return (0);
}

CTL_HANDLER(ctl_thread_arena_set)
{

	return (cache_bind(v->u) ? 0 : EFAULT);
}

CTL_HANDLER(ctl_thread_flush)
{

	cache_flush_self();
	return (0);
}

CTL_HANDLER(ctl_arena_initialized)
{
	struct stats_arena a;

	v->b = stats_read_arena(index[0], &a);
	return (0);
}

CTL_HANDLER(ctl_arena_decay)
{

	return (set_decay(index[0], false) ? 0 : EFAULT);
}

CTL_HANDLER(ctl_arena_purge)
{

	return (set_decay(index[0], true) ? 0 : EFAULT);
}

/* What the caller's own cache holds of the arena is seen to here.  A hook may
 * be part of a visit to the arena, which would be waited for. */
CTL_HANDLER(ctl_arena_reset)
{

	if (hooks_within())
		return (EFAULT);
	if (cache_arena()->ind == index[0])
		cache_flush_self();
	return (explicit_reset(index[0]) ? 0 : EFAULT);
}

CTL_HANDLER(ctl_arena_destroy)
{

	if (hooks_within())
		return (EFAULT);
	return (explicit_destroy(index[0]) ? 0 : EFAULT);
}

CTL_HANDLER(ctl_arena_name)
{

	return (explicit_name_get(index[0], v->buf) ? 0 : EFAULT);
}

CTL_HANDLER(ctl_arena_name_set)
{

	return (v->s != NULL && explicit_name_set(index[0], v->s) ? 0 :
	    EFAULT);
}

CTL_HANDLER(ctl_arena_hooks)
{

	v->hooks = explicit_hooks_get(index[0]);
	return (v->hooks != NULL ? 0 : EFAULT);
}

CTL_HANDLER(ctl_arena_hooks_set)
{

	if (hooks_within())
		return (EFAULT);
	return (apart_hooks_set(index[0], v->hooks));
}

/* What is written, if anything, are the hooks of the arena that is read. */
CTL_HANDLER(ctl_arenas_create)
{

	if (v->hooks != NULL && v->hooks->alloc == NULL)
		return (EFAULT);
	v->u = explicit_create(v->hooks);
	return (v->u != 0 ? 0 : EAGAIN);
}

/* where: what the time is of. */
CTL_HANDLER(ctl_decay_get)
{
	int64_t ms;

	if (!set_decay_ms_get(index[0], *(const enum pages *)k->where, &ms))
		return (EFAULT);
	v->zs = (ptrdiff_t)ms;
	return (0);
}

CTL_HANDLER(ctl_arena_decay_set)
{
	enum pages kind = *(const enum pages *)k->where;
	int64_t ms;
	int error;

	if (v->zs < -1 || v->zs > CTL_DECAY_MAX)
		return (EFAULT);
	if (set_decay_ms_get(index[0], kind, &ms) && ms == v->zs)
		return (0);
	if ((error = apart_own(index[0])) != 0)
		return (error);
	if (!set_decay_ms_set(index[0], kind, v->zs))
		return (EFAULT);
	set_overdue(decay_now());
	return (0);
}

CTL_HANDLER(ctl_oversize_get)
{

	return (set_oversize_get(index[0], &v->z) ? 0 : EFAULT);
}

CTL_HANDLER(ctl_oversize_set)
{

	return (set_oversize_set(index[0], v->z) ? 0 : EFAULT);
}

CTL_HANDLER(ctl_default_decay_get)
{

	v->zs = (ptrdiff_t)set_decay_ms_new(*(const enum pages *)k->where);
	return (0);
}

CTL_HANDLER(ctl_default_decay_set)
{

	if (v->zs < -1 || v->zs > CTL_DECAY_MAX)
		return (EFAULT);
	set_decay_ms_renew(*(const enum pages *)k->where, v->zs);
	return (0);
}

CTL_HANDLER(ctl_bin_size)
{

	v->z = size_info[index[1] + 1].size;
	return (0);
}

CTL_HANDLER(ctl_bin_nregs)
{

	v->u32 = slab_geom[index[1] + 1].nslots;
	return (0);
}

CTL_HANDLER(ctl_bin_slab)
{

	v->z = slab_geom[index[1] + 1].bytes;
	return (0);
}

CTL_HANDLER(ctl_soft_get)
{

	v->z = load_rlx(&limit_soft);
	return (0);
}

CTL_HANDLER(ctl_soft_set)
{

	if (v->z > SIZE_LARGE_MAX)
		return (EFAULT);
	relief_set_soft(v->z);
	return (0);
}

CTL_HANDLER(ctl_hard_get)
{

	v->z = load_rlx(&limit_hard);
	return (0);
}

CTL_HANDLER(ctl_hard_set)
{

	if (v->z > SIZE_LARGE_MAX)
		return (EFAULT);
	relief_set_hard(v->z);
	return (0);
}

CTL_HANDLER(ctl_held)
{

	v->z = set_held();
	return (0);
}

CTL_HANDLER(ctl_notify_get)
{

	v->notify = load_acq(&limit_notify);
	return (0);
}

CTL_HANDLER(ctl_notify_set)
{

	store_rel(&limit_notify, v->notify);
	return (0);
}

#define	KEY(name, type, get, set, where)				\
	{ name, get, set, where, CTL_##type }
#define	KEY_BOOL(name, where)	KEY(name, BOOL, ctl_value_bool, NULL, where)

/* Manual: malloc_np.3, MALLCTL KEYS, which also has opt.* and stats.*. */
static const struct ctl_key ctl_keys[] = {
	KEY("version", STRING, ctl_string, NULL, STATS_VERSION),
	KEY("epoch", EPOCH, ctl_epoch_get, ctl_epoch_set, NULL),
	KEY("background_thread", BOOL, ctl_keeper, ctl_keeper_set, NULL),
	KEY("max_background_threads", SIZE, ctl_keepers, ctl_keepers_set,
	    NULL),
	KEY("dirty_max", SSIZE, ctl_dirty_max, ctl_dirty_max_set, NULL),

	KEY("thread.arena", UNSIGNED, ctl_thread_arena, ctl_thread_arena_set,
	    NULL),
	KEY("thread.tcache.flush", VOID, NULL, ctl_thread_flush, NULL),

	KEY_BOOL("config.cache_oblivious", &ctl_false),
	KEY_BOOL("config.debug", &ctl_debug),
	KEY_BOOL("config.fill", &ctl_false),
	KEY_BOOL("config.lazy_lock", &ctl_false),
	KEY("config.malloc_conf", STRING, ctl_string, NULL, ""),
	KEY_BOOL("config.opt_safety_checks", &ctl_false),
	KEY_BOOL("config.prof", &ctl_false),
	KEY_BOOL("config.prof_frameptr", &ctl_false),
	KEY_BOOL("config.prof_libgcc", &ctl_false),
	KEY_BOOL("config.prof_libunwind", &ctl_false),
	KEY_BOOL("config.stats", &ctl_true),
	KEY_BOOL("config.utrace", &ctl_false),
	KEY_BOOL("config.xmalloc", &ctl_true),

	KEY("arena.<i>.initialized", BOOL, ctl_arena_initialized, NULL, NULL),
	KEY("arena.<i>.decay", VOID, NULL, ctl_arena_decay, NULL),
	KEY("arena.<i>.purge", VOID, NULL, ctl_arena_purge, NULL),
	KEY("arena.<i>.reset", VOID, NULL, ctl_arena_reset, NULL),
	KEY("arena.<i>.destroy", VOID, NULL, ctl_arena_destroy, NULL),
	KEY("arena.<i>.extent_hooks", HOOKS, ctl_arena_hooks,
	    ctl_arena_hooks_set, NULL),
	KEY("arena.<i>.name", BUFFER, ctl_arena_name, ctl_arena_name_set, NULL),
	KEY("arena.<i>.dirty_decay_ms", SSIZE, ctl_decay_get,
	    ctl_arena_decay_set, &ctl_dirty),
	KEY("arena.<i>.muzzy_decay_ms", SSIZE, ctl_decay_get,
	    ctl_arena_decay_set, &ctl_muzzy),
	KEY("arena.<i>.oversize_threshold", SIZE, ctl_oversize_get,
	    ctl_oversize_set, NULL),

	KEY("arenas.narenas", UNSIGNED, ctl_narenas, NULL, NULL),
	KEY("arenas.create", CREATE, ctl_arenas_create, NULL, NULL),
	KEY("arenas.dirty_decay_ms", SSIZE, ctl_default_decay_get,
	    ctl_default_decay_set, &ctl_dirty),
	KEY("arenas.muzzy_decay_ms", SSIZE, ctl_default_decay_get,
	    ctl_default_decay_set, &ctl_muzzy),
	KEY("arenas.quantum", SIZE, ctl_value_size, NULL, &ctl_quantum),
	KEY("arenas.page", SIZE, ctl_page, NULL, NULL),
	KEY("arenas.tcache_max", SIZE, ctl_value_size, NULL, &ctl_tcache_max),
	KEY("arenas.nbins", UNSIGNED, ctl_value_unsigned, NULL, &ctl_nbins),
	KEY("arenas.nhbins", UNSIGNED, ctl_value_unsigned, NULL, &ctl_nbins),
	KEY("arenas.bin.<j>.size", SIZE, ctl_bin_size, NULL, NULL),
	KEY("arenas.bin.<j>.nregs", U32, ctl_bin_nregs, NULL, NULL),
	KEY("arenas.bin.<j>.slab_size", SIZE, ctl_bin_slab, NULL, NULL),

	KEY("limit.soft", SIZE, ctl_soft_get, ctl_soft_set, NULL),
	KEY("limit.hard", SIZE, ctl_hard_get, ctl_hard_set, NULL),
	KEY("limit.held", SIZE, ctl_held, NULL, NULL),
	KEY("limit.notify", NOTIFY, ctl_notify_get, ctl_notify_set, NULL),
};

/* A key opt.*; where: its option. */
CTL_HANDLER(ctl_option)
{
	const struct conf_option *o = k->where;

	switch (o->type) {
	case CONF_BOOL:
		v->b = conf_number(o) != 0;
		break;
	case CONF_UNSIGNED:
		v->u = (unsigned)conf_number(o);
		break;
	case CONF_FIXED:
		v->u32 = (uint32_t)conf_number(o);
		break;
	case CONF_U64:
		v->u64 = (uint64_t)conf_number(o);
		break;
	case CONF_SSIZE:
	case CONF_SHARE:
		v->zs = (ptrdiff_t)conf_number(o);
		break;
	case CONF_SIZE:
	case CONF_PART:
		v->z = (size_t)conf_number(o);
		break;
	case CONF_ENUM:
	case CONF_STRING:
	case CONF_LIMIT:
		v->s = conf_string(o);
		break;
	}
	return (0);
}

static void
ctl_statistic_store(const struct stats_item *it, uint64_t n,
    union ctl_value *v)
{

	switch (it->type) {
	case STATS_UNSIGNED:
		v->u = (unsigned)n;
		break;
	case STATS_SIZE:
		v->z = (size_t)n;
		break;
	case STATS_SSIZE:
		v->zs = (ptrdiff_t)n;
		break;
	case STATS_U64:
		v->u64 = n;
		break;
	}
}

/* A key stats.*; where: its row in the table of statistics. */
CTL_HANDLER(ctl_statistic)
{
	const struct stats_item *it = k->where;
	struct stats s;

	if (it->scope == STATS_PROCESS || it->scope == STATS_KEEPER)
		stats_read(&s);
	else if (!stats_read_arena(index[0], &s.total))
		return (ENOENT);
	ctl_statistic_store(it, stats_value(it, &s, &s.total, index[1]), v);
	return (0);
}

/*
 * The three tables as one.
 */

unsigned
ctl_count(void)
{

	return (NITEMS(ctl_keys) + conf_noptions + stats_nitems);
}

static struct ctl_key
ctl_option_key(const struct conf_option *o, char buf[CTL_NAME_MAX])
{
	static const enum ctl_type types[] = {
		[CONF_BOOL] = CTL_BOOL,
		[CONF_UNSIGNED] = CTL_UNSIGNED,
		[CONF_FIXED] = CTL_U32,
		[CONF_PART] = CTL_SIZE,
		[CONF_U64] = CTL_U64,
		[CONF_SSIZE] = CTL_SSIZE,
		[CONF_SHARE] = CTL_SSIZE,
		[CONF_SIZE] = CTL_SIZE,
		[CONF_ENUM] = CTL_STRING,
		[CONF_STRING] = CTL_STRING,
		[CONF_LIMIT] = CTL_STRING,
	};
	struct ctl_key k = { buf, ctl_option, NULL, o, types[o->type] };

	print_fmt(buf, CTL_NAME_MAX, "opt.%s", o->name);
	return (k);
}

struct ctl_key
ctl_key(unsigned n, char buf[CTL_NAME_MAX])
{
	static const enum ctl_type types[] = {
		[STATS_UNSIGNED] = CTL_UNSIGNED,
		[STATS_U64] = CTL_U64,
		[STATS_SIZE] = CTL_SIZE,
		[STATS_SSIZE] = CTL_SSIZE,
	};
	struct ctl_key k;

	DSM_ASSERT(n < ctl_count());
	if (n < NITEMS(ctl_keys))
		return (ctl_keys[n]);
	n -= NITEMS(ctl_keys);
	if (n < conf_noptions)
		return (ctl_option_key(&conf_options[n], buf));
	n -= conf_noptions;
	k.name = stats_items[n].key;
	k.get = ctl_statistic;
	k.set = NULL;
	k.where = &stats_items[n];
	k.type = types[stats_items[n].type];
	return (k);
}

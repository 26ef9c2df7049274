/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * ctl: mallctl(3).
 *
 * What a caller may get wrong about sizes and directions is judged in one
 * place, ctl_access(), in the manner of jemalloc, so that handlers see only
 * values of their own type.
 */

#include <errno.h>
#include <string.h>

#include "dsm_cache.h"
#include "dsm_ctl.h"
#include "dsm_init.h"
#include "dsm_keeper.h"
#include "malloc_np.h"

static size_t
ctl_size(enum ctl_type type)
{

	switch (type) {
	case CTL_VOID:
		return (0);
	case CTL_BOOL:
		return (sizeof(bool));
	case CTL_UNSIGNED:
	case CTL_CREATE:
		return (sizeof(unsigned));
	case CTL_U32:
		return (sizeof(uint32_t));
	case CTL_U64:
	case CTL_EPOCH:
		return (sizeof(uint64_t));
	case CTL_SIZE:
	case CTL_SSIZE:
		return (sizeof(size_t));
	case CTL_NOTIFY:
		return (sizeof(limit_notify_fn *));
	case CTL_STRING:
	case CTL_BUFFER:
	case CTL_HOOKS:
		break;
	}
	return (sizeof(const char *));
}

/* The caller's value is the address of a buffer, which the handler fills. */
static int
ctl_read_buffer(const struct ctl_key *k, const unsigned *index,
    const void *oldp, const size_t *oldlenp)
{
	union ctl_value v;

	if (*oldlenp != sizeof(v.buf))
		return (EINVAL);
	memcpy(&v.buf, oldp, sizeof(v.buf));
	return (v.buf != NULL ? k->get(k, index, &v) : EFAULT);
}

/* A value for the caller; of a wrong length as much as fits, and EINVAL. */
static int
ctl_read(const struct ctl_key *k, const unsigned *index, void *oldp,
    size_t *oldlenp)
{
	union ctl_value v = { .u64 = 0 };
	size_t len = ctl_size(k->type);
	int error;

	if (k->type == CTL_BUFFER)
		return (ctl_read_buffer(k, index, oldp, oldlenp));
	if ((error = k->get(k, index, &v)) != 0)
		return (error);
	if (*oldlenp != len) {
		*oldlenp = DSM_MIN(*oldlenp, len);
		error = EINVAL;
	}
	memcpy(oldp, &v, *oldlenp);
	return (error);
}

/* What goes into a key.  The epoch may come as an int: many write it so. */
static int
ctl_write(const struct ctl_key *k, const unsigned *index, const void *newp,
    size_t newlen)
{
	union ctl_value v = { .u64 = 0 };

	if (newlen != ctl_size(k->type) && (k->type != CTL_EPOCH ||
	    newlen != sizeof(uint32_t)))
		return (EINVAL);
	memcpy(&v, newp, newlen);
	return (k->set(k, index, &v));
}

/* Nothing is created but for who reads which one it is. */
static int
ctl_create(const struct ctl_key *k, const unsigned *index, void *oldp,
    const size_t *oldlenp, const void *newp, size_t newlen)
{
	union ctl_value v = { .hooks = NULL };
	int error;

	if (oldp == NULL || oldlenp == NULL || *oldlenp != sizeof(v.u) ||
	    (newp != NULL && newlen != sizeof(v.hooks)))
		return (EINVAL);
	if (newp != NULL)
		memcpy(&v.hooks, newp, sizeof(v.hooks));
	if ((error = k->get(k, index, &v)) == 0)
		memcpy(oldp, &v.u, sizeof(v.u));
	return (error);
}

/*
 * Read, write or do what a key stands for.  The epoch, as jemalloc has it,
 * is read after it was written, any other value before.
 */
static int
ctl_access(const struct ctl_key *k, const unsigned *index, void *oldp,
    size_t *oldlenp, const void *newp, size_t newlen)
{
	union ctl_value v = { .u64 = 0 };
	bool late = k->type == CTL_EPOCH;
	int error;

	if (k->type == CTL_VOID) {
		if (oldp != NULL || oldlenp != NULL || newp != NULL ||
		    newlen != 0)
			return (EPERM);
		return (k->set(k, index, &v));
	}
	if (k->type == CTL_CREATE)
		return (ctl_create(k, index, oldp, oldlenp, newp, newlen));
	if (k->set == NULL && (newp != NULL || newlen != 0))
		return (EPERM);
	if (k->get == NULL && (oldp != NULL || oldlenp != NULL))
		return (EPERM);
	if (newp != NULL && late &&
	    (error = ctl_write(k, index, newp, newlen)) != 0)
		return (error);
	if (oldp != NULL && oldlenp != NULL &&
	    (error = ctl_read(k, index, oldp, oldlenp)) != 0)
		return (error);
	if (newp != NULL && !late)
		return (ctl_write(k, index, newp, newlen));
	return (0);
}

DSM_EXPORT int
__mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
    void *newp, size_t newlen)
{
	struct ctl_key k;
	unsigned index[2] = { 0, 0 };
	char buf[CTL_NAME_MAX];
	int error;

	if (!init_once())
		return (EAGAIN);
	if (!ctl_find(mib, miblen, &k, index, buf))
		return (ENOENT);
	/* Handlers take locks: no fork meanwhile. */
	(void)cache_enter();
	error = ctl_access(&k, index, oldp, oldlenp, newp, newlen);
	cache_leave();
	if (error == CTL_SETTLE)
		error = keeper_settle() ? 0 : EFAULT;
	return (error);
}

DSM_EXPORT int
__mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
    size_t newlen)
{
	size_t mib[CTL_DEPTH];
	unsigned n;

	if (!init_once())
		return (EAGAIN);
	if ((n = ctl_lookup(name, mib)) == 0)
		return (ENOENT);
	return (__mallctlbymib(mib, n, oldp, oldlenp, newp, newlen));
}

/* A name longer than the caller's MIB gives as much as fits, as jemalloc. */
DSM_EXPORT int
__mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	size_t mib[CTL_DEPTH];
	size_t n;

	if (!init_once())
		return (EAGAIN);
	if ((n = ctl_lookup(name, mib)) == 0)
		return (ENOENT);
	*miblenp = DSM_MIN(*miblenp, n);
	memcpy(mibp, mib, *miblenp * sizeof(mib[0]));
	return (0);
}

#define	ALIAS(of)	__attribute__((__weak__, __alias__(of)))

DSM_EXPORT ALIAS("__mallctl") int
mallctl(const char *, void *, size_t *, void *, size_t);
DSM_EXPORT ALIAS("__mallctlnametomib") int
mallctlnametomib(const char *, size_t *, size_t *);
DSM_EXPORT ALIAS("__mallctlbymib") int
mallctlbymib(const size_t *, size_t, void *, size_t *, void *, size_t);

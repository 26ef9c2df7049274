/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

#include "dsm_gate.h"
#include "dsm_os.h"

uint32_t	gate_word;
const void	*gate_forker;
static uint32_t	gate_tid;		/* the forker's */
static uint32_t	gate_strays;		/* atomic */

static void DSM_COLD
gate_wait(void)
{

	while (load_acq(&gate_word) != 0)
		os_wait(&gate_word, 1);
}

void DSM_COLD
gate_enter_again(uint32_t *inside, const void *self)
{

	do {
		store_rel(inside, 0);
		gate_wait();
		store_rlx(inside, 1);
	} while (!gate_is_open(self));
}

void
gate_add_stray(void)
{

	add_rlx(&gate_strays, 1);
}

void
gate_enter_stray(const void *self)
{

	for (;;) {
		gate_add_stray();
		if (gate_is_open(self))
			return;
		gate_leave_stray();
		gate_wait();
	}
}

void
gate_leave_stray(void)
{

	__atomic_fetch_sub(&gate_strays, 1, __ATOMIC_RELEASE);
}

void
gate_shut(const void *self)
{
	uint32_t none = 0;

	while (!__atomic_compare_exchange_n(&gate_word, &none, 1, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
		os_wait(&gate_word, 1);
		none = 0;
	}
	store_rlx(&gate_forker, self);
	gate_tid = os_tid();
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void
gate_await(const uint32_t *inside)
{

	while (load_acq(inside) != 0)
		os_yield();
}

void
gate_await_strays(void)
{

	gate_await(&gate_strays);
}

void
gate_forget_strays(void)
{

	store_rlx(&gate_strays, 0);
}

void
gate_reopen(void)
{

	store_rlx(&gate_forker, NULL);
	store_rel(&gate_word, 0);
	os_wake(&gate_word, UINT32_MAX);
}

bool
gate_is_forker(void)
{

	return (os_tid() == gate_tid);
}

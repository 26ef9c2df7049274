/*-
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copyright (c) 2026 The dsmalloc authors
 */

/*
 * Every global of the allocator that is not public, under a reserved name:
 * the objects also go into libc.a, where hidden visibility does not hide.
 * A test compares this list with the symbols of the archive.
 */
#ifndef _DSM_NAMESPACE_H_
#define	_DSM_NAMESPACE_H_

/* conf, ctl, stats */
#define	conf	__dsm_conf
#define	conf_find	__dsm_conf_find
#define	conf_format	__dsm_conf_format
#define	conf_init	__dsm_conf_init
#define	conf_is_default	__dsm_conf_is_default
#define	conf_noptions	__dsm_conf_noptions
#define	conf_number	__dsm_conf_number
#define	conf_options	__dsm_conf_options
#define	conf_string	__dsm_conf_string
#define	ctl_count	__dsm_ctl_count
#define	ctl_key	__dsm_ctl_key
#define	stats_items	__dsm_stats_items
#define	stats_nitems	__dsm_stats_nitems
#define	stats_print	__dsm_stats_print
#define	stats_read	__dsm_stats_read
#define	stats_read_arena	__dsm_stats_read_arena
#define	stats_value	__dsm_stats_value

/* dsm_os_*.c */
#define	os_abort	__dsm_os_abort
#define	os_clock_ns	__dsm_os_clock_ns
#define	os_collapse	__dsm_os_collapse
#define	os_commit	__dsm_os_commit
#define	os_cpu_now	__dsm_os_cpu_now
#define	os_cpus		__dsm_os_cpus
#define	os_decommit	__dsm_os_decommit
#define	os_extend	__dsm_os_extend
#define	os_huge		__dsm_os_huge
#define	os_init		__dsm_os_init
#define	os_map		__dsm_os_map
#define	os_map_at	__dsm_os_map_at
#define	os_nohuge	__dsm_os_nohuge
#define	os_page		__dsm_os_page
#define	os_page_shift	__dsm_os_page_shift
#define	os_peek		__dsm_os_peek
#define	os_physical	__dsm_os_physical
#define	os_purge_forced	__dsm_os_purge_forced
#define	os_purge_lazy	__dsm_os_purge_lazy
#define	os_purge_many	__dsm_os_purge_many
#define	os_random	__dsm_os_random
#define	os_readat	__dsm_os_readat
#define	os_readfile	__dsm_os_readfile
#define	os_readlink	__dsm_os_readlink
#define	os_remap	__dsm_os_remap
#define	os_resident	__dsm_os_resident
#define	os_secure	__dsm_os_secure
#define	os_tid		__dsm_os_tid
#define	os_unmap	__dsm_os_unmap
#define	os_wait		__dsm_os_wait
#define	os_wake		__dsm_os_wake
#define	os_write	__dsm_os_write
#define	os_yield	__dsm_os_yield

/* dsm_lock.c */
#define	lock_check	__dsm_lock_check
#define	lock_enter	__dsm_lock_enter
#define	lock_forked	__dsm_lock_forked
#define	lock_forking	__dsm_lock_forking
#define	lock_held	__dsm_lock_held
#define	lock_init	__dsm_lock_init
#define	lock_leave	__dsm_lock_leave
#define	lock_slow	__dsm_lock_slow
#define	lock_wake	__dsm_lock_wake

/* dsm_print.c */
#define	dsm_assert_fail	__dsm_assert_fail
#define	print_backtrace	__dsm_print_backtrace
#define	print_fatal	__dsm_print_fatal
#define	print_fmt	__dsm_print_fmt
#define	print_to	__dsm_print_to
#define	print_vfmt	__dsm_print_vfmt
#define	print_warn	__dsm_print_warn

/* dsm_unwind.c */
#define	unwind_init	__dsm_unwind_init
#define	unwind_stack	__dsm_unwind_stack

/* dsm_cxx.c */
#define	cxx_caught	__dsm_cxx_caught
#define	cxx_guard	__dsm_cxx_guard
#define	cxx_personality	__dsm_cxx_personality

#endif /* !_DSM_NAMESPACE_H_ */

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

/* dsm_os*.c */
#define	os_abort	__dsm_os_abort
#define	os_address_limit __dsm_os_address_limit
#define	os_break	__dsm_os_break
#define	os_clock_ns	__dsm_os_clock_ns
#define	os_collapse	__dsm_os_collapse
#define	os_commit	__dsm_os_commit
#define	os_cpus		__dsm_os_cpus
#define	os_decommit	__dsm_os_decommit
#define	os_huge		__dsm_os_huge
#define	os_in_break	__dsm_os_in_break
#define	os_init		__dsm_os_init
#define	os_map		__dsm_os_map
#define	os_map_at	__dsm_os_map_at
#define	os_memory	__dsm_os_memory
#define	os_move		__dsm_os_move
#define	os_name		__dsm_os_name
#define	os_nohuge	__dsm_os_nohuge
#define	os_page		__dsm_os_page
#define	os_page_shift	__dsm_os_page_shift
#define	os_peek		__dsm_os_peek
#define	os_purge_forced	__dsm_os_purge_forced
#define	os_purge_lazy	__dsm_os_purge_lazy
#define	os_purge_many	__dsm_os_purge_many
#define	os_readat	__dsm_os_readat
#define	os_readfile	__dsm_os_readfile
#define	os_readlink	__dsm_os_readlink
#define	os_reserve	__dsm_os_reserve
#define	os_secure	__dsm_os_secure
#define	os_thp		__dsm_os_thp
#define	os_tid		__dsm_os_tid
#define	os_time_ns	__dsm_os_time_ns
#define	os_unmap	__dsm_os_unmap
#define	os_wait		__dsm_os_wait
#define	os_wait_for	__dsm_os_wait_for
#define	os_wake		__dsm_os_wake
#define	os_write	__dsm_os_write
#define	os_yield	__dsm_os_yield

/* dsm_size.c */
#define	size_distrust	__dsm_size_distrust
#define	size_info	__dsm_size_info
#define	size_sized	__dsm_size_sized
#define	size_table	__dsm_size_table

/* dsm_limit.c */
#define	limit_bytes	__dsm_limit_bytes
#define	limit_charge_slow __dsm_limit_charge_slow
#define	limit_grown	__dsm_limit_grown
#define	limit_hard	__dsm_limit_hard
#define	limit_idle	__dsm_limit_idle
#define	limit_look_due	__dsm_limit_look_due
#define	limit_notify	__dsm_limit_notify
#define	limit_parse	__dsm_limit_parse
#define	limit_pending	__dsm_limit_pending
#define	limit_recount	__dsm_limit_recount
#define	limit_set	__dsm_limit_set
#define	limit_settle_slow __dsm_limit_settle_slow
#define	limit_soft	__dsm_limit_soft
#define	limit_tight	__dsm_limit_tight

/* dsm_lock.c */
#define	lock_check	__dsm_lock_check
#define	lock_die	__dsm_lock_die
#define	lock_enter	__dsm_lock_enter
#define	lock_held	__dsm_lock_held
#define	lock_init	__dsm_lock_init
#define	lock_leave	__dsm_lock_leave
#define	lock_none	__dsm_lock_none
#define	lock_slow	__dsm_lock_slow
#define	lock_wake	__dsm_lock_wake

/* dsm_gate.c */
#define	gate_add_stray	__dsm_gate_add_stray
#define	gate_await	__dsm_gate_await
#define	gate_await_strays __dsm_gate_await_strays
#define	gate_enter_again __dsm_gate_enter_again
#define	gate_enter_stray __dsm_gate_enter_stray
#define	gate_forget_strays __dsm_gate_forget_strays
#define	gate_forker	__dsm_gate_forker
#define	gate_is_forker	__dsm_gate_is_forker
#define	gate_leave_stray __dsm_gate_leave_stray
#define	gate_reopen	__dsm_gate_reopen
#define	gate_shut	__dsm_gate_shut
#define	gate_word	__dsm_gate_word

/* dsm_base.c */
#define	base_alloc	__dsm_base_alloc
#define	base_bytes	__dsm_base_bytes
#define	base_free	__dsm_base_free
#define	base_may_be_huge __dsm_base_may_be_huge
#define	base_nhuge	__dsm_base_nhuge
#define	base_thp	__dsm_base_thp

/* dsm_print.c */
#define	dsm_assert_fail	__dsm_assert_fail
#define	print_backtrace	__dsm_print_backtrace
#define	print_fatal	__dsm_print_fatal
#define	print_fmt	__dsm_print_fmt
#define	print_size	__dsm_print_size
#define	print_to	__dsm_print_to
#define	print_vfmt	__dsm_print_vfmt
#define	print_warn	__dsm_print_warn

/* dsm_cgroup.c */
#define	cgroup_prefix	__dsm_cgroup_prefix
#define	cgroup_read	__dsm_cgroup_read

/* dsm_map.c */
#define	map_bytes	__dsm_map_bytes
#define	map_clear	__dsm_map_clear
#define	map_find	__dsm_map_find
#define	map_holds	__dsm_map_holds
#define	map_init	__dsm_map_init
#define	map_nhuge	__dsm_map_nhuge
#define	map_prepare	__dsm_map_prepare
#define	map_release	__dsm_map_release
#define	map_root	__dsm_map_root
#define	map_set		__dsm_map_set
#define	map_set_one	__dsm_map_set_one
#define	map_window	__dsm_map_window

/* dsm_conf.c, dsm_conf_read.c */
#define	conf	__dsm_conf
#define	conf_find	__dsm_conf_find
#define	conf_format	__dsm_conf_format
#define	conf_init	__dsm_conf_init
#define	conf_is_default	__dsm_conf_is_default
#define	conf_is_foreign	__dsm_conf_is_foreign
#define	conf_is_string	__dsm_conf_is_string
#define	conf_nearest	__dsm_conf_nearest
#define	conf_noptions	__dsm_conf_noptions
#define	conf_number	__dsm_conf_number
#define	conf_options	__dsm_conf_options
#define	conf_reset	__dsm_conf_reset
#define	conf_set	__dsm_conf_set
#define	conf_string	__dsm_conf_string

/* dsm_unwind.c */
#define	unwind_init	__dsm_unwind_init
#define	unwind_stack	__dsm_unwind_stack

/* dsm_hooks.c */
#define	hooks_alloc	__dsm_hooks_alloc
#define	hooks_at	__dsm_hooks_at
#define	hooks_dalloc	__dsm_hooks_dalloc
#define	hooks_default	__dsm_hooks_default
#define	hooks_enter	__dsm_hooks_enter
#define	hooks_hide	__dsm_hooks_hide
#define	hooks_leave	__dsm_hooks_leave
#define	hooks_merge	__dsm_hooks_merge
#define	hooks_purge	__dsm_hooks_purge
#define	hooks_show	__dsm_hooks_show
#define	hooks_split	__dsm_hooks_split
#define	hooks_within	__dsm_hooks_within

/* dsm_mark.c */
#define	mark_add	__dsm_mark_add
#define	mark_advise_against __dsm_mark_advise_against
#define	mark_advise_for	__dsm_mark_advise_for
#define	mark_cut	__dsm_mark_cut
#define	mark_find	__dsm_mark_find

/* dsm_lent.c */
#define	lent_adopt	__dsm_lent_adopt
#define	lent_alloc	__dsm_lent_alloc
#define	lent_divide	__dsm_lent_divide
#define	lent_empty	__dsm_lent_empty
#define	lent_extend	__dsm_lent_extend
#define	lent_free	__dsm_lent_free
#define	lent_owed	__dsm_lent_owed
#define	lent_pinned	__dsm_lent_pinned
#define	lent_purge	__dsm_lent_purge
#define	lent_purge_part	__dsm_lent_purge_part
#define	lent_trim	__dsm_lent_trim

/* dsm_pool.c */
#define	extent_cut	__dsm_extent_cut
#define	extent_insert	__dsm_extent_insert
#define	extent_remove	__dsm_extent_remove
#define	pool_alloc	__dsm_pool_alloc
#define	pool_empty	__dsm_pool_empty
#define	pool_extend	__dsm_pool_extend
#define	pool_forget	__dsm_pool_forget
#define	pool_free	__dsm_pool_free
#define	pool_free_muzzy	__dsm_pool_free_muzzy
#define	pool_init	__dsm_pool_init
#define	pool_lend	__dsm_pool_lend
#define	pool_mark	__dsm_pool_mark
#define	pool_marked	__dsm_pool_marked
#define	pool_remark	__dsm_pool_remark
#define	pool_trim	__dsm_pool_trim
#define	pool_unmark	__dsm_pool_unmark

/* dsm_purge.c */
#define	pool_owed	__dsm_pool_owed
#define	pool_purge	__dsm_pool_purge
#define	pool_purge_map	__dsm_pool_purge_map

/* dsm_region*.c */
#define	region_add	__dsm_region_add
#define	region_age	__dsm_region_age
#define	region_alloc	__dsm_region_alloc
#define	region_break	__dsm_region_break
#define	region_broken	__dsm_region_broken
#define	region_delete	__dsm_region_delete
#define	region_detach	__dsm_region_detach
#define	region_extend	__dsm_region_extend
#define	region_fit	__dsm_region_fit
#define	region_find_longest __dsm_region_find_longest
#define	region_free	__dsm_region_free
#define	region_get	__dsm_region_get
#define	region_hugify	__dsm_region_hugify
#define	region_mended	__dsm_region_mended
#define	region_release	__dsm_region_release
#define	region_rewrite	__dsm_region_rewrite
#define	region_ripe	__dsm_region_ripe
#define	region_set_longest __dsm_region_set_longest
#define	region_settle	__dsm_region_settle
#define	region_stays_huge __dsm_region_stays_huge
#define	region_take	__dsm_region_take
#define	region_unhuge	__dsm_region_unhuge
#define	region_valid	__dsm_region_valid
#define	region_yields	__dsm_region_yields
#define	regions_grow	__dsm_regions_grow
#define	regions_init	__dsm_regions_init
#define	regions_lend	__dsm_regions_lend
#define	regions_pass	__dsm_regions_pass
#define	regions_purge	__dsm_regions_purge
#define	regions_purge_pages __dsm_regions_purge_pages
#define	regions_reset	__dsm_regions_reset
#define	regions_trim	__dsm_regions_trim

/* dsm_slab.c */
#define	slab_bad_free	__dsm_slab_bad_free
#define	slab_boot	__dsm_slab_boot
#define	slab_close	__dsm_slab_close
#define	slab_collect	__dsm_slab_collect
#define	slab_drop	__dsm_slab_drop
#define	slab_free_pages	__dsm_slab_free_pages
#define	slab_pages	__dsm_slab_pages
#define	slab_geom	__dsm_slab_geom
#define	slab_open	__dsm_slab_open
#define	slab_put	__dsm_slab_put
#define	slab_put_remote	__dsm_slab_put_remote
#define	slab_take	__dsm_slab_take
#define	slab_valid	__dsm_slab_valid

/* dsm_decay.c */
#define	decay_alarm	__dsm_decay_alarm
#define	decay_arm	__dsm_decay_arm
#define	decay_begin	__dsm_decay_begin
#define	decay_budget	__dsm_decay_budget
#define	decay_clock	__dsm_decay_clock
#define	decay_deadline	__dsm_decay_deadline
#define	decay_end	__dsm_decay_end
#define	decay_enter	__dsm_decay_enter
#define	decay_grace	__dsm_decay_grace
#define	decay_init	__dsm_decay_init
#define	decay_lower	__dsm_decay_lower
#define	decay_next	__dsm_decay_next
#define	decay_now	__dsm_decay_now
#define	decay_part	__dsm_decay_part
#define	decay_renew	__dsm_decay_renew
#define	decay_round	__dsm_decay_round
#define	decay_rouse	__dsm_decay_rouse
#define	decay_scan	__dsm_decay_scan
#define	decay_set	__dsm_decay_set
#define	decay_sleep	__dsm_decay_sleep
#define	decay_turn	__dsm_decay_turn

/* dsm_bin.c */
#define	bin_bytes	__dsm_bin_bytes
#define	bin_collect	__dsm_bin_collect
#define	bin_fill	__dsm_bin_fill
#define	bin_flush	__dsm_bin_flush
#define	bin_init	__dsm_bin_init
#define	bin_move_to	__dsm_bin_move_to
#define	bin_purge	__dsm_bin_purge
#define	bin_recount	__dsm_bin_recount
#define	bin_requests	__dsm_bin_requests
#define	bin_reset	__dsm_bin_reset
#define	bin_out	__dsm_bin_out
#define	bin_slack	__dsm_bin_slack
#define	bin_spare	__dsm_bin_spare
#define	bin_stats	__dsm_bin_stats
#define	bin_valid	__dsm_bin_valid

/* dsm_large.c */
#define	large_alloc	__dsm_large_alloc
#define	large_drain	__dsm_large_drain
#define	large_drop	__dsm_large_drop
#define	large_free	__dsm_large_free
#define	large_init	__dsm_large_init
#define	large_move_to	__dsm_large_move_to
#define	large_recount	__dsm_large_recount
#define	large_reset	__dsm_large_reset
#define	large_resize	__dsm_large_resize
#define	large_restock	__dsm_large_restock
#define	large_zero	__dsm_large_zero

/* dsm_arena.c */
#define	arena_active	__dsm_arena_active
#define	arena_bin	__dsm_arena_bin
#define	arena_boot	__dsm_arena_boot
#define	arena_collect	__dsm_arena_collect
#define	arena_count	__dsm_arena_count
#define	arena_forked	__dsm_arena_forked
#define	arena_get	__dsm_arena_get
#define	arena_label	__dsm_arena_label
#define	arena_move_to	__dsm_arena_move_to
#define	arena_nauto	__dsm_arena_nauto
#define	arena_new	__dsm_arena_new
#define	arena_of_bin	__dsm_arena_of_bin
#define	arena_out	__dsm_arena_out
#define	arena_purge_bin	__dsm_arena_purge_bin
#define	arena_purge_slabs __dsm_arena_purge_slabs
#define	arena_recount	__dsm_arena_recount
#define	arena_reset	__dsm_arena_reset
#define	arena_set_within __dsm_arena_set_within
#define	arena_spare	__dsm_arena_spare
#define	arena_stats_add	__dsm_arena_stats_add
#define	arena_unbind	__dsm_arena_unbind
#define	arena_within	__dsm_arena_within
#define	arena_zero	__dsm_arena_zero

/* dsm_set*.c */
#define	set_all		__dsm_set_all
#define	set_add_auto	__dsm_set_add_auto
#define	set_bind	__dsm_set_bind
#define	set_bind_to	__dsm_set_bind_to
#define	set_boot	__dsm_set_boot
#define	set_count	__dsm_set_count
#define	set_decay	__dsm_set_decay
#define	set_decay_ms_get __dsm_set_decay_ms_get
#define	set_decay_ms_new __dsm_set_decay_ms_new
#define	set_decay_ms_renew __dsm_set_decay_ms_renew
#define	set_decay_ms_set __dsm_set_decay_ms_set
#define	set_dirty_least	__dsm_set_dirty_least
#define	set_due_muzzy	__dsm_set_due_muzzy
#define	set_ease	__dsm_set_ease
#define	set_eased	__dsm_set_eased
#define	set_enter	__dsm_set_enter
#define	set_exists	__dsm_set_exists
#define	set_freed	__dsm_set_freed
#define	set_gone	__dsm_set_gone
#define	set_grown_slow	__dsm_set_grown_slow
#define	set_has		__dsm_set_has
#define	set_held	__dsm_set_held
#define	set_keep	__dsm_set_keep
#define	set_keep_first	__dsm_set_keep_first
#define	set_leave	__dsm_set_leave
#define	set_lock	__dsm_set_lock
#define	set_make	__dsm_set_make
#define	set_may_reclaim	__dsm_set_may_reclaim
#define	set_move	__dsm_set_move
#define	set_new		__dsm_set_new
#define	set_open	__dsm_set_open
#define	set_out		__dsm_set_out
#define	set_overdue	__dsm_set_overdue
#define	set_pages	__dsm_set_pages
#define	set_purge_pool	__dsm_set_purge_pool
#define	set_recap	__dsm_set_recap
#define	set_reclaim	__dsm_set_reclaim
#define	set_relieve	__dsm_set_relieve
#define	set_restart	__dsm_set_restart
#define	set_shed_muzzy	__dsm_set_shed_muzzy
#define	set_spread	__dsm_set_spread
#define	set_stats_add	__dsm_set_stats_add
#define	set_stats_read	__dsm_set_stats_read
#define	set_threads	__dsm_set_threads
#define	set_tick	__dsm_set_tick
#define	set_totals	__dsm_set_totals
#define	set_unshare	__dsm_set_unshare
#define	set_used	__dsm_set_used
#define	set_visit_muzzy	__dsm_set_visit_muzzy
#define	set_wanting	__dsm_set_wanting

/* dsm_explicit.c */
#define	explicit_create	__dsm_explicit_create
#define	explicit_destroy __dsm_explicit_destroy
#define	explicit_hooks_get __dsm_explicit_hooks_get
#define	explicit_hooks_set __dsm_explicit_hooks_set
#define	explicit_name_get __dsm_explicit_name_get
#define	explicit_name_set __dsm_explicit_name_set
#define	explicit_reset	__dsm_explicit_reset

/* dsm_apart.c */
#define	apart_hooks_set	__dsm_apart_hooks_set
#define	apart_own	__dsm_apart_own

/* dsm_cache*.c */
#define	cache_account	__dsm_cache_account
#define	cache_attached	__dsm_cache_attached
#define	cache_arena	__dsm_cache_arena
#define	cache_arena_none __dsm_cache_arena_none
#define	cache_bind	__dsm_cache_bind
#define	cache_bytes_all	__dsm_cache_bytes_all
#define	cache_disown	__dsm_cache_disown
#define	cache_enter	__dsm_cache_enter
#define	cache_exit_self	__dsm_cache_exit_self
#define	cache_flush_all	__dsm_cache_flush_all
#define	cache_flush_self	__dsm_cache_flush_self
#define	cache_free	__dsm_cache_free
#define	cache_free_explicit __dsm_cache_free_explicit
#define	cache_free_none	__dsm_cache_free_none
#define	cache_hide	__dsm_cache_hide
#define	cache_init	__dsm_cache_init
#define	cache_enter_stray	__dsm_cache_enter_stray
#define	cache_is_hidden	__dsm_cache_is_hidden
#define	cache_leave	__dsm_cache_leave
#define	cache_malloc	__dsm_cache_malloc
#define	cache_malloc_none	__dsm_cache_malloc_none
#define	cache_postfork	__dsm_cache_postfork
#define	cache_postfork_any	__dsm_cache_postfork_any
#define	cache_postfork_child	__dsm_cache_postfork_child
#define	cache_prefork	__dsm_cache_prefork
#define	cache_requests	__dsm_cache_requests
#define	cache_self	__dsm_cache_self
#define	cache_sentinel	__dsm_cache_sentinel
#define	cache_show	__dsm_cache_show
#define	cache_tick_now	__dsm_cache_tick_now

/* dsm_relief.c */
#define	relief_boot	__dsm_relief_boot
#define	relief_look	__dsm_relief_look
#define	relief_run_slow	__dsm_relief_run_slow
#define	relief_set_hard	__dsm_relief_set_hard
#define	relief_set_soft	__dsm_relief_set_soft

/* dsm_spawn.c */
#define	spawn_can	__dsm_spawn_can
#define	spawn_join	__dsm_spawn_join
#define	spawn_leave	__dsm_spawn_leave
#define	spawn_safe	__dsm_spawn_safe
#define	spawn_thread	__dsm_spawn_thread

/* dsm_keeper.c */
#define	keeper_boot	__dsm_keeper_boot
#define	keeper_count	__dsm_keeper_count
#define	keeper_forked	__dsm_keeper_forked
#define	keeper_interval	__dsm_keeper_interval
#define	keeper_is_on	__dsm_keeper_is_on
#define	keeper_limit	__dsm_keeper_limit
#define	keeper_most	__dsm_keeper_most
#define	keeper_needed	__dsm_keeper_needed
#define	keeper_ready	__dsm_keeper_ready
#define	keeper_runs	__dsm_keeper_runs
#define	keeper_settle	__dsm_keeper_settle
#define	keeper_start	__dsm_keeper_start
#define	keeper_thread_end __dsm_keeper_thread_end
#define	keeper_turn	__dsm_keeper_turn

/* dsm_init.c */
#define	init_slow	__dsm_init_slow
#define	init_state	__dsm_init_state

/* dsm_stats.c */
#define	stats_at_exit	__dsm_stats_at_exit
#define	stats_items	__dsm_stats_items
#define	stats_nitems	__dsm_stats_nitems
#define	stats_print	__dsm_stats_print
#define	stats_read	__dsm_stats_read
#define	stats_read_arena	__dsm_stats_read_arena
#define	stats_value	__dsm_stats_value

/* dsm_ctl*.c */
#define	ctl_count	__dsm_ctl_count
#define	ctl_find	__dsm_ctl_find
#define	ctl_key		__dsm_ctl_key
#define	ctl_lookup	__dsm_ctl_lookup

/* dsm_oom.c */
#define	oom_report	__dsm_oom_report

/* dsm_foreign.c */
#define	foreign_free	__dsm_foreign_free
#define	foreign_usable	__dsm_foreign_usable

/* dsm_block.c */
#define	block_bad	__dsm_block_bad
#define	block_check_aligned __dsm_block_check_aligned
#define	block_check_size __dsm_block_check_size
#define	block_usable	__dsm_block_usable

/* dsm_cxx.c */
#define	cxx_caught	__dsm_cxx_caught
#define	cxx_guard	__dsm_cxx_guard
#define	cxx_personality	__dsm_cxx_personality

#endif /* !_DSM_NAMESPACE_H_ */

# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/bench: what goes back to the system, when, and what that
# costs.  What each program does is said at its top.

RETURNS_PEERS="jemalloc mimalloc tcmalloc glibc"
RETURNS_LEFT=32		# MiB, after a silence with some calls of malloc
RETURNS_STILL=68	# without: dirty_max, 64 MiB, and the program itself
RETURNS_NOTHING=7	# with a background thread: the program itself, and a
			# slot of each class that the silent thread has at hand
RETURNS_CALL_US=200	# 99.99 % of calls, while memory goes back
RETURNS_CALL_MS=10000	# as long as that may take
RETURNS_VM_MIB=128

# returns_run ALLOCATOR VARIABLES PROGRAM [ARGS...]: $out is what it prints.
returns_run() {
	local vars=$2
	peers_command "${what[$1]}" || exit 2
	out=$(env $vars "${COMMAND[@]}" "$bin/$3" "${@:4}") ||
	    fail "$3 fails under $1"
}

# returns_row NAME KEY...
returns_row() {
	local key
	printf '%-22s' "$1"
	for key in "${@:2}"; do
		printf '%9s' "$(field "$key")"
	done
	echo
}

# returns_head TITLE COLUMN...
returns_head() {
	printf '\n%-22s' "$1"
	printf '%9s' "${@:2}"
	echo
}

# returns_below KEY LIMIT: of a run of dsmalloc's.
returns_below() {
	awk -v x="$(field "$1")" -v limit="$2" \
	    'BEGIN { exit !(x != "" && x <= limit) }' || {
		note "$1 is more than $2"
		bad=1
	}
}

# Does the library take the option, without a word?
returns_background() {
	local said
	peers_command "${what[dsmalloc]}" || exit 2
	said=$(MALLOC_CONF=background_thread:true "${COMMAND[@]}" \
	    "$bin/silence" still 1 1 2>&1 > /dev/null) && [ -z "$said" ]
}

# Those of one allocator at a time, all of which sleep most of the time.
returns_silence() {
	local a conf file how pids
	local keys="peak freed at25 at50 at75 at100 end"
	returns_head "MiB, 1 GiB freed" $keys
	for a in "${allocators[@]}"; do
		pids=()
		for how in alone remote still asleep background; do
			conf=
			case $a.$how in
			dsmalloc.background)
				conf=MALLOC_CONF=background_thread:true
				returns_background || continue ;;
			*.background)	continue ;;
			esac
			(returns_run "$a" "$conf" silence \
			    "${how/background/still}" &&
			    echo "$out" > "$bin/silence.$a.$how") &
			pids+=($! "$how")
		done
		set -- "${pids[@]}"
		for (( ; $# > 0; )); do
			wait "$1" || exit 2
			out=$(cat "$bin/silence.$a.$2")
			returns_row "$a $2" $keys
			case $a.$2 in
			dsmalloc.alone|dsmalloc.remote)
				returns_below end $RETURNS_LEFT ;;
			dsmalloc.still|dsmalloc.asleep)
				returns_below freed $RETURNS_STILL ;;
			dsmalloc.background)
				returns_below end $RETURNS_NOTHING ;;
			esac
			shift 2
		done
	done
}

# Each with a decay time of half a second, where it has such a thing; first what
# came with the burst goes again, then a random three quarters of everything.
returns_burst() {
	local a own
	local vars="MALLOC_CONF=dirty_decay_ms:500 MIMALLOC_PURGE_DELAY=500
	    TCMALLOC_RELEASE_RATE=10"
	returns_head "MiB, 1 s after a burst" live left
	for own in 1 0; do
		for a in "${allocators[@]}"; do
			returns_run "$a" "$vars" evict 400000 1000 $own
			returns_row "$a$([ $own = 1 ] || echo ", random")" \
			    live_mib after_mib
		done
	done
}

# The kernel of tools/vm has no process_madvise that purges.
returns_scattered() {
	local a conf=MALLOC_CONF=dirty_decay_ms:-1,thp:never size
	returns_head "ms of processor time" each_ms purge_ms MiB
	for a in "${allocators[@]}"; do
		case $a in
		dsmalloc)	;;
		jemalloc)	conf=MALLOC_CONF=dirty_decay_ms:-1 ;;
		*)		continue ;;
		esac
		for size in 4096 36864; do
			returns_run "$a" "$conf" scattered $size
			returns_row "$a, $size bytes" each_ms purge_ms \
			    purged_mib
		done
		[ "$a" = dsmalloc ] || continue
		out=$("$top/tools/vm" --memory 1024 env "LD_PRELOAD=$lib" \
		    "$conf" "$bin/scattered" 4096 $RETURNS_VM_MIB 2>&1) ||
		    note "tools/vm fails: $(tail -1 <<< "$out")"
		returns_row "the same in tools/vm" each_ms purge_ms purged_mib
	done
}

returns_latency() {
	local a how
	local keys="p50_ns p99_us p999_us p9999_us max_us returned_mib"
	local conf="MALLOC_CONF=dirty_decay_ms:1000 MIMALLOC_PURGE_DELAY=1000"
	returns_head "time of a call" p50,ns p99,us p99.9 p99.99 max MiB
	for how in often seldom; do
		for a in "${allocators[@]}"; do
			returns_run "$a" "$conf" latency $how $RETURNS_CALL_MS
			returns_row "$a, $how" $keys
			[ "$a.$how" != dsmalloc.often ] ||
			    returns_below p9999_us $RETURNS_CALL_US
		done
	done
}

returns_arenas() {
	local a
	local keys="still_faults still_p999_us busy_faults busy_p999_us turns"
	returns_head "an arena purges" faults p99.9,us "..busy" p99.9,us turns
	for a in "${allocators[@]}"; do
		case $a in
		dsmalloc|jemalloc)
			returns_run "$a" "" arenas
			returns_row "$a" $keys ;;
		esac
	done
}

returns() {
	local bad=0
	[ -n "$peers_given" ] || peers=$RETURNS_PEERS
	build silence evict scattered latency arenas
	choose_allocators
	returns_silence
	returns_burst
	returns_scattered
	returns_latency
	returns_arenas
	return $bad
}

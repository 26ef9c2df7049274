# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/bench: the same work done by 2 to 64 threads.

SCALING_THREADS="2 4 16 64"
SCALING="fixed server remote mixed churn"

# scaling_command WORKLOAD THREADS: its program with arguments by which all
# threads together do the same work, however many there are.
scaling_command() {
	local n=$2
	case $1 in
	fixed)	echo "fixed $n 200000000" ;;
	server)	echo "server $((960 / n)) $n" ;;
	remote)	echo "remote 256000 $((n / 2))" ;;
	mixed)	echo "mixed $((128 / n)) $n" ;;
	churn)	echo "churn 32000 $n" ;;
	esac
}

# scaling_locks COMMAND...: how often a bin's lock is taken, for each 1,000
# objects that are allocated: fills and flushes in the report at exit, which are
# the eighth and ninth of a size's figures, as the requests are the second.
scaling_locks() {
	MALLOC_CONF=stats_print:true "$@" 2>&1 >/dev/null | awk '
	    /^Small objects/ { small = 1; next }
	    small && NF == 0 { exit }
	    small && $1 + 0 > 0 { n += $2; locks += $8 + $9 }
	    END { printf "%.1f", n ? 1000 * locks / n : 0 }'
}

scaling() {
	local a at cpu n r sum total w
	build measure $SCALING
	choose_allocators
	[ -n "$rounds_given" ] || rounds=3
	total=$((rounds * $(wc -w <<<"$SCALING") *
	    $(wc -w <<<"$SCALING_THREADS") * ${#allocators[@]})) at=0
	declare -A result
	for ((r = 1; r <= rounds; r++)); do
		for w in $SCALING; do
			for n in $SCALING_THREADS; do
				set -- $(scaling_command "$w" "$n")
				for a in "${allocators[@]}"; do
					progress "$((++at))/$total round $r:" \
					    "$w, $n threads, $a"
					peers_command "${what[$a]}" || exit 2
					result[$w,$a,$n]+=" $("$bin/measure" \
					    1024 "${COMMAND[@]}" "$bin/$1" \
					    "${@:2}" | awk '
					    { print $7 ? "-" : $1 + $2 }')"
				done
			done
		done
	done
	progress
	scaling_table
}

# The medians, and of dsmalloc the locks.
scaling_table() {
	local a n w
	printf '%-10s%-12s' workload "cpu s by"
	printf '%9s' $SCALING_THREADS
	printf '%9s  %s\n' 64:2 "locks per 1,000 objects"
	for w in $SCALING; do
		for a in "${allocators[@]}"; do
			printf '%-10s%-12s' "$w" "$a"
			for n in $SCALING_THREADS; do
				echo ${result[$w,$a,$n]} | tr ' ' '\n' |
				    sort -n | awk '{ v[NR] = $1 }
				    END { print v[int((NR + 1) / 2)] }'
			done | awk '
			    $1 == "-" { printf "%9s", "failed"; bad = 1; next }
			    { printf "%9.2f", $1; last = $1 }
			    NR == 1 { first = $1 }
			    END { if (bad || first <= 0) printf "%9s", "";
				else printf "%9.2f", last / first }'
			if [ "$a" = dsmalloc ]; then
				peers_command "${what[$a]}" || exit 2
				for n in $SCALING_THREADS; do
					set -- $(scaling_command "$w" "$n")
					printf '%7s' "$(scaling_locks \
					    "${COMMAND[@]}" "$bin/$1" \
					    "${@:2}")"
				done
			fi
			echo
		done
	done
}

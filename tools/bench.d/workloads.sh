# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/bench: the synthetic workloads.  What each one stresses, and
# where it comes from, is said at the top of its program.
#
# workload NAME [-t] [-w MIB] PROGRAM [ARGS...]: -t watches its resident memory
# over time; -w is how much memory it may need, if not 512 MiB, for measure to
# touch before.

WORKLOADS=
declare -A PROGRAM WARM WATCH
workload() {
	local name=$1
	shift
	WORKLOADS+="${WORKLOADS:+ }$name"
	WATCH[$name]= WARM[$name]=512
	if [ "$1" = -t ]; then
		WATCH[$name]=-t; shift
	fi
	if [ "$1" = -w ]; then
		WARM[$name]=$2; shift 2
	fi
	PROGRAM[$name]="$*"
}

workload fixed			fixed 1
workload fixed-threads		fixed 4
workload pingpong		pingpong
workload lifetimes		lifetimes
workload tiny			tiny
workload trees			trees
workload burst-fifo		burst fifo
workload burst-lifo		burst lifo
workload burst-random		burst random
workload chains			chains
workload zeroed			zeroed
workload aligned		aligned
workload remote			remote
workload server			server
workload mixed		-t	mixed
workload sharing-active		sharing active
workload sharing-passive	sharing passive
workload churn			churn
workload idle			idle
workload large		-w 800	large
workload vectors	-w 1200	vectors
workload vectors-64m	-w 1200	vectors 64
workload tensors		tensors
workload phases		-t	phases
workload evict		-t	evict
workload spawn		-w 64	spawn

# What --quick runs, and beside whom.
QUICK="pingpong lifetimes remote server mixed trees large evict"
QUICK_PEERS="jemalloc mimalloc glibc"

# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/bench: locked operations and cache lines that move between
# processors, for each object, at 4 to 64 threads.  What is counted and how is
# at the top of lines_plugin.c.

LINES_THREADS="4 16 64"
LINES_WORKLOADS="bulk remote server mixed churn"
LINES_PEERS="mimalloc tcmalloc jemalloc"

# Arenas that these make for each processor; beside what they do on this machine
# they are measured with what they would do with one processor a thread.
declare -A LINES_ARENAS=([dsmalloc]=1 [jemalloc]=4)

# lines_command WORKLOAD THREADS: its program with arguments by which all
# threads together allocate some 500,000 objects, however many there are.
lines_command() {
	local n=$2
	case $1 in
	bulk)	echo "bulk $n $((192 / n)) 4000" ;;
	remote)	echo "remote 8000 $((n / 2))" ;;
	server)	echo "server $((128 / n)) $n 500" ;;
	mixed)	echo "mixed $((128 / n)) $n 1000" ;;
	churn)	echo "churn 2048 $n" ;;
	esac
}

# lines_offset LIBRARY FUNCTION: where in the file it begins, in hex.
lines_offset() {
	local address offset=$2 segment
	address=$(nm -D --defined-only "$1" |
	    awk -v f="$2" '{ sub(/@.*/, "", $3) } $3 == f { print $1; exit }')
	segment=$(readelf -lW "$1" | awk '
	    $1 == "LOAD" && / R E / { print $2, $3; exit }')
	[ -n "$address" ] && [ -n "$segment" ] || fail "no $2 in $1"
	printf '%x\n' $((0x$address + ${segment% *} - ${segment#* }))
}

# lines_count OUTPUT LIBRARY FUNCTION COMMAND...
lines_count() {
	local output=$1 library=$2 function=$3 offset
	shift 3
	offset=$(lines_offset "$library" "$function") || exit 2
	rm -f "$output"
	timeout 300 qemu-x86_64 -plugin "file=$bin/lines/plugin.so,$(
	    )library=$library,calls=$offset,output=$output" "$@" \
	    > "$output.log" 2>&1 && [ -s "$output" ] && return
	tail -3 "$output.log" >&2
	return 1
}

lines_build() {
	local cc=${CC:-gcc} d=$bin/lines
	if [ "$(uname -m)" != x86_64 ]; then
		note "the lines are not counted: only amd64's instructions" \
		    "are understood"
		exit 77
	fi
	locked need_packages gcc libc6-dev binutils perl qemu-user
	mkdir -p "$d" || fail "cannot write to $d"
	"$cc" -O2 -g -fPIC -shared -fvisibility=hidden -o "$d/plugin.so" \
	    "$src/lines_plugin.c" -pthread &&
	    "$cc" -O2 -g -fno-builtin -fPIC -shared -nostartfiles -DLIBRARY \
	    -Wl,-z,now -o "$d/libknown.so" "$src/lines_known.c" -lm &&
	    "$cc" -O2 -g -fno-builtin -o "$d/known" "$src/lines_known.c" \
	    "$d/libknown.so" -pthread -lm || fail "cannot build lines_*.c"
}

# What the plugin counts where the counts are known.
lines_check() {
	local calls d=$bin/lines lines locked name now bad=0
	lines_build
	while read -r name calls lines locked; do
		lines_count "$d/out" "$d/libknown.so" touch "$d/known" \
		    "$name" < /dev/null || fail "lines_known $name failed"
		now=$(perl "$src/lines.pl" sum "$d/out" | cut -d' ' -f1-3)
		[ "$now" = "$calls $locked $lines" ] && continue
		note "$name: counted $now, not $calls $locked $lines" \
		    "(calls, locked, lines)"
		bad=1
	done < <("$d/known")
	return $bad
}

# lines_run WORKLOAD THREADS ALLOCATOR [ARENAS]
lines_run() {
	local w=$1 n=$2 a=$3 conf=${4:+narenas:$4} out
	peers_command "${what[$a]}" || exit 2
	set -- $(lines_command "$w" "$n")
	out=$bin/lines/$w.$a${conf:+-n}.$n
	MALLOC_CONF=$conf lines_count "$out" "$(readlink -f "${COMMAND[4]}")" \
	    malloc "${COMMAND[@]::4}" "$(readlink -f "${COMMAND[4]}")" \
	    "$bin/$1" "${@:2}" || fail "$w failed under $a"
	echo "$w $n $a${conf:+/n} $(perl "$src/lines.pl" sum "$out")"
}

# All runs; their results go to standard output.
lines_measure() {
	local a at=0 n rows=0 total w
	for a in "${allocators[@]}"; do
		rows=$((rows + 1 + (${LINES_ARENAS[$a]:-0} > 0)))
	done
	total=$(($(wc -w <<<"$*") * $(wc -w <<<"$LINES_THREADS") * rows))
	for w in "$@"; do
		for a in "${allocators[@]}"; do
			for n in $LINES_THREADS; do
				progress "$((++at))/$total: $w, $n threads, $a"
				lines_run "$w" "$n" "$a"
				[ -n "${LINES_ARENAS[$a]:-}" ] || continue
				progress "$((++at))/$total: $w, $n threads, $a"
				lines_run "$w" "$n" "$a" \
				    $((n * ${LINES_ARENAS[$a]}))
			done
		done
	done
	progress
}

# Where in the libraries most lines move, at 64 threads.
lines_sites() {
	local a v w
	for w in "$@"; do
		for a in "${allocators[@]}"; do
			peers_command "${what[$a]}" || exit 2
			for v in "$a" "$a-n"; do
				[ -f "$bin/lines/$w.$v.64" ] || continue
				echo
				echo "$w, 64 threads, $v: lines, locked"
				perl "$src/lines.pl" sites \
				    "$bin/lines/$w.$v.64" \
				    "$(readlink -f "${COMMAND[4]}")" "$sites"
			done
		done
	done
}

lines() {
	local out=$bin/lines/results w
	set -- ${only:-$LINES_WORKLOADS}
	for w; do
		[ -n "$(lines_command "$w" 4)" ] || fail "$w is not for --lines"
	done
	lines_check || fail "the counts are wrong"
	build "$@"
	rm -f "$bin"/lines/*.*.*
	# What glibc's malloc does cannot be told from the rest of its file.
	[ -n "$peers_given" ] && peers=" $peers " && peers=${peers/ glibc / } ||
	    peers=$LINES_PEERS
	choose_allocators > "$out" && lines_measure "$@" >> "$out" || exit 2
	perl "$src/lines.pl" table "$out" || exit 2
	: "${json:=$bin/lines.json}"
	perl "$src/lines.pl" json "$out" > "$json" ||
	    fail "cannot write $json"
	[ -z "$sites" ] || lines_sites "$@"
}

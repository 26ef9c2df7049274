# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/bench: real programs as workloads.
#
# real NAME "PACKAGES..." TEXT: prepare_NAME, if there is one, makes what it
# needs, once; real_NAME ALLOCATOR prints what measure does.  Both run in $work,
# and find Debian's programs first, whatever else the machine has.
# "measured [-t] PROGRAM ARGS..." measures under $COMMAND, which is the loader
# with an allocator.

REAL=
declare -A REAL_PACKAGES REAL_TEXT
real() {
	REAL+="${REAL:+ }$1"
	REAL_PACKAGES[$1]=$2 REAL_TEXT[$1]=$3
}

measured() {
	local watch= program
	if [ "$1" = -t ]; then
		watch=-t; shift
	fi
	program=$(command -v "$1") || fail "no program $1"
	HOME=$work "$bin/measure" $watch 512 "${COMMAND[@]}" "$program" \
	    "${@:2}" 2>> "$work/log"
}

real redis "redis-server redis-tools" "redis-server: SET, GET and LPUSH of 200
bytes, then 100,000 keys of 500 bytes that expire within a second; two seconds
later, live_mib is what redis has in use, and after_mib what is resident.  The
clients run without the allocator."

# Debian's redis-server is linked with jemalloc; for glibc, glibc's malloc is
# put before it.
real_redis() {
	local after= live= pid try cli="redis-cli -s $work/redis"
	[ "$1" != glibc ] || COMMAND+=(--preload "${COMMAND[0]%/*}/libc.so.6")
	measured -t redis-server --port 0 --unixsocket "$work/redis" --save '' \
	    --appendonly no --hz 100 --dir "$work" > "$work/line" &
	for try in {1..100}; do
		pid=$($cli info server 2>/dev/null | tr -d '\r' |
		    sed -n 's/^process_id://p')
		[ -z "$pid" ] || break
		sleep 0.1
	done
	if [ -n "$pid" ]; then
		redis_load >> "$work/log" 2>&1
		after=$(awk '/VmRSS/ { print $2 / 1024 }' /proc/$pid/status)
		live=$($cli info memory | tr -d '\r' |
		    awk -F: '$1 == "used_memory" { print $2 / 1048576 }')
		$cli shutdown nosave > /dev/null 2>&1
	fi
	wait $!
	echo "$(cat "$work/line") ${after:+after_mib=$after}" \
	    "${live:+live_mib=$live}"
}

redis_load() {
	local bench="redis-benchmark -s $work/redis -q -P 16"
	$bench -t set,get,lpush -n 150000 -r 50000 -d 200
	$bench -n 100000 -r 100000 set expiring:__rand_int__ \
	    "$(printf '%0500d' 0)" px 1000
	sleep 2
}

real cc1 "gcc libc6-dev" "gcc's compiler proper, at -O2, on a generated and
preprocessed file of 200 functions."

prepare_cc1() {
	perl "$src/real/generate.pl" c > big.c && gcc -E big.c -o big.i
}

real_cc1() {
	PATH=$PATH:$(dirname "$(gcc -print-prog-name=cc1)") \
	    measured cc1 -quiet -O2 big.i -o /dev/null
}

real python "python3" "Dictionaries, lists, strings, objects and JSON in Python,
whose own allocator is switched off (PYTHONMALLOC=malloc)."

real_python() {
	PYTHONMALLOC=malloc measured python3 -S "$src/real/alloc.py" 8
}

real z3 "z3" "The prover z3 on a generated problem: pigeons and holes beside
a chain of bit-vector arithmetic."

prepare_z3() {
	perl "$src/real/generate.pl" smt > problem.smt2
}

real_z3() {
	measured z3 -T:100 problem.smt2
}

real sqlite "sqlite3" "sqlite3 in memory: 500,000 rows inserted, indexed,
joined, half of them deleted, sorted."

real_sqlite() {
	measured sqlite3 -init "$src/real/join.sql" :memory: .quit
}

real rocksdb "rocksdb-tools" "RocksDB's db_bench, 200,000 entries filled and
read at random, without a log."

real_rocksdb() {
	rm -rf "$work/db"
	measured db_bench --benchmarks=fillrandom,readrandom --num=200000 \
	    --db="$work/db" --disable_wal=1
}

real perl "perl" "Hashes of arrays of strings, sorting, joining and matching in
Perl."

real_perl() {
	measured perl "$src/real/alloc.pl" 10
}

real lua "lua5.4" "Tables, closures and strings in Lua."

real_lua() {
	measured lua5.4 "$src/real/alloc.lua" 10
}

real ghostscript "ghostscript" "Ghostscript renders a generated PDF of 40
pages."

prepare_ghostscript() {
	perl "$src/real/generate.pl" ps > pages.ps &&
	    gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -sOutputFile=pages.pdf \
	    pages.ps
}

real_ghostscript() {
	measured gs -q -dNOPAUSE -dBATCH -sDEVICE=png16m -r72 \
	    -sOutputFile=/dev/null pages.pdf
}

real ruby "ruby" "Hashes, arrays and strings in Ruby, in four threads."

real_ruby() {
	measured ruby "$src/real/alloc.rb" 8
}

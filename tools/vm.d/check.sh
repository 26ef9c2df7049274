# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/vm: tools/vm --check.

SMALL_KIB=256		# what huge pages may cost a small program

# A library that programs load later.
c_library() {
	/sbin/ldconfig -p | sed -n 's,.*libresolv\.so\.2 .*=> \(/.*\),\1,p' |
	    head -1
}

check() {
	local limit=300 p q status=0 t=$top/lib/libc/tests/stdlib/malloc
	for p in "$src"/{rss,words,scatter} "$top/tools/bench.d/blocks" \
	    "$t/h_full"; do
		gcc -O2 -fno-builtin -pthread -I"$t" -o "$scratch/${p##*/}" \
		    "$p.c" -lm || die "cannot build $p.c" 125
	done
	gcc -O2 -pthread -I"$top/lib/libc/stdlib/malloc" -o "$scratch/quota" \
	    "$src/quota.c" "$library" || die "cannot build quota.c" 125
	p=$scratch q=$src
	put=("$q/small" "$p/rss" "$p/words" /bin/true)
	(machine_run /bin/busybox sh "$q/small" "$p/rss" 5 "$library" \
	    $SMALL_KIB /bin/true "$p/words 500" "$p/words 20000" \
	    "$p/words 80000") || status=1
	put=("$q/blocks" "$p/blocks")
	(machine_run /bin/busybox sh "$q/blocks" "$p/blocks" "$library") ||
	    status=1
	put=("$q/limits" "$p/h_full" "$p/scatter" "$(c_library)")
	(machine_run /bin/busybox sh "$q/limits" "$library" "$p/h_full" \
	    "$p/scatter") || status=1
	put=("$q/groups" "$p/quota") cpus=4
	(machine_run /bin/busybox sh "$q/groups" "$library" "$p/quota" $cpus) ||
	    status=1
	return $status
}

# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/vm: tools/vm --check.

SMALL_KIB=256		# what huge pages may cost a small program

check_small() {
	local n=5 p
	for p in rss words; do
		gcc -O2 -fno-builtin -o "$scratch/$p" "$src/$p.c" ||
		    die "cannot build $p.c" 125
	done
	put=("$src/small" "$scratch/rss" "$scratch/words" /bin/true)
	machine_run /bin/busybox sh "$src/small" "$scratch/rss" $n "$library" \
	    $SMALL_KIB /bin/true "$scratch/words 500" "$scratch/words 20000" \
	    "$scratch/words 80000"
}

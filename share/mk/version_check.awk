# Compare what a library exports, in the words of nm -D --defined-only on
# standard input, with its version map in the file map.  Linkers pass over a
# name in the map that nothing defines; this does not.

BEGIN {
	while ((getline line < map) > 0)
		if (line ~ /^\t[A-Za-z_0-9]+;$/)
			wanted[substr(line, 2, length(line) - 2)] = 1
}

# The versions themselves are absolute symbols.
$2 != "A" {
	name = $3
	sub(/@.*/, "", name)
	exported[name] = 1
	if (!(name in wanted)) {
		print map ": not named, but exported: " name > "/dev/stderr"
		failed = 1
	}
}

END {
	for (name in wanted)
		if (!(name in exported)) {
			print map ": named, but not defined: " name \
			    > "/dev/stderr"
			failed = 1
		}
	exit failed
}

# Merge symbol maps (standard input) into the chain of versions in the file
# vfile, in its order; with unversioned=1, into one list without versions.

# Make punctuation words of their own, and fields of it all.
function split_words(s)
{
	gsub(/[{};]/, " & ", s)
	$0 = s
}

# Learn the versions, their order, and each one's parent.
function read_versions(    line, name, open)
{
	while ((getline line < vfile) > 0) {
		sub(/#.*/, "", line)
		split_words(line)
		for (i = 1; i <= NF; i++) {
			if ($i == "{")
				open = 1
			else if ($i == "}")
				open = 0
			else if ($i == ";")
				name = ""
			else if (name == "") {
				name = $i
				order[++nversions] = name
				known[name] = 1
			} else if (!open)
				parent[name] = $i
		}
	}
}

function fail(message)
{
	print "version_gen.awk: " message > "/dev/stderr"
	failed = 1
	exit 1
}

BEGIN {
	read_versions()
}

{
	split_words($0)
	for (i = 1; i <= NF; i++) {
		if ($i == "{")
			current = name
		else if ($i == "}")
			current = ""
		else if ($i == ";")
			continue
		else if (current == "") {
			name = $i
			if (!(name in known))
				fail("unknown version " name)
		} else if (seen[$i]++)
			fail("symbol twice: " $i)
		else
			symbols[current] = symbols[current] "\t" $i ";\n"
	}
}

END {
	if (failed)
		exit 1
	if (unversioned) {
		print "{\nglobal:"
		for (v = 1; v <= nversions; v++)
			printf "%s", symbols[order[v]]
		print "local:\n\t*;\n};"
		exit 0
	}
	for (v = 1; v <= nversions; v++) {
		name = order[v]
		printf "%s {\n", name
		if (symbols[name] != "")
			printf "global:\n%s", symbols[name]
		if (v == 1)
			printf "local:\n\t*;\n"
		printf "}%s;\n\n", (name in parent) ? " " parent[name] : ""
	}
}

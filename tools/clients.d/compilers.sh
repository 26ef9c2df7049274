# SPDX-License-Identifier: BSD-2-Clause
#
# Compilers; sourced by tools/clients.  They compile large generated files, and
# what they make of them must be the same, byte by byte.

client gcc quick 120 'cc1 .*-as .*-ld.bfd' gcc libc6-dev binutils
client_gcc()
{
	make_c >large.c
	under gcc -O2 -g -fdebug-prefix-map="$PWD"=. -S -o large.s large.c
	quietly gcc -O1 -o large large.c
	sum <large.s >result
	./large >>result
}

client gxx full 120 cc1plus g++
client_gxx()
{
	make_cxx >large.cc
	under g++ -O2 -std=c++17 -S -o large.s large.cc
	sum <large.s >result
	quietly g++ -O0 -std=c++17 -o large large.cc
	# What it has made is a client, too.
	under ./large >>result
}

client clang full 120 clang clang
client_clang()
{
	make_c >large.c
	make_cxx >large.cc
	under clang -O2 -S -o large.s large.c
	under clang++ -O1 -std=c++17 -S -o large-cc.s large.cc
	cat large.s large-cc.s | sum >result
}

# Others than Debian's bring an allocator of their own.
client rustc full 120 rustc
lacks_rustc()
{
	[ -x /usr/bin/rustc ] || echo "no /usr/bin/rustc"
}
client_rustc()
{
	make_rust >large.rs
	under /usr/bin/rustc -O -C codegen-units=4 -o large large.rs
	under ./large >result
	quietly /usr/bin/rustc -O --emit=asm -o large.s large.rs
	sum <large.s >>result
}

# Functions that call each other, with loops, switches and structures.
make_c()
{
	awk 'BEGIN {
	    print "#include <stdio.h>\nstruct s { int a[64]; double d; };"
	    for (i = 0; i < 300; i++) {
		printf "static int f%d(struct s *p, int n)\n{\n", i
		print " int i, t = 0;\n for (i = 0; i < n; i++) switch (i % 9) {"
		for (j = 0; j < 9; j++)
		    printf " case %d: p->a[i %% 64] += t * %d + i; t ^= " \
			"p->a[%d]; p->d += t * %d.5; break;\n", j, i + j,
			(i * j) % 64, j
		print " }"
		if (i > 0)
		    printf " if (n > 1) t += f%d(p, n / 2);\n", int(i / 2)
		print " return (t);\n}"
	    }
	    print "int main(void) { struct s s = { { 0 }, 0 }; int t = 0;"
	    for (i = 0; i < 300; i++) printf " t += f%d(&s, %d);\n", i, i % 40
	    print " printf(\"%d %.3f\\n\", t, s.d); return (0); }"
	}'
}

# Templates instantiated with many types, and containers that allocate.
make_cxx()
{
	awk 'BEGIN {
	    print "#include <algorithm>\n#include <iostream>\n#include <map>"
	    print "#include <memory>\n#include <regex>\n#include <string>"
	    print "#include <thread>\n#include <unordered_map>\n#include <vector>"
	    print "template <int N> struct T { std::map<std::string,"
	    print " std::vector<int>> m; std::unordered_map<int, std::string> u;"
	    print " long run(int n) { long t = 0; for (int i = 0; i < n; i++) {"
	    print "  m[std::to_string(i * N % 977)].push_back(i);"
	    print "  u[i % 501] += std::string(N % 40, 65 + i % 26);"
	    print "  if (i % 7 == 0) u.erase(i / 2 % 501); }"
	    print " for (auto &p : m) { std::sort(p.second.rbegin(),"
	    print "  p.second.rend()); t += p.second[0] * p.first.size(); }"
	    print " for (auto &p : u) t += p.second.size() * p.first;"
	    print " return t; } };"
	    print "int main() { std::vector<std::thread> v; long t[30] = {};"
	    for (i = 1; i <= 30; i++)
		printf " v.emplace_back([&] { auto p = std::make_unique<T<%d>>(" \
		    "); t[%d] = p->run(3000); });\n", i, i - 1
	    print " for (auto &x : v) x.join();"
	    print " for (long x : t) std::cout << x << \"\\n\";"
	    print " std::cout << std::regex_replace(std::string(500, 97),"
	    print "  std::regex(\"(a{3})a\"), \"$1b\") << \"\\n\"; }"
	}'
}

make_rust()
{
	awk 'BEGIN {
	    print "use std::collections::{BTreeMap, HashMap};"
	    for (i = 0; i < 25; i++) {
		printf "fn f%d(n: usize) -> usize {\n", i
		print " let mut m: BTreeMap<String, Vec<usize>> = BTreeMap::new();"
		print " let mut h: HashMap<usize, String> = HashMap::new();"
		printf " for i in 0..n { m.entry((i * %d %% 97).to_string())" \
		    ".or_default().push(i);\n", i + 1
		printf "  h.entry(i %% 31).or_default().push_str(\"%d\"); }\n", i
		print " m.values().map(|v| v.len() * v[0]).sum::<usize>() +"
		print "  h.values().map(|s| s.len()).sum::<usize>()\n}"
	    }
	    print "fn main() { let mut t = Vec::new();"
	    for (i = 0; i < 25; i++)
		printf " t.push(std::thread::spawn(|| f%d(2000)));\n", i
	    print " for x in t { println!(\"{}\", x.join().unwrap()); } }"
	}'
}

# SPDX-License-Identifier: BSD-2-Clause
#
# Tools and libraries; sourced by tools/clients.

# Two threads that write, read and compact a tree of 150,000 keys.
client rocksdb full 120 "db_bench ldb" rocksdb-tools
client_rocksdb()
{
	local bench="--db=$PWD/db --num=150000 --value_size=200 --seed=7
	    --compression_type=none --write_buffer_size=4194304
	    --cache_size=8388608 --max_background_jobs=2"
	under db_bench $bench --benchmarks=fillseq,overwrite,compact >log.1
	under db_bench $bench --use_existing_db --threads=2 \
	    --benchmarks=readrandom,readseq,seekrandom --reads=40000 >log.2
	grep -o '([0-9]* of [0-9]* found)' log.2 | head -n 1 >>result
	under ldb --db="$PWD/db" scan | sum >>result
	under ldb --db="$PWD/db" checkconsistency >>result
}

client sqlite quick 60 sqlite3 sqlite3
client_sqlite()
{
	under sqlite3 test.db >result <<-'END'
	PRAGMA journal_mode = WAL;
	PRAGMA cache_size = 4000;
	CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB, c REAL);
	WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL
	    SELECT i + 1 FROM n WHERE i < 120000)
	INSERT INTO t SELECT i, printf('%d-%0*d', i * 7919 % 10007,
	    i % 60 + 1, i), zeroblob(i % 90), i * 0.5 FROM n;
	CREATE INDEX ta ON t (a, c);
	DELETE FROM t WHERE id % 7 = 0;
	UPDATE t SET a = a || a WHERE id % 11 = 0;
	SELECT count(*), sum(length(a)), sum(length(b)), sum(c) FROM t;
	SELECT length(group_concat(a)), max(a) FROM t GROUP BY id % 5;
	SELECT count(*) FROM t x JOIN t y ON x.id = y.id * 3
	    WHERE x.a LIKE '%7%';
	SELECT sum(r) FROM (SELECT row_number() OVER (PARTITION BY id % 100
	    ORDER BY a DESC) * id AS r FROM t);
	SELECT sum(json_array_length(j)) FROM (SELECT json_group_array(a) AS j
	    FROM t GROUP BY id % 500);
	VACUUM;
	PRAGMA integrity_check;
	END
	under sqlite3 test.db .dump | sum >>result
}

# A history of 1,500 commits, packed by two threads, cloned and looked at.
client git quick 90 git git
client_git()
{
	export GIT_CONFIG_NOSYSTEM=1
	quietly git init -q -b main repo
	cd repo
	git_stream | under git fast-import --quiet
	quietly git config pack.threads 2
	under git gc -q
	under git repack -adfq --window=20 --depth=20
	under git fsck --full --strict 2>&1
	cd ..
	under git clone -q --no-local repo clone
	cd clone
	under git log --stat --format='%H %s' | sum >../result
	under git blame file3 | sum >>../result
	under git rev-list --all --objects | sort | sum >>../result
	sum <<<"$(sha256sum -- file*)" >>../result
}

git_stream()
{
	awk 'BEGIN { for (c = 1; c <= 1500; c++) {
	    m = "commit " c
	    print "commit refs/heads/main\nmark :" c
	    print "committer A <a@example> " 1700000000 + c * 60 " +0000"
	    print "data " length(m) "\n" m
	    if (c > 1) print "from :" c - 1
	    d = ""
	    for (i = 0; i < 60 + c % 50; i++)
		d = d "line " i " of " int(c / (i % 17 + 1)) "\n"
	    print "M 100644 inline file" c % 40
	    print "data " length(d) "\n" d
	} }'
}

# Text, curves and shades as an image, and as a PDF that is made an image.
client ghostscript full 90 gs ghostscript fonts-urw-base35
client_ghostscript()
{
	local gs="gs -q -dSAFER -dBATCH -dNOPAUSE"
	awk 'BEGIN {
	    print "%!PS\n/Times-Roman findfont 9 scalefont setfont"
	    for (p = 0; p < 6; p++) {
		for (i = 0; i < 70; i++)
		    printf "20 %d moveto (%d line %d of some text) show\n",
			20 + i * 11, p, i
		for (i = 0; i < 400; i++)
		    printf "%d %d moveto %d %d %d %d %d %d curveto %f setgray" \
			" stroke\n", i, p * 50, 3 * i % 600, i, 700 - i, 2 * i,
			i % 500, 800 - i, i % 10 / 10
		print "showpage"
	    } }' >in.ps
	under $gs -sDEVICE=ppmraw -r100 -dNumRenderingThreads=2 -o - in.ps |
	    sum >result
	under $gs -sDEVICE=pdfwrite -o out.pdf in.ps
	under $gs -sDEVICE=pgmraw -r70 -dTextAlphaBits=4 -o - out.pdf |
	    sum >>result
}

# It writes patterns to all that it allocates, and reads them again.
client stress-ng full 90 stress-ng stress-ng
client_stress-ng()
{
	local stress="stress-ng --temp-path $PWD --timeout 60 --verify"
	under $stress --malloc 2 --malloc-pthreads 2 --malloc-ops 500000 \
	    --malloc-bytes 100K --malloc-max 500 --malloc-touch 2>&1 | tee out
	under $stress --malloc 1 --malloc-ops 200000 --malloc-bytes 1M \
	    --malloc-max 100 --malloc-thresh 64K --malloc-zerofree 2>&1 |
	    tee -a out
	grep -o 'successful run completed' out >result
}

# 100 MB of lines, merged from pieces, and sorted in memory by two threads.
client sort quick 90 sort coreutils openssl
client_sort()
{
	head -c 72M /dev/zero | openssl enc -aes-128-ctr -iv 0 \
	    -K 0 2>/dev/null | base64 -w 24 >lines
	[ "$(wc -c <lines)" -gt 100000000 ] || fail "no lines"
	under sort --parallel=2 -S 30M -T . lines >sorted
	sort -c sorted
	sum <sorted >result
	under sort --parallel=2 -S 400M -s -k 1.5,1.8 -T . lines | sum >>result
}

# The archive's index built and searched in memory, and an installation
# planned.
client apt quick 60 "apt-get apt-cache" apt
client_apt()
{
	local apt="-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache="
	under apt-cache $apt stats | grep -v 'Total space\|slack' >result
	under apt-cache $apt dumpavail | sum >>result
	under apt-cache $apt depends --recurse apt dpkg bash perl | sum >>result
	under apt-get $apt -s -o Debug::NoLocking=1 install emacs-nox 2>&1 |
	    sum >>result
}

# Packages built, and installed in and removed from a root of their own.
client dpkg quick 60 "dpkg dpkg-deb dpkg-query" dpkg
client_dpkg()
{
	local i p root="--root=$PWD/root --force-not-root --force-bad-path"
	mkdir -p root/var/lib/dpkg/{info,updates,triggers}
	: >root/var/lib/dpkg/status
	for i in 1 2 3 4 5 6; do
		p=packages/p$i
		mkdir -p $p/DEBIAN $p/usr/share/p$i
		printf '%s: %s\n' Package p$i Version 1.$i Architecture all \
		    Maintainer 'A <a@example>' Description "number $i" \
		    >$p/DEBIAN/control
		awk -v n=$i 'BEGIN { for (i = 0; i < 80; i++)
		    for (j = 0; j < 400; j++)
			print n * i * j >"packages/p" n "/usr/share/p" n "/" i }'
		under dpkg-deb --root-owner-group -Zxz -b $p p$i.deb
	done
	under dpkg $root --log="$PWD/dpkg.log" -i ./*.deb
	under dpkg-query --admindir="$PWD/root/var/lib/dpkg" -W >result
	under dpkg $root --log="$PWD/dpkg.log" -P p2 p5
	under dpkg $root --log="$PWD/dpkg.log" -V
	cat root/var/lib/dpkg/info/*.list >>result
	sum <<<"$(cd root/usr && find . -type f | sort | xargs sha256sum)" \
	    >>result
}

# Pages formatted, in man's sandbox, and an index of them.
client man quick 60 "man mandb troff" man-db groff-base
client_man()
{
	local i
	mkdir -p man/man1
	for i in {1..60}; do
		awk -v n=$i 'BEGIN { print ".TH PAGE" n " 1"
		    print ".SH NAME\npage" n " \\- number " n "\n.SH TEXT"
		    for (i = 0; i < 200; i++)
			print ".TP\n.B option" i "\n" i * n " some text" }' \
			>man/man1/page$i.1
	done
	echo "MANDB_MAP $PWD/man $PWD/cat" >man.conf
	mkdir cat
	under mandb -q -C "$PWD/man.conf" "$PWD/man"
	under man -C "$PWD/man.conf" -M "$PWD/man" -k number | sort | sum \
	    >result
	for i in 1 20 60; do
		under man -C "$PWD/man.conf" -M "$PWD/man" page$i | sum \
		    >>result
	done
	under man -l "$top/lib/libc/stdlib/malloc/malloc.3" | sum >>result
}

client bash quick 60 bash bash
client_bash()
{
	under bash "$here/load.bash" >result
}

# Two windows that scroll 20,000 lines each, split and resized meanwhile.
client tmux quick 60 tmux tmux
lacks_tmux()
{
	[ -e /dev/pts/ptmx ] || echo "no pseudo-terminals: /dev/pts is empty"
}

client_tmux()
{
	local tmux="quietly tmux -u -S $PWD/socket -f /dev/null" i
	$tmux new-session -d -x 120 -y 40 'seq 1 20000; read x'
	server=$($tmux display-message -p '#{pid}')
	$tmux set-option -g history-limit 20000
	for i in 1 2 3 4 5 6; do
		$tmux split-window -t :0 "seq $i 9 20000; read x"
		$tmux resize-window -x $((100 + i * 10)) -y $((60 + i))
		$tmux select-layout even-vertical
	done
	$tmux new-window 'seq 5 7 140000; read x'
	for i in {1..100}; do
		$tmux capture-pane -p -t :1 | grep -qx 139999 && break
		sleep 0.1
	done
	$tmux capture-pane -p -S - -t :1 | grep . | sum >result
	for i in 0 3 6; do
		tmux_lines 0.$i >>result
	done
	weigh_server
	$tmux kill-server
	! kill -0 $server 2>/dev/null || sleep 1
	! kill -0 $server 2>/dev/null || fail "the server has not ended"
}

# Whether the last line of a pane is the last line that was written there.
tmux_lines()
{
	$tmux capture-pane -p -S - -t :$1 | grep . | tail -n 1
}

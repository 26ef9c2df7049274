# SPDX-License-Identifier: BSD-2-Clause
#
# Clients that serve; sourced by tools/clients.

# Keys of all types, saved by a forked child and loaded again; then churn.
client redis quick 60 redis-check-rdb redis-server redis-tools
client_redis()
{
	local cli
	choose_port
	serve $port redis-server --port $port --bind 127.0.0.1 --dir "$PWD" \
	    --save '' --enable-debug-command local
	cli="redis-cli -p $port"
	awk 'BEGIN {
	    for (i = 0; i < 40000; i++) {
		printf "SET key:%d %0*d\r\n", i, 1 + i * 7 % 300, i
		printf "HSET hash:%d f%d %0*d\r\n", i % 500, i, i % 90 + 1, i
		printf "RPUSH list:%d %0*d\r\n", i % 100, i % 200 + 1, i
		printf "ZADD zset:%d %d m%d\r\n", i % 50, i * 37 % 1000, i
		if (i % 3 == 0) printf "DEL key:%d\r\n", i / 2
		if (i % 5 == 0) printf "APPEND key:%d %0*d\r\n", i, i % 700, i
	    } }' >commands
	load $cli --pipe <commands >/dev/null
	$cli dbsize >result
	$cli debug digest >>result
	$cli bgsave >/dev/null
	load redis-benchmark -p $port --dbnum 1 -q -n 20000 -r 10000 -d 200 \
	    -c 20 -t set,get,lpush,lpop,sadd,hset,mset >benchmark
	[ "$(grep -c 'requests per second' benchmark)" = 7 ] ||
	    fail "redis-benchmark: $(cat benchmark)"
	while ! $cli info persistence | grep -q bgsave_in_progress:0; do
		sleep 0.1
	done
	$cli info persistence | grep -q rdb_last_bgsave_status:ok ||
	    fail "bgsave failed"
	$cli -n 1 flushdb >/dev/null
	load $cli debug reload >/dev/null
	$cli debug digest >>result
	redis_check_rdb >>result
	end_server
}

redis_check_rdb()
{
	quietly redis-check-rdb dump.rdb | grep -o '[0-9]* keys read'
}

# Two clients at a time whose transactions commute, and queries that sort and
# hash in memory and in parallel workers.
client postgres full 180 "postgres initdb pgbench psql" \
    postgresql postgresql-contrib
lacks_postgres()
{
	lacks_null
}
client_postgres()
{
	local bin sql
	bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
	choose_user postgres
	export PGUSER=test PGHOST=127.0.0.1 PGDATABASE=postgres
	choose_port
	export PGPORT=$port
	quietly "${as[@]}" "$bin/initdb" -N -A trust -U test -D "$PWD/db"
	serve $port "${as[@]}" "$bin/postgres" -D "$PWD/db" -p $port \
	    -k "$PWD" -c listen_addresses=127.0.0.1 -c fsync=off \
	    -c logging_collector=off
	until psql -c 'select 1' >/dev/null 2>&1; do
		sleep 0.1
	done
	under "$bin/pgbench" -i -q -s 4
	under "$bin/pgbench" --random-seed=7 -n -c 4 -j 2 -t 1000
	under "$bin/pgbench" --random-seed=8 -n -C -S -c 4 -j 2 -t 100
	sql='set work_mem = "32MB"; set max_parallel_workers_per_gather = 2;
	    set min_parallel_table_scan_size = 0; set parallel_setup_cost = 0;
	    select count(*), sum(abalance), sum(aid * abalance::bigint)
		from pgbench_accounts;
	    select md5(string_agg(x, chr(10) order by x)) from
		(select tid || chr(32) || tbalance x from pgbench_tellers) t;
	    select count(*), sum(delta) from pgbench_history;
	    select md5(string_agg(k || v, chr(10) order by k desc)) from
		(select md5(aid::text) k, count(*) v from pgbench_accounts
		group by 1) t;
	    select count(*) from pgbench_accounts a join pgbench_accounts b
		on a.aid = b.aid + 1 join pgbench_accounts c
		on c.aid = a.aid * 2;
	    select md5(string_agg(d::text, null)) from (select
		jsonb_object_agg(aid::text, filler || aid) d
		from pgbench_accounts group by aid % 97 order by 1) t;'
	under psql -qAt -c "$sql" >result
	end_server INT
	! grep -a 'terminated by signal' server.log || fail "a backend crashed"
}

# Values of all sizes set and deleted through eight connections, and read back.
client memcached quick 60 memcached memcached perl-base
client_memcached()
{
	choose_port
	local user=()
	[ "$(id -u)" != 0 ] || user=(-u nobody)
	serve $port memcached -l 127.0.0.1 -p $port -U 0 -m 200 -t 4 \
	    "${user[@]}"
	load perl "$here/memcached.pl" $port >result
	end_server
}

# Files and a proxy, plain and compressed, through 30 connections at a time,
# with new workers in the midst of it.
client nginx quick 60 nginx nginx-light curl
client_nginx()
{
	choose_port
	mkdir files got
	awk 'BEGIN { for (i = 0; i < 150; i++)
	    for (j = 0; j < i * 13 % 400 + 3; j++)
		printf "%d %d some text to compress\n", i, j * i >"files/" i }'
	nginx_conf $port >nginx.conf
	serve $port nginx -p "$PWD" -c nginx.conf -e error.log
	get_files $port ''
	get_files $port proxy/
	kill -HUP $server
	get_files $port proxy/ --compressed
	sum <<<"$(cd got && sha256sum -- *)" >result
	cmp got/149 files/149
	end_server
	! grep 'exited on signal' error.log || fail "a worker crashed"
}

# get_files PORT PREFIX [OPTION]: all of them, into got.
get_files()
{
	local p=$1 prefix=$2
	shift 2
	load curl -sf --no-progress-meter --parallel --parallel-max 30 "$@" -o 'got/#1' \
	    "http://127.0.0.1:$p/$prefix[0-149]?x"
}

nginx_conf()
{
	[ "$(id -u)" != 0 ] || echo "user nobody nogroup;"
	cat <<-END
	daemon off;
	worker_processes 2;
	pid $PWD/nginx.pid;
	error_log error.log;
	events { worker_connections 400; }
	http {
		access_log access.log;
		client_body_temp_path $PWD/body;
		proxy_temp_path $PWD/proxy;
		fastcgi_temp_path $PWD/fastcgi;
		uwsgi_temp_path $PWD/uwsgi;
		scgi_temp_path $PWD/scgi;
		gzip on;
		gzip_types application/octet-stream;
		proxy_buffers 8 8k;
		server {
			listen 127.0.0.1:$1;
			location / { root $PWD/files; }
			location /proxy/ { proxy_pass http://127.0.0.1:$1/; }
		}
	}
	END
}

# A cache before nginx: everything missed once, then hit.
client varnish full 90 "varnishd" varnish nginx-light curl
client_varnish()
{
	local backend pass
	mkdir files got
	awk 'BEGIN { for (i = 0; i < 150; i++)
	    for (j = 0; j < i * 13 % 900 + 3; j++)
		printf "%d %d some text to compress\n", i, j * i >"files/" i }'
	choose_port
	backend=$port
	nginx_conf $backend >nginx.conf
	nginx -p "$PWD" -c nginx.conf -e error.log >/dev/null 2>&1 &
	choose_port
	serve $port varnishd -F -j none -n "$PWD/v" -s malloc,64M -t 3600 \
	    -a 127.0.0.1:$port -b 127.0.0.1:$backend
	until listening $backend; do
		sleep 0.1
	done
	for pass in 1 2 3 4; do
		get_files $port ''
		(cd got && sha256sum -- *) | sum >>result
		get_files $port '' --compressed
	done
	varnishstat -1 -n "$PWD/v" -f MAIN.cache_miss -f MAIN.sess_fail |
	    awk '{ print $1, $2 }' >>result
	end_server
	! grep -i 'died\|panic' server.log || fail "the cache crashed"
}

# A zone of 20,000 names, asked for over UDP and TCP, transferred, and loaded
# again.
client named full 120 named bind9 bind9-dnsutils
client_named()
{
	choose_port
	cat >named.conf <<-END
	options {
		directory "$PWD";
		listen-on port $port { 127.0.0.1; };
		listen-on-v6 { none; };
		pid-file none;
		session-keyfile "$PWD/session.key";
		recursion no;
		allow-transfer { any; };
	};
	controls { };
	zone "example" { type primary; file "$PWD/zone"; };
	END
	awk 'BEGIN {
	    print "$TTL 300\n@ SOA ns root 1 3600 900 86400 300\n NS ns"
	    print "ns A 127.0.0.1"
	    for (i = 0; i < 20000; i++) {
		printf "h%d A 10.0.%d.%d\n", i, i / 256, i % 256
		printf "h%d TXT \"%0*d\"\n", i, i % 200 + 1, i
	    } }' >zone
	serve $port named -g -c "$PWD/named.conf" -n 2
	until dig @127.0.0.1 -p $port example soa +short | grep -q root; do
		sleep 0.1
	done
	awk 'BEGIN { for (i = 0; i < 3000; i++)
	    print "h" i * 7 ".example", i % 2 ? "A" : "TXT" }' >questions
	load dig @127.0.0.1 -p $port +short -f questions | sum >result
	load dig @127.0.0.1 -p $port +tcp +short -f questions | sum >>result
	kill -HUP $server
	load dig @127.0.0.1 -p $port example axfr | grep -v '^;' | sum >>result
	end_server
}

# A resolver that answers from its own hints, so that nothing leaves the
# machine.
client kresd full 90 kresd knot-resolver bind9-dnsutils
client_kresd()
{
	choose_port
	awk 'BEGIN { for (i = 0; i < 5000; i++)
	    printf "10.1.%d.%d h%d.example\n", i / 256, i % 256, i }' >hosts
	cat >kresd.conf <<-END
	net.listen('127.0.0.1', $port, { kind = 'dns' })
	for _, m in ipairs({ 'detect_time_skew', 'priming', 'ta_signal_query',
	    'ta_update' }) do
		modules.unload(m)
	end
	modules.load('hints')
	trust_anchors.remove('.')
	cache.size = 10 * MB
	hints.config('$PWD/hosts')
	policy.add(policy.suffix(policy.DENY, {todname('denied.example.')}))
	END
	serve $port kresd -n -c kresd.conf "$PWD"
	awk 'BEGIN { for (i = 0; i < 3000; i++)
	    print (i % 9 ? "h" i : "x" i ".denied") ".example" }' >questions
	load dig @127.0.0.1 -p $port +noedns +tries=1 -f questions |
	    grep -v '^;; \(Query time\|WHEN\|SERVER\)' |
	    sed 's/id: [0-9]*//; s/cookie.*//I' | sum >result
	head -n 300 questions >questions.tcp
	load dig @127.0.0.1 -p $port +tcp +short -f questions.tcp |
	    sum >>result
	end_server
}

# A load from four connections at once, sorts, joins, and InnoDB's recovery of
# what it did not shut down.
client mariadb full 180 "mariadbd mariadb" mariadb-server mariadb-client
lacks_mariadb()
{
	lacks_null
}
client_mariadb()
{
	local sql run i
	choose_user mysql
	quietly "${as[@]}" mariadb-install-db --no-defaults \
	    --auth-root-authentication-method=normal --skip-test-db \
	    --datadir="$PWD/db" >install.log 2>&1
	mariadb_serve
	run="mariadb --no-defaults -h 127.0.0.1 -P $port -u root"
	$run -e 'create database test'
	for i in 1 2 3 4; do
		load $run test -e "create table t$i (id int primary key,
		    a varchar(300), b text, key (a)) engine=InnoDB;
		    insert into t$i select seq, md5(seq * $i),
			repeat(md5(seq + $i), seq % 40) from seq_1_to_15000;
		    update t$i set a = concat(a, b) where id % 7 = 0
			and length(b) < 200;
		    delete from t$i where id % 11 = 0;" &
	done
	for i in $(jobs -p | grep -vx $server); do
		wait $i
	done
	sql='set session sort_buffer_size = 8388608;
	    checksum table t1, t2, t3, t4;
	    select count(*), sum(length(t1.b)) from t1 join t2 using (id)
		join t3 on t3.id = t2.id * 2;
	    select md5(group_concat(a order by a desc)) from t4
		where id < 3000;
	    select json_length(json_arrayagg(b)) from t3;'
	under $run -N test -e "$sql" >result
	weigh_server
	kill -KILL $server
	wait $server || :
	mariadb_serve
	under $run -N test -e "$sql" >>result
	end_server
	! grep -a 'got signal' server.log || fail "the server crashed"
}

mariadb_serve()
{
	choose_port
	serve $port "${as[@]}" mariadbd --no-defaults --datadir="$PWD/db" \
	    --bind-address=127.0.0.1 --port=$port --socket="$PWD/s" \
	    --innodb-buffer-pool-size=32M --innodb-flush-log-at-trx-commit=0 \
	    --pid-file="$PWD/pid"
	run="mariadb --no-defaults -h 127.0.0.1 -P $port -u root"
}

# Log in by key and carry some megabytes: the part of sshd that speaks with the
# net before the login is in a sandbox that kills.
client sshd quick 60 sshd openssh-server openssh-client
lacks_sshd()
{
	[ "$(id -u)" = 0 ] || echo "must be root"
}
client_sshd()
{
	local ssh i
	mkdir -p /run/sshd
	choose_port
	ssh-keygen -q -t ed25519 -N '' -f host
	ssh-keygen -q -t ed25519 -N '' -f key
	serve $port "$(command -v sshd)" -D -e -f /dev/null -p $port \
	    -o ListenAddress=127.0.0.1 -o HostKey="$PWD/host" \
	    -o AuthorizedKeysFile="$PWD/key.pub" -o StrictModes=no \
	    -o UsePAM=no -o PidFile=none -o PermitRootLogin=yes
	ssh="ssh -F /dev/null -i key -p $port -o UserKnownHostsFile=$PWD/known
	    -o StrictHostKeyChecking=accept-new -o BatchMode=yes
	    -o IdentitiesOnly=yes"
	for i in 1 2 3; do
		load $ssh root@127.0.0.1 'seq 500000' | sum >>result
		seq 300000 | load $ssh -C root@127.0.0.1 sha256sum >>result
	done
	end_server
}

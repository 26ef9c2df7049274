# SPDX-License-Identifier: BSD-2-Clause
#
# What the clients are written with; sourced by tools/clients.
#
# A client is a call of client, and a function client_NAME that runs under
# "set -eu -o pipefail" in an empty directory of its own, once without the
# library and once with it.  It writes what must be the same both times into
# the file "result" there, and ends with a status other than 0 when something
# is wrong.  It runs programs by these:
#
#	under COMMAND...	with the library if it is the time for it; its
#				seconds and memory count
#	quietly COMMAND...	the same, but they do not
#	load COMMAND...		without the library: what gives a server work;
#				its seconds count
#	serve PORT COMMAND...	a server, with the library, until something
#				listens on the port; its memory counts
#	end_server		stop the server, which must end well
#
# A function lacks_NAME, where there is one, prints why the client cannot run
# on this machine.

clients=()
quick_clients=()
declare -A limits=() programs=() packages=()

# client NAME quick|full SECONDS "PROGRAM..." PACKAGE...: SECONDS bound each of
# the two runs, and the programs, by their files' names, must have the library.
client()
{
	local name=$1
	clients+=("$name")
	[ "$2" != quick ] || quick_clients+=("$name")
	limits[$name]=$3
	programs[$name]=$4
	shift 4
	packages[$name]=$*
}

begin_inside()
{
	local dir=$scratch/$client
	tally=$dir/$way.tally
	preloaded=(env "CLIENTS_PROOF=$dir/$way.proof"
	    "LD_PRELOAD=$scratch/proof.so")
	[ $way = without ] || preloaded=(env "CLIENTS_PROOF=$dir/$way.proof"
	    "LD_PRELOAD=$scratch/proof.so:$scratch/libdsmalloc.so.1")
	export HOME=$PWD LC_ALL=C TZ=UTC
	unset MALLOC_CONF MALLOC_ARENA_MAX
}

fail()
{
	echo "$client: $1" >&2
	exit 1
}

quietly()
{
	"${preloaded[@]}" "$@"
}

under()
{
	"$scratch/nurse" -o "$tally" "${preloaded[@]}" "$@"
}

load()
{
	local status=0 mine=load.$BASHPID
	"$scratch/nurse" -o $mine "$@" || status=$?
	awk '{ print $1, 0 }' $mine >>"$tally"
	rm $mine
	return $status
}

# Choose a port below those that the system gives away, and with nothing there.
choose_port()
{
	while :; do
		port=$((20000 + RANDOM % 10000))
		listening $port || return 0
	done
}

listening()
{
	(exec 3<>/dev/tcp/127.0.0.1/$1) 2>/dev/null
}

serve()
{
	local listen=$1 i
	shift
	# Not by a function: that would be a process of its own.
	"${preloaded[@]}" "$@" >server.log 2>&1 &
	server=$!
	for i in {1..300}; do
		kill -0 $server 2>/dev/null || break
		! listening $listen || return 0
		sleep 0.1
	done
	tail -n 20 server.log
	fail "$1 does not start"
}

# The process and all that it has started, by number.
family()
{
	local child
	echo $1
	for child in $(cat /proc/$1/task/*/children 2>/dev/null); do
		family $child
	done
}

# Record the peak of the largest of the server's processes.
weigh_server()
{
	local pid
	for pid in $(family $server); do
		sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/0 \1/p' \
		    /proc/$pid/status 2>/dev/null || :
	done | sort -k 2n | tail -n 1 >>"$tally"
}

# end_server [SIGNAL [STATUS]]
end_server()
{
	local status=0
	weigh_server
	kill -0 $server || fail "the server has ended"
	kill -${1:-TERM} $server
	wait $server || status=$?
	[ $status -eq ${2:-0} ] || {
		tail -n 20 server.log
		fail "the server ended with status $status"
	}
}

# Set $as to what must stand before a command that root may not run.
choose_user()
{
	as=()
	[ "$(id -u)" != 0 ] || {
		as=(setpriv --reuid "$1" --regid "$(id -gn "$1")" --init-groups)
		chown "$1" .
	}
}

# Other users than root need it, too, and containers may have it otherwise.
lacks_null()
{
	[ -n "$(find -L /dev/null -perm -0006)" ] ||
	    echo "/dev/null is writable by root only"
}

# A checksum of standard input.
sum()
{
	sha256sum | cut -c 1-64
}

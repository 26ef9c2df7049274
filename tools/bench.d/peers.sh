# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/bench: today's allocators, unmodified, from Debian's newest
# suite, and mimalloc 2 from Debian 12.  They are downloaded by package name
# with apt's own signature checks, through a private apt root for each suite,
# and unpacked below $CACHE; nothing is installed and this machine's apt is not
# touched.  Their binaries want a newer C library
# than Debian 12's, so every program runs under the newer suite's own loader and
# C library, for all allocators alike; a library built here runs there too.

SUITE=${SUITE:-sid}
MULTIARCH=usr/lib/$(uname -m)-linux-gnu
PEERS="jemalloc mimalloc mimalloc2 tcmalloc rpmalloc glibc"
declare -A PEER_PACKAGE=([jemalloc]=libjemalloc2 [mimalloc]=libmimalloc3
    [mimalloc2]=libmimalloc2.0 [tcmalloc]=libtcmalloc-minimal4t64
    [rpmalloc]=librpmalloc1 [glibc]=libc6)
declare -A PEER_LIBRARY=([jemalloc]=libjemalloc.so.2
    [mimalloc]=libmimalloc.so.3 [mimalloc2]=libmimalloc.so.2.0
    [tcmalloc]=libtcmalloc_minimal.so.4 [rpmalloc]=librpmalloc.so.1)
declare -A PEER_SUITE=([mimalloc2]=bookworm)

# The archive's address, as this machine's apt has it.
peers_mirror() {
	local m
	m=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources \
	    /etc/apt/sources.list.d/*.list 2>/dev/null | grep -v '^[[:space:]]*#' |
	    grep -o 'https\{0,1\}://[^] ]*' | sed 's,/*$,,' |
	    grep '/debian$' | head -1)
	echo "${m:-http://deb.debian.org/debian}"
}

# peers_apt SUITE ARGS...
peers_apt() {
	local suite=$1
	shift
	APT_CONFIG=$CACHE/apt-$suite/conf apt-get -q "$@"
}

peers_root() {
	local suite=$1 a=$CACHE/apt-$1 key
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -s "$a/ok" ] && return 0
	mkdir -p "$a/lists/partial" "$a/archives/partial" || return 1
	echo "deb [signed-by=$key] $(peers_mirror) $suite main" > "$a/sources"
	cat > "$a/conf" <<-EOF
		Dir::Etc::sourcelist "$a/sources";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State::lists "$a/lists";
		Dir::Cache "$a";
		Acquire::Languages "none";
		APT::Sandbox::User "$(id -un)";
	EOF
	echo "bench: reading the index of Debian $suite" >&2
	peers_apt "$suite" update > "$a/log" 2>&1 ||
	    { tail -3 "$a/log" >&2; return 1; }
	echo ok > "$a/ok"
}

# peers_dir PACKAGE [SUITE]: fetches and unpacks it once; prints its library
# directory.
peers_dir() {
	local suite=${2:-$SUITE}
	local d=$CACHE/deb-$suite-$1
	if [ ! -d "$d/tree" ]; then
		peers_root "$suite" || return 1
		echo "bench: fetching $1 from Debian $suite" >&2
		mkdir -p "$d" && rm -rf "$d"/*.deb "$d/part" || return 1
		if ! (cd "$d" && peers_apt "$suite" download "$1" > log 2>&1 &&
		    dpkg-deb -x ./*.deb part >> log 2>&1 && mv part tree); then
			tail -3 "$d/log" >&2
			return 1
		fi
	fi
	echo "$d/tree/$MULTIARCH"
}

peers_version() {
	local suite=${PEER_SUITE[$1]:-$SUITE}
	dpkg-deb -f "$CACHE/deb-$suite-${PEER_PACKAGE[$1]}"/*.deb Version
}

# peers_fetch NAME...: everything they need.
peers_fetch() {
	local n p
	for p in libc6 libstdc++6 libgcc-s1; do
		peers_dir "$p" > /dev/null || return 1
	done
	for n in "$@"; do
		peers_dir "${PEER_PACKAGE[$n]}" "${PEER_SUITE[$n]:-}" \
		    > /dev/null || return 1
	done
}

# peers_command NAME|PATH: sets COMMAND, the words that a program's go after.
peers_command() {
	local c x g lib=
	c=$(peers_dir libc6) && x=$(peers_dir libstdc++6) &&
	    g=$(peers_dir libgcc-s1) || return 1
	case $1 in
	glibc) ;;
	*/*)	lib=$(readlink -f "$1") ;;
	*)	lib=$(peers_dir "${PEER_PACKAGE[$1]}" "${PEER_SUITE[$1]:-}")
		lib=$lib/${PEER_LIBRARY[$1]} ;;
	esac
	COMMAND=("$c"/ld-linux-*.so.? --library-path "$c:$x:$g")
	[ -z "$lib" ] || COMMAND+=(--preload "$lib")
}

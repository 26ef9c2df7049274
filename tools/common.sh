# SPDX-License-Identifier: BSD-2-Clause
#
# What tools/run and tools/check share: finding and installing what they need,
# and building the tree.  For bash; sourced with $top set to the tree's root.

self=${0##*/}

# Say one line and stop, with a status of 1 or the given one.
die()
{
	printf '%s: %s\n' "$self" "$1" >&2
	exit "${2:-1}"
}

note()
{
	printf '%s: %s\n' "$self" "$1" >&2
}

# Neither make's nor LD_PRELOAD's lists can quote these.
check_path()
{
	case $top in
	*[[:space:]:]*)
		die "the tree's path has a space or a colon in it: $top" ;;
	esac
}

# Print those of the named Debian packages that are not installed.
missing_packages()
{
	local package status
	for package; do
		status=$(dpkg-query -W -f '${db:Status-Status}' \
		    "$package" 2>/dev/null)
		[ "$status" = installed ] || echo "$package"
	done
}

# Run apt-get quietly, as root or through sudo.
run_apt_get()
{
	local sudo=()
	[ "$(id -u)" = 0 ] || sudo=(sudo)
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
	    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
	    "$@" </dev/null >>"$log" 2>&1
}

# See to it that sudo is going to work, asking for its password when there is
# somebody to ask.
need_sudo()
{
	command -v sudo >/dev/null ||
	    die "needs root or sudo to install: $1"
	sudo -n true 2>/dev/null && return
	{ : </dev/tty; } 2>/dev/null ||
	    die "needs sudo's password to install: $1"
	note "needs sudo to install: $1"
	sudo true </dev/tty || die "sudo refused; needs: $1"
}

# See to it that the named Debian packages are installed.
need_packages()
{
	local missing
	command -v dpkg-query >/dev/null ||
	    die "not a Debian system: install by hand what README and tools/check name"
	mapfile -t missing < <(missing_packages "$@")
	[ ${#missing[@]} -eq 0 ] && return

	[ "$(id -u)" = 0 ] || need_sudo "${missing[*]}"
	note "installing ${missing[*]}"
	run_apt_get update ||
	    note "apt-get update failed; going on with the lists there are"
	run_apt_get install --no-install-recommends "${missing[@]}" ||
	    die "apt-get could not install ${missing[*]} (see $log)"
}

# Choose $objroot, where builds and logs go: in the tree, where git ignores it,
# or in the user's cache when the tree belongs to somebody else.
choose_objroot()
{
	objroot=$top/obj
	if ! { mkdir -p "$objroot" && [ -w "$objroot" ]; } 2>/dev/null; then
		objroot=${XDG_CACHE_HOME:-$HOME/.cache}/dsmalloc
		mkdir -p "$objroot" 2>/dev/null && [ -w "$objroot" ] ||
		    die "can write neither to $top/obj nor to $objroot"
	fi
	log=$objroot/$self.log
	: >"$log" || die "cannot write $log"
}

# Do a command while no other tools/run or tools/check is building here.
locked()
{
	exec 9>"$objroot/lock"
	flock 9
	"$@"
	exec 9>&-
}

# Run bmake for a variant, gcc-production and so on, in its own objects; the
# output goes to the log.
make_variant()
{
	local variant=$1 args=()
	shift
	case $variant in
	*-debug)	args+=(-DWITHOUT_MALLOC_PRODUCTION) ;;
	esac
	case $variant in
	gcc-*)		args+=(CC=gcc CXX=g++) ;;
	clang-*)	args+=(CC=clang CXX=clang++) ;;
	esac
	# A make above this one, if any, is not ours to share jobs with.
	env -u MAKEFLAGS -u MAKELEVEL -u MAKEOBJDIR -u MAKEOBJDIRPREFIX \
	    -u LD_PRELOAD OBJTOP="$objroot/$variant" \
	    MAKESYSPATH="$top/share/mk" LC_ALL=C \
	    bmake -j "$(nproc)" "${args[@]}" "$@" </dev/null >>"$log" 2>&1
}

# Stop because a build failed, with the end of the log.
build_failed()
{
	tail -n 40 "$log" >&2
	die "$1 did not build (see $log)"
}

# SPDX-License-Identifier: BSD-2-Clause
#
# Sourced by tools/vm: the virtual machine.  Its root file system is an archive
# in memory: busybox, and what the command needs.  The kernel must have no need
# of modules for that, and for four serial lines: its own, the command's output
# and what became of the command.

KERNEL=linux-image-cloud-amd64
vm_cache=$CACHE/vm

suite() {
	( . /etc/os-release && echo "${VERSION_CODENAME:-bookworm}" )
}

# unpack PACKAGE...: once, all into one tree.
unpack() {
	local p d=$vm_cache
	mkdir -p "$d/root" "$d/done" || return 1
	for p; do
		[ ! -e "$d/done/$p" ] || continue
		rm -rf "$d/deb" && mkdir "$d/deb" &&
		    (cd "$d/deb" && peers_apt "$(suite)" download "$p") \
		    > "$d/log" 2>&1 &&
		    dpkg-deb -x "$d"/deb/*.deb "$d/root" >> "$d/log" 2>&1 ||
		    { tail -3 "$d/log" >&2; return 1; }
		touch "$d/done/$p"
	done
	rm -rf "$d/deb"
}

# What a package needs beyond what is installed here, and itself.
closure() {
	peers_apt "$(suite)" install -s --no-install-recommends "$1" \
	    2> /dev/null | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

machine_fetch() {
	local image
	qemu=$(command -v qemu-system-x86_64)
	kernel=$vm_cache/vmlinuz-$KERNEL
	busybox=$vm_cache/root/bin/busybox
	[ -x "$busybox" ] && [ -s "$kernel" ] &&
	    [ -n "$qemu" -o -e "$vm_cache/done/qemu" ] || {
		peers_root "$(suite)" || return 1
		note "fetching what a virtual machine needs"
	}
	[ -x "$busybox" ] || unpack busybox-static || return 1
	if [ ! -s "$kernel" ]; then
		image=$(APT_CONFIG=$CACHE/apt-$(suite)/conf apt-cache depends \
		    "$KERNEL" | sed -n 's/.*Depends: \(linux-image-.*\)/\1/p')
		unpack "${image:-$KERNEL}" &&
		    cp "$vm_cache/root/boot/vmlinuz-${image#linux-image-}" \
		    "$kernel" || return 1
	fi
	[ -z "$qemu" ] || return 0
	qemu=$vm_cache/root/usr/bin/qemu-system-x86_64
	[ -e "$vm_cache/done/qemu" ] ||
	    { unpack $(closure qemu-system-x86) && [ -x "$qemu" ] &&
	    touch "$vm_cache/done/qemu"; }
}

# put PATH...: copies to the same path of the machine, with libraries.
put() {
	local f
	for f; do
		mkdir -p "$scratch/root$(dirname "$f")" &&
		    cp -RLn "$f" "$scratch/root$(dirname "$f")/" ||
		    die "cannot copy $f" 125
	done
	find "$@" -type f \( -perm -100 -o -name '*.so*' \) -exec ldd {} + \
	    2> /dev/null | sed -n 's/^.* => \(\/[^ ]*\) .*$/\1/p
	    s/^[[:space:]]*\(\/[^ ]*\) (0x.*$/\1/p' | sort -u |
	    while read -r f; do
		[ -e "$scratch/root$f" ] && continue
		mkdir -p "$scratch/root$(dirname "$f")"
		cp -L "$f" "$scratch/root$f" || die "cannot copy $f" 125
	    done
}

machine_files() {
	local r=$scratch/root w
	rm -rf "$r"
	mkdir -p "$r"/{bin,proc,sys,dev,tmp,etc} "$r$PWD"
	cp "$busybox" "$r/bin/busybox"
	cp "$src/init" "$r/init"
	put "$library" "${put[@]}"
	for w; do
		[ ! -f "$w" ] || put "$(realpath -s "$w")"
	done
	w=$(command -v "$1") && [ -f "$w" ] && [ ! -e "$r$w" ] &&
	    ! "$busybox" --list | grep -qx "$1" && put "$w"
	printf '%q ' cd "$PWD" > "$r/command"
	[ -z "${MALLOC_CONF:-}" ] ||
	    printf '\nexport MALLOC_CONF=%q' "$MALLOC_CONF" >> "$r/command"
	printf '\nexec' >> "$r/command"
	printf ' %q' "$@" >> "$r/command"
	(cd "$r" && find . | "$busybox" cpio -o -H newc 2> /dev/null) \
	    > "$scratch/initrd"
}

# The machine's processors and memory, over its domains.
machine_domains() {
	local first i last size=$((memory / numa))M
	args+=(-m "${memory}M" -smp "$cpus")
	[ "$numa" -gt 1 ] || return 0
	for ((i = 0; i < numa; i++)); do
		first=$((cpus * i / numa))
		last=$((cpus * (i + 1) / numa - 1))
		args+=(-object "memory-backend-ram,id=m$i,size=$size"
		    -numa "node,nodeid=$i,memdev=m$i,cpus=$first-$last")
	done
}

# machine_run COMMAND...
machine_run() {
	local args=() status r=$vm_cache/root m
	machine_files "$@"
	machine_domains
	: > "$scratch/out"
	: > "$scratch/status"
	m=lib/x86_64-linux-gnu
	: > "$scratch/log"
	LD_LIBRARY_PATH=$r/usr/$m:$r/$m timeout "$limit" "$qemu" \
	    -M q35 -accel "tcg,thread=multi" -cpu max "${args[@]}" \
	    -L "$r/usr/share/seabios" \
	    -L "$r/usr/share/qemu" -nodefaults -display none \
	    -no-reboot -kernel "$kernel" -initrd "$scratch/initrd" \
	    -serial "file:$scratch/log" -serial "file:$scratch/out" \
	    -serial "file:$scratch/status" \
	    -append "console=ttyS0 panic=-1 mitigations=off tsc=reliable \
	    $append" < /dev/null 2> "$scratch/err"
	status=$?
	[ -z "$verbose" ] || cat "$scratch/log" >&2
	cat "$scratch/out"
	[ ! -s "$scratch/status" ] || return "$(cat "$scratch/status")"
	[ $status -ne 124 ] || die "no more time after $limit seconds" 124
	tail -qn 5 "$scratch/err" "$scratch/log" >&2
	die "the machine ended without a word of the command" 125
}

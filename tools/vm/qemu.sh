# SPDX-License-Identifier: GPL-2.0
# Debian's own kernel KERNEL (6.1, 6.12, 7.2, 6.1-rt, ...) under QEMU, without KVM:
# a real machine's kernel, whose timings mean nothing.  Sourced by vm, and by what changes
# some of it for another kernel or another CPU.

qemu_dir=$cache/$machine
qemu_arch=amd64
qemu_busybox=/bin/busybox
qemu_command=(qemu-system-x86_64 -accel tcg -cpu max)
qemu_console=ttyS0
qemu_share=local,security_model=none,multidevs=remap
qemu_root=/	# what the machine has as its root

qemu_kdir() { echo "$qemu_dir/kdir"; }

# The host's compiler stands in for the kernel's and may be older; no BTF, so no pahole.
qemu_makeflags() {
	echo CC=gcc CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT= \
		CONFIG_DEBUG_INFO_BTF_MODULES= 'PAHOLE_VERSION=$(CONFIG_PAHOLE_VERSION)'
}

# qemu_search SUITE: the name, past "linux-headers-", of its newest such kernel.
qemu_search() {
	local version=${KERNEL%%-*} conf flavour
	# -rt-arm64, but -arm64-16k
	flavour=${KERNEL#"$version"}-$qemu_arch
	[[ $KERNEL != *k ]] || flavour=-$qemu_arch${KERNEL#"$version"}
	conf=$(suite_conf "$1")
	APT_CONFIG=$conf apt-cache search -n \
		"^linux-headers-${version//./\\.}[.][0-9.]+[-+][a-z0-9+~]+$flavour\$" |
		sed 's/^linux-headers-//; s/ .*//' | sort -V | tail -n 1
}

# qemu_packages SUITE NAME: the image, the headers and what they consist of.  The tools that
# build modules are of this machine's architecture; what is of none is in <>.
qemu_packages() {
	local conf packages=("linux-image-$2:$qemu_arch" "linux-headers-$2:$qemu_arch")
	conf=$(suite_conf "$1")
	printf "%s\n" "${packages[@]}"
	APT_CONFIG=$conf apt-cache depends "${packages[@]}" |
		sed -nE '/ Depends: <?linux-(base|binary|modules|headers|kbuild)-[0-9]/ {
			s/.* //; s/^<(.*):.*>$/\1/; /^linux-kbuild-/s/:.*//; p
		}'
}

# Headers name their place by absolute paths, which point into the system.
qemu_relocate() {
	local name=$1
	sed -i "s|/usr/src/|$qemu_dir&|" "$qemu_dir/usr/src/linux-headers-$name/Makefile"
	ln -sfn "usr/src/linux-headers-$name" "$qemu_dir/kdir"
	ln -sfn "$(cd "$qemu_dir" && find . -name 'vmlinuz*')" "$qemu_dir/vmlinuz"
}

# Tools of a newer suite need the C library of that suite.
qemu_libc() {
	local lib=$qemu_dir/usr/lib/x86_64-linux-gnu tool
	need patchelf
	fetch "${1%-backports}" "$qemu_dir" libc6 libelf1t64 zlib1g libzstd1
	find "$qemu_dir"/usr/lib/linux-kbuild-* -type f -perm -u+x | while read -r tool; do
		patchelf --print-interpreter "$tool" >/dev/null 2>&1 || continue
		patchelf --set-interpreter "$lib/ld-linux-x86-64.so.2" --set-rpath "$lib" "$tool"
	done
}

# qemu_modules DIR MODULE...: the files of modules below DIR, dependencies first.
qemu_modules() {
	local dir=$1 module file
	shift
	for module; do
		file=$(find "$dir" -name "$module.ko*")
		[ -n "$file" ] || continue	# built in
		# shellcheck disable=SC2046
		qemu_modules "$dir" $(modinfo -F depends "$file" | tr , ' ')
		echo "$file"
	done
}

# An initramfs that puts a layer of memory over the files of $qemu_root and goes on as UML
# does.  The host's files stay as they are, save for those in the checkout's out/.
qemu_initramfs() {
	local dir=$qemu_dir/initramfs file n=10
	rm -rf "$dir"
	mkdir -p "$dir"/{bin,modules,host,memory,newroot}
	cp "$qemu_busybox" "$dir/bin/"
	qemu_modules "$qemu_dir" virtio_pci 9pnet_virtio 9p overlay | awk '!seen[$0]++' |
		while read -r file; do
			xz -dcf "$file" >"$dir/modules/$n.ko"
			n=$((n + 1))
		done
	cat >"$dir/init" <<-'I'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		stty -opost
		for module in /modules/*; do
			insmod $module
		done
		p9=trans=virtio,version=9p2000.L,msize=512000
		mount -t 9p -o ro,cache=loose,$p9 host /host
		mount -t tmpfs memory /memory
		mkdir /memory/upper /memory/work
		mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work \
			root /newroot
		# where the root is not the host's
		if [ ! -e /newroot$SPSCRING_TOP/tools/vm/init ]; then
			mkdir -p /newroot$SPSCRING_TOP
			mount -t 9p -o ro,cache=loose,$p9 top /newroot$SPSCRING_TOP
		fi
		mount -t 9p -o $p9 out /newroot$SPSCRING_TOP/out
		exec switch_root /newroot $SPSCRING_TOP/tools/vm/init
	I
	chmod +x "$dir/init"
	(cd "$dir" && find . | busybox cpio -o -H newc) >"$qemu_dir/initramfs.cpio"
}

qemu_get() {
	local suite name packages
	for suite in bookworm trixie trixie-backports sid; do
		name=$(qemu_search $suite)
		[ -z "$name" ] || break
	done
	[ -n "$name" ] || die "no kernel $KERNEL in Debian's suites bookworm to sid"
	rm -rf "$qemu_dir"
	mapfile -t packages < <(qemu_packages $suite "$name")
	fetch $suite "$qemu_dir" "${packages[@]}"
	qemu_relocate "$name"
	[ $suite = bookworm ] || qemu_libc $suite
}

# Each of these is done once.  What fetches decides whether to fetch again, not the rest of this.
qemu_kernel_once() {
	if once "$machine" \
		<(declare -f qemu_get qemu_search qemu_packages qemu_relocate qemu_libc); then
		qemu_get
		did "$machine"
	fi
}
qemu_initramfs_once() {
	if once "$machine-initramfs" "$cache/stamp/$machine" \
		<(declare -f qemu_initramfs qemu_modules); then
		qemu_initramfs
		did "$machine-initramfs"
	fi
}

qemu_setup() {
	need qemu-system-x86 busybox-static gcc make libc6-dev binutils kmod xz-utils perl \
		libelf-dev
	qemu_kernel_once
	qemu_initramfs_once
}

# qemu_run SCRIPT: boot with the files of $qemu_root; SCRIPT runs as root there.  A small
# second memory node, so that there is one to keep out of.
qemu_run() {
	local node=$((128 << 20)) all
	all=$(numfmt --from=iec "${MEM:-1G}")
	mkdir -p "$out"
	timeout --foreground -k 5 "${TIMEOUT:-1200}" "${qemu_command[@]}" \
		-nodefaults -no-user-config -no-reboot -display none -serial stdio \
		-smp "${CPUS:-2}" -m "${MEM:-1G}" \
		-object "memory-backend-ram,id=node0,size=$((all - node))" -numa node,memdev=node0 \
		-object "memory-backend-ram,id=node1,size=$node" -numa node,memdev=node1 \
		-virtfs "$qemu_share,path=$qemu_root,mount_tag=host,readonly=on" \
		-virtfs "$qemu_share,path=$top,mount_tag=top,readonly=on" \
		-virtfs "$qemu_share,path=$out,mount_tag=out" \
		-kernel "$qemu_dir/vmlinuz" -initrd "$qemu_dir/initramfs.cpio" \
		-append "quiet panic=-1 console=$qemu_console $(guest_env "$1" | paste -sd ' ')" </dev/null
}

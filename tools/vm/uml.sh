# SPDX-License-Identifier: GPL-2.0
# User Mode Linux with SMP: a kernel that is an ordinary process.  Sourced by vm.

uml_patches=("$top"/tools/vm/uml-{barrier,stacktrace}.patch)

uml_flavour() { [ "$vm" = uml-debug ] && echo debug || echo plain; }
uml_kdir() { echo "$cache/uml-$(uml_flavour)"; }
uml_makeflags() { echo ARCH=um; }

# The newest source that carries UML's SMP (6.19); the one this was tried with first.
uml_package() {
	local suite conf pkg
	for suite in trixie-backports sid; do
		conf=$(suite_conf "$suite")
		for pkg in linux-source-7.2 \
			$(APT_CONFIG=$conf apt-cache search -n '^linux-source-[0-9.]+$' |
				sed 's/ .*//' | sort -rV); do
			dpkg --compare-versions "${pkg#linux-source-}" ge 6.19 || continue
			APT_CONFIG=$conf apt-cache show "$pkg" >/dev/null 2>&1 || continue
			fetch "$suite" "$cache/source" "$pkg"
			return
		done
	done
	die "no linux-source of 6.19 or later in trixie-backports or sid"
}

# UML defines no barriers of its own below smp_mb(), so the generic header makes
# every acquire and release a full fence: 2 to 3 times too slow for all rings.
uml_unpack() {
	local archive=("$cache"/source/usr/src/linux-source-*.tar.xz)
	rm -rf "$cache/linux"
	mkdir -p "$cache/linux"
	tar xf "${archive[-1]}" -C "$cache/linux" --strip-components=1
	cat "${uml_patches[@]}" | patch -d "$cache/linux" -p1
}

uml_build() {
	local out=$1 fragments=("$top"/tools/vm/uml{,-"$2"}.config)
	set -e
	rm -rf "$out"
	mkdir -p "$out"
	cd "$cache/linux"
	make -s ARCH=um O="$out" defconfig
	ARCH=um scripts/kconfig/merge_config.sh -m -O "$out" "$out/.config" "${fragments[@]}"
	make -s ARCH=um O="$out" olddefconfig
	make -j"$(nproc)" ARCH=um O="$out" linux modules_prepare
	cp "$out/vmlinux.symvers" "$out/Module.symvers"
}

uml_setup() {
	local out flavour=$(uml_flavour)
	need gcc make libc6-dev bc flex bison libelf-dev libssl-dev kmod xz-utils \
		busybox-static python3 binutils patch
	compgen -G "$cache/source/usr/src/linux-source-*.tar.xz" >/dev/null || uml_package
	out=$(uml_kdir)
	if once linux "${uml_patches[@]}"; then
		slow "unpack the kernel source" uml_unpack
		did linux
	fi
	if once "uml-$flavour" "${uml_patches[@]}" \
		"$top"/tools/vm/uml{,-"$flavour"}.config; then
		slow "build the $flavour UML kernel" uml_build "$out" "$flavour"
		did "uml-$flavour"
	fi
}

# uml_run SCRIPT: boot with the host's files as root; SCRIPT runs as root there.
uml_run() {
	local mem=1G env
	[ "$vm" = uml-debug ] && mem=2G
	mapfile -t env < <(guest_env "$1")
	# UML keeps its memory in a file of TMPDIR: a tmpfs where there is room.
	TMPDIR=$(uml_tmp) timeout --foreground -k 5 "${TIMEOUT:-2400}" "$(uml_kdir)/linux" \
		quiet "mem=${MEM:-$mem}" "ncpus=${CPUS:-2}" seccomp=on \
		root=none rootfstype=hostfs rootflags=/ rw "init=$top/tools/vm/init" \
		"${env[@]}" con=null con0=fd:0,fd:1 </dev/null
}

uml_tmp() {
	local d
	for d in /dev/shm /tmp; do
		if [ -w $d ] && [ "$(df --output=avail -k $d | tail -n 1)" -gt 3000000 ]; then
			echo $d
			return
		fi
	done
	mkdir -p "$cache/tmp"
	echo "$cache/tmp"
}

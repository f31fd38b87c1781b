# SPDX-License-Identifier: GPL-2.0
# A small x86-64 kernel with KCSAN, built from the source that UML's is built from, under QEMU.
# KCSAN watches an access for some time, and reports an unmarked one that another CPU makes
# meanwhile.  Sourced by vm.
. "$top/tools/vm/qemu.sh"

kcsan_kdir() { qemu_kdir; }
kcsan_makeflags() { echo ARCH=x86_64; }

kcsan_build() {
	local out=$qemu_dir/kdir
	set -e
	rm -rf "$qemu_dir"
	mkdir -p "$out"
	cd "$cache/linux"
	make -s ARCH=x86_64 O="$out" allnoconfig
	ARCH=x86_64 scripts/kconfig/merge_config.sh -m -O "$out" "$out/.config" \
		"$top/tools/vm/kcsan.config"
	make -s ARCH=x86_64 O="$out" olddefconfig
	make -j"$(nproc)" ARCH=x86_64 O="$out" bzImage modules_prepare
	cp "$out/vmlinux.symvers" "$out/Module.symvers"
	ln -sfn kdir/arch/x86/boot/bzImage "$qemu_dir/vmlinuz"
}

kcsan_setup() {
	need qemu-system-x86 busybox-static gcc make libc6-dev bc flex bison libelf-dev libssl-dev \
		kmod xz-utils
	VM=uml "$top/tools/vm/vm" setup		# the kernel's source
	if once kcsan "$cache/stamp/linux" "$top/tools/vm/kcsan.config" <(declare -f kcsan_build); then
		slow "build the kernel with KCSAN" kcsan_build
		did kcsan
	fi
	qemu_initramfs_once
}

# its modules are built in, and so need not be loaded
qemu_modules() { :; }

kcsan_run() { qemu_run "$1"; }

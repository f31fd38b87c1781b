# SPDX-License-Identifier: GPL-2.0
# Debian's arm64 kernel KERNEL (6.1; 6.12-16k and 7.2-16k have larger pages) under QEMU, with a
# Debian of its own around it.  QEMU runs each CPU in a thread, so an order that arm64 does not
# keep shows as far as QEMU, the host's compiler and the host's CPU let it: an x86-64 host still
# keeps loads among loads and stores among stores.  Sourced by vm.
. "$top/tools/vm/qemu.sh"

foreign=arm64
arm64_cross=aarch64-linux-gnu-
# that the C library of the cross compiler is of
arm64_suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
qemu_arch=arm64
qemu_root=$cache/arm64-$arm64_suite
qemu_busybox=$qemu_root/bin/busybox
qemu_command=(qemu-system-aarch64 -accel "tcg,thread=multi" -machine "virt,gic-version=3"
	-cpu cortex-a76)
qemu_console=ttyAMA0

arm64_kdir() { qemu_kdir; }
# ftrace needs aligned functions, and gcc before 14 aligns no cold ones.
arm64_makeflags() {
	echo "$(qemu_makeflags) CC=${arm64_cross}gcc CROSS_COMPILE=$arm64_cross CFLAGS_MODULE=-D__cold__="
}

# What runs in the machine, unpacked: nothing of it runs here.
arm64_packages=(base-files base-passwd bash busybox-static coreutils dash diffutils findutils grep
	iproute2 kmod libc-bin libc6 liburing-dev make mawk mount perl-base procps sed util-linux)
arm64_debian() {
	set -e
	rm -rf "$qemu_root"
	debian_sources | mmdebstrap --variant=extract --architectures=arm64 \
		--aptopt=<(debian_apt_options) --include="${arm64_packages[*]}" \
		"$arm64_suite" "$qemu_root" -
	# what configuring the packages would do
	ln -s mawk "$qemu_root/usr/bin/awk"
	cp "$qemu_root/usr/share/base-passwd/passwd.master" "$qemu_root/etc/passwd"
	cp "$qemu_root/usr/share/base-passwd/group.master" "$qemu_root/etc/group"
}

arm64_setup() {
	need qemu-system-arm mmdebstrap debian-archive-keyring gcc-aarch64-linux-gnu \
		libc6-dev-arm64-cross gcc make libc6-dev busybox-static kmod xz-utils perl libelf-dev
	if once "arm64-$arm64_suite" <(declare -f arm64_debian; echo "${arm64_packages[@]}"); then
		slow "unpack a Debian of arm64" arm64_debian
		did "arm64-$arm64_suite"
	fi
	qemu_kernel_once
	qemu_initramfs_once
}

# The kselftests and what runs them, in the folder that the machine has as its out/.
kselftest_dir=$top/out/kselftest
arm64_programs() {
	local harness=$cache/linux/tools/testing/selftests
	set -e
	mkdir -p "$out/kselftest"
	cp -a "$harness"/{lib.mk,kselftest.h,kselftest_harness.h,kselftest} "$out/kselftest"
	kselftests "OUTPUT=$out/selftests" \
		"CC=${arm64_cross}gcc --sysroot=$qemu_root" "AR=${arm64_cross}ar"
}

arm64_run() { qemu_run "$1"; }

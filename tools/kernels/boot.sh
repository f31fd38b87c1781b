# SPDX-License-Identifier: GPL-2.0
# Boots kernels under QEMU, with modules that the kernel's own compiler has built.  Sourced by run.
# A machine is called [arm64/]SERIES[-FLAVOUR], as KERNEL of tools/vm/vm.

boot_suites=abi,create,endpoint,mmap,ring,record,wait,kernel

# boot_default: each series that the archive has, and the oldest with -rt; of arm64 the oldest.  A
# kernel for clouds has no 9p, by which the machine gets its files.
boot_default() {
	local series
	mapfile -t series < <(cut -d. -f1,2 "$kernels/all" | sed 's/[^0-9.].*//' | sort -uV)
	printf '%s\n' "${series[@]}" "${series[0]}-rt" "arm64/${series[0]}"
}

# in_vm MACHINE ARGUMENT...: tools/vm/vm for it.
in_vm() {
	local VM=qemu
	[[ $1 != arm64/* ]] || VM=arm64
	VM=$VM KERNEL=${1#arm64/} "$top/tools/vm/vm" "${@:2}"
}

boot_name() { basename "$(readlink "$(in_vm "$1" kdir)")" | sed 's/^linux-headers-//'; }

# boot_setup MACHINE: print the name of its kernel, one that the archive still has.
boot_setup() {
	in_vm "$1" setup >&2 || return
	if ! grep -q "^$(boot_name "$1") " "$kernels/all"; then
		rm -f "$cache/stamp/qemu-$1" "$cache/stamp/${1/\//-}"
		in_vm "$1" setup >&2 || return
	fi
	boot_name "$1"
}

# boot_prepare: the machines, and in $kernels/boot a line "MACHINE NAME" for each.
boot_prepare() {
	local machine series name
	: >"$kernels/boot"
	for machine in ${BOOT-$(boot_default)}; do
		series=${machine#arm64/}
		grep -q "^${series%%-*}[.]" "$kernels/list" || continue
		if ! name=$(boot_setup "$machine"); then
			say "no machine $machine"
			failed=$((failed + 1))
		elif ! grep -q "^$name " "$kernels/all"; then
			say "$machine: the archive has no $name any more"
			failed=$((failed + 1))
		elif grep -q "^$name " "$kernels/list"; then
			echo "$machine $name" >>"$kernels/boot"
		fi
	done
	[ -s "$kernels/boot" ] || return 0
	# the kernel's source is kselftest's home
	VM=uml "$top/tools/vm/vm" setup
	slow "build the selftests" kselftests -j"$(nproc)" OUTPUT="$top/out/selftests"
}

# boot MACHINE NAME: NAME, whether it was loaded and the counts go to $kernels/booted.
boot() {
	local machine=$1 name=$2 vm=qemu out=$top/out log=$logs/$2-boot.tap modules line loaded=no
	[[ $machine != arm64/* ]] || vm=arm64 out=$top/out/arm64
	modules=$out/kernels/modules-$name
	rm -rf "$modules"
	mkdir -p "$modules"
	cp "$kernels/built/$name"-gcc-*/*.ko "$modules"
	[ $vm = qemu ] || in_vm "$machine" programs
	SPSCRING_MODULES_DIR=$modules SPSCRING_BRIEF=1 SPSCRING_SUITES=$boot_suites \
		SPSCRING_MESSAGES=20000 in_vm "$machine" run "$top/tools/vm/guest-test" 2>&1 | tee "$log" |
		grep --line-buffered -aE '^# (FAIL|not ok)|^(not )?ok|^selftests' >&2 || true
	rm -rf "$modules"
	# its status says that a test has failed
	line=$("$top/tools/vm/tap" $vm "$log" "$top/selftests/skips" | last) || true
	! grep -qa '^ok .* rmmod spscring$' "$log" || loaded=yes
	add "$line" || die "no count: $line"
	printf '%s\t%s\t%s\n' "$name" $loaded "${line#*: }" >>"$kernels/booted"
}

boot_all() {
	local machine name
	: >"$kernels/booted"
	while read -r machine name; do
		if ! compgen -G "$kernels/built/$name-gcc-*/spscring.ko" >/dev/null; then
			say "$name is not booted: no module for it"
			continue
		fi
		say "boot $name (log: $logs/$name-boot.tap)"
		boot "$machine" "$name" </dev/null
	done <"$kernels/boot"
}

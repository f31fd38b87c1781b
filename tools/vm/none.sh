# SPDX-License-Identifier: GPL-2.0
# This machine: the module is loaded for real.  Sourced by vm.

none_kdir() { echo "${KDIR:-/lib/modules/$(uname -r)/build}"; }
none_makeflags() { :; }

none_setup() {
	need gcc make libc6-dev kmod
	[ -e "$(none_kdir)/Makefile" ] ||
		die "no kernel headers in $(none_kdir): apt-get install linux-headers-$(uname -r)"
}

none_run() {
	local rc=0 env
	mapfile -t env < <(guest_env "$1")
	[ "$(id -u)" -eq 0 ] || die "loading a module takes root"
	env "${env[@]}" bash "$1" || rc=$?
	echo "spscring-vm: exit $rc"
}

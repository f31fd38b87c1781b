# SPDX-License-Identifier: GPL-2.0
# Builds modules for one kernel, in a chroot of the Debian release that the kernel is from.
# Sourced by run.

# release_sources RELEASE: the archive's lines for the chroot of a release.
release_sources() {
	local uri='[^ ]*' options='\[[^]]*\]'
	grep -E "^deb $options $uri $1(-[a-z-]*)? " "$kernels/apt/sources.list"
}

chroot_make() {
	set -e
	local release=$1 root=$kernels/$1
	rm -rf "$root"
	# no suite of another release: its compiler may not have built the kernel
	release_sources "$release" | mmdebstrap --mode=root --variant=apt \
		--aptopt=<(debian_apt_options) "$release" "$root" -
	touch "$root/srv/current"
}

# inside RELEASE COMMAND...: run COMMAND in the chroot; its processes end with it, and what it has
# in /tmp: make's pipe there is named after a number of a process, which is the same each time.
inside() {
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --kill-child bash -c '
		mount -t proc proc "$0/proc" && mount -t tmpfs tmp "$0/tmp" &&
			exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
				LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
	' "$kernels/$1" "${@:2}" </dev/null
}

# the chroot's own apt, which nobody else locks
chroot_apt() { inside "$1" apt-get -q -y "${@:2}"; }

chroot_upgrade() {
	chroot_apt "$1" update &&
		chroot_apt "$1" dist-upgrade &&
		chroot_apt "$1" clean &&
		touch "$kernels/$1/srv/current"
}

chroot_install() {
	chroot_apt "$1" update &&
		chroot_apt "$1" install --no-install-recommends "${@:2}" &&
		chroot_apt "$1" clean
}

# chroot_need RELEASE PACKAGE...
chroot_need() {
	local release=$1 p missing=()
	shift
	if [ ! -e "$kernels/$release/srv/current" ]; then
		slow "make a Debian $release" chroot_make "$release"
	elif [ "$kernels/apt/done" -nt "$kernels/$release/srv/current" ]; then
		slow "bring $release up to date" chroot_upgrade "$release"
	fi
	for p; do
		[ -n "$(package_version "$release" "$p")" ] || missing+=("$p")
	done
	[ ${#missing[@]} -eq 0 ] ||
		slow "install in $release ${missing[*]}" chroot_install "$release" "${missing[@]}"
}

# package_version RELEASE PACKAGE: the version that the chroot has of it; nothing if none.
package_version() {
	dpkg-query --admindir="$kernels/$1/var/lib/dpkg" -W -f '${db:Status-Status} ${Version}' \
		"$2" 2>/dev/null | sed -n 's/^installed //p'
}

# lay_package RELEASE PACKAGE ARCH: unpack it in the chroot's /usr/src, whatever it depends on: the
# headers of the other architecture ask for a compiler that runs there.
lay_package() {
	local release=$1 package=$2 arch=$3 root=$kernels/$1 version mark deb foreign=
	version=$(archive_version "$package" "$arch" "$release")
	[ "$arch" = all ] || foreign=:$arch
	[ -n "$version" ] || { echo "no $package:$arch in $release"; return 1; }
	mark=$root/usr/src/.$package:$arch
	[ "$(cat "$mark" 2>/dev/null)" != "$version" ] || return 0
	rm -rf "$kernels/deb" && mkdir "$kernels/deb"
	(cd "$kernels/deb" &&
		APT_CONFIG=$kernels/apt/conf apt_get download "$package$foreign=$version") || return
	deb=$(echo "$kernels"/deb/*.deb)
	dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root" ./usr || return
	dpkg-deb -f "$deb" Depends | grep -oE 'linux-[a-z]+-[0-9][^ ,:]*' >"$mark.depends" || true
	echo "$version" >"$mark"
}

# lay NAME ARCH RELEASE: the headers of a kernel and what they consist of.
lay() {
	local name=$1 arch=$2 release=$3 package
	lay_package "$release" "linux-headers-$name" "$arch" || return
	while read -r package; do
		case $package in
		linux-headers-*) lay_package "$release" "$package" all ;;
		# programs that run here
		linux-kbuild-*) lay_package "$release" "$package" amd64 ;;
		esac || return
	done <"$kernels/$release/usr/src/.linux-headers-$name:$arch.depends"
}

# compiler_of NAME RELEASE: the gcc that has built the kernel.
compiler_of() {
	sed -nE 's/^CC = .*(gcc-[0-9]+)$/\1/p' \
		"$kernels/$2/usr/src/linux-headers-$1/.kernelvariables" || true
}

# compiler_package COMPILER ARCH
compiler_package() {
	case $1-$2 in
	gcc-*-arm64) echo "$1-aarch64-linux-gnu" ;;
	*) echo "$1" ;;
	esac
}

# make_flags ARCH COMPILER RELEASE
make_flags() {
	local cross=aarch64-linux-gnu- arch=arm64
	[ "$1" = arm64 ] || cross=x86_64-linux-gnu- arch=x86
	printf '%s\n' "ARCH=$arch" "CROSS_COMPILE=$cross"
	if [ "$2" = clang ]; then
		clang_flags "$3"
	else
		printf '%s\n' "CC=$cross$2" W=1 "KCFLAGS=-Werror -g0"
	fi
}

# clang_flags RELEASE: the kernel was configured for gcc; this is what clang has under another name,
# or not at all.  Without W=1, which warns of the kernel's headers.
clang_flags() {
	local flag version
	version=$(inside "$1" clang -dumpversion | awk -F. '{ print $1 * 10000 + $2 * 100 + $3 }')
	printf '%s\n' CC=clang CONFIG_CC_IS_GCC= CONFIG_GCC_VERSION=0 \
		CONFIG_CC_IS_CLANG=y "CONFIG_CLANG_VERSION=$version" \
		CONFIG_CC_IMPLICIT_FALLTHROUGH=-Wimplicit-fallthrough \
		"KCFLAGS=-Werror -g0 -Wno-duplicate-decl-specifier -Wno-address-of-packed-member"
	for flag in FTRACE_MCOUNT_USE_CC CC_HAS_MIN_FUNCTION_ALIGNMENT UBSAN_BOUNDS_STRICT \
		RETHUNK MITIGATION_RETHUNK SLS MITIGATION_SLS INIT_STACK_ALL_ZERO; do
		echo "CONFIG_$flag="
	done
}

# build NAME ARCH RELEASE COMPILER MODULES: in the chroot's /srv/spscring; silence is success.
build() {
	local name=$1 arch=$2 release=$3 dir=$kernels/$3/srv/spscring flags tests=
	[ "$5" != all ] || tests=1
	mapfile -t flags < <(make_flags "$arch" "$4" "$release")
	rm -rf "$dir" && mkdir "$dir" || return
	(cd "$top" && cp -a --parents "${sources[@]}" "$dir") || return
	# no debug information, which takes longer than the code, and no BTF, which needs it
	# shellcheck disable=SC2016
	inside "$release" make -s -j"$(nproc)" -C "/usr/src/linux-headers-$name" M=/srv/spscring \
		"${flags[@]}" SPSCRING_TESTS="$tests" CONFIG_DEBUG_INFO_BTF_MODULES= \
		'PAHOLE_VERSION=$(CONFIG_PAHOLE_VERSION)' modules
}

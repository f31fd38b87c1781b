# SPDX-License-Identifier: GPL-2.0
# Which kernels Debian's archive offers header packages of, and where.  Sourced by run.

kernels=$cache/kernels
packages=$kernels/packages	# all that the archive has of what is needed, a line each
unset APT_CONFIG

helper=/usr/lib/apt/apt-helper

# codename URI SUITE: what the archive calls the suite; nothing if it has none.
codename() {
	local out rc=0
	out=$("$helper" download-file "$1/dists/$2/InRelease" "$kernels/release" 2>&1) || rc=$?
	if [ $rc -ne 0 ]; then
		[[ $out == *404* ]] || die "cannot read $1/dists/$2: $out"
		return 0
	fi
	sed -n 's/^Codename: //p' "$kernels/release"
}

# suite_line URI SUITE: its line of sources.list, if the archive has it.
suite_line() {
	local name
	name=$(codename "$1" "$2") || return
	[ -z "$name" ] || deb_line "$1" "$2"
}

# archive_suites: a line of sources.list for each suite that the archive has, from the oldest
# release that Debian supports on; a package that several have is named after the first.
archive_suites() {
	set -e
	local main security alias release suite
	main=$(archive_uri debian) security=$(archive_uri debian-security)
	[ -n "$main" ] || die "no Debian archive in the apt sources"
	for alias in oldstable stable testing unstable; do
		release=$(codename "$main" $alias)
		[ -n "$release" ] || continue
		for suite in "$release"{,-updates,-proposed-updates,-backports}; do
			suite_line "$main" "$suite"
		done
		[ -z "$security" ] || suite_line "$security" "$release-security"
	done
	suite_line "$main" experimental
}

# archive_update: apt's state for all suites and both architectures, in a folder of its own.
archive_update() {
	set -e
	local apt=$kernels/apt
	rm -rf "$apt"
	apt_state "$apt" "${arches[@]:1}"
	archive_suites >"$apt/sources.list"
	APT_CONFIG=$apt/conf apt_get update
	touch "$apt/done"
}

# archive_packages: PACKAGE ARCH RELEASE SUITE VERSION of all packages that headers consist of, the
# newest version that the suites of a release have of each, the oldest release first.  ARCH may
# be all.
archive_packages() {
	local suite file n=0
	# shellcheck disable=SC2016
	APT_CONFIG=$kernels/apt/conf apt-get indextargets \
		--format '$(RELEASE) $(FILENAME)' 'Created-By: Packages' |
		while read -r suite file; do
			n=$((n + 1))
			"$helper" cat-file "$file" | awk -v n=$n -v suite="$suite" '
				BEGIN {
					release = suite
					sub(/-.*/, "", release)
					sub(/^experimental$/, "sid", release)
				}
				/^Package: / { package = $2 }
				/^Architecture: / { arch = $2 }
				/^Version: / { version = $2 }
				/^$/ && package ~ /^linux-(headers|kbuild)-[0-9]/ {
					print package, arch, release, suite, version, n
				}'
		done | sort -k1,1 -k2,2 -k3,3 -k5,5Vr | awk '!seen[$1, $2, $3]++' |
		sort -s -k6,6n | cut -d' ' -f1-5
}

# archive_kernels: NAME ARCH RELEASE SUITE VERSION MODULES of each kernel that the module supports.
# NAME is what is past "linux-headers-".  The newest of each series, release and flavour come first,
# as they tell most; MODULES is all for those of them that have no flavour, for the others spscring.
archive_kernels() {
	awk '
		FNR == NR { there[$1, $3]; next }
		$1 !~ /^linux-headers-/ || seen[$1, $2]++ { next }
		{
			sub(/^linux-headers-/, "")
			version = flavour = $1
			if (!sub(/-(rt-|cloud-)?(amd64|arm64|arm64-16k)$/, "", version))
				next
			# a package without files of its own asks for the newest kernel
			if (!(("linux-headers-" version "-common", $3) in there))
				next
			flavour = substr($1, length(version) + 1)
			split(version, part, /[.+-]/)
			if (part[1] * 1000 + part[2] >= 6001)
				print part[1] "." part[2], flavour, $0
		}' "$packages" "$packages" | sort -k1,1Vr -k2,2 -k5,5 -k7,7Vr |
		awk '{
			older = n[$1, $2, $5]++
			print older, $0, !older && $2 == "-" $4 ? "all" : "spscring"
		}' |
		sort -s -k1,1n | cut -d' ' -f4-
}

# archive_version PACKAGE ARCH RELEASE
archive_version() {
	awk -v p="$1" -v a="$2" -v r="$3" '$1 == p && $2 == a && $3 == r { print $5 }' "$packages"
}

# prune: remove what the archive has no longer.
prune() {
	local mark package release
	for mark in "$kernels"/*/usr/src/.linux-*; do
		[[ -e $mark && $mark != *.depends ]] || continue
		package=${mark##*/.} release=${mark#"$kernels/"}
		release=${release%%/*}
		[ -n "$(archive_version "${package%:*}" "${package#*:}" "$release")" ] ||
			rm -rf "$mark"* "$kernels/$release/usr"/{src,lib}/"${package%:*}"
	done
	for mark in "$kernels"/built/*; do
		package=${mark##*/}
		package=${package%-gcc-*}
		grep -q "^${package%-clang} " "$kernels/all" || rm -rf "$mark"
	done
}

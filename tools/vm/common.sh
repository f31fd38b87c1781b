# SPDX-License-Identifier: GPL-2.0
# Shared by the vehicles: where things are kept, progress, packages.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${SPSCRING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spscring}
mkdir -p "$cache"

# realtime COMMAND...: one that is timed, ahead of all others where this user may.
realtime() {
	if chrt -f 10 true 2>/dev/null; then
		chrt -f 10 "$@"
	else
		"$@"
	fi
}

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'spscring: %s\n' "$*" >&2; exit 1; }

# runs_on PID [SECONDS]: wait 15 s, or SECONDS, or until the process has ended; true if it runs on.
runs_on() {
	local i
	for ((i = 0; i < 4 * ${2:-15}; i++)); do
		kill -0 "$1" 2>/dev/null || return
		sleep 0.25
	done
	kill -0 "$1" 2>/dev/null
}

# slow NAME COMMAND...: run COMMAND with its output in a log, and print a sign of life every 15 s,
# with the log's last line if COMMAND reports its progress there.
slow() {
	local name=$1 log=$cache/log/${1// /-}.log start=$SECONDS rc=0
	shift
	mkdir -p "$cache/log"
	say "$name (log: $log)"
	"$@" >"$log" 2>&1 </dev/null &
	local pid=$!
	while kill -0 "$pid" 2>/dev/null; do
		runs_on "$pid" &&
			say "$name: $((SECONDS - start)) s$(tail -n 1 "$log" | sed -n 's/^== /: /p')"
	done
	wait "$pid" || rc=$?
	if [ $rc -ne 0 ]; then
		tail -n 40 "$log" >&2
		die "$name failed ($rc)"
	fi
	say "$name: done in $((SECONDS - start)) s"
}

# kselftests ARGUMENT...: make in selftests/, with the harness of UML's kernel source.
kselftests() {
	make -C "$top/selftests" KSELFTEST_DIR="$cache/linux/tools/testing/selftests" "$@"
}

# last: all that comes in goes to stderr, its last line out.  (tee /dev/stderr opens what
# stderr is anew: a log loses what it has.)
last() {
	local line last=
	while IFS= read -r line || [ -n "$line" ]; do
		printf '%s\n' "$line" >&2
		last=$line
	done
	printf '%s\n' "$last"
}

# verdict NAME STATUS [WHY]: count one result of a suite that needs no virtual machine; add LINE: those
# of a line "N passed, N failed, N skipped", false if it is none; verdicts: print the counts, as the
# suite's last line.
passed=0 failed=0 skipped=0
add() {
	[[ $1 =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]] || return
	passed=$((passed + BASH_REMATCH[1]))
	failed=$((failed + BASH_REMATCH[2]))
	skipped=$((skipped + BASH_REMATCH[3]))
}
verdict() {
	if [ "$2" -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "${0##*/}: FAILED $1${3:+$'\n'$3}"
	fi
}
verdicts() { echo "${0##*/}: $passed passed, $failed failed, $skipped skipped"; }

# each COMMAND...: run COMMAND with the words of each line of stdin, as many at once as there are
# CPUs.  Each ends with its own verdicts, which are added to this suite's; what else it prints is
# shown.
each() {
	local line
	while IFS= read -r line; do
		add "$line" || printf '%s\n' "$line"
	done < <(xargs -r -P "$(nproc)" -L 1 "$@" || echo "$1: 0 passed, 1 failed, 0 skipped")
}

# once NAME FILE...: true while the step NAME has not been `did` for these FILEs.
once() {
	stamp_name=$cache/stamp/$1 stamp_sum=$(cat "${@:2}" | sha256sum)
	[ "$(cat "$stamp_name" 2>/dev/null)" != "$stamp_sum" ]
}
did() { mkdir -p "$cache/stamp" && echo "$stamp_sum" >"$stamp_name"; }

# apt_get ARGUMENT...: with patience.  apt-get fails at once where another process holds a
# lock of apt's or dpkg's, as the automatic updates of a fresh machine do.
apt_patience=600	# seconds
apt_get() {
	local start=$SECONDS busy='Could not get lock|locked by another process' err rc
	while :; do
		rc=0
		{
			err=$(LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -q "$@" 2>&1 >&3) || rc=$?
		} 3>&1
		[ -z "$err" ] || printf '%s\n' "$err" >&2
		[ $rc -ne 0 ] && grep -qE "$busy" <<<"$err" || return $rc
		[ $((SECONDS - start)) -lt $apt_patience ] || return $rc
		say "waits: $(grep -m 1 -E "$busy" <<<"$err")"
		sleep 2
	done
}

# need PACKAGE...: Debian packages of the running suite.
need() {
	local missing=() p
	for p; do
		[ "$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null)" = "install ok installed" ] ||
			missing+=("$p")
	done
	[ ${#missing[@]} -eq 0 ] && return
	[ "$(id -u)" -eq 0 ] || die "as root: apt-get install ${missing[*]}"
	slow "apt update" apt_get update
	slow "apt install" apt_get -y install --no-install-recommends "${missing[@]}"
}

# apt_state DIR [ARCHITECTURE]...: a folder in which apt has its state, and packages of this machine's
# architecture and of these; DIR/conf is for APT_CONFIG, DIR/sources.list for the caller to write.
apt_state() {
	local apt=$1
	shift
	mkdir -p "$apt"/{state/lists/partial,cache/archives/partial}
	: >"$apt/status"
	cat >"$apt/conf" <<-C
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::State "$apt/state";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache";
		APT::Sandbox::User "$(id -un)";
		Acquire::Languages "none";
		Debug::NoLocking "true";
		APT::Architectures "$({ dpkg --print-architecture; printf '%s\n' "$@"; } | sed '/^$/d' | paste -sd ,)";
	C
}

# archive_uri END: the address that apt uses for the archive whose name ends so; nothing if none.
archive_uri() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
		{ grep -E "/$1/?\$" || true; } | sort -u | head -n 1 | sed 's|/$||'
}

# deb_line URI SUITE: its line of sources.list
deb_line() { echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $1 $2 main"; }

# suite_conf SUITE: apt's state for another Debian suite, in a folder of its own;
# the archive's address is the one that apt already uses.  With packages of the
# architecture $foreign, too, if that is set: those are named PACKAGE:$foreign.
suite_conf() {
	local suite=$1 apt=$cache/apt/$1${foreign:+-$foreign} uri
	apt_state "$apt" ${foreign:-}
	unset APT_CONFIG
	uri=$(archive_uri debian)
	[ -n "$uri" ] || die "no Debian archive in the apt sources"
	deb_line "$uri" "$suite" >"$apt/sources.list"
	if [ -z "$(find "$apt/state/lists" -name '*Packages*' -mtime -2 -print -quit)" ]; then
		APT_CONFIG=$apt/conf slow "apt lists of $suite" apt_get update
	fi
	echo "$apt/conf"
}

# debian_sources: Debian's archives, as this machine's apt has them; debian_apt_options: how it
# reaches them: proxies, and what it bears.
debian_sources() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | sort -u | sed -n \
		's|^Debian |deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] |p'
}
debian_apt_options() {
	apt-config dump | grep -E '^Acquire::(https?::|ftp::|Check-|Retries)' || true
}

# fetch SUITE DIR PACKAGE...: unpack packages of another suite into DIR; the
# system's own packages stay as they are.
fetch() {
	local conf dir=$2
	conf=$(suite_conf "$1")
	shift 2
	mkdir -p "$dir/.deb"
	(cd "$dir/.deb" && APT_CONFIG=$conf slow "download $1" apt_get download "$@")
	slow "unpack $1" unpack_debs "$dir"
}

unpack_debs() {
	local d
	for d in "$1"/.deb/*.deb; do
		dpkg-deb -x "$d" "$1" || return
		rm -f "$d"
	done
}

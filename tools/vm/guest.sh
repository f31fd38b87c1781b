# SPDX-License-Identifier: GPL-2.0
# Shared by what runs inside a machine: results as TAP, the kernel's log, leaks.  Sourced by it.

# report NAME STATUS [WHY...]: one result
n=0 bad=0
report() {
	n=$((n + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $n $1"
	else
		bad=1
		echo "not ok $n $1"
		# the prefix keeps these lines from being read as results
		[ -z "${*:3}" ] || printf '%s\n' "${@:3}" | sed 's/^/#| /'
	fi
}

# log_begin NAME: save the kernel's whole log from here on: its own buffer keeps only the newest lines.
log_begin() {
	log_name=$1
	log=$(mktemp)
	cat /dev/kmsg >"$log" &
	reader=$!
	echo "$log_name: begin" >/dev/kmsg
}

# log_end: the log since then has no complaint; lines that begin with that NAME do not count.
log_end() {
	local why
	echo "$log_name: end" >/dev/kmsg
	until grep -q "$log_name: end" "$log" || ! kill -0 $reader 2>/dev/null; do
		sleep 0.1
	done
	kill $reader 2>/dev/null
	grep -q "$log_name: end" "$log"
	report "kernel log read" $? "it was faster than its reader"
	why=$(sed -n "/$log_name: begin/,\$s/^[^;]*;//p" "$log" | sed "/^$log_name: /d" | tools/vm/klog-bad)
	report "kernel log" $? "$why"
}

# leaks: kmemleak suspects nothing.  It scans twice: what was young at the first scan is judged by
# the second.
leaks() {
	echo scan >/sys/kernel/debug/kmemleak
	sleep 6
	echo scan >/sys/kernel/debug/kmemleak
	! grep -q unreferenced /sys/kernel/debug/kmemleak
	report "kmemleak" $? "$(cat /sys/kernel/debug/kmemleak)"
}

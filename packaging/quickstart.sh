#!/bin/sh
# abide at work, with nothing but a shell: one program is kept running, is killed, and comes back; abide
# itself is killed, and nobody notices. Everything is taken down at the end.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
ABIDE_HOME=$(mktemp -d)
export ABIDE_HOME
PATH=$here:$PATH

fail() {
	echo "quickstart: $*" >&2
	exit 1
}

# Typed, and done.
run() {
	echo "\$ $*"
	"$@"
}

cleanup() {
	abide down >/dev/null 2>&1 || true
	rm -rf "$ABIDE_HOME"
}
trap cleanup EXIT

# Process $1 of the unit, by what `status` says.
pid_of() {
	abide status "$1" --json | sed -n 's/^ *"pid": \([0-9]*\),*$/\1/p' | head -n 1
}

parent_of() {
	sed -n 's/^PPid:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null || true
}

# Until a program other than $2 runs.
until_other() {
	n=0
	while :; do
		pid=$(pid_of "$1")
		[ -n "$pid" ] && [ "$pid" != "$2" ] && return
		n=$((n + 1))
		[ "$n" -lt 200 ] || fail "$1 did not come back"
		sleep 0.1 2>/dev/null || sleep 1
	done
}

run abide run --name clock -- sh -c 'while :; do date; sleep 1; done'
run abide status

first=$(pid_of clock)
run kill -9 "$first"
until_other clock "$first"
second=$(pid_of clock)
echo "the program was killed, and runs again: $first, now $second"

# The keeper is the parent of programs and of the daemon, which decides.
keeper=$(parent_of "$second")
daemon=
for process in /proc/[0-9]*; do
	child=${process#/proc/}
	if [ "$child" != "$second" ] && [ "$(parent_of "$child")" = "$keeper" ]; then
		daemon=$child
	fi
done
[ -n "$daemon" ] || fail "the daemon cannot be found"
run kill -9 "$daemon"
run abide status
third=$(pid_of clock)
[ "$second" = "$third" ] || fail "killing abide has ended the program"
echo "abide was killed, and the same program runs on: $third"

run abide logs clock
run abide down
echo "quickstart: all of it held"

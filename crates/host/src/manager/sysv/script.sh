PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# When a process began (proc_pid_stat(5), field 22): with it a number is not taken for somebody else's.
began() {
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	set -- ${stat##*) }
	[ "$1" != Z ] && [ "$1" != X ] && echo "${20}"
}

# The number of the process that was started, if it still runs.
running() {
	pid=$(cat "$PIDFILE" 2>/dev/null) && [ -n "$pid" ] || return 1
	time=$(began "$pid") && [ "$time" = "$(cat "$PIDFILE.began" 2>/dev/null)" ] && echo "$pid"
}

tick() {
	sleep 0.1 2>/dev/null || sleep 1
}

start() {
	if running >/dev/null; then
		echo "$NAME runs already"
		return 0
	fi
	if [ ! -x "$PROGRAM" ]; then
		echo "$NAME: $PROGRAM is not there, or not executable" >&2
		return 5
	fi
	rm -f "$PIDFILE" "$PIDFILE.began"
	launch
	ticks=0
	until [ -s "$PIDFILE" ]; do
		ticks=$((ticks + 1))
		[ $ticks -gt 50 ] && break
		tick
	done
	began "$(cat "$PIDFILE" 2>/dev/null)" >"$PIDFILE.began"
	# What is wrong with a program mostly shows at once.
	tick; tick; tick; tick; tick
	if ! running >/dev/null; then
		rm -f "$PIDFILE" "$PIDFILE.began"
		echo "$NAME: it ended at once; the last of $LOG:" >&2
		tail -n 3 "$LOG" >&2
		return 1
	fi
	echo "$NAME started"
}

stop() {
	pid=$(running) || {
		rm -f "$PIDFILE" "$PIDFILE.began"
		echo "$NAME does not run"
		return 0
	}
	ask "$pid"
	ticks=0
	while running >/dev/null; do
		ticks=$((ticks + 1))
		if [ $ticks -gt $((STOP_WITHIN * 10)) ]; then
			echo "$NAME: it did not end within $STOP_WITHIN s, and is killed" >&2
			kill -KILL -"$pid"
			break
		fi
		tick
	done
	rm -f "$PIDFILE" "$PIDFILE.began"
	echo "$NAME stopped"
}

# Codes as the Linux Standard Base has them: 0 runs, 1 dead with a pid file, 3 does not run.
status() {
	if pid=$(running); then
		echo "$NAME runs (pid $pid)"
	elif [ -e "$PIDFILE" ]; then
		echo "$NAME is dead, and its pid file is there"
		return 1
	else
		echo "$NAME does not run"
		return 3
	fi
}

case "$1" in
start | stop | status | reload)
	$1
	;;
restart)
	stop && start
	;;
try-restart | condrestart)
	running >/dev/null || exit 0
	stop && start
	;;
force-reload)
	running >/dev/null || exit 0
	if [ "$RELOADS" = yes ]; then
		reload
	else
		stop && start
	fi
	;;
*)
	echo "usage: $0 start|stop|restart|try-restart|reload|force-reload|status" >&2
	exit 2
	;;
esac

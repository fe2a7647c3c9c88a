/*
 * bench-writer FIFO ID GATE BLOCK LINES PACE_US [READY_FD]
 *
 * Waits until somebody opens GATE ("-": does not wait), then writes LINES numbered lines of 100 bytes to
 * stdout, BLOCK bytes a write, with PACE_US between two writes, and waits to be killed. Says when it is in
 * main() (M), when it begins (S) and when it has written all, with how many lines (E). SIGUSR1 ends the
 * writing early. With a BLOCK of 0 each line is a write, and its number is the time of that write in µs,
 * of which the last nine digits.
 */
#include "report.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>

#define LINE 100
#define DIGITS 10
#define STAMP 1000000000ull

static volatile sig_atomic_t enough;

static void end(int signal)
{
	(void)signal;
	enough = 1;
}

static int put(const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = write(1, bytes, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes += n;
		size -= n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned long long at = now_ns();
	if (argc < 7)
		return 2;
	report(argv[1], 'M', argv[2], at, 0);
	if (argc > 7) {
		int ready = argv[7][0] - '0';
		if (write(ready, "\n", 1) != 1)
			return 1;
		close(ready);
	}
	struct sigaction action = { .sa_handler = end };
	sigaction(SIGUSR1, &action, NULL);
	size_t block = strtoul(argv[4], NULL, 10);
	unsigned long long lines = strtoull(argv[5], NULL, 10), written = 0;
	unsigned pace = strtoul(argv[6], NULL, 10);
	if (strcmp(argv[3], "-") != 0) {
		int gate;
		do
			gate = open(argv[3], O_RDONLY | O_CLOEXEC);
		while (gate < 0 && errno == EINTR);
		if (gate < 0)
			return 1;
		close(gate);
	}

	/* "#PPPPPPPP:NNNNNNNNNN xxx…x\n" */
	char line[LINE + 1];
	int head = snprintf(line, sizeof line, "#%08d:%0*d ", (int)getpid(), DIGITS, 0);
	memset(line + head, 'x', LINE - head - 1);
	line[LINE - 1] = '\n';
	char *last = line + head - 2;

	char *buffer = malloc(block + LINE);
	size_t filled = 0;
	if (!buffer)
		return 1;
	report(argv[1], 'S', argv[2], now_ns(), 0);
	for (; block == 0 && written < lines && !enough; written++) {
		usleep(pace);
		head = snprintf(line, sizeof line, "#%08d:%0*llu", (int)getpid(), DIGITS, now_ns() / 1000 % STAMP);
		line[head] = ' ';
		if (put(line, LINE) != 0)
			return 1;
	}
	while (block > 0 && written < lines && !enough) {
		memcpy(buffer + filled, line, LINE);
		filled += LINE;
		written++;
		for (char *digit = last; ++*digit > '9'; digit--)
			*digit = '0';
		if (filled < block && written < lines)
			continue;
		size_t now = filled < block ? filled : block;
		if (put(buffer, now) != 0)
			return 1;
		memmove(buffer, buffer + now, filled - now);
		filled -= now;
		if (pace)
			usleep(pace);
	}
	if (put(buffer, filled) != 0)
		return 1;
	report(argv[1], 'E', argv[2], now_ns(), written);
	for (;;)
		pause();
}

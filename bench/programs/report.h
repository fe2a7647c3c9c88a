/* One line into the benchmark's FIFO: what happened, to whom, and when by CLOCK_MONOTONIC. */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static unsigned long long now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Lines are short, so a write is atomic (pipe(7)). Without a reader there is nobody to tell. */
static void report(const char *fifo, char what, const char *id, unsigned long long at,
		   unsigned long long count)
{
	char line[128];
	int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	int size = snprintf(line, sizeof line, "%c %s %d %llu %llu\n", what, id, (int)getpid(), at, count);
	if (write(fd, line, size) != size) { /* full: the benchmark times out and says so */ }
	close(fd);
}

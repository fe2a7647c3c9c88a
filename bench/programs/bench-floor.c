/*
 * bench-floor CHILD FIFO N: keeps N children, and does nothing else: vfork, exec, wait. SIGTERM ends them.
 * What a supervisor cannot be faster than.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t ending;

static void end(int signal)
{
	(void)signal;
	ending = 1;
}

static pid_t start(char *child, char *fifo, int id)
{
	char number[16];
	snprintf(number, sizeof number, "%d", id);
	char *argv[] = { child, fifo, number, NULL };
	pid_t pid = vfork();
	if (pid == 0) {
		execv(child, argv);
		_exit(127);
	}
	return pid;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	int count = atoi(argv[3]);
	pid_t *pids = malloc(count * sizeof *pids);
	if (!pids)
		return 1;
	struct sigaction action = { .sa_handler = end };
	sigaction(SIGTERM, &action, NULL);
	for (int id = 0; id < count; id++)
		pids[id] = start(argv[1], argv[2], id);
	while (!ending) {
		pid_t pid = wait(NULL);
		for (int id = 0; pid > 0 && !ending && id < count; id++)
			if (pids[id] == pid) {
				pids[id] = start(argv[1], argv[2], id);
				break;
			}
	}
	for (int id = 0; id < count; id++)
		kill(pids[id], SIGKILL);
	while (wait(NULL) > 0)
		;
	return 0;
}

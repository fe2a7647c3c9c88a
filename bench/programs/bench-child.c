/* bench-child FIFO ID [READY_FD]: says when it is in main(), and waits to be killed. */
#include "report.h"

int main(int argc, char **argv)
{
	unsigned long long at = now_ns();
	if (argc < 3)
		return 2;
	report(argv[1], 'M', argv[2], at, 0);
	if (argc > 3) {
		int ready = argv[3][0] - '0';
		if (write(ready, "\n", 1) != 1)
			return 1;
		close(ready);
	}
	for (;;)
		pause();
}

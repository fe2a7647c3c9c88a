/* What is guarded in the comparison on Windows. Built with MinGW.
 *
 *   windows-child crash FILE MS      notes when it begins, runs so long, notes when it ends, and crashes
 *   windows-child idle               waits to be killed
 *   windows-child hostile FILE       the first time: writes what others lose, leaves a process that holds its
 *                                    output, and crashes; later: notes when it begins, and idles
 *
 * A note is a line "begin NS" or "end NS" at the end of FILE, by the clock that all processes share.
 */
#include <windows.h>
#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 100, LARGE = 1 << 20, BURST = 10000, HELD_MS = 20000 };

static void note(const char *file, const char *what)
{
	LARGE_INTEGER now, frequency;
	QueryPerformanceCounter(&now);
	QueryPerformanceFrequency(&frequency);
	double ns = (double)now.QuadPart * 1e9 / (double)frequency.QuadPart;
	FILE *out = fopen(file, "ab");
	if (!out)
		exit(4);
	fprintf(out, "%s %.0f\n", what, ns);
	fclose(out);
}

static void put(const char *bytes, size_t count)
{
	while (count > 0) {
		int written = write(1, bytes, count > 65536 ? 65536 : (unsigned)count);
		if (written <= 0)
			exit(5);
		bytes += written;
		count -= (size_t)written;
	}
}

static void say(const char *format, int number)
{
	char line[64];
	put(line, (size_t)snprintf(line, sizeof line, format, number));
}

/* A process that has this one's output, and outlives it. */
static void leave_holder(void)
{
	char own[MAX_PATH], line[MAX_PATH + 32];
	STARTUPINFOA startup = { .cb = sizeof startup };
	PROCESS_INFORMATION made;
	GetModuleFileNameA(NULL, own, sizeof own);
	snprintf(line, sizeof line, "\"%s\" hold", own);
	if (!CreateProcessA(own, line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &made))
		exit(6);
}

static void hostile(void)
{
	char *large = malloc(LARGE + 1);
	if (!large)
		exit(7);
	for (int i = 0; i < LINES; i++)
		say("plain %d\n", i);
	for (int i = 0; i < LINES; i++)
		say("bytes \xff\xfe %d\n", i);
	for (int i = 0; i < LINES; i++)
		say("\n", i);
	memset(large, 'x', LARGE);
	large[LARGE] = '\n';
	put(large, LARGE + 1);
	leave_holder();
	for (int i = 0; i < BURST; i++)
		say("burst %d\n", i);
	put("the end", 7);
}

int main(int argc, char **argv)
{
	_setmode(1, _O_BINARY);
	const char *what = argc > 1 ? argv[1] : "";
	if (!strcmp(what, "crash") && argc > 3) {
		note(argv[2], "begin");
		Sleep((DWORD)atoi(argv[3]));
		note(argv[2], "end");
		return 3;
	}
	if (!strcmp(what, "hostile") && argc > 2) {
		int first = GetFileAttributesA(argv[2]) == INVALID_FILE_ATTRIBUTES;
		note(argv[2], "begin");
		if (first) {
			hostile();
			note(argv[2], "end");
			return 3;
		}
	} else if (!strcmp(what, "hold")) {
		Sleep(HELD_MS);
		return 0;
	} else if (strcmp(what, "idle")) {
		return 2;
	}
	Sleep(INFINITE);
	return 0;
}

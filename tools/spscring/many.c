// SPDX-License-Identifier: GPL-2.0
/* many N: make N small rings, print a line once they are there, and keep them until stdin ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <spscring.h>

int main(int argc, char **argv)
{
	struct spscring_create want = { .size = sizeof(want), .capacity = 8, .element_size = 8 };
	int n = argc > 1 ? atoi(argv[1]) : 0, i;
	struct rlimit limit = { (rlim_t)n + 64, (rlim_t)n + 64 };

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		perror("many: RLIMIT_NOFILE");
		return 1;
	}
	for (i = 1; i <= n; i++) {
		int ring;

		snprintf((char *)want.name, sizeof(want.name), "many %d", i);
		ring = spscring_open(&want);
		if (ring < 0) {
			fprintf(stderr, "many: ring %d: %s\n", i, strerror(-ring));
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}

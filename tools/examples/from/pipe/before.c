// SPDX-License-Identifier: MIT
/* A child sends readings to its parent by a pipe. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define READINGS 100000

struct reading {
	uint32_t sensor;
	int32_t value;
};

static int check(const char *what, int ret)
{
	if (ret >= 0)
		return ret;
	perror(what);
	exit(1);
}

static void produce(int out)
{
	struct reading r;
	int i;

	for (i = 0; i < READINGS; i++) {
		r = (struct reading){ .sensor = i % 7, .value = i % 1000 - 500 };
		check("write", write(out, &r, sizeof(r)));
	}
}

int main(void)
{
	int64_t sum[7] = {};
	struct reading r;
	int ends[2], i;
	pid_t child;

	check("pipe", pipe(ends));
	child = check("fork", fork());
	if (!child) {
		close(ends[0]);
		produce(ends[1]);
		return 0;
	}
	close(ends[1]);		/* or the parent would wait for itself at the end */
	while (check("read", read(ends[0], &r, sizeof(r))) > 0)
		sum[r.sensor] += r.value;
	for (i = 0; i < 7; i++)
		printf("%d %" PRId64 "\n", i, sum[i]);
	return waitpid(child, NULL, 0) < 0;
}

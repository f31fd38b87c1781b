// SPDX-License-Identifier: GPL-2.0
/*
 * inherit COMMAND ARGUMENT...: make a ring without the module, and run a command that inherits
 * it as fd 3.  For tests of fd:N.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <spscring.h>

int main(int argc, char **argv)
{
	struct spscring_create want = {
		.size = sizeof(want), .flags = SPSCRING_CREATE_RECORDS, .capacity = 1 << 16,
	};
	int ring = spscring_open_memfd(&want);

	/* what dup2() makes outlives exec; it makes nothing of an fd that is 3 already */
	if (argc < 2 || ring < 0 || (ring == 3 ? fcntl(ring, F_SETFD, 0) : dup2(ring, 3)) < 0) {
		fprintf(stderr, "inherit: %s\n", strerror(ring < 0 ? -ring : 0));
		return 1;
	}
	execvp(argv[1], argv + 1);
	perror(argv[1]);
	return 1;
}

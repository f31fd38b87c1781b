// SPDX-License-Identifier: MIT
/* A child sends samples of 100 bytes to its parent, which waits for them by epoll. */
#include <err.h>
#include <spscring.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

static int check(const char *what, int ret)
{
	return ret < 0 ? errx(1, "%s: %s", what, spscring_strerror(0, ret)), ret : ret;
}

int main(void)
{
	struct sample { int number; char text[96]; } s = { .text = "a sample" };
	struct spscring_create want = { .size = sizeof(want), .capacity = 64,
		.element_size = sizeof(s), .flags = SPSCRING_CREATE_CLOSE_ENDS };
	int ring = check("/dev/spscring", spscring_open(&want)), poll = epoll_create1(0), ret;
	struct epoll_event event = { .events = EPOLLIN };
	struct spscring_producer p;
	struct spscring_consumer c;

	if (!fork()) {		/* its exit ends the stream */
		ret = check("claim", spscring_claim(ring, SPSCRING_PRODUCER, sizeof(s), 0));
		check("map", spscring_map_producer(ret, &p, sizeof(s), 0, NULL));
		for (; s.number < 1000; s.number++, check("push", ret))
			while ((ret = spscring_push(&p, &s)) == -EAGAIN)
				check("wait", spscring_wait_room(&p, 1, -1));
		return 0;
	}
	ret = check("claim", spscring_claim(ring, SPSCRING_CONSUMER, sizeof(s), 0));
	check("map", spscring_map_consumer(ret, &c, sizeof(s), 0, NULL));
	check("epoll", epoll_ctl(poll, EPOLL_CTL_ADD, ret, &event));
	while ((ret = spscring_pop(&c, &s)) != -ESHUTDOWN)
		if (ret == -EAGAIN)
			epoll_wait(poll, &event, 1, -1);
		else if (!check("pop", ret))
			printf("%d: %s\n", s.number, s.text);
}

// SPDX-License-Identifier: MIT
/*
 * The other end in C: standard input is the endpoint fd.
 *	peer produce|consume|record-produce|record-consume NUMBER
 * Elements are the numbers from 0 on; record n is n repeated n % 6 times.  A consumer checks each,
 * and the end of the stream after the last.
 */
#include <errno.h>
#include <spscring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT	6

static void check(const char *what, long ret)
{
	if (ret >= 0)
		return;
	fprintf(stderr, "peer: %s: %s\n", what, strerror((int)-ret));
	exit(1);
}

static void expect(uint64_t got, uint64_t wanted)
{
	if (got == wanted)
		return;
	fprintf(stderr, "peer: %llu, where %llu was expected\n", (unsigned long long)got,
		(unsigned long long)wanted);
	exit(1);
}

static void produce(uint64_t all)
{
	struct spscring_producer p;
	uint64_t n;
	int err;

	check("map", spscring_map_producer(0, &p, sizeof(n), 0, NULL));
	for (n = 0; n < all; n++) {
		while ((err = spscring_push(&p, &n)) == -EAGAIN)
			check("wait", spscring_wait_room(&p, 1, -1));
		check("push", err);
	}
	check("shutdown", spscring_shutdown_producer(&p));
}

static void consume(uint64_t all)
{
	struct spscring_consumer c;
	uint64_t n = 0, got;
	int err;

	check("map", spscring_map_consumer(0, &c, sizeof(n), 0, NULL));
	for (;;) {
		err = spscring_pop(&c, &got);
		if (!err)
			expect(got, n++);
		else if (err == -EAGAIN)
			err = spscring_wait_elements(&c, 1, -1);
		if (err == -ESHUTDOWN)
			break;
		check("pop", err);
	}
	expect(n, all);
}

static void record_produce(uint64_t all)
{
	struct spscring_record_producer p;
	uint64_t n, rec[REPEAT];
	int i, err;

	check("map", spscring_record_map_producer(0, &p, 0, NULL));
	for (n = 0; n < all; n++) {
		uint64_t length = n % REPEAT * sizeof(n), needs = spscring_record_needs(&p, length);

		for (i = 0; i < REPEAT; i++)
			rec[i] = n;
		while ((err = spscring_record_push(&p, rec, length)) == -EAGAIN)
			check("wait", spscring_record_wait_room(&p, needs, -1));
		check("push", err);
	}
	check("shutdown", spscring_record_shutdown_producer(&p));
}

static void record_consume(uint64_t all)
{
	struct spscring_record_consumer c;
	uint64_t n = 0, rec[REPEAT];
	long length, i;

	check("map", spscring_record_map_consumer(0, &c, 0, NULL));
	for (;;) {
		length = spscring_record_pop(&c, rec, sizeof(rec));
		if (length >= 0) {
			expect((uint64_t)length, n % REPEAT * sizeof(n));
			for (i = 0; i < length / 8; i++)
				expect(rec[i], n);
			n++;
		} else if (length == -EAGAIN) {
			length = spscring_record_wait_bytes(&c, 1, -1);
		}
		if (length == -ESHUTDOWN)
			break;
		check("pop", length);
	}
	expect(n, all);
}

int main(int argc, char **argv)
{
	uint64_t all = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;

	if (!all)
		return 2;
	if (!strcmp(argv[1], "produce"))
		produce(all);
	else if (!strcmp(argv[1], "consume"))
		consume(all);
	else if (!strcmp(argv[1], "record-produce"))
		record_produce(all);
	else if (!strcmp(argv[1], "record-consume"))
		record_consume(all);
	else
		return 2;
	return 0;
}

// SPDX-License-Identifier: MIT
/*
 * A program that was compiled with other handles than the library: it must be refused, and what
 * stands beside its handles must stay.  Its struct spscring_info is shorter, and is filled in so
 * far.  Exits with 1 otherwise.
 */
#include <errno.h>
#include <spscring.h>
#include <stdio.h>
#include <string.h>

static struct {
	char before[64];
	union {
		struct spscring_producer p;
		struct spscring_consumer c;
		struct spscring_record_producer rp;
		struct spscring_record_consumer rc;
	} handle;
	char after[64];
} place;

/* As a program has it that was compiled before the struct grew, and what stands beside it. */
static int older_info(int fd)
{
	const size_t size = offsetof(struct spscring_info, loss);
	struct spscring_info info;

	memset(&info, 0x55, sizeof(info));
	if (spscring_get_info_as(fd, &info, size) || info.size != size ||
	    info.geometry.capacity != 4096 || ((unsigned char *)&info)[size] != 0x55)
		return 1;
	return spscring_get_info_as(fd, &info, 8) != -EINVAL;
}

int main(void)
{
	struct spscring_create want;
	int ring, in, out, rin, rout;
	size_t i;

	memset(&want, 0, sizeof(want));
	want.size = sizeof(want);
	want.capacity = 4096;
	want.element_size = 8;
	ring = spscring_open_memfd(&want);
	in = spscring_claim(ring, SPSCRING_PRODUCER, 8, 0);
	out = spscring_claim(ring, SPSCRING_CONSUMER, 8, 0);
	want.flags = SPSCRING_CREATE_RECORDS;
	want.element_size = SPSCRING_VARIABLE_SIZE;
	ring = spscring_open_memfd(&want);
	rin = spscring_claim(ring, SPSCRING_PRODUCER, SPSCRING_VARIABLE_SIZE, 0);
	rout = spscring_claim(ring, SPSCRING_CONSUMER, SPSCRING_VARIABLE_SIZE, 0);
	if (in < 0 || out < 0 || rin < 0 || rout < 0)
		return 1;
	if (spscring_map_producer(in, &place.handle.p, 8, 0, NULL) != -EPROTONOSUPPORT ||
	    spscring_map_consumer(out, &place.handle.c, 8, 0, NULL) != -EPROTONOSUPPORT ||
	    spscring_record_map_producer(rin, &place.handle.rp, 0, NULL) != -EPROTONOSUPPORT ||
	    spscring_record_map_consumer(rout, &place.handle.rc, 0, NULL) != -EPROTONOSUPPORT) {
		fprintf(stderr, "a handle of another size was taken\n");
		return 1;
	}
	if (older_info(ring)) {
		fprintf(stderr, "a shorter struct spscring_info is not served\n");
		return 1;
	}
	for (i = 0; i < sizeof(place); i++)
		if (((char *)&place)[i])
			return 1;
	return 0;
}

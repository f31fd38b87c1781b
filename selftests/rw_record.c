// SPDX-License-Identifier: GPL-2.0
/*
 * read() and write() of records of variable size: one a call, whole or not at all; the answers of a
 * full ring; and an impossible cursor, which a call must survive.
 */
#include <sys/uio.h>

#include "rw_record.h"

TEST_F(record, through)
{
	const size_t sizes[] = { 1, 7, 8, 9, 0, 63, 64, 65, 1000, 4096, self->most };
	__u64 i;

	for (i = 0; i < 50 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];

		ASSERT_EQ(size, put_record(self->in, i, size));
		ASSERT_EQ(size, get_record(self->out, i, ROOM));
	}
}

/* A call reads one record, however much it has room for. */
TEST_F(record, one_a_call)
{
	ASSERT_EQ(10, put_record(self->in, 0, 10));
	ASSERT_EQ(20, put_record(self->in, 1, 20));
	EXPECT_EQ(10, get_record(self->out, 0, ROOM));
	EXPECT_EQ(20, get_record(self->out, 1, ROOM));
}

/* One record can overwrite any number of records. */
TEST(record_over_all)
{
	const size_t size = 8 << 20, length = size - 4096;
	unsigned char *bytes, *came, small[8] = {};
	int ring, in, out, i;

	SKIP_WITHOUT_DEVICE();
	bytes = malloc(size);
	came = malloc(size);
	ASSERT_TRUE(bytes && came);
	ASSERT_EQ(0, open_ends(RECORD_RING(size, 0, SPSCRING_CREATE_OVERWRITE), &ring, &in, &out));
	for (i = 0; i < 100000; i++)
		ASSERT_EQ(i % 8, write(in, small, i % 8));
	for (i = 0; i < 3; i++) {
		fill(bytes, i, length);
		ASSERT_EQ(length, write(in, bytes, length));
	}
	ASSERT_EQ(length, read(out, came, size));
	EXPECT_EQ(0, memcmp(bytes, came, length));
	EXPECT_EQ(100002, info_of(ring).loss.overruns);
	EXPECT_EQ(0, info_of(ring).broken);
	free(bytes);
	free(came);
	close_ends(&ring, &in, &out);
}

/* Records are gathered from pieces and scattered into others, by calls and by the library. */
TEST_F(record, pieces)
{
	unsigned char from[ROOM], to[ROOM];
	const size_t sizes[] = { 0, 1, 29, 30, 31, 300, self->most };
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	bool mapped;
	size_t i;

	ASSERT_EQ(0, record_map_producer(self->in, &p, NULL));
	ASSERT_EQ(0, record_map_consumer(self->out, &c, NULL));
	for (i = 0; i < 8 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i / 8 % ARRAY_SIZE(sizes)], part = size / 3;
		struct iovec out[] = { { from, part }, { from, 0 },
				       { from + part, size - part } };
		struct iovec in[] = { { to, 29 }, { to + 29, 1 }, { to + 30, ROOM - 30 } };

		mapped = i & 2;
		fill(from, i, size);
		memset(to, 0, sizeof(to));
		/* a handle and a call must not both move an end, so map both ends or neither */
		if (mapped) {
			ASSERT_EQ(0, spscring_record_pushv(&p, out, 3));
			ASSERT_EQ(size, spscring_record_popv(&c, in, 3));
		} else if (!size) {
			continue;	/* writev() of no bytes never reaches the module */
		} else {
			ASSERT_EQ(size, writev(self->in, out, 3));
			ASSERT_EQ(size, readv(self->out, in, 3));
			/* new handles continue at the position that the calls have reached */
			ASSERT_EQ(0, record_map_producer(self->in, &p, NULL));
			ASSERT_EQ(0, record_map_consumer(self->out, &c, NULL));
		}
		EXPECT_TRUE(is_filled(to, i, size));
	}
	ASSERT_EQ(0, spscring_record_pushv(&p, &(struct iovec){ from, 31 }, 1));
	EXPECT_EQ(-EMSGSIZE, spscring_record_popv(&c, &(struct iovec){ to, 30 }, 1));
	EXPECT_EQ(31, spscring_record_popv(&c, (struct iovec[]){ { to, 30 }, { to + 30, 1 } }, 2));
	EXPECT_EQ(-EMSGSIZE,
		  spscring_record_pushv(&p, (struct iovec[]){ { from, 8 }, { from, SIZE_MAX - 4 } },
					2));
}

/* read() gets the records that a mapped end pushes, and a mapped end pops those of write(). */
TEST_F(record, beside_mapping)
{
	unsigned char rec[ROOM];
	struct spscring_record_producer p;
	struct spscring_record_consumer c;

	ASSERT_EQ(0, record_map_producer(self->in, &p, NULL));
	fill(rec, 7, 100);
	ASSERT_EQ(0, spscring_record_push(&p, rec, 100));
	EXPECT_EQ(100, get_record(self->out, 7, 100));
	ASSERT_EQ(0, record_map_consumer(self->out, &c, NULL));
	ASSERT_EQ(50, put_record(self->in, 8, 50));
	ASSERT_EQ(50, spscring_record_pop(&c, rec, sizeof(rec)));
	EXPECT_TRUE(is_filled(rec, 8, 50));
	EXPECT_EQ(1, spscring_record_sequence(&c));
}

/* A call that is too long, too short or has no memory fails, and changes nothing. */
TEST_F(record, refused)
{
	void *bad = nowhere();
	struct {
		int fd;
		bool write;
		void *at;
		size_t size;
		int err;
	} calls[] = {
		{ self->in, true, NULL, self->most + 1, -EMSGSIZE },
		{ self->in, true, NULL, 1 << 24, -EMSGSIZE },
		{ self->in, true, NULL, 1UL << 31, -EMSGSIZE },
		{ self->in, true, bad, 100, -EFAULT },
		{ self->in, true, bad, self->most, -EFAULT },
		{ self->in, false, NULL, 100, -EBADF },
		{ self->out, true, NULL, 100, -EBADF },
		{ self->out, false, NULL, 0, 0 },
		{ self->out, false, NULL, 99, -EMSGSIZE },
		{ self->out, false, NULL, 1, -EMSGSIZE },
		{ self->out, false, bad, 100, -EFAULT },
	};
	void *big = mmap(NULL, 1UL << 31, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t i;

	ASSERT_NE(MAP_FAILED, big);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		void *at = calls[i].at ?: big;

		/* only a read needs a record; a write may need the whole ring */
		if (calls[i].fd == self->out)
			ASSERT_EQ(100, put_record(self->in, 0, 100));
		EXPECT_EQ(calls[i].err,
			  negative_errno(calls[i].write ? write(calls[i].fd, at, calls[i].size) :
							  read(calls[i].fd, at, calls[i].size)))
			TH_LOG("call %zu", i);
		if (calls[i].fd == self->in)
			ASSERT_EQ(100, put_record(self->in, 0, 100));
		EXPECT_EQ(100, get_record(self->out, 0, 100));
		EXPECT_EQ(0, info_of(self->ring).length);
	}
	EXPECT_EQ(0, info_of(self->ring).loss.overruns);
	EXPECT_EQ(0, info_of(self->ring).loss.drops);
	munmap(big, 1UL << 31);
}

/* If the caller's memory ends within a record, the call moves nothing and loses nothing. */
TEST_F(record, half_mapped)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const size_t sizes[] = { 16, 200, 1200, 4000 };
	size_t i;

	ASSERT_NE(MAP_FAILED, at);
	memset(at, 0xff, page);		/* read as words of a ring these give the largest lengths */
	ASSERT_EQ(0, mprotect(at + page, page, PROT_NONE));
	nonblock(self->out);
	for (i = 0; i < 20 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];
		unsigned char *half = at + page - size / 2;

		ASSERT_EQ(-EFAULT, negative_errno(write(self->in, half, size)));
		ASSERT_EQ(-EAGAIN, get_record(self->out, 0, ROOM));
		ASSERT_EQ(size / 3, put_record(self->in, i, size / 3));
		ASSERT_EQ(size / 2 + 8, put_record(self->in, i, size / 2 + 8));
		ASSERT_EQ(size / 3, get_record(self->out, i, ROOM));
		ASSERT_EQ(-EFAULT, negative_errno(read(self->out, half, size)));
		memset(at, 0xff, page);
		ASSERT_EQ(size / 2 + 8, get_record(self->out, i, ROOM));
	}
	EXPECT_EQ(0, info_of(self->ring).broken);
	munmap(at, 2 * page);
}

/* By its mode, a full ring fails with EAGAIN, drops the record or overwrites the oldest. */
TEST_F(record, full)
{
	const __u64 fit = variant->capacity / spscring_record_size(variant->align ?: 8, 100);
	__u64 i, got = 0, n = 10 * fit;
	struct spscring_info info;
	unsigned char rec[ROOM];
	long size;

	if (!self->drops && !self->overwrites)
		nonblock(self->in);	/* rings that drop or overwrite never wait */
	nonblock(self->out);
	for (i = 0; i < n; i++) {
		long want = i < fit || self->overwrites ? 100 : self->drops ? -ENOBUFS : -EAGAIN;

		ASSERT_EQ(want, put_record(self->in, i, 100));
	}
	i = 0;
	while ((size = read(self->out, rec, sizeof(rec))) == 100) {
		if (self->overwrites)
			memcpy(&i, rec, sizeof(i));
		ASSERT_TRUE(is_filled(rec, i++, 100));
		got++;
	}
	ASSERT_EQ(-EAGAIN, negative_errno(size));
	info = info_of(self->ring);
	EXPECT_EQ(self->drops ? n - fit : 0, info.loss.drops);
	EXPECT_EQ(self->overwrites ? n - got : 0, info.loss.overruns);
	EXPECT_EQ(self->drops || self->overwrites ? n : fit, info.loss.sequence);
	EXPECT_EQ(self->overwrites ? n : fit, i);
	EXPECT_EQ(!self->overwrites, got == fit);
	/* the ring goes on */
	EXPECT_EQ(100, put_record(self->in, 5, 100));
	EXPECT_EQ(100, get_record(self->out, 5, 100));
	EXPECT_EQ(info.loss.overruns, info_of(self->ring).loss.overruns);
}

/* After EAGAIN poll waits for room for that record, and not for less. */
TEST_F(record, polled_room)
{
	int i;

	if (self->drops || self->overwrites) {
		EXPECT_EQ(self->most, put_record(self->in, 0, self->most));
		EXPECT_EQ(self->overwrites ? POLLOUT : 0, poll_one(self->in, POLLOUT, 0));
		return;
	}
	nonblock(self->in);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(900, put_record(self->in, i, 900));
	EXPECT_EQ(POLLOUT, poll_one(self->in, POLLOUT, 0));
	EXPECT_EQ(-EAGAIN, put_record(self->in, 9, self->most - 2000));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, poll_one(self->in, POLLOUT, 0));
		EXPECT_EQ(900, get_record(self->out, i, ROOM));
	}
	EXPECT_EQ(900, get_record(self->out, i++, ROOM));
	EXPECT_EQ(POLLOUT, poll_one(self->in, POLLOUT, 0));
	EXPECT_EQ(self->most - 2000, put_record(self->in, 9, self->most - 2000));
	/* after that poll reports any room */
	EXPECT_EQ(900, get_record(self->out, i, ROOM));
	EXPECT_EQ(POLLOUT, poll_one(self->in, POLLOUT, 0));
}

/* RWF_NOWAIT is O_NONBLOCK for one call. */
TEST_F(record, nowait)
{
	struct iovec most = { mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), self->most };
	long want = self->overwrites ? (long)self->most : self->drops ? -ENOBUFS : -EAGAIN;

	ASSERT_NE(MAP_FAILED, most.iov_base);
	EXPECT_EQ(-EAGAIN, negative_errno(preadv2(self->out, &most, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(self->most, negative_errno(pwritev2(self->in, &most, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(want, negative_errno(pwritev2(self->in, &most, 1, -1, RWF_NOWAIT)));
	EXPECT_EQ(self->most, negative_errno(preadv2(self->out, &most, 1, -1, RWF_NOWAIT)));
	munmap(most.iov_base, ROOM);
}

/* A read of 0 is an empty record, or the end of the stream, where poll says POLLRDHUP. */
TEST_F(record, empty_or_end)
{
	EXPECT_EQ(0, put_record(self->in, 0, 0));
	EXPECT_EQ(POLLIN, polled(self->out));
	EXPECT_EQ(0, get_record(self->out, 0, ROOM));
	EXPECT_EQ(0, polled(self->out));
	EXPECT_EQ(0, put_record(self->in, 1, 0));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(POLLIN | POLLRDHUP, polled(self->out));
	EXPECT_GT(info_of(self->ring).length, 0);
	EXPECT_EQ(0, get_record(self->out, 1, ROOM));
	EXPECT_EQ(POLLIN | POLLRDHUP, polled(self->out));
	EXPECT_EQ(0, info_of(self->ring).length);
	EXPECT_EQ(0, get_record(self->out, 2, ROOM));
}

TEST_F(record, death)
{
	ASSERT_EQ(10, put_record(self->in, 0, 10));
	close_fd(&self->in);
	EXPECT_EQ(10, get_record(self->out, 0, ROOM));
	EXPECT_EQ(-EPIPE, get_record(self->out, 1, ROOM));
}

/* Write after the reader is gone; in a ring that drops, until the write that finds no room. */
static long put_unread(int fd, bool drops)
{
	long got = put_record(fd, 0, 3000);

	return drops && got == 3000 ? put_record(fd, 1, 3000) : got;
}

TEST_F(record, reader_ends)
{
	ASSERT_EQ(0, spscring_shutdown(self->out, 0));
	EXPECT_EQ(self->overwrites ? 3000 : -ESHUTDOWN, put_unread(self->in, self->drops));
	EXPECT_EQ(self->drops, info_of(self->ring).loss.drops);
}

TEST_F(record, reader_dies)
{
	close_fd(&self->out);
	EXPECT_EQ(self->overwrites ? 3000 : -EPIPE, put_unread(self->in, self->drops));
	EXPECT_EQ(self->drops, info_of(self->ring).loss.drops);
}

static size_t stream_size(__u64 i)
{
	return 8 + i * 7919 % 1200;
}

/*
 * A reader that is sometimes late gets each record whole and in order.  In a ring that loses
 * records the missing ones are counted.
 */
TEST_F(record, stream)
{
	const __u64 n = 20000;
	struct spscring_info info;
	unsigned char rec[ROOM];
	__u64 i, next = 0, got = 0;
	pid_t pid = fork_child();
	long size;

	if (!pid) {
		close(self->out);
		for (i = 0; i < n; i++) {
			size = put_record(self->in, i, stream_size(i));
			if (size != (long)stream_size(i) && !(self->drops && size == -ENOBUFS))
				_exit(1);
		}
		_exit(spscring_shutdown(self->in, 0) ? 2 : 0);
	}
	close_fd(&self->in);
	while ((size = negative_errno(read(self->out, rec, sizeof(rec)))) > 0) {
		memcpy(&i, rec, sizeof(i));
		ASSERT_TRUE(self->drops || self->overwrites ? i >= next : i == next);
		ASSERT_EQ(stream_size(i), size);
		ASSERT_TRUE(is_filled(rec, i, size));
		next = i + 1;
		if (++got % 1000 == 0)
			sleep_ms(1);
	}
	EXPECT_EQ(0, size);
	EXPECT_EQ(0, wait_child(pid));
	info = info_of(self->ring);
	EXPECT_EQ(n, got + info.loss.drops + info.loss.overruns);
	EXPECT_EQ(n, info.loss.sequence);
	EXPECT_TRUE(self->drops || next == n);
}

/* A write of the longest record sleeps until the ring is empty, also if it is woken earlier. */
TEST_F(record, longest_waits)
{
	pid_t pid;

	if (self->drops || self->overwrites)
		return;
	ASSERT_EQ(10, put_record(self->in, 0, 10));
	ASSERT_EQ(10, put_record(self->in, 1, 10));
	pid = fork_child();
	if (!pid)
		_exit(put_record(self->in, 2, self->most) != (long)self->most);
	while (!info_of(self->ring).producer_sleep.sleeps)
		sleep_ms(1);
	EXPECT_EQ(10, get_record(self->out, 0, ROOM));
	EXPECT_EQ(10, get_record(self->out, 1, ROOM));
	EXPECT_EQ(self->most, get_record(self->out, 2, ROOM));
	EXPECT_EQ(0, wait_child(pid));
}

TEST(record_cannot_sleep)
{
	int ring, in, out;

	SKIP_WITHOUT_DEVICE();
	ASSERT_EQ(0, open_ends(RECORD_RING(4096, 0, SPSCRING_CREATE_BUSY_POLL), &ring, &in, &out));
	EXPECT_EQ(-EOPNOTSUPP, get_record(out, 0, ROOM));
	EXPECT_EQ(4000, put_record(in, 0, 4000));
	EXPECT_EQ(-EOPNOTSUPP, put_record(in, 1, 100));
	EXPECT_EQ(4000, get_record(out, 0, ROOM));
	ASSERT_EQ(0, spscring_shutdown(in, 0));
	EXPECT_EQ(0, get_record(out, 1, ROOM));
	close_ends(&ring, &in, &out);
}

/* ---------------------------------------------- an end that lies to the kernel */

/* An end writes an impossible value into its own page, then makes a call: the ring is broken. */
TEST(record_own_words)
{
	const __u32 overwrite = SPSCRING_CREATE_OVERWRITE;
	const struct {
		__u32 role, flags;
		__u64 cursor, oldest;
	} lies[] = {
		{ SPSCRING_PRODUCER, 0, 4, 0 },
		{ SPSCRING_PRODUCER, 0, 8191, 0 },
		{ SPSCRING_PRODUCER, overwrite, 8191, 8191 },
		{ SPSCRING_PRODUCER, overwrite, 1ULL << 40, 0 },
		{ SPSCRING_PRODUCER, overwrite, 0, 8 },
		{ SPSCRING_PRODUCER, overwrite, 16384, 8184 },
		{ SPSCRING_PRODUCER, overwrite, 8192, 4 },
		{ SPSCRING_CONSUMER, 0, 4, 0 },
		{ SPSCRING_CONSUMER, 0, ~0ULL, 0 },
		{ SPSCRING_CONSUMER, overwrite, 8191, 0 },
	};
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	unsigned int i;

	SKIP_WITHOUT_DEVICE();
	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		int ring = spscring_open(RECORD_RING(8192, 0, lies[i].flags));
		int end = claim_end(ring, lies[i].role, 0);

		ASSERT_GE(end, 0);
		nonblock(end);
		if (lies[i].role == SPSCRING_CONSUMER) {
			ASSERT_EQ(0, record_map_consumer(end, &c, NULL));
			*c.base.cursor = lies[i].cursor;
			EXPECT_EQ(-EPIPE, get_record(end, 0, ROOM));
		} else {
			ASSERT_EQ(0, record_map_producer(end, &p, NULL));
			/* lengths so long that a walk over records would leave the ring */
			memset(p.base.data, 0xff, info_of(ring).geometry.data_bytes);
			*p.base.cursor = lies[i].cursor;
			p.base.block->oldest = lies[i].oldest;
			EXPECT_EQ(-EPIPE, put_record(end, 0, 8184));
		}
		EXPECT_EQ(1, info_of(ring).broken)
			TH_LOG("lie %u", i);
		close(end);
		close(ring);
	}
}

/* The cursor promises records, but no word is published: a read must not search for ever. */
TEST_F(record, no_word)
{
	struct spscring_record_producer p;

	ASSERT_EQ(0, record_map_producer(self->in, &p, NULL));
	*p.base.cursor = 256;
	nonblock(self->out);
	EXPECT_EQ(-EPIPE, get_record(self->out, 0, ROOM));
	EXPECT_EQ(1, info_of(self->ring).broken);
}

TEST_HARNESS_MAIN

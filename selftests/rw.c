// SPDX-License-Identifier: GPL-2.0
/*
 * read(), write() and splice(): whole records, blocking or not, and what the other
 * end's end, bad memory and a page fault that lasts do to them.
 */
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "selftest.h"

#define SIZE		24
#define CAPACITY	16

struct rec {
	__u64 word[SIZE / 8];
};

FIXTURE(rw) {
	int ring, in, out;
};

FIXTURE_SETUP(rw)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = CAPACITY, .record_size = SIZE));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);
}

FIXTURE_TEARDOWN(rw)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

static struct rec rec_of(__u64 i)
{
	return (struct rec){ { i, ~i, i * 3 } };
}

static bool rec_is(const struct rec *r, __u64 i)
{
	struct rec want = rec_of(i);

	return !memcmp(r, &want, sizeof(want));
}

static long put(int fd, __u64 first, int n)
{
	struct rec recs[CAPACITY + 1];
	int i;

	for (i = 0; i < n; i++)
		recs[i] = rec_of(first + i);
	return negative_errno(write(fd, recs, n * sizeof(*recs)));
}

/* How many came, all as they should be; or an error. */
static long get(int fd, __u64 first, int n)
{
	struct rec recs[CAPACITY + 1];
	long got = negative_errno(read(fd, recs, n * sizeof(*recs)));
	int i;

	for (i = 0; i < got / SIZE; i++)
		if (!rec_is(&recs[i], first + i))
			return -EILSEQ;
	return got;
}

static void nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

TEST_F(rw, through)
{
	__u64 i;

	for (i = 0; i < 100; i += 5) {
		ASSERT_EQ(put(self->in, i, 5), 5 * SIZE);
		ASSERT_EQ(get(self->out, i, 2), 2 * SIZE);
		/* what is there, not what there is room for */
		ASSERT_EQ(get(self->out, i + 2, 9), 3 * SIZE);
	}
}

/* A mapped end and one that calls are the same ring. */
TEST_F(rw, beside_mapping)
{
	struct rec r = rec_of(7), got;
	struct spscring_producer p;
	struct spscring_consumer c;

	ASSERT_EQ(map_producer(self->in, &p, NULL), 0);
	ASSERT_EQ(spscring_push(&p, &r), 0);
	EXPECT_EQ(get(self->out, 7, 1), SIZE);
	ASSERT_EQ(map_consumer(self->out, &c, NULL), 0);
	ASSERT_EQ(put(self->in, 8, 1), SIZE);
	ASSERT_EQ(spscring_pop(&c, &got), 0);
	EXPECT_TRUE(rec_is(&got, 8));
}

TEST_F(rw, nonblock)
{
	nonblock(self->in);
	nonblock(self->out);
	EXPECT_EQ(get(self->out, 0, 1), -EAGAIN);
	EXPECT_EQ(put(self->in, 0, CAPACITY + 1), CAPACITY * SIZE);
	EXPECT_EQ(put(self->in, CAPACITY, 1), -EAGAIN);
	EXPECT_EQ(get(self->out, 0, CAPACITY + 1), CAPACITY * SIZE);
	EXPECT_EQ(get(self->out, CAPACITY, 1), -EAGAIN);
}

static void *nowhere = (void *)8;	/* loaded, or the compiler knows better */

TEST_F(rw, bad)
{
	void *bad = READ_ONCE(nowhere);
	struct rec r[2] = { rec_of(1) };

	EXPECT_EQ(negative_errno(read(self->in, r, SIZE)), -EBADF);
	EXPECT_EQ(negative_errno(write(self->out, r, SIZE)), -EBADF);
	EXPECT_EQ(negative_errno(read(self->out, r, SIZE - 1)), -EINVAL);
	EXPECT_EQ(negative_errno(write(self->in, r, SIZE - 1)), -EINVAL);
	EXPECT_EQ(write(self->in, r, 0), 0);
	EXPECT_EQ(read(self->out, r, 0), 0);
	EXPECT_EQ(negative_errno(write(self->in, bad, SIZE)), -EFAULT);
	EXPECT_EQ(negative_errno(write(self->ring, r, SIZE)), -EINVAL);
	/* nothing was pushed; and nothing is lost by a bad read */
	ASSERT_EQ(put(self->in, 5, 1), SIZE);
	EXPECT_EQ(negative_errno(read(self->out, bad, SIZE)), -EFAULT);
	EXPECT_EQ(get(self->out, 5, 1), SIZE);
}

/* Of memory that ends in the midst of a record, what is whole goes. */
TEST_F(rw, half_mapped)
{
	long page = sysconf(_SC_PAGESIZE);
	char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct rec *recs = (struct rec *)(at + page - 2 * SIZE - 8);

	ASSERT_NE(at, MAP_FAILED);
	recs[0] = rec_of(0);
	recs[1] = rec_of(1);
	ASSERT_EQ(mprotect(at + page, page, PROT_NONE), 0);
	EXPECT_EQ(write(self->in, recs, 3 * SIZE), 2 * SIZE);
	ASSERT_EQ(put(self->in, 2, 1), SIZE);
	EXPECT_EQ(read(self->out, recs, 3 * SIZE), 2 * SIZE);
	EXPECT_TRUE(rec_is(&recs[1], 1));
	EXPECT_EQ(get(self->out, 2, 1), SIZE);
	munmap(at, 2 * page);
}

TEST_F(rw, ends)
{
	ASSERT_EQ(put(self->in, 0, 2), 2 * SIZE);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(get(self->out, 0, 9), 2 * SIZE);
	EXPECT_EQ(get(self->out, 2, 1), 0);
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_EQ(put(self->in, 2, 1), -ESHUTDOWN);
}

TEST_F(rw, death)
{
	ASSERT_EQ(put(self->in, 0, 2), 2 * SIZE);
	close_fd(&self->in);
	EXPECT_EQ(get(self->out, 0, 9), 2 * SIZE);
	EXPECT_EQ(get(self->out, 2, 1), -EPIPE);
	close_fd(&self->out);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(put(self->in, 2, 1), -EPIPE);
}

TEST(rw_cannot_sleep)
{
	int ring, in, out;

	SKIP_WITHOUT_DEVICE();
	ring = spscring_open(RING(.capacity = CAPACITY, .record_size = SIZE,
				  .flags = SPSCRING_CREATE_BUSY_POLL));
	ASSERT_GE(ring, 0);
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(get(out, 0, 1), -EOPNOTSUPP);
	EXPECT_EQ(put(in, 0, CAPACITY + 1), CAPACITY * SIZE);
	EXPECT_EQ(put(in, 0, 1), -EOPNOTSUPP);
	EXPECT_EQ(get(out, 0, CAPACITY), CAPACITY * SIZE);
	/* the end of the stream is nothing to sleep for */
	ASSERT_EQ(spscring_shutdown(in, 0), 0);
	EXPECT_EQ(get(out, CAPACITY, 1), 0);
	close(in);
	close(out);
	close(ring);
}

/* More than there is room for, to a reader that comes later. */
TEST_F(rw, blocking)
{
	const int n = 50000;
	pid_t pid = fork_child();
	__u64 i = 0;
	long got;

	if (!pid) {
		close(self->out);
		for (i = 0; i < (__u64)n; i += 10)
			if (put(self->in, i, 10) != 10 * SIZE)
				_exit(1);
		_exit(spscring_shutdown(self->in, 0) ? 1 : 0);
	}
	close_fd(&self->in);
	while ((got = get(self->out, i, 7)) > 0)
		i += got / SIZE;
	EXPECT_EQ(got, 0);
	EXPECT_EQ(i, n);
	EXPECT_EQ(wait_child(pid), 0);
}

/* ----------------------------------------- a fault that lasts until it is let */

struct stopped {
	int fd, fault;
	void *page;
	long size, got;
	pthread_t thread;
};

static void *read_into(void *arg)
{
	struct stopped *s = arg;

	s->got = negative_errno(read(s->fd, s->page, s->size));
	return NULL;
}

static void *write_from(void *arg)
{
	struct stopped *s = arg;

	s->got = negative_errno(write(s->fd, s->page, s->size));
	return NULL;
}

static int fault_fd(void *page, long size)
{
	struct uffdio_register range = { .range = { (unsigned long)page, size },
					 .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int fd = negative_errno(syscall(SYS_userfaultfd, O_CLOEXEC));

	if (fd < 0)
		return fd;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return -errno;
	return fd;
}

/* A thread whose call has come to the page: 0, or a negative errno. */
static int stop_in(struct stopped *s, void *(*call)(void *))
{
	long page = sysconf(_SC_PAGESIZE);
	struct uffd_msg msg;
	int err;

	s->page = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->page == MAP_FAILED)
		return -errno;
	s->fault = fault_fd(s->page, page);
	if (s->fault < 0)
		return s->fault;
	err = pthread_create(&s->thread, NULL, call, s);
	if (err)
		return -err;
	return read(s->fault, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -EIO;
}

/* The page is given, of zeros, and the call's result. */
static long let_go(struct stopped *s)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)s->page, sysconf(_SC_PAGESIZE) },
	};

	if (ioctl(s->fault, UFFDIO_ZEROPAGE, &zero))
		return -errno;
	pthread_join(s->thread, NULL);
	close(s->fault);
	return s->got;
}

/* A read that its own memory holds up blocks neither peer nor poll, INFO nor death. */
TEST_F(rw, userfault)
{
	struct stopped s = { .fd = self->out, .size = SIZE };

	ASSERT_EQ(put(self->in, 0, 1), SIZE);
	ASSERT_EQ(stop_in(&s, read_into), 0);

	EXPECT_EQ(put(self->in, 1, 1), SIZE);
	EXPECT_EQ(poll(&(struct pollfd){ self->out, POLLIN, 0 }, 1, 0), 1);
	EXPECT_EQ(info_of(self->ring).length, 2);
	nonblock(self->out);
	EXPECT_EQ(get(self->out, 0, 1), -EAGAIN);
	close_fd(&self->in);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_DEAD);

	EXPECT_EQ(let_go(&s), SIZE);
	EXPECT_TRUE(rec_is(s.page, 0));
	EXPECT_EQ(get(self->out, 1, 1), SIZE);
}

/* --------------------------------------------------- records of any size */

#define ROOM		8192	/* for any record of these rings */

FIXTURE(record) {
	int ring, in, out;
	size_t most;		/* the longest record */
	bool drops, overwrites;
};

FIXTURE_VARIANT(record) {
	__u32 flags, align;
	__u64 capacity;
};

FIXTURE_VARIANT_ADD(record, fails) { .capacity = 5000 };
FIXTURE_VARIANT_ADD(record, aligned) { .capacity = 8192, .align = 256 };
FIXTURE_VARIANT_ADD(record, drops) { .capacity = 5000, .flags = SPSCRING_CREATE_DROP };
FIXTURE_VARIANT_ADD(record, overwrites) { .capacity = 8192, .flags = SPSCRING_CREATE_OVERWRITE };

static int record_ring(__u64 capacity, __u32 align, __u32 flags)
{
	return spscring_open(RING(.capacity = capacity, .record_align = align,
				  .flags = flags | SPSCRING_CREATE_RECORDS));
}

FIXTURE_SETUP(record)
{
	SKIP_WITHOUT_DEVICE();
	self->most = variant->capacity - SPSCRING_WORD;
	self->drops = variant->flags & SPSCRING_CREATE_DROP;
	self->overwrites = variant->flags & SPSCRING_CREATE_OVERWRITE;
	self->ring = record_ring(variant->capacity, variant->align, variant->flags);
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);
}

FIXTURE_TEARDOWN(record)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

/* Bytes that tell whose they are: of 8 and more the first are the record's number. */
static void fill(unsigned char *at, __u64 i, size_t size)
{
	size_t j;

	for (j = 0; j < size; j++)
		at[j] = i * 31 + j * 7 + 1;
	if (size >= sizeof(i))
		memcpy(at, &i, sizeof(i));
}

static bool is_filled(const unsigned char *at, __u64 i, size_t size)
{
	unsigned char want[ROOM];

	fill(want, i, size);
	return !memcmp(at, want, size);
}

static long put_record(int fd, __u64 i, size_t size)
{
	unsigned char rec[2 * ROOM];

	fill(rec, i, size);
	return negative_errno(write(fd, rec, size));
}

/* Its length, if it is as it should be; or an error. */
static long get_record(int fd, __u64 i, size_t room)
{
	unsigned char rec[ROOM + 1] = {};
	long size = negative_errno(read(fd, rec, room));

	if (size >= 0 && (!is_filled(rec, i, size) || rec[size]))
		return -EILSEQ;
	return size;
}

static long polled(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };

	return poll(&p, 1, 0) < 0 ? -errno : p.revents;
}

TEST_F(record, through)
{
	const size_t sizes[] = { 1, 7, 8, 9, 0, 63, 64, 65, 1000, 4096, self->most };
	__u64 i;

	for (i = 0; i < 50 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];

		ASSERT_EQ(put_record(self->in, i, size), size);
		ASSERT_EQ(get_record(self->out, i, ROOM), size);
	}
}

/* One a call, whatever there is room for. */
TEST_F(record, one_a_call)
{
	ASSERT_EQ(put_record(self->in, 0, 10), 10);
	ASSERT_EQ(put_record(self->in, 1, 20), 20);
	EXPECT_EQ(get_record(self->out, 0, ROOM), 10);
	EXPECT_EQ(get_record(self->out, 1, ROOM), 20);
}

/* One that lies over all that was there, however many these were. */
TEST(record_over_all)
{
	const size_t size = 8 << 20, length = size - 4096;
	unsigned char *bytes, *came, small[8] = {};
	int ring, in, out, i;

	SKIP_WITHOUT_DEVICE();
	bytes = malloc(size);
	came = malloc(size);
	ASSERT_TRUE(bytes && came);
	ring = record_ring(size, 0, SPSCRING_CREATE_OVERWRITE);
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(in, 0);
	ASSERT_GE(out, 0);
	for (i = 0; i < 100000; i++)
		ASSERT_EQ(write(in, small, i % 8), i % 8);
	for (i = 0; i < 3; i++) {
		fill(bytes, i, length);
		ASSERT_EQ(write(in, bytes, length), length);
	}
	ASSERT_EQ(read(out, came, size), length);
	EXPECT_EQ(memcmp(bytes, came, length), 0);
	EXPECT_EQ(info_of(ring).loss.overruns, 100002);
	EXPECT_EQ(info_of(ring).broken, 0);
	free(bytes);
	free(came);
	close(in);
	close(out);
	close(ring);
}

/* In pieces: by readv() and writev(), and by the library. */
TEST_F(record, pieces)
{
	unsigned char from[ROOM], to[ROOM];
	const size_t sizes[] = { 0, 1, 29, 30, 31, 300, self->most };
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	bool mapped;
	size_t i;

	ASSERT_EQ(record_map_producer(self->in, &p, NULL), 0);
	ASSERT_EQ(record_map_consumer(self->out, &c, NULL), 0);
	for (i = 0; i < 8 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i / 8 % ARRAY_SIZE(sizes)], part = size / 3;
		struct iovec out[] = { { from, part }, { from, 0 },
				       { from + part, size - part } };
		struct iovec in[] = { { to, 29 }, { to + 29, 1 }, { to + 30, ROOM - 30 } };

		mapped = i & 2;
		fill(from, i, size);
		memset(to, 0, sizeof(to));
		/* either pair of ends, by a call or mapped; an end stays with one while it moves */
		if (mapped) {
			ASSERT_EQ(spscring_record_pushv(&p, out, 3), 0);
			ASSERT_EQ(spscring_record_popv(&c, in, 3), size);
		} else if (!size) {
			continue;	/* writev() does not ask for no bytes */
		} else {
			ASSERT_EQ(writev(self->in, out, 3), size);
			ASSERT_EQ(readv(self->out, in, 3), size);
			/* on from where the calls have come */
			ASSERT_EQ(record_map_producer(self->in, &p, NULL), 0);
			ASSERT_EQ(record_map_consumer(self->out, &c, NULL), 0);
		}
		EXPECT_TRUE(is_filled(to, i, size));
	}
	ASSERT_EQ(spscring_record_pushv(&p, &(struct iovec){ from, 31 }, 1), 0);
	EXPECT_EQ(spscring_record_popv(&c, &(struct iovec){ to, 30 }, 1), -EMSGSIZE);
	EXPECT_EQ(spscring_record_popv(&c, (struct iovec[]){ { to, 30 }, { to + 30, 1 } }, 2), 31);
	EXPECT_EQ(spscring_record_pushv(&p, (struct iovec[]){ { from, 8 }, { from, SIZE_MAX - 4 } },
					2), -EMSGSIZE);
}

/* A mapped end and one that calls are the same ring. */
TEST_F(record, beside_mapping)
{
	unsigned char rec[ROOM];
	struct spscring_record_producer p;
	struct spscring_record_consumer c;

	ASSERT_EQ(record_map_producer(self->in, &p, NULL), 0);
	fill(rec, 7, 100);
	ASSERT_EQ(spscring_record_push(&p, rec, 100), 0);
	EXPECT_EQ(get_record(self->out, 7, 100), 100);
	ASSERT_EQ(record_map_consumer(self->out, &c, NULL), 0);
	ASSERT_EQ(put_record(self->in, 8, 50), 50);
	ASSERT_EQ(spscring_record_pop(&c, rec, sizeof(rec)), 50);
	EXPECT_TRUE(is_filled(rec, 8, 50));
	EXPECT_EQ(spscring_record_sequence(&c), 1);
}

/* What is too long, or has no memory, changes nothing. */
TEST_F(record, refused)
{
	void *bad = READ_ONCE(nowhere);
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

	ASSERT_NE(big, MAP_FAILED);
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		void *at = calls[i].at ?: big;

		/* but for those that take all the room there is */
		if (calls[i].fd == self->out)
			ASSERT_EQ(put_record(self->in, 0, 100), 100);
		EXPECT_EQ(negative_errno(calls[i].write ?
					 write(calls[i].fd, at, calls[i].size) :
					 read(calls[i].fd, at, calls[i].size)), calls[i].err)
			TH_LOG("call %zu", i);
		if (calls[i].fd == self->in)
			ASSERT_EQ(put_record(self->in, 0, 100), 100);
		EXPECT_EQ(get_record(self->out, 0, 100), 100);
		EXPECT_EQ(info_of(self->ring).length, 0);
	}
	EXPECT_EQ(info_of(self->ring).loss.overruns, 0);
	EXPECT_EQ(info_of(self->ring).loss.drops, 0);
	munmap(big, 1UL << 31);
}

/* Memory that ends in the midst of a record: none of it goes, and none is lost. */
TEST_F(record, half_mapped)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *at = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const size_t sizes[] = { 16, 200, 1200, 4000 };
	size_t i;

	ASSERT_NE(at, MAP_FAILED);
	memset(at, 0xff, page);		/* words of this ring, if they were taken for some */
	ASSERT_EQ(mprotect(at + page, page, PROT_NONE), 0);
	nonblock(self->out);
	for (i = 0; i < 20 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];
		unsigned char *half = at + page - size / 2;

		ASSERT_EQ(negative_errno(write(self->in, half, size)), -EFAULT);
		ASSERT_EQ(get_record(self->out, 0, ROOM), -EAGAIN);
		ASSERT_EQ(put_record(self->in, i, size / 3), size / 3);
		ASSERT_EQ(put_record(self->in, i, size / 2 + 8), size / 2 + 8);
		ASSERT_EQ(get_record(self->out, i, ROOM), size / 3);
		ASSERT_EQ(negative_errno(read(self->out, half, size)), -EFAULT);
		memset(at, 0xff, page);
		ASSERT_EQ(get_record(self->out, i, ROOM), size / 2 + 8);
	}
	EXPECT_EQ(info_of(self->ring).broken, 0);
	munmap(at, 2 * page);
}

/* Three answers to a full ring; none of them waits here. */
TEST_F(record, full)
{
	const __u64 fit = variant->capacity / spscring_record_size(variant->align ?: 8, 100);
	__u64 i, got = 0, n = 10 * fit;
	struct spscring_info info;
	unsigned char rec[ROOM];
	long size;

	if (!self->drops && !self->overwrites)
		nonblock(self->in);	/* the others need it not */
	nonblock(self->out);
	for (i = 0; i < n; i++) {
		long want = i < fit || self->overwrites ? 100 : self->drops ? -ENOBUFS : -EAGAIN;

		ASSERT_EQ(put_record(self->in, i, 100), want);
	}
	i = 0;
	while ((size = read(self->out, rec, sizeof(rec))) == 100) {
		if (self->overwrites)
			memcpy(&i, rec, sizeof(i));
		ASSERT_TRUE(is_filled(rec, i++, 100));
		got++;
	}
	ASSERT_EQ(negative_errno(size), -EAGAIN);
	info = info_of(self->ring);
	EXPECT_EQ(info.loss.drops, self->drops ? n - fit : 0);
	EXPECT_EQ(info.loss.overruns, self->overwrites ? n - got : 0);
	EXPECT_EQ(info.loss.sequence, self->drops || self->overwrites ? n : fit);
	EXPECT_EQ(i, self->overwrites ? n : fit);
	EXPECT_EQ(got == fit, !self->overwrites);
	/* and on */
	EXPECT_EQ(put_record(self->in, 5, 100), 100);
	EXPECT_EQ(get_record(self->out, 5, 100), 100);
	EXPECT_EQ(info_of(self->ring).loss.overruns, info.loss.overruns);
}

/* Who polls after EAGAIN is told of room for that record, not of less. */
TEST_F(record, polled_room)
{
	struct pollfd p = { self->in, POLLOUT, 0 };
	int i;

	if (self->drops || self->overwrites) {
		EXPECT_EQ(put_record(self->in, 0, self->most), self->most);
		EXPECT_EQ(poll(&p, 1, 0), self->overwrites);
		return;
	}
	nonblock(self->in);
	for (i = 0; i < 4; i++)
		ASSERT_EQ(put_record(self->in, i, 900), 900);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(put_record(self->in, 9, self->most - 2000), -EAGAIN);
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(poll(&p, 1, 0), 0);
		EXPECT_EQ(get_record(self->out, i, ROOM), 900);
	}
	EXPECT_EQ(get_record(self->out, i++, ROOM), 900);
	EXPECT_EQ(poll(&p, 1, 0), 1);
	EXPECT_EQ(put_record(self->in, 9, self->most - 2000), self->most - 2000);
	/* and then of any */
	EXPECT_EQ(get_record(self->out, i, ROOM), 900);
	EXPECT_EQ(poll(&p, 1, 0), 1);
}

/* By a flag of the call. */
TEST_F(record, nowait)
{
	struct iovec most = { mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), self->most };
	long want = self->overwrites ? (long)self->most : self->drops ? -ENOBUFS : -EAGAIN;

	ASSERT_NE(most.iov_base, MAP_FAILED);
	EXPECT_EQ(negative_errno(preadv2(self->out, &most, 1, -1, RWF_NOWAIT)), -EAGAIN);
	EXPECT_EQ(negative_errno(pwritev2(self->in, &most, 1, -1, RWF_NOWAIT)), self->most);
	EXPECT_EQ(negative_errno(pwritev2(self->in, &most, 1, -1, RWF_NOWAIT)), want);
	EXPECT_EQ(negative_errno(preadv2(self->out, &most, 1, -1, RWF_NOWAIT)), self->most);
	munmap(most.iov_base, ROOM);
}

/* No bytes are a record, and are read as the end is; that has POLLRDHUP, and no length. */
TEST_F(record, empty_or_end)
{
	EXPECT_EQ(put_record(self->in, 0, 0), 0);
	EXPECT_EQ(polled(self->out), POLLIN);
	EXPECT_EQ(get_record(self->out, 0, ROOM), 0);
	EXPECT_EQ(polled(self->out), 0);
	EXPECT_EQ(put_record(self->in, 1, 0), 0);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(polled(self->out), POLLIN | POLLRDHUP);
	EXPECT_GT(info_of(self->ring).length, 0);
	EXPECT_EQ(get_record(self->out, 1, ROOM), 0);
	EXPECT_EQ(polled(self->out), POLLIN | POLLRDHUP);
	EXPECT_EQ(info_of(self->ring).length, 0);
	EXPECT_EQ(get_record(self->out, 2, ROOM), 0);
}

TEST_F(record, death)
{
	ASSERT_EQ(put_record(self->in, 0, 10), 10);
	close_fd(&self->in);
	EXPECT_EQ(get_record(self->out, 0, ROOM), 10);
	EXPECT_EQ(get_record(self->out, 1, ROOM), -EPIPE);
}

/* Nobody reads: refused, but by who may lose records not while there is room. */
static long put_unread(int fd, bool drops)
{
	long got = put_record(fd, 0, 3000);

	return drops && got == 3000 ? put_record(fd, 1, 3000) : got;
}

TEST_F(record, reader_ends)
{
	ASSERT_EQ(spscring_shutdown(self->out, 0), 0);
	EXPECT_EQ(put_unread(self->in, self->drops), self->overwrites ? 3000 : -ESHUTDOWN);
	EXPECT_EQ(info_of(self->ring).loss.drops, self->drops);
}

TEST_F(record, reader_dies)
{
	close_fd(&self->out);
	EXPECT_EQ(put_unread(self->in, self->drops), self->overwrites ? 3000 : -EPIPE);
	EXPECT_EQ(info_of(self->ring).loss.drops, self->drops);
}

static size_t stream_size(__u64 i)
{
	return 8 + i * 7919 % 1200;
}

/*
 * A stream to a reader that now and then is late: all of it, or what was not lost, in
 * order, whole; and what was lost is counted.
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
		ASSERT_EQ(size, stream_size(i));
		ASSERT_TRUE(is_filled(rec, i, size));
		next = i + 1;
		if (++got % 1000 == 0)
			sleep_ms(1);
	}
	EXPECT_EQ(size, 0);
	EXPECT_EQ(wait_child(pid), 0);
	info = info_of(self->ring);
	EXPECT_EQ(got + info.loss.drops + info.loss.overruns, n);
	EXPECT_EQ(info.loss.sequence, n);
	EXPECT_TRUE(self->drops || next == n);
}

/* The longest waits until the ring is empty, whoever wakes it before. */
TEST_F(record, longest_waits)
{
	pid_t pid;

	if (self->drops || self->overwrites)
		return;
	ASSERT_EQ(put_record(self->in, 0, 10), 10);
	ASSERT_EQ(put_record(self->in, 1, 10), 10);
	pid = fork_child();
	if (!pid)
		_exit(put_record(self->in, 2, self->most) != (long)self->most);
	while (!info_of(self->ring).producer_sleep.sleeps)
		sleep_ms(1);
	EXPECT_EQ(get_record(self->out, 0, ROOM), 10);
	EXPECT_EQ(get_record(self->out, 1, ROOM), 10);
	EXPECT_EQ(get_record(self->out, 2, ROOM), self->most);
	EXPECT_EQ(wait_child(pid), 0);
}

TEST(record_cannot_sleep)
{
	int ring, in, out;

	SKIP_WITHOUT_DEVICE();
	ring = record_ring(4096, 0, SPSCRING_CREATE_BUSY_POLL);
	ASSERT_GE(ring, 0);
	in = claim_end(ring, SPSCRING_PRODUCER, 0);
	out = claim_end(ring, SPSCRING_CONSUMER, 0);
	EXPECT_EQ(get_record(out, 0, ROOM), -EOPNOTSUPP);
	EXPECT_EQ(put_record(in, 0, 4000), 4000);
	EXPECT_EQ(put_record(in, 1, 100), -EOPNOTSUPP);
	EXPECT_EQ(get_record(out, 0, ROOM), 4000);
	ASSERT_EQ(spscring_shutdown(in, 0), 0);
	EXPECT_EQ(get_record(out, 1, ROOM), 0);
	close(in);
	close(out);
	close(ring);
}

/* As of frames; and one that is overtaken meanwhile reads what is left. */
TEST_F(record, userfault_read)
{
	struct stopped s = { .fd = self->out, .size = 1000 };
	__u64 i, n = self->overwrites ? 100 : 4;
	long got;

	ASSERT_EQ(put_record(self->in, 0, 1000), 1000);
	ASSERT_EQ(stop_in(&s, read_into), 0);

	for (i = 1; i < n; i++)
		EXPECT_EQ(put_record(self->in, i, 1000), 1000);
	EXPECT_EQ(polled(self->out), POLLIN);
	EXPECT_GT(info_of(self->ring).length, 1000);
	nonblock(self->out);
	EXPECT_EQ(get_record(self->out, 0, ROOM), -EAGAIN);
	close_fd(&self->in);
	EXPECT_EQ(state_of(self->ring, SPSCRING_PRODUCER), SPSCRING_DEAD);

	EXPECT_EQ(let_go(&s), 1000);
	memcpy(&i, s.page, sizeof(i));
	EXPECT_TRUE(is_filled(s.page, i, 1000));
	EXPECT_EQ(info_of(self->ring).loss.overruns, i);
	EXPECT_EQ(i > 90, self->overwrites);
	while ((got = get_record(self->out, ++i, ROOM)) == 1000)
		;
	EXPECT_EQ(got, -EPIPE);
	EXPECT_EQ(i, n);
}

/* A write that is stopped in the midst of the record it has reserved. */
TEST_F(record, userfault_write)
{
	struct stopped s = { .fd = self->in, .size = 1000 };
	unsigned char rec[ROOM], zeros[1000] = {};

	ASSERT_EQ(put_record(self->in, 0, 10), 10);
	ASSERT_EQ(stop_in(&s, write_from), 0);

	nonblock(self->in);
	nonblock(self->out);
	EXPECT_EQ(put_record(self->in, 1, 10), -EAGAIN);
	EXPECT_EQ(info_of(self->ring).length, variant->align ?: 24);
	EXPECT_EQ(get_record(self->out, 0, ROOM), 10);
	EXPECT_EQ(get_record(self->out, 1, ROOM), -EAGAIN);
	EXPECT_EQ(polled(self->out), 0);
	close_fd(&self->out);
	EXPECT_EQ(state_of(self->ring, SPSCRING_CONSUMER), SPSCRING_DEAD);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);

	EXPECT_EQ(let_go(&s), 1000);
	EXPECT_EQ(read(self->out, rec, sizeof(rec)), 1000);
	EXPECT_EQ(memcmp(rec, zeros, 1000), 0);
}

/* Killed there: of that record nothing is left. */
TEST_F(record, killed_write)
{
	struct stopped s = { .fd = self->in, .size = 1000 };
	pid_t pid;

	ASSERT_EQ(put_record(self->in, 0, 10), 10);
	nonblock(self->in);
	pid = fork_child();
	if (!pid)
		_exit(stop_in(&s, write_from) ? 1 : pause());
	/* it has the end's calls to itself once it is there */
	while (put_record(self->in, 0, self->most + 1) == -EMSGSIZE)
		sleep_ms(1);
	close_fd(&self->in);
	ASSERT_EQ(kill(pid, SIGKILL), 0);
	EXPECT_EQ(wait_child(pid), -SIGKILL);
	ASSERT_TRUE(wait_state(self->ring, SPSCRING_PRODUCER, SPSCRING_DEAD));
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	ASSERT_GE(self->in, 0);
	EXPECT_EQ(put_record(self->in, 1, 100), 100);
	EXPECT_EQ(get_record(self->out, 0, ROOM), 10);
	EXPECT_EQ(get_record(self->out, 1, ROOM), 100);
	EXPECT_EQ(info_of(self->ring).length, 0);
}

/* ----------------------------------------------------------------- splice */

static long do_splice(int from, int to, size_t size)
{
	return negative_errno(splice(from, NULL, to, NULL, size, 0));
}

/* Record by record through a pipe, back into the ring: boundaries are the caller's. */
TEST_F(record, splice)
{
	const size_t sizes[] = { 1, 100, 2000, 4096, 4097, self->most };
	int pipe_fd[2];
	__u64 i;

	ASSERT_EQ(pipe(pipe_fd), 0);
	for (i = 0; i < 20 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];

		ASSERT_EQ(put_record(self->in, i, size), size);
		ASSERT_EQ(do_splice(self->out, pipe_fd[1], ROOM), size);
		ASSERT_EQ(do_splice(pipe_fd[0], self->in, size), size);
		ASSERT_EQ(get_record(self->out, i, ROOM), size);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* What a pipe holds is one record; no more of it than was asked for. */
TEST_F(record, splice_boundaries)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char rec[ROOM];
	int pipe_fd[2];

	ASSERT_EQ(pipe(pipe_fd), 0);
	ASSERT_EQ(put_record(self->in, 0, 1000), 1000);
	/* too little room, asked for or left: it stays */
	ASSERT_EQ(fcntl(pipe_fd[1], F_SETPIPE_SZ, page), page);
	EXPECT_EQ(do_splice(self->out, pipe_fd[1], 999), -EMSGSIZE);
	EXPECT_EQ(get_record(self->out, 0, ROOM), 1000);
	ASSERT_EQ(fcntl(pipe_fd[1], F_SETPIPE_SZ, 16 * page), 16 * page);
	ASSERT_EQ(put_record(self->in, 0, 1000), 1000);
	ASSERT_EQ(put_record(self->in, 1, 500), 500);
	ASSERT_EQ(put_record(self->in, 2, 0), 0);
	EXPECT_EQ(do_splice(self->out, pipe_fd[1], ROOM), 1000);
	EXPECT_EQ(do_splice(self->out, pipe_fd[1], ROOM), 500);
	EXPECT_EQ(do_splice(self->out, pipe_fd[1], ROOM), 0);
	EXPECT_EQ(do_splice(pipe_fd[0], self->in, 1200), 1200);
	EXPECT_EQ(do_splice(pipe_fd[0], self->in, ROOM), 300);
	EXPECT_EQ(read(self->out, rec, sizeof(rec)), 1200);
	EXPECT_TRUE(is_filled(rec, 0, 1000));
	EXPECT_TRUE(is_filled(rec + 1000, 1, 200));
	EXPECT_EQ(read(self->out, rec + 1200, ROOM - 1200), 300);
	EXPECT_TRUE(is_filled(rec + 1000, 1, 500));
	nonblock(self->out);
	EXPECT_EQ(do_splice(self->out, pipe_fd[1], ROOM), -EAGAIN);
	/* more than the ring can hold stays in the pipe */
	ASSERT_EQ(put_record(pipe_fd[1], 3, self->most + 1), self->most + 1);
	EXPECT_EQ(do_splice(pipe_fd[0], self->in, ROOM + 1), -EMSGSIZE);
	EXPECT_EQ(do_splice(pipe_fd[0], self->in, 100), 100);
	EXPECT_EQ(get_record(self->out, 3, ROOM), 100);
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* All of an empty pipe has too little room for it. */
TEST(splice_more_than_a_pipe)
{
	static const __u32 flags[] = { 0, SPSCRING_CREATE_DROP, SPSCRING_CREATE_OVERWRITE };
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *rec = malloc(page + 1);
	int ring, in, out, pipe_fd[2];
	size_t i;

	SKIP_WITHOUT_DEVICE();
	ASSERT_NE(rec, NULL);
	ASSERT_EQ(pipe(pipe_fd), 0);
	ASSERT_EQ(fcntl(pipe_fd[1], F_SETPIPE_SZ, page), page);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		ring = record_ring(2 * page, 0, flags[i]);
		in = claim_end(ring, SPSCRING_PRODUCER, 0);
		out = claim_end(ring, SPSCRING_CONSUMER, 0);
		memset(rec, 'x', page + 1);
		ASSERT_EQ(write(in, rec, page + 1), page + 1);
		EXPECT_EQ(do_splice(out, pipe_fd[1], 2 * page), -EMSGSIZE);
		EXPECT_EQ(read(out, rec, page + 1), page + 1);
		close(in);
		close(out);
		close(ring);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	free(rec);
}

/* The pages of ring and pipe are not the same, either way. */
TEST_F(record, splice_copies)
{
	long page = sysconf(_SC_PAGESIZE), size = 4000;
	unsigned char *user = mmap(NULL, page, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { user, size };
	struct spscring_record_producer p;
	unsigned char rec[ROOM];
	int pipe_fd[2];

	ASSERT_NE(user, MAP_FAILED);
	ASSERT_EQ(pipe(pipe_fd), 0);
	fill(user, 1, size);
	ASSERT_EQ(negative_errno(vmsplice(pipe_fd[1], &iov, 1, 0)), size);
	ASSERT_EQ(do_splice(pipe_fd[0], self->in, size), size);
	memset(user, 0xff, size);
	ASSERT_EQ(get_record(self->out, 1, ROOM), size);

	ASSERT_EQ(put_record(self->in, 2, size), size);
	ASSERT_EQ(do_splice(self->out, pipe_fd[1], ROOM), size);
	ASSERT_EQ(record_map_producer(self->in, &p, NULL), 0);
	memset(p.base.data, 0xff, variant->capacity);
	EXPECT_EQ(read(pipe_fd[0], rec, sizeof(rec)), size);
	EXPECT_TRUE(is_filled(rec, 2, size));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	munmap(user, page);
}

/* To a file, until the stream ends; sendfile() is only for what can seek back. */
TEST_F(record, splice_to_file)
{
	int file = memfd_create("rw", MFD_CLOEXEC), pipe_fd[2];
	const size_t sizes[] = { 100, 2000, 1, 800 };
	unsigned char rec[ROOM];
	size_t i, done = 0;
	long n;

	ASSERT_GE(file, 0);
	ASSERT_EQ(pipe(pipe_fd), 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		ASSERT_EQ(put_record(self->in, i, sizes[i]), sizes[i]);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(negative_errno(sendfile(file, self->out, NULL, 1 << 20)), -EINVAL);
	while ((n = do_splice(self->out, pipe_fd[1], 1 << 20)) > 0)
		ASSERT_EQ(do_splice(pipe_fd[0], file, n), n);
	EXPECT_EQ(n, 0);
	EXPECT_EQ(pread(file, rec, sizeof(rec), 0), 2901);
	for (i = 0; i < ARRAY_SIZE(sizes); done += sizes[i++])
		EXPECT_TRUE(is_filled(rec + done, i, sizes[i]));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	close(file);
}

/* Of frames whole records go, as many as there are. */
TEST_F(rw, splice)
{
	int pipe_fd[2];
	__u64 i;

	ASSERT_EQ(pipe(pipe_fd), 0);
	for (i = 0; i < 100; i += 10) {
		ASSERT_EQ(put(self->in, i, 10), 10 * SIZE);
		ASSERT_EQ(do_splice(self->out, pipe_fd[1], 7 * SIZE + 1), 7 * SIZE);
		ASSERT_EQ(do_splice(self->out, pipe_fd[1], ROOM), 3 * SIZE);
		ASSERT_EQ(do_splice(pipe_fd[0], self->in, SIZE - 1), -EINVAL);
		ASSERT_EQ(do_splice(pipe_fd[0], self->in, 3 * SIZE + 1), 3 * SIZE);
		ASSERT_EQ(do_splice(pipe_fd[0], self->in, 7 * SIZE), 7 * SIZE);
		ASSERT_EQ(get(self->out, i, 10), 10 * SIZE);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* ---------------------------------------------------------------- hostile */

/* Its own page scribbled over before the call: refused, and the kernel is well. */
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
		int ring = record_ring(8192, 0, lies[i].flags);
		int end = claim_end(ring, lies[i].role, 0);

		ASSERT_GE(end, 0);
		nonblock(end);
		if (lies[i].role == SPSCRING_CONSUMER) {
			ASSERT_EQ(record_map_consumer(end, &c, NULL), 0);
			*c.base.cursor = lies[i].cursor;
			EXPECT_EQ(get_record(end, 0, ROOM), -EPIPE);
		} else {
			ASSERT_EQ(record_map_producer(end, &p, NULL), 0);
			/* the longest, so that a walk over them leaves the ring at once */
			memset(p.base.data, 0xff, info_of(ring).geometry.data_bytes);
			*p.base.cursor = lies[i].cursor;
			p.base.lines->oldest.word = lies[i].oldest;
			EXPECT_EQ(put_record(end, 0, 8184), -EPIPE);
		}
		EXPECT_EQ(info_of(ring).broken, 1)
			TH_LOG("lie %u", i);
		close(end);
		close(ring);
	}
}

/* A cursor that tells of records, and no word: a call does not look for ever. */
TEST_F(record, no_word)
{
	struct spscring_record_producer p;

	ASSERT_EQ(record_map_producer(self->in, &p, NULL), 0);
	*p.base.cursor = 256;
	nonblock(self->out);
	EXPECT_EQ(get_record(self->out, 0, ROOM), -EPIPE);
	EXPECT_EQ(info_of(self->ring).broken, 1);
}

TEST_HARNESS_MAIN

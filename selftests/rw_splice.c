// SPDX-License-Identifier: GPL-2.0
/*
 * splice() between a ring and a pipe: records keep their boundaries, bytes that do not fit stay
 * where they are, and ring and pipe share no page.
 */
#include <sys/sendfile.h>

#include "rw.h"
#include "rw_record.h"

static long do_splice(int from, int to, size_t size)
{
	return negative_errno(splice(from, NULL, to, NULL, size, 0));
}

/* Each record goes into a pipe, and back into the ring by a call that names its length. */
TEST_F(record, splice)
{
	const size_t sizes[] = { 1, 100, 2000, 4096, 4097, self->most };
	int pipe_fd[2];
	__u64 i;

	ASSERT_EQ(0, pipe(pipe_fd));
	for (i = 0; i < 20 * ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i % ARRAY_SIZE(sizes)];

		ASSERT_EQ(size, put_record(self->in, i, size));
		ASSERT_EQ(size, do_splice(self->out, pipe_fd[1], ROOM));
		ASSERT_EQ(size, do_splice(pipe_fd[0], self->in, size));
		ASSERT_EQ(size, get_record(self->out, i, ROOM));
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* A pipe has no boundaries: a splice from it makes one record, of all its bytes up to the limit. */
TEST_F(record, splice_boundaries)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned char rec[ROOM];
	int pipe_fd[2];

	ASSERT_EQ(0, pipe(pipe_fd));
	ASSERT_EQ(1000, put_record(self->in, 0, 1000));
	/* a record longer than the requested length stays in the ring */
	ASSERT_EQ(page, fcntl(pipe_fd[1], F_SETPIPE_SZ, page));
	EXPECT_EQ(-EMSGSIZE, do_splice(self->out, pipe_fd[1], 999));
	EXPECT_EQ(1000, get_record(self->out, 0, ROOM));
	ASSERT_EQ(16 * page, fcntl(pipe_fd[1], F_SETPIPE_SZ, 16 * page));
	ASSERT_EQ(1000, put_record(self->in, 0, 1000));
	ASSERT_EQ(500, put_record(self->in, 1, 500));
	ASSERT_EQ(0, put_record(self->in, 2, 0));
	EXPECT_EQ(1000, do_splice(self->out, pipe_fd[1], ROOM));
	EXPECT_EQ(500, do_splice(self->out, pipe_fd[1], ROOM));
	EXPECT_EQ(0, do_splice(self->out, pipe_fd[1], ROOM));
	EXPECT_EQ(1200, do_splice(pipe_fd[0], self->in, 1200));
	EXPECT_EQ(300, do_splice(pipe_fd[0], self->in, ROOM));
	EXPECT_EQ(1200, read(self->out, rec, sizeof(rec)));
	EXPECT_TRUE(is_filled(rec, 0, 1000));
	EXPECT_TRUE(is_filled(rec + 1000, 1, 200));
	EXPECT_EQ(300, read(self->out, rec + 1200, ROOM - 1200));
	EXPECT_TRUE(is_filled(rec + 1000, 1, 500));
	nonblock(self->out);
	EXPECT_EQ(-EAGAIN, do_splice(self->out, pipe_fd[1], ROOM));
	/* bytes that exceed the longest record stay in the pipe */
	ASSERT_EQ(self->most + 1, put_record(pipe_fd[1], 3, self->most + 1));
	EXPECT_EQ(-EMSGSIZE, do_splice(pipe_fd[0], self->in, ROOM + 1));
	EXPECT_EQ(100, do_splice(pipe_fd[0], self->in, 100));
	EXPECT_EQ(100, get_record(self->out, 3, ROOM));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/* A record that is longer than an empty pipe stays in the ring. */
TEST(splice_more_than_a_pipe)
{
	static const __u32 flags[] = { 0, SPSCRING_CREATE_DROP, SPSCRING_CREATE_OVERWRITE };
	long page = sysconf(_SC_PAGESIZE);
	unsigned char *rec = malloc(page + 1);
	int ring, in, out, pipe_fd[2];
	size_t i;

	SKIP_WITHOUT_DEVICE();
	ASSERT_NE(NULL, rec);
	ASSERT_EQ(0, pipe(pipe_fd));
	ASSERT_EQ(page, fcntl(pipe_fd[1], F_SETPIPE_SZ, page));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		ASSERT_EQ(0, open_ends(RECORD_RING(2 * page, 0, flags[i]), &ring, &in, &out));
		memset(rec, 'x', page + 1);
		ASSERT_EQ(page + 1, write(in, rec, page + 1));
		EXPECT_EQ(-EMSGSIZE, do_splice(out, pipe_fd[1], 2 * page));
		EXPECT_EQ(page + 1, read(out, rec, page + 1));
		close_ends(&ring, &in, &out);
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	free(rec);
}

/* Ring and pipe share no page: a later store to one does not appear in the other. */
TEST_F(record, splice_copies)
{
	long page = sysconf(_SC_PAGESIZE), size = 4000;
	unsigned char *user = mmap(NULL, page, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec iov = { user, size };
	struct spscring_record_producer p;
	unsigned char rec[ROOM];
	int pipe_fd[2];

	ASSERT_NE(MAP_FAILED, user);
	ASSERT_EQ(0, pipe(pipe_fd));
	fill(user, 1, size);
	ASSERT_EQ(size, negative_errno(vmsplice(pipe_fd[1], &iov, 1, 0)));
	ASSERT_EQ(size, do_splice(pipe_fd[0], self->in, size));
	memset(user, 0xff, size);
	ASSERT_EQ(size, get_record(self->out, 1, ROOM));

	ASSERT_EQ(size, put_record(self->in, 2, size));
	ASSERT_EQ(size, do_splice(self->out, pipe_fd[1], ROOM));
	ASSERT_EQ(0, record_map_producer(self->in, &p, NULL));
	memset(p.base.data, 0xff, variant->capacity);
	EXPECT_EQ(size, read(pipe_fd[0], rec, sizeof(rec)));
	EXPECT_TRUE(is_filled(rec, 2, size));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	munmap(user, page);
}

/* splice() by a pipe into a file until the stream ends; sendfile() is refused, as from a pipe. */
TEST_F(record, splice_to_file)
{
	int file = memfd_create("rw", MFD_CLOEXEC), pipe_fd[2];
	const size_t sizes[] = { 100, 2000, 1, 800 };
	unsigned char rec[ROOM];
	size_t i, done = 0;
	long n;

	ASSERT_GE(file, 0);
	ASSERT_EQ(0, pipe(pipe_fd));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		ASSERT_EQ(sizes[i], put_record(self->in, i, sizes[i]));
	ASSERT_EQ(0, spscring_shutdown(self->in, 0));
	EXPECT_EQ(-EINVAL, negative_errno(sendfile(file, self->out, NULL, 1 << 20)));
	while ((n = do_splice(self->out, pipe_fd[1], 1 << 20)) > 0)
		ASSERT_EQ(n, do_splice(pipe_fd[0], file, n));
	EXPECT_EQ(0, n);
	EXPECT_EQ(2901, pread(file, rec, sizeof(rec), 0));
	for (i = 0; i < ARRAY_SIZE(sizes); done += sizes[i++])
		EXPECT_TRUE(is_filled(rec + done, i, sizes[i]));
	close(pipe_fd[0]);
	close(pipe_fd[1]);
	close(file);
}

/* splice() moves as many whole elements as there are, up to the requested length. */
TEST_F(rw, splice)
{
	int pipe_fd[2];
	__u64 i;

	ASSERT_EQ(0, pipe(pipe_fd));
	for (i = 0; i < 100; i += 10) {
		ASSERT_EQ(10 * SIZE, put(self->in, i, 10));
		ASSERT_EQ(7 * SIZE, do_splice(self->out, pipe_fd[1], 7 * SIZE + 1));
		ASSERT_EQ(3 * SIZE, do_splice(self->out, pipe_fd[1], ROOM));
		ASSERT_EQ(-EINVAL, do_splice(pipe_fd[0], self->in, SIZE - 1));
		ASSERT_EQ(3 * SIZE, do_splice(pipe_fd[0], self->in, 3 * SIZE + 1));
		ASSERT_EQ(7 * SIZE, do_splice(pipe_fd[0], self->in, 7 * SIZE));
		ASSERT_EQ(10 * SIZE, get(self->out, i, 10));
	}
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

TEST_HARNESS_MAIN

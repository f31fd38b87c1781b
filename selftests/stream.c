// SPDX-License-Identifier: GPL-2.0
/*
 * Each kind of fd is a stream like a pipe: it accepts the calls that a pipe accepts, and refuses
 * the others with the pipe's errno, or with the one that spscring.h names.
 *
 * SPSCRING_KO_DIR	where spscring_loop.ko is
 */
#include <sys/file.h>
#include <sys/select.h>
#include <sys/uio.h>

#include "stream.h"

enum { EMPTY, RING, PRODUCER, CONSUMER, NODE_IN, NODE_OUT, FDS };

static const char * const fd_names[] = {
	"empty ring", "ring", "producer", "consumer", "producer's node", "consumer's node",
};

FIXTURE(fds) {
	int fd[FDS], pipe[2];
};

FIXTURE_SETUP(fds)
{
	SKIP_WITHOUT_DEVICE();
	LOAD_OR_SKIP("spscring_loop", "element_size=24 capacity=16");
	self->fd[EMPTY] = device_open();
	ASSERT_EQ(0, open_ends(RING(.capacity = CAPACITY, .element_size = SIZE), &self->fd[RING],
			       &self->fd[PRODUCER], &self->fd[CONSUMER]));
	self->fd[NODE_IN] = open(LOOP_IN, O_RDWR | O_CLOEXEC);
	self->fd[NODE_OUT] = open(LOOP_OUT, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd[NODE_OUT], 0);
	ASSERT_EQ(0, pipe(self->pipe));
}

FIXTURE_TEARDOWN(fds)
{
	int i;

	for (i = 0; i < FDS; i++)
		close_fd(&self->fd[i]);
	close_fd(&self->pipe[0]);
	close_fd(&self->pipe[1]);
	unload("spscring_loop");
}

/* While a pipe still holds a page that the last reader mapped, the node has no next reader. */
TEST_F(fds, not_for_the_last_reader)
{
	struct spscring_geometry g = info_of(self->fd[NODE_OUT]).geometry;
	char *data = mmap(NULL, g.page_size, PROT_READ, MAP_SHARED, self->fd[NODE_OUT],
			  g.data_offset);
	struct iovec first = { data, 1 };
	struct patience p = {};
	char taken;
	int err;

	ASSERT_NE(MAP_FAILED, data);
	ASSERT_EQ(1, negative_errno(vmsplice(self->pipe[1], &first, 1, 0)));
	munmap(data, g.page_size);
	close_fd(&self->fd[NODE_OUT]);
	EXPECT_EQ(-EBUSY, negative_errno(open(LOOP_OUT, O_RDWR | O_CLOEXEC)));
	ASSERT_EQ(1, read(self->pipe[0], &taken, 1));
	do
		err = negative_errno(open(LOOP_OUT, O_RDWR | O_CLOEXEC));
	while (err == -EBUSY && patient(&p, 0));
	EXPECT_GE(err, 0);
	self->fd[NODE_OUT] = err;
}

static char byte[1];
static struct iovec iov = { byte, 1 };
static loff_t zero;
static int other = -1;		/* the fd of an ordinary file */

static long seek_set(int fd) { return lseek(fd, 5, SEEK_SET); }
static long seek_back(int fd) { return lseek(fd, -1, SEEK_CUR); }
static long seek_none(int fd) { return lseek(fd, 0, SEEK_CUR); }
static long seek_end(int fd) { return lseek(fd, 0, SEEK_END); }
static long do_pread(int fd) { return pread(fd, byte, 1, 0); }
static long do_pwrite(int fd) { return pwrite(fd, byte, 1, 0); }
static long do_preadv(int fd) { return preadv(fd, &iov, 1, 0); }
static long do_pwritev(int fd) { return pwritev(fd, &iov, 1, 0); }
static long do_fadvise(int fd) { return -(errno = posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL)); }
static long do_sync_range(int fd) { return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); }
static long do_fsync(int fd) { return fsync(fd); }
static long do_fdatasync(int fd) { return fdatasync(fd); }
static long do_ftruncate(int fd) { return ftruncate(fd, 0); }
static long do_readahead(int fd) { return readahead(fd, 0, 1); }
static long copy_from(int fd) { return copy_file_range(fd, NULL, other, NULL, 1, 0); }
static long copy_to(int fd) { return copy_file_range(other, NULL, fd, NULL, 1, 0); }
static long direct(int fd) { return fcntl(fd, F_SETFL, O_DIRECT); }
static long get_size(int fd) { return fcntl(fd, F_GETPIPE_SZ); }
static long set_size(int fd) { return fcntl(fd, F_SETPIPE_SZ, 4096); }
static long do_vmsplice(int fd) { return vmsplice(fd, &iov, 1, SPLICE_F_NONBLOCK); }
static long do_fallocate(int fd) { return fallocate(fd, 0, 0, 1); }
static long do_flock(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }
static long splice_from(int fd) { return splice(fd, &zero, other, NULL, 1, 0); }

static long do_setlk(int fd)
{
	return fcntl(fd, F_SETLK, &(struct flock){ .l_type = F_RDLCK });
}

static long do_tee(int fd)
{
	int to[2], err;
	long ret;

	if (pipe(to))
		return -1;
	ret = tee(fd, to[1], 1, SPLICE_F_NONBLOCK);
	err = errno;
	close(to[0]);
	close(to[1]);
	errno = err;
	return ret;
}

/* The calls that each fd refuses, and whether both ends of a pipe return the same errno. */
static const struct {
	const char *name;
	long (*call)(int fd);
	int err;
	bool pipe;
} refused[] = {
	{ "lseek SEEK_SET", seek_set, ESPIPE, true },
	{ "lseek SEEK_CUR", seek_back, ESPIPE, true },
	{ "lseek by 0", seek_none, ESPIPE, true },
	{ "lseek SEEK_END", seek_end, ESPIPE, true },
	{ "pread", do_pread, ESPIPE, true },
	{ "pwrite", do_pwrite, ESPIPE, true },
	{ "preadv", do_preadv, ESPIPE, true },
	{ "pwritev", do_pwritev, ESPIPE, true },
	{ "posix_fadvise", do_fadvise, ESPIPE, true },
	{ "sync_file_range", do_sync_range, ESPIPE, true },
	{ "fsync", do_fsync, EINVAL, true },
	{ "fdatasync", do_fdatasync, EINVAL, true },
	{ "ftruncate", do_ftruncate, EINVAL, true },
	{ "readahead", do_readahead, EINVAL, false },
	{ "copy_file_range from", copy_from, EINVAL, false },
	{ "copy_file_range to", copy_to, EINVAL, false },
	{ "splice with an offset", splice_from, EINVAL, false },
	{ "tee", do_tee, EINVAL, false },
	{ "O_DIRECT", direct, EINVAL, false },
	{ "F_GETPIPE_SZ", get_size, EBADF, false },
	{ "F_SETPIPE_SZ", set_size, EBADF, false },
	{ "vmsplice", do_vmsplice, EBADF, false },
	{ "fallocate", do_fallocate, ENODEV, false },
	{ "flock", do_flock, ENOLCK, false },
	{ "F_SETLK", do_setlk, ENOLCK, false },
};

TEST_F(fds, refused)
{
	size_t i;
	int k;

	other = memfd_create("stream", MFD_CLOEXEC);
	ASSERT_EQ(4, write(other, "file", 4));
	ASSERT_EQ(0, lseek(other, 0, SEEK_SET));
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		for (k = 0; k < FDS; k++) {
			EXPECT_EQ(-refused[i].err, negative_errno(refused[i].call(self->fd[k])))
				TH_LOG("%s of %s", refused[i].name, fd_names[k]);
		}
		for (k = 0; k < 2 && refused[i].pipe; k++) {
			EXPECT_EQ(-refused[i].err, negative_errno(refused[i].call(self->pipe[k])))
				TH_LOG("%s of a pipe", refused[i].name);
		}
	}
	EXPECT_EQ(0, lseek(other, 0, SEEK_CUR));
	close_fd(&other);
	/* none of these calls has moved a byte */
	EXPECT_EQ(0, info_of(self->fd[RING]).tail);
	EXPECT_EQ(0, info_of(self->fd[NODE_IN]).tail);
}

/* preadv2() and pwritev2() at -1, by which they mean no offset, are readv() and writev(). */
TEST_F(fds, vectors)
{
	unsigned char bytes[SIZE], back[SIZE] = {};
	struct iovec out[] = { { bytes, 10 }, { bytes + 10, SIZE - 10 } };
	struct iovec in[] = { { back, 3 }, { back + 3, SIZE - 3 } };
	int i;

	fill(bytes, 0, SIZE);
	for (i = PRODUCER; i <= NODE_IN; i += 2) {
		EXPECT_EQ(SIZE, pwritev2(self->fd[i], out, 2, -1, 0));
		EXPECT_EQ(SIZE, preadv2(self->fd[i + 1], in, 2, -1, 0));
		EXPECT_EQ(0, memcmp(bytes, back, SIZE));
		memset(back, 0, SIZE);
	}
}

/* FIONBIO sets O_NONBLOCK, and select reports when there is something to read. */
TEST_F(fds, nonblock)
{
	struct timeval now = {};
	fd_set set;
	int i, one;

	for (i = 0; i < FDS; i++) {
		one = 1;
		EXPECT_EQ(0, ioctl(self->fd[i], FIONBIO, &one));
		EXPECT_EQ(O_NONBLOCK, fcntl(self->fd[i], F_GETFL) & O_NONBLOCK);
	}
	FD_ZERO(&set);
	FD_SET(self->fd[CONSUMER], &set);
	EXPECT_EQ(0, select(FD_SETSIZE, &set, NULL, NULL, &now));
	EXPECT_EQ(-EAGAIN, get(self->fd[CONSUMER], 0, SIZE));
	EXPECT_EQ(SIZE, put(self->fd[PRODUCER], 0, SIZE));
	FD_SET(self->fd[CONSUMER], &set);
	EXPECT_EQ(1, select(FD_SETSIZE, &set, NULL, NULL, &now));
	EXPECT_EQ(SIZE, get(self->fd[CONSUMER], 0, SIZE));
}

/* read() of a producer, write() of a consumer, and both of a ring fd are refused. */
TEST_F(fds, wrong_way)
{
	char bytes[SIZE] = {};
	int i;

	for (i = EMPTY; i <= RING; i++) {
		EXPECT_EQ(-EINVAL, negative_errno(read(self->fd[i], bytes, SIZE)));
		EXPECT_EQ(-EINVAL, negative_errno(write(self->fd[i], bytes, SIZE)));
		EXPECT_EQ(-ENOTTY, readable(self->fd[i]));
		EXPECT_EQ(-EINVAL,
			  negative_errno(splice(self->fd[i], NULL, self->pipe[1], NULL, SIZE, 0)));
	}
	for (i = PRODUCER; i <= NODE_IN; i += 2) {
		EXPECT_EQ(-EBADF, negative_errno(read(self->fd[i], bytes, SIZE)));
		EXPECT_EQ(-EBADF, negative_errno(write(self->fd[i + 1], bytes, SIZE)));
		EXPECT_EQ(-EBADF,
			  negative_errno(splice(self->fd[i], NULL, self->pipe[1], NULL, SIZE, 0)));
	}
}

/* msync() succeeds at once: there is no file to write the memory to. */
TEST_F(fds, msync)
{
	long page = sysconf(_SC_PAGESIZE);
	int i;

	for (i = RING; i < FDS; i++) {
		__u64 from = info_of(self->fd[i]).geometry.consumer_offset;
		char *at = mmap(NULL, 3 * page, PROT_READ, MAP_SHARED, self->fd[i], from);

		ASSERT_NE(MAP_FAILED, at);
		EXPECT_EQ(0, negative_errno(msync(at, 3 * page, MS_SYNC)))
			TH_LOG("%s", fd_names[i]);
		EXPECT_EQ(0, negative_errno(msync(at + page, 1, MS_SYNC | MS_INVALIDATE)));
		EXPECT_EQ(0, negative_errno(msync(at, 3 * page, MS_ASYNC)));
		munmap(at, 3 * page);
	}
}

/* A node opened O_RDONLY allows read() and a read-only mapping, and nothing else. */
TEST_F(fds, rights)
{
	long page = sysconf(_SC_PAGESIZE);
	int in = NODE_IN, out = NODE_OUT;
	void *at;

	close_fd(&self->fd[NODE_IN]);
	close_fd(&self->fd[NODE_OUT]);
	EXPECT_EQ(-EACCES, negative_errno(open(LOOP_OUT, O_WRONLY)));
	EXPECT_EQ(-EACCES, negative_errno(open(LOOP_IN, O_RDONLY)));
	EXPECT_EQ(-EINVAL, negative_errno(open(LOOP_OUT, O_RDONLY | O_DIRECT)));
	self->fd[out] = open(LOOP_OUT, O_RDONLY | O_CLOEXEC);
	self->fd[in] = open(LOOP_IN, O_WRONLY | O_CLOEXEC);
	ASSERT_GE(self->fd[out], 0);
	ASSERT_GE(self->fd[in], 0);
	/* a refused open has never claimed the end */
	EXPECT_EQ(2, info_of(self->fd[out]).consumer_generation);
	EXPECT_EQ(2, info_of(self->fd[in]).producer_generation);
	EXPECT_EQ(-EBUSY, negative_errno(open(LOOP_OUT, O_RDONLY)));

	EXPECT_EQ(SIZE, put(self->fd[in], 0, SIZE));
	EXPECT_EQ(-EBADF, negative_errno(read(self->fd[in], byte, 1)));
	EXPECT_EQ(POLLIN, poll_one(self->fd[out], POLLIN, 0));
	EXPECT_EQ(SIZE, readable(self->fd[out]));
	at = mmap(NULL, 3 * page, PROT_READ, MAP_SHARED, self->fd[out], 0);
	EXPECT_NE(MAP_FAILED, at);
	munmap(at, 3 * page);
	EXPECT_EQ(MAP_FAILED,
		  mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd[out], 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, page, PROT_READ, MAP_SHARED, self->fd[in], 0));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(SIZE, get(self->fd[out], 0, SIZE));
	EXPECT_EQ(0, spscring_shutdown(self->fd[in], 0));
	EXPECT_EQ(0, get(self->fd[out], SIZE, SIZE));
}

TEST_HARNESS_MAIN

// SPDX-License-Identifier: GPL-2.0
/*
 * Every fd of the module as what the kernel's movers and a shell take it for: a stream, as
 * a pipe is.  What a pipe has it has, or refuses as spscring.h says; what was taken from it
 * is not lost, whatever becomes of where it was to go.
 *
 * SPSCRING_KO_DIR	where spscring_loop.ko is
 */
#include <liburing.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "selftest.h"

#define LOOP_IN		"/dev/spscring-loop-in"
#define LOOP_OUT	"/dev/spscring-loop-out"
#define SIZE		24	/* of a record, where all have one size */
#define CAPACITY	16
#define ROOM		8192	/* for any record of these rings */

static void nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static long readable(int fd)
{
	int n = -1;

	return ioctl(fd, FIONREAD, &n) ? -errno : n;
}

/* Bytes of a stream, by their place in it. */
static unsigned char byte_at(size_t at)
{
	return at * 7 + at / 251;
}

static void fill(unsigned char *to, size_t at, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		to[i] = byte_at(at + i);
}

static bool is_filled(const unsigned char *from, size_t at, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (from[i] != byte_at(at + i))
			return false;
	return true;
}

static long put(int fd, size_t at, size_t n)
{
	unsigned char bytes[ROOM];

	fill(bytes, at, n);
	return negative_errno(write(fd, bytes, n));
}

/* How much came, all as it should be; or an error. */
static long get(int fd, size_t at, size_t room)
{
	unsigned char bytes[ROOM];
	long n = negative_errno(read(fd, bytes, room));

	return n > 0 && !is_filled(bytes, at, n) ? -EILSEQ : n;
}

/* ----------------------------------------------------------- each kind of fd */

enum { EMPTY, RING, PRODUCER, CONSUMER, NODE_IN, NODE_OUT, FDS };

static const char * const fd_names[] = {
	"empty ring", "ring", "producer", "consumer", "producer's node", "consumer's node",
};

FIXTURE(fds) {
	int fd[FDS], pipe[2];
};

FIXTURE_SETUP(fds)
{
	int err;

	SKIP_WITHOUT_DEVICE();
	err = load("spscring_loop", "record_size=24 capacity=16");
	if (no_module(err))
		SKIP(return, NO_MODULE "spscring_loop.ko");
	ASSERT_EQ(err, 0);
	self->fd[EMPTY] = device_open();
	self->fd[RING] = spscring_open(RING(.capacity = CAPACITY, .record_size = SIZE));
	ASSERT_GE(self->fd[RING], 0);
	self->fd[PRODUCER] = claim_end(self->fd[RING], SPSCRING_PRODUCER, 0);
	self->fd[CONSUMER] = claim_end(self->fd[RING], SPSCRING_CONSUMER, 0);
	self->fd[NODE_IN] = open(LOOP_IN, O_RDWR | O_CLOEXEC);
	self->fd[NODE_OUT] = open(LOOP_OUT, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->fd[NODE_OUT], 0);
	ASSERT_EQ(pipe(self->pipe), 0);
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

/* Who has read a node's data does not read on in those of the next: a pipe may hold them. */
TEST_F(fds, not_for_the_last_reader)
{
	struct spscring_geometry g = info_of(self->fd[NODE_OUT]).geometry;
	char *data = mmap(NULL, g.page_size, PROT_READ, MAP_SHARED, self->fd[NODE_OUT],
			  g.data_offset);
	struct iovec first = { data, 1 };
	struct patience p = {};
	char taken;
	int err;

	ASSERT_NE(data, MAP_FAILED);
	ASSERT_EQ(negative_errno(vmsplice(self->pipe[1], &first, 1, 0)), 1);
	munmap(data, g.page_size);
	close_fd(&self->fd[NODE_OUT]);
	EXPECT_EQ(negative_errno(open(LOOP_OUT, O_RDWR | O_CLOEXEC)), -EBUSY);
	ASSERT_EQ(read(self->pipe[0], &taken, 1), 1);
	do
		err = negative_errno(open(LOOP_OUT, O_RDWR | O_CLOEXEC));
	while (err == -EBUSY && patient(&p, 0));
	EXPECT_GE(err, 0);
	self->fd[NODE_OUT] = err;
}

static char byte[1];
static struct iovec iov = { byte, 1 };
static loff_t nowhere;
static int other = -1;		/* a file */

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
static long splice_from(int fd) { return splice(fd, &nowhere, other, NULL, 1, 0); }

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

/* What all of them refuse, and whether both ends of a pipe do it by the same errno. */
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
	ASSERT_EQ(write(other, "file", 4), 4);
	ASSERT_EQ(lseek(other, 0, SEEK_SET), 0);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		for (k = 0; k < FDS; k++) {
			EXPECT_EQ(negative_errno(refused[i].call(self->fd[k])), -refused[i].err)
				TH_LOG("%s of %s", refused[i].name, fd_names[k]);
		}
		for (k = 0; k < 2 && refused[i].pipe; k++) {
			EXPECT_EQ(negative_errno(refused[i].call(self->pipe[k])), -refused[i].err)
				TH_LOG("%s of a pipe", refused[i].name);
		}
	}
	EXPECT_EQ(lseek(other, 0, SEEK_CUR), 0);
	close_fd(&other);
	/* nothing was moved by any of it */
	EXPECT_EQ(info_of(self->fd[RING]).tail, 0);
	EXPECT_EQ(info_of(self->fd[NODE_IN]).tail, 0);
}

/* -1 is where the call does not say where, as preadv2() has it. */
TEST_F(fds, vectors)
{
	unsigned char bytes[SIZE], back[SIZE] = {};
	struct iovec out[] = { { bytes, 10 }, { bytes + 10, SIZE - 10 } };
	struct iovec in[] = { { back, 3 }, { back + 3, SIZE - 3 } };
	int i;

	fill(bytes, 0, SIZE);
	for (i = PRODUCER; i <= NODE_IN; i += 2) {
		EXPECT_EQ(pwritev2(self->fd[i], out, 2, -1, 0), SIZE);
		EXPECT_EQ(preadv2(self->fd[i + 1], in, 2, -1, 0), SIZE);
		EXPECT_EQ(memcmp(bytes, back, SIZE), 0);
		memset(back, 0, SIZE);
	}
}

TEST_F(fds, nonblock)
{
	struct timeval now = {};
	fd_set set;
	int i, one;

	for (i = 0; i < FDS; i++) {
		one = 1;
		EXPECT_EQ(ioctl(self->fd[i], FIONBIO, &one), 0);
		EXPECT_EQ(fcntl(self->fd[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	}
	FD_ZERO(&set);
	FD_SET(self->fd[CONSUMER], &set);
	EXPECT_EQ(select(FD_SETSIZE, &set, NULL, NULL, &now), 0);
	EXPECT_EQ(get(self->fd[CONSUMER], 0, SIZE), -EAGAIN);
	EXPECT_EQ(put(self->fd[PRODUCER], 0, SIZE), SIZE);
	FD_SET(self->fd[CONSUMER], &set);
	EXPECT_EQ(select(FD_SETSIZE, &set, NULL, NULL, &now), 1);
	EXPECT_EQ(get(self->fd[CONSUMER], 0, SIZE), SIZE);
}

/* Each way round; and what is no end is nothing to read or write. */
TEST_F(fds, wrong_way)
{
	char bytes[SIZE] = {};
	int i;

	for (i = EMPTY; i <= RING; i++) {
		EXPECT_EQ(negative_errno(read(self->fd[i], bytes, SIZE)), -EINVAL);
		EXPECT_EQ(negative_errno(write(self->fd[i], bytes, SIZE)), -EINVAL);
		EXPECT_EQ(readable(self->fd[i]), -ENOTTY);
		EXPECT_EQ(negative_errno(splice(self->fd[i], NULL, self->pipe[1], NULL, SIZE, 0)),
			  -EINVAL);
	}
	for (i = PRODUCER; i <= NODE_IN; i += 2) {
		EXPECT_EQ(negative_errno(read(self->fd[i], bytes, SIZE)), -EBADF);
		EXPECT_EQ(negative_errno(write(self->fd[i + 1], bytes, SIZE)), -EBADF);
		EXPECT_EQ(negative_errno(splice(self->fd[i], NULL, self->pipe[1], NULL, SIZE, 0)),
			  -EBADF);
	}
}

/* There is nothing behind the memory, so all of it is there at once. */
TEST_F(fds, msync)
{
	long page = sysconf(_SC_PAGESIZE);
	int i;

	for (i = RING; i < FDS; i++) {
		__u64 from = info_of(self->fd[i]).geometry.consumer_offset;
		char *at = mmap(NULL, 3 * page, PROT_READ, MAP_SHARED, self->fd[i], from);

		ASSERT_NE(at, MAP_FAILED);
		EXPECT_EQ(negative_errno(msync(at, 3 * page, MS_SYNC)), 0)
			TH_LOG("%s", fd_names[i]);
		EXPECT_EQ(negative_errno(msync(at + page, 1, MS_SYNC | MS_INVALIDATE)), 0);
		EXPECT_EQ(negative_errno(msync(at, 3 * page, MS_ASYNC)), 0);
		munmap(at, 3 * page);
	}
}

/* ------------------------------------------------------------------ a node */

/* Who may only read maps what is only read. */
TEST_F(fds, rights)
{
	long page = sysconf(_SC_PAGESIZE);
	int in = NODE_IN, out = NODE_OUT;
	void *at;

	close_fd(&self->fd[NODE_IN]);
	close_fd(&self->fd[NODE_OUT]);
	EXPECT_EQ(negative_errno(open(LOOP_OUT, O_WRONLY)), -EACCES);
	EXPECT_EQ(negative_errno(open(LOOP_IN, O_RDONLY)), -EACCES);
	EXPECT_EQ(negative_errno(open(LOOP_OUT, O_RDONLY | O_DIRECT)), -EINVAL);
	self->fd[out] = open(LOOP_OUT, O_RDONLY | O_CLOEXEC);
	self->fd[in] = open(LOOP_IN, O_WRONLY | O_CLOEXEC);
	ASSERT_GE(self->fd[out], 0);
	ASSERT_GE(self->fd[in], 0);
	/* none of those that were refused had been the holder */
	EXPECT_EQ(info_of(self->fd[out]).consumer_generation, 2);
	EXPECT_EQ(info_of(self->fd[in]).producer_generation, 2);
	EXPECT_EQ(negative_errno(open(LOOP_OUT, O_RDONLY)), -EBUSY);

	EXPECT_EQ(put(self->fd[in], 0, SIZE), SIZE);
	EXPECT_EQ(negative_errno(read(self->fd[in], byte, 1)), -EBADF);
	EXPECT_EQ(poll(&(struct pollfd){ self->fd[out], POLLIN, 0 }, 1, 0), 1);
	EXPECT_EQ(readable(self->fd[out]), SIZE);
	at = mmap(NULL, 3 * page, PROT_READ, MAP_SHARED, self->fd[out], 0);
	EXPECT_NE(at, MAP_FAILED);
	munmap(at, 3 * page);
	EXPECT_EQ(mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd[out], 0),
		  MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(mmap(NULL, page, PROT_READ, MAP_SHARED, self->fd[in], 0), MAP_FAILED);
	EXPECT_EQ(errno, EACCES);
	EXPECT_EQ(get(self->fd[out], 0, SIZE), SIZE);
	EXPECT_EQ(spscring_shutdown(self->fd[in], 0), 0);
	EXPECT_EQ(get(self->fd[out], SIZE, SIZE), 0);
}

FIXTURE(shell) {
	int in, out;
};

FIXTURE_VARIANT(shell) {
	const char *params;
	bool records;
};

/* As a pipe, byte by byte; and a record a write. */
FIXTURE_VARIANT_ADD(shell, bytes) { "record_size=1" };
FIXTURE_VARIANT_ADD(shell, records) { "record_size=0 flags=8", true };

FIXTURE_SETUP(shell)
{
	int err;

	SKIP_WITHOUT_DEVICE();
	err = load("spscring_loop", variant->params);
	if (no_module(err))
		SKIP(return, NO_MODULE "spscring_loop.ko");
	ASSERT_EQ(err, 0);
}

FIXTURE_TEARDOWN(shell)
{
	close_fd(&self->in);
	close_fd(&self->out);
	unload("spscring_loop");
}

static int sh(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool got(int fd, const char *want)
{
	size_t n = strlen(want), done = 0;
	char text[100];
	long ret;

	while (done < n) {
		ret = read(fd, text + done, sizeof(text) - done);
		if (ret <= 0)
			return false;
		done += ret;
	}
	return done == n && !memcmp(text, want, n);
}

/* Into the node: each command is its holder for as long as it runs. */
TEST_F(shell, into)
{
	self->out = open(LOOP_OUT, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(self->out, 0);
	EXPECT_EQ(sh("echo hello >" LOOP_IN), 0);
	EXPECT_TRUE(got(self->out, "hello\n"));
	EXPECT_EQ(sh("printf 'an end' >>" LOOP_IN), 0);
	EXPECT_TRUE(got(self->out, "an end"));
	EXPECT_EQ(sh("printf 'by dd' | dd of=" LOOP_IN " 2>/dev/null"), 0);
	EXPECT_TRUE(got(self->out, "by dd"));
	EXPECT_EQ(sh("printf 'by cat' | cat >" LOOP_IN), 0);
	EXPECT_TRUE(got(self->out, "by cat"));
	EXPECT_EQ(sh("{ echo one; echo two; } | tee " LOOP_IN " >/dev/null"), 0);
	EXPECT_TRUE(got(self->out, "one\ntwo\n"));
}

/* Out of it, to the end of the stream. */
TEST_F(shell, out_of)
{
	self->in = open(LOOP_IN, O_WRONLY | O_CLOEXEC);
	ASSERT_GE(self->in, 0);
	ASSERT_EQ(write(self->in, "by dd", 5), 5);
	ASSERT_EQ(write(self->in, "12345", 5), 5);
	ASSERT_EQ(write(self->in, "67890", 5), 5);
	ASSERT_EQ(write(self->in, "to the end", 10), 10);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(sh("[ \"$(dd if=" LOOP_OUT " bs=5 count=1 2>/dev/null)\" = 'by dd' ]"), 0);
	/* what cannot be sought is read and dropped */
	EXPECT_EQ(sh("[ \"$(dd if=" LOOP_OUT " bs=5 skip=1 count=1 2>/dev/null)\" = 67890 ]"), 0);
	EXPECT_EQ(sh("[ \"$(cat " LOOP_OUT ")\" = 'to the end' ]"), 0);
	EXPECT_EQ(sh("text=$(cat <" LOOP_OUT ") && [ -z \"$text\" ]"), 0);
}

/* bash reads on beyond a line where it believes that it can seek back. */
TEST_F(shell, lines)
{
	self->in = open(LOOP_IN, O_WRONLY | O_CLOEXEC);
	ASSERT_GE(self->in, 0);
	ASSERT_EQ(write(self->in, "one\ntwo\nthree", 13), 13);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	/* no record is read by halves: it stays */
	if (variant->records) {
		EXPECT_EQ(sh("bash -c 'read -r a' <" LOOP_OUT " 2>/dev/null"), 1);
		EXPECT_EQ(sh("[ $(cat <" LOOP_OUT " | wc -c) = 13 ]"), 0);
		return;
	}
	EXPECT_EQ(sh("bash -c 'read -r a; read -r b; [ $a-$b-$(cat) = one-two-three ]' <"
		     LOOP_OUT), 0);
}

/* -------------------------------------------------------------- what is taken */

FIXTURE(mover) {
	int ring, in, out, pipe[2], socket[2];
	size_t size, total;
};

FIXTURE_VARIANT(mover) {
	__u32 record_size;	/* 0: of any */
	size_t size;		/* of each write */
};

FIXTURE_VARIANT_ADD(mover, frames) { 64, 64 * 40 };
FIXTURE_VARIANT_ADD(mover, records) { 0, 1000 };
FIXTURE_VARIANT_ADD(mover, long_records) { 0, 4000 };

FIXTURE_SETUP(mover)
{
	int small = 4096;

	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(variant->record_size ?
				   RING(.capacity = 8192, .record_size = variant->record_size) :
				   RING(.capacity = 1 << 19, .flags = SPSCRING_CREATE_RECORDS));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);
	ASSERT_EQ(pipe(self->pipe), 0);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, self->socket), 0);
	ASSERT_EQ(setsockopt(self->socket[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	for (self->total = 0; self->total < 64 * variant->size; self->total += variant->size)
		ASSERT_EQ(put(self->in, self->total, variant->size), variant->size);
}

FIXTURE_TEARDOWN(mover)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
	close_fd(&self->pipe[0]);
	close_fd(&self->pipe[1]);
	close_fd(&self->socket[0]);
	close_fd(&self->socket[1]);
}

/* As from a pipe: refused, before anything is taken. */
TEST_F(mover, sendfile)
{
	int file = memfd_create("stream", MFD_CLOEXEC);
	__u64 length = info_of(self->ring).length;
	size_t at = 0;
	long n;

	nonblock(self->out);
	nonblock(self->socket[0]);
	EXPECT_EQ(negative_errno(sendfile(self->socket[0], self->out, NULL, 1 << 20)), -EINVAL);
	EXPECT_EQ(negative_errno(sendfile(file, self->out, NULL, 1 << 20)), -EINVAL);
	EXPECT_EQ(negative_errno(sendfile(self->in, self->out, NULL, 1 << 20)), -EINVAL);
	EXPECT_EQ(negative_errno(sendfile(self->socket[0], self->pipe[0], NULL, 1)), -EINVAL);
	EXPECT_EQ(info_of(self->ring).length, length);
	/* to a pipe it is splice() */
	EXPECT_EQ(negative_errno(sendfile(self->pipe[1], self->out, &nowhere, 1 << 20)), -ESPIPE);
	n = negative_errno(sendfile(self->pipe[1], self->out, NULL, 1 << 20));
	EXPECT_GT(n, 0);
	EXPECT_EQ(get(self->pipe[0], at, n > ROOM ? ROOM : n), n > ROOM ? ROOM : n);
	close(file);
}

/* By a pipe to a socket that is full most of the time: all of it, in order. */
TEST_F(mover, splice)
{
	const unsigned int flags = SPLICE_F_NONBLOCK;
	size_t sent = 0, came = 0;
	bool full = false;
	long n;

	nonblock(self->out);
	nonblock(self->socket[0]);
	while (came < self->total) {
		n = negative_errno(splice(self->out, NULL, self->pipe[1], NULL, 1 << 16, flags));
		ASSERT_TRUE(n > 0 || n == -EAGAIN || n == -EMSGSIZE);
		do {
			n = negative_errno(splice(self->pipe[0], NULL, self->socket[0], NULL,
						  1 << 16, flags));
			sent += n > 0 ? n : 0;
		} while (n > 0);
		ASSERT_EQ(n, -EAGAIN);
		full |= readable(self->pipe[0]) > 0;
		/* less at a time than comes in */
		n = get(self->socket[1], came, 700);
		ASSERT_GT(n, 0);
		came += n;
	}
	EXPECT_TRUE(full);
	EXPECT_EQ(sent, self->total);
	EXPECT_EQ(came, self->total);
	EXPECT_EQ(readable(self->out), 0);
}

/* ------------------------------------------------------- pieces that do not fit */

FIXTURE(pieces) {
	int ring, in, out, pipe[2];
};

FIXTURE_SETUP(pieces)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = CAPACITY, .record_size = SIZE));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);
	ASSERT_EQ(pipe(self->pipe), 0);
	nonblock(self->out);	/* what has not come is not waited for */
}

FIXTURE_TEARDOWN(pieces)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
	close_fd(&self->pipe[0]);
	close_fd(&self->pipe[1]);
}

/* What is whole goes, and the rest is the caller's. */
TEST_F(pieces, write)
{
	unsigned char bytes[4 * SIZE];
	struct iovec v[] = { { bytes, 5 }, { bytes + 5, SIZE }, { bytes + 5 + SIZE, SIZE } };

	EXPECT_EQ(put(self->in, 0, 3 * SIZE + SIZE / 2), 3 * SIZE);
	EXPECT_EQ(put(self->in, 0, SIZE - 1), -EINVAL);
	EXPECT_EQ(put(self->in, 0, 0), 0);
	EXPECT_EQ(get(self->out, 0, ROOM), 3 * SIZE);
	fill(bytes, 7, sizeof(bytes));
	EXPECT_EQ(negative_errno(writev(self->in, v, 3)), 2 * SIZE);
	EXPECT_EQ(get(self->out, 7, ROOM), 2 * SIZE);
}

/* More than the kernel moves at once, cut on its way to a length of no whole records. */
TEST_F(pieces, two_gigabytes)
{
	const size_t size = 1UL << 31;
	char *big = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT_NE(big, MAP_FAILED);
	fill((unsigned char *)big, 0, ROOM);
	nonblock(self->in);
	EXPECT_EQ(negative_errno(write(self->in, big, size)), CAPACITY * SIZE);
	EXPECT_EQ(get(self->out, 0, ROOM), CAPACITY * SIZE);
	EXPECT_EQ(negative_errno(write(self->in, big, size / SIZE * SIZE)), CAPACITY * SIZE);
	munmap(big, size);
}

/* Odd pieces by a pipe: none is lost, none torn, and the rest stays in the pipe. */
TEST_F(pieces, splice)
{
	size_t at = 0, in = 0, out = 0, n, i;
	long ret;

	for (i = 0; i < 100; i++) {
		n = 1 + i * 37 % 53;
		ASSERT_EQ(put(self->pipe[1], at, n), n);
		at += n;
		ret = negative_errno(splice(self->pipe[0], NULL, self->in, NULL, ROOM,
					    SPLICE_F_NONBLOCK));
		ASSERT_EQ(ret, at - in < SIZE ? -EINVAL : (long)((at - in) / SIZE * SIZE));
		in += ret > 0 ? ret : 0;
		ASSERT_EQ(readable(self->pipe[0]), at - in);
		if (in == out)
			continue;
		ASSERT_EQ(readable(self->out), in - out);
		ASSERT_EQ(get(self->out, out, ROOM), in - out);
		out = in;
	}
	EXPECT_GT(out, 1000);
}

/* From a file, whose position stands behind what went. */
TEST_F(pieces, sendfile)
{
	int file = memfd_create("stream", MFD_CLOEXEC);
	const size_t size = 10 * SIZE + 7;
	loff_t from = SIZE;

	ASSERT_EQ(put(file, 0, size), size);
	ASSERT_EQ(lseek(file, 0, SEEK_SET), 0);
	EXPECT_EQ(negative_errno(sendfile(self->in, file, NULL, 2 * SIZE + 1)), 2 * SIZE);
	EXPECT_EQ(lseek(file, 0, SEEK_CUR), 2 * SIZE);
	EXPECT_EQ(negative_errno(sendfile(self->in, file, NULL, ROOM)), 8 * SIZE);
	EXPECT_EQ(lseek(file, 0, SEEK_CUR), 10 * SIZE);
	EXPECT_EQ(negative_errno(sendfile(self->in, file, NULL, ROOM)), -EINVAL);
	EXPECT_EQ(lseek(file, 0, SEEK_CUR), 10 * SIZE);
	EXPECT_EQ(get(self->out, 0, ROOM), 10 * SIZE);
	EXPECT_EQ(negative_errno(sendfile(self->in, file, &from, SIZE + 1)), SIZE);
	EXPECT_EQ(from, 2 * SIZE);
	EXPECT_EQ(get(self->out, SIZE, ROOM), SIZE);
	close(file);
}

/* A longer one, in the kernel's pieces, to a ring that is full now and then. */
TEST_F(pieces, sendfile_long)
{
	const size_t size = 300000 / SIZE * SIZE;
	int file = memfd_create("stream", MFD_CLOEXEC);
	size_t at, sent = 0;
	pid_t pid;
	long n;

	for (at = 0; at < size + 5; at += n) {
		n = put(file, at, size + 5 - at < ROOM ? size + 5 - at : ROOM);
		ASSERT_GT(n, 0);
	}
	ASSERT_EQ(lseek(file, 0, SEEK_SET), 0);
	ASSERT_EQ(fcntl(self->out, F_SETFL, O_RDWR), 0);
	pid = fork_child();
	if (!pid) {
		close(self->in);
		for (at = 0; (n = get(self->out, at, 7 * SIZE)) > 0; at += n)
			;
		_exit(n || at != size);
	}
	while ((n = negative_errno(sendfile(self->in, file, NULL, 1 << 20))) > 0)
		sent += n;
	EXPECT_EQ(n, -EINVAL);
	EXPECT_EQ(sent, size);
	EXPECT_EQ(lseek(file, 0, SEEK_CUR), size);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(wait_child(pid), 0);
	close(file);
}

/* One request and its answer; a watchdog only. */
static long asked(struct io_uring *loop)
{
	struct io_uring_cqe *cqe;
	long ret;

	io_uring_submit(loop);
	ret = io_uring_wait_cqe_timeout(loop, &cqe, &(struct __kernel_timespec){ 60, 0 });
	if (ret)
		return ret;
	ret = cqe->res;
	io_uring_cqe_seen(loop, cqe);
	return ret;
}

TEST_F(pieces, io_uring)
{
	unsigned char bytes[ROOM], back[ROOM];
	struct io_uring loop;
	int err = io_uring_queue_init(4, &loop, 0);

	if (err)
		SKIP(return, "io_uring: %s", strerror(-err));
	fill(bytes, 0, ROOM);
	io_uring_prep_write(io_uring_get_sqe(&loop), self->in, bytes, 3 * SIZE + 5, -1);
	EXPECT_EQ(asked(&loop), 3 * SIZE);
	io_uring_prep_write(io_uring_get_sqe(&loop), self->in, bytes, SIZE - 1, -1);
	EXPECT_EQ(asked(&loop), -EINVAL);
	/* where there is an offset to give, it is none of a stream's */
	io_uring_prep_read(io_uring_get_sqe(&loop), self->out, back, ROOM, 0);
	EXPECT_EQ(asked(&loop), 3 * SIZE);
	EXPECT_TRUE(is_filled(back, 0, 3 * SIZE));
	io_uring_prep_fsync(io_uring_get_sqe(&loop), self->in, 0);
	EXPECT_EQ(asked(&loop), -EINVAL);
	io_uring_queue_exit(&loop);
}

/* ----------------------------------------------------------------- FIONREAD */

TEST_F(pieces, readable)
{
	char bytes[3 * SIZE];
	struct spscring_consumer c;
	int i;

	EXPECT_EQ(readable(self->in), 0);
	for (i = 1; i <= CAPACITY; i++) {
		ASSERT_EQ(put(self->in, 0, SIZE), SIZE);
		EXPECT_EQ(readable(self->out), i * SIZE);
		EXPECT_EQ(readable(self->in), i * SIZE);
	}
	EXPECT_EQ(get(self->out, 0, 5), -EINVAL);
	EXPECT_EQ(readable(self->out), CAPACITY * SIZE);
	EXPECT_EQ(read(self->out, bytes, sizeof(bytes)), sizeof(bytes));
	EXPECT_EQ(readable(self->out), (CAPACITY - 3) * SIZE);
	ASSERT_EQ(spscring_shutdown(self->in, 0), 0);
	EXPECT_EQ(readable(self->out), (CAPACITY - 3) * SIZE);
	EXPECT_EQ(negative_errno(ioctl(self->out, FIONREAD, 8)), -EFAULT);
	/* whatever the consumer says of itself: no more than the ring holds */
	ASSERT_EQ(map_consumer(self->out, &c, NULL), 0);
	for (i = 0; i < 64; i++) {
		WRITE_ONCE(*c.base.cursor, random_word() >> i);
		EXPECT_GE(readable(self->in), 0);
		EXPECT_LE(readable(self->in), CAPACITY * SIZE);
	}
}

/* A batch in the midst of a frame is there to be read before the cursor tells of it. */
TEST_F(pieces, readable_behind_cursor)
{
	struct spscring_producer p;
	__u64 was;

	ASSERT_EQ(put(self->in, 0, SIZE), SIZE);
	ASSERT_EQ(map_producer(self->in, &p, NULL), 0);
	was = *p.base.cursor;
	ASSERT_EQ(put(self->in, SIZE, 2 * SIZE), 2 * SIZE);
	WRITE_ONCE(*p.base.cursor, was);
	EXPECT_EQ(readable(self->out), 3 * SIZE);
	EXPECT_EQ(get(self->out, 0, ROOM), 3 * SIZE);
	EXPECT_EQ(readable(self->out), 0);
}

FIXTURE(next) {
	int ring, in, out;
};

FIXTURE_VARIANT(next) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(next, fails) {};
FIXTURE_VARIANT_ADD(next, drops) { SPSCRING_CREATE_DROP };
FIXTURE_VARIANT_ADD(next, overwrites) { SPSCRING_CREATE_OVERWRITE };

FIXTURE_SETUP(next)
{
	SKIP_WITHOUT_DEVICE();
	self->ring = spscring_open(RING(.capacity = 1 << 17,
					.flags = variant->flags | SPSCRING_CREATE_RECORDS));
	ASSERT_GE(self->ring, 0);
	self->in = claim_end(self->ring, SPSCRING_PRODUCER, 0);
	self->out = claim_end(self->ring, SPSCRING_CONSUMER, 0);
	ASSERT_GE(self->out, 0);
	nonblock(self->in);
	nonblock(self->out);
}

FIXTURE_TEARDOWN(next)
{
	close_fd(&self->in);
	close_fd(&self->out);
	close_fd(&self->ring);
}

/* As a datagram socket: the length of the next record, which is what a read gets. */
TEST_F(next, length)
{
	const size_t sizes[] = { 1, 8, 9, 0, 5000, 100, ROOM };
	size_t i, n = 0;

	EXPECT_EQ(readable(self->out), 0);
	for (i = 0; i < 20 * ARRAY_SIZE(sizes); i++) {
		ASSERT_EQ(put(self->in, 0, sizes[i % ARRAY_SIZE(sizes)]),
			  sizes[i % ARRAY_SIZE(sizes)]);
		if (i % 2)
			continue;
		EXPECT_EQ(readable(self->out), sizes[n % ARRAY_SIZE(sizes)]);
		EXPECT_EQ(readable(self->in), sizes[n % ARRAY_SIZE(sizes)]);
		ASSERT_EQ(get(self->out, 0, ROOM), sizes[n % ARRAY_SIZE(sizes)]);
		n++;
		while (i - n > 8 && get(self->out, 0, ROOM) >= 0)
			n++;
	}
	EXPECT_EQ(info_of(self->ring).loss.overruns + info_of(self->ring).loss.drops, 0);
}

/* Of a ring that is full again and again: of the oldest that is left. */
TEST_F(next, lost)
{
	unsigned char bytes[ROOM];
	int i, next;

	for (i = 0; i < 1000; i++) {
		put(self->in, 0, 1000 + i);
		if (i % 97)
			continue;
		next = readable(self->out);
		EXPECT_GE(next, 1000);
		EXPECT_EQ(read(self->out, bytes, ROOM), next);
	}
	EXPECT_EQ(info_of(self->ring).loss.overruns > 0,
		  variant->flags == SPSCRING_CREATE_OVERWRITE);
	EXPECT_EQ(info_of(self->ring).loss.drops > 0, variant->flags == SPSCRING_CREATE_DROP);
}

/* What was given up is none, but not so much is passed by that it took for ever. */
TEST_F(next, discarded)
{
	struct spscring_record_producer p;
	void *rec[SPSCRING_DISCARDED_MAX + 1], *last;
	int i, n;

	ASSERT_EQ(record_map_producer(self->in, &p, NULL), 0);
	for (n = 1; n <= SPSCRING_DISCARDED_MAX + 1; n += SPSCRING_DISCARDED_MAX - 1) {
		for (i = 0; i < n; i++)
			ASSERT_EQ(spscring_record_reserve(&p, 8, &rec[i]), 0);
		ASSERT_EQ(spscring_record_reserve(&p, 77, &last), 0);
		for (i = 0; i < n; i++)
			spscring_record_discard(&p, rec[i]);
		fill(last, 0, 77);
		spscring_record_commit_all(&p);
		EXPECT_EQ(readable(self->out), n < SPSCRING_DISCARDED_MAX ? 77 : 0)
			TH_LOG("behind %d", n);
		while ((i = get(self->out, 0, ROOM)) == -EBUSY)
			;
		EXPECT_EQ(i, 77);
		EXPECT_EQ(readable(self->out), 0);
	}
}

/* Nothing is believed of words that are a user's, and none addresses anything unchecked. */
TEST_F(next, hostile)
{
	struct spscring_record_producer p;
	struct spscring_record_consumer c;
	int i;

	ASSERT_EQ(record_map_producer(self->in, &p, NULL), 0);
	ASSERT_EQ(record_map_consumer(self->out, &c, NULL), 0);
	ASSERT_EQ(put(self->in, 0, 100), 100);
	for (i = 0; i < 64; i++) {
		WRITE_ONCE(*c.base.cursor, random_word() >> i);
		WRITE_ONCE(p.base.lines->oldest.word, random_word() >> i);
		EXPECT_GE(readable(self->out), 0);
	}
	WRITE_ONCE(p.base.lines->oldest.word, 0);
	WRITE_ONCE(*c.base.cursor, 0);
	EXPECT_EQ(readable(self->out), 100);
	/* as if a record began at every byte */
	memset(p.base.data, 1, 64);
	for (i = 0; i < 16; i++) {
		WRITE_ONCE(*c.base.cursor, i);
		EXPECT_EQ(readable(self->out), i % 8 ? 0 : 0x01010101);
	}
	WRITE_ONCE(*c.base.cursor, 0);
	/* longer than an int can say, and than the ring */
	WRITE_ONCE(*(__u64 *)p.base.data, SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_LENGTH);
	EXPECT_EQ(readable(self->out), INT_MAX);
	/* discarded ones that lead back to where they began */
	WRITE_ONCE(*(__u64 *)p.base.data, SPSCRING_WORD_PUBLISHED | SPSCRING_WORD_DISCARDED |
		   ((2 << 17) - 8));
	EXPECT_EQ(readable(self->out), 0);
	EXPECT_EQ(info_of(self->ring).broken, 0);
}

TEST_HARNESS_MAIN

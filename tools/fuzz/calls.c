// SPDX-License-Identifier: GPL-2.0
/* The table of calls, and those of it that make rings, ends and kernel ends. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "program.h"
#include "spscring.h"
#include "spscring_peer.h"
#include "spscring_record_peer.h"

#define RECORDS	SPSCRING_CREATE_RECORDS

static const struct spscring_create shapes[] = {
	{ .capacity = 64, .element_size = 8 },
	{ .capacity = 1, .element_size = 1 },
	{ .capacity = 7, .element_size = 24, .align = 8, .frame_size = 64 },
	{ .capacity = 1000, .element_size = 100, .type_tag = 7, .name = "fuzz" },
	{ .capacity = 3, .element_size = 65536 },
	{ .capacity = 64, .element_size = 8, .flags = SPSCRING_CREATE_BUSY_POLL },
	{ .capacity = 16, .element_size = 4, .flags = SPSCRING_CREATE_FENCE },
	{ .capacity = 32, .element_size = 16, .flags = SPSCRING_CREATE_CLOSE_ENDS },
	{ .capacity = 300000, .element_size = 8 },
	{ .capacity = 4096, .flags = RECORDS },
	{ .capacity = 16, .flags = RECORDS },
	{ .capacity = 4096, .flags = RECORDS | SPSCRING_CREATE_DROP },
	{ .capacity = 4096, .flags = RECORDS | SPSCRING_CREATE_OVERWRITE },
	{ .capacity = 8192, .align = 64, .flags = RECORDS | SPSCRING_CREATE_OVERWRITE |
		SPSCRING_CREATE_FENCE },
	{ .capacity = 512, .flags = RECORDS | SPSCRING_CREATE_BUSY_POLL | SPSCRING_CREATE_DROP },
	{ .capacity = 65536, .align = 4096, .flags = RECORDS | SPSCRING_CREATE_CLOSE_ENDS },
};

#define SHAPES	(sizeof(shapes) / sizeof(*shapes))

static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

static int64_t soon(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec + 1000000;
}

/* Make word @c - 1 of a struct wrong, or its size, or its address. */
static void *make_wrong(uint32_t *words, size_t size, const struct step *s)
{
	switch (s->c) {
	case 0:
		break;
	case 255:
		words[0] = s->v;
		break;
	case 254:
		return (void *)8;
	case 253:
		words[0] += 8;
		words[size / 4 + (s->v & 1)] = s->v >> 1;
		break;
	case 252:
		return slot_map(s->v);
	default:
		words[(s->c - 1) % (size / 4)] = word_of(s->v) >> (s->c & 128 ? 32 : 0);
	}
	return words;
}

/* ---------------------------------------------------------------- rings, ends */

static long create(int fd, const struct step *s, const struct spscring_create *shape)
{
	union {
		struct spscring_create want;
		uint32_t words[sizeof(struct spscring_create) / 4 + 2];
	} u = { .want = *shape };

	u.want.size = sizeof(u.want);
	return result(ioctl(fd, SPSCRING_CREATE, make_wrong(u.words, sizeof(u.want), s)));
}

/* A new ring fd in slot @a; a ring of shape @b there. */
long call_create(const struct step *s)
{
	int fd = open("/dev/spscring", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -errno;
	slot_set_fd(s->a, fd);
	return create(fd, s, &shapes[s->b % SHAPES]);
}

static long claim(uint8_t ring, uint8_t to, const struct spscring_create *shape, uint32_t role)
{
	int fd = spscring_claim(slot_fd(ring), role, shape->element_size, shape->type_tag);

	if (fd < 0)
		return fd;
	slot_set_fd(to, fd);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return 0;
}

/*
 * A ring of shape @b, its fds in the 4 slots from @a * 4 on.  @c: what not to do: claim the
 * producer, claim the consumer, map them, keep the ring's fd.
 */
static long call_setup(const struct step *s)
{
	const struct spscring_create *shape = &shapes[s->b % SHAPES];
	const uint8_t at = s->a * 4, end = s->a * 2;
	long err;

	err = call_create(&(struct step){ .a = at, .b = s->b });
	if (!err && !(s->c & 1))
		err = claim(at, at + 1, shape, SPSCRING_PRODUCER);
	if (!err && !(s->c & 2))
		err = claim(at, at + 2, shape, SPSCRING_CONSUMER);
	if (!err && !(s->c & 5))
		call_map_end(&(struct step){ .a = end, .b = at + 1 });
	if (!err && !(s->c & 6))
		call_map_end(&(struct step){ .a = end + 1, .b = at + 2, .c = 1 });
	if (s->c & 8)
		slot_set_fd(at, -1);
	return err;
}

static uint64_t position_of(int fd, uint32_t role)
{
	struct spscring_info info;

	if (spscring_get_info(fd, &info))
		return 0;
	return role == SPSCRING_PRODUCER ? info.tail : info.head;
}

static long end_ioctl(const struct step *s)
{
	int fd = slot_fd(s->a), ret;
	union {
		struct spscring_endpoint endpoint;
		struct spscring_shutdown down;
		struct spscring_info info;
		struct spscring_wait wait;
		struct spscring_notify notify;
		uint32_t words[sizeof(struct spscring_info) / 4 + 2];
	} u = {};

	switch (s->b % 8) {
	case 0:
		return create(fd, s, &shapes[s->b / 8 % SHAPES]);
	case 1:
		spscring_get_info(fd, &u.info);
		u.endpoint = (struct spscring_endpoint){
			.size = sizeof(u.endpoint), .flags = s->b >> 7,
			.role = 1 + (s->b >> 6 & 1), .type_tag = u.info.geometry.type_tag,
			.element_size = u.info.geometry.element_size,
		};
		ret = ioctl(fd, SPSCRING_ENDPOINT,
			    make_wrong(u.words, sizeof(u.endpoint), s));
		if (ret >= 0)
			slot_set_fd(s->v, ret);
		return result(ret);
	case 2:
		u.down = (struct spscring_shutdown){ sizeof(u.down), s->b >> 7 };
		return result(ioctl(fd, SPSCRING_SHUTDOWN,
				    make_wrong(u.words, sizeof(u.down), s)));
	case 3:
		u.info.size = sizeof(u.info);
		return result(ioctl(fd, SPSCRING_INFO, make_wrong(u.words, sizeof(u.info), s)));
	case 4:
		u.wait = (struct spscring_wait){
			.size = sizeof(u.wait), .flags = s->b >> 7,
			.index = position_of(fd, 1 + (s->b >> 6 & 1)) + (s->v & 127),
			.deadline = s->b & 0xa0 ? -1 : soon(),
		};
		return result(ioctl(fd, SPSCRING_WAIT, make_wrong(u.words, sizeof(u.wait), s)));
	case 5:
		return result(ioctl(fd, SPSCRING_KICK, s->c ? s->v : s->v & 1));
	case 6:
		u.notify = (struct spscring_notify){
			.size = sizeof(u.notify), .watermark = s->v & 127,
			.eventfd = s->b & 128 ? slot_fd(s->v >> 8) : -1,
			.timeout = s->b & 64 ? s->v >> 8 : 0,
		};
		return result(ioctl(fd, SPSCRING_NOTIFY,
				    make_wrong(u.words, sizeof(u.notify), s)));
	default:
		return result(ioctl(fd, s->b & 128 ? FIONREAD : s->b & 64 ? FIONBIO :
				    s->b & 32 ? FIOASYNC : s->v,
				    make_wrong(u.words, sizeof(u.info), s)));
	}
}

/* An ioctl of the ABI on fd slot @a: number @b, with a struct that is right or, by @c, wrong. */
static long call_ioctl(const struct step *s)
{
	long ret;

	interrupts(true);
	ret = end_ioctl(s);
	interrupts(false);
	return ret;
}

/* Open something to fd slot @a: a ring fd, a driver's node, a kernel end, an eventfd. */
static long call_open(const struct step *s)
{
	static const char *const paths[] = {
		"/dev/spscring", "/dev/spscring-loop-in", "/dev/spscring-loop-out",
		"/dev/spscring-driver", "/dev/spscring-node", "/dev/spscring-node-exported",
		SPSCRING_PEER_DEVICE, NULL, NULL,
	};
	enum { EVENTFD = 8 };
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_DIRECT };
	unsigned int which = s->b % (sizeof(paths) / sizeof(*paths));
	char path[32];
	int fd;

	interrupts(true);
	if (paths[which]) {
		fd = open(paths[which], modes[s->c & 3] | O_NONBLOCK | O_CLOEXEC);
	} else if (which == EVENTFD) {
		fd = eventfd(s->v & 3, EFD_NONBLOCK | EFD_CLOEXEC);
	} else {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", slot_fd(s->v));
		fd = open(path, modes[s->c & 3] | O_NONBLOCK | O_CLOEXEC);
	}
	interrupts(false);
	if (fd < 0)
		return -errno;
	slot_set_fd(s->a, fd);
	return 0;
}

static long call_close(const struct step *s)
{
	slot_set_fd(s->a, -1);
	return 0;
}

static long call_dup(const struct step *s)
{
	int fd = fcntl(slot_fd(s->a), F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	slot_set_fd(s->b, fd);
	return 0;
}

/* What files can do beside moving data. */
static long call_file(const struct step *s)
{
	const int signals[] = { 0, SIGIO, SIGUSR2, SIGRTMIN };
	struct flock lock = { .l_type = s->c % 3, .l_len = s->v };
	int fd = slot_fd(s->a);

	switch (s->b % 12) {
	case 0:
		return result(fcntl(fd, F_SETFL, s->c & 1 ? O_NONBLOCK : 0));
	case 1:
		fcntl(fd, F_SETOWN, getpid());
		fcntl(fd, F_SETSIG, signals[s->c & 3]);
		return result(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
	case 2:
		return result(fcntl(fd, F_SETFL, s->v));
	case 3:
		return result(fcntl(fd, F_SETLK, &lock));
	case 4:
		return result(flock(fd, s->c | LOCK_NB));
	case 5:
		return result(lseek(fd, s->v, s->c % 5));
	case 6:
		return result(s->c & 1 ? fsync(fd) : fdatasync(fd));
	case 7:
		return result(ftruncate(fd, s->v));
	case 8:
		return result(fallocate(fd, s->c & 3, 0, 4096));
	case 9:
		return result(posix_fadvise(fd, 0, s->v, s->c % 6));
	case 10:
		return result(fcntl(fd, s->c & 1 ? F_GETPIPE_SZ : F_SETPIPE_SZ, s->v));
	default:
		return result(fcntl(fd, F_SETLEASE, F_RDLCK));
	}
}

/* ---------------------------------------------------------------- kernel ends */

static int peers[3];	/* fds + 1: two of the device for elements, one for records */

static int peer_fd(unsigned int i)
{
	int fd;

	if (!peers[i]) {
		fd = open(i < 2 ? SPSCRING_PEER_DEVICE : SPSCRING_RECORD_DEVICE,
			  O_RDWR | O_CLOEXEC);
		peers[i] = fd < 0 ? 0 : fd + 1;
	}
	return peers[i] - 1;
}

static void peers_clean(void)
{
	int i;

	for (i = 0; i < 3; i++) {
		if (peers[i])
			close(peers[i] - 1);
		peers[i] = 0;
	}
}

/* Start, stop or join a kernel end, the first or second, of the ring in fd slot @c. */
static long call_peer(const struct step *s)
{
	struct spscring_peer_start start = {
		.op = s->v & 7, .flags = s->v >> 3 & 15, .ring_fd = slot_fd(s->c), .cpu = -1,
		.batch = 1 + (s->v >> 8 & 31), .count = s->v >> 16 & 1023, .first = s->v >> 26,
	};
	struct spscring_peer_result got;
	int fd = peer_fd(s->a & 1);
	long ret;

	/* none sleeps for long */
	if (start.op == SPSCRING_PEER_PACED || start.flags & SPSCRING_PEER_SLEEP)
		start.gap_ns = 1000000;
	if (start.op == SPSCRING_PEER_POLLED)
		start.batch = 1;
	interrupts(true);
	switch (s->b % 4) {
	case 0:
	case 1:
		ret = ioctl(fd, SPSCRING_PEER_START, &start);
		break;
	case 2:
		ret = ioctl(fd, SPSCRING_PEER_WAIT, &got);
		break;
	default:
		ret = ioctl(fd, SPSCRING_PEER_STOP);
	}
	interrupts(false);
	return result(ret);
}

/* A kernel end moves some records of the ring in fd slot @c. */
static long call_record_run(const struct step *s)
{
	static const uint32_t most[] = { 0, 8, 100, 1000, 4096, 65536 };
	struct spscring_record_run run = {
		.role = 1 + (s->b & 1), .flags = s->b >> 1 & 3, .ring_fd = slot_fd(s->c),
		.tries = 1 + (s->v & 15), .count = s->v >> 4 & 255,
		.mover = { .most = most[s->v >> 12 & 7 % 6] },
	};
	long ret;

	run.mover.ways = (s->v >> 16 & 15) << (run.role == SPSCRING_CONSUMER ? 4 : 0);
	interrupts(true);
	ret = ioctl(peer_fd(2), SPSCRING_RECORD_RUN, &run);
	interrupts(false);
	return ret ? -errno : run.err;
}

/* ------------------------------------------------------- the module's own files */

#define PARAMETER	"/sys/module/spscring/parameters/"

/* Those that a program sets, and their values before. */
static const char *const parameters[] = {
	PARAMETER "quiet_us", PARAMETER "max_interrupts", PARAMETER "default_frame_size",
};

#define PARAMETERS	(sizeof(parameters) / sizeof(*parameters))

static char before[PARAMETERS][24];
static bool changed;

static long read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return -errno;
	n = result(read(fd, text, size));
	close(fd);
	return n;
}

static long write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return -errno;
	n = result(write(fd, text, strlen(text)));
	close(fd);
	return n;
}

/* Read what the kernel says of rings, or set one of the module's parameters. */
static long call_tell(const struct step *s)
{
	char path[40], text[4096];

	if (!(s->b % 4))
		return read_text("/sys/kernel/debug/spscring/rings", text, sizeof(text));
	if (s->b % 4 < 3) {
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", slot_fd(s->a));
		return read_text(path, text, sizeof(text));
	}
	changed = true;
	snprintf(text, sizeof(text), "%u", s->v & 0xffff);
	return write_text(parameters[s->c % PARAMETERS], text);
}

static long call_pause(const struct step *s)
{
	return result(nanosleep(&(struct timespec){ 0, (s->v & 1023) * 1000 }, NULL));
}

const struct call calls[] = {
	/* another thread may run these at the same time, see run_beside() */
	{ "ioctl", call_ioctl }, { "read", call_read }, { "write", call_write },
	{ "close", call_close }, { "dup", call_dup }, { "mmap", call_mmap },
	{ "memory", call_memory }, { "lie", call_lie }, { "poll", call_poll },
	{ "file", call_file }, { "tell", call_tell }, { "record_run", call_record_run },
	/* and not these */
	{ "setup", call_setup }, { "create", call_create }, { "open", call_open },
	{ "map_end", call_map_end }, { "unmap_end", call_unmap_end }, { "move", call_move },
	{ "poke", call_poke }, { "pin", call_pin }, { "splice", call_splice },
	{ "epoll", call_epoll }, { "pass", call_pass }, { "uring", call_uring },
	{ "peer", call_peer }, { "pause", call_pause },
	/* often, as most others need what it makes */
	{ "setup", call_setup }, { "lie", call_lie }, { "move", call_move }, { "move", call_move },
};

const unsigned int n_calls = sizeof(calls) / sizeof(*calls);

/* ----------------------------------------------------------------- run a step */

static __thread sigjmp_buf back;
static __thread bool may_fault;

static void fault(int signal)
{
	if (!may_fault) {
		/* the fuzzer's own fault: let it happen again, and be fatal */
		sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
		return;
	}
	may_fault = false;
	siglongjmp(back, 1);
}

static void ignore(int signal)
{
	(void)signal;
}

void calls_init(void)
{
	struct sigaction on_fault = { .sa_handler = fault, .sa_flags = SA_NODEFER };
	struct sigaction nothing = { .sa_handler = ignore };
	const int faults[] = { SIGSEGV, SIGBUS }, others[] = { SIGIO, SIGUSR2, SIGRTMIN, SIGPIPE };
	size_t i;

	for (i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		sigaction(faults[i], &on_fault, NULL);
	for (i = 0; i < sizeof(others) / sizeof(*others); i++)
		sigaction(others[i], &nothing, NULL);
	for (i = 0; i < PARAMETERS; i++)
		read_text(parameters[i], before[i], sizeof(before[i]) - 1);
}

long run_step(const struct step *s)
{
	long ret;

	if (sigsetjmp(back, 0)) {
		interrupts(false);
		return FAULT;
	}
	__atomic_store_n(&may_fault, true, __ATOMIC_SEQ_CST);
	ret = calls[s->code % n_calls].run(s);
	__atomic_store_n(&may_fault, false, __ATOMIC_SEQ_CST);
	return ret;
}

void calls_clean(void)
{
	size_t i;

	peers_clean();
	streams_clean();
	handles_clean();
	memory_clean();
	slots_clean();
	for (i = 0; i < PARAMETERS && changed; i++)
		write_text(parameters[i], before[i]);
	changed = false;
}

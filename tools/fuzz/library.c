// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz the library: libFuzzer makes programs in which one end is honest and its peer is not.  The
 * honest end has its pages mapped as in a ring of the module: those of its peer are read-only,
 * and around all of them there is no memory.  The hostile peer writes by another mapping, before
 * each call, and by another thread during it.  AddressSanitizer, UBSan and those mappings say
 * whether the library read or wrote outside.
 *
 * A program is a header of 8 bytes and steps of 8 bytes: any bytes are one.  honest.c has the calls
 * of the honest end.  FUZZ_VERBOSE: print each step.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "library.h"

#define STEPS	64	/* the most of a program */
#define LIES	8
#define GUARD	65536

/**
 * struct header - which ring, and whose the honest end is.
 * @shape:	of shapes[].
 * @kind:	1: the consumer is honest; 2: lies are told during calls, too; 4: the ring is in a
 *		memfd of the library's, 8: one that the hostile peer made; 16: it begins near @at.
 * @at:		where the ends begin.
 */
struct header {
	uint8_t shape;
	uint8_t kind;
	uint16_t reserved;
	uint32_t at;
};

#define RECORDS	SPSCRING_CREATE_RECORDS

static const struct spscring_create shapes[] = {
	{ .capacity = 64, .element_size = 8 },
	{ .capacity = 1, .element_size = 1 },
	{ .capacity = 7, .element_size = 24, .align = 8, .frame_size = 64 },
	{ .capacity = 100, .element_size = 100 },
	{ .capacity = 3, .element_size = 4000 },
	{ .capacity = 40, .element_size = 4, .flags = SPSCRING_CREATE_BUSY_POLL },
	{ .capacity = 40, .element_size = 16, .flags = SPSCRING_CREATE_FENCE },
	{ .capacity = 4096, .flags = RECORDS },
	{ .capacity = 16, .flags = RECORDS },
	{ .capacity = 4096 - 64, .align = 64, .flags = RECORDS },
	{ .capacity = 4096, .flags = RECORDS | SPSCRING_CREATE_DROP },
	{ .capacity = 4096, .flags = RECORDS | SPSCRING_CREATE_OVERWRITE },
	{ .capacity = 200, .flags = RECORDS | SPSCRING_CREATE_OVERWRITE },
	{ .capacity = 512, .flags = RECORDS | SPSCRING_CREATE_BUSY_POLL },
};

#define SHAPES	(sizeof(shapes) / sizeof(*shapes))

struct ring ring;

static bool is_producer(void)
{
	return ring.kind == PRODUCER || ring.kind == RECORD_PRODUCER;
}

/* ------------------------------------------------------------------- lies */

struct lie {
	__u64 *word;
	uint64_t value;
};

static struct lie lies[LIES];
static unsigned int n_lies;
static bool liar_runs, liar_stops;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Words at which checks of positions and lengths may be wrong. */
static uint64_t word_of(uint32_t v)
{
	static const uint64_t near[] = {
		0, 8, 64, 4096, 1ULL << 20, 1ULL << 31, 1ULL << 32, 3ULL << 32, 1ULL << 33,
		5ULL << 32, 1ULL << 62, (1ULL << 63) - 1, 1ULL << 63, 3ULL << 62, -1ULL, 1ULL << 35,
	};

	return near[v & 15] + (int16_t)(v >> 16);
}

/* Another thread tells all lies again and again, every second time as they are not. */
static void *liar(void *unused)
{
	unsigned int i;

	pthread_mutex_lock(&lock);
	for (;;) {
		while (!liar_runs)
			pthread_cond_wait(&changed, &lock);
		pthread_mutex_unlock(&lock);
		while (!__atomic_load_n(&liar_stops, __ATOMIC_ACQUIRE)) {
			for (i = 0; i < n_lies; i++) {
				uint64_t was = __atomic_load_n(lies[i].word, __ATOMIC_RELAXED);

				__atomic_store_n(lies[i].word, lies[i].value, __ATOMIC_RELAXED);
				sched_yield();
				__atomic_store_n(lies[i].word, was, __ATOMIC_RELAXED);
			}
			sched_yield();
		}
		pthread_mutex_lock(&lock);
		liar_runs = false;
		pthread_cond_broadcast(&changed);
	}
	return unused;
}

static void liar_begin(void)
{
	pthread_mutex_lock(&lock);
	liar_stops = false;
	liar_runs = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void liar_end(void)
{
	__atomic_store_n(&liar_stops, true, __ATOMIC_RELEASE);
	pthread_mutex_lock(&lock);
	while (liar_runs)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	n_lies = 0;
}

/* Where the honest end is in the data: the tail or the word that it reads next. */
static __u64 *next_word(void)
{
	uint64_t pos = is_producer() ? ring.p.base.pos : ring.c.base.pos;

	if (ring.g.flags & RECORDS)
		return spscring_view_word(&ring.view, pos);
	return spscring_view_tail(&ring.view, pos / ring.g.frame_elements);
}

/* A word that the peer may write; in a memfd, that is the kernel's block as well. */
static __u64 *word_to_lie(const struct step *s)
{
	const unsigned int words = sizeof(struct spscring_producer_block) / 8;

	if (s->b & 64 && ring.g.features & SPSCRING_FEATURE_MEMFD)
		return (__u64 *)ring.view.blocks.kernel +
			s->b % (sizeof(struct spscring_kernel_block) / 8);
	if (is_producer())
		return (__u64 *)ring.view.blocks.consumer + s->b % words;
	if (s->b & 128)
		return next_word();
	if (s->b & 32)
		return (__u64 *)((char *)ring.view.data + s->v % ring.g.data_bytes / 8 * 8);
	return (__u64 *)ring.view.blocks.producer + s->b % words;
}

/* A record's word that is right but for its length, flags, number. */
static uint64_t word_of_record(const struct step *s)
{
	return spscring_word(ring.rc.sequence + (s->c & 1), ring.rc.phase) +
		(s->v & 0xffff) + ((uint64_t)(s->c >> 4) << 32);
}

static void lie(const struct step *s)
{
	__u64 *word = word_to_lie(s), pos = is_producer() ? ring.p.base.pos : ring.c.base.pos;
	uint64_t value;

	switch (s->how & 7) {
	case 0:
		value = word_of(s->v);
		break;
	case 1:
		value = *word + (int16_t)s->v;
		break;
	case 2:
		value = *word ^ UINT64_C(1) << (s->v & 63);
		break;
	case 3:
		value = pos + ring.g.capacity + (int8_t)s->v;
		break;
	case 4:
		value = pos - ring.g.capacity + (int8_t)s->v;
		break;
	case 5:
		value = pos + (int16_t)s->v;
		break;
	default:
		value = ring.kind == RECORD_CONSUMER ? word_of_record(s) : pos + s->v;
	}
	if (s->how & 128 && n_lies < LIES)
		lies[n_lies++] = (struct lie){ word, value };
	else
		__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/* --------------------------------------------------------- claims, and more */

static unsigned long walked;

static int walk_on(const struct spscring_view *v)
{
	/* a lap of frames or of the smallest records, from each of two looks, and a lap of tails */
	must(++walked <= 3 * v->geometry.data_bytes, "a recovery without end");
	return 0;
}

static void looked(const struct spscring_view *v, __u64 head, __u64 tail)
{
	(void)v;
	(void)head;
	(void)tail;
}

static int begin(void)
{
	const struct spscring_geometry *g = &ring.g;
	struct spscring_blocks blocks = spscring_blocks(g, ring.honest + g->consumer_offset,
							ring.honest + g->info_offset,
							ring.honest + g->producer_offset);
	void *data = ring.honest + g->data_offset;
	int err;

	switch (ring.kind) {
	case PRODUCER:
		err = spscring_producer_begin(&ring.p, g, &blocks, data);
		break;
	case CONSUMER:
		err = spscring_consumer_begin(&ring.c, g, &blocks, data);
		break;
	case RECORD_PRODUCER:
		err = spscring_record_producer_begin(&ring.rp, g, &blocks, data);
		break;
	default:
		err = spscring_record_consumer_begin(&ring.rc, g, &blocks, data);
	}
	if (is_producer()) {
		ring.p.base.fd = -1;
		ring.p.base.spin_max = 2;
	} else {
		ring.c.base.fd = -1;
		ring.c.base.spin_max = 2;
	}
	return err;
}

/* What a claim does, on the words as they are; then the honest end begins again. */
static bool claim(const struct step *s)
{
	static const struct spscring_recover_ops ops = { .walk_on = walk_on, .looked = looked };
	struct spscring_info info = {};
	__u32 role = 1 + (s->c & 1);
	int err;

	walked = 0;
	spscring_view_info(&ring.view, &info);
	must(info.length <= ring.g.capacity && info.free <= ring.g.capacity, "INFO out of bounds");
	spscring_view_seen(&ring.view, role, info.tail);
	spscring_view_reached(&ring.view, role, word_of(s->v));
	err = spscring_recover(&ring.view, role, &ops);
	must(!err || err == -EPIPE, "an unknown error of a recovery");
	/* one of a memfd stays as the library has mapped it */
	return !err && ring.honest && s->c & 2 ? !begin() : true;
}

/* The kernel says that the peer, or this end, has ended; or what index the peer waits for. */
static void kernel_says(const struct step *s)
{
	struct spscring_kernel_block *k = ring.view.blocks.kernel;

	switch (s->b & 3) {
	case 0:
		k->producer = s->c & 3;
		break;
	case 1:
		k->consumer = s->c & 3;
		break;
	case 2:
		k->producer_event = word_of(s->v);
		break;
	default:
		k->consumer_event = word_of(s->v);
	}
}

static bool verbose;

static const char *const names[16] = {
	"lie", "lie", "lie", "lie", "lie", "claim", "kernel says", "call or shutdown",
	[8 ... 15] = "call",
};

static bool run_step(const struct step *s)
{
	const unsigned int code = s->code % 16;
	bool go_on = true;

	if (verbose)
		fprintf(stderr, "%s b=%u c=%u how=%u v=%#x\n", names[code], s->b, s->c, s->how,
			s->v);

	if (code < 5) {
		lie(s);
		return true;
	}
	if (n_lies)
		liar_begin();
	if (code == 5)
		go_on = claim(s);
	else if (code == 6)
		kernel_says(s);
	else if (code == 7 && s->b < 32)
		honest_shutdown();
	else
		honest_call(s);
	if (n_lies)
		liar_end();
	return go_on;
}

/* ------------------------------------------------------------------- rings */

static int file = -1, honest_fd = -1;
static struct spscring_mapping honest_map;

static size_t mapped(void)
{
	return spscring_mapped_bytes(&ring.g) + 2 * GUARD;
}

static void map_section(char *base, uint64_t from, uint64_t to, uint64_t offset, bool writable)
{
	must(mmap(base + from, to - from, writable ? PROT_READ | PROT_WRITE : PROT_READ,
		  MAP_SHARED | MAP_FIXED, file, (off_t)offset) != MAP_FAILED, "mmap");
}

/* The sections as an fd has them, with nothing before and after them. */
static char *map_ring(bool consumer, bool info, bool producer)
{
	const struct spscring_geometry *g = &ring.g;
	char *base = mmap(NULL, mapped(), PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(base != MAP_FAILED, "mmap");
	base += GUARD;
	map_section(base, g->consumer_offset, g->info_offset, g->consumer_offset, consumer);
	map_section(base, g->info_offset, g->producer_offset, g->info_offset, info);
	map_section(base, g->producer_offset, g->memory, g->producer_offset, producer);
	if (g->flags & RECORDS)
		map_section(base, g->memory, g->memory + g->data_bytes, g->data_offset, producer);
	return base;
}

static void unmap_ring(char **base)
{
	if (*base)
		munmap(*base - GUARD, mapped());
	*base = NULL;
}

static void see_all(void)
{
	const struct spscring_geometry *g = &ring.g;

	ring.all = map_ring(true, true, true);
	ring.view.geometry = *g;
	ring.view.blocks = spscring_blocks(g, ring.all + g->consumer_offset,
					   ring.all + g->info_offset,
					   ring.all + g->producer_offset);
	ring.view.data = ring.all + g->data_offset;
}

/* Both ends are where they would be after many laps. */
static void start_late(uint32_t at)
{
	uint64_t pos = (uint64_t)at << (at & 31), sequence = pos >> 5;

	if (ring.g.flags & RECORDS)
		pos &= ~(uint64_t)(ring.g.stride - 1);
	ring.view.blocks.consumer->cursor = pos;
	ring.view.blocks.consumer->published_head = pos;
	ring.view.blocks.consumer->sequence = sequence;
	ring.view.blocks.producer->cursor = pos;
	ring.view.blocks.producer->sequence = sequence;
	ring.view.blocks.producer->oldest = pos;
	ring.view.blocks.producer->oldest_sequence = sequence;
}

/* As the module lays a ring out, and lets an end map it. */
static int make_ring(const struct header *h, const struct spscring_create *want)
{
	const bool producer = is_producer();

	must(!spscring_geometry_init(&ring.g, want, (__u32)sysconf(_SC_PAGESIZE)), "geometry");
	file = memfd_create("fuzz", MFD_CLOEXEC);
	must(file >= 0 && !ftruncate(file, (off_t)ring.g.memory), "memfd");
	see_all();
	ring.honest = map_ring(!producer, false, producer);
	spscring_kernel_block_init(ring.view.blocks.kernel, want->flags);
	ring.view.blocks.kernel->producer = 1ULL << 32 | SPSCRING_HELD;
	ring.view.blocks.kernel->consumer = 1ULL << 32 | SPSCRING_HELD;
	if (h->kind & 16)
		start_late(h->at);
	return begin();
}

static int map_honest(void)
{
	const struct spscring_geometry *g = &ring.g;
	int fd = honest_fd;

	switch (ring.kind) {
	case PRODUCER:
		return spscring_map_producer(fd, &ring.p, g->element_size, g->type_tag,
					     &honest_map);
	case CONSUMER:
		return spscring_map_consumer(fd, &ring.c, g->element_size, g->type_tag,
					     &honest_map);
	case RECORD_PRODUCER:
		return spscring_record_map_producer(fd, &ring.rp, g->type_tag, &honest_map);
	default:
		return spscring_record_map_consumer(fd, &ring.rc, g->type_tag, &honest_map);
	}
}

/* Lie in the page that says what the ring is like, or about the file, before anybody claims. */
static void lie_about_shape(const struct header *h, const struct step *s)
{
	off_t at = ring.g.info_offset + s->v % sizeof(struct spscring_info_page) / 4 * 4;
	uint64_t value = word_of(s->v >> 8);
	int copy;

	if (pwrite(file, &value, s->b & 1 ? 4 : 8, at) < 0)
		return;
	if (!(h->kind & 32))
		return;
	/* a file of another size, with other seals, at another offset */
	copy = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (copy < 0 || ftruncate(copy, (s->b & 6 ? ring.g.memory : s->v)))
		goto out;
	if (pwrite(copy, ring.all, ring.g.data_offset, 0) < 0)
		goto out;
	fcntl(copy, F_ADD_SEALS, s->b & 8 ? s->c : F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	lseek(copy, lseek(file, 0, SEEK_CUR) + (s->b & 16 ? s->how : 0), SEEK_SET);
	dup3(copy, file, O_CLOEXEC);
out:
	close(copy);
}

/* A ring of the library, of which the peer may have written every page before it is claimed. */
static int make_memfd(const struct header *h, const struct spscring_create *want,
		      const struct step *first)
{
	struct spscring_create copy = *want;
	struct spscring_info info;
	int err;

	copy.size = sizeof(copy);
	file = spscring_open_memfd(&copy);
	must(file >= 0 && !spscring_get_info(file, &info), "spscring_open_memfd");
	ring.g = info.geometry;
	see_all();
	if (h->kind & 16)
		start_late(h->at);
	if (h->kind & 8)
		lie_about_shape(h, first);
	err = spscring_get_info(file, &info);
	if (err)
		return err;
	/* it is a ring, so this mapping of it exists */
	unmap_ring(&ring.all);
	ring.g = info.geometry;
	see_all();
	if ((ring.g.flags ^ want->flags) & RECORDS)
		return -EPROTOTYPE;
	honest_fd = spscring_claim(file, is_producer() ? SPSCRING_PRODUCER : SPSCRING_CONSUMER,
				   ring.g.element_size, ring.g.type_tag);
	if (honest_fd < 0)
		return honest_fd;
	return map_honest();
}

static void clean(void)
{
	if (honest_map.writable)
		spscring_unmap(&honest_map);
	memset(&honest_map, 0, sizeof(honest_map));
	unmap_ring(&ring.honest);
	unmap_ring(&ring.all);
	if (honest_fd >= 0)
		close(honest_fd);
	if (file >= 0)
		close(file);
	file = -1;
	honest_fd = -1;
	n_lies = 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	pthread_t thread;

	(void)argc;
	(void)argv;
	verbose = getenv("FUZZ_VERBOSE");
	must(!pthread_create(&thread, NULL, liar, NULL), "pthread_create");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct spscring_create *want;
	struct step steps[STEPS] = {};
	struct header h;
	size_t n, i;
	int err;

	if (size < sizeof(h) + sizeof(*steps))
		return -1;
	memcpy(&h, data, sizeof(h));
	n = (size - sizeof(h)) / sizeof(*steps);
	if (n > STEPS)
		n = STEPS;
	memcpy(steps, data + sizeof(h), n * sizeof(*steps));
	want = &shapes[h.shape % SHAPES];
	memset(&ring, 0, sizeof(ring));
	ring.kind = (want->flags & RECORDS ? RECORD_PRODUCER : PRODUCER) + (h.kind & 1);
	if (verbose)
		fprintf(stderr, "shape %zu, kind %#x\n", h.shape % SHAPES, h.kind);
	err = h.kind & 4 ? make_memfd(&h, want, steps) : make_ring(&h, want);
	for (i = 0; i < n && !err; i++) {
		if (!(h.kind & 2))
			steps[i].how &= 127;
		if (!run_step(&steps[i]))
			break;
	}
	clean();
	return 0;
}

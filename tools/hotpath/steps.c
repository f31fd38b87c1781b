// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Execute bench_push_probe() and bench_pop_probe(), and those of records of variable size, one
 * instruction at a time by the trap flag, on warm rings.  This file is linked with probe.c, or
 * with a module, whose probes access only their arguments.  Output, for walk:
 *
 *	range NAME FROM TO		a range of memory and its name
 *	calls KIND COMMON N N...	how many instructions each call executed
 *	step KIND RIP REGISTERS...	a call on the common path
 */
#include <signal.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "hotpath.h"

#define CAPACITY	448		/* 64 frames */
#define RECORDS_CAPACITY 16384		/* bytes */
#define CALLS_MAX	1024
#define STEPS_MAX	4096

/* The kernel patches calls of the first to nops, and jumps to the second to rets. */
__attribute__((__naked__)) void __fentry__(void)
{
	asm("ret");
}

__attribute__((__naked__)) void __x86_return_thunk(void)
{
	asm("ret");
}

/* The kernel's handles have the layout of the user's. */
static struct {
	alignas(64) struct spscring_producer p;
	alignas(64) struct spscring_consumer c;
} frames;

static struct {
	alignas(64) struct spscring_record_producer p;
	alignas(64) struct spscring_record_consumer c;
} records;

static greg_t steps[STEPS_MAX][NGREG];
static unsigned int n_steps;
static greg_t from, to;		/* the probe's address, and its return address */

static void on_trap(int sig, siginfo_t *info, void *context)
{
	const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	greg_t rip = regs[REG_RIP];

	(void)sig;
	(void)info;
	if (!to && rip == from)
		to = *(greg_t *)regs[REG_RSP];
	if (!to || rip == (greg_t)__fentry__ || rip == (greg_t)__x86_return_thunk)
		return;
	if (rip == to) {
		from = 0;
		to = 0;
		return;
	}
	if (n_steps == STEPS_MAX)
		abort();
	memcpy(steps[n_steps++], regs, sizeof(*steps));
}

static void trap_flag(int on)
{
	/* below the red zone */
	asm volatile("lea	-128(%%rsp), %%rsp\n"
		     "pushfq\n"
		     "andq	$~0x100, (%%rsp)\n"
		     "orq	%0, (%%rsp)\n"
		     "popfq\n"
		     "lea	128(%%rsp), %%rsp\n"
		     :: "r" (on ? 0x100UL : 0UL) : "memory", "cc");
}

/* Instruction counts of a kind of call: of common calls, and of the others. */
struct kind {
	const char *name;
	unsigned int count[2][CALLS_MAX];
	unsigned int calls[2];
};

static void kind_add(struct kind *kind, int common)
{
	static const int order[] = {
		REG_RIP, REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
		REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
	};

	if (common && !kind->calls[1]) {
		for (unsigned int i = 0; i < n_steps; i++) {
			printf("step %s", kind->name);
			for (unsigned int r = 0; r < sizeof(order) / sizeof(*order); r++)
				printf(" %llx", steps[i][order[r]]);
			putchar('\n');
		}
	}
	kind->count[common][kind->calls[common]++] = n_steps;
}

static void kind_print(const struct kind *kind)
{
	for (int common = 0; common < 2; common++) {
		printf("calls %s %s", kind->name, common ? "common" : "other");
		for (unsigned int i = 0; i < kind->calls[common]; i++)
			printf(" %u", kind->count[common][i]);
		putchar('\n');
	}
}

typedef int probe_fn(void *end, void *v);
#define PROBE(name)	((probe_fn *)(void (*)(void))(name))

/* Execute one call, one instruction at a time. */
static void step(struct kind *kind, int common, probe_fn *probe, void *end, void *v)
{
	int err;

	n_steps = 0;
	from = (greg_t)probe;
	trap_flag(1);
	err = probe(end, v);
	trap_flag(0);
	if (err < 0 || from)
		abort();
	if (kind)
		kind_add(kind, common);
}

static void push(struct kind *kind, __u64 v)
{
	struct spscring_producer *p = &frames.p;

	step(kind, p->base.pos != p->base.run_end, PROBE(bench_push_probe), p, &v);
}

static void pop(struct kind *kind, __u64 expected)
{
	struct spscring_consumer *c = &frames.c;
	__u64 v;

	step(kind, c->base.pos != c->cached_tail, PROBE(bench_pop_probe), c, &v);
	if (v != expected)
		abort();
}

static void record_push(struct kind *kind, __u64 v)
{
	struct spscring_record_producer *p = &records.p;

	step(kind, spscring_record_fits(p, sizeof(v),
					spscring_record_size(p->base.stride, sizeof(v))),
	     PROBE(bench_record_push_probe), p, &v);
}

static void record_pop(struct kind *kind, __u64 expected)
{
	struct spscring_record_consumer *c = &records.c;
	__u64 v;

	step(kind, c->known_length && c->word + sizeof(v) + SPSCRING_WORD < c->base.end,
	     PROBE(bench_record_pop_probe), c, &v);
	if (v != expected)
		abort();
}

static void show_range(const char *name, const void *at, size_t size)
{
	printf("range %s %llx %llx\n", name, (__u64)at, (__u64)at + size);
}

/* The pages of a ring; the data are mapped twice for records of variable size. */
static char *ring_memory(struct spscring_geometry *g, const struct spscring_create *want)
{
	int fd = memfd_create("hotpath", 0);
	char *memory, *again;

	if (fd < 0 || spscring_geometry_init(g, want, sysconf(_SC_PAGESIZE)) ||
	    ftruncate(fd, g->memory))
		abort();
	memory = mmap(NULL, spscring_mapped_bytes(g), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		abort();
	again = mmap(memory + g->memory, g->data_bytes, PROT_READ | PROT_WRITE,
		     MAP_SHARED | (want->element_size ? 0 : MAP_FIXED), fd, g->data_offset);
	if (again == MAP_FAILED)
		abort();
	close(fd);
	/* the event indices of a ring on which nobody sleeps */
	spscring_kernel_block_init((struct spscring_kernel_block *)
				   spscring_kernel_block(g, memory + g->info_offset),
				   SPSCRING_CREATE_BUSY_POLL);
	show_range("consumer", memory + g->consumer_offset, g->page_size);
	show_range("info", memory + g->info_offset, g->page_size);
	show_range("producer", memory + g->producer_offset, g->page_size);
	show_range("data", memory + g->data_offset, spscring_mapped_bytes(g) - g->data_offset);
	return memory;
}

static void frames_init(const struct spscring_create *want)
{
	struct spscring_geometry g;
	char *memory = ring_memory(&g, want);

	show_range("handle", &frames, sizeof(frames));
	if (spscring_producer_init(&frames.p, &g, memory + g.consumer_offset,
				   memory + g.info_offset, memory + g.producer_offset,
				   memory + g.data_offset) ||
	    spscring_consumer_init(&frames.c, &g, memory + g.consumer_offset,
				   memory + g.info_offset, memory + g.data_offset))
		abort();
	/* where the kernel's code finds itself here */
	frames.p.base.cpu = 0;
	frames.c.base.cpu = 0;
}

static void records_init(const struct spscring_create *want)
{
	struct spscring_geometry g;
	char *memory = ring_memory(&g, want);

	show_range("handle", &records, sizeof(records));
	if (spscring_record_producer_init(&records.p, &g, memory + g.consumer_offset,
					  memory + g.info_offset, memory + g.producer_offset,
					  memory + g.data_offset) ||
	    spscring_record_consumer_init(&records.c, &g, memory + g.consumer_offset,
					  memory + g.info_offset, memory + g.data_offset))
		abort();
	records.p.base.cpu = 0;
	records.c.base.cpu = 0;
}

static void records_stream(struct kind *pushed, struct kind *popped, __u64 from, __u64 n)
{
	for (__u64 i = from; i < from + n; i += 32) {
		for (__u64 k = 0; k < 32; k++)
			record_push(pushed, i + k);
		for (__u64 k = 0; k < 32; k++)
			record_pop(popped, i + k);
	}
}

int main(void)
{
	static struct kind pushed = { .name = "push" }, popped = { .name = "pop" };
	static struct kind answered = { .name = "answer" };
	static struct kind record_pushed = { .name = "record_push" };
	static struct kind record_popped = { .name = "record_pop" };
	const struct spscring_create of_frames = {
		.size = sizeof(of_frames), .capacity = CAPACITY, .element_size = sizeof(__u64),
	};
	const struct spscring_create of_records = {
		.size = sizeof(of_records), .capacity = RECORDS_CAPACITY,
		.flags = SPSCRING_CREATE_RECORDS,
	};
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	__u64 i, k, n;

	sigaction(SIGTRAP, &action, NULL);
	frames_init(&of_frames);
	records_init(&of_records);
	n = frames.p.frame_elements;
	/* a stream, frame by frame: one lap to warm up, one to count instructions */
	for (i = 0; i < 2 * CAPACITY; i += n) {
		int count = i >= CAPACITY;

		for (k = 0; k < n; k++)
			push(count ? &pushed : NULL, i + k);
		for (k = 0; k < n; k++)
			pop(count ? &popped : NULL, i + k);
	}
	/* a dialogue: each pop refreshes the cached tail, and finds one record */
	for (k = 0; k < CAPACITY; k++) {
		push(NULL, i + k);
		pop(&answered, i + k);
	}
	records_stream(NULL, NULL, 0, 1024);
	records_stream(&record_pushed, &record_popped, 1024, 1024);
	kind_print(&pushed);
	kind_print(&popped);
	kind_print(&answered);
	kind_print(&record_pushed);
	kind_print(&record_popped);
	return 0;
}

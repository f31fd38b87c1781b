// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Executes bench_push_probe() and bench_pop_probe() one instruction at a time,
 * by the trap flag, on a warm ring.  Linked with probe.c, or with a module: its
 * probes touch nothing but their arguments.  Prints, for walk:
 *
 *	range NAME FROM TO		what memory is what
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
#define STEPS_MAX	4096

/* What a kernel's loader, or its boot, turns into a nop, and into a ret. */
__attribute__((__naked__)) void __fentry__(void)
{
	asm("ret");
}

__attribute__((__naked__)) void __x86_return_thunk(void)
{
	asm("ret");
}

/* A kernel's handle is the user's and a little more. */
static struct {
	alignas(64) struct spscring_producer p;
	char kernel_producer[64];
	struct spscring_consumer c;
	char kernel_consumer[64];
} handle;

static greg_t steps[STEPS_MAX][NGREG];
static unsigned int n_steps;
static greg_t from, to;		/* a probe, and where it returns to */

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

/* A kind of call: the counts of those that are common, and of the others. */
struct kind {
	const char *name;
	unsigned int count[2][CAPACITY];
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

static void push(struct kind *kind, __u64 v)
{
	int common = handle.p.pos != handle.p.stop, err;

	n_steps = 0;
	from = (greg_t)bench_push_probe;
	trap_flag(1);
	err = bench_push_probe(&handle.p, &v);
	trap_flag(0);
	if (err || from)
		abort();
	if (kind)
		kind_add(kind, common);
}

static void pop(struct kind *kind, __u64 expected)
{
	int common = handle.c.pos != handle.c.seen, err;
	__u64 v;

	n_steps = 0;
	from = (greg_t)bench_pop_probe;
	trap_flag(1);
	err = bench_pop_probe(&handle.c, &v);
	trap_flag(0);
	if (err || from || v != expected)
		abort();
	if (kind)
		kind_add(kind, common);
}

static void show_range(const char *name, const void *at, size_t size)
{
	printf("range %s %llx %llx\n", name, (__u64)at, (__u64)at + size);
}

static void ring_init(void)
{
	const struct spscring_create want = {
		.size = sizeof(want), .capacity = CAPACITY, .record_size = sizeof(__u64),
	};
	struct spscring_geometry g;
	char *memory;

	if (spscring_geometry_init(&g, &want, sysconf(_SC_PAGESIZE)))
		abort();
	memory = mmap(NULL, g.memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	spscring_producer_init(&handle.p, &g, memory + g.consumer_offset, memory + g.info_offset,
			       memory + g.producer_offset, memory + g.data_offset);
	spscring_consumer_init(&handle.c, &g, memory + g.consumer_offset, memory + g.info_offset,
			       memory + g.data_offset);
	show_range("handle", &handle, sizeof(handle));
	show_range("consumer", memory + g.consumer_offset, g.page_size);
	show_range("info", memory + g.info_offset, g.page_size);
	show_range("producer", memory + g.producer_offset, g.page_size);
	show_range("data", memory + g.data_offset, g.data_bytes);
}

int main(void)
{
	static struct kind pushed = { .name = "push" }, popped = { .name = "pop" };
	static struct kind answered = { .name = "answer" };
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	__u64 i, k, n;

	sigaction(SIGTRAP, &action, NULL);
	ring_init();
	n = handle.p.frame_records;
	/* a stream, frame by frame: one lap to warm up, one to count */
	for (i = 0; i < 2 * CAPACITY; i += n) {
		int count = i >= CAPACITY;

		for (k = 0; k < n; k++)
			push(count ? &pushed : NULL, i + k);
		for (k = 0; k < n; k++)
			pop(count ? &popped : NULL, i + k);
	}
	/* a dialogue: no pop but finds one record, by a look */
	for (k = 0; k < CAPACITY; k++) {
		push(NULL, i + k);
		pop(&answered, i + k);
	}
	kind_print(&pushed);
	kind_print(&popped);
	kind_print(&answered);
	return 0;
}

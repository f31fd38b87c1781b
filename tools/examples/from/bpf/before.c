// SPDX-License-Identifier: MIT
/* Read events of two BPF ring buffers.  A BPF program sends each number that it is run with. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>

#define EVENTS 1000

struct event {
	unsigned long long value;
};

static unsigned long long sum, events;

static void *check(const char *what, void *ret)
{
	if (ret)
		return ret;
	perror(what);
	exit(1);
}

static int handle(void *ctx, void *data, size_t size)
{
	const struct event *event = data;

	(void)size;
	sum += event->value * *(int *)ctx;
	events++;
	return 0;
}

/* bpf_ringbuf_output(&map, ctx, sizeof(struct event), 0), as a compiler would make it */
static int load(int map)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 3, .src_reg = 1 },
		{ .code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 3, .off = -8 },
		{ .code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map },
		{ },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = sizeof(struct event) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);

	return bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "send", "GPL", program,
			     sizeof(program) / sizeof(*program), &opts);
}

int main(void)
{
	int weight[] = { 1, 2 }, map[2], program[2], i;
	struct ring_buffer *rings = NULL;
	struct event event;

	for (i = 0; i < 2; i++) {
		map[i] = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "events", 0, 0, 65536, NULL);
		program[i] = load(map[i]);
	}
	rings = check("ring_buffer__new", ring_buffer__new(map[0], handle, &weight[0], NULL));
	if (ring_buffer__add(rings, map[1], handle, &weight[1]))
		check("ring_buffer__add", NULL);
	for (event.value = 0; event.value < EVENTS; event.value++) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &event, .ctx_size_in = sizeof(event));

		if (bpf_prog_test_run_opts(program[event.value % 2], &run))
			check("run", NULL);
	}
	while (events < EVENTS && ring_buffer__poll(rings, -1) >= 0)
		;
	printf("%llu events, sum %llu\n", events, sum);
	ring_buffer__free(rings);
	return 0;
}

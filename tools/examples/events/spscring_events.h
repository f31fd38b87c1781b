/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * What spscring_events.ko writes into its rings, and record-events into a file.
 *
 * There is a ring for each CPU, and a node for each ring, which is the consumer's
 * end: /dev/spscring-events0 and so on.
 */
#ifndef _SPSCRING_EVENTS_H
#define _SPSCRING_EVENTS_H

#include <linux/types.h>

#define SPSCRING_EVENTS_NODE	"spscring-events"	/* and the CPU's number */
#define SPSCRING_EVENTS_TAG	0x73746e657665ULL	/* "events", the rings' type tag */

/* type of an event */
#define SPSCRING_EVENT_EXEC	1	/* a program was started */
#define SPSCRING_EVENT_EXIT	2	/* a thread ends */

#define SPSCRING_EVENT_NAME_MAX	4096U	/* bytes of a name */
#define SPSCRING_EVENT_ARGS_MAX	4096U	/* bytes of arguments that are kept */

/**
 * struct spscring_event - one record.
 * @time:	CLOCK_MONOTONIC, in ns.
 * @type:	SPSCRING_EVENT_*.
 * @pid:	the thread.
 * @tgid:	its process.
 * @status:	exit: as wait() tells it.
 * @args:	exec: bytes that the arguments have.
 * @name:	bytes of @data that are the name; exec: the file's; exit: the thread's.
 * @data:	the name, with no NUL behind it, and from there to the record's end the
 *		arguments, each with a NUL behind it, as far as they are kept.
 */
struct spscring_event {
	__u64 time;
	__u32 type;
	__s32 pid;
	__s32 tgid;
	__u32 status;
	__u32 args;
	__u32 name;
	__u8  data[];
};

#define SPSCRING_EVENT_MAX	(sizeof(struct spscring_event) + SPSCRING_EVENT_NAME_MAX + \
				 SPSCRING_EVENT_ARGS_MAX)

/*
 * The file: a struct spscring_events_file; then for each event, in the order of each
 * CPU's, a struct spscring_events_entry and the event.  All of it in the byte order of
 * the machine.
 */
#define SPSCRING_EVENTS_MAGIC	0x656c696673747665ULL	/* "evtsfile" */
#define SPSCRING_EVENTS_VERSION	1
#define SPSCRING_EVENTS_END	0xffffffffU

/**
 * struct spscring_events_file - how the file begins.
 * @magic:	SPSCRING_EVENTS_MAGIC.
 * @version:	SPSCRING_EVENTS_VERSION.
 * @rings:	how many were recorded.
 * @cpus:	of the last of them, and one more.
 * @reserved:	0.
 */
struct spscring_events_file {
	__u64 magic;
	__u32 version;
	__u32 rings;
	__u32 cpus;
	__u32 reserved;
};

/**
 * struct spscring_events_entry - before each event.
 * @sequence:	of the event, on its CPU: the first has 0, and what is missing counts.
 * @cpu:	where it happened.
 * @length:	of the event, in bytes.  SPSCRING_EVENTS_END: there is none, and the CPU
 *		had no more before @sequence that are not in the file.
 */
struct spscring_events_entry {
	__u64 sequence;
	__u32 cpu;
	__u32 length;
};

#endif /* _SPSCRING_EVENTS_H */

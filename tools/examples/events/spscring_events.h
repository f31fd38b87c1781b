/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * The format of the events in spscring_events.ko's rings, and of record-events' file.
 *
 * Each CPU has a ring, and the consumer's end of each ring is a device node:
 * /dev/spscring-events0 and so on.
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
 * @status:	exit: the status as wait() returns it.
 * @args:	exec: size of all arguments, in bytes, also of those that are not kept.
 * @name:	length of the name in @data, in bytes; exec: the file's; exit: the thread's.
 * @data:	the name, without a NUL; then up to the record's end the arguments, each with
 *		a NUL, of which SPSCRING_EVENT_ARGS_MAX bytes are kept.
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
 * The file: a struct spscring_events_file; then for each event a struct spscring_events_entry
 * and the event.  The events of each CPU are in order.  All numbers have the machine's byte
 * order.
 */
#define SPSCRING_EVENTS_MAGIC	0x656c696673747665ULL	/* "evtsfile" */
#define SPSCRING_EVENTS_VERSION	1
#define SPSCRING_EVENTS_END	0xffffffffU

/**
 * struct spscring_events_file - the header of the file.
 * @magic:	SPSCRING_EVENTS_MAGIC.
 * @version:	SPSCRING_EVENTS_VERSION.
 * @rings:	number of rings recorded.
 * @cpus:	the highest CPU number recorded, plus one.
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
 * struct spscring_events_entry - the header of each event.
 * @sequence:	number of the event on its CPU, from 0; missing events count, too.
 * @cpu:	the CPU on which the event happened.
 * @length:	size of the event, in bytes.  SPSCRING_EVENTS_END: no event follows; each of
 *		the CPU's events before @sequence is in the file or missing.
 */
struct spscring_events_entry {
	__u64 sequence;
	__u32 cpu;
	__u32 length;
};

#endif /* _SPSCRING_EVENTS_H */

/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * spscring: a ring between exactly one producer and one consumer.  The ABI.
 *
 *	ring = open("/dev/spscring", O_RDWR)
 *	ioctl(ring, SPSCRING_CREATE, &create)		geometry, once
 *	p = ioctl(ring, SPSCRING_ENDPOINT, &producer)	each end is held once
 *	c = ioctl(ring, SPSCRING_ENDPOINT, &consumer)
 *	mmap(p), mmap(c)				see "The pages"
 *
 * Whoever holds an endpoint fd may be that end.  A process hands it on by inheritance or by
 * SCM_RIGHTS.  Elements and records move by the inlines of <spscring/element.h> and
 * <spscring/record.h>, without a system call.
 *
 * A killed process may leave a push or pop half done.  The next SPSCRING_ENDPOINT recovers the
 * end; mapping the dead process's endpoint fd again does not.  A supervisor therefore keeps the
 * ring fd, lets each worker claim its end, and keeps no copy of a worker's endpoint fd.
 *
 * All sizes and offsets are in bytes, cursors and capacity in elements, unless said otherwise.
 * In a ring of records of variable size (SPSCRING_CREATE_RECORDS) cursors, capacity and all that
 * is counted from them are in bytes as well.  Only 64-bit callers are served: a 32-bit one gets
 * EOPNOTSUPP.  The terms are explained on top of <spscring/end.h>.
 */
#ifndef _UAPI_LINUX_SPSCRING_H
#define _UAPI_LINUX_SPSCRING_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define SPSCRING_MAGIC		0x676e697263737073ULL	/* "spscring" */
#define SPSCRING_VERSION	4	/* of the layout that follows */
#define SPSCRING_OLDEST_READER	4	/* oldest version that can read it */

#define SPSCRING_ELEMENT_MAX	65536
#define SPSCRING_VARIABLE_SIZE	0	/* as an element size: records of variable size */
#define SPSCRING_ALIGN_MAX	64
#define SPSCRING_RECORD_ALIGN_MIN 8	/* of records of variable size */
#define SPSCRING_RECORD_ALIGN_MAX 4096
#define SPSCRING_FRAME_MIN	64
#define SPSCRING_FRAME_MAX	(1 << 20)
#define SPSCRING_DATA_MAX	(1ULL << 32)
#define SPSCRING_NAME_MAX	32

/* Roles. */
#define SPSCRING_PRODUCER	1
#define SPSCRING_CONSUMER	2

/* The states of an end. */
#define SPSCRING_UNCLAIMED	0	/* nobody has held it yet */
#define SPSCRING_HELD		1
#define SPSCRING_SHUT_DOWN	2	/* by SHUTDOWN, or as SPSCRING_CREATE_CLOSE_ENDS says */
#define SPSCRING_DEAD		3	/* its holder let go without SHUTDOWN */

/*
 * Every struct begins with its own size, as the caller knows it; later versions add fields at the
 * end.  The kernel takes a longer struct if all bytes that it does not know are 0, and returns
 * E2BIG otherwise.  It reads a shorter one as if zeros followed, down to the size of the
 * struct's first version (EINVAL below).  Unknown bits and values are EINVAL.  clone3() and
 * openat2() have the same rule; iommufd has the same form (_IO, the size inside).
 */
#define SPSCRING_IOC		0xEF
#define SPSCRING_CREATE		_IO(SPSCRING_IOC, 0)
#define SPSCRING_ENDPOINT	_IO(SPSCRING_IOC, 1)
#define SPSCRING_SHUTDOWN	_IO(SPSCRING_IOC, 2)
#define SPSCRING_INFO		_IO(SPSCRING_IOC, 3)
#define SPSCRING_WAIT		_IO(SPSCRING_IOC, 4)
#define SPSCRING_KICK		_IO(SPSCRING_IOC, 5)
#define SPSCRING_NOTIFY		_IO(SPSCRING_IOC, 6)

#define SPSCRING_CREATE_NUMA_NODE	(1U << 0)	/* numa_node is given */
#define SPSCRING_CREATE_BUSY_POLL	(1U << 1)	/* no end sleeps or fences */
#define SPSCRING_CREATE_FENCE		(1U << 2)	/* the ends always fence, no interrupts */
#define SPSCRING_CREATE_RECORDS		(1U << 3)	/* records of variable size */
#define SPSCRING_CREATE_DROP		(1U << 4)	/* with RECORDS: one without room is lost */
#define SPSCRING_CREATE_OVERWRITE	(1U << 5)	/* with RECORDS: the oldest make room */
#define SPSCRING_CREATE_CLOSE_ENDS	(1U << 6)	/* a producer's close ends the stream */

/*
 * Which rule of struct spscring_create a request breaks: @why, after EINVAL, and after E2BIG for
 * too much data.  If it breaks several, one of them.  Later versions may add numbers.
 */
#define SPSCRING_WHY_FLAGS		1	/* flags has an unknown bit */
#define SPSCRING_WHY_RESERVED		2	/* reserved is not 0 */
#define SPSCRING_WHY_WAKES		3	/* BUSY_POLL and FENCE exclude each other */
#define SPSCRING_WHY_LOSSES		4	/* DROP and OVERWRITE exclude each other */
#define SPSCRING_WHY_NEEDS_RECORDS	5	/* DROP or OVERWRITE without RECORDS */
#define SPSCRING_WHY_NODE_UNASKED	6	/* numa_node is not 0, but NUMA_NODE is not set */
#define SPSCRING_WHY_NODE		7	/* numa_node is no online memory node */
#define SPSCRING_WHY_NODE_CPUSET	8	/* numa_node is not in the caller's cpuset */
#define SPSCRING_WHY_NAME		9	/* not printable, or text after the first zero */
/* A ring of elements: */
#define SPSCRING_WHY_ELEMENT_SIZE	10	/* element_size: 1 to SPSCRING_ELEMENT_MAX */
#define SPSCRING_WHY_CAPACITY		11	/* capacity is 0 */
#define SPSCRING_WHY_ALIGN		12	/* align: a power of two to SPSCRING_ALIGN_MAX */
#define SPSCRING_WHY_FRAME_SIZE		13	/* frame_size: a power of two in its limits */
#define SPSCRING_WHY_FRAME_ROOM		14	/* frame_size has no room for one element */
/* A ring of records: */
#define SPSCRING_WHY_RECORDS_SIZE	15	/* element_size is not 0 */
#define SPSCRING_WHY_RECORDS_FRAME	16	/* frame_size is not 0 */
#define SPSCRING_WHY_RECORDS_ALIGN	17	/* align: a power of two in its limits */
#define SPSCRING_WHY_RECORDS_MULTIPLE	18	/* capacity is no multiple of align */
#define SPSCRING_WHY_RECORDS_CAPACITY	19	/* capacity is less than twice align */
/* Both (E2BIG): */
#define SPSCRING_WHY_TOO_LARGE		20	/* more data than SPSCRING_DATA_MAX */

/**
 * struct spscring_create - SPSCRING_CREATE: make the ring of a ring fd that has none.
 * @size:	 sizeof(struct spscring_create), as above.
 * @flags:	 SPSCRING_CREATE_*.
 * @capacity:	 how many elements the ring holds, exactly; at least 1.
 * @element_size: 1 to SPSCRING_ELEMENT_MAX.
 * @align:	 alignment of elements, a power of two up to SPSCRING_ALIGN_MAX; or 0: the largest
 *		 power of two, up to that, that divides @element_size.
 * @frame_size:	 a power of two, SPSCRING_FRAME_MIN to SPSCRING_FRAME_MAX, with room for one
 *		 element; or 0: the smallest such size that wastes at most 13 % of a frame, or
 *		 that holds all @capacity elements.  With 0, the module's parameter
 *		 default_frame_size makes frames larger in a ring that has at least 8 frames of
 *		 that size.  struct spscring_geometry reports the result.
 * @numa_node:	 with SPSCRING_CREATE_NUMA_NODE: the node whose memory to use, one of the
 *		 caller's cpuset.  Without: 0, and the caller's node is used.  Once that node's
 *		 memory is used up, the rest comes from other nodes of the cpuset.
 * @type_tag:	 identifies the type of the data, by a number that the user chooses.  A claim
 *		 that names another tag is refused.
 * @name:	 for people and tools; printable ASCII, padded with zeros.
 * @why:	 stored by the kernel: SPSCRING_WHY_* after EINVAL or E2BIG for a bad value, 0 after
 *		 anything else.  It stays as it was after EFAULT, and after E2BIG or EINVAL for
 *		 @size.  Only if @size includes it.  What the caller passes is ignored; an older
 *		 kernel, which does not know it, takes only 0.
 * @reserved:	 0.
 *
 * With SPSCRING_CREATE_RECORDS @capacity is in bytes, a multiple of @align and at least twice
 * @align.  @align is then a power of two from SPSCRING_RECORD_ALIGN_MIN to
 * SPSCRING_RECORD_ALIGN_MAX, or 0 for the least; @element_size and @frame_size are 0.  What a
 * push does that finds no room depends on the flags:
 *
 *	neither			it returns EAGAIN, and the producer may wait
 *	SPSCRING_CREATE_DROP	the record is lost and counted (ENOBUFS)
 *	SPSCRING_CREATE_OVERWRITE
 *				the oldest records make room, even if they were not read
 *
 * DROP and OVERWRITE exclude each other and need RECORDS; BUSY_POLL and FENCE exclude each other.
 *
 * With SPSCRING_CREATE_CLOSE_ENDS the last close of the producer's end ends the stream, as with a
 * pipe, whether its holder closed it, exited, or was killed: the kernel does what SHUTDOWN does.
 * The consumer reads all that was published, then finds the end of the stream (ESHUTDOWN, a
 * read() of 0), and nobody can claim the producer's end again, unless the ring is a driver's that
 * lets users follow each other.  What a killed producer had not published is lost without notice.
 * The consumer's end dies as it does without the flag.
 *
 * The ring's pages are charged to the user who made the ring until the pages are free.  An fd, a
 * mapping or a driver keeps all of them; after that, I/O in flight or a pipe (vmsplice()) may
 * still hold some chunks of them, see "The pages".  The module cannot be unloaded meanwhile.  It
 * checks at least once a second whether such chunks are free, and again before CREATE returns
 * EDQUOT or ENOSPC.
 *
 * Returns 0.  Errors: EEXIST the fd has a ring already; EINVAL a bad value; E2BIG more data than
 * SPSCRING_DATA_MAX, or a longer struct with unknown bytes; EFAULT; EDQUOT beyond the user's
 * RLIMIT_MEMLOCK (CAP_IPC_LOCK exempts), ENOSPC beyond the module's max_bytes, and the log has
 * the figures of both; ENOMEM no memory, or beyond the memory cgroup's limit, or more than the
 * machine has, where data that are mapped twice count twice; EINTR killed while allocating;
 * EPERM not a ring fd; EOPNOTSUPP a 32-bit caller.
 */
struct spscring_create {
	__u32 size;
	__u32 flags;
	__u64 capacity;
	__u32 element_size;
	__u32 align;
	__u32 frame_size;
	__s32 numa_node;
	__u64 type_tag;
	__u8  name[SPSCRING_NAME_MAX];
	__u32 why;
	__u32 reserved;
};

#define SPSCRING_ENDPOINT_WAIT	(1U << 0)	/* sleep where EBUSY would be returned */

/**
 * struct spscring_endpoint - SPSCRING_ENDPOINT: claim one end of a ring fd's ring.
 * @size:	sizeof(struct spscring_endpoint).
 * @flags:	SPSCRING_ENDPOINT_*.
 * @role:	SPSCRING_PRODUCER or SPSCRING_CONSUMER.
 * @element_size: the size of an element that the caller expects, in bytes, or
 *		SPSCRING_VARIABLE_SIZE.  Must be the ring's.
 * @type_tag:	the type tag that the caller expects, see struct spscring_create.  Must be the
 *		ring's.
 *
 * The ring's creator chose its element size and its tag.  By naming both here, a caller need not
 * check the ring afterwards.  A program that works with any ring asks INFO first.
 *
 * Returns a close-on-exec endpoint fd.  An end whose holder died can be claimed again: the kernel
 * recovers its cursor first, and keeps all that the dead holder had published.
 *
 * A killed holder that had an io_uring may let go of its end some time after waitpid() has
 * reported its death.  To wait for that, use SPSCRING_ENDPOINT_WAIT, or poll() the ring fd.
 *
 * Errors: EBUSY the end is held, or somebody still pins pages that its dead holder could write;
 * EINTR killed while it waited for another claim of the ring, or recovered a large one: the end
 * is as dead as before, and can be claimed again; ESHUTDOWN the end was shut down; EPROTOTYPE
 * the ring has another element size or type tag; EPIPE the ring is broken; EPERM not a ring fd;
 * EBADFD CREATE has not been called; EINVAL, E2BIG, EFAULT, EMFILE, ENFILE, ENOMEM, EOPNOTSUPP.
 *
 * With SPSCRING_ENDPOINT_WAIT the call sleeps where EBUSY would be returned, even if O_NONBLOCK
 * is set, and for ever if the caller holds the end itself.  It then also returns EINTR after a
 * signal whose handler does not restart system calls (SA_RESTART restarts).
 */
struct spscring_endpoint {
	__u32 size;
	__u32 flags;
	__u32 role;
	__u32 element_size;
	__u64 type_tag;
};

/*
 * The fds behave as those of a pipe.  An endpoint fd is a stream, as an end of a pipe is, but one
 * of whole elements or records.  So is a device node by which a driver exports an end.  The
 * consumer's node is opened O_RDONLY or O_RDWR, the producer's O_WRONLY or O_RDWR (EACCES
 * otherwise; EINVAL with O_DIRECT).  mmap() of pages that are read-only needs O_RDONLY or
 * O_RDWR, mmap() of the others O_RDWR (EACCES otherwise), so a program that maps an end opens
 * the node O_RDWR.
 *
 *	read, readv	of the consumer: as many elements as are there and fit, or one record.
 *			No room for the first: EINVAL for an element, EMSGSIZE for a record, and
 *			it stays in the ring.  0 is the end of the stream, or an empty record.
 *			EPIPE: the producer has died, or the ring is broken
 *	write, writev	of the producer: all whole elements of the buffer, or all of it as one
 *			record.  EINVAL: not even one whole element.  ESHUTDOWN, EPIPE: the
 *			consumer has shut down, or died; there is no SIGPIPE
 *	splice		as read and write, by copying.  A part of an element stays in the pipe;
 *			EINVAL if the pipe has nothing else
 *	sendfile	from an end: as splice if to a pipe, otherwise EINVAL.  To an end: as
 *			write, in pieces of at most 64 KiB whose size the kernel chooses; a part
 *			of an element stays in the file, EINVAL if the piece has nothing else
 *	FIONREAD	of either end: how many bytes a read would find, at most INT_MAX; for
 *			records the length of the next one, which is 0 if that is empty
 *	poll, select	see SPSCRING_NOTIFY
 *	O_NONBLOCK	by F_SETFL or FIONBIO, or for one call by RWF_NOWAIT; EAGAIN
 *	lseek, pread, pwrite, posix_fadvise, sync_file_range	ESPIPE
 *	fsync, fdatasync, ftruncate, readahead, copy_file_range, tee, and F_SETFL with
 *			O_DIRECT	EINVAL
 *	vmsplice, F_GETPIPE_SZ, F_SETPIPE_SZ	EBADF
 *	fallocate	ENODEV
 *	flock, F_SETLK	ENOLCK: the lock would be on an inode that unrelated files share
 *	msync		of a mapping: 0, as there is no storage to write to
 *
 * read of the producer's end is EBADF, and so is write of the consumer's.  A ring fd is no end:
 * its read and write are EINVAL, its FIONREAD is ENOTTY, the rest is the same.  Its poll reports
 * who holds the ends:
 *
 *	EPOLLIN		nobody holds the consumer's: it is unclaimed, dead or shut down
 *	EPOLLOUT	nobody holds the producer's, in the same sense
 *	EPOLLERR	the ring is broken, or CREATE has not been called
 *
 * A supervisor that waits for a holder to let go of an end polls for that end's bit.  An
 * edge-triggered epoll is woken whenever an end changes hands.
 */

#define SPSCRING_SHUTDOWN_BROKEN (1U << 0) /* the peer's words were impossible */

/**
 * struct spscring_shutdown - SPSCRING_SHUTDOWN: shut an end down.
 * @size:	sizeof(struct spscring_shutdown).
 * @flags:	SPSCRING_SHUTDOWN_BROKEN: the inlines found impossible words of the peer (EPIPE
 *		from a push or pop).  The kernel marks the ring as broken, and logs it.
 *
 * On an endpoint fd.  After a producer's shutdown the consumer pops all that is there, then finds
 * the end of the stream.
 *
 * For the caller it is final: from here on WAIT, NOTIFY, read() and write() of this end return
 * ESHUTDOWN in all threads, and those that sleep in such a call return.  poll reports POLLHUP and
 * POLLRDHUP, and POLLIN or POLLOUT, as the refused call does not block.  If another thread's
 * write() is copying an element or record, SHUTDOWN waits for that copy: the end of the stream
 * comes after it, and nothing comes after the end.  It is final for the end, too: nobody can
 * claim it again, unless the ring is a driver's that lets users follow each other.
 *
 * A second SHUTDOWN changes nothing, but may still pass SPSCRING_SHUTDOWN_BROKEN.  Returns 0.
 *
 * Errors: EINTR a signal came while it waited: this end has shut down, but the peer learns it only
 * from the next SHUTDOWN or the last close; EPERM not an endpoint fd; EINVAL, E2BIG, EFAULT,
 * EOPNOTSUPP.
 */
struct spscring_shutdown {
	__u32 size;
	__u32 flags;
};

/*
 * Sleep.  For each end that waits the kernel stores an event index in its control block: the
 * position at which the end asks to be woken.  The peer compares its own position with that index
 * after each publish or release, and makes a system call (KICK) only once it has reached the
 * index.  Kernel code wakes directly.
 *
 * Between its store and its load of the index the peer needs a full fence, but only while
 * somebody sleeps.  Then the index carries the fence bit, SPSCRING_EVENT_FENCE.  An end that is
 * about to sleep has the kernel set the bit, and interrupt the CPUs on which the peer may be
 * running.  The kernel clears the bit once nobody has begun to sleep for a quiet time (the
 * module's parameter quiet_us, in microseconds).  So a busy ring executes no fence.  Where an
 * end keeps falling asleep the bit stays set, and no CPU is interrupted.  The module's parameter
 * max_interrupts bounds how often a second the bit is cleared, and so how often CPUs are
 * interrupted.
 *
 * A ring made with
 *
 *	BUSY_POLL	never fences, and nobody can wait on it (EOPNOTSUPP; poll: POLLERR);
 *	FENCE		fences after each publish and release, and interrupts nobody: for peers
 *			on CPUs that must not be disturbed.
 *
 * A consumer that waits for more than one element, or byte, need not wait for what cannot come.
 * Whatever is there, if anything, ends its wait in these cases:
 *
 *	- the producer waits for room: in WAIT, ARM or write(), or since a poll that was not
 *	  ready;
 *	- since the consumer's cursor last moved, the producer has found no room in a push, or
 *	  dropped a record;
 *	- the producer kicks with SPSCRING_KICK_NOW.
 *
 * WAIT and ARM for any number are then done, and poll is ready whatever its watermark.  A
 * watermark, or the sum of both ends' watermarks, may therefore be larger than what the ring can
 * hold beside the next record.  In a ring that overwrites, the producer always finds room.
 */
#define SPSCRING_WAIT_ARM	(1U << 0)	/* store the event index, and return */
#define SPSCRING_WAITERS_MAX	64		/* sleeping WAITs on one end */

/**
 * struct spscring_wait - SPSCRING_WAIT: sleep until there are elements or records, or room.
 * @size:	sizeof(struct spscring_wait).
 * @flags:	SPSCRING_WAIT_*.
 * @index:	the consumer is woken when all before this position is published, the producer
 *		when all slots before it are free.  An end waits for n by its cursor + n, where n
 *		is 0 to the capacity.  An index behind the cursor is reached already; one 2^62 or
 *		more behind is EINVAL.
 * @deadline:	CLOCK_MONOTONIC in ns, absolute; negative: none.  With SPSCRING_WAIT_ARM it is -1.
 *
 * On an endpoint fd.  Several threads may wait at once, each for its own index.
 *
 * Returns 0 once @index is reached.  For the consumer it also returns 0 when less is there, but
 * not nothing, and no more can come, see "Sleep".  With SPSCRING_WAIT_ARM it returns at once; the
 * kernel wakes pollers and signals the eventfd at the least of the armed indices, or when the
 * peer shuts down or dies (at once if it has done so before).
 *
 * Errors: ETIMEDOUT; ESHUTDOWN this end has shut down; ESHUTDOWN the peer has shut down, EPIPE
 * the peer has died or the ring is broken, each only if @index will not be reached; EINTR a
 * signal's handler ran that does not restart system calls (SA_RESTART restarts: the deadline
 * stays what it was); EBUSY SPSCRING_WAITERS_MAX wait already; EOPNOTSUPP a BUSY_POLL ring; EPERM
 * not an endpoint fd; EINVAL also an index out of range; E2BIG, EFAULT.
 */
struct spscring_wait {
	__u32 size;
	__u32 flags;
	__u64 index;
	__s64 deadline;
};

/*
 * SPSCRING_KICK: wake the peer's waiters whose index is reached.  On an endpoint fd; the flags are
 * the argument itself.  The inlines call it; a needless call does no harm.  Returns 0.
 * Errors: EINVAL unknown flags; EPERM not an endpoint fd.
 */
/* Also wake the peer's pollers, and a consumer's WAITs, if there is anything for them. */
#define SPSCRING_KICK_NOW	(1U << 0)

/**
 * struct spscring_notify - SPSCRING_NOTIFY: set when poll and an eventfd report this end ready.
 * @size:	sizeof(struct spscring_notify).
 * @flags:	0.
 * @watermark:	poll is ready once so many elements, or free slots, are there (bytes, in a ring
 *		of records of variable size), or fewer if no more can come, see "Sleep".  At most
 *		the capacity; 0 means 1.
 * @eventfd:	an eventfd that the kernel signals when it wakes the end's pollers, or when an
 *		armed index (SPSCRING_WAIT_ARM) is reached; or -1 for none.  Only a poll that has
 *		armed the end, or ARM, leads to a signal.
 * @timeout:	in ns, with a watermark above 1: poll is ready below the watermark once the first
 *		element or record has waited for so long; 0: never.  The time begins when a poll
 *		sleeps while the first is there, and begins anew for each later first one.
 *
 * On an endpoint fd.  It replaces all that an earlier NOTIFY has set, and stops a timeout that
 * runs.  It holds until the holder lets go of the end.  Returns 0.
 *
 * poll reports POLLIN (consumer) or POLLOUT (producer) at the watermark; POLLRDHUP once the peer
 * has shut down; POLLHUP once the peer has died; POLLRDHUP and POLLHUP once this end has shut
 * down; POLLERR if the ring is broken.  As the next call does not block, the producer gets
 * POLLOUT with each of these, and the consumer gets POLLIN with POLLRDHUP.
 *
 * With O_ASYNC (fcntl(F_SETFL), F_SETOWN, F_SETSIG) the kernel sends the owner SIGIO, or the
 * signal of F_SETSIG with POLL_IN or POLL_OUT, when poll would report any of these, and again
 * for what is published or released after that.  As with a pipe, read or write until EAGAIN once
 * O_ASYNC is on, and after each signal.  O_ASYNC is EOPNOTSUPP in a BUSY_POLL ring.
 *
 * Errors: ESHUTDOWN this end has shut down; EBADF no such fd; EINVAL not an eventfd, or a
 * watermark beyond the capacity; EOPNOTSUPP a BUSY_POLL ring; EPERM not an endpoint fd; E2BIG,
 * EFAULT.
 */
struct spscring_notify {
	__u32 size;
	__u32 flags;
	__u32 watermark;
	__s32 eventfd;
	__u64 timeout;
};

#define SPSCRING_FEATURE_HUGE	(1U << 0)	/* the data are chunks of PMD size */
#define SPSCRING_FEATURE_MEMFD	(1U << 1)	/* the library's, without the module */

/*
 * The pages.  These sections are in the fd, in this order; each is a whole number of pages:
 *
 *	consumer	its control block			consumer writes
 *	info		geometry; the kernel's control block	kernel writes
 *	producer	its control block			producer writes
 *	data		the frames, or the records		producer writes
 *	data		again, in a ring of records of variable size: so a record that passes
 *			the end of the data is contiguous in memory
 *
 * mmap() takes any page-aligned part, by MAP_SHARED only (EINVAL otherwise).  EACCES: PROT_WRITE
 * for a part that has a page which the fd may not write, or PROT_EXEC (EPERM where the kernel
 * itself refuses it first, as on a noexec mount).  ENXIO past the end; EINTR killed.  So an end
 * maps twice:
 *
 *	producer	[consumer, info] read-only, [producer, data] writable
 *	consumer	[consumer] writable, [info, producer, data] read-only
 *	ring fd		everything read-only
 *
 * The data are chunks of contiguous memory, the largest that could be allocated, or single pages.
 * With SPSCRING_FEATURE_HUGE all of them, except for a rest at the end, are chunks that one PMD
 * entry of a page table maps (2 MiB, say), and they are at multiples of that size in the fd.  The
 * sections then begin at consumer_offset, which is not 0; mmap() before it is ENXIO.
 *
 * With that feature a mapping of at least one chunk's size is filled as it is touched, or at once
 * with MAP_POPULATE.  It gets PMD entries where its address and its offset are equally far from
 * a multiple of the size, as they are if the kernel chose the address, and where the system
 * allows it: see FilePmdMapped in /proc/PID/smaps, and
 * /sys/kernel/mm/transparent_hugepage/enabled for "never".  Into any other mapping mmap() puts
 * all pages before it returns.
 *
 * A page that MADV_DONTNEED dropped comes back at the next access.  Only in a mapping that mmap()
 * filled, a page that userfaultfd had write-protected does not: the access is a SIGBUS, or EFAULT
 * of a system call.
 */

/**
 * struct spscring_geometry - the shape of a ring; never changes.
 * @capacity:	  how many elements the ring holds, exactly as asked for; bytes, if records are of
 *		  variable size.
 * @frames:	  number of frames in the data; 0 if records are of variable size.
 * @data_bytes:	  size of the data section.
 * @memory:	  all the ring's pages, in bytes.
 * @consumer_offset: where the consumer's page is in the fd.
 * @info_offset:  where the info page is in the fd.
 * @producer_offset: where the producer's page is in the fd.
 * @data_offset:  where the data are in the fd.
 * @type_tag:	  as created.
 * @element_size:  as created.
 * @stride:	  from one element to the next within a frame; the alignment, if records are of
 *		  variable size.
 * @frame_size:	  a power of two; 0 if records are of variable size.
 * @frame_elements: elements in a frame; 0 if records are of variable size.
 * @frame_first:  where the first element is in a frame, whose tail is at 0; 0 if records are of
 *		  variable size.
 * @publish_batch:	  after so many elements, or bytes, the consumer stores its published head.
 * @page_size:	  of this machine.
 * @colour:	  where the control block is in the consumer's page, and in the producer's; the
 *		  kernel's is at SPSCRING_KERNEL_BLOCK + @colour in the info page.
 * @version:	  SPSCRING_VERSION of the kernel that made the ring.
 * @oldest_reader: the oldest version that can read the ring.
 * @features:	  SPSCRING_FEATURE_*.
 * @flags:	  as created.
 * @reserved:	  0.
 */
struct spscring_geometry {
	__u64 capacity;
	__u64 frames;
	__u64 data_bytes;
	__u64 memory;
	__u64 consumer_offset;
	__u64 info_offset;
	__u64 producer_offset;
	__u64 data_offset;
	__u64 type_tag;
	__u32 element_size;
	__u32 stride;
	__u32 frame_size;
	__u32 frame_elements;
	__u32 frame_first;
	__u32 publish_batch;
	__u32 page_size;
	__u32 colour;
	__u32 version;
	__u32 oldest_reader;
	__u32 features;
	__u32 flags;
	__u64 reserved;
};

/**
 * struct spscring_sleep_counters - how an end has slept.
 * @sleeps:	how often a WAIT, a read(), a write() or a wait of kernel code went to sleep.
 * @polls:	polls that were not ready.
 * @kicks:	kicks of this end, by its peer's KICK or by kernel code.
 * @wakes:	wake-ups of sleepers; a kick that wakes none was needless.
 * @interrupts:	how often its peer's CPUs were interrupted for it, see "Sleep".
 * @clears:	how often its fence bit was cleared: its peer need not fence from then on.
 * @refused:	how often its fence bit stayed set, as max_interrupts did not allow clearing it.
 * @reserved:	0.
 */
struct spscring_sleep_counters {
	__u64 sleeps;
	__u64 polls;
	__u64 kicks;
	__u64 wakes;
	__u64 interrupts;
	__u64 clears;
	__u64 refused;
	__u64 reserved;
};

/**
 * struct spscring_loss - what was lost, as the ends count it in their control blocks.
 * @drops:	records that the producer gave up for want of room; also what a driver lost by
 *		emptying its ring.
 * @overruns:	records that were overwritten before the consumer read them.
 * @high_water:	the most that was in use when the producer asked for room: elements, or bytes.
 * @sequence:	the sequence number of the next record, which is how many were pushed, dropped
 *		ones too; only of records of variable size.
 * @reserved:	0.
 */
struct spscring_loss {
	__u64 drops;
	__u64 overruns;
	__u64 high_water;
	__u64 sequence;
	__u64 reserved[4];
};

/**
 * struct spscring_info - SPSCRING_INFO: read a ring's state, on any of its fds.
 * @size:	sizeof(struct spscring_info); the kernel sets it to how much it has filled in.
 * @flags:	0.
 * @geometry:	the ring's shape.
 * @name:	as created.
 * @head:	the consumer's exact position, as it wrote it.
 * @tail:	the producer's exact position, as it wrote it.
 * @length:	elements, or bytes of records, that are published and not released: @tail - @head,
 *		limited to 0..capacity.  In a ring that overwrites, those not overwritten.
 * @free:	capacity - @length.
 * @producer_state: SPSCRING_UNCLAIMED to SPSCRING_DEAD.
 * @producer_generation: how often the producer's end has been claimed.
 * @consumer_state: SPSCRING_UNCLAIMED to SPSCRING_DEAD.
 * @consumer_generation: how often the consumer's end has been claimed.
 * @broken:	1 if an end, or a claim, found impossible words.  A driver can make its own ring
 *		work again by emptying it, while nobody holds the other end.
 * @reserved:	0.
 * @producer_sleep: how the producer has slept.
 * @consumer_sleep: how the consumer has slept.
 * @loss:	what was lost.
 * @id:		the ring's number, by which tracepoints, fdinfo, the kernel's log and the list of
 *		all rings (spscring/rings in debugfs) name it.  1 or more; no other ring has it
 *		until the module is unloaded.
 *
 * Returns 0.  The kernel reads the two positions one after the other while the ring runs.
 * Errors: EBADFD CREATE has not been called; EINVAL, E2BIG, EFAULT, EOPNOTSUPP.
 */
struct spscring_info {
	__u32 size;
	__u32 flags;
	struct spscring_geometry geometry;
	__u8  name[SPSCRING_NAME_MAX];
	__u64 head;
	__u64 tail;
	__u64 length;
	__u64 free;
	__u32 producer_state;
	__u32 producer_generation;
	__u32 consumer_state;
	__u32 consumer_generation;
	__u32 broken;
	__u32 reserved;
	struct spscring_sleep_counters producer_sleep;
	struct spscring_sleep_counters consumer_sleep;
	struct spscring_loss loss;
	__u64 id;
};

/* Two cache lines: the adjacent-line prefetcher pairs them. */
#define SPSCRING_LINE		128
#define SPSCRING_KERNEL_BLOCK	1024	/* in the info page, before the colour */
#define SPSCRING_COLOURS	16	/* colour is 0 to 15 times SPSCRING_LINE */

/*
 * The control blocks: the words that an end, or the kernel, writes for the others to read.
 * Words of one line have one writer, and the same readers.  A block is a multiple of a
 * cache line.
 */

/**
 * struct spscring_consumer_block - written by the consumer, at the colour of its page.
 * @cursor:	elements, or bytes of records, that are released, exactly.  The producer reads it
 *		only when it would otherwise report full.
 * @sequence:	the sequence number of the next record, if records are of variable size.
 * @failed:	pops that found nothing; updated from time to time.
 * @waits:	waits that spinning ended [0], and waits that went on to sleep [1].
 * @overruns:	records that were overwritten before they were read.
 * @reserved:	0.
 * @published_head: a copy of @cursor for the producer, stored once in a publish batch.
 * @reserved_head: 0.
 */
struct spscring_consumer_block {
	__u64 cursor;
	__u64 sequence;
	__u64 failed;
	__u64 waits[2];
	__u64 overruns;
	__u64 reserved[10];
	__u64 published_head;
	__u64 reserved_head[7];
};

/**
 * struct spscring_producer_block - written by the producer, at the colour of its page.
 * @cursor:	elements, or bytes of records, that are published.  For elements it lags: the
 *		tail of the frame that it lies in says how many more are published, and within a
 *		batch the tails of the next frames do.
 * @sequence:	the sequence number of the next record, if records are of variable size.
 * @failed:	pushes that found no room; updated from time to time.
 * @waits:	waits that spinning ended [0], and waits that went on to sleep [1].
 * @drops:	records that were dropped because the ring was full.
 * @high_water:	the most that was in use at once, as far as the producer knows.
 * @full_at:	1 + the consumer's cursor at which the producer last found no room; or 0.
 * @reserved:	0.
 * @oldest:	in a ring that overwrites: the position of the oldest record that is whole.
 * @oldest_sequence: the sequence number of that record.
 * @reserved_oldest: 0.
 */
struct spscring_producer_block {
	__u64 cursor;
	__u64 sequence;
	__u64 failed;
	__u64 waits[2];
	__u64 drops;
	__u64 high_water;
	__u64 full_at;
	__u64 reserved[8];
	__u64 oldest;
	__u64 oldest_sequence;
	__u64 reserved_oldest[6];
};

/*
 * The word before a record of variable size: its length, flags, and the low bits of its sequence
 * number.  No record is there yet if the word is 0, or if it is of the previous lap.
 */
#define SPSCRING_WORD_LENGTH		0xffffffffULL
#define SPSCRING_WORD_PUBLISHED		(1ULL << 32)
#define SPSCRING_WORD_DISCARDED		(1ULL << 33)	/* no record, pass it by */
#define SPSCRING_WORD_LAP		(1ULL << 34)	/* set in odd laps of the data */
#define SPSCRING_WORD_SEQUENCE		35		/* the lowest bit of the sequence number */
#define SPSCRING_WORD_SEQUENCE_MASK	((1ULL << (64 - SPSCRING_WORD_SEQUENCE)) - 1)

/* The word of an end's state: the state in the low half, the generation in the high one. */
#define SPSCRING_END_STATE(word)	((__u32)(word))
#define SPSCRING_END_GENERATION(word)	((__u32)((word) >> 32))

#define SPSCRING_EVENT_NONE		0x7fffffffffffffffULL	/* no position reaches it */
/* The fence bit: compare the event index only after a full fence. */
#define SPSCRING_EVENT_FENCE		0x8000000000000000ULL

/**
 * struct spscring_kernel_block - written by the kernel, in the info page.
 * @consumer_event: the consumer's event index: the producer kicks once its tail is here or beyond.
 *		SPSCRING_EVENT_NONE: nobody waits.  May have the fence bit.
 * @producer_event: the producer's event index: the consumer kicks once its head is here or
 *		beyond; otherwise as @consumer_event.
 * @consumer:	the consumer's state and generation.
 * @producer:	the producer's state and generation.
 * @broken:	1 when the ring is broken.
 * @reserved:	0.
 */
struct spscring_kernel_block {
	__u64 consumer_event;
	__u64 producer_event;
	__u64 consumer;
	__u64 producer;
	__u64 broken;
	__u64 reserved[3];
};

/**
 * struct spscring_info_page - the start of the info page.
 * @magic:	SPSCRING_MAGIC.
 * @geometry:	the ring's shape.
 * @name:	as created.
 */
struct spscring_info_page {
	__u64 magic;
	struct spscring_geometry geometry;
	__u8  name[SPSCRING_NAME_MAX];
};

/* Fail the build, in the kernel and in user space, if the layout has changed by accident. */
#ifdef __cplusplus
#define SPSCRING_ASSERT(x)	static_assert(x, #x)
#else
#define SPSCRING_ASSERT(x)	_Static_assert(x, #x)
#endif
SPSCRING_ASSERT(sizeof(struct spscring_create) == 80);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_create, type_tag) == 32);
SPSCRING_ASSERT(sizeof(struct spscring_endpoint) == 24);
SPSCRING_ASSERT(sizeof(struct spscring_shutdown) == 8);
SPSCRING_ASSERT(sizeof(struct spscring_geometry) == 128);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_geometry, element_size) == 72);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_geometry, colour) == 100);
SPSCRING_ASSERT(sizeof(struct spscring_wait) == 24);
SPSCRING_ASSERT(sizeof(struct spscring_notify) == 24);
SPSCRING_ASSERT(sizeof(struct spscring_info) == 424);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_info, head) == 168);
SPSCRING_ASSERT(sizeof(struct spscring_consumer_block) == 192);
SPSCRING_ASSERT(sizeof(struct spscring_producer_block) == 192);
SPSCRING_ASSERT(sizeof(struct spscring_kernel_block) == 64);
SPSCRING_ASSERT(sizeof(struct spscring_info_page) <= SPSCRING_KERNEL_BLOCK);
SPSCRING_ASSERT(SPSCRING_KERNEL_BLOCK + SPSCRING_COLOURS * SPSCRING_LINE +
		sizeof(struct spscring_kernel_block) <= 4096);

#endif /* _UAPI_LINUX_SPSCRING_H */

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
#define SPSCRING_SHUT_DOWN	2	/* by SHUTDOWN */
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
 * Sleep.  An end that waits tells the kernel an index, and the kernel tells the peer by
 * its lines: "wake me there".  The peer looks after each publish or release, and makes a
 * system call (KICK) only when the index is reached; kernel code wakes directly.
 * Between its store and that look the peer needs a full fence, but only where somebody
 * sleeps: the word has SPSCRING_EVENT_FENCE then.  Who is to sleep has the kernel set it, and
 * interrupt the CPUs on which the peer may be running; once nobody has begun to sleep
 * for some time (the parameter quiet_us) it is cleared.  So a stream makes no fence, and
 * a trickle no interrupts.  The module's parameter max_interrupts bounds how often a
 * second it is cleared, and with that the interrupts.
 *
 * A ring made with
 *
 *	BUSY_POLL	has no fence, and nobody can wait on it (EOPNOTSUPP, POLLERR);
 *	FENCE		has one after each publish and release, and interrupts nobody: for
 *			peers on CPUs that are to be left alone.
 *
 * Who waits for more than one record does not wait for what cannot come.  While the
 * producer waits for room (in WAIT, ARM or write(), or since a poll that was not ready),
 * or has found none by a push, or dropped a record, since the consumer's cursor last
 * moved, whatever is there is enough for the consumer: WAIT and ARM for any number are
 * done, and poll is ready, whatever its watermark.  So is what is there when the
 * producer kicks with KICK_NOW.  A watermark, or two of both ends, may so be larger than
 * what the ring can hold beside the next record.  A ring that overwrites finds room always.
 */
#define SPSCRING_WAIT_ARM	(1U << 0)	/* tell the index, and return */
#define SPSCRING_WAITERS_MAX	64		/* WAITs on an end at once */

/**
 * struct spscring_wait - SPSCRING_WAIT: sleep until there are records, or room.
 * @size:	sizeof(struct spscring_wait).
 * @flags:	SPSCRING_WAIT_*.
 * @index:	of the consumer: wake when the records before it are published; of
 *		the producer: when the slots before it are free.  So cursor + n waits
 *		for n, 0 to the capacity; what lies 2^62 or more behind is refused too.
 * @deadline:	CLOCK_MONOTONIC in ns, absolute; negative: none.  With ARM -1.
 *
 * On an endpoint fd.  Several may wait at once, each for its own index.  Returns
 * 0 once @index is reached; of the consumer also with fewer records there, but not none,
 * where these are enough, see above; with ARM at once: pollers and the eventfd are woken
 * at the least of the indices armed.  Errors: ETIMEDOUT; ESHUTDOWN this end has shut
 * down, or the peer has, or EPIPE the peer has died or the ring is broken, and then
 * @index will not be reached; EINTR a signal's handler ran that does not restart
 * system calls (SA_RESTART restarts: the deadline stays what it was); EBUSY
 * SPSCRING_WAITERS_MAX wait already; EOPNOTSUPP a BUSY_POLL ring; EPERM not an
 * endpoint fd; EINVAL also an index out of range; E2BIG, EFAULT.
 */
struct spscring_wait {
	__u32 size;
	__u32 flags;
	__u64 index;
	__s64 deadline;
};

/*
 * SPSCRING_KICK: wake those of the peer who wait for what is there by now.  On an
 * endpoint fd, with the flags for its argument.  The inlines call it; by itself it
 * does no harm.  Returns 0.  Errors: EINVAL unknown flags; EPERM not an endpoint fd.
 */
#define SPSCRING_KICK_NOW	(1U << 0)	/* what is there is enough for the peer's pollers,
						 * and for a consumer's WAITs
						 */

/**
 * struct spscring_notify - SPSCRING_NOTIFY: how this end is told by poll and eventfd.
 * @size:	sizeof(struct spscring_notify).
 * @flags:	0.
 * @watermark:	poll's watermark: records, or slots, until it says ready, or fewer records
 *		where these are enough, see "Sleep"; 0 is 1.  In bytes where records are
 *		of any size.
 * @eventfd:	an eventfd that is signalled where poll, or ARM, has armed the end,
 *		or -1 for none.
 * @timeout:	in ns: with a watermark, how long a first record may wait for the
 *		rest until poll says ready all the same; 0: for ever.  Counted, from
 *		when a poll sleeps for it, for each first record anew.
 *
 * On an endpoint fd; takes the place of what was told before, a time that runs
 * included, and holds for as long as the end.  Returns 0.
 *
 * poll says POLLIN or POLLOUT at the watermark; and POLLRDHUP once the peer has shut
 * down, POLLHUP once it has died, both once this end is over, POLLERR in a broken ring.
 * Each of these has POLLOUT with it, and POLLRDHUP has POLLIN: the next call does not
 * block.  With O_ASYNC (fcntl(F_SETFL), F_SETOWN, F_SETSIG) the owner is sent SIGIO, or
 * that signal with POLL_IN or POLL_OUT, when poll would say any of it, and again for
 * what is published or released after that: as with a pipe, read or write until EAGAIN
 * once O_ASYNC is on, and after each signal.  EOPNOTSUPP in a BUSY_POLL ring.
 *
 * Errors: ESHUTDOWN this end has shut down; EBADF no such fd, EINVAL not an eventfd, or a
 * watermark beyond the capacity; EOPNOTSUPP a BUSY_POLL ring; EPERM not an
 * endpoint fd; E2BIG, EFAULT.
 */
struct spscring_notify {
	__u32 size;
	__u32 flags;
	__u32 watermark;
	__s32 eventfd;
	__u64 timeout;
};

#define SPSCRING_FEATURE_HUGE	(1U << 0)	/* data of huge pages */

/*
 * The pages, in this order, each section a whole number of pages.
 *
 *	consumer	its control block			consumer writes
 *	info		geometry; the kernel's control block	kernel writes
 *	producer	its control block			producer writes
 *	data		the frames, or the records		producer writes
 *	data		again, where records are of any size: so none is split
 *
 * mmap() takes any page-aligned part, MAP_SHARED only (EINVAL otherwise).
 * PROT_WRITE over anything that the fd may not write is EACCES, PROT_EXEC
 * always (EPERM where the kernel itself refuses it first, as on a noexec
 * mount); ENXIO past the end; EINTR killed.  So an end maps twice:
 *
 *	producer	[consumer, info] read-only, [producer, data] writable
 *	consumer	[consumer] writable, [info, producer, data] read-only
 *	ring fd		everything read-only
 *
 * The data are chunks of contiguous memory, the largest that were to be had at once,
 * and single pages where there were none.  SPSCRING_FEATURE_HUGE says that all of
 * them, less what is left over at the end, are chunks that one entry of a page table
 * maps (a PMD's: 2 MiB, say), and that they lie at multiples of that in the fd.  The
 * pages then begin at consumer_offset and not at 0; ENXIO before it.  A mapping at
 * least as long, where the kernel chose the address or its own is as far from such a
 * multiple as the offset is, gets such entries as it is touched, or at once with
 * MAP_POPULATE, if the system lets it: see FilePmdMapped in /proc/PID/smaps, and
 * /sys/kernel/mm/transparent_hugepage/enabled for "never".  In any other mapping, and
 * without the feature, mmap() maps all pages before it returns.  What MADV_DONTNEED
 * dropped comes back at the next access; in such a mapping not where userfaultfd had
 * write-protected it, which is a SIGBUS, or EFAULT of a system call.
 */

/**
 * struct spscring_geometry - what a ring is; never changes.
 * @capacity:	  records, exactly as asked; bytes where they are of any size, and then
 *		  the next six of frames and records are 0, but for @stride.
 * @frames:	  frames in the data.
 * @data_bytes:	  size of the data section.
 * @memory:	  all the ring's pages, in bytes.
 * @consumer_offset: where the consumer's page is in the fd.
 * @info_offset:  where the info page is in the fd.
 * @producer_offset: where the producer's page is in the fd.
 * @data_offset:  where the data are in the fd.
 * @type_tag:	  as created.
 * @element_size:  as created.
 * @stride:	  from one record to the next within a frame; or what records of any
 *		  size are aligned to.
 * @frame_size:	  power of two.
 * @frame_elements: records in a frame.
 * @frame_first:  where the first record is in a frame; its tail is at 0.
 * @publish_batch:	  the consumer tells its head about once in so many records, or bytes.
 * @page_size:	  of this machine.
 * @colour:	  where the control block is in the consumer's and the producer's
 *		  page; the kernel's is at SPSCRING_KERNEL_BLOCK + @colour of the
 *		  info page.
 * @version:	  SPSCRING_VERSION of the kernel that made it.
 * @oldest_reader: the oldest version that can read it.
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
 * @sleeps:	WAITs that went to sleep.
 * @polls:	polls that found nothing.
 * @kicks:	KICKs of its peer, or of kernel code.
 * @wakes:	of those that slept; a kick that wakes none was needless.
 * @interrupts:	how often its peer's CPUs were interrupted for it, see "Sleep".
 * @clears:	how often its peer was told that it need not fence any more.
 * @refused:	how often not, as max_interrupts did not allow it.
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
 * struct spscring_loss - what did not arrive, by what the ends write.
 * @drops:	records that the producer gave up, for want of room; or a driver, which
 *		has emptied its ring.
 * @overruns:	records that were overwritten before the consumer came.
 * @high_water:	the most that was in use when the producer asked for room.
 * @sequence:	of the next record: how many were pushed, dropped ones too; of
 *		records of any size only.
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
 * struct spscring_info - SPSCRING_INFO: look at a ring, on any of its fds.
 * @size:	sizeof(struct spscring_info); set to what was filled in.
 * @flags:	0.
 * @geometry:	what it is.
 * @name:	as created.
 * @head:	the consumer's exact cursor, as it wrote it.
 * @tail:	the producer's exact cursor, as it wrote it.
 * @length:	records published and not released: @tail - @head, in 0..capacity.
 * @free:	capacity - @length.
 * @producer_state: SPSCRING_UNCLAIMED to SPSCRING_DEAD.
 * @producer_generation: how often the end has been claimed.
 * @consumer_state: likewise.
 * @consumer_generation: likewise.
 * @broken:	1 when an end's words were found impossible; a driver can mend its
 *		own ring, once that end is held by nobody.
 * @reserved:	0.
 * @producer_sleep: how the producer has slept.
 * @consumer_sleep: likewise.
 * @loss:	what did not arrive.
 *
 * Returns 0.  The two cursors are read one after the other while the ring runs.
 * Errors: EBADFD no ring yet; EINVAL, E2BIG, EFAULT, EOPNOTSUPP.
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
};

/* Two cache lines: the adjacent-line prefetcher pairs them. */
#define SPSCRING_LINE		128
#define SPSCRING_KERNEL_BLOCK	1024	/* in the info page, before the colour */
#define SPSCRING_COLOURS	16	/* colour is one of so many times a line */

/*
 * The control blocks: the words that an end, or the kernel, writes for the others to read.
 * Words of one line have one writer, and the same readers.  A block is a multiple of a
 * cache line.
 */

/**
 * struct spscring_consumer_block - written by the consumer, at the colour of its page.
 * @cursor:	elements released, or bytes of records, exactly.  The producer seldom reads it.
 * @sequence:	where records are of any size, the sequence number of the next.
 * @failed:	pops that found nothing, updated now and then.
 * @waits:	waits that polling ended; waits that slept.
 * @overruns:	records that were overwritten before they were read.
 * @reserved:	0.
 * @published_head: @cursor as the producer is to see it, stored once a publish batch.
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
 * @cursor:	elements published, or bytes of records.  Elements may be
 *		more, by the tail of the frame that it is in, and within a batch by those
 *		of the next ones.
 * @sequence:	where records are of any size, the sequence number of the next.
 * @failed:	pushes that found no room, updated now and then.
 * @waits:	waits that polling ended; waits that slept.
 * @drops:	records that were dropped, as the ring was full.
 * @high_water:	the most that was in use at once, as the producer knows it.
 * @full_at:	the consumer's cursor at which the producer last found no room, + 1; or 0.
 * @reserved:	0.
 * @oldest:	of a ring that overwrites: where the oldest record is that is whole.
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
 * The word before a record of any size: its length, and the low bits of its
 * sequence number.  0 is not there yet; so is one whose lap is that before.
 */
#define SPSCRING_WORD_LENGTH		0xffffffffULL
#define SPSCRING_WORD_PUBLISHED		(1ULL << 32)
#define SPSCRING_WORD_DISCARDED		(1ULL << 33)	/* there is none, only its room */
#define SPSCRING_WORD_LAP		(1ULL << 34)	/* odd laps of the data */
#define SPSCRING_WORD_SEQUENCE		35		/* from this bit on */
#define SPSCRING_WORD_SEQUENCE_MASK	((1ULL << (64 - SPSCRING_WORD_SEQUENCE)) - 1)

/* The word of an end's state: the state in the low half, the generation in the high one. */
#define SPSCRING_END_STATE(word)	((__u32)(word))
#define SPSCRING_END_GENERATION(word)	((__u32)((word) >> 32))

#define SPSCRING_EVENT_NONE		0x7fffffffffffffffULL	/* no cursor comes here */
#define SPSCRING_EVENT_FENCE		0x8000000000000000ULL	/* believe the index only behind a fence */

/**
 * struct spscring_kernel_block - written by the kernel, in the info page.
 * @consumer_event: the consumer's event index: kick when the tail is here or beyond;
 *		SPSCRING_EVENT_NONE: nobody waits.
 * @producer_event: the producer's: kick when the head is here or beyond; likewise.
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
 * @geometry:	what the ring is.
 * @name:	as created.
 */
struct spscring_info_page {
	__u64 magic;
	struct spscring_geometry geometry;
	__u8  name[SPSCRING_NAME_MAX];
};

/* The layout does not change by accident, on either side. */
#ifdef __cplusplus
#define SPSCRING_ASSERT(x)	static_assert(x, #x)
#else
#define SPSCRING_ASSERT(x)	_Static_assert(x, #x)
#endif
SPSCRING_ASSERT(sizeof(struct spscring_create) == 72);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_create, type_tag) == 32);
SPSCRING_ASSERT(sizeof(struct spscring_endpoint) == 24);
SPSCRING_ASSERT(sizeof(struct spscring_shutdown) == 8);
SPSCRING_ASSERT(sizeof(struct spscring_geometry) == 128);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_geometry, element_size) == 72);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_geometry, colour) == 100);
SPSCRING_ASSERT(sizeof(struct spscring_wait) == 24);
SPSCRING_ASSERT(sizeof(struct spscring_notify) == 24);
SPSCRING_ASSERT(sizeof(struct spscring_info) == 416);
SPSCRING_ASSERT(__builtin_offsetof(struct spscring_info, head) == 168);
SPSCRING_ASSERT(sizeof(struct spscring_consumer_block) == 192);
SPSCRING_ASSERT(sizeof(struct spscring_producer_block) == 192);
SPSCRING_ASSERT(sizeof(struct spscring_kernel_block) == 64);
SPSCRING_ASSERT(sizeof(struct spscring_info_page) <= SPSCRING_KERNEL_BLOCK);
SPSCRING_ASSERT(SPSCRING_KERNEL_BLOCK + SPSCRING_COLOURS * SPSCRING_LINE +
		sizeof(struct spscring_kernel_block) <= 4096);

#endif /* _UAPI_LINUX_SPSCRING_H */

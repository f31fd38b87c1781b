/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _SPSCRING_RING_INTERNAL_H
#define _SPSCRING_RING_INTERNAL_H

#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/pgtable.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/uidgid.h>
#include <spscring/view.h>
#include <linux/wait.h>

struct fence_budget;
struct file;
struct file_lock;
struct iov_iter;
struct kiocb;
struct memory_account;
struct mm_struct;
struct pid;
struct spscring_consumer;
struct spscring_producer;
struct spscring_record_consumer;
struct spscring_record_producer;
struct spscring_watch;
struct task_struct;
struct vm_area_struct;

/* Sections of the ring's pages, in the order in which an fd maps them. */
enum ring_page {
	RING_PAGE_CONSUMER,
	RING_PAGE_INFO,
	RING_PAGE_PRODUCER,
	RING_PAGE_DATA,		/* the first of many */
};

/* The fence bit (SPSCRING_EVENT_FENCE) of an end's event index, see fence.c. */
struct ring_fence {
	bool set;			/* the event index has the bit */
	bool timing;			/* the timer runs */
	ktime_t armed_at;		/* when the event index was armed last */
	struct hrtimer timer;		/* clears the bit after the quiet time */
};

/* Processes that may write an end's words, each with its number of mappings. */
#define RING_WRITERS	4

struct ring_writers {
	spinlock_t lock;		/* guards all but cpu */
	struct {
		struct mm_struct *mm;	/* NULL: free; no reference, mappings keep it alive */
		unsigned int mappings;
	} mms[RING_WRITERS];
	unsigned int more;		/* mappings of processes that found no free entry */
	int cpu;			/* where kernel code stored last; -1: nowhere */
};

/*
 * An end's waiters, and the indices that they wait for.  An index is one of the end's own
 * positions.  queue.lock guards all of it, and the end's event index in the kernel's block.
 */
struct ring_sleep {
	struct ring_end *end;
	wait_queue_head_t queue;	/* pollers */
	struct list_head waiters;	/* struct ring_waiter, of WAIT */
	/* these four are also read without the lock, see wait_for_room() */
	u32 waiting;			/* entries of waiters, at most SPSCRING_WAITERS_MAX */
	u64 poll_index;			/* index that poll has armed; 0: none */
	bool poll_early;			/* the poll that armed it was not ready */
	u64 arm_index;			/* least index that WAIT_ARM has armed; 0: none */
	u32 watermark;			/* the pollers' watermark */
	u64 write_bytes;			/* bytes of a write that found no room; 0: none */
	u64 late_at;			/* cursor + 1 at which the timeout expired; 0: none */
	u64 now_at;			/* cursor + 1 at which a kick with NOW came; 0: none */
	ktime_t timeout;		/* of the watermark; 0: none */
	struct hrtimer timer;		/* the timeout */
	u64 timer_at;			/* cursor + 1 for which the timer runs; 0: it is off */
	struct eventfd_ctx *eventfd;
	struct fasync_struct *fasync;	/* has its own locks */
	struct irq_work work;		/* wakes on behalf of a context that cannot, such as NMI */
	bool worked;			/* the work has been queued at least once */
	int work_now;			/* the queued work is for SPSCRING_KICK_NOW */
	struct ring_fence fence;
	struct ring_writers writers;	/* of this end's words: the peer's waiter interrupts them */
	struct spscring_sleep_counters count;
};

struct ring_end {
	u32 state;		/* SPSCRING_UNCLAIMED to SPSCRING_DEAD */
	u32 generation;		/* how often it has been claimed */
	bool kernel;		/* held by kernel code */
	bool left;		/* the last user has closed it */
	bool again;		/* SPSCRING_WATCH_REOPEN */
	bool maps;		/* the holder has not mapped yet: tell the watch when it does */
	bool shutting_down;	/* the holder has asked for SHUTDOWN: its verbs are refused */
	u32 role;
	struct pid *pid;	/* the process that holds it, see list.c; NULL: kernel code, none */
	struct spscring *ring;
	const struct spscring_watch *watch;	/* under watch_lock */
	struct ring_sleep *sleep;	/* NULL in a BUSY_POLL ring */
};

/*
 * A ring.  It lives as long as a file or a driver refers to it.  Its locks nest in this
 * order: watch_lock, claiming, lock.
 */
struct spscring {
	struct kref ref;
	struct mutex watch_lock; /* one user's claim or close of a driver's ring at a time */
	struct task_struct *watch_caller;	/* the task that runs a callback, or NULL */
	bool watch_maps;	/* a watch has @mapped, or had it */
	struct mutex claiming;	/* one claim or reset at a time, with its recovery */
	bool resetting;		/* a reset holds claiming */
	struct mutex lock;	/* ends; held briefly, and never across a user memory access */
	/* blocks and data: the kernel's addresses, in the pages or in home */
	union {
		struct {
			struct spscring_geometry geometry;
			struct spscring_blocks blocks;
			void *data;
		};
		struct spscring_view view;
	};
	u8 name[SPSCRING_NAME_MAX];
	u64 id;
	kuid_t uid;		/* of a user's ring: who made it */
	atomic_t broken;
	struct ring_end producer;
	struct ring_end consumer;
	wait_queue_head_t ends;		/* woken when an end changes hands, or the ring breaks */
	struct irq_work broken_work;	/* wakes ends for a context that cannot */
	bool broken_worked;		/* the work has been queued */

	/*
	 * The pages in the order in which an fd, and base in the kernel, map them.  Where records
	 * are of variable size, the data pages follow a second time.
	 */
	struct page **pages;
	unsigned long nr_pages;		/* each page counted once */
	unsigned long nr_mapped;	/* entries of pages */
	unsigned long pgoff;		/* offset of the first page in an fd, in pages */
	void *base;

	void *home;			/* slab memory that holds this struct, see memory.c */

	struct memory_account *account;	/* who pays; NULL: a driver's ring */
	struct fence_budget *budget;	/* of the interrupts that fence_interrupt() sends */
	bool of_user;		/* made by CREATE: users may claim its ends */
	bool private;		/* no user ever reaches it */
};

/* Pages that a PMD entry maps, as a power of two. */
#define RING_HUGE_ORDER	(PMD_SHIFT - PAGE_SHIFT)

extern unsigned long ring_max_bytes;
extern unsigned int ring_default_frame_size;
extern unsigned int fence_max_interrupts;
extern unsigned int fence_quiet_us;

static inline bool ring_role_valid(u32 role)
{
	return role == SPSCRING_PRODUCER || role == SPSCRING_CONSUMER;
}

/* Has this end's holder asked for SHUTDOWN?  Each verb checks it before it moves a record. */
static inline bool ring_shutting_down(const struct spscring *ring, u32 role)
{
	const struct ring_end *end = role == SPSCRING_PRODUCER ? &ring->producer : &ring->consumer;

	return READ_ONCE(end->shutting_down);
}

/*
 * Is the walk of a claim to stop?  A claim stops when its caller is killed.  A reset goes on:
 * it is the driver's, and may run in the task of any user.
 */
static inline bool ring_killed(const struct spscring *ring)
{
	return !ring->resetting && fatal_signal_pending(current);
}

static inline u32 ring_peer(u32 role)
{
	return role == SPSCRING_PRODUCER ? SPSCRING_CONSUMER : SPSCRING_PRODUCER;
}

/* Who may use a ring. */
enum ring_owner {
	RING_OF_USER,		/* its creator is a user, who pays */
	RING_OF_DRIVER,		/* kernel code, and users of what it exports */
	RING_PRIVATE,		/* kernel code only */
};

struct spscring *ring_create(const struct spscring_create *want, enum ring_owner owner, u32 *why);
struct spscring *ring_get(struct spscring *ring);
void ring_put(struct spscring *ring);

int ring_check_type(const struct spscring *ring, u32 element_size, u64 type_tag);
int ring_claim(struct spscring *ring, u32 role, bool kernel);
int ring_wait_end(struct spscring *ring, u32 role, long *pause);
__poll_t ring_ends_mask(struct spscring *ring);
bool ring_held_by_kernel(struct spscring *ring, u32 role);
void ring_begin_shutdown(struct spscring *ring, u32 role);
u32 ring_close_end(struct spscring *ring, u32 role, u32 state);
void ring_close_kernel_end(struct spscring *ring, u32 role, u32 state);
void ring_set_reopen(struct spscring *ring, u32 role, bool again);
struct ring_end *ring_end_of(struct spscring *ring, u32 role);
int ring_shut_down(const struct ring_end *end);

/* position.c: the positions of the ends */
bool ring_has_flag(const struct spscring *ring, u32 flag);
u64 *ring_tail(struct spscring *ring, u64 frame);
u64 ring_producer_position(struct spscring *ring);
u64 *ring_word(struct spscring *ring, u64 pos);
u64 ring_oldest(struct spscring *ring);
void ring_cursors(struct spscring *ring, u64 *head, u64 *tail);
u64 ring_next_bytes(struct spscring *ring);
void ring_info(struct spscring *ring, struct spscring_info *info);
u64 *ring_event(struct spscring *ring, u32 role);
u64 ring_cursor(struct spscring *ring, u32 role);
void ring_poll_counts(struct spscring *ring, u32 role, u64 *failed, u64 *polled);
u64 ring_full_at(struct spscring *ring);
u64 ring_seen(struct spscring *ring, u32 role, u64 cursor);
bool ring_reached(struct spscring *ring, u32 role, u64 index);
int ring_peer_ended(struct spscring *ring, u32 role);

/* recover.c: recovery after a death, and a driver's reset */
int ring_recover(struct spscring *ring, u32 role);
int ring_reset(struct spscring *ring, u32 role, u64 pos, u64 sequence);

/* wait.c: sleep and wake */
void wait_init(struct ring_end *end);
void wait_exit(struct ring_end *end);
void wait_begin(struct ring_end *end);
void wait_wake(struct ring_end *end, bool now);
int wait_ready(struct spscring *ring, u32 role, u64 index);
int wait_sleep(struct spscring *ring, u32 role, u64 index, s64 deadline);
int wait_arm(struct spscring *ring, u32 role, u64 index);
void wait_forget(struct ring_end *end);

/* poll.c: poll, eventfd, SIGIO, watermarks */
__poll_t wait_poll(struct spscring *ring, u32 role, struct file *file, poll_table *table);
int wait_fasync(struct spscring *ring, u32 role, int fd, struct file *file, int on);
int wait_notify(struct spscring *ring, u32 role, const struct spscring_notify *want);
void wait_for_bytes(struct ring_end *end, u64 bytes);

/* fence.c: the fence bit, and the interrupts that stand in for the peer's fences */
void fence_init(void);
void fence_exit(void);
struct fence_budget *fence_budget_get(bool for_user);
void fence_budget_put(struct fence_budget *budget);
void fence_map(struct ring_end *end, struct mm_struct *mm);
void fence_unmap(struct ring_end *end, struct mm_struct *mm);
bool fence_arm(struct ring_end *end);
void fence_interrupt(struct ring_end *end);
void fence_idle(struct ring_end *end);
void fence_begin(struct ring_end *end);
void fence_end(struct ring_end *end);

/* handle.c: the kernel's handles, at the ends' cursors */
int ring_producer_handle(struct spscring *ring, struct spscring_producer *p);
int ring_consumer_handle(struct spscring *ring, struct spscring_consumer *c);
int ring_record_producer_handle(struct spscring *ring, struct spscring_record_producer *p);
int ring_record_consumer_handle(struct spscring *ring, struct spscring_record_consumer *c);

/* watch.c: users' claims and closes, and a driver's callbacks for them */
int watch_claim(struct spscring *ring, u32 role);
int watch_map(struct spscring *ring, u32 role);
void watch_end(struct spscring *ring, u32 role);

/* export.c: ends as device nodes */
void export_remove(struct spscring *ring);
int export_init(void);
void export_exit(void);

/* rw.c: read() and write() */
ssize_t rw_read(struct spscring *ring, struct mutex *lock, struct kiocb *iocb,
		struct iov_iter *to);
ssize_t rw_write(struct spscring *ring, struct mutex *lock, struct kiocb *iocb,
		 struct iov_iter *from);

/* memory.c: a ring's memory, and who pays for it */
int memory_charge(struct spscring *ring);
bool memory_node_allowed(int node);
struct spscring *memory_alloc_ring(const struct spscring_geometry *g, enum ring_owner owner,
				   int node, u64 id);
void memory_free_ring(struct spscring *ring);
int memory_alloc(struct spscring *ring, int node);
void memory_free(struct spscring *ring);
unsigned long memory_used(void);
void memory_exit(void);

/* memmap.c: which pages each role may map, and write */
bool memmap_writable(u32 role, unsigned long first, unsigned long n);
void memmap_lay_out(struct spscring *ring);
int memmap_mmap(struct spscring *ring, u32 role, struct vm_area_struct *vma);
int memmap_pinned(struct spscring *ring, u32 role);

/* endpoint.c: one end of one ring, held by a file */
struct file *endpoint_file(struct spscring *ring, u32 role);
int endpoint_fd(struct spscring *ring, u32 role);
int endpoint_open(struct file *file, struct spscring *ring, u32 role);

/* chardev.c: /dev/spscring, and what its files share with those of the ends */
int copy_from_caller(void *to, size_t known, size_t least, void __user *from);
int show_info(struct spscring *ring, void __user *arg);
void make_stream(struct file *file);
int stream_lock(struct file *file, int cmd, struct file_lock *lock);
#ifdef CONFIG_COMPAT
long no_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
#else
#define no_compat_ioctl NULL
#endif
struct spscring *ring_from_file(struct file *file);
int chardev_init(void);
void chardev_exit(void);

#endif

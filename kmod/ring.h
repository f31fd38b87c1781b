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
#include <linux/spscring_ring.h>
#include <linux/wait.h>

struct fence_budget;
struct file;
struct iov_iter;
struct kiocb;
struct memory_account;
struct mm_struct;
struct seq_file;
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

/* Of the word that tells an end's peer when to wake it: its bit SPSCRING_FENCE, see fence.c. */
struct ring_fence {
	bool set;			/* it is in the word */
	bool timing;			/* the timer runs */
	ktime_t armed_at;		/* when somebody was told by the word last */
	struct hrtimer timer;
};

/* Processes that may write an end, each with how often it has mapped it. */
#define RING_WRITERS	4

struct ring_writers {
	spinlock_t lock;		/* of all but cpu */
	struct {
		struct mm_struct *mm;	/* NULL: none; stays while it has a mapping */
		unsigned int mappings;
	} mms[RING_WRITERS];
	unsigned int more;		/* mappings of further ones */
	int cpu;			/* where kernel code stored last; -1: nowhere */
};

/*
 * Who of an end sleeps, and until where; an index is one of the end's own
 * positions.  The lock of queue guards it all, and the end's "wants" word.
 */
struct ring_sleep {
	struct ring_end *end;
	wait_queue_head_t queue;	/* pollers */
	struct list_head waiters;	/* struct ring_waiter */
	/* these four are read without the lock as well, see wait_for_room() */
	u32 waiting;			/* of them, at most SPSCRING_WAITERS_MAX */
	u64 armed;			/* where to wake the pollers; 0: nowhere */
	bool less;			/* a poll that was not ready has armed it */
	u64 asked;			/* the same, by WAIT_ARM; the least */
	u32 records;			/* their watermark */
	u64 need;			/* bytes of a write that found no room; 0: none */
	u64 late_at;			/* where they have waited for it long enough; cursor + 1 */
	u64 now_at;			/* where a kick with NOW came; likewise */
	ktime_t timeout;		/* 0: for ever */
	struct hrtimer timer;
	u64 timer_at;			/* whose first record it times; likewise, 0: it is off */
	struct eventfd_ctx *eventfd;
	struct fasync_struct *fasync;	/* its own locks */
	struct irq_work work;		/* wakes for a context that cannot */
	bool worked;			/* it has been queued */
	int work_now;			/* with SPSCRING_KICK_NOW */
	struct ring_fence fence;
	struct ring_writers writers;	/* of the end's words, for who sleeps at the other one */
	struct spscring_sleep_counters count;
};

struct ring_end {
	u32 state;		/* SPSCRING_UNCLAIMED to SPSCRING_DEAD */
	u32 generation;
	bool kernel;		/* held by kernel code */
	bool left;		/* shut down by a user, who has closed since */
	bool again;		/* SPSCRING_WATCH_AGAIN */
	bool over;		/* its holder has asked for SHUTDOWN: no verb begins any more */
	u32 role;
	struct spscring *ring;
	const struct spscring_watch *watch;	/* under watch_lock */
	struct ring_sleep *sleep;	/* NULL: of a ring that is only polled */
};

/* A ring.  It lives as long as a file or a driver refers to it. */
struct spscring {
	struct kref ref;
	struct mutex watch_lock; /* outside of it: users' claims and closes of a driver's ring */
	struct task_struct *watch_caller;	/* in a callback */
	struct mutex claiming;	/* one claim at a time, its recovery included; lock nests in it */
	bool resetting;		/* under claiming */
	struct mutex lock;	/* ends; held briefly, and across no user memory access */
	struct spscring_geometry geometry;
	u8 name[SPSCRING_NAME_MAX];
	u64 id;
	atomic_t broken;
	struct ring_end producer;
	struct ring_end consumer;
	wait_queue_head_t ends;		/* woken when an end changes hands, or the ring breaks */
	struct irq_work broken_work;	/* wakes them for a context that cannot */
	bool broken_worked;		/* it has been queued */

	/*
	 * The pages, as they are mapped by an fd and at base by the kernel: where
	 * records are of any size, those of the data once more behind the others.
	 */
	struct page **pages;
	unsigned long nr_pages;		/* each counted once */
	unsigned long nr_mapped;
	unsigned long pgoff;		/* of the first, in an fd */
	void *base;

	/* Where the kernel has the blocks and the data, in the pages or in slab memory. */
	struct spscring_blocks blocks;
	void *data;
	void *home;			/* the allocation of this struct, and maybe of those */

	struct memory_account *account;	/* who pays; NULL: a driver's ring */
	struct fence_budget *budget;	/* of interrupts */
	bool of_user;		/* made by CREATE, so users may claim its ends */
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

/* May a verb of this end still begin?  Told by each before it moves a record. */
static inline bool ring_is_over(const struct spscring *ring, u32 role)
{
	return READ_ONCE((role == SPSCRING_PRODUCER ? &ring->producer : &ring->consumer)->over);
}

/* A claim ends with him who makes it; a reset is the driver's, in whose process it may be. */
static inline bool ring_killed(const struct spscring *ring)
{
	return !ring->resetting && fatal_signal_pending(current);
}

static inline u32 ring_peer(u32 role)
{
	return role == SPSCRING_PRODUCER ? SPSCRING_CONSUMER : SPSCRING_PRODUCER;
}

/* Who is to use a ring. */
enum ring_owner {
	RING_OF_USER,		/* its creator is a user, who pays */
	RING_OF_DRIVER,		/* kernel code, and users of what it exports */
	RING_PRIVATE,		/* kernel code only */
};

struct spscring *ring_create(const struct spscring_create *want, enum ring_owner owner);
struct spscring *ring_get(struct spscring *ring);
void ring_put(struct spscring *ring);

int ring_expect(const struct spscring *ring, u32 record_size, u64 type_tag);
int ring_claim(struct spscring *ring, u32 role, bool kernel);
int ring_wait_end(struct spscring *ring, u32 role, long *pause);
__poll_t ring_ends_mask(struct spscring *ring);
bool ring_held_by_kernel(struct spscring *ring, u32 role);
void ring_over(struct spscring *ring, u32 role);
u32 ring_end(struct spscring *ring, u32 role, u32 state);
void ring_end_kernel(struct spscring *ring, u32 role, u32 state);
void ring_set_again(struct spscring *ring, u32 role, bool again);
struct ring_end *ring_end_of(struct spscring *ring, u32 role);
int ring_shut_down(const struct ring_end *end);

/* position.c: where the ends are */
bool ring_has(const struct spscring *ring, u32 flag);
u64 *ring_tail(struct spscring *ring, u64 frame);
u64 ring_frame_published(struct spscring *ring, u64 pos);
u64 ring_producer_position(struct spscring *ring);
u64 *ring_word(struct spscring *ring, u64 pos);
u64 ring_oldest(struct spscring *ring);
void ring_cursors(struct spscring *ring, u64 *head, u64 *tail);
u64 ring_next_bytes(struct spscring *ring);
void ring_info(struct spscring *ring, struct spscring_info *info);
u64 *ring_wants(struct spscring *ring, u32 role);
u64 ring_cursor(struct spscring *ring, u32 role);
void ring_tries(struct spscring *ring, u32 role, u64 *failed, u64 *polled);
u64 ring_full_at(struct spscring *ring);
u64 ring_seen(struct spscring *ring, u32 role, u64 cursor);
bool ring_reached(struct spscring *ring, u32 role, u64 index);
int ring_peer_ended(struct spscring *ring, u32 role);

/* recover.c: after a death, and from a driver's reset on */
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
void wait_count(struct ring_end *end, struct spscring_sleep_counters *count);

/* poll.c: poll, eventfd, SIGIO, watermarks */
__poll_t wait_poll(struct spscring *ring, u32 role, struct file *file, poll_table *table);
int wait_fasync(struct spscring *ring, u32 role, int fd, struct file *file, int on);
int wait_notify(struct spscring *ring, u32 role, const struct spscring_notify *want);
void wait_need(struct ring_end *end, u64 bytes);

/* fence.c: the peer's fence, made only where somebody sleeps */
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

/* kapi.c: the kernel's handles, at the ends' cursors */
int ring_producer_handle(struct spscring *ring, struct spscring_producer *p);
int ring_consumer_handle(struct spscring *ring, struct spscring_consumer *c);
int ring_record_producer_handle(struct spscring *ring, struct spscring_record_producer *p);
int ring_record_consumer_handle(struct spscring *ring, struct spscring_record_consumer *c);

/* watch.c: users' claims and closes, and what a driver hears of them */
int watch_claim(struct spscring *ring, u32 role);
void watch_end(struct spscring *ring, u32 role);

/* export.c: ends as device nodes */
void export_remove(struct spscring *ring);
int export_init(void);
void export_exit(void);

/* rw.c */
ssize_t rw_read(struct spscring *ring, struct mutex *lock, struct kiocb *iocb,
		struct iov_iter *to);
ssize_t rw_write(struct spscring *ring, struct mutex *lock, struct kiocb *iocb,
		 struct iov_iter *from);

/* memory.c: who pays, and for what */
int memory_charge(struct spscring *ring);
bool memory_node_allowed(int node);
struct spscring *memory_alloc_ring(const struct spscring_geometry *g, enum ring_owner owner,
				   int node, u64 id);
void memory_free_ring(struct spscring *ring);
int memory_alloc(struct spscring *ring, int node);
void memory_free(struct spscring *ring);
void memory_exit(void);

/* memmap.c: who may map what */
bool memmap_writable(u32 role, unsigned long first, unsigned long n);
void memmap_lay_out(struct spscring *ring);
int memmap_mmap(struct spscring *ring, u32 role, struct vm_area_struct *vma);
int memmap_pinned(struct spscring *ring, u32 role);

/* fdinfo.c */
void fdinfo_show(struct seq_file *m, struct spscring *ring, u32 role);

/* chardev.c: one end of one ring, held by a file */
struct file *endpoint_file(struct spscring *ring, u32 role);
int endpoint_fd(struct spscring *ring, u32 role);
int endpoint_open(struct file *file, struct spscring *ring, u32 role);
struct spscring *ring_from_file(struct file *file);
int chardev_init(void);
void chardev_exit(void);

#endif

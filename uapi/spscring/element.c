// SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT
/*
 * spscring: the cold half of elements of one size: nothing there, failures.  See element.h.
 */
#include <linux/export.h>
#include <spscring/element.h>

int spscring_consumer_fail(struct spscring_consumer *c, int why)
{
	c->cached_tail = c->base.pos;
	return spscring_consumer_base_fail(&c->base, why);
}
EXPORT_SYMBOL_GPL(spscring_consumer_fail);

int spscring_consumer_broken(struct spscring_consumer *c)
{
	spscring_break(&c->base, SPSCRING_CONSUMER);
	return spscring_consumer_fail(c, -EPIPE);
}
EXPORT_SYMBOL_GPL(spscring_consumer_broken);

int spscring_empty_status(struct spscring_consumer *c)
{
	__u64 *failed = &c->base.block->failed;
	int status;

	if (spscring_is_shut_down(&c->base.kernel->consumer))
		return spscring_consumer_fail(c, -ESHUTDOWN);
	spscring_write_once(*failed, *failed + SPSCRING_REFRESH_EVERY);
	spscring_consumer_looks(&c->base);
	status = spscring_peer_status(&c->base.kernel->producer);
	if (status == -EAGAIN)
		return status;
	/* (B) again: this poll sees all that the peer published before it ended */
	if ((__s64)(spscring_load_acquire(c->tail) - c->base.pos) > 0)
		return -EAGAIN;
	return status;
}
EXPORT_SYMBOL_GPL(spscring_empty_status);

/* Inlined into the spin, which polls by it. */
static inline int has_elements(const struct spscring_consumer *c, __u64 n)
{
	__u64 frames = (__u64)(c->base.end - c->base.data) / c->frame_size;
	__u64 last = c->base.pos + n;
	const char *frame = c->base.data + (last - 1) / c->frame_elements % frames * c->frame_size;

	/* (B) pairs with (A) */
	return n <= c->base.capacity &&
		(__s64)(spscring_load_acquire((const __u64 *)frame) - last) >= 0;
}

int spscring_has_elements(const struct spscring_consumer *c, __u64 n)
{
	return has_elements(c, n);
}
EXPORT_SYMBOL_GPL(spscring_has_elements);

static int spscring_end_has_elements(const void *c, __u64 n)
{
	return has_elements((const struct spscring_consumer *)c, n);
}

int spscring_spin_elements(struct spscring_consumer *c, __u64 n)
{
	return spscring_spin(&c->base.spin, c->base.spin_max, c->base.block->waits,
			     spscring_end_has_elements, c, n);
}
EXPORT_SYMBOL_GPL(spscring_spin_elements);

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A read or write that stalls in a page fault of the caller's buffer, which a userfaultfd prolongs.
 */
#ifndef _SPSCRING_SELFTEST_HELD_CALL_H
#define _SPSCRING_SELFTEST_HELD_CALL_H

#include <linux/userfaultfd.h>
#include <pthread.h>

#include "selftest.h"

/* A call in a thread of its own; its access to @page faults until let_go(). */
struct held_call {
	int fd, fault;
	void *page;
	long size, got;
	pthread_t thread;
};

static inline void *read_into(void *arg)
{
	struct held_call *s = arg;

	s->got = negative_errno(read(s->fd, s->page, s->size));
	return NULL;
}

static inline void *write_from(void *arg)
{
	struct held_call *s = arg;

	s->got = negative_errno(write(s->fd, s->page, s->size));
	return NULL;
}

/* A userfaultfd for the faults of @page. */
static inline int fault_fd(void *page, long size)
{
	struct uffdio_register range = { .range = { (unsigned long)page, size },
					 .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };
	int fd = negative_errno(syscall(SYS_userfaultfd, O_CLOEXEC));

	if (fd < 0)
		return fd;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range))
		return -errno;
	return fd;
}

/* Start a thread, and return once its call waits in the fault.  Return: 0, or a negative errno. */
static inline int hold(struct held_call *s, void *(*call)(void *))
{
	long page = sysconf(_SC_PAGESIZE);
	struct uffd_msg msg;
	int err;

	s->page = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->page == MAP_FAILED)
		return -errno;
	s->fault = fault_fd(s->page, page);
	if (s->fault < 0)
		return s->fault;
	err = pthread_create(&s->thread, NULL, call, s);
	if (err)
		return -err;
	return read(s->fault, &msg, sizeof(msg)) == sizeof(msg) ? 0 : -EIO;
}

/* Resolve the fault with a zero page, and return the call's result. */
static inline long let_go(struct held_call *s)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)s->page, sysconf(_SC_PAGESIZE) },
	};

	if (ioctl(s->fault, UFFDIO_ZEROPAGE, &zero))
		return -errno;
	pthread_join(s->thread, NULL);
	close(s->fault);
	return s->got;
}

#endif

/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The names that the linker's --wrap uses: __wrap_* for our functions, __real_* for the libc's.
 */
#ifndef _SPSCRING_BENCH_CALLS_H
#define _SPSCRING_BENCH_CALLS_H

#include <sys/epoll.h>
#include <sys/types.h>

int __real_ioctl(int fd, unsigned long request, void *arg);
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
ssize_t __real_read(int fd, void *to, size_t bytes);
ssize_t __real_write(int fd, const void *from, size_t bytes);
int __real_epoll_wait(int fd, struct epoll_event *events, int n, int timeout);

int __wrap_ioctl(int fd, unsigned long request, ...);
long __wrap_syscall(long number, ...);
ssize_t __wrap_read(int fd, void *to, size_t bytes);
ssize_t __wrap_write(int fd, const void *from, size_t bytes);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout);

#endif

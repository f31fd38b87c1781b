// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Count the program's system calls: the linker redirects calls of these functions to the
 * wrappers here (--wrap).
 */
#include <stdarg.h>

#include "bench.h"
#include "calls.h"

uint64_t bench_calls;

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	bench_calls++;
	return __real_ioctl(fd, request, arg);
}

long __wrap_syscall(long number, ...)
{
	long arg[6];
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		arg[i] = va_arg(args, long);
	va_end(args);
	bench_calls++;
	return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
}

ssize_t __wrap_read(int fd, void *to, size_t bytes)
{
	bench_calls++;
	return __real_read(fd, to, bytes);
}

ssize_t __wrap_write(int fd, const void *from, size_t bytes)
{
	bench_calls++;
	return __real_write(fd, from, bytes);
}

int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
	bench_calls++;
	return __real_epoll_wait(fd, events, n, timeout);
}

/* SPDX-License-Identifier: MIT */
/*
 * libspscring: make, claim and map rings of /dev/spscring, or of memfds.  Elements then move
 * by the inlines of <spscring/element.h>.
 *
 *	struct spscring_create want = {
 *		.size = sizeof(want), .capacity = 4096, .element_size = 8,
 *	};
 *	struct spscring_producer p;
 *	uint64_t v = 1;
 *	int ring = spscring_open(&want);
 *	int end = spscring_claim(ring, SPSCRING_PRODUCER, sizeof(v), 0);
 *
 *	if (!spscring_map_producer(end, &p, sizeof(v), 0, NULL))
 *		spscring_push(&p, &v);
 *
 * Records of variable size (SPSCRING_CREATE_RECORDS, <spscring/record.h>) have their own handles,
 * and a spscring_record_*() of each verb.  Their waits count bytes of the ring:
 * spscring_record_needs() returns how many a record takes.
 *
 * Threads.  The library keeps no state of its own: all is in the fds, the handles and the sets.
 *
 *	by fd		open, claim, info, shutdown, notify, map, send, receive, serve: any
 *			thread, at any time
 *	by handle	push and pop and all that takes a handle, the waits, too: one thread
 *			at a time.  The two ends have two handles, and need no lock
 *	by set		one thread at a time
 *
 * Use one handle for an end, and do not copy it.  A second handle from the same fd while the first
 * is in use, or read() and write() beside a handle, lose or duplicate elements.  A forked child
 * inherits the fd but none of the mappings: a handle from before the fork faults there (SIGSEGV).
 * The child may map again if the parent stops using the end.
 *
 * A push, or a pop, that finds room, or something, calls no function (tools/hotpath counts its
 * instructions).  The functions of the library are the cold half.
 *
 * Errors are negative errno values, those of the ioctls and of mmap().
 */
#ifndef _SPSCRING_H
#define _SPSCRING_H

#include <stddef.h>
#include <stdint.h>
#include <linux/spscring.h>
#include <spscring/element.h>
#include <spscring/layout.h>
#include <spscring/record.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iovec;

/*
 * A handle as the program's headers have it: its size, and the number of its layout.  The map calls
 * pass it on, so that a library with other handles refuses to fill it in.
 */
#define SPSCRING_HANDLE(handle)	((uint64_t)SPSCRING_HANDLES << 32 | sizeof(handle))

/* What an end has mapped: its peer's pages and its own.  Sizes in bytes. */
struct spscring_mapping {
	void *read_only;
	size_t read_only_size;
	void *writable;
	size_t writable_size;
};

/**
 * spscring_open() - open /dev/spscring and make a ring
 * @want: its shape and flags, see struct spscring_create.  After -EINVAL, @want->why says which
 *	rule it breaks, for spscring_why(); 0 where @want->size is none
 *
 * Return: a close-on-exec ring fd, or a negative errno: those of open() and of CREATE.
 */
int spscring_open(struct spscring_create *want);

/**
 * spscring_open_memfd() - make a ring without the module
 * @want: its shape and flags, see struct spscring_create; @want->why is set as by CREATE.
 *	SPSCRING_CREATE_NUMA_NODE is -EOPNOTSUPP
 *
 * The ring is in a memfd, with the layout of the module's rings, so any user may make one
 * anywhere.  Its fds take the calls of this header that the fds of the module's rings take, but
 * for spscring_notify() and the arm calls (-EOPNOTSUPP).  They cannot be polled by poll(2) or
 * epoll, read or written, and no end can be kernel code.  Keep the endpoint fd open while a handle
 * is in use, even in a BUSY_POLL ring.
 *
 * The ends must trust each other: each can write what the kernel writes in other rings, and no
 * one judges what it stores.  Therefore only a program of the user who has made the ring can
 * claim or map an end (-EPERM).  A claim opens the file anew through /proc/self/fd.
 *
 * An end waits by a futex.  Its publishes make a full fence (SPSCRING_CREATE_FENCE is set), unless
 * the ring is a BUSY_POLL one.  While it waits, it learns within some 10 ms that its peer has died;
 * otherwise by every 64th push that finds no room, or pop that finds nothing.  A wait returns
 * -EINTR after each signal that has a handler, with or without SA_RESTART.
 *
 * Return: a close-on-exec ring fd, or a negative errno: those of CREATE, and of memfd_create() and
 * mmap().
 */
int spscring_open_memfd(struct spscring_create *want);

/**
 * spscring_claim() - claim one end of a ring
 * @ring_fd: from spscring_open()
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER
 * @element_size: the size of an element that the caller expects, in bytes, or
 *	SPSCRING_VARIABLE_SIZE
 * @type_tag: the type tag that the caller expects
 *
 * Return: a close-on-exec endpoint fd, or a negative errno: -EPROTOTYPE the ring has
 * another element size or type tag; see struct spscring_endpoint.
 */
int spscring_claim(int ring_fd, uint32_t role, uint32_t element_size, uint64_t type_tag);

/**
 * spscring_get_info() - read a ring's state
 * @fd: a ring fd or an endpoint fd
 * @info: the result
 *
 * Return: 0, or a negative errno.
 */
int spscring_get_info(int fd, struct spscring_info *info);

/**
 * spscring_get_info_as() - as spscring_get_info(), for a struct as the caller knows it
 * @fd: a ring fd or an endpoint fd
 * @info: the result
 * @size: sizeof(struct spscring_info), by the headers that the caller was compiled with
 *
 * C and C++ call it by a macro that has its name without _as.  The function itself is for
 * languages without these headers.
 *
 * Return: 0, or a negative errno: -EINVAL @size is less than that of the struct's first version.
 */
int spscring_get_info_as(int fd, struct spscring_info *info, size_t size);

#define spscring_get_info(fd, info)	spscring_get_info_as(fd, info, sizeof(*(info)))

/**
 * spscring_shutdown() - shut an end down that has no handle
 * @endpoint_fd: the end
 * @flags: 0, or SPSCRING_SHUTDOWN_BROKEN
 *
 * With a handle, call spscring_shutdown_producer() or its counterparts instead.  If this function
 * shuts down an end whose handle another thread uses, that handle reports -ESHUTDOWN only once it
 * finds no room, or nothing to pop.
 *
 * Return: 0, or a negative errno.
 */
int spscring_shutdown(int endpoint_fd, uint32_t flags);

/**
 * spscring_shutdown_producer() - shut the producer's end down
 * @p: the producer; each push and reserve then returns -ESHUTDOWN
 *
 * The consumer pops all that is there, then finds the end of the stream.  Final.
 *
 * Return: 0, or a negative errno.
 */
int spscring_shutdown_producer(struct spscring_producer *p);
int spscring_record_shutdown_producer(struct spscring_record_producer *p);

/**
 * spscring_shutdown_consumer() - shut the consumer's end down
 * @c: the consumer; each pop and peek then returns -ESHUTDOWN
 *
 * Return: 0, or a negative errno.
 */
int spscring_shutdown_consumer(struct spscring_consumer *c);
int spscring_record_shutdown_consumer(struct spscring_record_consumer *c);

/**
 * spscring_map_producer() - map the producer's end and make its handle
 * @endpoint_fd: from spscring_claim(), or a driver's device node, opened for reading and
 *	writing.  Keep it open, as the handle wakes the peer by it; only in a BUSY_POLL ring it may
 *	be closed afterwards, as the mapping keeps the end
 * @p: the handle
 * @element_size: the size of an element that the caller expects, in bytes
 * @type_tag: the type tag that the caller expects
 * @map: for spscring_unmap(), or NULL to keep the mapping until exit
 *
 * It takes the geometry from the kernel (INFO), not from the shared pages.
 *
 * Return: 0, or a negative errno: -EPROTOTYPE the ring has another element size or type
 * tag.
 */
int spscring_map_producer(int endpoint_fd, struct spscring_producer *p, uint32_t element_size,
			  uint64_t type_tag, struct spscring_mapping *map);

/**
 * spscring_map_consumer() - map the consumer's end and make its handle
 * @endpoint_fd: as for spscring_map_producer()
 * @c: the handle
 * @element_size: the size of an element that the caller expects, in bytes
 * @type_tag: the type tag that the caller expects
 * @map: for spscring_unmap(), or NULL to keep the mapping until exit
 *
 * Return: 0, or a negative errno: -EPROTOTYPE the ring has another element size or type
 * tag.
 */
int spscring_map_consumer(int endpoint_fd, struct spscring_consumer *c, uint32_t element_size,
			  uint64_t type_tag, struct spscring_mapping *map);

/**
 * spscring_record_map_producer() - map the producer's end of a ring of records
 * @endpoint_fd: as for spscring_map_producer()
 * @p: the handle
 * @type_tag: the type tag that the caller expects
 * @map: for spscring_unmap(), or NULL to keep the mapping until exit
 *
 * Return: 0, or a negative errno: -EPROTOTYPE the ring has elements, or another type tag;
 * -EPIPE the end's cursor is impossible.
 */
int spscring_record_map_producer(int endpoint_fd, struct spscring_record_producer *p,
				 uint64_t type_tag, struct spscring_mapping *map);

/**
 * spscring_record_map_consumer() - map the consumer's end of a ring of records
 * @endpoint_fd: as for spscring_map_producer()
 * @c: the handle
 * @type_tag: the type tag that the caller expects
 * @map: for spscring_unmap(), or NULL to keep the mapping until exit
 *
 * Return: as spscring_record_map_producer().
 */
int spscring_record_map_consumer(int endpoint_fd, struct spscring_record_consumer *c,
				 uint64_t type_tag, struct spscring_mapping *map);

/**
 * spscring_map_producer_as() - map an end and make its handle, as the caller knows handles
 * @endpoint_fd: as for spscring_map_producer()
 * @p: the handle
 * @element_size: the size of an element that the caller expects, in bytes
 * @type_tag: the type tag that the caller expects
 * @map: for spscring_unmap(), or NULL to keep the mapping until exit
 * @handle: SPSCRING_HANDLE() of the handle, by the headers that the caller was compiled with
 *
 * C and C++ call each of these four functions by a macro that has its name without _as.  The
 * functions themselves are for languages without these headers.
 *
 * Return: as spscring_map_producer(); -EPROTONOSUPPORT the library has another handle, and has not
 * touched this one.
 */
int spscring_map_producer_as(int endpoint_fd, struct spscring_producer *p, uint32_t element_size,
			     uint64_t type_tag, struct spscring_mapping *map, uint64_t handle);
int spscring_map_consumer_as(int endpoint_fd, struct spscring_consumer *c, uint32_t element_size,
			     uint64_t type_tag, struct spscring_mapping *map, uint64_t handle);
int spscring_record_map_producer_as(int endpoint_fd, struct spscring_record_producer *p,
				    uint64_t type_tag, struct spscring_mapping *map,
				    uint64_t handle);
int spscring_record_map_consumer_as(int endpoint_fd, struct spscring_record_consumer *c,
				    uint64_t type_tag, struct spscring_mapping *map,
				    uint64_t handle);

#define spscring_map_producer(endpoint_fd, p, element_size, type_tag, map)		\
	spscring_map_producer_as(endpoint_fd, p, element_size, type_tag, map,		\
				 SPSCRING_HANDLE(*(p)))
#define spscring_map_consumer(endpoint_fd, c, element_size, type_tag, map)		\
	spscring_map_consumer_as(endpoint_fd, c, element_size, type_tag, map,		\
				 SPSCRING_HANDLE(*(c)))
#define spscring_record_map_producer(endpoint_fd, p, type_tag, map)			\
	spscring_record_map_producer_as(endpoint_fd, p, type_tag, map, SPSCRING_HANDLE(*(p)))
#define spscring_record_map_consumer(endpoint_fd, c, type_tag, map)			\
	spscring_record_map_consumer_as(endpoint_fd, c, type_tag, map, SPSCRING_HANDLE(*(c)))

/**
 * spscring_unmap() - undo a mapping; the handle must not be used afterwards
 * @map: from spscring_map_producer() or spscring_map_consumer()
 */
void spscring_unmap(const struct spscring_mapping *map);

/**
 * spscring_record_pushv() - push one record, gathered from several places
 * @p: the producer, with nothing reserved
 * @iov: the places, as for writev()
 * @n: how many
 *
 * Return: as spscring_record_push().
 */
int spscring_record_pushv(struct spscring_record_producer *p, const struct iovec *iov, int n);

/**
 * spscring_record_popv() - pop one record, scattered over several places
 * @c: the consumer
 * @iov: the places, as for readv(); each is filled before the next
 * @n: how many
 *
 * Return: as spscring_record_pop().
 */
long spscring_record_popv(struct spscring_record_consumer *c, const struct iovec *iov, int n);

/**
 * spscring_wait_elements() - wait until elements, or records, are there
 * @c: the consumer
 * @n: how many, at most the capacity; bytes of the ring for records
 * @deadline: CLOCK_MONOTONIC in ns, absolute; negative: none
 *
 * Spins, then sleeps.  The number of polls adapts to whether earlier spins found anything, up to
 * @c->base.spin_max, which the caller may set; it is 0 on a machine with one CPU.
 *
 * Return: 0, also if fewer than @n are there, but not none, and no more can come (see "Sleep" in
 * <linux/spscring.h>); or a negative errno: -ETIMEDOUT the deadline has passed; -ESHUTDOWN none is
 * there, and the producer has shut down; or this end has; -EPIPE none is there, and the producer
 * has died; or the ring is broken; -EINTR a signal's handler ran, without SA_RESTART; -EBUSY
 * SPSCRING_WAITERS_MAX wait already; -EINVAL @n is 0, or more than the capacity; -EOPNOTSUPP a
 * BUSY_POLL ring.
 */
int spscring_wait_elements(struct spscring_consumer *c, uint64_t n, int64_t deadline);
int spscring_record_wait_bytes(struct spscring_record_consumer *c, uint64_t bytes,
			       int64_t deadline);

/**
 * spscring_wait_room() - wait until slots are free
 * @p: the producer
 * @n: how many, at most the capacity; bytes of the ring for records
 * @deadline: as for spscring_wait_elements()
 *
 * Return: 0, or a negative errno: -ESHUTDOWN so many are not free, and the consumer has shut down;
 * or this end has; -EPIPE so many are not free, and the consumer has died; or the ring is broken;
 * -ETIMEDOUT, -EINTR, -EBUSY, -EINVAL, -EOPNOTSUPP as for spscring_wait_elements().
 */
int spscring_wait_room(struct spscring_producer *p, uint64_t n, int64_t deadline);
int spscring_record_wait_room(struct spscring_record_producer *p, uint64_t bytes,
			      int64_t deadline);

/**
 * spscring_arm_elements() - have the eventfd signalled once elements are there
 * @c: the consumer
 * @n: as for spscring_wait_elements()
 *
 * For an eventfd that spscring_notify() has set; the end's pollers are woken, too.  A program that
 * polls need not call this: poll arms the end by itself.
 *
 * Return: 0, or a negative errno: -ESHUTDOWN this end has shut down; -EPIPE the ring is broken;
 * -EINVAL @n is 0, or more than the capacity; -EOPNOTSUPP a BUSY_POLL ring, or one without the
 * module.
 */
int spscring_arm_elements(struct spscring_consumer *c, uint64_t n);
int spscring_record_arm_bytes(struct spscring_record_consumer *c, uint64_t bytes);

/**
 * spscring_arm_room() - have the eventfd signalled once slots are free
 * @p: the producer
 * @n: as for spscring_wait_room()
 *
 * Return: as spscring_arm_elements().
 */
int spscring_arm_room(struct spscring_producer *p, uint64_t n);
int spscring_record_arm_room(struct spscring_record_producer *p, uint64_t bytes);

/**
 * spscring_notify() - set when poll and an eventfd report an end ready
 * @endpoint_fd: the end
 * @watermark: poll's watermark, at most the capacity, and less than 2^32
 * @timeout: in ns, see struct spscring_notify
 * @eventfd: an eventfd, or -1
 *
 * Return: 0, or a negative errno.
 */
int spscring_notify(int endpoint_fd, uint64_t watermark, uint64_t timeout, int eventfd);

/**
 * spscring_send_fd() - hand an fd to the process at the other end of a UNIX socket
 * @socket: a connected UNIX socket, stream or seqpacket
 * @fd: a ring fd, or an endpoint fd, which is the permission to be that end
 *
 * The receiver gets a copy.  Close the own one of an endpoint whose holder the receiver is to be:
 * the end dies when its last copy is closed.  A signal does not interrupt the call.
 *
 * Return: 0, or a negative errno of sendmsg(): -EPIPE the socket's peer has closed, without a
 * SIGPIPE.
 */
int spscring_send_fd(int socket, int fd);

/**
 * spscring_recv_fd() - receive an fd that spscring_send_fd() has sent
 * @socket: as of spscring_send_fd()
 *
 * Return: the fd, close-on-exec; or a negative errno, that of spscring_refuse(), or of recvmsg():
 * -ENODATA the sender has closed; -EBADMSG a message without an fd, or with several, all of which
 * are closed.
 */
int spscring_recv_fd(int socket);

/*
 * A server hands ends to programs that connect to its path:
 *
 *	server = spscring_serve("/run/mine", 0600);
 *	connection = spscring_accept(server, &peer);	when poll(2) says that one is there
 *	if (peer.uid == mine)
 *		spscring_send_fd(connection, end);	then close(end)
 *	else
 *		spscring_refuse(connection, -EACCES);
 *	close(connection);
 *
 * and the program calls spscring_connect("/run/mine").  Any threads may call these functions.
 */

/**
 * struct spscring_peer - who has connected, as the kernel says
 * @pid: the process that called connect(), in this process's PID namespace; 0 it is in none
 * @uid: its effective user id
 * @gid: its effective group id
 */
struct spscring_peer {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
};

/**
 * spscring_serve() - listen on a UNIX socket at a path
 * @path: where; at most 100 bytes.  The file of a server that has gone is removed first
 * @mode: who may connect: the file's permissions, such as 0600, less the umask
 *
 * Who connects as soon as there is a file at @path is accepted.  To that end the socket first
 * listens at @path with a dot and six digits after it, which is the address that ss(8) shows.  The
 * file stays when the socket is closed; the next server removes it.
 *
 * Return: a close-on-exec socket, for spscring_accept(); or a negative errno of open() of the
 * folder, socket(), bind() or link(): -EADDRINUSE a server listens there, or the file is no socket;
 * -ENAMETOOLONG the path has more bytes.
 */
int spscring_serve(const char *path, uint32_t mode);

/**
 * spscring_accept() - accept one connection
 * @server: from spscring_serve()
 * @peer: set to who has connected; or NULL
 *
 * It waits for one, unless the socket has O_NONBLOCK.
 *
 * Return: a close-on-exec socket, for spscring_send_fd() or spscring_refuse(); or a negative errno
 * of accept(): -EAGAIN none is there, and the socket has O_NONBLOCK.
 */
int spscring_accept(int server, struct spscring_peer *peer);

/**
 * spscring_refuse() - tell a program that it gets no fd, and why
 * @connection: from spscring_accept(), or any UNIX socket
 * @err: a negative errno, not below -255; spscring_connect() or spscring_recv_fd() returns it
 *
 * Return: 0, or a negative errno of send(); -EINVAL @err is none.
 */
int spscring_refuse(int connection, int err);

/**
 * spscring_connect() - get an fd from the server at a path
 * @path: as of spscring_serve()
 *
 * It waits until the server answers.
 *
 * Return: the fd, close-on-exec, of an end or of a ring, as the server chooses; or a negative
 * errno, as spscring_recv_fd(): -ECONNREFUSED, -ENOENT no server is there.
 */
int spscring_connect(const char *path);

/*
 * A set of consumers' ends, whose messages go to callbacks, as of libbpf's ring buffers:
 *
 *	set = spscring_set_new(0);
 *	err = spscring_set_add(set, end, sizeof(struct event), TAG, on_event, on_end, ctx);
 *	while (n >= 0 || n == -EINTR)
 *		n = spscring_set_poll(set, 100);
 *
 * One thread at a time uses a set.  A callback may add and remove ends, its own, too, but neither
 * poll, consume nor free.  A message is released only after its callback: one that has removed its
 * own end for a message must not add that end again before it has returned.
 */
struct spscring_set;

/**
 * typedef spscring_set_fn - a message has come
 * @ctx: of spscring_set_add()
 * @data: the element or record, which stays there until the callback returns.  In a ring of the
 *	module a producer that lies can change it meanwhile: copy it, then check it
 * @size: in bytes
 *
 * Return: 0 or more to go on.  A negative number ends the call of the set, which returns it; the
 * message counts as consumed.
 */
typedef int (*spscring_set_fn)(void *ctx, const void *data, size_t size);

/**
 * typedef spscring_set_end_fn - no more will come
 * @ctx: of spscring_set_add()
 * @why: -ESHUTDOWN the producer has ended the stream; -EPIPE it has died, or the ring is broken; or
 *	another error of a pop
 *
 * All that was published has been consumed.  The set does not poll this end any more.  To go on
 * after a death, once the producer's end was claimed again, remove the end and add it.
 */
typedef void (*spscring_set_end_fn)(void *ctx, int why);

/**
 * spscring_set_new() - make a set without ends
 * @budget: the most messages of one end that a call consumes before it turns to the next; 0: 256
 *
 * Return: the set; or NULL, with errno.
 */
struct spscring_set *spscring_set_new(size_t budget);

/**
 * spscring_set_add() - add a consumer's end
 * @set: the set
 * @endpoint_fd: the end, which the set maps.  Keep it open until spscring_set_remove()
 * @element_size: the size of an element that the caller expects, in bytes, or
 *	SPSCRING_VARIABLE_SIZE
 * @type_tag: the type tag that the caller expects
 * @fn: called for each message
 * @end: called once, when no more will come; or NULL
 * @ctx: for the callbacks
 *
 * Return: 0, or a negative errno, as spscring_map_consumer(), or of epoll_ctl(): -EEXIST it is in
 * the set; -EOPNOTSUPP a BUSY_POLL ring; -ENOMEM no memory.
 */
int spscring_set_add(struct spscring_set *set, int endpoint_fd, uint32_t element_size,
		     uint64_t type_tag, spscring_set_fn fn, spscring_set_end_fn end, void *ctx);

/**
 * spscring_set_remove() - take an end out of a set
 * @set: the set
 * @endpoint_fd: the end; what is in its ring stays there
 *
 * Return: 0, or -ENOENT it is not in the set.
 */
int spscring_set_remove(struct spscring_set *set, int endpoint_fd);

/**
 * spscring_set_poll() - wait for messages, and consume them
 * @set: the set
 * @timeout: how long to wait for the first one, in ms; -1: for ever
 *
 * It sleeps by epoll.  A ring without the module cannot be polled by that, so a set that has one
 * looks at it once a millisecond.
 *
 * Return: how many messages were consumed, 0 after the timeout or if an end was all that came; or a
 * negative number, that of a callback, or a negative errno: -EINTR a signal came.
 */
long spscring_set_poll(struct spscring_set *set, int timeout);

/**
 * spscring_set_consume() - consume what is there, without waiting
 * @set: the set
 *
 * Return: as spscring_set_poll().
 */
long spscring_set_consume(struct spscring_set *set);

/**
 * spscring_set_fd() - an fd that is readable when messages are there
 * @set: the set; its rings without the module do not count
 *
 * Return: the set's epoll fd, for a program that has a poll loop of its own.
 */
int spscring_set_fd(const struct spscring_set *set);

/**
 * spscring_set_free() - remove all ends, and free the set
 * @set: the set, or NULL
 */
void spscring_set_free(struct spscring_set *set);

/**
 * spscring_strerror() - what an error means to an end
 * @role: SPSCRING_PRODUCER or SPSCRING_CONSUMER: whose call returned the error; 0: it was a call
 *	for no end, such as spscring_open()
 * @err: a negative errno of any call of this header, or of a verb
 *
 * Return: a text for people, such as "the producer ended the stream"; strerror()'s for an errno
 * that has no meaning of its own here.  Not to be freed.  Any thread may call it where strerror()
 * is safe to call (glibc 2.32 and later).
 */
const char *spscring_strerror(uint32_t role, int err);

/**
 * spscring_why() - which rule of struct spscring_create a request breaks
 * @why: what spscring_open() or spscring_open_memfd() has stored in @why of that struct
 *
 * Return: a text for people that names the field, and its limits.  Not to be freed.  Context: any
 * thread.
 */
const char *spscring_why(uint32_t why);

#ifdef __cplusplus
}
#endif

#endif

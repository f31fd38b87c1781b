// SPDX-License-Identifier: MIT
/* An end of a ring, of any kind: how it begins and ends, how it waits, what its errors are. */
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core.h"

/* Say why this thread may not use the end now. */
int end_refuse(const struct end *e)
{
	if (e->fd < 0)
		PyErr_SetString(PyExc_ValueError, "the end is closed");
	else if (e->forks != forks)
		PyErr_SetString(PyExc_RuntimeError,
				"the end was mapped before a fork, and is its parent's");
	else if (e->busy)
		PyErr_SetString(PyExc_RuntimeError, "another thread uses the end");
	else
		PyErr_SetString(PyExc_BufferError,
				"the end's last reserve or peek has not been ended");
	return -1;
}

/* -------------------------------------------------------------------- waits */

static bool has(const struct end *e, uint64_t n)
{
	if (e->role == SPSCRING_PRODUCER)
		return spscring_base_has_room(&e->producer, n);
	return e->records ? spscring_record_has_bytes(&e->rc, n) : spscring_has_elements(&e->c, n);
}

static const struct spscring_kernel_block *kernel_block(const struct end *e)
{
	return e->role == SPSCRING_PRODUCER ? e->producer.kernel : e->consumer.kernel;
}

static int end_error(const struct end *e)
{
	return e->role == SPSCRING_PRODUCER ? e->producer.error : e->consumer.error;
}

static bool is_shut_down(const struct end *e)
{
	const struct spscring_kernel_block *kernel = kernel_block(e);

	return spscring_is_shut_down(e->role == SPSCRING_PRODUCER ?
				     &kernel->producer : &kernel->consumer);
}

static int peer_status(const struct end *e)
{
	const struct spscring_kernel_block *kernel = kernel_block(e);

	return spscring_peer_status(e->role == SPSCRING_PRODUCER ?
				    &kernel->consumer : &kernel->producer);
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* Polls of a BUSY_POLL ring between two looks at the clock and at signals. */
#define POLLS	1000

/* In a ring where no end can sleep: -EINTR, to look at signals, if nothing came for a while. */
static int poll_once(const struct end *e, uint64_t n, int64_t deadline)
{
	int err = end_error(e), i;

	if (err)
		return err;
	for (i = 0; i < POLLS; i++) {
		if (has(e, n))
			return 0;
		spscring_cpu_relax();
	}
	if (is_shut_down(e))
		return -ESHUTDOWN;
	err = peer_status(e);
	if (err != -EAGAIN)	/* what it published before it ended is to be read first */
		return has(e, 1) ? 0 : err;
	if (deadline > 0 && monotonic_ns() >= deadline)
		return -ETIMEDOUT;
	sched_yield();
	return -EINTR;
}

static int wait_once(struct end *e, uint64_t n, int64_t deadline)
{
	if (e->flags & SPSCRING_CREATE_BUSY_POLL)
		return poll_once(e, n, deadline);
	if (e->role == SPSCRING_PRODUCER)
		return e->records ? spscring_record_wait_room(&e->rp, n, deadline) :
			spscring_wait_room(&e->p, n, deadline);
	return e->records ? spscring_record_wait_bytes(&e->rc, n, deadline) :
		spscring_wait_elements(&e->c, n, deadline);
}

/* Handle signals; 0 or RAISED.  A handler can run any Python code, but must not close the end. */
int end_signals(struct end *e)
{
	int err;

	e->busy = true;
	err = PyErr_CheckSignals() ? RAISED : 0;
	e->busy = false;
	return err;
}

/*
 * Wait for @n elements or bytes, published or free, until @deadline (0: do not wait at all).
 * Other threads run meanwhile, and signals are handled.
 *
 * Return: 0; -EAGAIN @deadline is 0; another negative errno, as spscring_wait_elements(); or
 * RAISED, a signal's handler has raised an exception.
 */
int end_wait(struct end *e, uint64_t n, int64_t deadline)
{
	int err;

	if (!deadline)
		return -EAGAIN;
	do {
		e->busy = true;
		Py_BEGIN_ALLOW_THREADS
		err = wait_once(e, n, deadline);
		Py_END_ALLOW_THREADS
		e->busy = false;
		if (err == -EINTR && end_signals(e))
			err = RAISED;
	} while (err == -EINTR);
	return err;
}

static const char wait_doc[] =
"wait($self, /, n=1, timeout=None)\n--\n\n"
"Wait until n elements are there (a consumer), or n slots are free (a producer).\n\n"
"In a ring of records n counts bytes of the ring, see RecordProducer.needs().  The wait of a\n"
"consumer also ends when fewer are there, but not none, and no more can come.\n\n"
"timeout: in seconds; None: no limit; 0: only look.\n"
"Returns whether they are there: False after the timeout.\n"
"Raises EndOfStream, ShutDown, PeerDied or Broken if they cannot come any more.";

static PyObject *end_wait_for(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			      PyObject *kwnames)
{
	static const char *const names[] = { "n", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL };
	int64_t deadline;
	Py_ssize_t n = 1;
	int err;

	if (take_args(names, 0, args, nargs, kwnames, arg) ||
	    (arg[0] && take_count(arg[0], 1, &n)) || take_deadline(arg[1], &deadline) ||
	    end_enter(e))
		return NULL;
	if ((uint64_t)n > e->capacity)
		return PyErr_Format(PyExc_ValueError, "n is more than the ring's capacity");
	if (!deadline)
		return PyBool_FromLong(has(e, n));
	err = end_wait(e, n, deadline);
	if (err == -ETIMEDOUT)
		Py_RETURN_FALSE;
	if (err && !(e->role == SPSCRING_CONSUMER && err < 0 && !end_error(e) &&
		     !is_shut_down(e) && has(e, 1)))
		return end_failed(e, err);
	Py_RETURN_TRUE;
}

static const char watermark_doc[] =
"set_watermark($self, /, n, timeout=0.0)\n--\n\n"
"Set when poll(), and so selectors, report the end's fd as ready.\n\n"
"n: elements, or free slots; bytes, in a ring of records; at least 1.\n"
"timeout: a consumer's fd is ready with fewer than n once the first of them has waited for so\n"
"many seconds; 0: never.\n\n"
"asyncio's put() sets the watermark of its end.  Raises OSError (EOPNOTSUPP) for a ring that\n"
"cannot be polled.";

static PyObject *end_set_watermark(struct end *e, PyObject *const *args, Py_ssize_t nargs,
				   PyObject *kwnames)
{
	static const char *const names[] = { "n", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL };
	double seconds = 0;
	Py_ssize_t n;
	int err;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_count(arg[0], 1, &n))
		return NULL;
	if (arg[1])
		seconds = PyFloat_AsDouble(arg[1]);
	if (PyErr_Occurred() || end_enter(e))
		return NULL;
	if (!(seconds >= 0 && seconds < 9e9))
		return PyErr_Format(PyExc_ValueError, "a timeout is seconds, at least 0");
	err = spscring_notify(e->fd, n, (uint64_t)(seconds * 1e9), -1);
	if (err)
		return end_raise(e, err);
	Py_RETURN_NONE;
}

/* ------------------------------------------------------------------- errors */

static PyObject *epipe_exception(struct end *e)
{
	if (end_error(e) == -EPIPE) {
		/* this end has found the words: have the kernel tell all others */
		spscring_shutdown(e->fd, SPSCRING_SHUTDOWN_BROKEN);
		return exc.broken;
	}
	return spscring_read_once(kernel_block(e)->broken) ? exc.broken : exc.peer_died;
}

static PyObject *exception_of(struct end *e, int err)
{
	bool produces = e->role == SPSCRING_PRODUCER;

	switch (err) {
	case -EAGAIN:
	case -ETIMEDOUT:
		return produces ? exc.full : exc.empty;
	case -ENOBUFS:
		return exc.dropped;
	case -ESHUTDOWN:
		if (produces || end_error(e) == -ESHUTDOWN || is_shut_down(e))
			return exc.shut_down;
		return exc.end_of_stream;
	case -EPIPE:
		return epipe_exception(e);
	case -EMSGSIZE:
		return exc.too_long;
	default:
		return PyExc_OSError;
	}
}

/* Raise the exception of a negative errno; returns NULL. */
PyObject *end_raise(struct end *e, int err)
{
	return raise_errno(exception_of(e, err), e->role, err == -ETIMEDOUT ? -EAGAIN : err);
}

/* --------------------------------------------------------------- begin, end */

static int map(struct end *e)
{
	bool produces = e->role == SPSCRING_PRODUCER;

	if (e->records)
		return produces ?
			spscring_record_map_producer(e->fd, &e->rp, e->type_tag, &e->map) :
			spscring_record_map_consumer(e->fd, &e->rc, e->type_tag, &e->map);
	return produces ?
		spscring_map_producer(e->fd, &e->p, e->element_size, e->type_tag, &e->map) :
		spscring_map_consumer(e->fd, &e->c, e->element_size, e->type_tag, &e->map);
}

static int keep_format(struct end *e, const char *format)
{
	if (!format)
		return 0;
	e->format = strdup(format);
	if (!e->format)
		PyErr_NoMemory();
	return e->format ? 0 : -1;
}

/* The end @fd, of the kind and the type of elements that @e has by now. */
static int begin(struct end *e, int fd)
{
	int err;

	e->fd = fd;
	Py_BEGIN_ALLOW_THREADS
	err = map(e);
	Py_END_ALLOW_THREADS
	if (!err)
		return 0;
	e->fd = -1;
	raise_errno(err == -EPROTOTYPE ? exc.type_mismatch :
		    err == -EPIPE ? exc.broken : PyExc_OSError, e->role, err);
	return -1;
}

/* The arguments of every kind of end; what is None is as the ring has it. */
static int take_end_args(struct end *e, PyObject *args, PyObject *kwargs, int *fd,
			 const char **format)
{
	PyObject *size = Py_None, *tag = Py_None;
	struct spscring_info info;
	int err;

	if (kwargs && PyDict_Size(kwargs)) {
		PyErr_SetString(PyExc_TypeError, "no keyword arguments: see from_fd()");
		return -1;
	}
	if (!PyArg_ParseTuple(args, "i|OOz", fd, &size, &tag, format))
		return -1;
	err = spscring_get_info(*fd, &info);
	if (err) {
		raise_errno(PyExc_OSError, e->role, err);
		return -1;
	}
	e->flags = info.geometry.flags;
	e->capacity = info.geometry.capacity;
	e->element_size = info.geometry.element_size;
	e->type_tag = info.geometry.type_tag;
	if (size != Py_None)
		e->element_size = (uint32_t)PyLong_AsUnsignedLong(size);
	if (!PyErr_Occurred() && tag != Py_None)
		e->type_tag = PyLong_AsUnsignedLongLong(tag);
	if (PyErr_Occurred())
		return -1;
	if (!e->records == !e->element_size) {
		raise_errno(exc.type_mismatch, e->role, -EPROTOTYPE);
		return -1;
	}
	return 0;
}

PyObject *end_new(PyTypeObject *type, PyObject *args, PyObject *kwargs, uint32_t role,
		  bool records)
{
	allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct end *e = (struct end *)alloc(type, 0);
	const char *format = NULL;
	int fd;

	if (!e)
		return NULL;
	e->fd = -1;
	e->role = role;
	e->records = records;
	e->forks = forks;
	if (take_end_args(e, args, kwargs, &fd, &format) || keep_format(e, format) ||
	    begin(e, fd)) {
		Py_DECREF(e);
		return NULL;
	}
	return (PyObject *)e;
}

/* Unmap, where the mapping is still there: a fork's child has none, but others in its place. */
static void unmap(struct end *e)
{
	if (e->forks == forks)
		spscring_unmap(&e->map);
	e->fd = -1;
}

static void end_dealloc(struct end *e)
{
	PyTypeObject *type = Py_TYPE((PyObject *)e);
	freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
	int fd = e->fd;

	if (fd >= 0) {
		unmap(e);
		close(fd);
	}
	free(e->format);
	release(e);
	Py_DECREF(type);
}

/* Check that nobody uses the end's memory, and give up what is reserved or peeked. */
static int end_leave(struct end *e)
{
	if (e->busy)
		return end_refuse(e);
	return e->view ? view_close(e->view) : 0;
}

static const char close_doc[] =
"close($self, /, *, shutdown=True)\n--\n\n"
"Let go of the end: unmap it and close its fd.  A second call does nothing.\n\n"
"shutdown: first shut the end down, as shutdown() does, so that the peer finds the end of the\n"
"stream.  If False the peer finds this end dead, and the end can be claimed again.\n\n"
"What is reserved or peeked is given up.  Raises BufferError, and changes nothing, while a\n"
"memoryview or array of it exists; RuntimeError while another thread uses the end.  In the\n"
"child of a fork this closes the child's copy of the fd alone.";

static PyObject *end_close(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			   PyObject *kwnames)
{
	static const char *const names[] = { "shutdown", NULL };
	PyObject *arg[1] = { NULL };
	int fd = e->fd, shutdown = 1;

	if (nargs)
		return PyErr_Format(PyExc_TypeError, "shutdown is a keyword argument");
	if (take_args(names, 0, args, nargs, kwnames, arg))
		return NULL;
	if (arg[0])
		shutdown = PyObject_IsTrue(arg[0]);
	if (shutdown < 0)
		return NULL;
	if (fd < 0)
		Py_RETURN_NONE;
	if (end_leave(e))
		return NULL;
	if (shutdown && e->forks == forks)
		spscring_shutdown(fd, 0);
	unmap(e);
	Py_BEGIN_ALLOW_THREADS
	(void)close(fd);
	Py_END_ALLOW_THREADS
	Py_RETURN_NONE;
}

static const char detach_doc[] =
"detach($self, /)\n--\n\n"
"Unmap the end, and return its fd, which the caller then owns, to hand it on or to map it again.\n\n"
"Raises BufferError and RuntimeError as close(), ValueError if the end is closed.";

static PyObject *end_detach(struct end *e, PyObject *unused)
{
	int fd = e->fd;

	(void)unused;
	if (fd < 0) {
		end_refuse(e);
		return NULL;
	}
	if (end_leave(e))
		return NULL;
	unmap(e);
	return PyLong_FromLong(fd);
}

static const char shut_doc[] =
"shutdown($self, /)\n--\n\n"
"Shut the end down, for good: the consumer reads what is left, then finds the end of the stream; a\n"
"producer learns that the consumer takes no more.\n\n"
"Any thread may call this.  It ends a wait of another thread on this end (ShutDown).";

static int shut_down(struct end *e)
{
	if (e->busy)	/* the handle is another thread's now */
		return spscring_shutdown(e->fd, 0);
	if (e->role == SPSCRING_PRODUCER)
		return e->records ? spscring_record_shutdown_producer(&e->rp) :
			spscring_shutdown_producer(&e->p);
	return e->records ? spscring_record_shutdown_consumer(&e->rc) :
		spscring_shutdown_consumer(&e->c);
}

static PyObject *end_shutdown(struct end *e, PyObject *unused)
{
	int err;

	(void)unused;
	if ((e->fd < 0 || e->view || !e->busy || e->forks != forks) && end_enter(e))
		return NULL;
	err = shut_down(e);
	if (err)
		return end_raise(e, err);
	Py_RETURN_NONE;
}

static const char fileno_doc[] =
"fileno($self, /)\n--\n\n"
"The endpoint fd, for poll(), epoll, selectors and io_uring.  It remains this object's.\n\n"
"Raises ValueError if the end is closed.";

static PyObject *end_fileno(struct end *e, PyObject *unused)
{
	(void)unused;
	if (e->fd >= 0)
		return PyLong_FromLong(e->fd);
	end_refuse(e);
	return NULL;
}

/* ------------------------------------------------------- pops of either kind */

/* Pop one message as bytes; NULL, with the reason in @err, if there is none. */
static PyObject *pop(struct end *e, int64_t deadline, int *err)
{
	return e->records ? record_pop(e, deadline, err) : element_pop(e, deadline, err);
}

PyObject *end_pop(struct end *e, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
	static const char *const names[] = { "timeout", NULL };
	PyObject *arg[1] = { NULL }, *bytes;
	int64_t deadline;
	int err;

	if (take_args(names, 0, args, nargs, kwnames, arg) || take_deadline(arg[0], &deadline))
		return NULL;
	bytes = pop(e, deadline, &err);
	return bytes ? bytes : end_failed(e, err);
}

PyObject *end_try_pop(struct end *e, PyObject *unused)
{
	PyObject *bytes;
	int err;

	(void)unused;
	bytes = pop(e, 0, &err);
	if (err == -EAGAIN)
		Py_RETURN_NONE;
	return bytes ? bytes : end_failed(e, err);
}

PyObject *end_next(struct end *e)
{
	int err;
	PyObject *bytes = pop(e, -1, &err);

	if (bytes)
		return bytes;
	end_failed(e, err);
	if (PyErr_ExceptionMatches(exc.end_of_stream))
		PyErr_Clear();
	return NULL;
}

/* ------------------------------------------------------------------- fields */

static PyObject *get_closed(struct end *e, void *unused)
{
	(void)unused;
	return PyBool_FromLong(e->fd < 0);
}

/* A memfd, which poll(2) reports as always ready, is a regular file. */
static PyObject *get_pollable(struct end *e, void *unused)
{
	struct stat st;

	(void)unused;
	if (e->fd < 0 || e->flags & SPSCRING_CREATE_BUSY_POLL || fstat(e->fd, &st))
		Py_RETURN_FALSE;
	return PyBool_FromLong(!S_ISREG(st.st_mode));
}

static PyGetSetDef fields[] = {
	{ "closed", (getter)get_closed, NULL, "Whether the end is closed, or detached.", NULL },
	{ "pollable", (getter)get_pollable, NULL,
	  "Whether poll() reports the end's fd: not with memfd=True, nor with busy_poll=True.",
	  NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyMemberDef members[] = {
	{ "capacity", T_ULONGLONG, offsetof(struct end, capacity), READONLY,
	  "The ring's capacity: in elements, or in bytes for records." },
	{ "element_size", T_UINT, offsetof(struct end, element_size), READONLY,
	  "The size of an element in bytes; 0 for records." },
	{ "type_tag", T_ULONGLONG, offsetof(struct end, type_tag), READONLY,
	  "The ring's type tag." },
	{ "format", T_STRING, offsetof(struct end, format), READONLY,
	  "The format of an element as of PEP 3118, or None: bytes." },
	{ NULL, 0, 0, 0, NULL },
};

static PyMethodDef methods[] = {
	METHOD(close, WITH_KEYWORDS, close_doc),
	METHOD(detach, METH_NOARGS, detach_doc),
	METHOD(fileno, METH_NOARGS, fileno_doc),
	METHOD(set_watermark, WITH_KEYWORDS, watermark_doc),
	METHOD(shutdown, METH_NOARGS, shut_doc),
	{ "wait", (PyCFunction)(void (*)(void))end_wait_for, WITH_KEYWORDS, wait_doc },
	{ NULL, NULL, 0, NULL },
};

static PyType_Slot slots[] = {
	{ Py_tp_doc, "An end of a ring, mapped: what all four kinds share." },
	{ Py_tp_dealloc, end_dealloc },
	{ Py_tp_methods, methods },
	{ Py_tp_members, members },
	{ Py_tp_getset, fields },
	{ 0, NULL },
};

static PyType_Spec spec = {
	.name = "spscring._core.End",
	.basicsize = sizeof(struct end),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = slots,
};

int add_type(PyObject *module, const char *name, PyType_Spec *of, PyTypeObject *base,
	     PyTypeObject **type)
{
	*type = (PyTypeObject *)PyType_FromModuleAndSpec(module, of, (PyObject *)base);
	return *type ? PyModule_AddObjectRef(module, name, (PyObject *)*type) : -1;
}

int end_types(PyObject *module)
{
	PyTypeObject *base;

	if (add_type(module, "End", &spec, NULL, &base))
		return -1;
	return element_types(module, base) || record_types(module, base) ? -1 : 0;
}

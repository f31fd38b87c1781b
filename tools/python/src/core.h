/* SPDX-License-Identifier: MIT */
/*
 * The extension module spscring._core: what its files share.
 *
 *	module.c	rings, the module, its exceptions
 *	end.c		what all four kinds of end have: life, waits, errors
 *	element.c	producer and consumer of elements
 *	record.c	producer and consumer of records
 *	view.c		what is reserved, or peeked, as memory that Python can use in place
 *
 * The module is made of the stable ABI of Python 3.11, so one build serves all later versions.
 *
 * The interpreter's lock serialises what threads do with an end.  Only waits and large copies let
 * go of the lock; meanwhile the end is marked as busy, and other threads are refused.
 */
#ifndef _SPSCRING_PYTHON_CORE_H
#define _SPSCRING_PYTHON_CORE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API	0x030b0000
#include <Python.h>
#include <structmember.h>

#include <stdbool.h>
#include <stdint.h>

#include <spscring.h>

struct view;

/* One end of a ring, mapped.  Which handle it has depends on its type. */
struct end {
	PyObject_HEAD
	union {
		struct spscring_producer_base producer;
		struct spscring_consumer_base consumer;
		struct spscring_producer p;
		struct spscring_consumer c;
		struct spscring_record_producer rp;
		struct spscring_record_consumer rc;
	};
	struct view *view;	/* what is reserved or peeked, and holds this end */
	int fd;			/* -1: closed */
	unsigned int forks;	/* of this process, when the end was mapped */
	bool busy;		/* a thread uses the end without the interpreter's lock */
	bool records;
	uint32_t role;
	uint32_t element_size;
	uint32_t flags;		/* the ring's SPSCRING_CREATE_* */
	uint64_t capacity;
	uint64_t type_tag;
	char *format;		/* of an element, as of PEP 3118, or NULL */
	struct spscring_mapping map;
};

/*
 * What is reserved, or peeked.  Memory that Python can reach through a view stays mapped, because
 * a buffer holds its view, and a view holds its end.  It also stays reserved or peeked:
 * a view ends only once nothing has its buffer any more.
 */
struct view {
	PyObject_HEAD
	struct end *end;
	bool open;
	bool single;		/* one element or record, and not an array of elements */
	char *data;
	Py_ssize_t n;		/* elements, or bytes of a record */
	Py_ssize_t exports;	/* buffers of it that somebody has */
	PyObject *memory;	/* a weak reference to the memoryview that it made, or NULL */
	Py_ssize_t shape[2], strides[2];
	struct spscring_record record;	/* that was peeked */
};

/* Bytes-like: where they are, and how many. */
struct bytes_like {
	const void *at;
	Py_ssize_t length;
	Py_buffer buffer;	/* held, unless its obj is NULL */
};

/* The exceptions that spscring/_errors.py defines. */
struct exceptions {
	PyObject *full;
	PyObject *empty;
	PyObject *dropped;
	PyObject *shut_down;
	PyObject *end_of_stream;
	PyObject *peer_died;
	PyObject *broken;
	PyObject *too_long;
	PyObject *type_mismatch;
	PyObject *busy;
};

extern struct exceptions exc;
extern PyTypeObject *reservation_type;
extern PyTypeObject *peek_type;
extern unsigned int forks;

/* No errno: a Python exception is set. */
#define RAISED	1

/* The most bytes that are copied without letting go of the interpreter's lock. */
#define COPY_LOCKED	65536

#define METHOD_BY(name, function, flags, doc) \
	{ #name, (PyCFunction)(void (*)(void))function, flags, doc }
#define METHOD(name, flags, doc)	METHOD_BY(name, end_##name, flags, doc)
#define WITH_KEYWORDS	(METH_FASTCALL | METH_KEYWORDS)

/* module.c */
int take_args(const char *const *names, int least, PyObject *const *args, Py_ssize_t nargs,
	      PyObject *kwnames, PyObject **out);
int take_deadline(PyObject *timeout, int64_t *deadline);
int take_count(PyObject *n, Py_ssize_t least, Py_ssize_t *count);
int take_bytes(struct bytes_like *bytes, PyObject *from);
void drop_bytes(struct bytes_like *bytes);
PyObject *raise_errno(PyObject *type, uint32_t role, int err);

/* end.c */
int end_refuse(const struct end *e);
int end_signals(struct end *e);
int end_wait(struct end *e, uint64_t n, int64_t deadline);
PyObject *end_raise(struct end *e, int err);
PyObject *end_new(PyTypeObject *type, PyObject *args, PyObject *kwargs, uint32_t role,
		  bool records);
PyObject *end_pop(struct end *e, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *end_try_pop(struct end *e, PyObject *unused);
PyObject *end_next(struct end *e);
int end_types(PyObject *module);
int add_type(PyObject *module, const char *name, PyType_Spec *spec, PyTypeObject *base,
	     PyTypeObject **type);

/* element.c, record.c, view.c */
int element_types(PyObject *module, PyTypeObject *base);
int record_types(PyObject *module, PyTypeObject *base);
PyObject *element_pop(struct end *e, int64_t deadline, int *err);
PyObject *record_pop(struct end *e, int64_t deadline, int *err);
int view_types(PyObject *module);
struct view *view_new(PyTypeObject *type, struct end *e);
PyObject *view_open(struct view *v, void *data, Py_ssize_t n, bool single);
int view_close(struct view *v);

/* Check that this thread may use the end now; -1 with an exception set. */
static inline int end_enter(const struct end *e)
{
	if (spscring_likely(e->fd >= 0 && !e->busy && !e->view && e->forks == forks))
		return 0;
	return end_refuse(e);
}

/* The exception of a verb that has failed, unless one is set already. */
static inline PyObject *end_failed(struct end *e, int err)
{
	return err == RAISED ? NULL : end_raise(e, err);
}

#endif /* _SPSCRING_PYTHON_CORE_H */

// SPDX-License-Identifier: MIT
/* Producer and consumer of records of variable size. */
#include <errno.h>
#include <string.h>

#include "core.h"

/* ------------------------------------------------------------------ producer */

static PyObject *producer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	return end_new(type, args, kwargs, SPSCRING_PRODUCER, true);
}

/* Wait for room for a record of @length; one that no wait can fit is the verb's error, before. */
static int wait_for(struct end *e, uint64_t length, int64_t deadline)
{
	return end_wait(e, spscring_record_needs(&e->rp, length), deadline);
}

/* Push one record; 0, RAISED, or a negative errno: -ENOBUFS it was dropped. */
static int push(struct end *e, PyObject *data, int64_t deadline)
{
	struct bytes_like bytes;
	int err;

	if (take_bytes(&bytes, data))
		return RAISED;
	if (end_enter(e))
		err = RAISED;
	else
		while ((err = spscring_record_push(&e->rp, bytes.at, bytes.length)) == -EAGAIN) {
			err = wait_for(e, bytes.length, deadline);
			if (err)
				break;
		}
	drop_bytes(&bytes);
	return err;
}

static const char push_doc[] =
"push($self, /, data, timeout=None)\n--\n\n"
"Push one record: an object with the buffer protocol; it may be empty.\n\n"
"timeout: how many seconds to wait for room; None: no limit; 0: not at all.\n"
"Returns True; False if the ring drops (drop=True), has no room, and so the record is lost and\n"
"counted.\n"
"Raises Full after the timeout; TooLong for a record that the ring can never hold; ShutDown if an\n"
"end was shut down; PeerDied once the ring is full and its consumer dead; Broken.";

static PyObject *end_push(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			  PyObject *kwnames)
{
	static const char *const names[] = { "data", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL };
	int64_t deadline;
	int err;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_deadline(arg[1], &deadline))
		return NULL;
	err = push(e, arg[0], deadline);
	if (err && err != -ENOBUFS)
		return end_failed(e, err);
	return PyBool_FromLong(!err);
}

static const char try_push_doc[] =
"try_push($self, data, /)\n--\n\n"
"Push one record if there is room, without waiting; return whether it was pushed.\n\n"
"In a ring that drops, one that was not is lost and counted.  Raises as push(), but not Full.";

static PyObject *end_try_push(struct end *e, PyObject *data)
{
	int err = push(e, data, 0);

	if (err && err != -EAGAIN && err != -ENOBUFS)
		return end_failed(e, err);
	return PyBool_FromLong(!err);
}

static const char push_many_doc[] =
"push_many($self, /, records, timeout=None)\n--\n\n"
"Push each record of an iterable.\n\n"
"timeout: for all of them together, otherwise as of push().\n"
"Returns how many were pushed: fewer than all after the timeout, if the ring drops, or if its\n"
"other end ended meanwhile.\n"
"Raises as push() if not even one was pushed; TooLong in any case, after those before it.";

static PyObject *end_push_many(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			       PyObject *kwnames)
{
	static const char *const names[] = { "records", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL }, *records, *record;
	unsigned long long pushed = 0;
	int64_t deadline;
	int err = 0;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_deadline(arg[1], &deadline))
		return NULL;
	records = PyObject_GetIter(arg[0]);
	if (!records)
		return NULL;
	while (!err && (record = PyIter_Next(records))) {
		err = push(e, record, deadline);
		pushed += !err;
		if (err == -ENOBUFS)
			err = 0;
		Py_DECREF(record);
	}
	Py_DECREF(records);
	if (PyErr_Occurred())
		return NULL;
	if (err && (!pushed || err == -EMSGSIZE))
		return end_raise(e, err);
	return PyLong_FromUnsignedLongLong(pushed);
}

static const char reserve_doc[] =
"reserve($self, /, length, timeout=None)\n--\n\n"
"Reserve room for a record of at most length bytes, and return a Reservation, to write it in place.\n\n"
"timeout: as of push().\n"
"Raises as push(); Dropped if the ring drops and has no room; BufferError while another\n"
"Reservation is open.";

static PyObject *end_reserve(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			     PyObject *kwnames)
{
	static const char *const names[] = { "length", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL };
	int64_t deadline;
	Py_ssize_t length;
	struct view *v;
	void *rec;
	int err;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_count(arg[0], 0, &length) ||
	    take_deadline(arg[1], &deadline))
		return NULL;
	v = view_new(reservation_type, e);
	if (!v)
		return NULL;
	if (end_enter(e))
		err = RAISED;
	else
		while ((err = spscring_record_reserve(&e->rp, length, &rec)) == -EAGAIN) {
			err = wait_for(e, length, deadline);
			if (err)
				break;
		}
	if (!err)
		return view_open(v, rec, length, true);
	Py_DECREF(v);
	return end_failed(e, err);
}

static const char needs_doc[] =
"needs($self, length, /)\n--\n\n"
"How many bytes of the ring a record of length bytes takes: for wait() and set_watermark().";

static PyObject *end_needs(struct end *e, PyObject *length)
{
	Py_ssize_t n;

	if (take_count(length, 0, &n) || end_enter(e))
		return NULL;
	return PyLong_FromUnsignedLongLong(spscring_record_needs(&e->rp, n));
}

static const char drop_doc[] =
"drop($self, n=1, /)\n--\n\n"
"Give up n records that found no room: they are counted as dropped, and get sequence numbers, so\n"
"that the consumer sees a gap.";

static PyObject *end_drop(struct end *e, PyObject *const *args, Py_ssize_t nargs)
{
	Py_ssize_t n = 1;

	if (nargs > 1)
		return PyErr_Format(PyExc_TypeError, "at most 1 positional argument");
	if ((nargs && take_count(args[0], 1, &n)) || end_enter(e))
		return NULL;
	spscring_record_drop(&e->rp, n);
	Py_RETURN_NONE;
}

/* ------------------------------------------------------------------ consumer */

static PyObject *consumer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	return end_new(type, args, kwargs, SPSCRING_CONSUMER, true);
}

/* Copy a record to new bytes at *@to, or to those of an earlier try that was overtaken. */
static int copy_to_bytes(void *to, const void *rec, __u32 length)
{
	PyObject **bytes = to;

	if (*bytes && PyBytes_Size(*bytes) == length) {
		memcpy(PyBytes_AsString(*bytes), rec, length);
		return 0;
	}
	Py_XDECREF(*bytes);
	*bytes = PyBytes_FromStringAndSize(NULL, length);
	if (!*bytes)
		return -ENOMEM;
	memcpy(PyBytes_AsString(*bytes), rec, length);
	return 0;
}

/* Pop one record as bytes; NULL, with the reason in @err, if there is none. */
PyObject *record_pop(struct end *e, int64_t deadline, int *err)
{
	PyObject *bytes = NULL;
	long got;

	*err = end_enter(e) ? RAISED : 0;
	while (!*err) {
		got = spscring_record_pop_by(&e->rc, &bytes, UINT32_MAX, copy_to_bytes);
		if (got >= 0)
			return bytes;
		if (got == -ENOMEM)		/* copy_to_bytes() has raised */
			*err = RAISED;
		else if (got == -EAGAIN)
			*err = end_wait(e, 1, deadline);
		else if (got == -EBUSY)		/* overtaken again and again */
			*err = end_signals(e);
		else
			*err = (int)got;
	}
	Py_XDECREF(bytes);
	return NULL;
}

static const char pop_doc[] =
"pop($self, /, timeout=None)\n--\n\n"
"Pop one record, as bytes.\n\n"
"timeout: how many seconds to wait for it; None: no limit; 0: not at all.\n"
"Raises Empty after the timeout; EndOfStream once all was popped and the producer has shut\n"
"down; PeerDied once all was popped and the producer is dead; ShutDown if this end was shut\n"
"down; Broken.";

static const char try_pop_doc[] =
"try_pop($self, /)\n--\n\n"
"Pop one record if one is there, without waiting; return its bytes, or None.\n\n"
"Raises as pop(), but not Empty.";

static const char pop_many_doc[] =
"pop_many($self, /, n, timeout=None)\n--\n\n"
"Pop up to n records, at least one, as a list of bytes.\n\n"
"timeout: as of pop(), for the first one.  Raises as pop().";

static PyObject *end_pop_many(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			      PyObject *kwnames)
{
	static const char *const names[] = { "n", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL }, *list, *bytes;
	int64_t deadline;
	Py_ssize_t n;
	int err = 0;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_count(arg[0], 1, &n) ||
	    take_deadline(arg[1], &deadline))
		return NULL;
	list = PyList_New(0);
	if (!list)
		return NULL;
	while (PyList_Size(list) < n && (bytes = record_pop(e, deadline, &err))) {
		deadline = 0;
		err = PyList_Append(list, bytes) ? RAISED : 0;
		Py_DECREF(bytes);
		if (err)
			break;
	}
	if (err != RAISED && (!err || PyList_Size(list)))
		return list;
	Py_DECREF(list);
	return end_failed(e, err);
}

static const char pop_into_doc[] =
"pop_into($self, /, buffer, timeout=None)\n--\n\n"
"Pop one record into a writable, contiguous buffer; return its length in bytes.\n\n"
"timeout: as of pop().  Raises as pop(); TooLong if the record is longer than the buffer, and it\n"
"stays in the ring; BufferError if the buffer is not contiguous or not writable.";

static PyObject *end_pop_into(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			      PyObject *kwnames)
{
	static const char *const names[] = { "buffer", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL };
	int64_t deadline;
	Py_buffer to;
	long got = 0;
	int err;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_deadline(arg[1], &deadline) ||
	    PyObject_GetBuffer(arg[0], &to, PyBUF_WRITABLE))
		return NULL;
	err = end_enter(e) ? RAISED : 0;
	while (!err && (got = spscring_record_pop(&e->rc, to.buf, to.len)) < 0) {
		if (got == -EAGAIN)
			err = end_wait(e, 1, deadline);
		else if (got == -EBUSY)
			err = end_signals(e);
		else
			err = (int)got;
	}
	PyBuffer_Release(&to);
	return err ? end_failed(e, err) : PyLong_FromLong(got);
}

static const char peek_doc[] =
"peek($self, /, timeout=None)\n--\n\n"
"Return a Peek of the next record, to read it in place; it stays in the ring until released.\n\n"
"timeout: as of pop().  Raises as pop(); BufferError while another Peek is open; OSError\n"
"(EOPNOTSUPP) in a ring that overwrites.";

static PyObject *end_peek(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			  PyObject *kwnames)
{
	static const char *const names[] = { "timeout", NULL };
	PyObject *arg[1] = { NULL };
	int64_t deadline;
	struct view *v;
	int err;

	if (take_args(names, 0, args, nargs, kwnames, arg) || take_deadline(arg[0], &deadline))
		return NULL;
	v = view_new(peek_type, e);
	if (!v)
		return NULL;
	if (end_enter(e)) {
		Py_DECREF(v);
		return NULL;
	}
	while ((err = spscring_record_peek(&e->rc, &v->record)) == -EAGAIN || err == -EBUSY) {
		if (err == -EAGAIN)
			err = end_wait(e, 1, deadline);
		else
			err = end_signals(e);
		if (err)
			break;
	}
	if (!err)
		return view_open(v, v->record.data, (Py_ssize_t)v->record.length, true);
	Py_DECREF(v);
	return end_failed(e, err);
}

static PyObject *get_sequence(struct end *e, void *unused)
{
	(void)unused;
	return PyLong_FromUnsignedLongLong(spscring_record_sequence(&e->rc));
}

/* ----------------------------------------------------------------- the types */

static PyMethodDef producer_methods[] = {
	METHOD(drop, METH_FASTCALL, drop_doc),
	METHOD(needs, METH_O, needs_doc),
	METHOD(push, WITH_KEYWORDS, push_doc),
	METHOD(push_many, WITH_KEYWORDS, push_many_doc),
	METHOD(reserve, WITH_KEYWORDS, reserve_doc),
	METHOD(try_push, METH_O, try_push_doc),
	{ NULL, NULL, 0, NULL },
};

static PyMethodDef consumer_methods[] = {
	METHOD(peek, WITH_KEYWORDS, peek_doc),
	METHOD(pop, WITH_KEYWORDS, pop_doc),
	METHOD(pop_into, WITH_KEYWORDS, pop_into_doc),
	METHOD(pop_many, WITH_KEYWORDS, pop_many_doc),
	METHOD(try_pop, METH_NOARGS, try_pop_doc),
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef consumer_fields[] = {
	{ "sequence", (getter)get_sequence, NULL,
	  "The sequence number of the record popped last; the first record has 0.  A gap shows how\n"
	  "many were lost.", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyType_Slot producer_slots[] = {
	{ Py_tp_new, producer_new },
	{ Py_tp_methods, producer_methods },
	{ 0, NULL },
};

static PyType_Slot consumer_slots[] = {
	{ Py_tp_new, consumer_new },
	{ Py_tp_methods, consumer_methods },
	{ Py_tp_getset, consumer_fields },
	{ Py_tp_iter, PyObject_SelfIter },
	{ Py_tp_iternext, end_next },
	{ 0, NULL },
};

static PyType_Spec producer_spec = {
	.name = "spscring._core.RecordProducer",
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = producer_slots,
};

static PyType_Spec consumer_spec = {
	.name = "spscring._core.RecordConsumer",
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = consumer_slots,
};

int record_types(PyObject *module, PyTypeObject *base)
{
	PyTypeObject *type;

	return add_type(module, "RecordProducer", &producer_spec, base, &type) ||
		add_type(module, "RecordConsumer", &consumer_spec, base, &type) ? -1 : 0;
}

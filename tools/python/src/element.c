// SPDX-License-Identifier: MIT
/* Producer and consumer of elements of one size. */
#include <errno.h>

#include "core.h"

/* ------------------------------------------------------ in place, either end */

/* Reserve, or peek, up to @n elements that lie together, at least one. */
static PyObject *in_place(struct end *e, Py_ssize_t n, int64_t deadline, bool single)
{
	bool produces = e->role == SPSCRING_PRODUCER;
	struct view *v = view_new(produces ? reservation_type : peek_type, e);
	const void *elements = NULL;
	void *slots = NULL;
	long got;
	int err;

	if (!v)
		return NULL;
	err = end_enter(e) ? RAISED : 0;
	while (!err) {
		got = produces ? spscring_reserve_n(&e->p, n, &slots) :
			spscring_peek_n(&e->c, n, &elements);
		if (got > 0)
			return view_open(v, produces ? slots : (void *)elements, got, single);
		err = (int)got;
		if (err == -EAGAIN)
			err = end_wait(e, 1, deadline);
	}
	Py_DECREF(v);
	return end_failed(e, err);
}

static PyObject *in_place_one(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			      PyObject *kwnames)
{
	static const char *const names[] = { "timeout", NULL };
	PyObject *arg[1] = { NULL };
	int64_t deadline;

	if (take_args(names, 0, args, nargs, kwnames, arg) || take_deadline(arg[0], &deadline))
		return NULL;
	return in_place(e, 1, deadline, true);
}

static PyObject *in_place_many(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			       PyObject *kwnames)
{
	static const char *const names[] = { "n", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL };
	int64_t deadline;
	Py_ssize_t n;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_count(arg[0], 1, &n) ||
	    take_deadline(arg[1], &deadline))
		return NULL;
	return in_place(e, n, deadline, false);
}

/* ------------------------------------------------------------------ producer */

static PyObject *producer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	return end_new(type, args, kwargs, SPSCRING_PRODUCER, false);
}

/* The bytes of exactly one element. */
static int take_element(const struct end *e, PyObject *from, struct bytes_like *bytes)
{
	if (take_bytes(bytes, from))
		return -1;
	if (bytes->length == e->element_size)
		return 0;
	PyErr_Format(PyExc_ValueError, "an element of this ring has %u bytes, not %zd",
		     e->element_size, bytes->length);
	drop_bytes(bytes);
	return -1;
}

/* Push one element; 0, RAISED, or a negative errno. */
static int push(struct end *e, PyObject *data, int64_t deadline)
{
	struct bytes_like bytes;
	int err;

	if (take_element(e, data, &bytes))
		return RAISED;
	if (end_enter(e))
		err = RAISED;
	else
		while ((err = spscring_push(&e->p, bytes.at)) == -EAGAIN) {
			err = end_wait(e, 1, deadline);
			if (err)
				break;
		}
	drop_bytes(&bytes);
	return err;
}

static const char push_doc[] =
"push($self, /, data, timeout=None)\n--\n\n"
"Push one element: an object with the buffer protocol, of exactly element_size bytes.\n\n"
"timeout: how many seconds to wait for a free slot; None: no limit; 0: not at all.\n"
"Raises Full after the timeout; ShutDown if an end was shut down; PeerDied once the ring is full\n"
"and its consumer dead; Broken; ValueError for another size.";

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
	if (err)
		return end_failed(e, err);
	Py_RETURN_NONE;
}

static const char try_push_doc[] =
"try_push($self, data, /)\n--\n\n"
"Push one element if a slot is free, without waiting; return whether it was pushed.\n\n"
"Raises as push(), but not Full.";

static PyObject *end_try_push(struct end *e, PyObject *data)
{
	int err = push(e, data, 0);

	if (err && err != -EAGAIN)
		return end_failed(e, err);
	return PyBool_FromLong(!err);
}

/* Copies that take long let other threads run. */
static long push_batch(struct end *e, const void *from, size_t n)
{
	long pushed;

	if (n * e->element_size <= COPY_LOCKED)
		return spscring_push_n(&e->p, from, n);
	e->busy = true;
	Py_BEGIN_ALLOW_THREADS
	pushed = spscring_push_n(&e->p, from, n);
	Py_END_ALLOW_THREADS
	e->busy = false;
	return pushed;
}

/*
 * Push @n elements; the number pushed, or the error if none was.  A sleep is for a quarter of the
 * ring, where so many are left, as one for each element would be slow.  A consumer that empties
 * the ring always ends it.
 */
static long push_all(struct end *e, const char *from, size_t n, int64_t deadline, int *err)
{
	size_t done = 0, chunk = e->capacity / 4 ? e->capacity / 4 : 1;

	*err = 0;
	while (done < n) {
		long some = push_batch(e, from + done * e->element_size, n - done);

		if (some > 0) {
			done += some;
			continue;
		}
		*err = (int)some;
		if (*err == -EAGAIN)
			*err = end_wait(e, n - done < chunk ? n - done : chunk, deadline);
		if (*err)
			break;
	}
	return (long)done;
}

static const char push_many_doc[] =
"push_many($self, /, data, timeout=None)\n--\n\n"
"Push a batch: the elements of a contiguous buffer, such as a NumPy array or bytes.\n\n"
"timeout: how many seconds to wait for free slots; None: until all are pushed; 0: not at all.\n"
"Returns how many were pushed: fewer than all after the timeout, or if the ring's other end\n"
"ended meanwhile.\n"
"Raises as push() if not even one was pushed; ValueError if data are not whole elements;\n"
"BufferError if they are not contiguous.";

static PyObject *end_push_many(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			       PyObject *kwnames)
{
	static const char *const names[] = { "data", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL };
	struct bytes_like bytes;
	long done = 0;
	int64_t deadline;
	int err = RAISED;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_deadline(arg[1], &deadline) ||
	    take_bytes(&bytes, arg[0]))
		return NULL;
	if (bytes.length % e->element_size)
		PyErr_Format(PyExc_ValueError, "%zd bytes are no whole elements of %u bytes",
			     bytes.length, e->element_size);
	else if (!end_enter(e))
		done = push_all(e, bytes.at, bytes.length / e->element_size, deadline, &err);
	drop_bytes(&bytes);
	if (err == RAISED || (err && !done))
		return end_failed(e, err);
	return PyLong_FromLong(done);
}

static const char reserve_doc[] =
"reserve($self, /, timeout=None)\n--\n\n"
"Reserve one slot, and return a Reservation, to write the element in place.\n\n"
"timeout: as of push().  Raises as push(); BufferError while another Reservation is open.";

static const char reserve_many_doc[] =
"reserve_many($self, /, n, timeout=None)\n--\n\n"
"Reserve up to n slots, at least one, and return a Reservation of them all.\n\n"
"They lie in one frame of the ring, so there may be fewer even if more are free; len() of the\n"
"Reservation is how many.  Otherwise as reserve().";

/* ------------------------------------------------------------------ consumer */

static PyObject *consumer_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
	return end_new(type, args, kwargs, SPSCRING_CONSUMER, false);
}

/* Pop one element as bytes; NULL and 0 in @err if that raised. */
PyObject *element_pop(struct end *e, int64_t deadline, int *err)
{
	PyObject *bytes = NULL;
	const void *element;

	*err = end_enter(e) ? RAISED : 0;
	if (*err)
		return NULL;
	while ((*err = spscring_peek(&e->c, &element)) == -EAGAIN) {
		*err = end_wait(e, 1, deadline);
		if (*err)
			break;
	}
	if (*err)
		return NULL;
	bytes = PyBytes_FromStringAndSize(element, e->element_size);
	if (bytes)
		spscring_release(&e->c);
	else
		*err = RAISED;
	return bytes;
}

static const char pop_doc[] =
"pop($self, /, timeout=None)\n--\n\n"
"Pop one element, as bytes.\n\n"
"timeout: how many seconds to wait for it; None: no limit; 0: not at all.\n"
"Raises Empty after the timeout; EndOfStream once all was popped and the producer has shut\n"
"down; PeerDied once all was popped and the producer is dead; ShutDown if this end was shut\n"
"down; Broken.";

static const char try_pop_doc[] =
"try_pop($self, /)\n--\n\n"
"Pop one element if one is there, without waiting; return its bytes, or None.\n\n"
"Raises as pop(), but not Empty.";

/* Pop up to @n elements, at least one; the number, or a negative errno, or 0 if that raised. */
static long pop_batch(struct end *e, void *to, size_t n, int64_t deadline)
{
	long got;
	int err;

	for (;;) {
		if (n * e->element_size <= COPY_LOCKED) {
			got = spscring_pop_n(&e->c, to, n);
		} else {
			e->busy = true;
			Py_BEGIN_ALLOW_THREADS
			got = spscring_pop_n(&e->c, to, n);
			Py_END_ALLOW_THREADS
			e->busy = false;
		}
		if (got != -EAGAIN)
			return got;
		err = end_wait(e, 1, deadline);
		if (err)
			return err == RAISED ? 0 : err;
	}
}

static const char pop_into_doc[] =
"pop_into($self, /, buffer, timeout=None)\n--\n\n"
"Pop as many elements as are there and fit into a writable, contiguous buffer; at least one.\n\n"
"timeout: as of pop(), for the first one.  Returns how many were popped.\n"
"Raises as pop(); ValueError if the buffer has no room for one; BufferError if it is not\n"
"contiguous or not writable.";

static PyObject *end_pop_into(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			      PyObject *kwnames)
{
	static const char *const names[] = { "buffer", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL };
	int64_t deadline;
	Py_buffer to;
	long got = 0;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_deadline(arg[1], &deadline) ||
	    PyObject_GetBuffer(arg[0], &to, PyBUF_WRITABLE))
		return NULL;
	if (to.len < e->element_size)
		PyErr_Format(PyExc_ValueError, "%zd bytes have no room for an element of %u bytes",
			     to.len, e->element_size);
	else if (!end_enter(e))
		got = pop_batch(e, to.buf, to.len / e->element_size, deadline);
	PyBuffer_Release(&to);
	if (got > 0)
		return PyLong_FromLong(got);
	return got ? end_raise(e, (int)got) : NULL;
}

static const char pop_many_doc[] =
"pop_many($self, /, n, timeout=None)\n--\n\n"
"Pop up to n elements, at least one, as bytes without gaps.\n\n"
"timeout: as of pop(), for the first one.  Raises as pop().";

static PyObject *end_pop_many(struct end *e, PyObject *const *args, Py_ssize_t nargs,
			      PyObject *kwnames)
{
	static const char *const names[] = { "n", "timeout", NULL };
	PyObject *arg[2] = { NULL, NULL }, *all, *bytes = NULL;
	int64_t deadline;
	Py_ssize_t n;
	long got;

	if (take_args(names, 1, args, nargs, kwnames, arg) || take_count(arg[0], 1, &n) ||
	    take_deadline(arg[1], &deadline) || end_enter(e))
		return NULL;
	if ((uint64_t)n > e->capacity)
		n = (Py_ssize_t)e->capacity;
	all = PyBytes_FromStringAndSize(NULL, n * e->element_size);
	if (!all)
		return NULL;
	got = pop_batch(e, PyBytes_AsString(all), n, deadline);
	if (got == n)
		return all;
	if (got > 0)
		bytes = PyBytes_FromStringAndSize(PyBytes_AsString(all), got * e->element_size);
	else if (got < 0)
		end_raise(e, (int)got);
	Py_DECREF(all);
	return bytes;
}

static const char peek_doc[] =
"peek($self, /, timeout=None)\n--\n\n"
"Return a Peek of the next element, to read it in place; it stays in the ring until released.\n\n"
"timeout: as of pop().  Raises as pop(); BufferError while another Peek is open.";

static const char peek_many_doc[] =
"peek_many($self, /, n, timeout=None)\n--\n\n"
"Return a Peek of up to n elements, at least one, to read them in place.\n\n"
"They lie in one frame of the ring, so there may be fewer even if more are published; len() of\n"
"the Peek is how many, and its array a NumPy array of them.  Otherwise as peek().";

/* ----------------------------------------------------------------- the types */

static PyMethodDef producer_methods[] = {
	METHOD(push, WITH_KEYWORDS, push_doc),
	METHOD(push_many, WITH_KEYWORDS, push_many_doc),
	METHOD_BY(reserve, in_place_one, WITH_KEYWORDS, reserve_doc),
	METHOD_BY(reserve_many, in_place_many, WITH_KEYWORDS, reserve_many_doc),
	METHOD(try_push, METH_O, try_push_doc),
	{ NULL, NULL, 0, NULL },
};

static PyMethodDef consumer_methods[] = {
	METHOD_BY(peek, in_place_one, WITH_KEYWORDS, peek_doc),
	METHOD_BY(peek_many, in_place_many, WITH_KEYWORDS, peek_many_doc),
	METHOD(pop, WITH_KEYWORDS, pop_doc),
	METHOD(pop_into, WITH_KEYWORDS, pop_into_doc),
	METHOD(pop_many, WITH_KEYWORDS, pop_many_doc),
	METHOD(try_pop, METH_NOARGS, try_pop_doc),
	{ NULL, NULL, 0, NULL },
};

static PyType_Slot producer_slots[] = {
	{ Py_tp_new, producer_new },
	{ Py_tp_methods, producer_methods },
	{ 0, NULL },
};

static PyType_Slot consumer_slots[] = {
	{ Py_tp_new, consumer_new },
	{ Py_tp_methods, consumer_methods },
	{ Py_tp_iter, PyObject_SelfIter },
	{ Py_tp_iternext, end_next },
	{ 0, NULL },
};

static PyType_Spec producer_spec = {
	.name = "spscring._core.Producer",
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = producer_slots,
};

static PyType_Spec consumer_spec = {
	.name = "spscring._core.Consumer",
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.slots = consumer_slots,
};

int element_types(PyObject *module, PyTypeObject *base)
{
	PyTypeObject *type;

	return add_type(module, "Producer", &producer_spec, base, &type) ||
		add_type(module, "Consumer", &consumer_spec, base, &type) ? -1 : 0;
}

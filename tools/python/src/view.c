// SPDX-License-Identifier: MIT
/* What is reserved, or peeked, as memory that Python uses in place. */
#include <stddef.h>
#include <string.h>

#include "core.h"

static bool is_peek(const struct view *v)
{
	return v->end->role == SPSCRING_CONSUMER;
}

/* Not open yet, so that nothing can happen between a verb of the ring and view_open(). */
struct view *view_new(PyTypeObject *type, struct end *e)
{
	allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
	struct view *v = (struct view *)alloc(type, 0);

	if (!v)
		return NULL;
	v->end = (struct end *)Py_NewRef((PyObject *)e);
	return v;
}

/* @n elements, or bytes of a record, are at @data.  Returns @v, with the caller's reference. */
PyObject *view_open(struct view *v, void *data, Py_ssize_t n, bool single)
{
	v->data = data;
	v->n = n;
	v->single = single;
	v->open = true;
	v->end->view = v;
	return (PyObject *)v;
}

PyTypeObject *reservation_type;
PyTypeObject *peek_type;

/* A memoryview is released even if the program still has it; an array cannot be. */
static int release_memory(struct view *v)
{
	PyObject *memory = v->memory ? PyWeakref_GetObject(v->memory) : NULL, *done;

	if (!memory || memory == Py_None)
		return 0;
	Py_INCREF(memory);
	done = PyObject_CallMethod(memory, "release", NULL);
	Py_DECREF(memory);
	if (!done)
		return -1;
	Py_DECREF(done);
	Py_CLEAR(v->memory);
	return 0;
}

/* End the view without a commit or a release; -1 with BufferError while somebody has its memory. */
static int view_end(struct view *v)
{
	if (!v->open) {
		PyErr_SetString(PyExc_ValueError, "what was reserved or peeked has been ended");
		return -1;
	}
	if (v->end->forks != forks)
		return end_refuse(v->end);
	if (release_memory(v))
		return -1;
	if (v->exports) {
		PyErr_Format(PyExc_BufferError,
			     "%zd memoryviews or arrays of the ring's memory still exist",
			     v->exports);
		return -1;
	}
	v->open = false;
	v->end->view = NULL;
	return 0;
}

static void give_up(struct view *v)
{
	struct end *e = v->end;

	/* elements that are reserved, or peeked, need no undoing */
	if (e->records && e->role == SPSCRING_PRODUCER && e->forks == forks)
		spscring_record_discard(&e->rp, v->data);
}

int view_close(struct view *v)
{
	if (v->end->forks != forks) {	/* the parent's */
		v->open = false;
		v->end->view = NULL;
		return 0;
	}
	if (view_end(v))
		return -1;
	give_up(v);
	return 0;
}

static void view_dealloc(struct view *v)
{
	PyTypeObject *type = Py_TYPE((PyObject *)v);
	freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);

	if (v->open) {		/* no buffer of it is left: each would hold it */
		v->end->view = NULL;
		give_up(v);
	}
	Py_XDECREF(v->memory);
	Py_XDECREF((PyObject *)v->end);
	release(v);
	Py_DECREF(type);
}

/* --------------------------------------------------------------- the buffer */

/*
 * One element or record is a row of bytes; many elements are a row of elements, where their format
 * is known, or else rows of bytes.
 */
static void shape_buffer(struct view *v, Py_buffer *b)
{
	const struct end *e = v->end;
	Py_ssize_t size = e->records ? 1 : e->element_size;
	uint32_t stride = e->role == SPSCRING_PRODUCER ? e->producer.stride : e->consumer.stride;

	b->len = v->n * size;
	b->itemsize = 1;
	b->ndim = 1;
	b->format = "B";
	v->shape[0] = b->len;
	v->strides[0] = 1;
	if (e->records)
		return;
	if (e->format) {
		b->format = e->format;
		b->itemsize = size;
		v->shape[0] = v->n;
		v->strides[0] = stride;
	} else if (!v->single) {
		b->ndim = 2;
		v->shape[0] = v->n;
		v->strides[0] = stride;
		v->shape[1] = size;
		v->strides[1] = 1;
	}
}

/* Whether a consumer of buffers that asks by @flags may get one of this shape. */
static bool fits(const struct view *v, const Py_buffer *b, int flags)
{
	Py_ssize_t row = b->ndim == 2 ? v->shape[1] : b->itemsize;
	bool packed = v->n <= 1 || v->strides[0] == row;
	bool columns = packed && (b->ndim < 2 || v->n <= 1 || row <= 1);

	if ((flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS && !packed)
		return false;
	if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && !columns)
		return false;
	if ((flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS && !packed)
		return false;
	return packed || (flags & PyBUF_STRIDES) == PyBUF_STRIDES;
}

static int refuse_buffer(Py_buffer *b, const char *why)
{
	b->obj = NULL;
	PyErr_SetString(PyExc_BufferError, why);
	return -1;
}

static int view_get_buffer(struct view *v, Py_buffer *b, int flags)
{
	if (!v->open || v->end->forks != forks)
		return refuse_buffer(b, "what was reserved or peeked has been ended");
	b->readonly = is_peek(v);
	if (b->readonly && flags & PyBUF_WRITABLE)
		return refuse_buffer(b, "what was peeked cannot be written");
	shape_buffer(v, b);
	if (!fits(v, b, flags))
		return refuse_buffer(b, "the elements have gaps between them");
	b->buf = v->data;
	b->shape = flags & PyBUF_ND ? v->shape : NULL;
	b->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? v->strides : NULL;
	b->suboffsets = NULL;
	b->internal = NULL;
	if (!(flags & PyBUF_FORMAT))
		b->format = NULL;
	b->obj = Py_NewRef((PyObject *)v);
	v->exports++;
	return 0;
}

static void view_release_buffer(struct view *v, Py_buffer *b)
{
	(void)b;
	v->exports--;
}

static PyObject *view_memory(struct view *v, void *unused)
{
	PyObject *memory = v->memory ? PyWeakref_GetObject(v->memory) : Py_None;

	(void)unused;
	if (memory && memory != Py_None && v->open)
		return Py_NewRef(memory);
	memory = PyMemoryView_FromObject((PyObject *)v);
	if (!memory)
		return NULL;
	Py_XDECREF(v->memory);
	v->memory = PyWeakref_NewRef(memory, NULL);
	if (!v->memory) {
		Py_DECREF(memory);
		return NULL;
	}
	return memory;
}

static PyObject *view_array(PyObject *v, void *unused)
{
	(void)unused;
	return PyObject_CallMethod((PyObject *)((struct view *)v)->end, "_array", "O", v);
}

static Py_ssize_t view_length(struct view *v)
{
	return !v->end->records && v->single && !v->end->format ? v->end->element_size : v->n;
}

static PyObject *view_subscript(struct view *v, PyObject *key)
{
	PyObject *memory = view_memory(v, NULL), *item;

	if (!memory)
		return NULL;
	item = PyObject_GetItem(memory, key);
	Py_DECREF(memory);
	return item;
}

static int view_assign(struct view *v, PyObject *key, PyObject *value)
{
	PyObject *memory = view_memory(v, NULL);
	int err;

	if (!memory)
		return -1;
	err = value ? PyObject_SetItem(memory, key, value) : PyObject_DelItem(memory, key);
	Py_DECREF(memory);
	return err;
}

/* ---------------------------------------------------------- commit, release */

/* How many of the view's elements, or bytes; all by default. */
static int take_part(struct view *v, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
		     Py_ssize_t *n)
{
	static const char *const names[] = { "n", NULL };
	PyObject *arg[1] = { NULL };

	*n = v->n;
	if (take_args(names, 0, args, nargs, kwnames, arg))
		return -1;
	if (arg[0] && arg[0] != Py_None && take_count(arg[0], 0, n))
		return -1;
	if (*n <= v->n)
		return 0;
	PyErr_Format(PyExc_ValueError, "n is %zd, where %zd are there", *n, v->n);
	return -1;
}

static const char commit_doc[] =
"commit($self, /, n=None)\n--\n\n"
"Publish what was written.\n\n"
"n: how many of the elements, from the first on; of a record, how many bytes it has.  None: all\n"
"that was reserved.\n\n"
"Raises BufferError while a memoryview slice or an array of it exists: such could write to what\n"
"the consumer reads.  ValueError if it was committed or discarded before.";

static PyObject *end_commit(struct view *v, PyObject *const *args, Py_ssize_t nargs,
			    PyObject *kwnames)
{
	Py_ssize_t n;

	if (take_part(v, args, nargs, kwnames, &n) || view_end(v))
		return NULL;
	if (v->end->records)
		spscring_record_commit(&v->end->rp, v->data, n);
	else
		spscring_commit_n(&v->end->p, n);
	Py_RETURN_NONE;
}

static const char discard_doc[] =
"discard($self, /)\n--\n\n"
"Publish nothing of it.  Raises as commit().";

static PyObject *end_discard(struct view *v, PyObject *unused)
{
	(void)unused;
	if (view_end(v))
		return NULL;
	give_up(v);
	Py_RETURN_NONE;
}

static const char release_doc[] =
"release($self, /, n=None)\n--\n\n"
"Give the room back to the producer.\n\n"
"n: how many of the elements, from the first on; the others can be peeked again.  None: all.  A\n"
"record is released as a whole, or, with 0, not at all.\n\n"
"Raises BufferError while a memoryview slice or an array of it exists: it would show what the\n"
"producer writes next.  ValueError if it was released before.";

static PyObject *end_release(struct view *v, PyObject *const *args, Py_ssize_t nargs,
			     PyObject *kwnames)
{
	Py_ssize_t n;

	if (take_part(v, args, nargs, kwnames, &n))
		return NULL;
	if (v->end->records && n && n != v->n)
		return PyErr_Format(PyExc_ValueError, "a record is released as a whole");
	if (view_end(v))
		return NULL;
	if (!v->end->records)
		spscring_release_n(&v->end->c, n);
	else if (n == v->n)
		spscring_record_release(&v->end->rc, &v->record);
	Py_RETURN_NONE;
}

static PyObject *view_enter(PyObject *v, PyObject *unused)
{
	(void)unused;
	return Py_NewRef(v);
}

/* Leave a with block: whole if it has ended well, otherwise as if it had not begun. */
static PyObject *view_exit(struct view *v, PyObject *const *args, Py_ssize_t nargs)
{
	bool raised = nargs && args[0] != Py_None;

	if (!v->open)
		Py_RETURN_NONE;
	if (raised) {
		/* the exception is what counts: where arrays exist, it is they who hold the view */
		if (view_close(v))
			PyErr_Clear();
		Py_RETURN_NONE;
	}
	return is_peek(v) ? end_release(v, NULL, 0, NULL) : end_commit(v, NULL, 0, NULL);
}

static PyObject *get_sequence(struct view *v, void *unused)
{
	(void)unused;
	if (v->end->records)
		return PyLong_FromUnsignedLongLong(v->record.sequence);
	Py_RETURN_NONE;
}

/* ---------------------------------------------------------------- the types */

#define MEMORY_DOC \
	"A memoryview of it.  It is released when the view ends, even if the program still has it."

#define ARRAY_DOC \
	"A NumPy array of it, without a copy, of the end's dtype; otherwise of bytes."

static PyGetSetDef reservation_fields[] = {
	{ "array", view_array, NULL, ARRAY_DOC, NULL },
	{ "memory", (getter)view_memory, NULL, MEMORY_DOC, NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyGetSetDef peek_fields[] = {
	{ "array", view_array, NULL, ARRAY_DOC, NULL },
	{ "memory", (getter)view_memory, NULL, MEMORY_DOC, NULL },
	{ "sequence", (getter)get_sequence, NULL,
	  "The record's sequence number; None for elements.", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

#define ENTER	{ "__enter__", view_enter, METH_NOARGS, NULL }
#define EXIT	{ "__exit__", (PyCFunction)(void (*)(void))view_exit, METH_FASTCALL, NULL }

static PyMethodDef reservation_methods[] = {
	METHOD(commit, WITH_KEYWORDS, commit_doc),
	METHOD(discard, METH_NOARGS, discard_doc),
	ENTER, EXIT,
	{ NULL, NULL, 0, NULL },
};

static PyMethodDef peek_methods[] = {
	METHOD(release, WITH_KEYWORDS, release_doc),
	ENTER, EXIT,
	{ NULL, NULL, 0, NULL },
};

#define BUFFER_SLOTS \
	{ Py_tp_dealloc, view_dealloc }, \
	{ Py_bf_getbuffer, view_get_buffer }, \
	{ Py_bf_releasebuffer, view_release_buffer }, \
	{ Py_mp_length, view_length }, \
	{ Py_mp_subscript, view_subscript }

static const char reservation_doc[] =
"Room in the ring, to write elements or a record in place.\n\n"
"It supports the buffer protocol (writable), len(), and subscripts as of a memoryview.  As a\n"
"context manager it is committed at the end of the block, whole unless commit() was called in\n"
"it, or discarded if the block raises.";

static PyType_Slot reservation_slots[] = {
	{ Py_tp_doc, (void *)reservation_doc },
	{ Py_tp_methods, reservation_methods },
	{ Py_tp_getset, reservation_fields },
	{ Py_mp_ass_subscript, view_assign },
	BUFFER_SLOTS,
	{ 0, NULL },
};

static const char peek_doc[] =
"Elements, or a record, to read in the ring in place.\n\n"
"It supports the buffer protocol (read-only), len(), and subscripts as of a memoryview.  As a\n"
"context manager it is released at the end of the block, whole unless release() was called in\n"
"it; if the block raises, nothing is released.  A producer that is not trusted can change the\n"
"bytes while they are read.";

static PyType_Slot peek_slots[] = {
	{ Py_tp_doc, (void *)peek_doc },
	{ Py_tp_methods, peek_methods },
	{ Py_tp_getset, peek_fields },
	BUFFER_SLOTS,
	{ 0, NULL },
};

static PyType_Spec reservation_spec = {
	.name = "spscring.Reservation",
	.basicsize = sizeof(struct view),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = reservation_slots,
};

static PyType_Spec peek_spec = {
	.name = "spscring.Peek",
	.basicsize = sizeof(struct view),
	.flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
	.slots = peek_slots,
};

int view_types(PyObject *module)
{
	return add_type(module, "Reservation", &reservation_spec, NULL, &reservation_type) ||
		add_type(module, "Peek", &peek_spec, NULL, &peek_type) ? -1 : 0;
}

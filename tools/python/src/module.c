// SPDX-License-Identifier: MIT
/* The extension module: its functions on rings, its exceptions, its arguments. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core.h"

struct exceptions exc;

/* How often this process is the child of a fork: a mapping from before is not there any more. */
unsigned int forks;

static void forked(void)
{
	forks++;
}

/* ---------------------------------------------------------------- arguments */

static int take_keyword(const char *const *names, PyObject *name, PyObject *value, PyObject **out)
{
	int i;

	for (i = 0; names[i]; i++) {
		if (PyUnicode_CompareWithASCIIString(name, names[i]))
			continue;
		if (!out[i]) {
			out[i] = value;
			return 0;
		}
		PyErr_Format(PyExc_TypeError, "argument %R is given twice", name);
		return -1;
	}
	PyErr_Format(PyExc_TypeError, "unexpected keyword argument %R", name);
	return -1;
}

/*
 * Sort the arguments of a METH_FASTCALL | METH_KEYWORDS by @names, which NULL ends.  At least
 * @least must be given.  @out has room for each, all NULL.
 */
int take_args(const char *const *names, int least, PyObject *const *args, Py_ssize_t nargs,
	      PyObject *kwnames, PyObject **out)
{
	Py_ssize_t keywords = kwnames ? PyTuple_Size(kwnames) : 0, i;

	for (i = 0; i < nargs; i++) {
		if (!names[i]) {
			PyErr_Format(PyExc_TypeError, "at most %zd positional arguments", i);
			return -1;
		}
		out[i] = args[i];
	}
	for (i = 0; i < keywords; i++)
		if (take_keyword(names, PyTuple_GetItem(kwnames, i), args[nargs + i], out))
			return -1;
	for (i = 0; i < least; i++) {
		if (!out[i]) {
			PyErr_Format(PyExc_TypeError, "argument '%s' is missing", names[i]);
			return -1;
		}
	}
	return 0;
}

/*
 * A timeout in seconds as a deadline: of CLOCK_MONOTONIC in ns; negative: none; 0: do not wait.
 */
int take_deadline(PyObject *timeout, int64_t *deadline)
{
	struct timespec now;
	double seconds;

	*deadline = -1;
	if (!timeout || timeout == Py_None)
		return 0;
	seconds = PyFloat_AsDouble(timeout);
	if (seconds == -1.0 && PyErr_Occurred())
		return -1;
	if (isnan(seconds) || seconds < 0) {
		PyErr_SetString(PyExc_ValueError, "a timeout is a number of seconds, at least 0");
		return -1;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!seconds)
		*deadline = 0;
	else if (seconds < 4e9)		/* longer is for ever */
		*deadline = now.tv_sec * 1000000000LL + now.tv_nsec + (int64_t)(seconds * 1e9);
	return 0;
}

int take_count(PyObject *n, Py_ssize_t least, Py_ssize_t *count)
{
	*count = PyNumber_AsSsize_t(n, PyExc_OverflowError);
	if (*count == -1 && PyErr_Occurred())
		return -1;
	if (*count >= least)
		return 0;
	PyErr_Format(PyExc_ValueError, "must be at least %zd", least);
	return -1;
}

int take_bytes(struct bytes_like *bytes, PyObject *from)
{
	bytes->buffer.obj = NULL;
	if (PyBytes_CheckExact(from)) {
		bytes->at = PyBytes_AsString(from);
		bytes->length = PyBytes_Size(from);
		return 0;
	}
	if (PyObject_GetBuffer(from, &bytes->buffer, PyBUF_SIMPLE))
		return -1;
	bytes->at = bytes->buffer.buf;
	bytes->length = bytes->buffer.len;
	return 0;
}

void drop_bytes(struct bytes_like *bytes)
{
	if (bytes->buffer.obj)
		PyBuffer_Release(&bytes->buffer);
}

/* Raise @type, which is an OSError, with the text that @err has for @role. */
PyObject *raise_errno(PyObject *type, uint32_t role, int err)
{
	PyObject *error = PyObject_CallFunction(type, "is", -err, spscring_strerror(role, err));

	if (error) {
		PyErr_SetObject((PyObject *)Py_TYPE(error), error);
		Py_DECREF(error);
	}
	return NULL;
}

/* -------------------------------------------------------------------- rings */

static const char open_doc[] =
"open($module, flags, capacity, element_size, align, frame_size, numa_node, type_tag, name, memfd, /)\n"
"--\n\n"
"Make a ring; return its ring fd, which the caller closes.\n\n"
"The arguments are those of struct spscring_create in <linux/spscring.h>, flags a sum of\n"
"CREATE_*.  With memfd, the ring is in a memfd of this process, without the module.";

static PyObject *core_open(PyObject *module, PyObject *args)
{
	struct spscring_create want = { .size = sizeof(want) };
	unsigned long long capacity, type_tag;
	Py_ssize_t length;
	const char *name;
	int memfd, fd;

	(void)module;
	if (!PyArg_ParseTuple(args, "IKIIIiKs#p", &want.flags, &capacity, &want.element_size,
			      &want.align, &want.frame_size, &want.numa_node, &type_tag, &name,
			      &length, &memfd))
		return NULL;
	if (length > SPSCRING_NAME_MAX)
		return PyErr_Format(PyExc_ValueError, "a name has at most %d bytes",
				    SPSCRING_NAME_MAX);
	want.capacity = capacity;
	want.type_tag = type_tag;
	memcpy(want.name, name, length);
	Py_BEGIN_ALLOW_THREADS
	fd = memfd ? spscring_open_memfd(&want) : spscring_open(&want);
	Py_END_ALLOW_THREADS
	if (fd >= 0)
		return PyLong_FromLong(fd);
	if ((fd == -EINVAL || fd == -E2BIG) && want.why)
		return PyErr_Format(PyExc_ValueError, "%s", spscring_why(want.why));
	errno = -fd;
	if (memfd)
		return PyErr_SetFromErrno(PyExc_OSError);
	return PyErr_SetFromErrnoWithFilename(PyExc_OSError, "/dev/spscring");
}

static const char claim_doc[] =
"claim($module, ring_fd, role, element_size, type_tag, /)\n--\n\n"
"Claim an end of a ring, PRODUCER or CONSUMER; return its endpoint fd, which the caller closes.";

static int claim(int ring, uint32_t role, uint32_t element_size, uint64_t type_tag)
{
	int fd;

	Py_BEGIN_ALLOW_THREADS
	fd = spscring_claim(ring, role, element_size, type_tag);
	Py_END_ALLOW_THREADS
	return fd;
}

static PyObject *core_claim(PyObject *module, PyObject *args)
{
	unsigned int role, element_size;
	unsigned long long type_tag;
	int ring, fd;

	(void)module;
	if (!PyArg_ParseTuple(args, "iIIK", &ring, &role, &element_size, &type_tag))
		return NULL;
	fd = claim(ring, role, element_size, type_tag);
	switch (fd) {
	case -EBUSY:
		return raise_errno(exc.busy, role, fd);
	case -EPROTOTYPE:
		return raise_errno(exc.type_mismatch, role, fd);
	case -ESHUTDOWN:
		return raise_errno(exc.shut_down, role, fd);
	case -EPIPE:
		return raise_errno(exc.broken, role, fd);
	default:
		return fd < 0 ? raise_errno(PyExc_OSError, role, fd) : PyLong_FromLong(fd);
	}
}

static PyObject *sleep_counters(const struct spscring_sleep_counters *s)
{
	return Py_BuildValue("(KKKKKKK)", s->sleeps, s->polls, s->kicks, s->wakes, s->interrupts,
			     s->clears, s->refused);
}

/* The fields of INFO, by their names there; those that need several values are tuples. */
static PyObject *info_dict(const struct spscring_info *i)
{
	const struct spscring_geometry *g = &i->geometry;

	return Py_BuildValue("{sKsNsIsKsIsIsKsKsKsKsKsKsIsKsIs(II)s(II)sNsNs(KKKK)}",
			     "id", i->id,
			     "name", PyUnicode_FromStringAndSize((const char *)i->name,
								 strnlen((const char *)i->name,
									 SPSCRING_NAME_MAX)),
			     "flags", g->flags, "capacity", g->capacity,
			     "element_size", g->element_size, "stride", g->stride,
			     "type_tag", g->type_tag, "memory", g->memory,
			     "head", i->head, "tail", i->tail, "length", i->length, "free", i->free,
			     "broken", i->broken,
			     "consumer_offset", g->consumer_offset, "colour", g->colour,
			     "producer", i->producer_state, i->producer_generation,
			     "consumer", i->consumer_state, i->consumer_generation,
			     "producer_sleep", sleep_counters(&i->producer_sleep),
			     "consumer_sleep", sleep_counters(&i->consumer_sleep),
			     "loss", i->loss.drops, i->loss.overruns, i->loss.high_water,
			     i->loss.sequence);
}

static const char info_doc[] =
"info($module, fd, /)\n--\n\n"
"The state of the ring of a ring fd or an endpoint fd, as a dict.";

static PyObject *core_info(PyObject *module, PyObject *fd)
{
	struct spscring_info info;
	int n = PyObject_AsFileDescriptor(fd), err;

	(void)module;
	if (n < 0)
		return NULL;
	err = spscring_get_info(n, &info);
	return err ? raise_errno(PyExc_OSError, SPSCRING_PRODUCER, err) : info_dict(&info);
}

static const char shutdown_doc[] =
"shutdown($module, endpoint_fd, broken, /)\n--\n\n"
"Shut down an end that is not mapped here; broken says that its peer's words are impossible.";

static PyObject *core_shutdown(PyObject *module, PyObject *args)
{
	int fd, broken, err;

	(void)module;
	if (!PyArg_ParseTuple(args, "ip", &fd, &broken))
		return NULL;
	err = spscring_shutdown(fd, broken ? SPSCRING_SHUTDOWN_BROKEN : 0);
	if (err)
		return raise_errno(PyExc_OSError, SPSCRING_PRODUCER, err);
	Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
	{ "open", core_open, METH_VARARGS, open_doc },
	{ "claim", core_claim, METH_VARARGS, claim_doc },
	{ "info", core_info, METH_O, info_doc },
	{ "shutdown", core_shutdown, METH_VARARGS, shutdown_doc },
	{ NULL, NULL, 0, NULL },
};

/* --------------------------------------------------------------- the module */

static const struct {
	const char *name;
	PyObject **type;
} exceptions[] = {
	{ "Full", &exc.full },
	{ "Empty", &exc.empty },
	{ "Dropped", &exc.dropped },
	{ "ShutDown", &exc.shut_down },
	{ "EndOfStream", &exc.end_of_stream },
	{ "PeerDied", &exc.peer_died },
	{ "Broken", &exc.broken },
	{ "TooLong", &exc.too_long },
	{ "TypeMismatch", &exc.type_mismatch },
	{ "Busy", &exc.busy },
};

static int import_exceptions(void)
{
	PyObject *errors = PyImport_ImportModule("spscring._errors");
	size_t i;

	if (!errors)
		return -1;
	for (i = 0; i < Py_ARRAY_LENGTH(exceptions); i++) {
		*exceptions[i].type = PyObject_GetAttrString(errors, exceptions[i].name);
		if (!*exceptions[i].type)
			break;
	}
	Py_DECREF(errors);
	return i < Py_ARRAY_LENGTH(exceptions) ? -1 : 0;
}

static const struct {
	const char *name;
	long value;
} constants[] = {
	{ "PRODUCER", SPSCRING_PRODUCER },
	{ "CONSUMER", SPSCRING_CONSUMER },
	{ "VARIABLE_SIZE", SPSCRING_VARIABLE_SIZE },
	{ "NAME_MAX", SPSCRING_NAME_MAX },
	{ "CREATE_NUMA_NODE", SPSCRING_CREATE_NUMA_NODE },
	{ "CREATE_BUSY_POLL", SPSCRING_CREATE_BUSY_POLL },
	{ "CREATE_FENCE", SPSCRING_CREATE_FENCE },
	{ "CREATE_RECORDS", SPSCRING_CREATE_RECORDS },
	{ "CREATE_DROP", SPSCRING_CREATE_DROP },
	{ "CREATE_OVERWRITE", SPSCRING_CREATE_OVERWRITE },
	{ "CREATE_CLOSE_ENDS", SPSCRING_CREATE_CLOSE_ENDS },
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "spscring._core",
	.m_doc = "What the package spscring has in C.  Use the package.",
	.m_size = -1,
	.m_methods = functions,
};

PyMODINIT_FUNC PyInit__core(void)
{
	PyObject *module = PyModule_Create(&definition);
	size_t i;

	if (!module)
		return NULL;
	if (import_exceptions() || view_types(module) || end_types(module))
		goto failed;
	for (i = 0; i < Py_ARRAY_LENGTH(constants); i++)
		if (PyModule_AddIntConstant(module, constants[i].name, constants[i].value))
			goto failed;
	if (pthread_atfork(NULL, NULL, forked)) {
		PyErr_NoMemory();
		goto failed;
	}
	return module;
failed:
	Py_DECREF(module);
	return NULL;
}

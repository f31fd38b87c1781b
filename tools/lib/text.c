// SPDX-License-Identifier: MIT
/* Errors, in words. */
#include <errno.h>
#include <string.h>

#include "spscring.h"

/* A limit, as the text of a number: macros that are sums or shifts are not texts. */
#define TEXT_OF(x)	#x
#define TEXT(x)		TEXT_OF(x)
#define DATA_MAX	4 GiB
#define FRAME_MAX	1048576
SPSCRING_ASSERT(SPSCRING_DATA_MAX == 4ULL << 30);
SPSCRING_ASSERT(SPSCRING_FRAME_MAX == FRAME_MAX);

const char *spscring_strerror(uint32_t role, int err)
{
	int produces = role == SPSCRING_PRODUCER;

	switch (err) {
	case -EAGAIN:
		return produces ? "the ring is full" : "the ring is empty";
	case -ESHUTDOWN:
		return produces ? "the consumer takes no more, or this end was shut down" :
			"the producer ended the stream, or this end was shut down";
	case -EPIPE:
		return produces ? "the consumer has died, or the ring is broken" :
			"the producer has died, or the ring is broken";
	case -EMSGSIZE:
		return produces ? "the record is longer than the ring can hold" :
			"the record is longer than the place for it";
	case -ENOBUFS:
		return "the ring is full, and the record is dropped";
	case -EPROTOTYPE:
		return "the ring has another element size or type tag";
	case -EBADFD:
		return "the ring has not been created yet";
	case -EBUSY:
		return produces ? "the producer's end is held" :
			"the consumer's end is held, or its records are overwritten too fast";
	case -EPROTONOSUPPORT:
		return "the program, the library and the ring are not of one version";
	case -ETIMEDOUT:
		return "the deadline has passed";
	case -EDQUOT:
		return "the ring is beyond the locked memory that this user may have (ulimit -l)";
	case -ENOSPC:
		return "the ring is beyond the memory that the module allows (max_bytes)";
	case -ENOTTY:
		return "the fd is not that of a ring";
	case -EACCES:
		return role ? "permission denied, or the fd is not for this end" :
			"permission denied: /dev/spscring is root's, unless a udev rule shares it";
	case -ENOENT:
		return role ? strerror(ENOENT) :
			"no such file: without /dev/spscring, the module is not loaded";
	case -ENODATA:
		return "the sender has closed the socket";
	case -EBADMSG:
		return "the message has no fd, or several";
	case -EOPNOTSUPP:
		return "a ring of this kind cannot do that";
	default:
		return strerror(-err);
	}
}

const char *spscring_why(uint32_t why)
{
	static const char *const texts[] = {
		/* also of a request whose size is none: then there is no struct to judge */
		[0] = "no rule is named: is size sizeof(struct spscring_create)?",
		[SPSCRING_WHY_FLAGS] = "flags: has an unknown bit",
		[SPSCRING_WHY_RESERVED] = "reserved: is not 0",
		[SPSCRING_WHY_WAKES] = "flags: BUSY_POLL and FENCE exclude each other",
		[SPSCRING_WHY_LOSSES] = "flags: DROP and OVERWRITE exclude each other",
		[SPSCRING_WHY_NEEDS_RECORDS] = "flags: DROP and OVERWRITE need RECORDS",
		[SPSCRING_WHY_NODE_UNASKED] = "numa_node: is not 0, but flags lack NUMA_NODE",
		[SPSCRING_WHY_NODE] = "numa_node: is no online memory node",
		[SPSCRING_WHY_NODE_CPUSET] = "numa_node: is not in the caller's cpuset",
		[SPSCRING_WHY_NAME] = "name: is at most " TEXT(SPSCRING_NAME_MAX)
			" printable ASCII characters, padded with zeros",
		[SPSCRING_WHY_ELEMENT_SIZE] = "element_size: is 1 to " TEXT(SPSCRING_ELEMENT_MAX)
			" bytes in a ring of elements",
		[SPSCRING_WHY_CAPACITY] = "capacity: is at least 1 element",
		[SPSCRING_WHY_ALIGN] = "align: is a power of two, at most "
			TEXT(SPSCRING_ALIGN_MAX) " bytes, or 0",
		[SPSCRING_WHY_FRAME_SIZE] = "frame_size: is a power of two, "
			TEXT(SPSCRING_FRAME_MIN) " to " TEXT(FRAME_MAX) " bytes, or 0",
		[SPSCRING_WHY_FRAME_ROOM] = "frame_size: has no room for one element",
		[SPSCRING_WHY_RECORDS_SIZE] = "element_size: is 0 in a ring of records",
		[SPSCRING_WHY_RECORDS_FRAME] = "frame_size: is 0 in a ring of records",
		[SPSCRING_WHY_RECORDS_ALIGN] = "align: is a power of two, "
			TEXT(SPSCRING_RECORD_ALIGN_MIN) " to " TEXT(SPSCRING_RECORD_ALIGN_MAX)
			" bytes, or 0, in a ring of records",
		[SPSCRING_WHY_RECORDS_MULTIPLE] =
			"capacity: is a multiple of align, which is "
			TEXT(SPSCRING_RECORD_ALIGN_MIN) " bytes if it is 0, in a ring of records",
		[SPSCRING_WHY_RECORDS_CAPACITY] =
			"capacity: is at least twice align in a ring of records",
		[SPSCRING_WHY_TOO_LARGE] =
			"capacity: needs more than " TEXT(DATA_MAX) " of data",
	};

	if (why <= SPSCRING_WHY_TOO_LARGE)
		return texts[why];
	return "a rule that this version of the library does not know";
}

// SPDX-License-Identifier: MIT
/* Errors, in words. */
#include <errno.h>
#include <string.h>

#include "spscring.h"

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
	default:
		return strerror(-err);
	}
}

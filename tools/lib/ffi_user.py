#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A program without C: it moves elements and records through rings of memfds by libspscring-ffi.

Exits with 1 where a message is wrong.
"""
import ctypes
import errno
import sys

PRODUCER, CONSUMER, RECORDS = 1, 2, 1 << 3
lib = ctypes.CDLL("libspscring-ffi.so.0")     # it brings libspscring.so.0 with it


class Create(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint32), ("flags", ctypes.c_uint32),
                ("capacity", ctypes.c_uint64), ("element_size", ctypes.c_uint32),
                ("align", ctypes.c_uint32), ("frame_size", ctypes.c_uint32),
                ("numa_node", ctypes.c_int32), ("type_tag", ctypes.c_uint64),
                ("name", ctypes.c_uint8 * 32), ("why", ctypes.c_uint32),
                ("reserved", ctypes.c_uint32)]


def check(value):
    if value < 0:
        sys.exit(f"ffi: {errno.errorcode[-value]}")
    return value


def handle(kind):
    size = getattr(lib, "spscring_sizeof_" + kind)
    size.restype = ctypes.c_size_t
    memory = ctypes.create_string_buffer(size() + 64)
    return ctypes.c_void_p(-(-ctypes.addressof(memory) // 64) * 64), memory


def ends(prefix, want, *sizes):
    ring = check(lib.spscring_open_memfd(ctypes.byref(want)))
    tag = ctypes.c_uint64(0)
    for role, kind in (PRODUCER, "producer"), (CONSUMER, "consumer"):
        fd = check(lib.spscring_claim(ring, role, want.element_size, tag))
        end = handle(prefix + kind)
        check(getattr(lib, f"spscring_{prefix}map_{kind}")(fd, end[0], *sizes, tag, None))
        yield end


size = ctypes.sizeof(Create)
(p, keep_p), (c, keep_c) = ends("", Create(size=size, capacity=10, element_size=8), 8)
value = ctypes.c_uint64()
for number in range(1000):
    value.value = number * number
    check(lib.spscring_push(p, ctypes.byref(value)))
    value.value = 1
    check(lib.spscring_pop(c, ctypes.byref(value)))
    if value.value != number * number:
        sys.exit(f"ffi: {value.value} after {number} elements")

(p, keep_rp), (c, keep_rc) = ends("record_", Create(size=size, capacity=4096, flags=RECORDS))
lib.spscring_record_pop.restype = ctypes.c_long
place = ctypes.create_string_buffer(64)
for number in range(1000):
    text = b"record" * (number % 10)
    check(lib.spscring_record_push(p, text, ctypes.c_uint64(len(text))))
    length = check(lib.spscring_record_pop(c, place, ctypes.c_size_t(64)))
    if place.raw[:length] != text:
        sys.exit(f"ffi: {place.raw[:length]} after {number} records")

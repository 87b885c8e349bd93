// swift-spinnaker · SPDX-License-Identifier: Apache-2.0

#ifndef C_ALLOCATION_COUNTER_H
#define C_ALLOCATION_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/// Whether this program's allocations are counted: only where the C library is glibc.
bool allocation_counter_works(void);

/// How many times this thread has asked for memory (malloc, calloc, realloc and the aligned ones) since it began.
uint64_t allocation_count(void);

/// CPU time of this thread: what other programs take of the machine meanwhile is not in it.
uint64_t thread_cpu_nanoseconds(void);

#endif

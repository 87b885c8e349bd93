// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//
// What the C programs share among themselves.

#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <netinet/in.h>
#include <stdint.h>

/// Monotonic nanoseconds.
uint64_t bare_now(void);

/// A UDP socket with a receive buffer of a mebibyte, bound to or connected with a port of 127.0.0.1; -1 with errno set.
int bare_open_loopback(struct sockaddr_in *address, uint16_t port, int bound);

#endif

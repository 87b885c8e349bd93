// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//
// What the C programs share among themselves.

#ifndef LOOPBACK_H
#define LOOPBACK_H

#include <stddef.h>
#include <netinet/in.h>
#include <stdint.h>

/// Monotonic nanoseconds.
uint64_t bare_now(void);

/// A UDP socket with a receive buffer of a mebibyte, bound to or connected with a port of 127.0.0.1; -1 with errno set.
int bare_open_loopback(struct sockaddr_in *address, uint16_t port, int bound);

/// One request's answer into `out` (512 bytes); its length, or 0 for none.
typedef size_t (*answer_function)(void *context, const char *in, size_t length, char *out);

/// Answers datagrams in batches until `stop_fd` becomes readable. Its port is written to `port_fd` first.
int serve_loopback(int port_fd, int stop_fd, answer_function answer, void *context);

#endif

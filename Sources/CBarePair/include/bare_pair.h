// swift-spinnaker · SPDX-License-Identifier: Apache-2.0
//
// The plainest thing that can be measured beside ours: two C programs that pass datagrams of the same sizes over
// loopback, with nothing in between. A ratio to it means the same on every machine.

#ifndef BARE_PAIR_H
#define BARE_PAIR_H

#include <stdint.h>

/// Answers every datagram with `reply_size` bytes whose sequence (bytes 12 and 13) is the request's, as an SCP reply's is.
/// Binds 127.0.0.1, writes its port to `port_fd` as two bytes (host order), and serves until its parent closes `stop_fd`.
/// Returns 0, or -1 with errno set.
int bare_responder(int port_fd, int stop_fd, int reply_size);

/// Sends `count` requests of `request_size` bytes to 127.0.0.1:`port`, at most `window` unanswered, and times each.
/// Fills `latencies` (nanoseconds, `count` of them) and `elapsed` (nanoseconds). Lost datagrams are sent again after 100 ms.
/// Returns 0, or -1 with errno set.
int bare_client(uint16_t port, int window, int count, int request_size, uint64_t *latencies, uint64_t *elapsed);

/// A board that does nothing but remember: answers SCP reads and writes of 64 MiB from 0x60000000 on, and says RC_ARG to all
/// else. Binds, tells its port and ends as `bare_responder` does.
int memory_responder(int port_fd, int stop_fd);

/// Writes `size` bytes to such a board, or reads them, from `base` on, in pieces of 256 bytes, at most `window` (1...16)
/// unanswered. Fills `elapsed` (nanoseconds). Lost datagrams are sent again after 100 ms.
/// Returns 0, or -1 with errno set.
int memory_client(uint16_t port, int window, int is_write, uint32_t base, char *bytes, int size, uint64_t *elapsed);

/// All boards of a machine on loopback: sends every datagram back from the address to which it came. It binds a port of all addresses,
/// tells it and ends as `bare_responder` does. Returns 0, or -1 with errno set.
int board_echo(int port_fd, int stop_fd);

/// CPU time this process has used, nanoseconds.
uint64_t process_cpu_nanoseconds(void);

#endif

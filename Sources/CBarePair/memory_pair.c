// swift-spinnaker · SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "bare_pair.h"
#include "loopback.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// A datagram (docs/wire.md): 2 of padding, SDP's 8, command or result, sequence, three arguments, data.
enum {
    BATCH = 16, SLOT = 512, CHUNK = 256,
    COMMAND = 10, SEQUENCE = 12, ARGUMENTS = 14, REQUEST_DATA = 26, REPLY_DATA = 14,
    CMD_READ = 2, CMD_WRITE = 3, RC_OK = 0x80, RC_ARG = 0x84,
    MEMORY = 64 << 20,
};

static const uint32_t BASE = 0x60000000;

static uint16_t get16(const char *from) {
    uint16_t value;
    memcpy(&value, from, 2);
    return value;
}

static uint32_t get32(const char *from) {
    uint32_t value;
    memcpy(&value, from, 4);
    return value;
}

static void put16(char *to, uint16_t value) { memcpy(to, &value, 2); }
static void put32(char *to, uint32_t value) { memcpy(to, &value, 4); }

// Answers one request; returns the reply's length, or 0 when it is no request.
static size_t answer(void *context, const char *in, size_t length, char *out) {
    char *memory = context;
    if (length < REQUEST_DATA) return 0;
    uint32_t address = get32(in + ARGUMENTS), size = get32(in + ARGUMENTS + 4);
    uint64_t offset = (uint64_t)address - BASE;
    int fits = address >= BASE && size <= CHUNK && offset + size <= MEMORY;
    uint16_t command = get16(in + COMMAND);
    // To whom it came from: ports and chips change places.
    memcpy(out, "\0\0\x07", 3);
    out[3] = in[3];
    out[4] = in[5];
    out[5] = in[4];
    memcpy(out + 6, in + 8, 2);
    memcpy(out + 8, in + 6, 2);
    memcpy(out + SEQUENCE, in + SEQUENCE, 2);
    put16(out + COMMAND, RC_OK);
    if (command == CMD_READ && fits) {
        memcpy(out + REPLY_DATA, memory + offset, size);
        return REPLY_DATA + size;
    }
    if (command == CMD_WRITE && fits && length >= REQUEST_DATA + size) {
        memcpy(memory + offset, in + REQUEST_DATA, size);
        return REPLY_DATA;
    }
    put16(out + COMMAND, RC_ARG);
    return REPLY_DATA;
}

int memory_responder(int port_fd, int stop_fd) {
    static char memory[MEMORY];
    return serve_loopback(port_fd, stop_fd, answer, memory);
}

int memory_client(uint16_t port, int window, int is_write, uint32_t base, char *bytes, int size, uint64_t *elapsed) {
    struct sockaddr_in address;
    int fd = bare_open_loopback(&address, port, 0);
    if (fd < 0) return -1;
    if (window > BATCH) window = BATCH;
    // The request that a slot holds until it is answered; -1: the slot is free.
    static char out[BATCH][SLOT], in[BATCH][SLOT];
    int holder[BATCH];
    size_t length[BATCH];
    struct iovec iout[BATCH], iin[BATCH];
    struct mmsghdr mout[BATCH], min[BATCH];
    for (int i = 0; i < window; i++) holder[i] = -1;
    int count = (size + CHUNK - 1) / CHUNK, issued = 0, done = 0, failed = 0;
    uint64_t start = bare_now();
    while (done < count && !failed) {
        int n = 0;
        memset(mout, 0, sizeof mout);
        for (int slot = 0; slot < window && issued < count; slot++) {
            if (holder[slot] >= 0) continue;
            int offset = issued * CHUNK, part = size - offset < CHUNK ? size - offset : CHUNK;
            char *request = out[slot];
            uint32_t place = base + (uint32_t)offset;
            memcpy(request, "\0\0\x87\xff\0\xff\0\0\0\0", 10);
            put16(request + COMMAND, is_write ? CMD_WRITE : CMD_READ);
            put16(request + SEQUENCE, (uint16_t)issued);
            put32(request + ARGUMENTS, place);
            put32(request + ARGUMENTS + 4, (uint32_t)part);
            put32(request + ARGUMENTS + 8, (place | (uint32_t)part) & 1 ? 0 : (place | (uint32_t)part) & 2 ? 1 : 2);
            if (is_write) memcpy(request + REQUEST_DATA, bytes + offset, (size_t)part);
            holder[slot] = issued++;
            length[slot] = REQUEST_DATA + (is_write ? (size_t)part : 0);
            iout[n] = (struct iovec){request, length[slot]};
            mout[n].msg_hdr.msg_iov = &iout[n];
            mout[n].msg_hdr.msg_iovlen = 1;
            n++;
        }
        for (int sent = 0; sent < n;) {
            int k = sendmmsg(fd, mout + sent, (unsigned)(n - sent), 0);
            if (k < 0) {
                close(fd);
                return -1;
            }
            sent += k;
        }
        struct pollfd wait = {fd, POLLIN, 0};
        if (poll(&wait, 1, 100) == 0) {
            // Lost: on loopback that is a full buffer. Send all that is out again.
            for (int slot = 0; slot < window; slot++)
                if (holder[slot] >= 0 && send(fd, out[slot], length[slot], 0) < 0) break;
            continue;
        }
        memset(min, 0, sizeof min);
        for (int i = 0; i < BATCH; i++) {
            iin[i] = (struct iovec){in[i], SLOT};
            min[i].msg_hdr.msg_iov = &iin[i];
            min[i].msg_hdr.msg_iovlen = 1;
        }
        int got = recvmmsg(fd, min, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            if (min[i].msg_len < REPLY_DATA) continue;
            for (int slot = 0; slot < window; slot++) {
                if (holder[slot] < 0 || (uint16_t)holder[slot] != get16(in[i] + SEQUENCE)) continue;
                int offset = holder[slot] * CHUNK, part = size - offset < CHUNK ? size - offset : CHUNK;
                failed |= get16(in[i] + COMMAND) != RC_OK;
                if (!is_write) {
                    failed |= (int)min[i].msg_len != REPLY_DATA + part;
                    if (!failed) memcpy(bytes + offset, in[i] + REPLY_DATA, (size_t)part);
                }
                holder[slot] = -1;
                done++;
                break;
            }
        }
    }
    *elapsed = bare_now() - start;
    close(fd);
    if (failed) errno = EPROTO;
    return failed ? -1 : 0;
}

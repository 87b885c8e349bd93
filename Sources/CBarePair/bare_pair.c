// swift-spinnaker · SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "bare_pair.h"
#include "loopback.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 16, SLOT = 512, SEQUENCE = 12 };

uint64_t bare_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t process_cpu_nanoseconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return ((uint64_t)u.ru_utime.tv_sec + (uint64_t)u.ru_stime.tv_sec) * 1000000000u
        + ((uint64_t)u.ru_utime.tv_usec + (uint64_t)u.ru_stime.tv_usec) * 1000u;
}

int bare_open_loopback(struct sockaddr_in *address, uint16_t port, int bound) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) return -1;
    int size = 1 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    memset(address, 0, sizeof *address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address->sin_port = htons(port);
    int done = bound ? bind(fd, (struct sockaddr *)address, sizeof *address)
                     : connect(fd, (struct sockaddr *)address, sizeof *address);
    if (done < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int serve_loopback(int port_fd, int stop_fd, answer_function answer, void *context) {
    struct sockaddr_in address;
    int fd = bare_open_loopback(&address, 0, 1);
    if (fd < 0) return -1;
    socklen_t address_length = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &address_length);
    uint16_t port = ntohs(address.sin_port);
    if (write(port_fd, &port, sizeof port) != sizeof port) return -1;
    close(port_fd);

    static char in[BATCH][SLOT], out[BATCH][SLOT];
    struct sockaddr_in from[BATCH];
    struct iovec iin[BATCH], iout[BATCH];
    struct mmsghdr min[BATCH], mout[BATCH];
    for (;;) {
        struct pollfd wait[2] = {{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
        if (poll(wait, 2, -1) < 0 && errno != EINTR) return -1;
        if (wait[1].revents) break;
        memset(min, 0, sizeof min);
        for (int i = 0; i < BATCH; i++) {
            iin[i] = (struct iovec){in[i], SLOT};
            min[i].msg_hdr.msg_iov = &iin[i];
            min[i].msg_hdr.msg_iovlen = 1;
            min[i].msg_hdr.msg_name = &from[i];
            min[i].msg_hdr.msg_namelen = sizeof from[i];
        }
        int n = recvmmsg(fd, min, BATCH, MSG_DONTWAIT, NULL), answers = 0;
        memset(mout, 0, sizeof mout);
        for (int i = 0; i < n; i++) {
            size_t length = answer(context, in[i], min[i].msg_len, out[i]);
            if (length == 0) continue;
            iout[answers] = (struct iovec){out[i], length};
            mout[answers].msg_hdr.msg_iov = &iout[answers];
            mout[answers].msg_hdr.msg_iovlen = 1;
            mout[answers].msg_hdr.msg_name = &from[i];
            mout[answers].msg_hdr.msg_namelen = sizeof from[i];
            answers++;
        }
        for (int sent = 0; sent < answers;) {
            int k = sendmmsg(fd, mout + sent, (unsigned)(answers - sent), 0);
            if (k <= 0) break;
            sent += k;
        }
    }
    close(fd);
    return 0;
}

// Nothing but the sequence number, in a reply of the wanted size.
static size_t answer_bare(void *context, const char *in, size_t length, char *out) {
    (void)length;
    memcpy(out + SEQUENCE, in + SEQUENCE, 2);
    return (size_t)*(int *)context;
}

int bare_responder(int port_fd, int stop_fd, int reply_size) {
    return serve_loopback(port_fd, stop_fd, answer_bare, &reply_size);
}

int bare_client(uint16_t port, int window, int count, int request_size, uint64_t *latencies, uint64_t *elapsed) {
    struct sockaddr_in address;
    int fd = bare_open_loopback(&address, port, 0);
    if (fd < 0) return -1;
    if (window > BATCH * 4) window = BATCH * 4;
    static char out[BATCH * 4][SLOT], in[BATCH][SLOT];
    // Which request a sequence stands for; 65536 of them, none reused while it is out.
    static int32_t index_of[65536];
    static uint64_t sent_at[65536];
    memset(index_of, 0xFF, sizeof index_of);
    struct iovec iout[BATCH * 4], iin[BATCH];
    struct mmsghdr mout[BATCH * 4], min[BATCH];
    int issued = 0, done = 0, free_slots = window;
    uint64_t start = bare_now();
    while (done < count) {
        int n = 0;
        memset(mout, 0, sizeof mout);
        uint64_t t = bare_now();
        while (free_slots > 0 && issued < count) {
            uint16_t sequence = (uint16_t)issued;
            memcpy(out[n] + SEQUENCE, &sequence, 2);
            index_of[sequence] = issued++;
            sent_at[sequence] = t;
            iout[n] = (struct iovec){out[n], (size_t)request_size};
            mout[n].msg_hdr.msg_iov = &iout[n];
            mout[n].msg_hdr.msg_iovlen = 1;
            n++;
            free_slots--;
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
        int ready = poll(&wait, 1, 100);
        if (ready == 0) {
            // Lost: on loopback that is a full buffer. Send all that is out again.
            for (int s = 0; s < 65536; s++) {
                if (index_of[s] < 0) continue;
                uint16_t sequence = (uint16_t)s;
                memcpy(out[0] + SEQUENCE, &sequence, 2);
                if (send(fd, out[0], (size_t)request_size, 0) < 0) break;
            }
            continue;
        }
        memset(min, 0, sizeof min);
        for (int i = 0; i < BATCH; i++) {
            iin[i] = (struct iovec){in[i], SLOT};
            min[i].msg_hdr.msg_iov = &iin[i];
            min[i].msg_hdr.msg_iovlen = 1;
        }
        int got = recvmmsg(fd, min, BATCH, MSG_DONTWAIT, NULL);
        uint64_t arrived = bare_now();
        for (int i = 0; i < got; i++) {
            uint16_t sequence;
            memcpy(&sequence, in[i] + SEQUENCE, 2);
            int32_t index = index_of[sequence];
            if (index < 0) continue;
            index_of[sequence] = -1;
            latencies[index] = arrived - sent_at[sequence];
            done++;
            free_slots++;
        }
    }
    *elapsed = bare_now() - start;
    close(fd);
    return 0;
}

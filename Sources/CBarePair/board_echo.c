// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "bare_pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BATCH = 64, SLOT = 512, CONTROL = 64 };

int board_echo(int port_fd, int stop_fd) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0) return -1;
    int size = 1 << 22, on = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    // Says with each datagram for which address it came: the answer has to come from there.
    if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0) return -1;
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return -1;
    socklen_t length = sizeof address;
    getsockname(fd, (struct sockaddr *)&address, &length);
    uint16_t port = ntohs(address.sin_port);
    if (write(port_fd, &port, sizeof port) != sizeof port) return -1;
    close(port_fd);

    static char data[BATCH][SLOT];
    static union {
        struct cmsghdr align;
        char bytes[CONTROL];
    } control[BATCH];
    struct sockaddr_in from[BATCH];
    struct iovec vectors[BATCH];
    struct mmsghdr messages[BATCH];
    for (;;) {
        struct pollfd wait[2] = {{fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
        if (poll(wait, 2, -1) < 0 && errno != EINTR) return -1;
        if (wait[1].revents) break;
        memset(messages, 0, sizeof messages);
        for (int i = 0; i < BATCH; i++) {
            vectors[i] = (struct iovec){data[i], SLOT};
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
            messages[i].msg_hdr.msg_name = &from[i];
            messages[i].msg_hdr.msg_namelen = sizeof from[i];
            messages[i].msg_hdr.msg_control = control[i].bytes;
            messages[i].msg_hdr.msg_controllen = CONTROL;
        }
        int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) {
            vectors[i].iov_len = messages[i].msg_len;
            struct cmsghdr *header = CMSG_FIRSTHDR(&messages[i].msg_hdr);
            if (!header || header->cmsg_type != IP_PKTINFO) continue;
            struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(header);
            info->ipi_spec_dst = info->ipi_addr;
            info->ipi_ifindex = 0;
        }
        for (int sent = 0; sent < count;) {
            int k = sendmmsg(fd, messages + sent, (unsigned)(count - sent), 0);
            if (k <= 0) break;
            sent += k;
        }
    }
    close(fd);
    return 0;
}

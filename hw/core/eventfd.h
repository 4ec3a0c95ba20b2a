/*
 * Waking a thread that sleeps in poll(): the two ends of an eventfd (eventfd(2)).
 *
 * Not modelled: counting how often.
 */
#ifndef HW_CORE_EVENTFD_H
#define HW_CORE_EVENTFD_H

#include "hw/core/base.h"
#include <errno.h>
#include <unistd.h>

/* Make `fd` readable.  Any thread. */
static inline void fd_signal(int fd)
{
    uint64_t one = 1;

    /* Fails only when the counter is full, and then the reader is awake anyway. */
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

/* Make it so no more; also of a timerfd.  It must not block. */
static inline void fd_clear(int fd)
{
    uint64_t n;

    while (read(fd, &n, sizeof n) < 0 && errno == EINTR) {
    }
}

#endif

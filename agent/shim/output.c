// Bounded capture: the first SHIM_LOG_MAX bytes to the file, then only the last SHIM_LOG_TAIL in memory, appended at the end behind a
// marker. The pipe is always drained, so that a run never waits for us, a network or a full disk.

#include "agent/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool open_file(struct output *output)
{
    if (output->file_fd < 0)
        output->file_fd =
            openat(output->dir_fd, output->name, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    return output->file_fd >= 0;
}

static size_t write_some(struct output *output, const char *data, size_t len)
{
    size_t done = 0;
    while (done < len && !output->full) {
        ssize_t n = open_file(output) ? write(output->file_fd, data + done, len - done) : -1;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            output->full = true;
        else
            done += (size_t)n;
    }
    output->written += done;
    return done;
}

static void keep_tail(struct output *output, const char *data, size_t len)
{
    if (!output->ring)
        output->ring = malloc(SHIM_LOG_TAIL);
    for (size_t i = 0; output->ring && i < len;) {
        size_t at = output->ringed % SHIM_LOG_TAIL;
        size_t part = len - i < SHIM_LOG_TAIL - at ? len - i : SHIM_LOG_TAIL - at;
        memcpy(output->ring + at, data + i, part);
        output->ringed += part;
        i += part;
    }
}

bool output_drain(struct output *output, void (*each)(void *, const char *, size_t), void *context)
{
    char buffer[65536];
    for (int rounds = 0; rounds < 16; rounds++) {
        ssize_t n = read(output->pipe_fd, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            return false;
        if (each)
            each(context, buffer, (size_t)n);
        output->seen += (uint64_t)n;
        size_t room = output->written < SHIM_LOG_MAX ? (size_t)(SHIM_LOG_MAX - output->written) : 0;
        size_t head = (size_t)n < room ? (size_t)n : room;
        head = output->ringed ? 0 : write_some(output, buffer, head);
        if (head < (size_t)n)
            keep_tail(output, buffer + head, (size_t)n - head);
    }
    return true;
}

void output_finish(struct output *output, bool sync)
{
    uint64_t kept = output->ringed < SHIM_LOG_TAIL ? output->ringed : SHIM_LOG_TAIL;
    output->dropped = output->ringed - kept;
    if (output->ringed > 0) {
        char marker[96];
        int len = snprintf(marker, sizeof marker, "\n[trawl: %llu bytes of output left out here]\n",
                           (unsigned long long)output->dropped);
        output->full = false; // there may be space again
        if (output->dropped > 0)
            write_some(output, marker, (size_t)len);
        size_t at = output->ringed % SHIM_LOG_TAIL;
        if (output->ringed > SHIM_LOG_TAIL)
            write_some(output, output->ring + at, SHIM_LOG_TAIL - at);
        write_some(output, output->ring, kept < SHIM_LOG_TAIL || at == 0 ? (size_t)kept : at);
        if (output->full)
            output->dropped = output->seen - (output->written < output->seen ? output->written : output->seen);
    }
    if (output->file_fd >= 0) {
        if (sync)
            fsync(output->file_fd);
        close(output->file_fd);
    }
    free(output->ring);
    output->ring = NULL;
    output->file_fd = -1;
}

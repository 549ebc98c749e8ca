// Messages for the person who runs a daemon: each is one write, so that lines of several processes do not mix.

#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048
#define LOG_NAME_MAX 64

static enum log_level highest = LOG_INFO;
static const char *program = "trawl";

void log_set_level(enum log_level level)
{
    highest = level;
}

void log_set_name(const char *name)
{
    program = name;
}

void log_write(enum log_level level, const char *format, ...)
{
    static const char *const words[] = {"error: ", "warning: ", "", "debug: "};
    if (level > highest)
        return;
    char line[LOG_LINE_MAX];
    int number = errno; // a message never changes what it reports on
    int head = snprintf(line, sizeof line, "%.*s: %s", LOG_NAME_MAX, program, words[level]);
    va_list args;
    va_start(args, format);
    vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
    va_end(args);
    size_t len = strlen(line);
    for (size_t i = 0; i < len; i++) // text from elsewhere cannot forge a line of its own
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7F)
            line[i] = ' ';
    line[len++] = '\n';
    ssize_t n;
    do
        n = write(STDERR_FILENO, line, len);
    while (n < 0 && errno == EINTR); // any other failure: there is nobody else to tell
    errno = number;
}

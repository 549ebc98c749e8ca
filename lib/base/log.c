// Messages for the person who runs a daemon: each is one write, so that lines of several processes do not mix.

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

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
    int head = snprintf(line, sizeof line, "%s: %s", program, words[level]);
    va_list args;
    va_start(args, format);
    vsnprintf(line + head, sizeof line - (size_t)head - 1, format, args);
    va_end(args);
    size_t len = strlen(line);
    line[len++] = '\n';
    ssize_t n = write(STDERR_FILENO, line, len);
    (void)n; // there is nobody else to tell
}

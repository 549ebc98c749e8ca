// The launch file: fields ended by NUL.

#include "agent/shim/launch.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    char *at, *end;
    int bad;
};

static char *field(struct reader *reader)
{
    char *start = reader->at;
    char *nul = reader->at < reader->end ? memchr(start, '\0', (size_t)(reader->end - start)) : NULL;
    if (!nul) {
        reader->bad = 1;
        return NULL;
    }
    reader->at = nul + 1;
    return start;
}

static uint64_t number(struct reader *reader)
{
    const char *text = field(reader);
    uint64_t value = 0;
    if (!text || !*text)
        reader->bad = 1;
    for (; text && *text; text++) {
        if (*text < '0' || *text > '9' || value > (UINT64_MAX - 9) / 10) {
            reader->bad = 1;
            return 0;
        }
        value = value * 10 + (uint64_t)(*text - '0');
    }
    return value;
}

static char **list(struct reader *reader, uint64_t *ret_count)
{
    uint64_t count = number(reader);
    if (reader->bad || count > (uint64_t)(reader->end - reader->at)) {
        reader->bad = 1;
        return NULL;
    }
    char **items = calloc((size_t)count + 1, sizeof *items);
    for (uint64_t i = 0; items && i < count; i++)
        items[i] = field(reader);
    if (!items)
        reader->bad = 1;
    *ret_count = count;
    return items;
}

int launch_parse(char *data, size_t len, struct launch *ret)
{
    struct reader reader = {.at = data, .end = data + len};
    struct launch launch = {.data = data};
    uint64_t pattern_count = 0, count = 0;
    const char *head = field(&reader);
    if (!head || strcmp(head, "trawl-launch 1") != 0)
        reader.bad = 1;
    launch.attempt = number(&reader);
    launch.timeout_ms = number(&reader);
    launch.grace_ms = number(&reader);
    launch.lease_ms = number(&reader);
    launch.memory_bytes = number(&reader);
    launch.cpus = number(&reader);
    if (!reader.bad)
        launch.patterns = list(&reader, &pattern_count);
    if (pattern_count % 2 != 0)
        reader.bad = 1;
    launch.working_dir = field(&reader);
    if (!reader.bad)
        launch.argv = list(&reader, &count);
    if (!reader.bad)
        launch.env = list(&reader, &count);
    const char *tail = reader.bad ? NULL : field(&reader);
    if (reader.bad || !tail || strcmp(tail, "end") != 0 || !launch.argv[0]) {
        launch_release(&launch);
        return -1;
    }
    *ret = launch;
    return 0;
}

void launch_release(struct launch *launch)
{
    free(launch->patterns);
    free(launch->argv);
    free(launch->env);
    free(launch->data);
    *launch = (struct launch){0};
}

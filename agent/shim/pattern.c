// metric.pattern: PCRE2 expressions over printed lines, one for each objective that has one. Group 1, or the group named `value`, is the objective; other named groups are
// metrics of their names. Matches become lines of metrics.jsonl. Match limits bound what a bad expression can cost.

#include "agent/shim/shim.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define LINE_MAX_BYTES 65536
#define NUMBER_MAX 64

#define EXPRESSIONS_MAX 8 // one for each objective

struct expression {
    pcre2_code *code;
    pcre2_match_data *match;
    const char *metric;
};

struct pattern {
    struct expression expressions[EXPRESSIONS_MAX];
    size_t count;
    pcre2_match_context *limits;
    int dir_fd, fd;
    char line[LINE_MAX_BYTES];
    size_t len;
    bool too_long;
};

// One that does not compile is left out: the spec was checked, so it is a newer controller's syntax.
static void add_expression(struct pattern *pattern, const char *metric, const char *text)
{
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);
    if (!code)
        return;
    pattern->expressions[pattern->count++] =
        (struct expression){.code = code, .match = pcre2_match_data_create_from_pattern(code, NULL), .metric = metric};
}

struct pattern *pattern_new(int dir_fd, char *const *pairs)
{
    struct pattern *pattern = *pairs ? calloc(1, sizeof *pattern) : NULL;
    if (!pattern)
        return NULL;
    for (; *pairs && pattern->count < EXPRESSIONS_MAX; pairs += 2)
        add_expression(pattern, pairs[0], pairs[1]);
    if (pattern->count == 0) {
        free(pattern);
        return NULL;
    }
    pattern->limits = pcre2_match_context_create(NULL);
    pcre2_set_match_limit(pattern->limits, 100000);
    pcre2_set_depth_limit(pattern->limits, 10000);
    pattern->dir_fd = dir_fd;
    pattern->fd = -1;
    return pattern;
}

// A number in JSON's form; words for what is not finite. Empty when it is no number.
static size_t number_text(const char *text, size_t len, char out[static NUMBER_MAX])
{
    char copy[NUMBER_MAX];
    if (len == 0 || len >= sizeof copy)
        return 0;
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *end;
    double value = strtod(copy, &end);
    if (end == copy || *end)
        return 0;
    if (isnan(value))
        return (size_t)snprintf(out, NUMBER_MAX, "NaN");
    if (isinf(value))
        return (size_t)snprintf(out, NUMBER_MAX, value < 0 ? "-Infinity" : "Infinity");
    return (size_t)snprintf(out, NUMBER_MAX, "%.17g", value);
}

static size_t add_member(char *out, size_t at, size_t size, const char *name, const char *line, const PCRE2_SIZE *span)
{
    char number[NUMBER_MAX];
    size_t start = at;
    if (span[0] == PCRE2_UNSET || number_text(line + span[0], span[1] - span[0], number) == 0)
        return start;
    // A member is whole or left out; 6 bytes are the longest escape, 4 what stands around a name and a number.
    if (start + strlen(name) * 6 + strlen(number) + 4 >= size)
        return start;
    if (start > 1)
        out[at++] = ',';
    out[at++] = '"';
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (c < 0x20) {
            at += (size_t)snprintf(out + at, size - at, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\')
            out[at++] = '\\';
        out[at++] = *name;
    }
    return at + (size_t)snprintf(out + at, size - at, "\":%s", number);
}

static void match_expression(struct pattern *pattern, const struct expression *expression)
{
    char out[4096] = "{";
    size_t at = 1;
    int groups = pcre2_match(expression->code, (PCRE2_SPTR)pattern->line, pattern->len, 0, 0, expression->match, pattern->limits);
    if (groups < 2)
        return;
    const PCRE2_SIZE *spans = pcre2_get_ovector_pointer(expression->match);
    uint32_t names = 0, entry = 0;
    PCRE2_SPTR table = NULL;
    pcre2_pattern_info(expression->code, PCRE2_INFO_NAMECOUNT, &names);
    pcre2_pattern_info(expression->code, PCRE2_INFO_NAMEENTRYSIZE, &entry);
    pcre2_pattern_info(expression->code, PCRE2_INFO_NAMETABLE, &table);
    bool named_value = false, first_is_named = false;
    for (uint32_t i = 0; i < names; i++, table += entry) {
        int group = table[0] << 8 | table[1];
        const char *name = (const char *)table + 2;
        first_is_named = first_is_named || group == 1;
        if (group >= groups)
            continue;
        bool is_value = strcmp(name, "value") == 0 || strcmp(name, expression->metric) == 0;
        named_value = named_value || is_value;
        at = add_member(out, at, sizeof out - 64, is_value ? expression->metric : name, pattern->line, spans + 2 * group);
    }
    if (!named_value && !first_is_named)
        at = add_member(out, at, sizeof out - 64, expression->metric, pattern->line, spans + 2);
    if (at == 1)
        return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at += (size_t)snprintf(out + at, sizeof out - at, ",\"time\":%lld.%03ld}\n", (long long)now.tv_sec, now.tv_nsec / 1000000);
    if (pattern->fd < 0)
        pattern->fd = openat(pattern->dir_fd, "metrics.jsonl", O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    ssize_t n = pattern->fd >= 0 ? write(pattern->fd, out, at) : -1;
    (void)n; // a full disk shows at the controller as a missing objective
}

static void match_line(struct pattern *pattern)
{
    for (size_t i = 0; i < pattern->count; i++)
        match_expression(pattern, &pattern->expressions[i]);
}

void pattern_feed(void *context, const char *data, size_t len)
{
    struct pattern *pattern = context;
    while (len > 0) {
        const char *newline = memchr(data, '\n', len);
        const char *carriage = memchr(data, '\r', newline ? (size_t)(newline - data) : len); // progress bars
        const char *end = carriage ? carriage : newline;
        size_t part = end ? (size_t)(end - data) : len;
        if (pattern->len + part <= LINE_MAX_BYTES)
            memcpy(pattern->line + pattern->len, data, part);
        else
            pattern->too_long = true;
        pattern->len += pattern->too_long ? 0 : part;
        if (end) {
            if (pattern->len > 0 && !pattern->too_long)
                match_line(pattern);
            pattern->len = 0;
            pattern->too_long = false;
            part++;
        }
        data += part;
        len -= part;
    }
}

void pattern_finish(struct pattern *pattern, bool sync)
{
    if (!pattern)
        return;
    if (pattern->len > 0 && !pattern->too_long)
        match_line(pattern);
    if (pattern->fd >= 0) {
        if (sync)
            fsync(pattern->fd);
        close(pattern->fd);
    }
    pcre2_match_context_free(pattern->limits);
    for (size_t i = 0; i < pattern->count; i++) {
        pcre2_match_data_free(pattern->expressions[i].match);
        pcre2_code_free(pattern->expressions[i].code);
    }
    free(pattern);
}

/* The C client: the run directory's files, and a small reader of config.json. See trawl.h. */

#include "trawl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX (1 << 20)
#define LINE_BYTES_MAX 65536
#define DEPTH_MAX 32

struct trawl_run {
    bool managed;
    char *directory, *artifacts, *config;
    char **strings;
    size_t string_count;
    int fd;
};

/* ---- Opening */

static char *join(const char *dir, const char *name)
{
    size_t size = strlen(dir) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", dir, name);
    return path;
}

static char *own_directory(void)
{
    char path[128];
    time_t now = time(NULL);
    struct tm tm;
    if (!localtime_r(&now, &tm))
        return NULL;
    size_t len = strftime(path, sizeof path, "trawl-runs/%Y%m%d-%H%M%S", &tm);
    snprintf(path + len, sizeof path - len, "-%ld", (long)getpid());
    mkdir("trawl-runs", 0777);
    mkdir(path, 0777);
    return strdup(path);
}

static char *read_config(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd >= 0 ? malloc(CONFIG_BYTES_MAX + 1) : NULL;
    size_t len = 0;
    while (text && len < CONFIG_BYTES_MAX) {
        ssize_t n = read(fd, text + len, CONFIG_BYTES_MAX - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    if (text)
        text[len] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

static struct trawl_run nothing = {.fd = -1};

struct trawl_run *trawl_init(void)
{
    struct trawl_run *run = calloc(1, sizeof *run);
    if (!run)
        return &nothing;
    const char *dir = getenv("TRAWL_RUN_DIR"), *config = getenv("TRAWL_CONFIG"), *metrics = getenv("TRAWL_METRICS");
    run->managed = dir != NULL;
    run->directory = dir ? strdup(dir) : own_directory();
    char *path = metrics ? strdup(metrics) : run->directory ? join(run->directory, "metrics.jsonl") : NULL;
    run->fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    free(path);
    run->artifacts = run->directory ? join(run->directory, "artifacts") : NULL;
    if (run->artifacts)
        mkdir(run->artifacts, 0777);
    if (config)
        run->config = read_config(config);
    return run;
}

void trawl_finish(struct trawl_run *run)
{
    if (!run || run == &nothing)
        return;
    if (run->fd >= 0)
        close(run->fd);
    for (size_t i = 0; i < run->string_count; i++)
        free(run->strings[i]);
    free(run->strings);
    free(run->directory);
    free(run->artifacts);
    free(run->config);
    free(run);
}

bool trawl_is_managed(const struct trawl_run *run)
{
    return run->managed;
}

const char *trawl_directory(const struct trawl_run *run)
{
    return run->directory ? run->directory : ".";
}

const char *trawl_artifacts(const struct trawl_run *run)
{
    return run->artifacts ? run->artifacts : ".";
}

uint64_t trawl_seed(const struct trawl_run *run, uint64_t otherwise)
{
    const char *text = getenv("TRAWL_SEED");
    char *end;
    if (!run->managed || !text || !*text)
        return otherwise;
    unsigned long long seed = strtoull(text, &end, 10);
    return *end ? otherwise : seed;
}

/* ---- Reading config.json: places in the text, no tree */

static const char *skip_space(const char *p)
{
    while (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')
        p++;
    return p;
}

static const char *skip_string(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : p;
}

static const char *skip_value(const char *p, int depth)
{
    p = skip_space(p);
    if (*p == '"')
        return skip_string(p);
    if (*p == '{' || *p == '[') {
        char close = *p == '{' ? '}' : ']';
        p = skip_space(p + 1);
        while (*p && *p != close && depth < DEPTH_MAX) {
            if (*p == ',' || *p == ':')
                p++;
            else
                p = skip_value(p, depth + 1);
            p = skip_space(p);
        }
        return *p ? p + 1 : p;
    }
    const char *start = p;
    while (*p && !strchr(",]}: \t\r\n", *p))
        p++;
    return p > start ? p : p + (*p != '\0');
}

/* The four hexadecimal digits at `p`, or -1. */
static long hex4(const char *p)
{
    char hex[5] = {0}, *end;
    for (int i = 0; i < 4; i++) {
        if (!p[i] || !strchr("0123456789abcdefABCDEF", p[i]))
            return -1;
        hex[i] = p[i];
    }
    return strtol(hex, &end, 16);
}

static size_t put_utf8(char *out, unsigned long c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | (c >> 6));
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | (c >> 12));
        out[1] = (char)(0x80 | ((c >> 6) & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (c >> 18));
    out[1] = (char)(0x80 | ((c >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((c >> 6) & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The escape behind a backslash at `p`; *ret_len is what it takes of the text. Half of a pair becomes U+FFFD. */
static unsigned long decode_escape(const char *p, size_t *ret_len)
{
    static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
    const char *simple = strchr(from, *p);
    long c = *p == 'u' ? hex4(p + 1) : -1, low;
    *ret_len = 1;
    if (simple)
        return (unsigned char)to[simple - from];
    if (c < 0)
        return (unsigned char)*p;
    *ret_len = 5;
    if (c < 0xD800 || c > 0xDFFF)
        return (unsigned long)c;
    low = c < 0xDC00 && p[5] == '\\' && p[6] == 'u' ? hex4(p + 7) : -1;
    if (low < 0xDC00 || low > 0xDFFF)
        return 0xFFFD;
    *ret_len = 11;
    return 0x10000 + (((unsigned long)c - 0xD800) << 10) + ((unsigned long)low - 0xDC00);
}

/* A string's content at `p` (on its quote), decoded into `out`; escapes of UTF-16 become UTF-8. */
static bool decode_string(const char *p, char *out, size_t size)
{
    size_t at = 0;
    for (p++; *p && *p != '"' && at + 5 < size;) {
        size_t len;
        if (*p != '\\') {
            out[at++] = *p++;
        } else if (p[1]) {
            at += put_utf8(out + at, decode_escape(p + 1, &len));
            p += 1 + len;
        } else {
            break;
        }
    }
    out[at] = '\0';
    return *p == '"';
}

/* The value of `name` in the object at `p`: a whole key first ("a.b"), else the first key before a dot that leads to it. */
static const char *find(const char *p, const char *name, int depth)
{
    char key[512];
    p = p ? skip_space(p) : "";
    if (*p != '{' || depth > DEPTH_MAX)
        return NULL;
    const char *nested = NULL;
    p = skip_space(p + 1);
    while (*p == '"') {
        bool whole = decode_string(p, key, sizeof key);
        p = skip_space(skip_string(p));
        if (*p != ':')
            return NULL;
        const char *value = skip_space(p + 1);
        size_t len = strlen(key);
        if (whole && strcmp(key, name) == 0)
            return value;
        if (!nested && whole && len && strncmp(key, name, len) == 0 && name[len] == '.')
            nested = find(value, name + len + 1, depth + 1);
        p = skip_space(skip_value(value, 0));
        if (*p == ',')
            p = skip_space(p + 1);
    }
    return nested;
}

double trawl_config_double(const struct trawl_run *run, const char *name, double otherwise)
{
    const char *p = find(run->config, name, 0);
    char number[64], *end;
    if (!p || !strchr("-0123456789NI", *p))
        return otherwise;
    const char *point = localeconv()->decimal_point; /* strtod takes a locale's */
    size_t at = 0;
    for (; *p && !strchr(",]} \t\r\n", *p) && at + 8 < sizeof number; p++)
        if (*p == '.' && strlen(point) < 8)
            at += (size_t)snprintf(number + at, 8, "%s", point);
        else
            number[at++] = *p;
    number[at] = '\0';
    double value = strtod(number, &end); /* reads NaN and Infinity too */
    return at > 0 && *end == '\0' ? value : otherwise;
}

int64_t trawl_config_int(const struct trawl_run *run, const char *name, int64_t otherwise)
{
    const char *p = find(run->config, name, 0);
    char *end;
    if (!p || !strchr("-0123456789", *p))
        return otherwise;
    errno = 0;
    long long value = strtoll(p, &end, 10);
    if (end > p && errno == 0 && !strchr(".eE", *end))
        return value;
    double number = trawl_config_double(run, name, NAN);
    return number >= -9007199254740992.0 && number <= 9007199254740992.0 && number == floor(number) ? (int64_t)number : otherwise;
}

bool trawl_config_bool(const struct trawl_run *run, const char *name, bool otherwise)
{
    const char *p = find(run->config, name, 0);
    if (p && strncmp(p, "true", 4) == 0)
        return true;
    return p && strncmp(p, "false", 5) == 0 ? false : otherwise;
}

const char *trawl_config_string(const struct trawl_run *run, const char *name, const char *otherwise)
{
    struct trawl_run *mutable = (struct trawl_run *)run; /* keeps what it gives out */
    const char *p = find(run->config, name, 0);
    if (!p || *p != '"')
        return otherwise;
    size_t size = (size_t)(skip_string(p) - p) * 3 + 8;
    char *text = malloc(size);
    char **strings = realloc(run->strings, (run->string_count + 1) * sizeof *strings);
    if (strings)
        mutable->strings = strings;
    if (!text || !strings || !decode_string(p, text, size)) {
        free(text);
        return otherwise;
    }
    mutable->strings[mutable->string_count++] = text;
    return text;
}

/* ---- Writing: one write a line, so that lines of several processes do not mix */

static size_t put_string(char *out, size_t at, const char *text)
{
    out[at++] = '"';
    for (; *text && at + 16 < LINE_BYTES_MAX; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            out[at++] = '\\';
        if (c < 0x20)
            at += (size_t)snprintf(out + at, 8, "\\u%04x", c);
        else
            out[at++] = (char)c;
    }
    out[at++] = '"';
    return at;
}

static size_t put_number(char *out, size_t at, double value)
{
    if (isnan(value))
        return at + (size_t)snprintf(out + at, 16, "NaN");
    if (isinf(value))
        return at + (size_t)snprintf(out + at, 16, value < 0 ? "-Infinity" : "Infinity");
    char number[48];
    int len = snprintf(number, sizeof number, "%.17g", value);
    for (int i = 0; i < len; i++) { /* a locale's decimal point, of any length, is no JSON */
        if (strchr("0123456789+-e", number[i]))
            out[at++] = number[i];
        else if (strchr("0123456789", number[i - 1]))
            out[at++] = '.';
    }
    return at;
}

static int write_line(struct trawl_run *run, const char *line, size_t len)
{
    ssize_t n;
    if (run->fd < 0)
        return -1;
    do
        n = write(run->fd, line, len);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)len ? 0 : -1;
}

int trawl_log_many(struct trawl_run *run, int64_t step, const struct trawl_metric *metrics, size_t count)
{
    char *line = malloc(LINE_BYTES_MAX);
    size_t at = 0;
    struct timespec now;
    if (!line)
        return -1;
    line[at++] = '{';
    for (size_t i = 0; i < count; i++) {
        if (at + strlen(metrics[i].name) * 6 + 256 > LINE_BYTES_MAX) {
            free(line);
            return -1;
        }
        at = put_string(line, at, metrics[i].name);
        line[at++] = ':';
        at = put_number(line, at, metrics[i].value);
        line[at++] = ',';
    }
    if (step != TRAWL_NO_STEP)
        at += (size_t)snprintf(line + at, 64, "\"step\":%lld,", (long long)step);
    clock_gettime(CLOCK_REALTIME, &now);
    at += (size_t)snprintf(line + at, 64, "\"time\":%lld.%06ld}\n", (long long)now.tv_sec, now.tv_nsec / 1000);
    int rc = write_line(run, line, at);
    free(line);
    return rc;
}

int trawl_log(struct trawl_run *run, int64_t step, const char *name, double value)
{
    const struct trawl_metric metric = {name, value};
    return trawl_log_many(run, step, &metric, 1);
}

static int write_summary(struct trawl_run *run, const char *name, const char *text, double value)
{
    char *line = malloc(LINE_BYTES_MAX);
    if (!line)
        return -1;
    size_t at = (size_t)snprintf(line, 32, "{\"summary\":{");
    at = put_string(line, at, name);
    line[at++] = ':';
    at = text ? put_string(line, at, text) : put_number(line, at, value);
    at += (size_t)snprintf(line + at, 8, "}}\n");
    int rc = at < LINE_BYTES_MAX - 64 ? write_line(run, line, at) : -1;
    free(line);
    return rc;
}

int trawl_summary(struct trawl_run *run, const char *name, double value)
{
    return write_summary(run, name, NULL, value);
}

int trawl_summary_string(struct trawl_run *run, const char *name, const char *value)
{
    return write_summary(run, name, value, 0);
}

static char stop_path[PATH_MAX]; /* for the handler; of the one run of a process it is written before the handler is there */

/* Async-signal-safe: system calls only. */
static void on_term(int number)
{
    static const char word[] = "stopped";
    char text[sizeof word] = "";
    int saved = errno, fd = open(stop_path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    if (got < (ssize_t)sizeof word - 1 || memcmp(text, word, sizeof word - 1) != 0) {
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = saved;
}

static void take_term(const char *path)
{
    struct sigaction action = {0}, old;
    if (strcmp(stop_path, path) == 0 || sigaction(SIGTERM, NULL, &old) != 0)
        return;
    memcpy(stop_path, path, strlen(path) + 1);
    action.sa_handler = on_term;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (!(old.sa_flags & SA_SIGINFO) && old.sa_handler == SIG_DFL)
        sigaction(SIGTERM, &action, NULL);
}

bool trawl_should_stop(const struct trawl_run *run)
{
    char path[PATH_MAX];
    if (!run->directory || snprintf(path, sizeof path, "%s/stop", run->directory) >= (int)sizeof path)
        return false;
    if (run->managed)
        take_term(path);
    return access(path, F_OK) == 0;
}

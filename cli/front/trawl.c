// The program that is installed as `trawl`: answers `trawl log` itself, libc only, so that a script may call it in a loop; executes
// trawl-agent for `agent` and trawl-main for the rest, found in ../libexec/trawl beside this program's directory.

#include "clients/c/trawl.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define METRICS_MAX 256

// Replace this process. Returns only when that failed.
static int become(const char *program, char **argv)
{
    char self[PATH_MAX], path[PATH_MAX + 64];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        *slash = '\0';
        snprintf(path, sizeof path, "%s/../libexec/trawl/%s", self, program);
        execv(path, argv);
    }
    fprintf(stderr, "trawl: cannot run %s: %s; is Trawl installed whole?\n", program, strerror(errno));
    return 1;
}

static int is_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static int wants_help(int argc, char **argv)
{
    for (int i = 2; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (is_help(argv[i]))
            return 1;
    return 0;
}

static int usage(const char *what, const char *argument)
{
    fprintf(stderr, "trawl: %s '%s'; see `trawl log --help`\n", what, argument);
    return 2;
}

// Split NAME=VALUE in place. 0, or an exit code. A value that is no number is a string (summary only).
static int split(char *argument, struct trawl_metric *ret, const char **ret_text)
{
    char *equals = strchr(argument, '='), *end;
    if (!equals || equals == argument || !equals[1])
        return usage("log takes NAME=VALUE, not", argument);
    *equals = '\0';
    ret->name = argument;
    ret->value = strtod(equals + 1, &end);
    *ret_text = *end ? equals + 1 : NULL;
    return 0;
}

static int report(struct trawl_run *run, int summary, int64_t step, const struct trawl_metric *metrics, const char **texts,
                  size_t count)
{
    int rc = 0;
    if (!summary)
        return trawl_log_many(run, step, metrics, count);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = texts[i] ? trawl_summary_string(run, metrics[i].name, texts[i]) : trawl_summary(run, metrics[i].name, metrics[i].value);
    return rc;
}

static int parse_step(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno || *end || end == text ? usage("--step needs a whole number, not", text) : 0;
}

static int command_log(int argc, char **argv)
{
    struct trawl_metric metrics[METRICS_MAX];
    const char *texts[METRICS_MAX];
    size_t count = 0;
    int summary = 0, code = 0;
    int64_t step = TRAWL_NO_STEP;
    for (int i = 2; i < argc && code == 0; i++) {
        if (strcmp(argv[i], "--summary") == 0)
            summary = 1;
        else if (strcmp(argv[i], "--quiet") == 0 || strcmp(argv[i], "-q") == 0 || strcmp(argv[i], "--") == 0)
            continue;
        else if (strncmp(argv[i], "--step=", 7) == 0)
            code = parse_step(argv[i] + 7, &step);
        else if (strcmp(argv[i], "--step") == 0)
            code = i + 1 < argc ? parse_step(argv[++i], &step) : usage("a number is missing after", "--step");
        else if (argv[i][0] == '-')
            code = usage("log has no option", argv[i]);
        else if (count == METRICS_MAX)
            code = usage("too many metrics in one line at", argv[i]);
        else
            code = split(argv[i], &metrics[count], &texts[count]), count++;
    }
    for (size_t i = 0; i < count && code == 0 && !summary; i++)
        if (texts[i])
            code = usage("a metric is a number (a text can be a --summary), not", texts[i]);
    if (code == 0 && count == 0)
        code = usage("log needs at least one", "NAME=VALUE");
    if (code != 0)
        return code;
    if (!getenv("TRAWL_RUN_DIR")) {
        fputs("trawl: log works inside a run only: have `trawl run` start the script, then it knows where to report\n", stderr);
        return 1;
    }
    struct trawl_run *run = trawl_init();
    int rc = report(run, summary, step, metrics, texts, count);
    int error = errno;
    trawl_finish(run);
    if (rc == 0)
        return 0;
    fprintf(stderr, "trawl: cannot write to the run's metrics: %s\n", strerror(error));
    return 1;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !wants_help(argc, argv)) {
        if (strcmp(argv[1], "log") == 0)
            return command_log(argc, argv);
        if (strcmp(argv[1], "agent") == 0)
            return become("trawl-agent", argv + 1);
    }
    return become("trawl-main", argv);
}

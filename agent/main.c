// trawl-agent: `trawl agent`. Its options are those of the command table (cli/commands.c), which a test compares.

#define _GNU_SOURCE // realpath, getopt_long
#include "agent/agent.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LABELS_MAX 64
#define WORD_MAX 255   // bytes of a name or label, as the wire has them
#define SLOTS_MAX 2000 // with what waits and what has ended they must fit a hello
#define CPUS_MAX 100000

struct arguments {
    struct agent_options options;
    const char *labels[LABELS_MAX];
    const char *data, *dir, *working_dir;
    char name[WORD_MAX + 1];
};

enum { OPT_CPUS = 256, OPT_MEMORY, OPT_GPUS, OPT_LABEL, OPT_NAME, OPT_DIR, OPT_WORKING_DIR, OPT_DATA, OPT_EPHEMERAL, OPT_JSON };

static const struct option long_options[] = {{"slots", required_argument, NULL, 'n'},
                                             {"cpus", required_argument, NULL, OPT_CPUS},
                                             {"memory", required_argument, NULL, OPT_MEMORY},
                                             {"gpus", required_argument, NULL, OPT_GPUS},
                                             {"label", required_argument, NULL, OPT_LABEL},
                                             {"name", required_argument, NULL, OPT_NAME},
                                             {"dir", required_argument, NULL, OPT_DIR},
                                             {"working-dir", required_argument, NULL, OPT_WORKING_DIR},
                                             {"data", required_argument, NULL, OPT_DATA},
                                             {"ephemeral", no_argument, NULL, OPT_EPHEMERAL},
                                             {"json", no_argument, NULL, OPT_JSON},
                                             {"quiet", no_argument, NULL, 'q'},
                                             {NULL, 0, NULL, 0}};

static int usage(const char *format, const char *what)
{
    fputs("trawl: ", stderr);
    if (strcmp(format, "count") == 0)
        fprintf(stderr, "--%s needs a whole number from 1 to %d", what, strcmp(what, "slots") == 0 ? SLOTS_MAX : CPUS_MAX);
    else if (strcmp(format, "size") == 0)
        fprintf(stderr, "--%s needs a size such as 16G", what);
    else
        fputs(what, stderr);
    fputs("; see `trawl agent --help`\n", stderr);
    return 2;
}

static bool parse_count(const char *text, uint64_t max, uint32_t *ret)
{
    uint64_t value;
    if (!num_parse_u64(text, &value) || value < 1 || value > max)
        return false;
    *ret = (uint32_t)value;
    return true;
}

static bool is_word(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= WORD_MAX && utf8_valid(text, len);
}

static int parse_one(struct arguments *args, int c)
{
    struct agent_options *options = &args->options;
    switch (c) {
    case 'n':
        return parse_count(optarg, SLOTS_MAX, &options->slots) ? 0 : usage("count", "slots");
    case OPT_CPUS:
        return parse_count(optarg, CPUS_MAX, &options->cpus) ? 0 : usage("count", "cpus");
    case OPT_MEMORY:
        return num_parse_bytes(optarg, &options->memory_bytes) ? 0 : usage("size", "memory");
    case OPT_GPUS:
        options->gpus = optarg;
        return 0;
    case OPT_LABEL:
        if (options->label_count == LABELS_MAX)
            return usage("", "at most 64 labels are possible");
        if (!is_word(optarg))
            return usage("", "--label needs a short word");
        args->labels[options->label_count++] = optarg;
        return 0;
    case OPT_NAME:
        if (!is_word(optarg) || strchr(optarg, '/') || optarg[0] == '.')
            return usage("", "--name needs a short name without '/'");
        snprintf(args->name, sizeof args->name, "%s", optarg);
        return 0;
    case OPT_DIR:
        args->dir = optarg;
        return 0;
    case OPT_WORKING_DIR:
        args->working_dir = optarg;
        return 0;
    case OPT_DATA:
        args->data = optarg;
        return 0;
    case OPT_EPHEMERAL:
        options->ephemeral = true;
        return 0;
    case 'q':
        log_set_level(LOG_WARN);
        return 0;
    case OPT_JSON:
        return 0;
    default:
        return usage("", "wrong option");
    }
}

// The nearest .trawl from here upward, as the other commands find it.
static char *find_data(const char *given)
{
    struct stat st;
    char cwd[PATH_MAX], *slash;
    if (!given)
        given = getenv("TRAWL_DATA");
    if (given && *given)
        return xstrdup(given);
    if (!getcwd(cwd, sizeof cwd))
        return NULL;
    for (;;) {
        char *candidate = xasprintf("%s/.trawl", cwd);
        if (stat(candidate, &st) == 0 && S_ISDIR(st.st_mode))
            return candidate;
        free(candidate);
        slash = strrchr(cwd, '/');
        if (!slash || slash == cwd)
            return NULL;
        *slash = '\0';
    }
}

// A directory that joined a controller needs no join string again.
static bool has_joined(const char *dir)
{
    char *file = xasprintf("%s/controller", dir ? dir : "");
    bool found = dir && access(file, F_OK) == 0;
    free(file);
    return found;
}

// Where a joined agent lives: one directory a controller and name.
static char *remote_dir(const char *join, const char *name)
{
    const char *key = strrchr(join, '/'), *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    uint64_t hash = hash64(key ? key : join, strlen(key ? key : join), 0);
    if (state && *state)
        return xasprintf("%s/trawl/%016llx/%s", state, (unsigned long long)hash, name);
    return xasprintf("%s/.local/state/trawl/%016llx/%s", home && *home ? home : ".", (unsigned long long)hash, name);
}

static int run(struct arguments *args, const char *join)
{
    struct agent_options *options = &args->options;
    struct err err = {0};
    char working_dir[PATH_MAX];
    if (!realpath(args->working_dir ? args->working_dir : ".", working_dir)) {
        fprintf(stderr, "trawl: cannot use the working directory %s: %s\n", args->working_dir ? args->working_dir : ".", strerror(errno));
        return 1;
    }
    bool joined_before = !join && !args->data && has_joined(args->dir);
    char *data = join || joined_before ? NULL : find_data(args->data);
    if (!join && !joined_before && !data) {
        fputs("trawl: no .trawl here or above: give the join string that the controller printed, or --data DIR\n", stderr);
        return 3;
    }
    if (data && access(data, F_OK) != 0) {
        fprintf(stderr, "trawl: there is no data directory %s; `trawl controller --data %s` makes it\n", data, data);
        free(data);
        return 3;
    }
    char *dir = args->dir ? xstrdup(args->dir) : join ? remote_dir(join, args->name) : xasprintf("%s/agents/%s", data, args->name);
    options->join = join;
    options->data_dir = data;
    options->dir = dir;
    options->name = args->name;
    options->working_dir = working_dir;
    options->labels = args->labels;
    int rc = agent_run(options, &err);
    if (rc != 0)
        log_error("%s", err.text);
    free(dir);
    free(data);
    return rc == 0 ? 0 : err_exit_code(rc);
}

int main(int argc, char **argv)
{
    struct arguments args = {0};
    int c, code = 0;
    // An agent is on every machine: memory of a busy minute goes back, and ZeroMQ's threads share one arena.
    mallopt(M_MMAP_THRESHOLD, 128 << 10);
    mallopt(M_ARENA_MAX, 1);
    gethostname(args.name, sizeof args.name - 1);
    opterr = 0;
    while (code == 0 && (c = getopt_long(argc, argv, "n:q", long_options, NULL)) != -1)
        code = parse_one(&args, c);
    if (code == 0 && argc - optind > 1)
        code = usage("", "trawl agent takes one join string");
    return code ? code : run(&args, argv[optind]);
}

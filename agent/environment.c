// A run's environment and command line. The agent's own environment is the base, as people expect who set something before they start
// it; what the controller and the spec say comes on top.

#include "agent/environment.h"
#include "agent/rundir.h"

#include "base/macro.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

struct list {
    char **items;
    size_t count, capacity;
};

static void set(struct list *list, const char *name, const char *value)
{
    size_t len = strlen(name);
    char *text = xasprintf("%s=%s", name, value);
    for (size_t i = 0; i < list->count; i++) {
        if (strncmp(list->items[i], name, len) == 0 && list->items[i][len] == '=') {
            free(list->items[i]);
            list->items[i] = text;
            return;
        }
    }
    ARRAY_GROW(list->items, list->count, list->capacity);
    list->items[list->count++] = text;
}

static void setf(struct list *list, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void setf(struct list *list, const char *name, const char *format, ...)
{
    struct str value = STR_INIT;
    va_list args;
    va_start(args, format);
    str_vaddf(&value, format, args);
    va_end(args);
    set(list, name, str_get(&value));
    str_release(&value);
}

// What steers Trawl itself is not the run's business.
static bool is_inherited(const char *text)
{
    return !str_starts(text, "TRAWL_") && !str_starts(text, "WANDB_SERVICE=");
}

static void set_gpus(struct list *list, const struct environment_setup *setup, const struct msg_launch_item *item)
{
    struct str ids = STR_INIT;
    if (setup->gpu_count == 0)
        return;
    for (size_t i = 0; i < item->gpu_count; i++)
        if (item->gpus[i] < setup->gpu_count)
            str_addf(&ids, "%s%s", ids.len ? "," : "", setup->gpus[item->gpus[i]].id);
    set(list, "CUDA_VISIBLE_DEVICES", str_get(&ids));
    str_release(&ids);
}

// Where the run that this one goes on from left its files. A directory without files of its own is gone; one that is still looked after
// is not shown, because it will be renamed.
static void set_parent(struct list *list, const struct environment_setup *setup, const struct msg_launch_item *item)
{
    struct stat st;
    if (item->parent_trial == 0)
        return;
    setf(list, "TRAWL_PARENT_TRIAL", "%llu", (unsigned long long)item->parent_trial);
    char *dir = xasprintf("%s/" RUNDIR_KEPT "%llu", setup->spool_path, (unsigned long long)item->parent_attempt);
    if (item->parent_attempt > 0 && lstat(dir, &st) == 0 && S_ISDIR(st.st_mode))
        set(list, "TRAWL_PARENT_RUN_DIR", dir);
    free(dir);
}

static void set_own(struct list *list, const struct environment_setup *setup, const struct msg_launch_item *item)
{
    char *dir = xasprintf("%s/%llu", setup->spool_path, (unsigned long long)item->attempt);
    set(list, "TRAWL_RUN_DIR", dir);
    setf(list, "TRAWL_CONFIG", "%s/config.json", dir);
    setf(list, "TRAWL_METRICS", "%s/metrics.jsonl", dir);
    set(list, "TRAWL_SWEEP", item->sweep);
    set(list, "TRAWL_SWEEP_NAME", item->sweep_name);
    setf(list, "TRAWL_TRIAL", "%llu", (unsigned long long)item->trial);
    setf(list, "TRAWL_ATTEMPT", "%llu", (unsigned long long)item->attempt);
    setf(list, "TRAWL_SEED", "%llu", (unsigned long long)item->seed);
    set(list, "TRAWL_AGENT", setup->uid);
    set_parent(list, setup, item);
    setf(list, "WANDB_SWEEP_PARAM_PATH", "%s/config.yaml", dir);
    if (!getenv("WANDB_DIR"))
        set(list, "WANDB_DIR", dir);
    if (!getenv("PYTHONUNBUFFERED"))
        set(list, "PYTHONUNBUFFERED", "1"); // what a run prints is seen as it prints it
    free(dir);
}

char **environment_of(const struct environment_setup *setup, const struct msg_launch_item *item)
{
    struct list list = {0};
    const char *path = getenv("PATH");
    size_t count = 0;
    while (environ[count])
        count++;
    list.capacity = count + 32;
    list.items = xcalloc(list.capacity, sizeof *list.items);
    for (size_t i = 0; i < count; i++)
        if (is_inherited(environ[i]))
            list.items[list.count++] = xstrdup(environ[i]);
    setf(&list, "PATH", "%s%s%s", path ? path : "/usr/local/bin:/usr/bin:/bin", setup->bin_dir ? ":" : "",
         setup->bin_dir ? setup->bin_dir : "");
    set_own(&list, setup, item);
    set_gpus(&list, setup, item);
    for (size_t i = 0; i < item->env_count; i++)
        set(&list, item->env[i].name, item->env[i].value);
    ARRAY_GROW(list.items, list.count, list.capacity);
    list.items[list.count] = NULL;
    return list.items;
}

void environment_free(char **strings)
{
    for (size_t i = 0; strings && strings[i]; i++)
        free(strings[i]);
    free(strings);
}

// ---- argv

struct lookup {
    char *config_json, *run_dir;
};

static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    char *copy = xstrdup(path ? path : "/usr/bin:/bin"), *rest = copy, *dir;
    bool found = false;
    while (!found && (dir = strtok_r(rest, ":", &rest))) {
        char *candidate = xasprintf("%s/%s", dir, program);
        found = access(candidate, X_OK) == 0;
        free(candidate);
    }
    free(copy);
    return found;
}

static const char *interpreter(void)
{
    static const char *known;
    if (!known)
        known = in_path("python") ? "python" : "python3";
    return known;
}

static const char *look_up(void *context, const char *name)
{
    const struct lookup *lookup = context;
    if (strcmp(name, "args_json_file") == 0)
        return lookup->config_json;
    if (strcmp(name, "run_dir") == 0)
        return lookup->run_dir;
    if (strcmp(name, "interpreter") == 0)
        return interpreter();
    if (str_starts(name, "envvar:"))
        return getenv(name + strlen("envvar:"));
    return NULL;
}

char **environment_argv(const struct environment_setup *setup, const struct msg_launch_item *item)
{
    char **argv = xcalloc(item->argc + 1, sizeof *argv);
    struct lookup lookup = {.run_dir = xasprintf("%s/%llu", setup->spool_path, (unsigned long long)item->attempt)};
    lookup.config_json = xasprintf("%s/config.json", lookup.run_dir);
    for (size_t i = 0; i < item->argc; i++) {
        struct str text = STR_INIT;
        if (item->argv[i].local)
            macro_finish(&text, item->argv[i].text, look_up, &lookup);
        else
            str_add(&text, item->argv[i].text);
        argv[i] = str_detach(&text);
    }
    free(lookup.config_json);
    free(lookup.run_dir);
    return argv;
}

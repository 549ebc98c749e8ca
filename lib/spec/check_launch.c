// How a run is started: program, command, environment, directory, resources.
#include "spec/check.h"

#include "base/mem.h"
#include "base/num.h"
#include "space/command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 64
#define ENV_MAX    1000
#define CPUS_MAX   65536
#define GPUS_MAX   4096

void check_program(struct check *c, const struct node *node)
{
    if (check_text(c, node, "program", &c->spec->program) && !*c->spec->program) {
        check_error(c, node, "program is empty: write the script or executable that a run starts");
        free(c->spec->program);
        c->spec->program = NULL;
    }
}

void check_working_dir(struct check *c, const struct node *node)
{
    check_text(c, node, "working_dir", &c->spec->working_dir);
}

// --- command ---

struct command_report {
    struct check *c;
    const struct node **nodes; // of each item
};

static void report_item(void *context, size_t item, bool is_error, const char *sentence)
{
    struct command_report *report = context;
    if (is_error)
        check_error(report->c, report->nodes[item], "%s", sentence);
    else
        check_warning(report->c, report->nodes[item], "%s", sentence);
}

static void check_macros(struct check *c, const struct node **nodes)
{
    struct command_report report = {.c = c, .nodes = nodes};
    if (c->spec->command_count && c->spec->space)
        command_check((const char *const *)c->spec->command, c->spec->command_count,
                      c->spec->program, c->spec->space, report_item, &report);
}

// One item of the list; false when there is none in it.
static bool read_item(struct check *c, const struct node *node, char **ret)
{
    if (node->kind != NODE_SCALAR) {
        check_error(c, node,
                    "an item of the command must be text, but this is %s: put quotes around it",
                    node_kind_text(node));
        return false;
    }
    if (node->style == NODE_PLAIN && !node->tag && !*node->text) {
        check_notice(c, node, "an empty item of the command is left out");
        return false;
    }
    *ret = xstrdup(node->text);
    return true;
}

static void read_list(struct check *c, const struct node *node)
{
    if (node->count > SPEC_COMMAND_ITEMS_MAX) {
        check_error(c, node, "the command has %zu items: at most %d are allowed", node->count,
                    SPEC_COMMAND_ITEMS_MAX);
        return;
    }
    const struct node **nodes = xcalloc(node->count + 1, sizeof(*nodes));
    c->spec->command = xcalloc(node->count + 1, sizeof(*c->spec->command));
    for (size_t i = 0; i < node->count; i++) {
        if (!read_item(c, node->items[i], &c->spec->command[c->spec->command_count]))
            continue;
        nodes[c->spec->command_count++] = node->items[i];
    }
    if (!c->spec->command_count)
        check_error(c, node,
                    "command is an empty list: write its items, or remove it for "
                    "`[${env}, ${interpreter}, ${program}, ${args}]`");
    check_macros(c, nodes);
    free(nodes);
}

// The next word of a line as a shell splits it: blanks, '...', "..." and \x. NULL at the end.
static const char *next_word(const char *s, struct str *word, bool *ret_found)
{
    *ret_found = false;
    s += strspn(s, " \t\n");
    char quote = 0;
    for (; *s && (quote || !strchr(" \t\n", *s)); s++) {
        *ret_found = true;
        if (quote && *s == quote)
            quote = 0;
        else if (!quote && (*s == '\'' || *s == '"'))
            quote = *s;
        else if (*s == '\\' && quote != '\'' && s[1])
            str_addch(word, *++s);
        else
            str_addch(word, *s);
    }
    return s;
}

// A string is W&B's most common mistake here: read it as a shell would, and say so.
static void read_line(struct check *c, const struct node *node)
{
    struct str shown = STR_INIT;
    size_t capacity = 0;
    const char *s = node->text;
    for (;;) {
        struct str word = STR_INIT;
        bool found;
        s = next_word(s, &word, &found);
        if (!found || c->spec->command_count >= SPEC_COMMAND_ITEMS_MAX)
            break;
        ARRAY_GROW(c->spec->command, c->spec->command_count, capacity);
        c->spec->command[c->spec->command_count++] = str_detach(&word);
        str_addf(&shown, "%s%s", shown.len ? ", " : "",
                 c->spec->command[c->spec->command_count - 1]);
    }
    if (!c->spec->command_count) {
        check_error(c, node, "command is empty: write its items as a list, or remove it");
    } else {
        check_warning(c, node,
                      "command must be a list: the words of this text are taken, write `command: "
                      "[%s]`",
                      check_shown(c, str_get(&shown)));
        const struct node **nodes = xcalloc(c->spec->command_count, sizeof(*nodes));
        for (size_t i = 0; i < c->spec->command_count; i++)
            nodes[i] = node;
        check_macros(c, nodes);
        free(nodes);
    }
    str_release(&shown);
}

void check_command(struct check *c, const struct node *node)
{
    if (node->kind == NODE_SEQUENCE)
        read_list(c, node);
    else if (node->kind == NODE_SCALAR)
        read_line(c, node);
    else
        check_error(
            c, node,
            "command must be a list such as `[python, ${program}, ${args}]`, but this is %s",
            check_shown_node(c, node));
}

// --- environment ---

static bool is_env_name(const char *name)
{
    if (!*name || (*name >= '0' && *name <= '9'))
        return false;
    for (; *name; name++) {
        bool letter = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z');
        if (!letter && !(*name >= '0' && *name <= '9') && *name != '_')
            return false;
    }
    return true;
}

void check_env(struct check *c, const struct node *node)
{
    if (!check_mapping(c, node, "env", "env: {OMP_NUM_THREADS: 1}"))
        return;
    if (node->count > ENV_MAX) {
        check_error(c, node, "env has %zu variables: at most %d are allowed", node->count, ENV_MAX);
        return;
    }
    c->spec->env = xcalloc(node->count + 1, sizeof(*c->spec->env));
    for (size_t i = 0; i < node->count; i++) {
        const struct pair *pair = node->sorted[i];
        const char *name = check_shown(c, pair->key->text);
        if (!is_env_name(pair->key->text)) {
            check_error(c, pair->key,
                        "'%s' is no name of an environment variable: use letters, digits and '_'",
                        name);
        } else if (pair->value->kind != NODE_SCALAR) {
            check_error(c, pair->value, "the environment variable %s must be text, but this is %s",
                        name, node_kind_text(pair->value));
        } else {
            if (str_starts(pair->key->text, "TRAWL_"))
                check_warning(c, pair->key,
                              "%s: names with TRAWL_ are set by Trawl, which may replace this one",
                              name);
            c->spec->env[c->spec->env_count++] =
                (struct spec_env){xstrdup(pair->key->text),
                                  xstrdup(check_is_null(pair->value) ? "" : pair->value->text)};
        }
    }
}

// --- resources ---

static void read_gpus(struct check *c, const struct node *node)
{
    struct scalar gpus;
    if (!check_number(c, node, "resources.gpus", &gpus))
        return;
    bool whole = gpus.number == floor(gpus.number);
    if (gpus.number < 0 || gpus.number > GPUS_MAX ||
        (!whole && (gpus.number > 1 || gpus.number < 0.001))) {
        check_error(
            c, node,
            "resources.gpus must be 0, a share such as 0.5 (runs that share a GPU), or a whole "
            "number up to %d, but this is %s",
            GPUS_MAX, check_shown(c, node->text));
        return;
    }
    c->spec->resources.gpus_given = true;
    c->spec->resources.gpu_millis = (uint32_t)floor(gpus.number * 1000 + 0.5);
}

static void read_memory(struct check *c, const struct node *node)
{
    uint64_t bytes;
    if (node->kind != NODE_SCALAR || !num_parse_bytes(node->text, &bytes) || !bytes)
        check_error(c, node, "resources.memory must be a size such as 512M or 16G, but this is %s",
                    check_shown_node(c, node));
    else
        c->spec->resources.memory_bytes = bytes;
}

static void add_label(struct check *c, const struct node *node)
{
    struct resources *resources = &c->spec->resources;
    if (node->kind != NODE_SCALAR || !*node->text || resources->label_count >= LABELS_MAX) {
        check_error(c, node,
                    "resources.labels must be up to %d words that an agent carries, but this is %s",
                    LABELS_MAX, check_shown_node(c, node));
        return;
    }
    resources->labels =
        xreallocarray(resources->labels, resources->label_count + 1, sizeof(*resources->labels));
    resources->labels[resources->label_count++] = xstrdup(node->text);
}

void check_resources(struct check *c, const struct node *node)
{
    static const char *const keys[] = {"cpus", "gpus", "memory", "labels", NULL};
    if (!check_mapping(c, node, "resources", "resources: {cpus: 4, gpus: 1, memory: 16G}"))
        return;
    check_keys(c, node, "resources", keys);
    const struct node *cpus = node_get(node, "cpus"), *gpus = node_get(node, "gpus");
    const struct node *memory = node_get(node, "memory"), *labels = node_get(node, "labels");
    int64_t count;
    if (cpus && check_int(c, cpus, "resources.cpus", 1, CPUS_MAX, &count))
        c->spec->resources.cpus = (uint32_t)count;
    if (gpus)
        read_gpus(c, gpus);
    if (memory)
        read_memory(c, memory);
    if (labels && labels->kind == NODE_SEQUENCE) {
        for (size_t i = 0; i < labels->count; i++)
            add_label(c, labels->items[i]);
    } else if (labels) {
        add_label(c, labels);
    }
}

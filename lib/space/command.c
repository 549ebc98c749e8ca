// Command templates: macros found, checked and replaced.
//
// An item is read as plain text and macros. An item that is exactly one macro may become several
// items or none; a macro inside a longer item is replaced in place.

#include "space/command.h"

#include "base/json.h"
#include "base/macro.h"
#include "base/mem.h"
#include "space/command_impl.h"
#include "space/python.h"

#include <stdlib.h>
#include <string.h>

enum kind {
    KIND_UNKNOWN,
    KIND_PARAMETER, // or a group of them
    KIND_LIST,      // several items
    KIND_TEXT,      // known here
    KIND_LOCAL      // known to the agent
};

static const struct {
    const char *name;
    enum kind kind;
    bool own; // Trawl's, not W&B's: gives way to a parameter of that name
} macros[] = {
    {"env", KIND_TEXT, false},
    {"interpreter", KIND_LOCAL, false},
    {"program", KIND_TEXT, false},
    {"args", KIND_LIST, false},
    {"args_no_equals", KIND_LIST, false},
    {"args_no_hyphens", KIND_LIST, false},
    {"args_append_hydra", KIND_LIST, false},
    {"args_override_hydra", KIND_LIST, false},
    {"args_no_boolean_flags", KIND_LIST, false},
    {"args_json", KIND_TEXT, false},
    {"args_json_file", KIND_LOCAL, false},
    {"run_dir", KIND_LOCAL, true},
    {"trial", KIND_TEXT, true},
    {"seed", KIND_TEXT, true},
};

#define ENVVAR "envvar:"

const char *const command_macros[] = {"env",
                                      "interpreter",
                                      "program",
                                      "args",
                                      "args_no_equals",
                                      "args_no_hyphens",
                                      "args_append_hydra",
                                      "args_override_hydra",
                                      "args_no_boolean_flags",
                                      "args_json",
                                      "args_json_file",
                                      "run_dir",
                                      "trial",
                                      "seed",
                                      ENVVAR "NAME",
                                      NULL};

static const char *const default_items[] = {"${env}", "${interpreter}", "${program}", "${args}"};

void command_release(struct command *command)
{
    for (size_t i = 0; i < command->count; i++)
        free(command->items[i].text);
    free(command->items);
    *command = (struct command){0};
}

// The first macro at or behind s: where it starts, its name (the caller's) and what follows it;
// NULL when there is none.
static const char *next_macro(const char *s, char **ret_name, const char **ret_after)
{
    for (s = strstr(s, "${"); s; s = strstr(s + 2, "${")) {
        const char *end = strpbrk(s + 2, "${}");
        if (!end || *end != '}' || end == s + 2)
            continue;
        *ret_name = xstrndup(s + 2, (size_t)(end - s) - 2);
        *ret_after = end + 1;
        return s;
    }
    return NULL;
}

// True for a parameter, and for a top-level name with parameters below it.
static bool names_parameter(const struct space *space, const char *name)
{
    if (space_find(space, name) >= 0)
        return true;
    for (size_t i = 0; i < space_count(space); i++)
        if (strcmp(space_param(space, i)->path[0], name) == 0)
            return true;
    return false;
}

static enum kind classify(const struct space *space, const char *name)
{
    if (str_starts(name, ENVVAR) && name[strlen(ENVVAR)] != '\0')
        return KIND_LOCAL;
    for (size_t i = 0; i < ARRAY_LEN(macros); i++)
        if (strcmp(macros[i].name, name) == 0)
            return macros[i].own && names_parameter(space, name) ? KIND_PARAMETER : macros[i].kind;
    return names_parameter(space, name) ? KIND_PARAMETER : KIND_UNKNOWN;
}

struct expansion {
    const struct command_context *context;
    struct json_object *args; // the configuration
    struct command_item *items;
    size_t count, capacity;
};

static void append(struct expansion *expansion, char *text, bool local)
{
    ARRAY_GROW(expansion->items, expansion->count, expansion->capacity);
    expansion->items[expansion->count++] = (struct command_item){.text = text, .local = local};
}

static void append_argument(void *context, char *text)
{
    append(context, text, false);
}

// The text of a parameter or of a macro that is known here; false where it has none (no program, an
// inactive parameter).
static bool macro_text(struct expansion *expansion, const char *name, struct str *out)
{
    const struct command_context *context = expansion->context;
    if (classify(context->space, name) == KIND_PARAMETER)
        return command_args_value(expansion->args, context->space, name, out);
    if (strcmp(name, "env") == 0)
        str_add(out, "/usr/bin/env");
    else if (strcmp(name, "args_json") == 0)
        python_write_json(out, expansion->args);
    else if (strcmp(name, "trial") == 0)
        str_addf(out, "%llu", (unsigned long long)context->trial);
    else if (strcmp(name, "seed") == 0)
        str_addf(out, "%llu", (unsigned long long)context->seed);
    else if (context->program)
        str_add(out, context->program);
    else
        return false;
    return true;
}

// Text that is no macro; "$" is doubled in an item that the agent will read again.
static void add_plain(struct str *out, const char *s, size_t len, bool local)
{
    for (size_t i = 0; i < len; i++) {
        if (local && s[i] == '$')
            str_addch(out, '$');
        str_addch(out, s[i]);
    }
}

static bool has_local(const struct space *space, const char *item)
{
    bool local = false;
    char *name;
    while (!local && next_macro(item, &name, &item)) {
        local = classify(space, name) == KIND_LOCAL;
        free(name);
    }
    return local;
}

// An item in which macros are replaced in place. False when it is to be left out.
static bool expand_text(struct expansion *expansion, const char *item, bool local, struct str *out)
{
    const struct space *space = expansion->context->space;
    const char *start, *after;
    char *name;
    bool keep = true;
    while (keep && (start = next_macro(item, &name, &after))) {
        struct str text = STR_INIT;
        add_plain(out, item, (size_t)(start - item), local);
        enum kind kind = classify(space, name);
        if (kind == KIND_LOCAL) {
            str_addn(out, start, (size_t)(after - start));
        } else if (kind == KIND_LIST || kind == KIND_UNKNOWN) {
            add_plain(out, start, (size_t)(after - start), local);
        } else {
            keep = macro_text(expansion, name, &text);
            add_plain(out, str_get(&text), text.len, local);
        }
        str_release(&text);
        free(name);
        item = after;
    }
    add_plain(out, item, strlen(item), local);
    return keep;
}

static void expand_item(struct expansion *expansion, const char *item)
{
    const struct space *space = expansion->context->space;
    const char *after;
    char *name = NULL;
    bool done = false;
    if (next_macro(item, &name, &after) == item && *after == '\0') {
        enum kind kind = classify(space, name);
        done = kind == KIND_LIST || kind == KIND_UNKNOWN; // W&B's agent drops what it does not know
        if (kind == KIND_LIST)
            command_args_list(expansion->args, name, append_argument, expansion);
    }
    free(name);
    if (done)
        return;
    struct str text = STR_INIT;
    bool local = has_local(space, item);
    str_add(&text, "");
    if (expand_text(expansion, item, local, &text))
        append(expansion, str_detach(&text), local);
    str_release(&text);
}

void command_expand(const char *const *items, size_t count, const struct command_context *context,
                    struct command *ret)
{
    struct expansion expansion = {.context = context};
    expansion.args = command_args_new(context->space, context->config);
    if (!items || count == 0) {
        items = default_items;
        count = ARRAY_LEN(default_items);
    }
    for (size_t i = 0; i < count; i++)
        expand_item(&expansion, items[i]);
    json_object_put(expansion.args);
    *ret = (struct command){.items = expansion.items, .count = expansion.count};
}

struct check {
    const struct space *space;
    const char *program;
    void (*report)(void *context, size_t item, bool is_error, const char *sentence);
    void *context;
    size_t errors;
};

static void check_unknown(struct check *check, size_t item, const char *name, bool whole)
{
    struct str sentence = STR_INIT;
    size_t count = space_count(check->space), macro_count = ARRAY_LEN(command_macros) - 1;
    const char **words = xmalloc((macro_count + count + 1) * sizeof *words);
    memcpy(words, command_macros, macro_count * sizeof *words);
    for (size_t i = 0; i < count; i++)
        words[macro_count + i] = space_param(check->space, i)->name;
    words[macro_count + count] = NULL;
    const char *near = str_nearest(name, words);
    str_addf(&sentence, "'${%s}' is neither a macro nor a parameter and %s", name,
             whole ? "the item is left out" : "stays as it is");
    if (near)
        str_addf(&sentence, "; did you mean '${%s}'?", near);
    check->report(check->context, item, false, str_get(&sentence));
    str_release(&sentence);
    free(words);
}

static void check_macro(struct check *check, size_t item, const char *name, bool whole)
{
    enum kind kind = classify(check->space, name);
    if (kind == KIND_UNKNOWN) {
        check_unknown(check, item, name, whole);
    } else if (kind == KIND_LIST && !whole) {
        struct str sentence = STR_INIT;
        str_addf(
            &sentence,
            "'${%s}' stands for several items and is replaced only as an item of its own; move "
            "it to a line of its own",
            name);
        check->report(check->context, item, false, str_get(&sentence));
        str_release(&sentence);
    } else if (strcmp(name, "program") == 0 && !check->program) {
        check->errors++;
        check->report(
            check->context, item, true,
            "'${program}' needs a program and the sweep names none; add 'program:' or write "
            "the program into 'command:'");
    }
}

size_t command_check(
    const char *const *items, size_t count, const char *program, const struct space *space,
    void (*report)(void *context, size_t item, bool is_error, const char *sentence), void *context)
{
    struct check check = {.space = space, .program = program, .report = report, .context = context};
    bool given = items && count > 0;
    if (!given) {
        items = default_items;
        count = ARRAY_LEN(default_items);
    }
    for (size_t i = 0; i < count; i++) {
        const char *start, *after, *s = items[i];
        char *name;
        while ((start = next_macro(s, &name, &after))) {
            check_macro(&check, given ? i : 0, name, start == items[i] && *after == '\0');
            free(name);
            s = after;
        }
    }
    return check.errors;
}

#define SAFE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_"

// In single quotes; for a local item in double quotes, where what the agent replaces stays
// readable.
static void write_quoted(struct str *out, const struct command_item *item)
{
    str_addch(out, item->local ? '"' : '\'');
    for (const char *s = item->text; *s; s++) {
        if (!item->local && *s == '\'') {
            str_add(out, "'\\''");
        } else if (item->local && s[0] == '$' && s[1] == '$') {
            str_add(out, "\\$");
            s++;
        } else {
            if (item->local && (*s == '"' || *s == '\\' || *s == '`'))
                str_addch(out, '\\');
            str_addch(out, *s);
        }
    }
    str_addch(out, item->local ? '"' : '\'');
}

void command_write_shell(struct str *out, const struct command *command)
{
    for (size_t i = 0; i < command->count; i++) {
        const struct command_item *item = &command->items[i];
        const char *safe = item->local ? SAFE "${}" : SAFE;
        str_add(out, i ? " " : "");
        if (item->text[0] && item->text[strspn(item->text, safe)] == '\0' &&
            !strstr(item->text, "$$"))
            str_add(out, item->text);
        else
            write_quoted(out, item);
    }
}

void command_finish_item(struct str *out, const char *text,
                         const char *(*lookup)(void *context, const char *name), void *context)
{
    macro_finish(out, text, lookup, context);
}

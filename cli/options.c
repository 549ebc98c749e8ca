// Parsing of arguments against the command table.

#include "cli/options.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64

const struct command_spec *command_find(const char *name)
{
    for (const struct command_spec *command = command_table; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

const char *command_nearest(const char *name)
{
    const char *words[WORDS_MAX] = {0};
    for (size_t i = 0; command_table[i].name && i + 1 < WORDS_MAX; i++)
        words[i] = command_table[i].name;
    return str_nearest(name, words);
}

static const struct option_spec *find_in(const struct option_spec *table, const char *name,
                                         size_t len)
{
    for (; table && table->name; table++)
        if (strncmp(table->name, name, len) == 0 && table->name[len] == '\0')
            return table;
    return NULL;
}

static const struct option_spec *find_letter(const struct option_spec *table, char letter)
{
    for (; table && table->name; table++)
        if (table->letter == letter)
            return table;
    return NULL;
}

static int unknown_option(const struct command_spec *command, const char *name, struct err *err)
{
    const char *words[WORDS_MAX] = {0};
    size_t count = 0;
    for (const struct option_spec *o = command->options; o && o->name && count + 1 < WORDS_MAX; o++)
        words[count++] = o->name;
    for (const struct option_spec *o = command_common_options; o->name && count + 1 < WORDS_MAX; o++)
        words[count++] = o->name;
    const char *nearest = str_nearest(name, words);
    return err_set(err, ERR_USAGE, "trawl %s has no option --%s%s%s%s; see `trawl %s --help`",
                   command->name, name, nearest ? "; did you mean --" : "", nearest ? nearest : "",
                   nearest ? "?" : "", command->name);
}

static int check_value(const struct option_spec *option, const char *text, struct err *err)
{
    uint64_t number;
    switch (option->arg) {
    case ARG_INT:
    case ARG_TRIAL:
        if (!num_parse_u64(text, &number))
            return err_set(err, ERR_USAGE, "--%s needs a whole number, not '%s'", option->name, text);
        return 0;
    case ARG_DURATION:
        if (!num_parse_duration_ms(text, &number))
            return err_set(err, ERR_USAGE, "--%s needs a duration such as 90s, 30m or 1h30m, not '%s'",
                           option->name, text);
        return 0;
    case ARG_SIZE:
        if (!num_parse_bytes(text, &number))
            return err_set(err, ERR_USAGE, "--%s needs a size such as 512M or 16G, not '%s'",
                           option->name, text);
        return 0;
    case ARG_WORD:
        for (size_t i = 0; option->words && option->words[i]; i++)
            if (strcmp(option->words[i], text) == 0)
                return 0;
        return err_set(err, ERR_USAGE, "--%s does not know '%s'; see --help for its words",
                       option->name, text);
    case ARG_NONE:
    case ARG_TEXT:
    case ARG_FILE:
    case ARG_DIR:
    case ARG_SWEEP:
    case ARG_AGENT:
        return 0;
    }
    return 0;
}

static void add_option(struct command_line *line, const struct option_spec *option,
                       const char *text)
{
    line->options =
        xreallocarray(line->options, line->option_count + 1, sizeof *line->options);
    line->options[line->option_count++] = (struct option_value){.option = option, .text = text};
}

// One option at argv[*index], with its value, which may be the next argument.
static int parse_option(struct command_line *line, int argc, const char *const *argv, int *index,
                        struct err *err)
{
    const char *arg = argv[*index];
    const struct option_spec *option;
    const char *text = NULL;
    if (arg[1] == '-') {
        const char *equals = strchr(arg, '=');
        size_t len = equals ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;
        option = find_in(line->command->options, arg + 2, len);
        if (!option)
            option = find_in(command_common_options, arg + 2, len);
        if (!option) {
            char *name = xstrndup(arg + 2, len);
            int rc = unknown_option(line->command, name, err);
            free(name);
            return rc;
        }
        text = equals ? equals + 1 : NULL;
    } else {
        option = find_letter(line->command->options, arg[1]);
        if (!option)
            option = find_letter(command_common_options, arg[1]);
        if (!option)
            return err_set(err, ERR_USAGE, "trawl %s has no option -%c; see `trawl %s --help`",
                           line->command->name, arg[1], line->command->name);
        text = arg[2] ? arg + 2 : NULL;
    }
    if (option->arg == ARG_NONE) {
        if (text)
            return err_set(err, ERR_USAGE, "--%s takes no value", option->name);
        if (strcmp(option->name, "help") == 0)
            line->help = true;
    } else {
        if (!text && *index + 1 >= argc)
            return err_set(err, ERR_USAGE, "--%s needs %s", option->name, option->arg_name);
        if (!text)
            text = argv[++*index];
        int rc = check_value(option, text, err);
        if (rc != 0)
            return rc;
    }
    add_option(line, option, text);
    return 0;
}

static int check_positionals(const struct command_line *line, struct err *err)
{
    size_t needed = 0, most = 0;
    bool endless = false;
    const char *missing = "";
    for (const struct positional_spec *p = line->command->positionals; p && p->name; p++) {
        needed += !p->optional;
        most++;
        endless = endless || p->repeatable;
        if (most == line->positional_count + 1)
            missing = p->name;
    }
    if (line->positional_count < needed)
        return err_set(err, ERR_USAGE, "trawl %s needs %s; see `trawl %s --help`",
                       line->command->name, missing, line->command->name);
    if (line->positional_count > most && !endless)
        return err_set(err, ERR_USAGE, "trawl %s does not know what to do with '%s'; see `trawl %s --help`",
                       line->command->name, line->positionals[most], line->command->name);
    return 0;
}

int command_line_parse(const struct command_spec *command, int argc, const char *const *argv,
                       struct command_line *ret, struct err *err)
{
    struct command_line line = {.command = command};
    line.positionals = xcalloc((size_t)argc + 1, sizeof *line.positionals);
    bool options_end = false;
    int rc = 0;
    for (int i = 0; i < argc && rc == 0; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0)
            options_end = true;
        else if (!options_end && argv[i][0] == '-' && argv[i][1] != '\0')
            rc = parse_option(&line, argc, argv, &i, err);
        else
            line.positionals[line.positional_count++] = argv[i];
    }
    if (rc == 0 && !line.help)
        rc = check_positionals(&line, err);
    if (rc != 0) {
        command_line_release(&line);
        return rc;
    }
    *ret = line;
    return 0;
}

void command_line_release(struct command_line *line)
{
    free(line->positionals);
    free(line->options);
    *line = (struct command_line){0};
}

const char *line_positional(const struct command_line *line, size_t index)
{
    return index < line->positional_count ? line->positionals[index] : NULL;
}

static const struct option_value *last(const struct command_line *line, const char *option)
{
    for (size_t i = line->option_count; i > 0; i--)
        if (strcmp(line->options[i - 1].option->name, option) == 0)
            return &line->options[i - 1];
    return NULL;
}

bool line_has(const struct command_line *line, const char *option)
{
    return last(line, option) != NULL;
}

const char *line_text(const struct command_line *line, const char *option)
{
    const struct option_value *value = last(line, option);
    return value ? value->text : NULL;
}

uint64_t line_u64(const struct command_line *line, const char *option, uint64_t otherwise)
{
    uint64_t number;
    const char *text = line_text(line, option);
    return text && num_parse_u64(text, &number) ? number : otherwise;
}

uint64_t line_duration_ms(const struct command_line *line, const char *option, uint64_t otherwise)
{
    uint64_t ms;
    const char *text = line_text(line, option);
    return text && num_parse_duration_ms(text, &ms) ? ms : otherwise;
}

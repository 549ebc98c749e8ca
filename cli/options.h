// Parsing of arguments against the command table.
#pragma once

#include "cli/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct option_value {
    const struct option_spec *option;
    const char *text; // NULL for a switch
};

struct command_line {
    const struct command_spec *command;
    const char **positionals; // borrowed from argv
    size_t positional_count;
    struct option_value *options;
    size_t option_count;
    bool help;
};

// Parse argv (without the command's name). Options may stand anywhere; "--" ends them; "--name=value", "--name value", "-nvalue",
// "-n value". Values are checked by kind. ERR_USAGE with a sentence that has the nearest right word.
int command_line_parse(const struct command_spec *command, int argc, const char *const *argv,
                       struct command_line *ret, struct err *err);
void command_line_release(struct command_line *line);

const char *line_positional(const struct command_line *line, size_t index); // NULL: not given
bool line_has(const struct command_line *line, const char *option);
const char *line_text(const struct command_line *line, const char *option); // last one given, or NULL
uint64_t line_u64(const struct command_line *line, const char *option, uint64_t otherwise);
uint64_t line_duration_ms(const struct command_line *line, const char *option, uint64_t otherwise);

// The command of that name, NULL when there is none.
const struct command_spec *command_find(const char *name);
// The nearest command's name, or NULL.
const char *command_nearest(const char *name);

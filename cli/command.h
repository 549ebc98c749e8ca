// Commands: one table, from which --help, man pages and shell completion are made.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// What may stand at a place, for completion and messages.
enum arg_kind { ARG_NONE, ARG_TEXT, ARG_INT, ARG_DURATION, ARG_SIZE, ARG_FILE, ARG_DIR, ARG_SWEEP, ARG_TRIAL, ARG_AGENT, ARG_WORD };

struct option_spec {
    const char *name;          // "slots"; NULL ends the table
    char letter;               // 'n', or 0
    enum arg_kind arg;         // ARG_NONE: a switch
    const char *arg_name;      // "N"
    const char *const *words;  // ARG_WORD: the words, NULL-terminated
    bool repeatable;
    const char *help;          // one line
};

struct positional_spec {
    const char *name;          // "SPEC"; NULL ends the table
    enum arg_kind kind;
    bool optional, repeatable;
    const char *help;
};

struct command_line; // parsed arguments, see options.h

struct command_spec {
    const char *name;          // "run"; NULL ends the table
    const char *group;         // heading in `trawl --help`
    const char *summary;       // one line
    const char *examples;      // shown first by --help; lines "$ command   # why"
    const char *description;   // paragraphs, for --help and the man page
    const struct positional_spec *positionals;
    const struct option_spec *options;
    int (*main)(const struct command_line *line); // returns the exit code; NULL: the front or another program has it
};

// All commands, ended by a NULL name. --json, --data, --quiet, --help are common to all: command_common_options.
extern const struct command_spec command_table[];
extern const struct option_spec command_common_options[];

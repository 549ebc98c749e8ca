// The command line of a run: W&B's macros expanded for a configuration.
//
// Macros (reference/wandb.md 3.2): ${env} ${interpreter} ${program} ${args} ${args_no_equals}
// ${args_no_hyphens} ${args_append_hydra} ${args_override_hydra} ${args_no_boolean_flags} ${args_json}
// ${args_json_file} ${envvar:NAME}, per-parameter ${name} (also inside a longer item), and Trawl's
// ${run_dir} ${trial} ${seed}. A macro that stands for a list is replaced only as a whole item.
//
// What only the agent knows (${args_json_file}, ${run_dir}, ${interpreter}, ${envvar:NAME}) stays in
// the item, which is then marked local; in a local item a literal "$" from anywhere else is
// written "$$".
#pragma once

#include "base/err.h"
#include "space/space.h"

struct command_item {
    char *text;
    bool local; // the agent replaces ${...} and $$ in it
};

struct command {
    struct command_item *items;
    size_t count;
};

void command_release(struct command *command);

// The names of all macros (NULL-terminated), for messages with the nearest right word.
extern const char *const command_macros[];

struct command_context {
    const char *program;        // NULL when the spec has none
    const struct space *space;  // order of args: the space's
    const struct config *config; // inactive parameters give no argument
    uint64_t trial;
    uint64_t seed;
};

// Check a template without a configuration: unknown macros and macros that need `program` are reported
// one by one through `report(context, item_index, is_error, sentence)`. W&B's agent drops an unknown macro
// silently; here it is a warning with the nearest right word. Returns the number of errors.
size_t command_check(const char *const *items, size_t count, const char *program,
                     const struct space *space,
                     void (*report)(void *context, size_t item, bool is_error, const char *sentence),
                     void *context);

// Expand. `items` NULL or count 0 is the default [${env}, ${interpreter}, ${program}, ${args}].
void command_expand(const char *const *items, size_t count, const struct command_context *context,
                    struct command *ret);

// As a line that a shell reads back (quotes where needed); local items shown as they are.
void command_write_shell(struct str *out, const struct command *command);

// The agent's part: finish one local item. lookup(context, name) returns the text for "args_json_file",
// "run_dir", "interpreter" or "envvar:NAME"; NULL for an undefined variable, which becomes its NAME.
void command_finish_item(struct str *out, const char *text,
                         const char *(*lookup)(void *context, const char *name), void *context);

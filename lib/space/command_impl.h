// Private to lib/space: a configuration as the arguments of a program.
#pragma once

#include "base/str.h"
#include "space/command.h"

#include <stdbool.h>

struct json_object;

// The configuration as W&B's server hands it to an agent: one entry a top-level name, nested
// parameters as a mapping below it, floats of integral value as integers (Go writes 1.0 as 1).
struct json_object *command_args_new(const struct space *space, const struct config *config);

// Append the arguments of the list macro `macro` ("args", "args_no_equals", ...), each item by one
// call.
void command_args_list(const struct json_object *args, const char *macro,
                       void (*append)(void *context, char *text), void *context);

// The text of one parameter, or of a group of them; false when it is inactive.
bool command_args_value(const struct json_object *args, const struct space *space, const char *name,
                        struct str *out);

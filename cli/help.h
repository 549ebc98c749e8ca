// Help, manual pages and shell completion, all from the command table.
#pragma once

#include "cli/command.h"

#include <stdio.h>

void help_overview(FILE *out);
void help_command(FILE *out, const struct command_spec *command);

// The mains of the commands, one each; they return the exit code.
#pragma once

#include "cli/options.h"

int command_run(const struct command_line *line);
int command_controller(const struct command_line *line);
int command_submit(const struct command_line *line);
int command_validate(const struct command_line *line);
int command_plan(const struct command_line *line);
int command_suggest(const struct command_line *line);
int command_status(const struct command_line *line);
int command_ls(const struct command_line *line);
int command_show(const struct command_line *line);
int command_best(const struct command_line *line);
int command_logs(const struct command_line *line);
int command_why(const struct command_line *line);
int command_agents(const struct command_line *line);
int command_export(const struct command_line *line);
int command_pause(const struct command_line *line);
int command_resume(const struct command_line *line);
int command_stop(const struct command_line *line);
int command_cancel(const struct command_line *line);
int command_enqueue(const struct command_line *line);
int command_retry(const struct command_line *line);
int command_key(const struct command_line *line);
int command_completion(const struct command_line *line);
int command_man(const struct command_line *line);

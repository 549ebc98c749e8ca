// trawl-main: every command but `log` (the front has it) and `agent` (a program of its own).

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/help.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        (strcmp(argv[1], "help") == 0 && argc == 2)) {
        help_overview(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("trawl " TRAWL_VERSION);
        return 0;
    }
    bool help = strcmp(argv[1], "help") == 0;
    const char *name = help ? argv[2] : argv[1];
    const struct command_spec *command = command_find(name);
    if (!command) {
        const char *nearest = command_nearest(name);
        fprintf(stderr, "trawl: there is no command '%s'%s%s%s; `trawl --help` lists them\n", name,
                nearest ? "; did you mean `trawl " : "", nearest ? nearest : "", nearest ? "`?" : "");
        return 2;
    }
    struct command_line line = {0};
    struct err err = {0};
    if (!help && command_line_parse(command, argc - 2, (const char *const *)argv + 2, &line, &err) != 0) {
        fprintf(stderr, "trawl: %s\n", err.text);
        return 2;
    }
    int code = 0;
    if (help || line.help || !command->main)
        help_command(stdout, command);
    else {
        if (line_has(&line, "quiet"))
            log_set_level(LOG_ERROR);
        code = command->main(&line);
    }
    command_line_release(&line);
    return code;
}

// Help, manual pages and shell completion, all from the command table.

#include "cli/help.h"

#include "base/str.h"
#include "cli/commands.h"
#include "cli/context.h"

#include <stdlib.h>
#include <string.h>

#define WIDTH 92 // columns of wrapped text
#define INDENT 26

// Text from column `column` on, wrapped at WIDTH with `indent` blanks before each further line.
static void wrap(FILE *out, const char *text, int column, int indent)
{
    while (*text) {
        size_t len = strcspn(text, " ");
        if (column + (int)len > WIDTH && column > indent) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        fprintf(out, "%.*s", (int)len, text);
        column += (int)len;
        text += len;
        if (*text == ' ') {
            text++;
            if (column + 1 < WIDTH)
                fputc(' ', out);
            column++;
        }
    }
    fputc('\n', out);
}

void help_overview(FILE *out)
{
    fputs("Trawl runs hyperparameter sweeps on one machine or many.\n\n"
          "  $ trawl run sweep.yaml       # run a sweep (a Weights & Biases sweep file works unchanged)\n"
          "  $ trawl run sweep.yaml       # again after an interruption: it goes on\n"
          "  $ trawl best                 # the best configuration\n",
          out);
    const char *group = "";
    for (const struct command_spec *c = command_table; c->name; c++) {
        if (strcmp(c->group, group) != 0)
            fprintf(out, "\n%s\n", c->group);
        group = c->group;
        fprintf(out, "  %-12s %s\n", c->name, c->summary);
    }
    fputs("\n`trawl COMMAND --help` shows examples and options; `trawl --version` the version.\n", out);
}

static void write_usage(FILE *out, const struct command_spec *command)
{
    fprintf(out, "trawl %s", command->name);
    for (const struct positional_spec *p = command->positionals; p && p->name; p++)
        fprintf(out, p->optional ? " [%s%s]" : " %s%s", p->name, p->repeatable ? "..." : "");
    fputs(" [OPTIONS]", out);
}

static void write_option(FILE *out, const struct option_spec *option)
{
    struct str left = STR_INIT;
    str_addf(&left, "  %s%c%s--%s", option->letter ? "-" : " ", option->letter ? option->letter : ' ',
             option->letter ? ", " : "  ", option->name);
    if (option->arg_name)
        str_addf(&left, " %s", option->arg_name);
    fprintf(out, "%-*s", INDENT, str_get(&left));
    if (left.len >= INDENT)
        fprintf(out, "\n%*s", INDENT, "");
    wrap(out, option->help, INDENT, INDENT);
    str_release(&left);
}

void help_command(FILE *out, const struct command_spec *command)
{
    fprintf(out, "trawl %s: %s\n\n", command->name, command->summary);
    for (const char *p = command->examples; *p;) {
        size_t len = strcspn(p, "\n");
        fprintf(out, "  %.*s\n", (int)len, p);
        p += len + (p[len] == '\n');
    }
    fputs("\nUsage: ", out);
    write_usage(out, command);
    fputs("\n", out);
    if (*command->description) {
        fputc('\n', out);
        wrap(out, command->description, 0, 0);
    }
    if (command->positionals && command->positionals->name)
        fputc('\n', out);
    for (const struct positional_spec *p = command->positionals; p && p->name; p++) {
        fprintf(out, "  %-*s", INDENT - 2, p->name);
        wrap(out, p->help, INDENT, INDENT);
    }
    fputs("\nOptions\n", out);
    for (const struct option_spec *o = command->options; o && o->name; o++)
        write_option(out, o);
    for (const struct option_spec *o = command_common_options; o->name; o++)
        write_option(out, o);
}

// ---- Manual pages

// troff takes a leading dot or quote as a request and a backslash as an escape.
static void man_text(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", out);
        else if (*text == '-')
            fputs("\\-", out);
        else
            fputc(*text, out);
        if (*text == '\n' && (text[1] == '.' || text[1] == '\''))
            fputs("\\&", out);
    }
}

static void man_options(FILE *out, const struct option_spec *options)
{
    for (const struct option_spec *o = options; o && o->name; o++) {
        fputs(".TP\n.B ", out);
        if (o->letter)
            fprintf(out, "\\-%c, ", o->letter);
        fputs("\\-\\-", out);
        man_text(out, o->name);
        if (o->arg_name)
            fprintf(out, " \\fI%s\\fR", o->arg_name);
        fputc('\n', out);
        man_text(out, o->help);
        fputc('\n', out);
    }
}

static void man_command(FILE *out, const struct command_spec *command)
{
    fprintf(out, ".TH TRAWL-%s 1 \"\" \"Trawl " TRAWL_VERSION "\" \"Trawl\"\n.SH NAME\ntrawl-%s \\- ",
            command->name, command->name);
    man_text(out, command->summary);
    fputs("\n.SH SYNOPSIS\n.B ", out);
    write_usage(out, command);
    fputs("\n.SH EXAMPLES\n.nf\n", out);
    man_text(out, command->examples);
    fputs("\n.fi\n.SH DESCRIPTION\n", out);
    man_text(out, *command->description ? command->description : command->summary);
    fputs("\n.SH OPTIONS\n", out);
    for (const struct positional_spec *p = command->positionals; p && p->name; p++) {
        fprintf(out, ".TP\n.I %s\n", p->name);
        man_text(out, p->help);
        fputc('\n', out);
    }
    man_options(out, command->options);
    man_options(out, command_common_options);
    fputs(".SH EXIT STATUS\n0 success; 1 error; 2 wrong usage; 3 not found; 4 finished but trials failed; 5 budget "
          "reached; 6 controller unreachable; 7 permission; 8 wrong state; 124 timed out; 128+N ended by signal "
          "N.\n.SH SEE ALSO\n.BR trawl (1)\n",
          out);
}

static void man_overview(FILE *out)
{
    fputs(".TH TRAWL 1 \"\" \"Trawl " TRAWL_VERSION "\" \"Trawl\"\n.SH NAME\ntrawl \\- hyperparameter sweeps on one "
          "machine or many\n.SH SYNOPSIS\n.B trawl\n.I COMMAND\n[OPTIONS]\n.SH COMMANDS\n",
          out);
    for (const struct command_spec *c = command_table; c->name; c++) {
        fprintf(out, ".TP\n.BR trawl-%s (1)\n", c->name);
        man_text(out, c->summary);
        fputc('\n', out);
    }
    fputs(".SH FILES\n.TP\n.I .trawl/trawl.db\nthe database: everything but logs; any SQLite tool reads it\n.TP\n.I "
          ".trawl/logs/\nwhat runs printed\n.SH ENVIRONMENT\n.TP\n.B TRAWL_DATA\nthe data directory\n.TP\n.B "
          "NO_COLOR\nno colours\n",
          out);
}

int command_man(const struct command_line *line)
{
    const char *name = line_positional(line, 0);
    if (!name) {
        man_overview(stdout);
        return 0;
    }
    const struct command_spec *command = command_find(name);
    if (!command) {
        fprintf(stderr, "trawl: there is no command '%s'; `trawl --help` lists them\n", name);
        return 3;
    }
    man_command(stdout, command);
    return 0;
}

// ---- Completion

static void words_of_options(FILE *out, const struct option_spec *options)
{
    for (const struct option_spec *o = options; o && o->name; o++)
        fprintf(out, " --%s", o->name);
}

// What a value of this kind is completed from, in bash.
static const char *bash_action(enum arg_kind kind)
{
    switch (kind) {
    case ARG_FILE:
        return "mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")"; // a name with a blank is one
    case ARG_DIR:
        return "mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")";
    case ARG_SWEEP:
        return "COMPREPLY=($(compgen -W \"$(trawl ls --quiet --json 2>/dev/null | grep -o '\"sweep\":\"[a-z0-9]*\"' | "
               "cut -d'\"' -f4 | sort -u)\" -- \"$cur\"))";
    case ARG_NONE:
    case ARG_TEXT:
    case ARG_INT:
    case ARG_DURATION:
    case ARG_SIZE:
    case ARG_TRIAL:
    case ARG_AGENT:
    case ARG_WORD:
        return ":";
    }
    return ":";
}

static void bash_values(FILE *out, const struct option_spec *options, const char *command)
{
    for (const struct option_spec *o = options; o && o->name; o++) {
        if (o->arg == ARG_NONE)
            continue;
        fprintf(out, "        %s--%s) ", command, o->name);
        if (o->words) {
            fputs("COMPREPLY=($(compgen -W \"", out);
            for (size_t i = 0; o->words[i]; i++)
                fprintf(out, "%s%s", i ? " " : "", o->words[i]);
            fputs("\" -- \"$cur\"))", out);
        } else {
            fputs(bash_action(o->arg), out);
        }
        fputs("; return;;\n", out);
    }
}

static void complete_bash(FILE *out)
{
    fputs("_trawl() {\n    local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
          "    local command=\"${COMP_WORDS[1]}\"\n    COMPREPLY=()\n    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
          "        COMPREPLY=($(compgen -W \"",
          out);
    for (const struct command_spec *c = command_table; c->name; c++)
        fprintf(out, "%s ", c->name);
    fputs("--help --version\" -- \"$cur\"))\n        return\n    fi\n    case \"$command$prev\" in\n", out);
    bash_values(out, command_common_options, "*");
    for (const struct command_spec *c = command_table; c->name; c++)
        bash_values(out, c->options, c->name);
    fputs("    esac\n    if [[ \"$cur\" == -* ]]; then\n        case \"$command\" in\n", out);
    for (const struct command_spec *c = command_table; c->name; c++) {
        fprintf(out, "            %s) COMPREPLY=($(compgen -W \"", c->name);
        words_of_options(out, c->options);
        words_of_options(out, command_common_options);
        fputs("\" -- \"$cur\"));;\n", out);
    }
    fputs("        esac\n        return\n    fi\n    case \"$command\" in\n", out);
    for (const struct command_spec *c = command_table; c->name; c++)
        if (c->positionals && c->positionals->name)
            fprintf(out, "        %s) %s;;\n", c->name, bash_action(c->positionals->kind));
    fputs("    esac\n}\ncomplete -o filenames -F _trawl trawl\n", out);
}

// Single quotes for zsh and fish.
static void quoted(FILE *out, const char *text, const char *also)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr(also, *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static const char *zsh_action(enum arg_kind kind)
{
    return kind == ARG_FILE ? "_files" : kind == ARG_DIR ? "_files -/" : " ";
}

static void zsh_options(FILE *out, const struct option_spec *options)
{
    for (const struct option_spec *o = options; o && o->name; o++) {
        fprintf(out, " \\\n            '%s--%s[", o->repeatable ? "*" : "", o->name);
        quoted(out, o->help, "[]:");
        fputs("]", out);
        if (o->arg != ARG_NONE) {
            fprintf(out, ":%s:", o->name);
            if (o->words) {
                fputs("(", out);
                for (size_t i = 0; o->words[i]; i++)
                    fprintf(out, "%s%s", i ? " " : "", o->words[i]);
                fputs(")", out);
            } else {
                fputs(zsh_action(o->arg), out);
            }
        }
        fputs("'", out);
    }
}

static void complete_zsh(FILE *out)
{
    fputs("#compdef trawl\n_trawl() {\n    local -a commands\n    commands=(\n", out);
    for (const struct command_spec *c = command_table; c->name; c++) {
        fprintf(out, "        '%s:", c->name);
        quoted(out, c->summary, ":");
        fputs("'\n", out);
    }
    fputs("    )\n    if (( CURRENT == 2 )); then\n        _describe command commands\n        return\n    fi\n"
          "    local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n",
          out);
    for (const struct command_spec *c = command_table; c->name; c++) {
        fprintf(out, "        %s) _arguments", c->name);
        zsh_options(out, c->options);
        zsh_options(out, command_common_options);
        if (c->positionals && c->positionals->name)
            fprintf(out, " \\\n            '*:%s:%s'", c->positionals->name, zsh_action(c->positionals->kind));
        fputs(";;\n", out);
    }
    fputs("    esac\n}\nif [ \"$funcstack[1]\" = \"_trawl\" ]; then _trawl \"$@\"; else compdef _trawl trawl; fi\n", out);
}

static void fish_options(FILE *out, const struct option_spec *options, const char *condition)
{
    for (const struct option_spec *o = options; o && o->name; o++) {
        fprintf(out, "complete -c trawl %s -l %s", condition, o->name);
        if (o->letter)
            fprintf(out, " -s %c", o->letter);
        if (o->arg != ARG_NONE)
            fputs(o->arg == ARG_FILE || o->arg == ARG_DIR ? " -r -F" : " -x", out);
        if (o->words) {
            fputs(" -a '", out);
            for (size_t i = 0; o->words[i]; i++)
                fprintf(out, "%s%s", i ? " " : "", o->words[i]);
            fputs("'", out);
        }
        fputs(" -d '", out);
        quoted(out, o->help, "");
        fputs("'\n", out);
    }
}

static void complete_fish(FILE *out)
{
    fputs("complete -c trawl -f\n", out);
    for (const struct command_spec *c = command_table; c->name; c++) {
        fprintf(out, "complete -c trawl -n __fish_use_subcommand -a %s -d '", c->name);
        quoted(out, c->summary, "");
        fputs("'\n", out);
        char condition[96];
        snprintf(condition, sizeof condition, "-n '__fish_seen_subcommand_from %s'", c->name);
        if (c->positionals && c->positionals->name && c->positionals->kind == ARG_FILE)
            fprintf(out, "complete -c trawl %s -F\n", condition);
        fish_options(out, c->options, condition);
    }
    fish_options(out, command_common_options, "-n 'not __fish_use_subcommand'");
}

int command_completion(const struct command_line *line)
{
    const char *shell = line_positional(line, 0);
    if (strcmp(shell, "bash") == 0)
        complete_bash(stdout);
    else if (strcmp(shell, "zsh") == 0)
        complete_zsh(stdout);
    else if (strcmp(shell, "fish") == 0)
        complete_fish(stdout);
    else {
        fprintf(stderr, "trawl: completion is for bash, zsh or fish, not '%s'\n", shell);
        return 2;
    }
    return 0;
}

// What every command needs: the data directory, the store to read, a controller to ask, and how to fail.
#pragma once

#include "base/str.h"
#include "cli/options.h"
#include "controller/store/store.h"

#define DATA_DIR_NAME ".trawl"

// The data directory: --data, else $TRAWL_DATA, else the nearest .trawl from the working directory upward; with `create` else
// ./.trawl. ERR_NOT_FOUND with the next command to type. The caller frees *ret (absolute where it can be).
int context_data_dir(const struct command_line *line, bool create, char **ret, struct err *err);

// Open the store of the data directory for reading.
int context_reader(const struct command_line *line, struct store **ret, struct err *err);

// Ask the controller: the live one over its socket; when none lives, this process opens the data directory and does it itself.
// `live_only`: ERR_UNREACHABLE when none lives. The reply's JSON is appended; an operation's own error comes through `err`.
int context_request(const char *data_dir, const char *op, const char *body, bool live_only,
                    struct str *reply, struct err *err);

// Whether a controller serves the data directory now.
bool context_controller_lives(const char *data_dir);

// Print the sentence ("trawl: ..." on stderr, or {"error":...} on stdout with --json) and return the exit code.
int context_fail(const struct command_line *line, const struct err *err);

// A trial named "17" or "SWEEP:17".
int context_find_trial(struct store *store, const char *word, struct sweep_row *ret_sweep,
                       struct trial_row *ret_trial, struct err *err);

// Directory of this program's siblings (trawl-agent, trawl-shim), absolute. The caller frees.
char *context_libexec(void);

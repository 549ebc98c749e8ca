// Prior trials: results from other sweeps and from files, fitted to a sweep's space.
#pragma once

#include "cli/options.h"
#include "controller/store/store.h"
#include "space/draft.h"
#include "spec/spec.h"

struct priors {
    struct prior_row *rows; // strings owned; sweep and number not set
    struct config *configs; // of each row
    size_t count, row_capacity;
};

// All that --prior names, in their order. A file of that name, else a sweep of the data directory. What was used and what was left out,
// and why, is told on stderr (not with --quiet). ERR_NOT_FOUND; ERR_INVALID when a source has not one trial that could be used, or the
// method learns nothing from results. Nothing to do without --prior.
int priors_load(const struct command_line *line, const struct spec *spec, struct priors *ret, struct err *err);
void priors_release(struct priors *priors);

// One that was given by hand: the configuration is fitted as those of a file are.
int priors_add(struct priors *priors, const struct spec *spec, struct config_draft *draft, const char *state, size_t value_count,
               const double *values, const char *source, struct err *err);

// Hand them to a sweep that awaits them (op submit with await_priors) in requests of bounded size, then let it go on.
typedef int (*request_fn)(void *context, const char *op, const char *body, struct str *reply, struct err *err);
int priors_send(const struct priors *priors, const char *sweep, request_fn request, void *context, struct err *err);

// A configuration in the making: what a person or a file gives of it, to be completed and checked.
//
//   struct config_draft draft;
//   config_draft_init(&draft, space);
//   config_draft_read(&draft, json, NULL, err)  or  config_draft_put(&draft, index, &value, err) ...
//   config_draft_finish(&draft, &rules, &config, err);   // as often as wanted
//   config_draft_release(&draft);
//
// Pure. The space must outlive the draft.
#pragma once

#include "space/space.h"

struct config_draft {
    const struct space *space;
    struct config view; // of what is given; texts borrowed from the space
    bool *given;        // one a parameter
};

void config_draft_init(struct config_draft *draft, const struct space *space);
void config_draft_release(struct config_draft *draft);

// Take what a JSON object gives, nested as the space nests. Names that the space lacks: ERR_INVALID with the nearest right one; or,
// with ret_unknown, left out and appended there, "a, model.b". ERR_INVALID for a value outside its parameter.
int config_draft_read(struct config_draft *draft, const struct json_object *json, struct str *ret_unknown, struct err *err);

// One parameter's value. ERR_INVALID when it is outside.
int config_draft_put(struct config_draft *draft, size_t index, const struct value *value, struct err *err);

// The same from the cell of a table: JSON where that is a value of the parameter, else the text itself.
int config_draft_put_text(struct config_draft *draft, size_t index, const char *text, struct err *err);

// How what is not given is completed.
struct config_rules {
    bool constants;      // parameters that have one value only get it
    const double *units; // the others get the value at units[i] in [0, 1); NULL: they must be given
    bool drop_inactive;  // what is given where its condition does not hold is left out instead of refused
};

// ERR_INVALID: a parameter is missing, or its condition does not hold. Constraints are not looked at (config_feasible). The caller
// releases *ret.
int config_draft_finish(const struct config_draft *draft, const struct config_rules *rules, struct config *ret, struct err *err);

// The same with what is missing drawn by lot, until the conditions of what is given and all constraints hold: draw d of parameter i is
// the next number of the stream (seed, name, index), in the order of draws, then of parameters. ERR_INVALID after DRAFT_DRAWS_MAX
// draws: what is given contradicts a condition or a constraint, which the sentence names.
#define DRAFT_DRAWS_MAX 10000
int config_draft_draw(const struct config_draft *draft, uint64_t seed, const char *name, uint64_t index, struct config *ret,
                      struct err *err);

// Private to lib/space: what the files about distributions share.
#pragma once

#include "space/space.h"

// As param_from_unit, the text borrowed from the parameter.
struct value param_view_unit(const struct param *param, double u);

// As param_grid_value, the text borrowed; param->distinct is there.
struct value param_view_grid(const struct param *param, uint64_t index);

// Fill param->distinct.
void param_index(struct param *param);

bool dist_is_categorical(enum dist dist);
bool dist_is_quantised(enum dist dist);

// The smallest and largest value of a numeric distribution, which may be infinite.
void dist_bounds(const struct param *param, double *ret_low, double *ret_high);

// The multiples k * q of a q_ form: smallest and largest k, which may be infinite.
void dist_multiples(const struct param *param, double *ret_low, double *ret_high);

// The value of multiple k: an integer where q is one, never outside the bounds.
struct value dist_multiple(const struct param *param, double k);

// The member of the parameter's values that equals `value`, in the parameter's own kind, text
// borrowed: 3 becomes 3.0 for a float. False when it is not one of them.
bool param_normalise(const struct param *param, const struct value *value, struct value *ret);

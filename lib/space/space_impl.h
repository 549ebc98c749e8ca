// Private to lib/space: the inside of a space.
#pragma once

#include "space/space.h"

struct slot {
    struct param param;
    size_t index; // place in slots
};

struct space {
    struct slot **slots;   // sorted by path from space_seal on
    struct slot **by_name; // sorted by name at all times
    size_t count, capacity, by_name_capacity;
    struct expr **constraints;
    size_t constraint_count, constraint_capacity;
    size_t *order; // indices, each after those that its condition names
    // Made by space_seal, for grids: the number of values of each parameter, and the largest index
    // of a parameter that decides, through however many conditions, whether this one is active (-1:
    // none).
    uint64_t *radix;
    long *decider;
    bool has_conditions;
    bool sealed;
};

// Set active[] from the conditions; values[] is complete, those of inactive parameters included.
void space_activate(const struct space *space, const struct value *values, bool *active);

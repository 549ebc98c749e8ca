// The plan of Hyperband: which budgets there are, and how many configurations each rung of each bracket has.
//
// Source: L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh, A. Talwalkar, "Hyperband: A Novel Bandit-Based Approach to
// Hyperparameter Optimization", JMLR 18 (2018), algorithm 1. With the least budget r and the greatest R,
// s_max = floor(log_eta(R / r)), and bracket s = s_max, ..., 0 begins with n = ceil((s_max + 1) / (s + 1) eta^s)
// configurations at R eta^-s; its rung i has floor(n eta^-i) of them at R eta^(i - s).
#pragma once

#include "space/space.h"

#define BUDGET_LEVELS_MAX 20          // distinct budgets
#define BUDGET_PLACES_MAX 10000000    // configurations in the first rung of a bracket

struct budget_plan {
    size_t param;       // the budget parameter, in the space
    double eta;         // > 1
    size_t level_count; // s_max + 1, at least 2
    struct value levels[BUDGET_LEVELS_MAX]; // ascending and distinct: what the parameter can have nearest to R eta^-k; no text
};

// Budgets that come out as the same value count once. ERR_INVALID, with a sentence for the user, for a parameter that is
// missing or cannot be a budget (no numbers above 0 with bounds, a condition), and for fewer than two budgets.
int budget_plan_init(struct budget_plan *plan, const struct space *space, const char *name, double eta, struct err *err);

// Configurations in rung `rung` (0..s) of bracket `s` (0..level_count - 1), at least 1; its budget is level
// level_count - 1 - s + rung.
size_t budget_plan_places(const struct budget_plan *plan, size_t s, size_t rung);

// The level of a value, or -1.
int budget_plan_level(const struct budget_plan *plan, const struct value *value);

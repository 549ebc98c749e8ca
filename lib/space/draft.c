// Configurations in the making: completed, and checked against their conditions. Reading them is in config_json.c.

#include "space/draft.h"

#include "base/mem.h"
#include "base/rng.h"
#include "space/dist.h"
#include "space/space_impl.h"

#include <stdlib.h>
#include <string.h>

void config_draft_init(struct config_draft *draft, const struct space *space)
{
    draft->space = space;
    config_view_init(space, &draft->view);
    draft->given = xcalloc(draft->view.count, sizeof *draft->given);
}

void config_draft_release(struct config_draft *draft)
{
    config_view_release(&draft->view);
    free(draft->given);
    draft->given = NULL;
}

static int check(const struct config_draft *draft, const struct config_rules *rules, const bool *known, const struct config *view,
                 struct err *err)
{
    for (size_t i = 0; i < view->count; i++) {
        const struct param *param = space_param(draft->space, i);
        if (view->active[i] && !known[i])
            return err_set(err, ERR_INVALID, "'%s' is missing", param->name);
        if (!view->active[i] && draft->given[i] && !rules->drop_inactive)
            return err_set(err, ERR_INVALID, "'%s' is given, but its condition (%s) does not hold; leave it out", param->name,
                           expr_text(param->when));
    }
    return 0;
}

int config_draft_finish(const struct config_draft *draft, const struct config_rules *rules, struct config *ret, struct err *err)
{
    struct config view;
    size_t count = draft->view.count;
    bool *known = xcalloc(count, sizeof *known);
    config_view_init(draft->space, &view);
    for (size_t i = 0; i < count; i++) {
        const struct param *param = space_param(draft->space, i);
        bool constant = rules->constants && param_cardinality(param) == 1;
        known[i] = draft->given[i] || constant || rules->units;
        view.values[i] = draft->given[i] ? draft->view.values[i]
                         : constant      ? param_view_unit(param, 0.5)
                         : rules->units  ? param_view_unit(param, rules->units[i])
                                         : (struct value){.kind = VALUE_NULL}; // a condition may ask for what is not there
    }
    space_activate(draft->space, view.values, view.active);
    int rc = check(draft, rules, known, &view, err);
    for (size_t i = 0; i < count; i++)
        if (!view.active[i])
            view.values[i] = (struct value){.kind = VALUE_NULL};
    if (rc == 0)
        config_copy(&view, ret);
    config_view_release(&view);
    free(known);
    return rc;
}

static bool is_complete(const struct config_draft *draft)
{
    for (size_t i = 0; i < draft->view.count; i++)
        if (!draft->given[i] && param_cardinality(space_param(draft->space, i)) != 1)
            return false;
    return true;
}

int config_draft_draw(const struct config_draft *draft, uint64_t seed, const char *name, uint64_t index, struct config *ret,
                      struct err *err)
{
    struct rng rng;
    size_t count = draft->view.count, failed = 0;
    double *units = xcalloc(count, sizeof *units);
    struct config_rules rules = {.constants = true, .units = units};
    int rc = ERR_INVALID, draws = is_complete(draft) ? 1 : DRAFT_DRAWS_MAX;
    rng_stream(&rng, seed, name, index);
    for (int draw = 0; draw < draws && rc != 0; draw++) {
        struct config config = {0};
        for (size_t i = 0; i < count; i++)
            units[i] = rng_double(&rng);
        rc = config_draft_finish(draft, &rules, &config, err);
        if (rc == 0 && !config_feasible(draft->space, &config, &failed))
            rc = err_set(err, ERR_INVALID, "it does not satisfy the constraint '%s'%s", expr_text(space_constraint(draft->space, failed)),
                         draws > 1 ? ", whatever the parameters are that it does not give" : "");
        if (rc == 0)
            *ret = config;
        else
            config_release(&config);
    }
    free(units);
    return rc;
}

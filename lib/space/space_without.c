// A space with one parameter less: what a search sees that sets that parameter by itself.

#include "space/space.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool names(const struct expr *expr, const char *name)
{
    size_t count = 0;
    const char *const *name_of = expr_names(expr, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(name_of[i], name) == 0)
            return true;
    return false;
}

// The text was parsed before, so it parses.
static struct expr *copy_expr(const struct expr *expr)
{
    struct expr *copy = NULL;
    int rc = expr_parse(expr_text(expr), &copy, NULL, NULL);
    assert(rc == 0);
    (void)rc;
    return copy;
}

static struct param copy_param(const struct param *param)
{
    struct param copy = *param;
    copy.name = xstrdup(param->name);
    copy.path = xcalloc(param->path_count, sizeof *copy.path);
    for (size_t i = 0; i < param->path_count; i++)
        copy.path[i] = xstrdup(param->path[i]);
    copy.values = param->value_count ? xcalloc(param->value_count, sizeof *copy.values) : NULL;
    for (size_t i = 0; i < param->value_count; i++)
        copy.values[i] = value_copy(&param->values[i]);
    copy.probabilities = NULL;
    if (param->probabilities) {
        copy.probabilities = xcalloc(param->value_count, sizeof *copy.probabilities);
        memcpy(copy.probabilities, param->probabilities, param->value_count * sizeof *copy.probabilities);
    }
    copy.when = param->when ? copy_expr(param->when) : NULL;
    copy.distinct = NULL; // space_add makes it
    copy.distinct_count = 0;
    return copy;
}

static int check_free(const struct space *space, const char *name, struct err *err)
{
    for (size_t i = 0; i < space_count(space); i++) {
        const struct param *param = space_param(space, i);
        if (param->when && names(param->when, name))
            return err_set(err, ERR_INVALID, "the condition of parameter '%s' depends on '%s', which is not part of the search",
                           param->name, name);
    }
    for (size_t i = 0; i < space_constraint_count(space); i++)
        if (names(space_constraint(space, i), name))
            return err_set(err, ERR_INVALID, "the constraint '%s' depends on '%s', which is not part of the search",
                           expr_text(space_constraint(space, i)), name);
    return 0;
}

int space_without(const struct space *space, size_t index, struct space **ret, struct err *err)
{
    int rc = check_free(space, space_param(space, index)->name, err);
    if (rc != 0)
        return rc;
    struct space *rest = space_new();
    for (size_t i = 0; i < space_count(space) && rc == 0; i++) {
        if (i == index)
            continue;
        struct param param = copy_param(space_param(space, i));
        rc = space_add(rest, &param, err);
    }
    for (size_t i = 0; i < space_constraint_count(space) && rc == 0; i++) {
        struct expr *expr = copy_expr(space_constraint(space, i));
        rc = space_add_constraint(rest, &expr, err);
    }
    if (rc == 0)
        rc = space_seal(rest, err);
    if (rc == 0)
        *ret = rest;
    else
        space_free(rest);
    return rc;
}

// Several objectives, for people. The front is made from the stored trials each time: one pass over them.

#include "cli/fronts.h"

#include "base/json.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WORK_MAX 10000000000 // of a hypervolume: some ten seconds

struct walk {
    const struct spec *spec;
    struct pareto_front *front;
};

static double sign_of(const struct spec *spec, size_t objective)
{
    return spec->objectives[objective].goal == GOAL_MAXIMIZE ? -1 : 1;
}

static int each_done(void *context, const struct trial_row *row)
{
    struct walk *walk = context;
    const struct spec *spec = walk->spec;
    double costs[OBJECTIVES_MAX];
    if (!values_complete(&row->values, spec->objective_count))
        return 0;
    for (size_t k = 0; k < spec->objective_count; k++)
        costs[k] = sign_of(spec, k) * row->values.at[k];
    pareto_front_add(walk->front, row->number, costs);
    return 0;
}

static const struct pareto_front *sorted_front; // qsort has no argument for its comparison; this program has one thread

static int by_first_cost(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b, m = sorted_front->objective_count;
    for (size_t k = 0; k < m; k++) {
        double left = sorted_front->costs[x * m + k], right = sorted_front->costs[y * m + k];
        if (left != right)
            return left < right ? -1 : 1;
    }
    return 0;
}

static void sort_front(struct pareto_front *front)
{
    size_t m = front->objective_count, *order = xcalloc(front->count + 1, sizeof *order);
    double *costs = xcalloc(front->count * m + 1, sizeof *costs);
    uint64_t *ids = xcalloc(front->count + 1, sizeof *ids);
    for (size_t i = 0; i < front->count; i++)
        order[i] = i;
    sorted_front = front;
    qsort(order, front->count, sizeof *order, by_first_cost);
    for (size_t i = 0; i < front->count; i++) {
        memcpy(costs + i * m, front->costs + order[i] * m, m * sizeof *costs);
        ids[i] = front->ids[order[i]];
    }
    free(order);
    free(front->costs);
    free(front->ids);
    front->costs = costs;
    front->ids = ids;
    front->capacity = front->count;
}

int front_load(struct store *store, const struct sweep_row *row, const struct spec *spec, struct pareto_front *ret, struct err *err)
{
    struct pareto_front front;
    struct walk walk = {.spec = spec, .front = &front};
    struct trial_query query = {.sweep = row->id, .state = TRIAL_DONE};
    pareto_front_init(&front, spec->objective_count);
    int rc = store_each_trial(store, &query, each_done, &walk, err);
    if (rc != 0) {
        pareto_front_release(&front);
        return rc;
    }
    sort_front(&front);
    *ret = front;
    return 0;
}

int front_parse_reference(const struct spec *spec, const char *text, double ret_costs[static OBJECTIVES_MAX], struct err *err)
{
    const char *at = text;
    bool good = true;
    for (size_t k = 0; k < spec->objective_count && good; k++) {
        size_t len = strcspn(at, ",");
        char *word = xstrndup(at, len);
        bool is_last = k + 1 == spec->objective_count;
        good = num_parse_double(word, &ret_costs[k]) && isfinite(ret_costs[k]) && at[len] == (is_last ? '\0' : ',');
        ret_costs[k] *= sign_of(spec, k);
        at += good && !is_last ? len + 1 : len;
        free(word);
    }
    if (good)
        return 0;
    return err_set(err, ERR_USAGE, "--reference is %zu numbers with commas between, one for each objective in the spec's order, not '%s'",
                   spec->objective_count, text);
}

bool front_hypervolume(const struct pareto_front *front, const double *reference, double *ret)
{
    return pareto_hypervolume(front->costs, front->count, front->objective_count, reference ? reference : front->worst, WORK_MAX,
                              ret);
}

void front_write_line(struct str *out, const struct spec *spec, const struct pareto_front *front)
{
    double volume;
    char text[NUM_TEXT_MAX];
    str_addf(out, "front of %zu trial%s", front->count, front->count == 1 ? "" : "s");
    if (front->count == 0 || !front_hypervolume(front, NULL, &volume))
        return;
    format_value(volume, text, sizeof text);
    str_addf(out, ", hypervolume %s (reference", text);
    for (size_t k = 0; k < spec->objective_count; k++) {
        format_value(sign_of(spec, k) * front->worst[k], text, sizeof text);
        str_addf(out, "%s %s %s", k ? "," : "", spec->objectives[k].name, text);
    }
    str_addch(out, ')');
}

void front_write_json(struct str *out, const struct spec *spec, const struct pareto_front *front, const double *reference)
{
    double volume;
    const double *costs = reference ? reference : front->worst;
    str_addf(out, "{\"size\":%zu,\"hypervolume\":", front->count);
    if (front->count > 0 && front_hypervolume(front, reference, &volume))
        json_write_double(out, volume);
    else
        str_add(out, front->count > 0 ? "null" : "0.0");
    str_add(out, ",\"reference\":");
    for (size_t k = 0; k < spec->objective_count && (front->count > 0 || reference); k++) {
        str_add(out, k ? "," : "{");
        json_write_string(out, spec->objectives[k].name, strlen(spec->objectives[k].name));
        str_addch(out, ':');
        json_write_double(out, sign_of(spec, k) * costs[k]);
    }
    str_add(out, front->count > 0 || reference ? "}" : "null");
    str_add(out, ",\"trials\":[");
    for (size_t i = 0; i < front->count; i++)
        str_addf(out, "%s%llu", i ? "," : "", (unsigned long long)front->ids[i]);
    str_add(out, "]}");
}

// Sobol: points of a scrambled Sobol sequence, one dimension a parameter that can vary, in the
// space's order.
//
// The cursor is the index in the sequence; one that the constraints refuse is passed over.
// Parameters beyond the published dimensions are drawn from stream `index` of the seed, as method
// random draws all of them.

#include "base/mem.h"
#include "strategies/sobol_sequence.h"
#include "strategies/strategy_impl.h"

#include <stdlib.h>

const struct strategy_option sobol_options[] = {
    {.name = "scramble",
     .kind = OPTION_BOOL,
     .default_text = "true",
     .help = "randomise the sequence by the seed; false gives the plain one, which starts at the "
             "lower end of every parameter"},
    {.name = NULL}};

struct sobol {
    struct strategy base;
    uint64_t next;
    struct sobol_sequence sequence;
    double *point;     // sequence.dimensions numbers
    size_t *parameter; // by dimension, and beyond: the parameter it stands for
    size_t varying;    // parameters that can vary
};

static int create(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    (void)err;
    struct sobol *sobol = xcalloc(1, sizeof *sobol);
    size_t count = space_count(setup->space);
    sobol->parameter = xcalloc(count, sizeof *sobol->parameter);
    for (size_t i = 0; i < count; i++)
        if (param_cardinality(space_param(setup->space, i)) != 1)
            sobol->parameter[sobol->varying++] = i;
    size_t dimensions =
        sobol->varying < sobol_dimensions_max ? sobol->varying : sobol_dimensions_max;
    sobol->point = xcalloc(dimensions, sizeof *sobol->point);
    sobol_sequence_init(&sobol->sequence, dimensions,
                        setting_bool(setup, sobol_options, "scramble"), setup->seed);
    *ret = &sobol->base;
    return 0;
}

static void destroy(struct strategy *strategy)
{
    struct sobol *sobol = (struct sobol *)strategy;
    sobol_sequence_release(&sobol->sequence);
    free(sobol->point);
    free(sobol->parameter);
    free(sobol);
}

static void fill_units(struct sobol *sobol, uint64_t index)
{
    double *units = sobol->base.units;
    sobol_sequence_at(&sobol->sequence, index, sobol->point);
    for (size_t i = 0; i < sobol->sequence.dimensions; i++)
        units[sobol->parameter[i]] = sobol->point[i];
    if (sobol->varying == sobol->sequence.dimensions)
        return;
    struct rng rng;
    rng_stream(&rng, sobol->base.seed, "sobol.beyond", index);
    for (size_t i = sobol->sequence.dimensions; i < sobol->varying; i++)
        units[sobol->parameter[i]] = rng_double(&rng);
}

static int ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    struct sobol *sobol = (struct sobol *)strategy;
    (void)point;
    strategy_search(strategy);
    for (uint64_t draw = 0; draw < STRATEGY_REJECTS_MAX; draw++) {
        fill_units(sobol, sobol->next + draw);
        config_view_unit(strategy->space, strategy->units, &strategy->view);
        if (strategy_accepts(strategy)) {
            sobol->next += draw + 1;
            config_copy(&strategy->view, ret);
            return 0;
        }
    }
    return strategy_refuse(strategy, err);
}

static uint64_t cursor(const struct strategy *strategy)
{
    return ((const struct sobol *)strategy)->next;
}

static int seek(struct strategy *strategy, uint64_t cursor_, struct err *err)
{
    (void)err;
    ((struct sobol *)strategy)->next = cursor_;
    return 0;
}

const struct strategy_ops sobol_ops = {
    .create = create, .destroy = destroy, .ask = ask, .cursor = cursor, .seek = seek};

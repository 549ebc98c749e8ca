// The method that chooses the method: Bayesian optimisation while it is affordable, the Parzen estimator beyond.
//
// Both see every point, so that a switch loses nothing. The choice is a function of the space, of how many trials were told and of
// how many are in flight, so that a restored history chooses alike. docs/search.md has the measurements behind the numbers.

#include "base/mem.h"
#include "strategies/strategy_impl.h"

#include <stdlib.h>

#define MANY_PARAMETERS 200 // from here on a Gaussian process costs more than it finds
#define MANY_TRIALS 5000    // told: what a model of a few hundred of them knows, the estimator of all knows, too
#define MANY_PENDING 300    // in flight: suggestions are wanted faster than a model gives them,
#define SHARE 4             // so that it gives one of so many

enum { MODEL, ESTIMATOR, CHOICES };

static const char *const methods[CHOICES] = {"bayes", "tpe"};

struct automatic {
    struct strategy base;
    struct strategy *choices[CHOICES];
    uint64_t given, told;
    int chosen; // of the last point
    size_t parameters;
    char *note;
};

static void destroy(struct strategy *strategy)
{
    struct automatic *automatic = (struct automatic *)strategy;
    for (int i = 0; i < CHOICES; i++)
        strategy_free(automatic->choices[i]);
    free(automatic->note);
    free(automatic);
}

static int create(const struct strategy_setup *setup, struct strategy **ret, struct err *err)
{
    struct automatic *automatic = xcalloc(1, sizeof *automatic);
    struct strategy_setup inner = *setup;
    inner.settings = NULL;
    inner.setting_count = 0;
    for (int i = 0; i < CHOICES; i++) {
        int rc = strategy_new(methods[i], &inner, &automatic->choices[i], err);
        if (rc != 0) {
            destroy(&automatic->base);
            return rc;
        }
    }
    for (size_t i = 0; i < space_count(setup->space); i++)
        automatic->parameters += param_cardinality(space_param(setup->space, i)) != 1;
    *ret = &automatic->base;
    return 0;
}

static int choose(const struct automatic *automatic, const char **ret_why)
{
    uint64_t pending = automatic->given - automatic->told;
    *ret_why = "a Gaussian process is affordable and finds most in few trials";
    if (automatic->base.objective_count > 1) {
        *ret_why = "it is the one for several objectives";
        return MODEL;
    }
    if (automatic->parameters > MANY_PARAMETERS) {
        *ret_why = "there are many parameters";
        return ESTIMATOR;
    }
    if (automatic->told > MANY_TRIALS) {
        *ret_why = "there are many trials";
        return ESTIMATOR;
    }
    if (pending > MANY_PENDING && automatic->given % SHARE != 0) {
        *ret_why = "many trials run at once";
        return ESTIMATOR;
    }
    return MODEL;
}

static int ask(struct strategy *strategy, uint64_t point, struct config *ret, struct err *err)
{
    struct automatic *automatic = (struct automatic *)strategy;
    const char *why;
    int chosen = choose(automatic, &why);
    int rc = strategy_ask(automatic->choices[chosen], point, ret, err);
    if (rc != 0)
        return rc;
    for (int i = 0; i < CHOICES; i++)
        if (i != chosen)
            strategy_restore(automatic->choices[i], point, ret);
    struct strategy_note note = strategy_note(automatic->choices[chosen]);
    free(automatic->note);
    automatic->note = xasprintf("%s, because %s (%zu parameters, %llu trials told, %llu in flight): %s", methods[chosen], why,
                                automatic->parameters, (unsigned long long)automatic->told,
                                (unsigned long long)(automatic->given - automatic->told), note.text ? note.text : "");
    automatic->given++;
    return 0;
}

static void tell(struct strategy *strategy, uint64_t point, const struct outcome *outcome)
{
    struct automatic *automatic = (struct automatic *)strategy;
    for (int i = 0; i < CHOICES; i++)
        strategy_tell(automatic->choices[i], point, outcome);
    if (automatic->told < automatic->given)
        automatic->told++;
}

static void report(struct strategy *strategy, uint64_t point, int64_t step, double value)
{
    struct automatic *automatic = (struct automatic *)strategy;
    for (int i = 0; i < CHOICES; i++)
        strategy_report(automatic->choices[i], point, step, value);
}

static void restore(struct strategy *strategy, uint64_t point, const struct config *config)
{
    struct automatic *automatic = (struct automatic *)strategy;
    for (int i = 0; i < CHOICES; i++)
        strategy_restore(automatic->choices[i], point, config);
    automatic->given++;
}

static struct strategy_note note(const struct strategy *strategy)
{
    return (struct strategy_note){.text = ((const struct automatic *)strategy)->note};
}

const struct strategy_ops auto_ops = {.create = create,
                                      .destroy = destroy,
                                      .ask = ask,
                                      .tell = tell,
                                      .report = report,
                                      .restore = restore,
                                      .note = note};

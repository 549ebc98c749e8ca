// Many suggestions between two tells.
//
// A pool of candidates is scored once; each pick takes the one of least lower confidence bound, and what it will tell is
// accounted for by lowering the variances of the others (their mean stays: its outcome is believed to be as predicted). A pool
// serves BLOCK picks. It is a function of what was told and given, so that a restored history picks on as it would have.

#include "strategies/bayes_impl.h"

#include "base/mem.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POOL 1024   // candidates
#define BLOCK 128   // picks of one pool
#define BETA 1.8    // deviations of the confidence bound

struct pool {
    size_t told;        // trials told when it was made
    uint64_t before;    // points of the run that came before it
    uint64_t seen;      // points of the run that are accounted for
    size_t count;       // candidates
    size_t rows;        // of v: trials, then picks
    size_t capacity;    // of rows
    double *coordinates, *features;
    double *v;          // by candidate: factor^-1 k, then what each pick explains of it
    double *mean, *variance;
    bool *used;
};

void bayes_pool_release(struct bayes *bayes)
{
    struct pool *pool = bayes->pool;
    if (!pool)
        return;
    free(pool->coordinates);
    free(pool->features);
    free(pool->v);
    free(pool->mean);
    free(pool->variance);
    free(pool->used);
    free(pool);
    bayes->pool = NULL;
}

static struct pool *pool_new(struct bayes *bayes)
{
    struct pool *pool = xcalloc(1, sizeof *pool);
    pool->capacity = BAYES_ROWS_MAX + BLOCK;
    pool->coordinates = xcalloc(POOL * bayes->history.encoding.count, sizeof(double));
    pool->features = xcalloc(POOL * bayes->feature_count, sizeof(double));
    pool->v = xcalloc(POOL * pool->capacity, sizeof(double));
    pool->mean = xcalloc(POOL, sizeof(double));
    pool->variance = xcalloc(POOL, sizeof(double));
    pool->used = xcalloc(POOL, sizeof(bool));
    return pool;
}

// The pool of the block that begins behind `before` points of the run.
static bool fill(struct bayes *bayes, struct model *model, uint64_t before)
{
    struct pool *pool = bayes->pool;
    struct gp *gp = &model->gp;
    struct rng rng;
    double best;
    uint64_t since = bayes->run - before;
    if (since > bayes->history.pending || !bayes_update(bayes, model, bayes->history.pending - (size_t)since, &best))
        return false;
    rng_stream(&rng, bayes->base.seed, "bayes.pool", bayes->given - since);
    pool->told = bayes->told_count;
    pool->before = pool->seen = before;
    pool->rows = gp->count;
    pool->count = bayes_candidates(bayes, model, &rng, POOL, pool->coordinates, pool->features);
    memset(pool->used, false, POOL * sizeof *pool->used);
    for (size_t at = 0; at < pool->count; at += BAYES_BLOCK) {
        size_t m = pool->count - at < BAYES_BLOCK ? pool->count - at : BAYES_BLOCK;
        gp_predict(gp, pool->features + at * bayes->feature_count, m, pool->mean + at, pool->variance + at, bayes->predict_work);
        for (size_t j = 0; j < m; j++)
            memcpy(pool->v + (at + j) * pool->capacity, bayes->predict_work + j * gp->capacity, gp->count * sizeof(double));
    }
    return true;
}

// Candidate i will be told of. Its covariances with the others, given all rows before, are their new rows.
static void account(struct bayes *bayes, const struct gp *gp, size_t i)
{
    struct pool *pool = bayes->pool;
    const double *own = pool->v + i * pool->capacity, *features = pool->features + i * bayes->feature_count;
    double left = sqrt(pool->variance[i] + gp->noise);
    size_t rows = pool->rows;
    pool->used[i] = true;
    if (rows == pool->capacity)
        return;
    for (size_t j = 0; j < pool->count; j++) {
        double *v = pool->v + j * pool->capacity;
        double covariance = gp_covariance(gp, features, pool->features + j * bayes->feature_count);
        v[rows] = (covariance - (rows ? cblas_ddot((int)rows, own, 1, v, 1) : 0)) / left;
        pool->variance[j] = fmax(pool->variance[j] - v[rows] * v[rows], 1e-12);
    }
    pool->rows++;
}

// What was given since the pool was made, also before a restart: its candidates, found by their features.
static void catch_up(struct bayes *bayes, const struct gp *gp)
{
    struct pool *pool = bayes->pool;
    size_t bytes = bayes->feature_count * sizeof(double);
    for (; pool->seen < bayes->run; pool->seen++) {
        size_t at = bayes->history.count - (size_t)(bayes->run - pool->seen);
        bayes_observed_features(bayes, bayes->history.observations[at], bayes->row);
        for (size_t i = 0; i < pool->count; i++)
            if (!pool->used[i] && memcmp(pool->features + i * bayes->feature_count, bayes->row, bytes) == 0) {
                account(bayes, gp, i);
                break;
            }
    }
}

static bool is_new(struct bayes *bayes, size_t i)
{
    struct strategy *strategy = &bayes->base;
    const struct encoding *encoding = &bayes->history.encoding;
    encoding_decode(encoding, bayes->pool->coordinates + i * encoding->count, strategy->units, &strategy->view);
    return !history_has(&bayes->history, &strategy->view);
}

int bayes_pick(struct bayes *bayes, struct model *model)
{
    uint64_t before = bayes->run - (bayes->run - BAYES_PICKS_AFTER) % BLOCK;
    if (!bayes->pool)
        bayes->pool = pool_new(bayes);
    struct pool *pool = bayes->pool;
    if ((pool->count == 0 || pool->told != bayes->told_count || pool->before != before) && !fill(bayes, model, before))
        return ERR_NOT_FOUND;
    catch_up(bayes, &model->gp);
    for (size_t tries = 0; tries < pool->count; tries++) {
        size_t best = pool->count;
        double value = 0;
        for (size_t i = 0; i < pool->count; i++) {
            double bound = BETA * sqrt(pool->variance[i]) - pool->mean[i];
            if (!pool->used[i] && (best == pool->count || bound > value)) {
                best = i;
                value = bound;
            }
        }
        if (best == pool->count)
            break;
        if (is_new(bayes, best))
            return 0;
        pool->used[best] = true;
    }
    return ERR_NOT_FOUND;
}

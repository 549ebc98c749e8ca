// A Gaussian process over mixed features: Matérn 5/2 of a weighted distance, a constant mean, learned noise.
//
// C. E. Rasmussen and C. K. I. Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2 and 5. Features are
// numbers, whose squared difference counts, or codes of categories, which are 1 apart when they differ; each is divided
// by the square of the length scale that it shares with the other features of its dimension.
//
// Linear algebra is column-major with `capacity` as leading dimension. One thread; same input, same output.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define GP_NOISE_MIN 1e-6 // of the variance of the standardised targets
#define GP_NOISE_MAX 1.0
#define GP_SCALE_MIN 0.01 // length scales, in units of the cube's side
#define GP_SCALE_MAX 100.0

enum feature_kind { FEATURE_NUMBER, FEATURE_CODE };

struct feature {
    enum feature_kind kind;
    size_t scale; // which length scale divides it
};

// Prior of the length scales: log-normal (the natural logarithm of a scale has mean mu and standard deviation sigma), or, where
// pull > 0, of density exp(-pull (l^2 + 1 / l^2)), which draws them to the side of the cube from both ends. The signal's variance has
// Gamma(2, 1), the noise's Gamma(1.1, 30).
struct gp_prior {
    double mu, sigma;
    double pull;
};

struct gp {
    const struct feature *features; // borrowed
    size_t feature_count, scale_count, capacity;
    double *log_scales, log_signal, log_noise; // the hyperparameters: natural logarithms
    double mean;          // of the process
    double noise;         // variance in the factor: what was learned, or more where rounding asked for it
    size_t count;         // rows
    double *x;            // feature-major: feature f of row i is x[f * capacity + i]
    double *y;            // targets
    double *weight;       // of each row: how many values its target is the mean of; its noise is divided by it
    double *factor;       // lower Cholesky factor of the covariance
    double *inverse;      // of the covariance, both triangles; as of the last gp_invert
    double *alpha;        // inverse times (y - mean)
    double *weights;      // by feature: 1 / scale^2
    double *work;         // capacity * 4
};

// Room for `capacity` rows. Hyperparameters start at the prior's mode, with little noise.
void gp_init(struct gp *gp, const struct feature *features, size_t feature_count, size_t scale_count, size_t capacity,
             const struct gp_prior *prior);
void gp_release(struct gp *gp);

void gp_reset(struct gp *gp, const struct gp_prior *prior); // hyperparameters back to where they start
void gp_copy_theta(struct gp *gp, const struct gp *from);
void gp_clear(struct gp *gp); // no rows
// Add a row: feature_count numbers, a target, and its weight (> 0). At most `capacity` rows.
void gp_add(struct gp *gp, const double *features, double target, double weight);

// Negative logarithm of the posterior of the hyperparameters (up to a constant), and its gradient by
// [log scales, log signal, log noise] (scale_count + 2 numbers; NULL: not wanted). Infinity where the covariance
// cannot be factored. `work` is from gp_fit_work.
struct gp_fit_work;
struct gp_fit_work *gp_fit_work_new(const struct gp *gp);
void gp_fit_work_free(struct gp_fit_work *work);
double gp_loss(struct gp *gp, const struct gp_prior *prior, struct gp_fit_work *work, double *gradient);

// Hyperparameters of maximum posterior density from where they are (and, with `fresh`, from the prior's mode, too,
// keeping the better end), at most `iterations` steps each. Factors the covariance. Returns the loss.
double gp_fit(struct gp *gp, const struct gp_prior *prior, struct gp_fit_work *work, unsigned iterations, bool fresh);

// Factor the covariance of the rows with the present hyperparameters, take the mean by generalised least squares. Noise is
// raised where rounding makes the matrix indefinite. False: it cannot be (targets or features are not finite).
bool gp_factor(struct gp *gp);
// The same with other targets (count numbers) and the factor as it is.
void gp_retarget(struct gp *gp, const double *y);
// One more row, O(n^2). Its target is the predicted mean, so that the mean of the
// process stays as it was and variances shrink: what a point whose outcome is not known yet does (Kriging believer). Other
// targets come with gp_retarget. False when it is full.
bool gp_append(struct gp *gp, const double *features, double weight);
// Back to the first `count` rows; targets and alpha of gp_retarget are to be made again.
void gp_truncate(struct gp *gp, size_t count);

// Posterior mean and variance of the function (without noise) at `m` points (row-major, feature_count each).
// `work` holds capacity * m numbers; on return its column j is factor^-1 k(x_j), count numbers.
void gp_predict(const struct gp *gp, const double *points, size_t m, double *mean, double *variance, double *work);

// Make the inverse, for gp_predict_slopes: with it a gradient reads one matrix once.
void gp_invert(struct gp *gp);

// Mean, variance, and what the gradients need, for m points at once. gp_invert comes before. `work` holds 3 * capacity * m
// numbers.
struct gp_slopes {
    double *k;     // capacity * m: covariances
    double *slope; // derivatives by the squared distance
    double *v;     // inverse covariance times k
};
void gp_predict_slopes(const struct gp *gp, const double *points, size_t m, double *mean, double *variance,
                       double *work, struct gp_slopes *ret);
// The gradient of a function of mean and variance with these partial derivatives by point j's features.
// `scratch` holds `capacity` numbers.
void gp_gradient(const struct gp *gp, const struct gp_slopes *slopes, size_t j, const double *point, double by_mean,
                 double by_variance, double *ret, double *scratch);

// Prior covariance of the function between two points of features.
double gp_covariance(const struct gp *gp, const double *a, const double *b);

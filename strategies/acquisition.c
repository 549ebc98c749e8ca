// Acquisition functions.

#include "strategies/acquisition.h"

#include "base/stats.h"

#include <math.h>
#include <stddef.h>

#define LOG_ROOT_2_PI 0.91893853320467274178
#define FRACTION_TERMS 40

// (1 - Phi(t)) / phi(t) for t >= 5, by its continued fraction (Laplace).
static double mills_ratio(double t)
{
    double x = t;
    for (int i = FRACTION_TERMS; i > 0; i--)
        x = t + i / x;
    return 1 / x;
}

double log_h(double z, double *ret_slope)
{
    double t = -z;
    if (z > -5) {
        double density = exp(-0.5 * z * z - LOG_ROOT_2_PI), below = norm_cdf(z);
        double h = density + z * below;
        *ret_slope = below / h;
        return log(h);
    }
    // h = phi(z) (1 - t M(t)); far out 1 - t M(t) = 1/t^2 - 3/t^4 + 15/t^6 - ..., and Phi / h = M / (1 - t M).
    double left, mills;
    if (t < 100) {
        mills = mills_ratio(t);
        left = 1 - t * mills;
    } else {
        double s = 1 / (t * t);
        left = s * (1 - s * (3 - 15 * s));
        mills = (1 - left) / t;
    }
    *ret_slope = mills / left;
    return -0.5 * z * z - LOG_ROOT_2_PI + log(left);
}

double acquisition_value(const struct acquisition *acquisition, double mean, double variance, double *by_mean,
                         double *by_variance)
{
    double deviation = sqrt(variance), slope, value, mean_slope, deviation_slope;
    if (acquisition->kind == ACQUISITION_CONFIDENCE) {
        value = acquisition->beta * deviation - mean;
        mean_slope = -1;
        deviation_slope = acquisition->beta;
    } else {
        double z = (acquisition->best - mean) / deviation;
        value = log_h(z, &slope) + log(deviation);
        mean_slope = -slope / deviation;
        deviation_slope = (1 - slope * z) / deviation;
    }
    if (by_mean)
        *by_mean = mean_slope;
    if (by_variance)
        *by_variance = deviation_slope / (2 * deviation);
    return value;
}

// Distribution functions. Inverses are solved to the last bits from the forward functions, so that the pair agrees.

#include "base/stats.h"

#include <float.h>
#include <math.h>

#define ITERATIONS_MAX 200

double norm_cdf(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

// A first guess for the upper tail: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.2.23 (error < 4.5e-4).
static double tail_guess(double p)
{
    double t = sqrt(-2 * log(p));
    return t - (2.515517 + t * (0.802853 + t * 0.010328)) /
                   (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

double norm_inverse_cdf(double u)
{
    if (!(u >= 0 && u <= 1))
        return (double)NAN;
    if (u == 0 || u == 1)
        return u == 0 ? -(double)INFINITY : (double)INFINITY;
    double p = u < 0.5 ? u : 1 - u; // the smaller tail keeps its digits
    if (p == 0.5)
        return 0;
    double x = tail_guess(p);
    for (int i = 0; i < 3; i++) { // Halley's method on the tail probability
        double density = exp(-0.5 * x * x) * 0.3989422804014327;
        double e = (0.5 * erfc(x * M_SQRT1_2) - p) / density;
        x += e / (1 - 0.5 * x * e);
    }
    return u < 0.5 ? -x : x;
}

// The continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method (Lentz 1976, Thompson and
// Barnett 1986).
static double beta_fraction(double x, double a, double b)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    if (fabs(d) < DBL_MIN)
        d = DBL_MIN;
    d = 1 / d;
    double h = d;
    for (int m = 1; m <= 10000; m++) {
        double m2 = 2.0 * m;
        double even = m * (b - m) * x / ((a + m2 - 1) * (a + m2));
        double odd = -(a + m) * (a + b + m) * x / ((a + m2) * (a + m2 + 1));
        d = 1 + even * d;
        c = 1 + even / c;
        d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
        c = fabs(c) < DBL_MIN ? DBL_MIN : c;
        h *= d * c;
        d = 1 + odd * d;
        c = 1 + odd / c;
        d = 1 / (fabs(d) < DBL_MIN ? DBL_MIN : d);
        c = fabs(c) < DBL_MIN ? DBL_MIN : c;
        double step = d * c;
        h *= step;
        if (fabs(step - 1) < 4 * DBL_EPSILON)
            break;
    }
    return h;
}

double beta_cdf(double x, double a, double b)
{
    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double beta_inverse_cdf(double u, double a, double b)
{
    if (!(u > 0))
        return 0;
    if (u >= 1)
        return 1;
    double low = 0, high = 1, x = a / (a + b);
    double constant = lgamma(a + b) - lgamma(a) - lgamma(b);
    for (int i = 0; i < ITERATIONS_MAX; i++) {
        double f = beta_cdf(x, a, b) - u;
        if (f > 0)
            high = x;
        else
            low = x;
        double density = exp(constant + (a - 1) * log(x) + (b - 1) * log1p(-x));
        double next = x - f / density;
        if (!(next > low && next < high)) // Newton left the bracket
            next = 0.5 * (low + high);
        if (fabs(next - x) <= 2 * DBL_EPSILON * next)
            return next;
        x = next;
    }
    return x;
}

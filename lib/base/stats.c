// Distribution functions. norm_inverse_cdf is part of what random streams promise, so it uses only arithmetic, log and
// sqrt, and is compiled without contraction.

#define _DEFAULT_SOURCE // lgamma_r: lgamma writes a global
#include "base/stats.h"

#include <float.h>
#include <math.h>

#define ITERATIONS_MAX 200
#define FRACTION_TERMS_MAX 10000 // about sqrt(max(a, b)) are needed

double norm_cdf(double x)
{
    const double half_root = 0.70710678118654757, rest = -4.833646656726457e-17; // sqrt(1/2) in two parts
    if (isnan(x))
        return x;
    if (fabs(x) > 40) // the tail is below the least double
        return x > 0 ? 1 : 0;
    double z = -x * half_root;
    // Far out, erfc multiplies the rounding of z by z: take it back to first order.
    double lost = fma(-x, half_root, -z) - x * rest;
    return 0.5 * (erfc(z) - lost * 1.1283791670955126 * exp(-z * z));
}

static double polynomial(const double coefficients[static 8], double x)
{
    double sum = coefficients[7];
    for (int i = 6; i >= 0; i--)
        sum = sum * x + coefficients[i];
    return sum;
}

// M. J. Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37 (1988),
// routine PPND16.
double norm_inverse_cdf(double u)
{
    static const double middle[2][8] = {
        {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
         4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
        {1, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
         3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
    static const double tail[2][8] = {
        {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
         1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
        {1, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
         1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
    static const double far_tail[2][8] = {
        {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
         2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
        {1, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
         1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};
    if (!(u >= 0 && u <= 1))
        return (double)NAN;
    if (u == 0 || u == 1)
        return u == 0 ? -(double)INFINITY : (double)INFINITY;
    double q = u - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * polynomial(middle[0], r) / polynomial(middle[1], r);
    }
    double r = sqrt(-log(q < 0 ? u : 1 - u)); // the smaller tail keeps its digits
    double x = r <= 5 ? polynomial(tail[0], r - 1.6) / polynomial(tail[1], r - 1.6)
                      : polynomial(far_tail[0], r - 5) / polynomial(far_tail[1], r - 5);
    return q < 0 ? -x : x;
}

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

static double log_beta(double a, double b)
{
    return log_gamma(a) + log_gamma(b) - log_gamma(a + b);
}

static double away_from_zero(double x)
{
    return fabs(x) < DBL_MIN ? DBL_MIN : x;
}

// The continued fraction of the incomplete beta function (DLMF 8.17.22) by Lentz's method (Lentz 1976, Thompson and
// Barnett 1986).
static double beta_fraction(double x, double a, double b)
{
    double c = 1, d = 1 / away_from_zero(1 - (a + b) * x / (a + 1)), h = d;
    for (int m = 1; m <= FRACTION_TERMS_MAX; m++) {
        double m2 = 2.0 * m;
        double even = m * (b - m) * x / ((a + m2 - 1) * (a + m2));
        double odd = -(a + m) * (a + b + m) * x / ((a + m2) * (a + m2 + 1));
        d = 1 / away_from_zero(1 + even * d);
        c = away_from_zero(1 + even / c);
        h *= d * c;
        d = 1 / away_from_zero(1 + odd * d);
        c = away_from_zero(1 + odd / c);
        double step = d * c;
        h *= step;
        if (fabs(step - 1) < 4 * DBL_EPSILON)
            break;
    }
    return h;
}

static double cdf_given(double x, double a, double b, double log_b)
{
    double front = exp(a * log(x) + b * log1p(-x) - log_b);
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

double beta_cdf(double x, double a, double b)
{
    if (isnan(x))
        return x;
    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    return cdf_given(x, a, b, log_beta(a, b));
}

// Newton's method for log F over t = log x, where F is close to a line when x is small (a small `a` puts whole tenths
// of the probability below 1e-100), inside a bracket that is halved whenever a step leaves it or shrinks too slowly.
double beta_inverse_cdf(double u, double a, double b)
{
    if (isnan(u))
        return u;
    if (u <= 0 || u >= 1)
        return u <= 0 ? 0 : 1;
    double log_b = log_beta(a, b), low = log(DBL_MIN), high = 0;
    double t = (log(u) + log(a) + log_b) / a; // F = x^a / (a B(a, b)) to first order
    if (t <= low)
        return exp(t);
    t = fmin(t, log(a / (a + b)));
    double last_step = high - low, x = exp(t), density = 0, f = u;
    for (int i = 0; i < ITERATIONS_MAX; i++) {
        x = exp(t);
        f = x < 1 ? cdf_given(x, a, b, log_b) : 1;
        density = exp((a - 1) * log(x) + (b - 1) * log1p(-x) - log_b);
        if (f > u)
            high = t;
        else
            low = t;
        double step = -log(f / u) * f / (x * density);
        if (!(t + step > low && t + step < high && fabs(step) <= 0.5 * last_step))
            step = 0.5 * (low + high) - t;
        if (fabs(step) <= DBL_EPSILON * fmax(0.25, -t)) // a quarter of the spacing of x next to 1
            break;
        last_step = fabs(step);
        t += step;
    }
    double polished = x - (f - u) / density; // t has fewer digits of x where x is small
    return polished > 0 && polished < 1 && fabs(polished - x) <= 1e-10 * x ? polished : x;
}

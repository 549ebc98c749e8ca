// Numbers to text and back, independent of the locale.

#define _GNU_SOURCE // strtod_l, strcasecmp_l
#include "base/num.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static locale_t plain_locale;

static void make_locale(void)
{
    plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t c_locale(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_locale);
    return plain_locale;
}

bool num_parse_i64(const char *s, int64_t *ret)
{
    if (!s || !(*s == '-' || *s == '+' || (*s >= '0' && *s <= '9')))
        return false;
    errno = 0;
    char *end;
    long long value = strtoll(s, &end, 10);
    if (errno != 0 || end == s || *end != '\0')
        return false;
    *ret = value;
    return true;
}

bool num_parse_u64(const char *s, uint64_t *ret)
{
    if (!s || !(*s >= '0' && *s <= '9'))
        return false;
    errno = 0;
    char *end;
    unsigned long long value = strtoull(s, &end, 10);
    if (errno != 0 || *end != '\0')
        return false;
    *ret = value;
    return true;
}

// The words for what is not a finite number.
static bool parse_word(const char *s, double *ret)
{
    double sign = 1;
    if (*s == '-' || *s == '+')
        sign = *s++ == '-' ? -1 : 1;
    bool yaml = *s == '.';
    if (yaml)
        s++;
    locale_t locale = c_locale();
    if (strcasecmp_l(s, "inf", locale) == 0 || (!yaml && strcasecmp_l(s, "infinity", locale) == 0))
        *ret = sign * (double)INFINITY;
    else if (strcasecmp_l(s, "nan", locale) == 0)
        *ret = (double)NAN;
    else
        return false;
    return true;
}

bool num_parse_double(const char *s, double *ret)
{
    if (!s || !*s)
        return false;
    size_t digits = 0;
    for (const char *p = s; *p; p++) {
        if (*p >= '0' && *p <= '9')
            digits++;
        else if (!strchr("+-.eE", *p))
            return parse_word(s, ret);
    }
    if (digits == 0)
        return false;
    char *end;
    double value = strtod_l(s, &end, c_locale());
    if (*end != '\0' || isinf(value))
        return false;
    *ret = value;
    return true;
}

// Add one to the last digit of "d.ddde-xx". False when all of them are nines.
static bool bump(char *text)
{
    for (char *p = strchr(text, 'e') - 1; p >= text; p--) {
        if (*p >= '0' && *p < '9') {
            ++*p;
            return true;
        }
        if (*p == '9')
            *p = '0';
    }
    return false;
}

// The decimal of `precision` digits that reads back to `value` into `text`; false when there is none. It is the nearest
// one, except at a power of two: the gap above is twice the gap below there, so the next one up may read back alone.
static bool decimal(double value, int precision, char text[static NUM_TEXT_MAX])
{
    int exponent;
    snprintf(text, NUM_TEXT_MAX, "%.*e", precision - 1, value);
    if (strtod(text, NULL) == value)
        return true;
    return frexp(value, &exponent) == 0.5 && bump(text) && strtod(text, NULL) == value;
}

// Digits and decimal exponent of the shortest form: value = 0.d1d2d3... * 10^point. The locale's decimal point does not
// matter: it is written and read back alike, and skipped.
static int shortest(double value, char digits[static 20], int *ret_point)
{
    char text[NUM_TEXT_MAX];
    int precision = value < DBL_MIN ? 1 : 15; // up to 15 digits always read back, but for denormals
    while (!decimal(value, precision, text))
        precision++;
    int count = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            digits[count++] = *p;
    *ret_point = atoi(p + 1) + 1;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return count;
}

static size_t format_exponent(char *out, const char *digits, int count, int exponent)
{
    char *p = out;
    *p++ = digits[0];
    if (count > 1) {
        *p++ = '.';
        memcpy(p, digits + 1, (size_t)count - 1);
        p += count - 1;
    }
    p += snprintf(p, 8, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
    return (size_t)(p - out);
}

static size_t format_plain(char *out, const char *digits, int count, int point)
{
    char *p = out;
    if (point <= 0) {
        *p++ = '0';
        *p++ = '.';
        for (int i = point; i < 0; i++)
            *p++ = '0';
        memcpy(p, digits, (size_t)count);
        p += count;
    } else {
        for (int i = 0; i < point; i++)
            *p++ = i < count ? digits[i] : '0';
        *p++ = '.';
        if (count <= point)
            *p++ = '0';
        for (int i = point; i < count; i++)
            *p++ = digits[i];
    }
    *p = '\0';
    return (size_t)(p - out);
}

size_t num_format_double(double value, char text[static NUM_TEXT_MAX])
{
    if (isnan(value))
        return (size_t)snprintf(text, NUM_TEXT_MAX, "nan");
    if (isinf(value))
        return (size_t)snprintf(text, NUM_TEXT_MAX, value < 0 ? "-inf" : "inf");
    if (value == 0)
        return (size_t)snprintf(text, NUM_TEXT_MAX, signbit(value) ? "-0.0" : "0.0");
    char digits[20];
    int point;
    int count = shortest(fabs(value), digits, &point);
    char *p = text;
    if (value < 0)
        *p++ = '-';
    if (point > 16 || point < -3)
        p += format_exponent(p, digits, count, point - 1);
    else
        p += format_plain(p, digits, count, point);
    return (size_t)(p - text);
}

static bool unit_ms(const char *unit, size_t len, uint64_t *ret)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (strlen(units[i].name) == len && strncmp(units[i].name, unit, len) == 0) {
            *ret = units[i].ms;
            return true;
        }
    }
    return false;
}

// A plain decimal number at *s; moves *s behind it.
static bool take_number(const char **s, double *ret)
{
    const char *p = *s;
    size_t digits = 0;
    for (; (*p >= '0' && *p <= '9') || *p == '.'; p++)
        digits += *p != '.';
    if (digits == 0)
        return false;
    char *end;
    *ret = strtod_l(*s, &end, c_locale());
    if (end != p && !(*p == 'e' || *p == 'E'))
        return false;
    *s = p;
    return true;
}

bool num_parse_duration_ms(const char *s, uint64_t *ret_ms)
{
    double total = 0;
    if (!s || !*s)
        return false;
    const char *start = s;
    while (*s) {
        double number;
        uint64_t unit = 1000;
        bool first = s == start;
        if (!take_number(&s, &number))
            return false;
        size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyz");
        if (len > 0 && !unit_ms(s, len, &unit))
            return false;
        if (len == 0 && (*s || !first)) // 1h30 could be minutes as well as seconds
            return false;
        s += len;
        total += number * (double)unit;
    }
    if (!(total <= 9e15))
        return false;
    *ret_ms = (uint64_t)(total + 0.5);
    return true;
}

bool num_parse_bytes(const char *s, uint64_t *ret_bytes)
{
    double number;
    if (!s || !take_number(&s, &number))
        return false;
    static const char letters[] = "KMGTP";
    double factor = 1;
    if (*s && *s != 'B') {
        const char letter = (char)(*s >= 'a' && *s <= 'z' ? *s - 32 : *s);
        const char *place = strchr(letters, letter);
        if (!place || !letter)
            return false;
        for (const char *p = letters; p <= place; p++)
            factor *= 1024;
        s++;
        if (*s == 'i')
            s++;
    }
    if (*s == 'B')
        s++;
    if (*s || !(number * factor < 1.8e19))
        return false;
    *ret_bytes = (uint64_t)(number * factor + 0.5);
    return true;
}

size_t num_format_duration(uint64_t ms, char text[static NUM_TEXT_MAX])
{
    unsigned long long s = ms / 1000;
    int len;
    if (ms < 1000)
        len = snprintf(text, NUM_TEXT_MAX, "%llu ms", (unsigned long long)ms);
    else if (ms < 60000)
        len = snprintf(text, NUM_TEXT_MAX, "%llu.%llu s", s, (unsigned long long)(ms % 1000) / 100);
    else if (s < 3600)
        len = snprintf(text, NUM_TEXT_MAX, "%llu min %llu s", s / 60, s % 60);
    else if (s < 86400)
        len = snprintf(text, NUM_TEXT_MAX, "%llu h %02llu min", s / 3600, s / 60 % 60);
    else
        len = snprintf(text, NUM_TEXT_MAX, "%llu d %llu h", s / 86400, s / 3600 % 24);
    return (size_t)len;
}

uint64_t hash64(const void *data, size_t len, uint64_t seed)
{
    const unsigned char *p = data;
    uint64_t hash = 0xcbf29ce484222325u ^ (seed * 0x9E3779B97F4A7C15u);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * 0x100000001b3u;
    hash ^= hash >> 33;
    hash *= 0xff51afd7ed558ccdu;
    hash ^= hash >> 33;
    hash *= 0xc4ceb9fe1a85ec53u;
    return hash ^ (hash >> 33);
}

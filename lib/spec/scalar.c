// Scalars to null, boolean, integer, float or text. See scalar.h for the dialect.
#include "spec/scalar.h"

#include "base/num.h"

#include <math.h>
#include <string.h>

#define NUMBER_TEXT_MAX 128 // longer digits are text

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (!strcmp(text, *words))
            return true;
    }
    return false;
}

static bool read_null(const char *text)
{
    return is_one_of(text, (const char *const[]){"", "~", "null", "Null", "NULL", NULL});
}

static bool read_bool(const char *text, bool *ret)
{
    static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes",
                                      "YES",  "on",   "On",   "ON",  NULL};
    static const char *const no[] = {"false", "False", "FALSE", "no",  "No",
                                     "NO",    "off",   "Off",   "OFF", NULL};
    *ret = is_one_of(text, yes);
    return *ret || is_one_of(text, no);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *s)
{
    while (is_digit(*s))
        s++;
    return s;
}

// [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?
static bool has_float_form(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    const char *whole = s;
    s = skip_digits(s);
    bool digits = s > whole;
    if (*s == '.') {
        const char *fraction = ++s;
        s = skip_digits(s);
        digits = digits || s > fraction;
    }
    if (!digits)
        return false;
    if (*s == 'e' || *s == 'E') {
        s++;
        if (*s == '-' || *s == '+')
            s++;
        const char *exponent = s;
        s = skip_digits(s);
        if (s == exponent)
            return false;
    }
    return !*s;
}

static bool read_special_float(const char *text, double *ret)
{
    const char *s = text + (*text == '-' || *text == '+');
    if (is_one_of(s, (const char *const[]){".inf", ".Inf", ".INF", NULL}))
        *ret = *text == '-' ? -INFINITY : INFINITY;
    else if (is_one_of(text, (const char *const[]){".nan", ".NaN", ".NAN", NULL}))
        *ret = NAN;
    else
        return false;
    return true;
}

static int digit_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

// The digits of `s` in `base`, negated when `negative`; false for other characters or over 64 bits.
static bool read_based(const char *s, int base, bool negative, int64_t *ret)
{
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1u : 0u), value = 0;
    if (!*s)
        return false;
    for (; *s; s++) {
        int digit = digit_value(*s);
        if (digit >= base || value > (limit - (uint64_t)digit) / (uint64_t)base)
            return false;
        value = value * (uint64_t)base + (uint64_t)digit;
    }
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static bool has_int_form(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    return is_digit(*s) && !*skip_digits(s);
}

// 0, or a digit other than 0 first: no reader disagrees about such an integer.
static bool has_leading_zero(const char *digits)
{
    return digits[0] == '0' && digits[1];
}

static bool is_octal(const char *digits)
{
    return has_leading_zero(digits) && strspn(digits, "01234567") == strlen(digits);
}

static bool read_int(const char *text, struct scalar *ret)
{
    bool negative = *text == '-';
    const char *digits = text + (*text == '-' || *text == '+');
    int base = 0;
    if (str_starts(digits, "0x") || str_starts(digits, "0X"))
        base = 16;
    else if (str_starts(digits, "0o"))
        base = 8;
    else if (str_starts(digits, "0b") || str_starts(digits, "0B"))
        base = 2;
    if (base) {
        ret->kind = SCALAR_INT;
        return read_based(digits + 2, base, negative, &ret->integer);
    }
    if (!has_int_form(text))
        return false;
    ret->kind = SCALAR_INT;
    if (is_octal(digits)) {
        int64_t decimal;
        if (!read_based(digits, 8, negative, &ret->integer) ||
            !read_based(digits, 10, negative, &decimal))
            return false;
        if (decimal != ret->integer)
            ret->note = SCALAR_OCTAL;
        return true;
    }
    if (read_based(digits, 10, negative, &ret->integer))
        return true;
    ret->kind = SCALAR_FLOAT;
    ret->note = SCALAR_TOO_LARGE;
    return num_parse_double(text, &ret->number);
}

static bool read_number(const char *text, struct scalar *ret)
{
    if (read_int(text, ret)) {
        if (ret->kind == SCALAR_INT)
            ret->number = (double)ret->integer;
        return true;
    }
    ret->kind = SCALAR_FLOAT;
    if (read_special_float(text, &ret->number))
        return true;
    return has_float_form(text) && num_parse_double(text[0] == '+' ? text + 1 : text, &ret->number);
}

// 1_000 and 1_0.5: YAML 1.1 lets single or more '_' stand between digits.
static bool read_underscored(const char *text, struct scalar *ret)
{
    char plain[NUMBER_TEXT_MAX];
    size_t len = strlen(text), out = 0;
    const char *first = text + (*text == '-' || *text == '+');
    if (!memchr(text, '_', len) || len >= sizeof plain || !is_digit(*first) || text[len - 1] == '_')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] != '_')
            plain[out++] = text[i];
    }
    plain[out] = 0;
    struct scalar read = {0};
    if (!read_number(plain, &read))
        return false;
    *ret = read;
    if (!ret->note)
        ret->note = SCALAR_UNDERSCORES;
    return true;
}

// [-+]?[1-9][0-9]*(:[0-5]?[0-9])+
static bool is_sexagesimal(const char *s)
{
    if (*s == '-' || *s == '+')
        s++;
    if (*s < '1' || *s > '9')
        return false;
    s = skip_digits(s);
    if (*s != ':')
        return false;
    while (*s == ':') {
        s++;
        size_t digits = (size_t)(skip_digits(s) - s);
        if (digits < 1 || digits > 2 || (digits == 2 && *s > '5'))
            return false;
        s += digits;
    }
    return !*s;
}

static struct scalar read_plain(const char *text)
{
    struct scalar read = {.kind = SCALAR_STRING};
    if (read_null(text))
        return (struct scalar){.kind = SCALAR_NULL};
    if (read_bool(text, &read.boolean))
        return (struct scalar){.kind = SCALAR_BOOL, .boolean = read.boolean};
    if (strlen(text) < NUMBER_TEXT_MAX) {
        struct scalar number = {0};
        if (read_number(text, &number) || read_underscored(text, &number))
            return number;
        if (is_sexagesimal(text))
            read.note = SCALAR_SEXAGESIMAL;
    }
    return read;
}

static struct scalar mismatch(enum scalar_note note)
{
    return (struct scalar){.kind = SCALAR_STRING, .note = note};
}

// A tag says what the text is, also when it is quoted.
static struct scalar read_tagged(const char *tag, const char *text)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    if (!strcmp(tag, "!"))
        return (struct scalar){.kind = SCALAR_STRING};
    if (!str_starts(tag, prefix))
        return mismatch(SCALAR_TAG_UNKNOWN);
    const char *name = tag + strlen(prefix);
    struct scalar read = read_plain(text);
    if (!strcmp(name, "str"))
        return (struct scalar){.kind = SCALAR_STRING};
    if (!strcmp(name, "null"))
        return read.kind == SCALAR_NULL ? read : mismatch(SCALAR_TAG_MISMATCH);
    if (!strcmp(name, "bool"))
        return read.kind == SCALAR_BOOL ? read : mismatch(SCALAR_TAG_MISMATCH);
    if (!strcmp(name, "int"))
        return read.kind == SCALAR_INT ? read : mismatch(SCALAR_TAG_MISMATCH);
    if (strcmp(name, "float"))
        return mismatch(SCALAR_TAG_UNKNOWN);
    if (read.kind == SCALAR_INT)
        read.kind = SCALAR_FLOAT;
    return read.kind == SCALAR_FLOAT ? read : mismatch(SCALAR_TAG_MISMATCH);
}

struct scalar scalar_read(const struct node *node)
{
    if (node->tag)
        return read_tagged(node->tag, node->text);
    if (node->style != NODE_PLAIN)
        return (struct scalar){.kind = SCALAR_STRING};
    return read_plain(node->text);
}

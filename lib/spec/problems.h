// Collecting problems: the writing side of struct problems.
#pragma once

#include "spec/spec.h"

#include <stdarg.h>

// Add one problem. Beyond SPEC_PROBLEMS_MAX it is counted only, except that an error takes the
// place of a kept warning or notice.
void problems_vadd(struct problems *problems, enum problem_severity severity, int line, int column,
                   const char *format, va_list args) __attribute__((format(printf, 5, 0)));
void problems_add(struct problems *problems, enum problem_severity severity, int line, int column,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

// By line, column; the order of adding decides between problems of one place.
void problems_sort(struct problems *problems);

// "error", "warning", "notice".
const char *problem_severity_word(enum problem_severity severity);

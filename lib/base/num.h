// Numbers to text and back, independent of the locale, bit for bit.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUM_TEXT_MAX 40 // enough for every number printed here, with its terminator

// Whole-string parses: false when `s` is NULL, empty, has other characters around it or is out of range.
bool num_parse_i64(const char *s, int64_t *ret);
bool num_parse_u64(const char *s, uint64_t *ret);

// Decimal floats with optional exponent, and nan, inf, infinity in any case with an optional sign
// (also YAML's .nan and .inf). Hexadecimal floats are refused.
bool num_parse_double(const char *s, double *ret);

// The shortest decimal that reads back to the same bits, in Python's repr form: 0.1, 1e-05, 1e+16,
// 3.0, nan, inf, -inf. Returns the length written, below NUM_TEXT_MAX.
size_t num_format_double(double value, char text[static NUM_TEXT_MAX]);

// "30", "30s", "5m", "2h", "1d", "1h30m", "250ms" to milliseconds; a bare number is seconds.
// False on anything else, negative values and overflow.
bool num_parse_duration_ms(const char *s, uint64_t *ret_ms);

// "512", "10K", "4G", "1.5GiB", "200MB" to bytes (K, M, G, T are powers of 1024, as Slurm has them).
bool num_parse_bytes(const char *s, uint64_t *ret_bytes);

// "350 ms", "12.4 s", "3 min 20 s", "2 h 05 min", "3 d 4 h".
size_t num_format_duration(uint64_t ms, char text[static NUM_TEXT_MAX]);

// A 64-bit hash that never changes between versions (FNV-1a with a finaliser): for streams, tables
// and identities that are stored; not against adversaries.
uint64_t hash64(const void *data, size_t len, uint64_t seed);

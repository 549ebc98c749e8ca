// What a YAML scalar stands for: YAML 1.2's numbers, 1.1's booleans, tags. Pure.
//
// Numbers: decimal integers, floats as YAML 1.2 has them (1e-5 is one), 0x and 0o forms, .inf and
// .nan. Of YAML 1.1, which W&B's reader (PyYAML) follows: yes/no/on/off, 1_000 and 0b101 are read
// as there; 010 is 8 as there; 1:30 (90 there) is text. The cases in which a reader could be
// surprised carry a note.
#pragma once

#include "spec/yaml_tree.h"

enum scalar_kind { SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT, SCALAR_STRING };

enum scalar_note {
    SCALAR_PLAIN_READING,
    SCALAR_UNDERSCORES,  // 1_000: text in YAML 1.2
    SCALAR_OCTAL,        // 010: 10 in YAML 1.2
    SCALAR_SEXAGESIMAL,  // 1:30: 90 in YAML 1.1
    SCALAR_TOO_LARGE,    // an integer beyond 64 bits, read as a float
    SCALAR_TAG_MISMATCH, // !!int 3.5
    SCALAR_TAG_UNKNOWN,  // !foo
};

struct scalar {
    enum scalar_kind kind;
    enum scalar_note note;
    bool boolean;
    int64_t integer;
    double number; // SCALAR_FLOAT, and SCALAR_INT as a double
};

// `node` is a scalar. With a tag note the kind is SCALAR_STRING.
struct scalar scalar_read(const struct node *node);

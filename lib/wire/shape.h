// The one description of every message: its fields by name, kind, place and limit. Encoding, decoding, releasing, copying and comparing
// all walk it. Private to the codec and its tests.
#pragma once

#include "wire/msg.h"

enum field_kind {
    FIELD_STRING,  // char *, required, UTF-8 without NUL
    FIELD_BOOL,
    FIELD_U32,
    FIELD_U64,
    FIELD_I64,
    FIELD_U64_STREAMS, // uint64_t[STREAM_COUNT]
    FIELD_U32_LIST,    // uint32_t * and size_t
    FIELD_U64_LIST,    // uint64_t * and size_t
    FIELD_STRING_LIST, // char ** and size_t
    FIELD_STRUCT_LIST, // struct * and size_t
};

struct shape;

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;       // of the value, or of the list's pointer
    size_t count_offset; // lists: of the count
    size_t limit;        // strings: bytes; lists: elements; numbers: 0
    const struct shape *shape; // FIELD_STRUCT_LIST
};

struct shape {
    size_t size;
    const struct field *fields; // ended by a NULL name
};

// The shape of a message's body and the body inside the message; NULL for an unknown type.
const struct shape *shape_of(enum msg_type type);
bool shape_has_raw(enum msg_type type);

bool shape_equal(const struct shape *shape, const void *a, const void *b);

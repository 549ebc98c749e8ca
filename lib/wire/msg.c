// Encoding and decoding of messages by their shapes. Pure.

#include "wire/msg.h"

#include "base/json.h"
#include "base/mem.h"
#include "wire/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t magic[4] = {'T', 'R', 'W', 'L'};

#define AT(type, base, at) (*(type *)(void *)((char *)(base) + (at)))
#define AT_CONST(type, base, at) (*(const type *)(const void *)((const char *)(base) + (at)))

static const void *element(const struct field *field, const void *list, size_t index)
{
    return (const char *)list + index * field->shape->size;
}

// ---- Release and copy

static void release_shape(const struct shape *shape, void *base)
{
    for (const struct field *f = shape->fields; f->name; f++) {
        if (f->kind == FIELD_STRING) {
            free(AT(char *, base, f->offset));
        } else if (f->kind >= FIELD_U32_LIST) {
            void *list = AT(void *, base, f->offset);
            size_t count = AT(size_t, base, f->count_offset);
            for (size_t i = 0; i < count; i++) {
                if (f->kind == FIELD_STRING_LIST)
                    free(((char **)list)[i]);
                else if (f->kind == FIELD_STRUCT_LIST)
                    release_shape(f->shape, (char *)list + i * f->shape->size);
            }
            free(list);
        }
    }
}

void msg_release(struct msg *msg)
{
    const struct shape *shape = shape_of(msg->type);
    if (shape)
        release_shape(shape, &msg->join);
    free(msg->raw_owned);
    *msg = (struct msg){0};
}

static size_t list_element_size(const struct field *field)
{
    switch (field->kind) {
    case FIELD_U32_LIST:
        return sizeof(uint32_t);
    case FIELD_U64_LIST:
        return sizeof(uint64_t);
    case FIELD_STRING_LIST:
        return sizeof(char *);
    case FIELD_STRUCT_LIST:
        return field->shape->size;
    case FIELD_STRING:
    case FIELD_BOOL:
    case FIELD_U32:
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_U64_STREAMS:
        break;
    }
    return 0;
}

static void copy_shape(const struct shape *shape, const void *from, void *to)
{
    memcpy(to, from, shape->size);
    for (const struct field *f = shape->fields; f->name; f++) {
        if (f->kind == FIELD_STRING)
            AT(char *, to, f->offset) = xstrdup(AT_CONST(char *, from, f->offset));
        if (f->kind < FIELD_U32_LIST)
            continue;
        size_t count = AT_CONST(size_t, from, f->count_offset), size = list_element_size(f);
        const void *list = AT_CONST(void *, from, f->offset);
        char *copy = count ? xmemdup(list, count * size) : NULL;
        for (size_t i = 0; i < count; i++) {
            if (f->kind == FIELD_STRING_LIST)
                ((char **)(void *)copy)[i] = xstrdup(((char *const *)list)[i]);
            else if (f->kind == FIELD_STRUCT_LIST)
                copy_shape(f->shape, element(f, list, i), copy + i * size);
        }
        AT(void *, to, f->offset) = copy;
    }
}

void msg_copy(const struct msg *msg, struct msg *ret)
{
    *ret = (struct msg){.type = msg->type, .version = msg->version, .sequence = msg->sequence};
    const struct shape *shape = shape_of(msg->type);
    if (shape)
        copy_shape(shape, &msg->join, &ret->join);
    if (msg->raw_len > 0) {
        ret->raw_owned = xmemdup(msg->raw, msg->raw_len);
        ret->raw = ret->raw_owned;
        ret->raw_len = msg->raw_len;
    }
}

static bool equal_field(const struct field *f, const void *a, const void *b);

bool shape_equal(const struct shape *shape, const void *a, const void *b)
{
    for (const struct field *f = shape->fields; f->name; f++)
        if (!equal_field(f, a, b))
            return false;
    return true;
}

static bool equal_list(const struct field *f, const void *a, const void *b)
{
    size_t count = AT_CONST(size_t, a, f->count_offset);
    if (count != AT_CONST(size_t, b, f->count_offset))
        return false;
    const void *p = AT_CONST(void *, a, f->offset), *q = AT_CONST(void *, b, f->offset);
    for (size_t i = 0; i < count; i++) {
        if (f->kind == FIELD_STRING_LIST && !str_equal(((char *const *)p)[i], ((char *const *)q)[i]))
            return false;
        if (f->kind == FIELD_STRUCT_LIST && !shape_equal(f->shape, element(f, p, i), element(f, q, i)))
            return false;
    }
    if (f->kind == FIELD_STRING_LIST || f->kind == FIELD_STRUCT_LIST || count == 0)
        return true;
    return memcmp(p, q, count * list_element_size(f)) == 0;
}

static bool equal_field(const struct field *f, const void *a, const void *b)
{
    switch (f->kind) {
    case FIELD_STRING:
        return str_equal(AT_CONST(char *, a, f->offset), AT_CONST(char *, b, f->offset));
    case FIELD_BOOL:
        return AT_CONST(bool, a, f->offset) == AT_CONST(bool, b, f->offset);
    case FIELD_U32:
        return AT_CONST(uint32_t, a, f->offset) == AT_CONST(uint32_t, b, f->offset);
    case FIELD_U64:
    case FIELD_I64:
        return AT_CONST(uint64_t, a, f->offset) == AT_CONST(uint64_t, b, f->offset);
    case FIELD_U64_STREAMS:
        return memcmp((const char *)a + f->offset, (const char *)b + f->offset, STREAM_COUNT * sizeof(uint64_t)) == 0;
    case FIELD_U32_LIST:
    case FIELD_U64_LIST:
    case FIELD_STRING_LIST:
    case FIELD_STRUCT_LIST:
        return equal_list(f, a, b);
    }
    return false;
}

// ---- Encode

static void write_u64(struct str *out, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + value % 10);
    while (value /= 10);
    str_addn(out, digits + at, sizeof digits - at);
}

static void write_string(struct str *out, const char *s)
{
    if (s)
        json_write_string(out, s, strlen(s));
    else
        str_addn(out, "\"\"", 2);
}

static void encode_shape(struct str *out, const struct shape *shape, const void *base);

static void encode_list(struct str *out, const struct field *f, const void *base)
{
    const void *list = AT_CONST(void *, base, f->offset);
    size_t count = AT_CONST(size_t, base, f->count_offset);
    str_addch(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            str_addch(out, ',');
        if (f->kind == FIELD_U32_LIST)
            write_u64(out, ((const uint32_t *)list)[i]);
        else if (f->kind == FIELD_U64_LIST)
            write_u64(out, ((const uint64_t *)list)[i]);
        else if (f->kind == FIELD_STRING_LIST)
            write_string(out, ((char *const *)list)[i]);
        else
            encode_shape(out, f->shape, element(f, list, i));
    }
    str_addch(out, ']');
}

static void encode_field(struct str *out, const struct field *f, const void *base)
{
    switch (f->kind) {
    case FIELD_STRING:
        write_string(out, AT_CONST(char *, base, f->offset));
        return;
    case FIELD_BOOL:
        str_add(out, AT_CONST(bool, base, f->offset) ? "true" : "false");
        return;
    case FIELD_U32:
        write_u64(out, AT_CONST(uint32_t, base, f->offset));
        return;
    case FIELD_U64:
        write_u64(out, AT_CONST(uint64_t, base, f->offset));
        return;
    case FIELD_I64: {
        int64_t value = AT_CONST(int64_t, base, f->offset);
        if (value < 0)
            str_addch(out, '-');
        write_u64(out, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
        return;
    }
    case FIELD_U64_STREAMS: {
        const uint64_t *values = &AT_CONST(uint64_t, base, f->offset);
        str_addch(out, '[');
        for (int i = 0; i < STREAM_COUNT; i++) {
            if (i)
                str_addch(out, ',');
            write_u64(out, values[i]);
        }
        str_addch(out, ']');
        return;
    }
    case FIELD_U32_LIST:
    case FIELD_U64_LIST:
    case FIELD_STRING_LIST:
    case FIELD_STRUCT_LIST:
        encode_list(out, f, base);
        return;
    }
}

static void encode_shape(struct str *out, const struct shape *shape, const void *base)
{
    str_addch(out, '{');
    for (const struct field *f = shape->fields; f->name; f++) {
        str_add(out, f == shape->fields ? "\"" : ",\"");
        str_add(out, f->name);
        str_addn(out, "\":", 2);
        encode_field(out, f, base);
    }
    str_addch(out, '}');
}

static void put_le(uint8_t *p, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        p[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *p, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

void msg_encode(const struct msg *msg, uint8_t header[static MSG_HEADER_BYTES], struct str *body)
{
    memcpy(header, magic, sizeof magic);
    put_le(header + 4, msg->version ? msg->version : PROTOCOL_VERSION, 2);
    put_le(header + 6, msg->type, 2);
    put_le(header + 8, msg->sequence, 8);
    encode_shape(body, shape_of(msg->type), &msg->join);
}

// ---- Decode

static int bad(struct err *err, const struct field *f, const char *expected)
{
    return err_set(err, ERR_PROTOCOL, "field '%s' is not %s", f->name, expected);
}

static bool get_u64(struct json_object *json, uint64_t max, uint64_t *ret)
{
    if (!json_object_is_type(json, json_type_int))
        return false;
    int64_t sign = json_object_get_int64(json);
    *ret = json_object_get_uint64(json);
    return sign >= 0 && *ret <= max;
}

static int decode_string(const struct field *f, struct json_object *json, char **ret, struct err *err)
{
    if (!json_object_is_type(json, json_type_string))
        return bad(err, f, "a string");
    const char *s = json_object_get_string(json);
    size_t len = (size_t)json_object_get_string_len(json);
    if (len > f->limit)
        return err_set(err, ERR_LIMIT, "field '%s' has %zu bytes, at most %zu are allowed", f->name, len, f->limit);
    if (memchr(s, '\0', len))
        return bad(err, f, "a string without NUL");
    *ret = xstrndup(s, len);
    return 0;
}

static int decode_shape(const struct shape *shape, struct json_object *json, void *base, struct err *err);

static int decode_element(const struct field *f, struct json_object *item, void *list, size_t i, struct err *err)
{
    uint64_t value = 0;
    switch (f->kind) {
    case FIELD_U32_LIST:
        if (!get_u64(item, UINT32_MAX, &value))
            return bad(err, f, "a list of numbers");
        ((uint32_t *)list)[i] = (uint32_t)value;
        return 0;
    case FIELD_U64_LIST:
        if (!get_u64(item, UINT64_MAX, &value))
            return bad(err, f, "a list of numbers");
        ((uint64_t *)list)[i] = value;
        return 0;
    case FIELD_STRING_LIST: {
        const struct field string = {.name = f->name, .limit = 256};
        return decode_string(&string, item, &((char **)list)[i], err);
    }
    case FIELD_STRUCT_LIST:
        return decode_shape(f->shape, item, (char *)list + i * f->shape->size, err);
    case FIELD_STRING:
    case FIELD_BOOL:
    case FIELD_U32:
    case FIELD_U64:
    case FIELD_I64:
    case FIELD_U64_STREAMS:
        break;
    }
    return bad(err, f, "a list");
}

// The count grows with what is decoded, so that a failure in the middle releases just that.
static int decode_list(const struct field *f, struct json_object *json, void *base, struct err *err)
{
    if (!json_object_is_type(json, json_type_array))
        return bad(err, f, "a list");
    size_t count = json_object_array_length(json);
    if (count > f->limit)
        return err_set(err, ERR_LIMIT, "field '%s' has %zu elements, at most %zu are allowed", f->name, count, f->limit);
    if (count == 0)
        return 0;
    void *list = xcalloc(count, list_element_size(f));
    AT(void *, base, f->offset) = list;
    AT(size_t, base, f->count_offset) = count;
    for (size_t i = 0; i < count; i++) {
        int rc = decode_element(f, json_object_array_get_idx(json, i), list, i, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int decode_streams(const struct field *f, struct json_object *json, uint64_t *values, struct err *err)
{
    if (!json_object_is_type(json, json_type_array) || json_object_array_length(json) != STREAM_COUNT)
        return bad(err, f, "a list of one number a stream");
    for (size_t i = 0; i < STREAM_COUNT; i++)
        if (!get_u64(json_object_array_get_idx(json, i), UINT64_MAX, &values[i]))
            return bad(err, f, "a list of one number a stream");
    return 0;
}

static int decode_field(const struct field *f, struct json_object *json, void *base, struct err *err)
{
    uint64_t value = 0;
    switch (f->kind) {
    case FIELD_STRING:
        return decode_string(f, json, &AT(char *, base, f->offset), err);
    case FIELD_BOOL:
        if (!json_object_is_type(json, json_type_boolean))
            return bad(err, f, "true or false");
        AT(bool, base, f->offset) = json_object_get_boolean(json);
        return 0;
    case FIELD_U32:
        if (!get_u64(json, UINT32_MAX, &value))
            return bad(err, f, "a number from 0 to 4294967295");
        AT(uint32_t, base, f->offset) = (uint32_t)value;
        return 0;
    case FIELD_U64:
        if (!get_u64(json, UINT64_MAX, &value))
            return bad(err, f, "a number of 64 bits");
        AT(uint64_t, base, f->offset) = value;
        return 0;
    case FIELD_I64:
        if (!json_object_is_type(json, json_type_int))
            return bad(err, f, "a whole number");
        AT(int64_t, base, f->offset) = json_object_get_int64(json);
        return 0;
    case FIELD_U64_STREAMS:
        return decode_streams(f, json, &AT(uint64_t, base, f->offset), err);
    case FIELD_U32_LIST:
    case FIELD_U64_LIST:
    case FIELD_STRING_LIST:
    case FIELD_STRUCT_LIST:
        return decode_list(f, json, base, err);
    }
    return bad(err, f, "known");
}

static int decode_shape(const struct shape *shape, struct json_object *json, void *base, struct err *err)
{
    if (!json_object_is_type(json, json_type_object))
        return err_set(err, ERR_PROTOCOL, "an object was expected");
    for (const struct field *f = shape->fields; f->name; f++) {
        struct json_object *member = NULL;
        if (!json_object_object_get_ex(json, f->name, &member))
            return err_set(err, ERR_PROTOCOL, "field '%s' is missing", f->name);
        int rc = decode_field(f, member, base, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

// What the shapes cannot say.
static int check_report(const struct msg *msg, struct err *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < msg->report.chunk_count; i++) {
        const struct msg_chunk *chunk = &msg->report.chunks[i];
        if (chunk->stream >= STREAM_COUNT)
            return err_set(err, ERR_PROTOCOL, "there is no stream %u", chunk->stream);
        if (chunk->offset > UINT64_MAX / 4 || chunk->skipped > UINT64_MAX / 4)
            return err_set(err, ERR_PROTOCOL, "an offset is out of range");
        total += chunk->length;
    }
    return total == msg->raw_len ? 0 : err_set(err, ERR_PROTOCOL, "chunks and bytes do not add up");
}

static int check_frames(const uint8_t *header, size_t header_len, size_t body_len, size_t raw_len, struct err *err)
{
    if (header_len != MSG_HEADER_BYTES || memcmp(header, magic, sizeof magic) != 0)
        return err_set(err, ERR_PROTOCOL, "not a message of Trawl");
    uint64_t version = get_le(header + 4, 2), type = get_le(header + 6, 2);
    if (version < PROTOCOL_VERSION_MIN || version > PROTOCOL_VERSION)
        return err_set(err, ERR_VERSION, "protocol version %u is not understood (%d to %d are)", (unsigned)version,
                       PROTOCOL_VERSION_MIN, PROTOCOL_VERSION);
    if (!shape_of((enum msg_type)type))
        return err_set(err, ERR_UNSUPPORTED, "message type %u is not known", (unsigned)type);
    if (body_len > MSG_BODY_MAX || raw_len > MSG_RAW_MAX)
        return err_set(err, ERR_LIMIT, "a frame is over the limit");
    if (raw_len > 0 && !shape_has_raw((enum msg_type)type))
        return err_set(err, ERR_PROTOCOL, "a %s has no bytes", msg_name((enum msg_type)type));
    return 0;
}

int msg_decode(const void *header, size_t header_len, const void *body, size_t body_len, const void *raw, size_t raw_len,
               struct msg *ret, struct err *err)
{
    const uint8_t *head = header;
    struct json_object *json = NULL;
    int rc = check_frames(head, header_len, body_len, raw_len, err);
    if (rc != 0)
        return rc;
    if (json_parse(body, body_len, &json, err) != 0)
        return err_set(err, ERR_PROTOCOL, "the body is not JSON");
    struct msg msg = {.type = (enum msg_type)get_le(head + 6, 2),
                      .version = (uint16_t)get_le(head + 4, 2),
                      .sequence = get_le(head + 8, 8)};
    rc = decode_shape(shape_of(msg.type), json, &msg.join, err);
    json_object_put(json);
    msg.raw_len = raw_len;
    if (rc == 0 && msg.type == MSG_REPORT)
        rc = check_report(&msg, err);
    if (rc != 0) {
        msg_release(&msg);
        return rc;
    }
    if (raw_len > 0) {
        msg.raw_owned = xmemdup(raw, raw_len);
        msg.raw = msg.raw_owned;
    }
    *ret = msg;
    return 0;
}

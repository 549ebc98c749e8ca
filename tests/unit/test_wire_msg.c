// The codec: what is encoded comes back, and nothing else is let in. Messages are generated from the table of fields.

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "wire/shape.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS 200

static const enum msg_type types[] = {
#define MSG_TYPE(id, number, name, direction, raw, since) id,
    MSG_LIST(MSG_TYPE)
#undef MSG_TYPE
};

// ---- Messages of any content

static char *any_text(struct rng *rng, size_t limit)
{
    static const char *const pieces[] = {"a", "Z", "0", " ", "\"", "\\", "\n", "\t", "\x01", "ü", "漢", "😀", "/", "{", "}", "null"};
    struct str text = STR_INIT;
    size_t count = (size_t)rng_below(rng, 12);
    for (size_t i = 0; i < count && text.len + 8 < limit; i++)
        str_add(&text, pieces[rng_below(rng, ARRAY_LEN(pieces))]);
    return str_detach(&text);
}

static uint64_t any_number(struct rng *rng)
{
    return rng_u64(rng) >> rng_below(rng, 64);
}

static void fill(const struct shape *shape, void *base, struct rng *rng);

static void fill_list(const struct field *f, char *base, struct rng *rng)
{
    size_t count = (size_t)rng_below(rng, 4), size = f->kind == FIELD_STRUCT_LIST ? f->shape->size : sizeof(uint64_t);
    char *list = xcalloc(count, size);
    for (size_t i = 0; i < count; i++) {
        if (f->kind == FIELD_U32_LIST)
            ((uint32_t *)(void *)list)[i] = (uint32_t)any_number(rng);
        else if (f->kind == FIELD_U64_LIST)
            ((uint64_t *)(void *)list)[i] = any_number(rng);
        else if (f->kind == FIELD_STRING_LIST)
            ((char **)(void *)list)[i] = any_text(rng, f->limit);
        else
            fill(f->shape, list + i * size, rng);
    }
    *(void **)(void *)(base + f->offset) = list;
    *(size_t *)(void *)(base + f->count_offset) = count;
}

static void fill(const struct shape *shape, void *place, struct rng *rng)
{
    char *base = place;
    for (const struct field *f = shape->fields; f->name; f++) {
        void *at = base + f->offset;
        switch (f->kind) {
        case FIELD_STRING:
            *(char **)at = any_text(rng, f->limit);
            break;
        case FIELD_BOOL:
            *(bool *)at = rng_below(rng, 2);
            break;
        case FIELD_U32:
            *(uint32_t *)at = (uint32_t)any_number(rng);
            break;
        case FIELD_U64:
            *(uint64_t *)at = any_number(rng);
            break;
        case FIELD_I64:
            *(int64_t *)at = (int64_t)any_number(rng) * (rng_below(rng, 2) ? 1 : -1);
            break;
        case FIELD_U64_STREAMS:
            for (int i = 0; i < STREAM_COUNT; i++)
                ((uint64_t *)at)[i] = any_number(rng);
            break;
        case FIELD_U32_LIST:
        case FIELD_U64_LIST:
        case FIELD_STRING_LIST:
        case FIELD_STRUCT_LIST:
            fill_list(f, base, rng);
            break;
        }
    }
}

static void make(enum msg_type type, uint64_t seed, struct msg *ret)
{
    struct rng rng;
    rng_stream(&rng, seed, "message", type);
    *ret = (struct msg){.type = type, .version = PROTOCOL_VERSION, .sequence = rng_u64(&rng)};
    fill(shape_of(type), &ret->join, &rng);
    if (type != MSG_REPORT)
        return;
    for (size_t i = 0; i < ret->report.chunk_count; i++) { // what the table cannot say
        struct msg_chunk *chunk = &ret->report.chunks[i];
        chunk->stream %= STREAM_COUNT;
        chunk->offset >>= 2;
        chunk->skipped >>= 2;
        chunk->length %= 1000;
        ret->raw_len += chunk->length;
    }
    ret->raw_owned = xcalloc(ret->raw_len, 1);
    ret->raw = ret->raw_owned;
}

static int decode(const uint8_t *header, const struct str *body, const struct msg *msg, struct msg *ret, struct err *err)
{
    return msg_decode(header, MSG_HEADER_BYTES, str_get(body), body->len, msg->raw, msg->raw_len, ret, err);
}

// ---- Tests

static void test_msg_comes_back_when_it_is_decoded(void **state)
{
    (void)state;
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        for (uint64_t seed = 0; seed < ROUNDS; seed++) {
            struct msg msg, back, copy;
            struct str body = STR_INIT;
            struct err err = {0};
            uint8_t header[MSG_HEADER_BYTES];
            make(types[t], seed, &msg);
            msg_encode(&msg, header, &body);
            if (decode(header, &body, &msg, &back, &err) != 0)
                fail_msg("%s: %s in %s", msg_name(types[t]), err.text, str_get(&body));
            assert_true(shape_equal(shape_of(types[t]), &msg.join, &back.join));
            assert_int_equal(back.sequence, msg.sequence);
            msg_copy(&back, &copy);
            assert_true(shape_equal(shape_of(types[t]), &copy.join, &back.join));
            msg_release(&msg);
            msg_release(&back);
            msg_release(&copy);
            str_release(&body);
        }
    }
}

static void test_msg_is_refused_when_a_field_is_missing(void **state)
{
    (void)state;
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        struct msg msg, back;
        struct str body = STR_INIT;
        uint8_t header[MSG_HEADER_BYTES];
        make(types[t], 1, &msg);
        msg_encode(&msg, header, &body);
        for (const struct field *f = shape_of(types[t])->fields; f->name; f++) {
            struct json_object *json = NULL;
            struct str less = STR_INIT;
            struct err err = {0};
            assert_int_equal(json_parse(str_get(&body), body.len, &json, NULL), 0);
            json_object_object_del(json, f->name);
            json_write(&less, json);
            assert_int_equal(decode(header, &less, &msg, &back, &err), ERR_PROTOCOL);
            assert_non_null(strstr(err.text, f->name));
            json_object_put(json);
            str_release(&less);
        }
        msg_release(&msg);
        str_release(&body);
    }
}

static void test_msg_is_refused_when_a_field_has_another_type(void **state)
{
    (void)state;
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        struct msg msg, back;
        struct str body = STR_INIT;
        uint8_t header[MSG_HEADER_BYTES];
        make(types[t], 2, &msg);
        msg_encode(&msg, header, &body);
        for (const struct field *f = shape_of(types[t])->fields; f->name; f++) {
            struct json_object *json = NULL;
            struct str other = STR_INIT;
            assert_int_equal(json_parse(str_get(&body), body.len, &json, NULL), 0);
            json_object_object_add(json, f->name, json_object_new_double(1.5)); // no field is a float
            json_write(&other, json);
            assert_int_equal(decode(header, &other, &msg, &back, NULL), ERR_PROTOCOL);
            json_object_put(json);
            str_release(&other);
        }
        msg_release(&msg);
        str_release(&body);
    }
}

static void test_msg_ignores_a_field_that_it_does_not_know(void **state)
{
    (void)state;
    const char body[] = "{\"session\":7,\"epoch\":8,\"news\":[1,2]}";
    struct msg msg = {.type = MSG_NEED_HELLO}, back;
    struct str scratch = STR_INIT;
    uint8_t header[MSG_HEADER_BYTES];
    msg_encode(&msg, header, &scratch);
    assert_int_equal(msg_decode(header, sizeof header, body, strlen(body), NULL, 0, &back, NULL), 0);
    assert_int_equal(back.need_hello.session, 7);
    msg_release(&back);
    str_release(&scratch);
}

static void test_msg_is_refused_when_the_header_is_not_ours(void **state)
{
    (void)state;
    const char body[] = "{\"session\":7,\"epoch\":8}";
    struct msg msg = {.type = MSG_NEED_HELLO}, back;
    struct str scratch = STR_INIT;
    uint8_t header[MSG_HEADER_BYTES], other[MSG_HEADER_BYTES];
    msg_encode(&msg, header, &scratch);
    static const struct {
        size_t at;
        uint8_t value;
        int code;
    } cases[] = {{0, 'X', ERR_PROTOCOL}, {4, 2, ERR_VERSION}, {4, 0, ERR_VERSION}, {5, 1, ERR_VERSION}, {6, 99, ERR_UNSUPPORTED}, {6, 0, ERR_UNSUPPORTED}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memcpy(other, header, sizeof other);
        other[cases[i].at] = cases[i].value;
        assert_int_equal(msg_decode(other, sizeof other, body, strlen(body), NULL, 0, &back, NULL), cases[i].code);
    }
    assert_int_equal(msg_decode(header, 15, body, strlen(body), NULL, 0, &back, NULL), ERR_PROTOCOL);
    assert_int_equal(msg_decode(header, sizeof header, "[]", 2, NULL, 0, &back, NULL), ERR_PROTOCOL);
    assert_int_equal(msg_decode(header, sizeof header, "", 0, NULL, 0, &back, NULL), ERR_PROTOCOL);
    assert_int_equal(msg_decode(header, sizeof header, body, strlen(body), "x", 1, &back, NULL), ERR_PROTOCOL);
    str_release(&scratch);
}

static void test_report_is_refused_when_chunks_and_bytes_do_not_add_up(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "{\"session\":1,\"started\":[],\"chunks\":[{\"attempt\":1,\"stream\":0,\"offset\":0,\"skipped\":0,\"length\":4}],\"exited\":[],\"refused\":[]}",
        "{\"session\":1,\"started\":[],\"chunks\":[{\"attempt\":1,\"stream\":3,\"offset\":0,\"skipped\":0,\"length\":3}],\"exited\":[],\"refused\":[]}",
        "{\"session\":1,\"started\":[],\"chunks\":[{\"attempt\":1,\"stream\":0,\"offset\":18446744073709551615,\"skipped\":0,\"length\":3}],\"exited\":[],\"refused\":[]}",
        "{\"session\":1,\"started\":[],\"chunks\":[{\"attempt\":-1,\"stream\":0,\"offset\":0,\"skipped\":0,\"length\":3}],\"exited\":[],\"refused\":[]}"};
    struct msg msg = {.type = MSG_REPORT}, back;
    struct str scratch = STR_INIT;
    uint8_t header[MSG_HEADER_BYTES];
    msg_encode(&msg, header, &scratch);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        assert_int_equal(msg_decode(header, sizeof header, bodies[i], strlen(bodies[i]), "abc", 3, &back, NULL), ERR_PROTOCOL);
    str_release(&scratch);
}

static void test_msg_is_refused_when_a_text_is_over_its_limit(void **state)
{
    (void)state;
    char *key = xcalloc(66, 1);
    memset(key, 'k', 65);
    struct msg msg = {.type = MSG_JOINED, .joined = {.public_key = key}}, back;
    struct str body = STR_INIT;
    uint8_t header[MSG_HEADER_BYTES];
    msg_encode(&msg, header, &body);
    assert_int_equal(decode(header, &body, &msg, &back, NULL), ERR_LIMIT);
    free(key);
    str_release(&body);
}

// The vectors that tests/integration/test_vectors.py reads as well: what is decoded encodes to the same header and the same JSON.
static void test_msg_agrees_with_the_shared_vectors(void **state)
{
    (void)state;
    struct str text = STR_INIT;
    struct json_object *vectors = NULL;
    assert_int_equal(file_read(TRAWL_SOURCE_DIR "/tests/vectors/wire/messages.json", 1 << 20, &text, NULL), 0);
    assert_int_equal(json_parse(str_get(&text), text.len, &vectors, NULL), 0);
    assert_true(json_object_array_length(vectors) >= 6);
    for (size_t i = 0; i < json_object_array_length(vectors); i++) {
        struct json_object *vector = json_object_array_get_idx(vectors, i), *body = NULL;
        const char *hex = NULL, *name = NULL, *raw = "";
        uint8_t header[MSG_HEADER_BYTES], again[MSG_HEADER_BYTES];
        struct str wanted = STR_INIT, encoded = STR_INIT;
        struct msg msg;
        struct err err = {0};
        assert_true(json_get_string(vector, "header", &hex) && json_get_string(vector, "name", &name));
        json_get_string(vector, "raw", &raw);
        for (size_t b = 0; b < sizeof header; b++) {
            unsigned value;
            assert_int_equal(sscanf(hex + 2 * b, "%2x", &value), 1);
            header[b] = (uint8_t)value;
        }
        json_object_object_get_ex(vector, "body", &body);
        json_write(&wanted, body);
        if (msg_decode(header, sizeof header, str_get(&wanted), wanted.len, raw, strlen(raw), &msg, &err) != 0)
            fail_msg("%s: %s", name, err.text);
        assert_string_equal(msg_name(msg.type), name);
        msg_encode(&msg, again, &encoded);
        assert_memory_equal(again, header, sizeof header);
        assert_string_equal(str_get(&encoded), str_get(&wanted));
        msg_release(&msg);
        str_release(&wanted);
        str_release(&encoded);
    }
    json_object_put(vectors);
    str_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_msg_comes_back_when_it_is_decoded),
        cmocka_unit_test(test_msg_is_refused_when_a_field_is_missing),
        cmocka_unit_test(test_msg_is_refused_when_a_field_has_another_type),
        cmocka_unit_test(test_msg_ignores_a_field_that_it_does_not_know),
        cmocka_unit_test(test_msg_is_refused_when_the_header_is_not_ours),
        cmocka_unit_test(test_report_is_refused_when_chunks_and_bytes_do_not_add_up),
        cmocka_unit_test(test_msg_is_refused_when_a_text_is_over_its_limit),
        cmocka_unit_test(test_msg_agrees_with_the_shared_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// The table of messages.

#include "wire/shape.h"

#include <string.h>

#define STRING(type, member, limit) {#member, FIELD_STRING, offsetof(struct type, member), 0, limit, NULL}
#define NUMBER(type, member, kind) {#member, kind, offsetof(struct type, member), 0, 0, NULL}
#define LIST(type, json, member, count, kind, max, of)                                             \
    {json, kind, offsetof(struct type, member), offsetof(struct type, count), max, of}
#define END {NULL, FIELD_BOOL, 0, 0, 0, NULL}
#define SHAPE(name, type) static const struct shape name##_shape = {sizeof(struct type), name##_fields}

#define WORD 64     // bytes of a word: a state, an action, an id
#define NAME 256    // of a person's name for a thing
#define TEXT 4096   // of a sentence

static const struct field join_fields[] = {STRING(msg_join, public_key, WORD), STRING(msg_join, name, NAME), END};
SHAPE(join, msg_join);

static const struct field joined_fields[] = {STRING(msg_joined, public_key, WORD), END};
SHAPE(joined, msg_joined);

static const struct field gpu_fields[] = {STRING(msg_gpu, id, NAME), STRING(msg_gpu, name, NAME),
                                          NUMBER(msg_gpu, memory_bytes, FIELD_U64), END};
SHAPE(gpu, msg_gpu);

static const struct field held_fields[] = {NUMBER(msg_held, attempt, FIELD_U64), STRING(msg_held, state, WORD),
                                           NUMBER(msg_held, lengths, FIELD_U64_STREAMS), END};
SHAPE(held, msg_held);

static const struct field hello_fields[] = {
    STRING(msg_hello, agent, WORD),
    STRING(msg_hello, name, NAME),
    STRING(msg_hello, host, NAME),
    STRING(msg_hello, version, WORD),
    STRING(msg_hello, boot, WORD),
    NUMBER(msg_hello, incarnation, FIELD_U64),
    NUMBER(msg_hello, hello, FIELD_U64),
    NUMBER(msg_hello, sent_ms, FIELD_U64),
    NUMBER(msg_hello, slots, FIELD_U32),
    NUMBER(msg_hello, cpus, FIELD_U32),
    NUMBER(msg_hello, memory_bytes, FIELD_U64),
    LIST(msg_hello, "gpus", gpus, gpu_count, FIELD_STRUCT_LIST, 256, &gpu_shape),
    LIST(msg_hello, "labels", labels, label_count, FIELD_STRING_LIST, 256, NULL),
    LIST(msg_hello, "held", held, held_count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &held_shape),
    END};
SHAPE(hello, msg_hello);

static const struct field verdict_fields[] = {NUMBER(msg_verdict, attempt, FIELD_U64),
                                              STRING(msg_verdict, action, WORD),
                                              NUMBER(msg_verdict, cursors, FIELD_U64_STREAMS), END};
SHAPE(verdict, msg_verdict);

static const struct field welcome_fields[] = {
    STRING(msg_welcome, agent, WORD),
    STRING(msg_welcome, store, WORD),
    NUMBER(msg_welcome, epoch, FIELD_U64),
    NUMBER(msg_welcome, session, FIELD_U64),
    NUMBER(msg_welcome, incarnation, FIELD_U64),
    NUMBER(msg_welcome, hello, FIELD_U64),
    NUMBER(msg_welcome, sent_ms, FIELD_U64),
    NUMBER(msg_welcome, lease_ms, FIELD_U64),
    LIST(msg_welcome, "verdicts", verdicts, verdict_count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &verdict_shape),
    END};
SHAPE(welcome, msg_welcome);

static const struct field need_hello_fields[] = {NUMBER(msg_need_hello, session, FIELD_U64),
                                                 NUMBER(msg_need_hello, epoch, FIELD_U64), END};
SHAPE(need_hello, msg_need_hello);

static const struct field beat_fields[] = {NUMBER(msg_beat, session, FIELD_U64), NUMBER(msg_beat, sent_ms, FIELD_U64),
                                           NUMBER(msg_beat, disk_free_bytes, FIELD_U64), END};
SHAPE(beat, msg_beat);

static const struct field beat_ack_fields[] = {NUMBER(msg_beat_ack, session, FIELD_U64),
                                               NUMBER(msg_beat_ack, epoch, FIELD_U64),
                                               NUMBER(msg_beat_ack, sent_ms, FIELD_U64), END};
SHAPE(beat_ack, msg_beat_ack);

static const struct field arg_fields[] = {STRING(msg_arg, text, MSG_STRING_MAX), NUMBER(msg_arg, local, FIELD_BOOL), END};
SHAPE(arg, msg_arg);

static const struct field env_fields[] = {STRING(msg_env, name, NAME), STRING(msg_env, value, MSG_STRING_MAX), END};
SHAPE(env, msg_env);

static const struct field pattern_fields[] = {STRING(msg_pattern, metric, NAME), STRING(msg_pattern, pattern, TEXT), END};
SHAPE(pattern, msg_pattern);

static const struct field launch_item_fields[] = {
    NUMBER(msg_launch_item, attempt, FIELD_U64),
    STRING(msg_launch_item, sweep, WORD),
    STRING(msg_launch_item, sweep_name, NAME),
    NUMBER(msg_launch_item, trial, FIELD_U64),
    NUMBER(msg_launch_item, number, FIELD_U64),
    NUMBER(msg_launch_item, seed, FIELD_U64),
    NUMBER(msg_launch_item, parent_trial, FIELD_U64),
    NUMBER(msg_launch_item, parent_attempt, FIELD_U64),
    STRING(msg_launch_item, config, MSG_BODY_MAX),
    LIST(msg_launch_item, "argv", argv, argc, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &arg_shape),
    LIST(msg_launch_item, "env", env, env_count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &env_shape),
    STRING(msg_launch_item, working_dir, 4096),
    NUMBER(msg_launch_item, timeout_ms, FIELD_U64),
    NUMBER(msg_launch_item, grace_ms, FIELD_U64),
    NUMBER(msg_launch_item, lease_ms, FIELD_U64),
    LIST(msg_launch_item, "patterns", patterns, pattern_count, FIELD_STRUCT_LIST, 8, &pattern_shape),
    NUMBER(msg_launch_item, cpus, FIELD_U32),
    NUMBER(msg_launch_item, memory_bytes, FIELD_U64),
    LIST(msg_launch_item, "gpus", gpus, gpu_count, FIELD_U32_LIST, 256, NULL),
    END};
SHAPE(launch_item, msg_launch_item);

static const struct field launch_fields[] = {
    NUMBER(msg_launch, session, FIELD_U64),
    LIST(msg_launch, "items", items, count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &launch_item_shape), END};
SHAPE(launch, msg_launch);

static const struct field started_fields[] = {NUMBER(msg_started, attempt, FIELD_U64),
                                              NUMBER(msg_started, pid, FIELD_I64),
                                              NUMBER(msg_started, at_ms, FIELD_I64), END};
SHAPE(started, msg_started);

static const struct field chunk_fields[] = {NUMBER(msg_chunk, attempt, FIELD_U64),
                                            NUMBER(msg_chunk, stream, FIELD_U32),
                                            NUMBER(msg_chunk, offset, FIELD_U64),
                                            NUMBER(msg_chunk, skipped, FIELD_U64),
                                            NUMBER(msg_chunk, length, FIELD_U32), END};
SHAPE(chunk, msg_chunk);

static const struct field exited_fields[] = {
    NUMBER(msg_exited, attempt, FIELD_U64),
    {"class", FIELD_STRING, offsetof(struct msg_exited, class_word), 0, WORD, NULL},
    NUMBER(msg_exited, code, FIELD_I64),
    NUMBER(msg_exited, signal, FIELD_I64),
    STRING(msg_exited, message, TEXT),
    NUMBER(msg_exited, started_ms, FIELD_I64),
    NUMBER(msg_exited, ended_ms, FIELD_I64),
    NUMBER(msg_exited, cpu_ms, FIELD_U64),
    NUMBER(msg_exited, max_rss_bytes, FIELD_U64),
    NUMBER(msg_exited, dropped_bytes, FIELD_U64),
    NUMBER(msg_exited, lengths, FIELD_U64_STREAMS),
    END};
SHAPE(exited, msg_exited);

static const struct field refused_fields[] = {NUMBER(msg_refused, attempt, FIELD_U64),
                                              STRING(msg_refused, reason, TEXT), END};
SHAPE(refused, msg_refused);

static const struct field report_fields[] = {
    NUMBER(msg_report, session, FIELD_U64),
    LIST(msg_report, "started", started, started_count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &started_shape),
    LIST(msg_report, "chunks", chunks, chunk_count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &chunk_shape),
    LIST(msg_report, "exited", exited, exited_count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &exited_shape),
    LIST(msg_report, "refused", refused, refused_count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &refused_shape),
    END};
SHAPE(report, msg_report);

static const struct field cursor_fields[] = {NUMBER(msg_cursor, attempt, FIELD_U64),
                                             NUMBER(msg_cursor, stream, FIELD_U32),
                                             NUMBER(msg_cursor, offset, FIELD_U64), END};
SHAPE(cursor, msg_cursor);

static const struct field ack_fields[] = {
    NUMBER(msg_ack, session, FIELD_U64),
    LIST(msg_ack, "cursors", cursors, cursor_count, FIELD_STRUCT_LIST, 4 * MSG_ITEMS_MAX, &cursor_shape),
    LIST(msg_ack, "forget", forget, forget_count, FIELD_U64_LIST, MSG_ITEMS_MAX, NULL),
    END};
SHAPE(ack, msg_ack);

static const struct field kill_item_fields[] = {
    NUMBER(msg_kill_item, attempt, FIELD_U64),
    {"class", FIELD_STRING, offsetof(struct msg_kill_item, class_word), 0, WORD, NULL},
    NUMBER(msg_kill_item, grace_ms, FIELD_U64),
    END};
SHAPE(kill_item, msg_kill_item);

static const struct field kill_fields[] = {
    NUMBER(msg_kill, session, FIELD_U64),
    LIST(msg_kill, "items", items, count, FIELD_STRUCT_LIST, MSG_ITEMS_MAX, &kill_item_shape), END};
SHAPE(kill, msg_kill);

static const struct field bye_fields[] = {NUMBER(msg_bye, session, FIELD_U64), STRING(msg_bye, reason, TEXT), END};
SHAPE(bye, msg_bye);

static const struct field drain_fields[] = {NUMBER(msg_drain, session, FIELD_U64), STRING(msg_drain, reason, TEXT),
                                            NUMBER(msg_drain, grace_ms, FIELD_U64), END};
SHAPE(drain, msg_drain);

static const struct field request_fields[] = {STRING(msg_request, id, WORD), STRING(msg_request, op, WORD),
                                              STRING(msg_request, body, MSG_BODY_MAX), END};
SHAPE(request, msg_request);

static const struct field reply_fields[] = {STRING(msg_reply, id, WORD), NUMBER(msg_reply, code, FIELD_I64),
                                            STRING(msg_reply, body, MSG_BODY_MAX), END};
SHAPE(reply, msg_reply);

static const struct field error_fields[] = {NUMBER(msg_error, code, FIELD_I64), STRING(msg_error, text, TEXT),
                                            NUMBER(msg_error, version_min, FIELD_U32),
                                            NUMBER(msg_error, version_max, FIELD_U32), END};
SHAPE(error, msg_error);

const struct shape *shape_of(enum msg_type type)
{
    switch (type) {
    case MSG_JOIN: return &join_shape;
    case MSG_JOINED: return &joined_shape;
    case MSG_HELLO: return &hello_shape;
    case MSG_WELCOME: return &welcome_shape;
    case MSG_NEED_HELLO: return &need_hello_shape;
    case MSG_BEAT: return &beat_shape;
    case MSG_BEAT_ACK: return &beat_ack_shape;
    case MSG_LAUNCH: return &launch_shape;
    case MSG_REPORT: return &report_shape;
    case MSG_ACK: return &ack_shape;
    case MSG_KILL: return &kill_shape;
    case MSG_BYE: return &bye_shape;
    case MSG_DRAIN: return &drain_shape;
    case MSG_REQUEST: return &request_shape;
    case MSG_REPLY: return &reply_shape;
    case MSG_ERROR: return &error_shape;
    }
    return NULL;
}

static const struct {
    enum msg_type type;
    const char *name;
    bool raw;
} table[] = {
#define MSG_ROW(id, number, name, direction, raw, since) {id, name, raw},
    MSG_LIST(MSG_ROW)
#undef MSG_ROW
};

const char *msg_name(enum msg_type type)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].type == type)
            return table[i].name;
    return NULL;
}

bool shape_has_raw(enum msg_type type)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (table[i].type == type)
            return table[i].raw;
    return false;
}

const char *stream_name(enum stream stream)
{
    static const char *const names[STREAM_COUNT] = {"metrics", "stdout", "stderr"};
    return stream < STREAM_COUNT ? names[stream] : "?";
}

// Any bytes as a message: no crash, and what is accepted encodes to something that decodes to the same.

#include "smoke.h"
#include "wire/shape.h"

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_wire: %s\n", what);
        abort();
    }
}

// The first two bytes say how long the raw frame at the end is; then the header, then the body.
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct msg msg, again;
    if (size < 2 + MSG_HEADER_BYTES)
        return 0;
    size_t raw = ((size_t)data[0] << 8 | data[1]) % (size - 2 - MSG_HEADER_BYTES + 1);
    const unsigned char *header = data + 2, *body = header + MSG_HEADER_BYTES;
    size_t body_len = size - 2 - MSG_HEADER_BYTES - raw;
    if (msg_decode(header, MSG_HEADER_BYTES, body, body_len, raw ? body + body_len : NULL, raw, &msg, NULL) != 0)
        return 0;
    struct str text = STR_INIT;
    uint8_t encoded[MSG_HEADER_BYTES];
    msg_encode(&msg, encoded, &text);
    require(msg_decode(encoded, sizeof encoded, str_get(&text), text.len, msg.raw, msg.raw_len, &again, NULL) == 0, "not decoded again");
    require(shape_equal(shape_of(msg.type), &msg.join, &again.join), "decoded otherwise again");
    msg_release(&msg);
    msg_release(&again);
    str_release(&text);
    return 0;
}

#ifdef TRAWL_FUZZ_SMOKE
int main(void)
{
    static const char report[] = "\0\3TRWL\1\0\x9\0\0\0\0\0\0\0\0\0"
                                 "{\"session\":1,\"started\":[{\"attempt\":4,\"pid\":5,\"at_ms\":6}],\"chunks\":[{\"attempt\":1,\"stream\":0,\"offset\":0,"
                                 "\"skipped\":0,\"length\":3}],\"exited\":[],\"refused\":[{\"attempt\":9,\"reason\":\"no\"}]}abc";
    static const char welcome[] = "\0\0TRWL\1\0\4\0\0\0\0\0\0\0\0\0"
                                  "{\"agent\":\"a\",\"store\":\"s\",\"epoch\":1,\"session\":2,\"incarnation\":3,\"hello\":4,\"sent_ms\":5,\"lease_ms\":6,"
                                  "\"verdicts\":[{\"attempt\":1,\"action\":\"keep\",\"cursors\":[1,2,3]}]}";
    smoke((const unsigned char *)report, sizeof report - 1);
    smoke((const unsigned char *)welcome, sizeof welcome - 1);
    printf("fuzz_wire: %d mutations of 2 messages\n", SMOKE_MUTATIONS);
    return 0;
}
#endif

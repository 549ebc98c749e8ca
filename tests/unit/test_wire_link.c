// Sockets: ipc, and tcp with CURVE on loopback. Waiting is for a message under a deadline.

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "wire/link_impl.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DEADLINE_MS 20000
#define REFUSED_MS 700 // nothing of an unknown key may arrive meanwhile

struct fixture {
    char dir[64], path[128];
    struct keypair server_keys, known, stranger;
    bool revoked;
    struct link_server *server;
};

static bool check_key(void *context, const char *public_key, enum peer_role *ret_role)
{
    const struct fixture *fixture = context;
    *ret_role = PEER_AGENT;
    return !fixture->revoked && strcmp(public_key, fixture->known.public_key) == 0;
}

static int setup(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    struct err err = {0};
    snprintf(fixture->dir, sizeof fixture->dir, "/tmp/trawl-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->dir));
    snprintf(fixture->path, sizeof fixture->path, "%s/sock", fixture->dir);
    assert_int_equal(keypair_new(&fixture->server_keys, NULL), 0);
    assert_int_equal(keypair_new(&fixture->known, NULL), 0);
    assert_int_equal(keypair_new(&fixture->stranger, NULL), 0);
    struct link_server_options options = {.ipc_path = fixture->path,
                                          .tcp_bind = "127.0.0.1:*",
                                          .keys = &fixture->server_keys,
                                          .check_key = check_key,
                                          .check_context = fixture};
    if (link_server_new(&options, &fixture->server, &err) != 0)
        fail_msg("%s", err.text);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    link_server_free(fixture->server);
    unlink(fixture->path);
    rmdir(fixture->dir);
    free(fixture);
    return 0;
}

static struct link_client *connect_tcp(const struct fixture *fixture, const struct keypair *keys)
{
    struct link_client *client = NULL;
    struct link_client_options options = {
        .endpoint = link_server_endpoint(fixture->server), .server_key = fixture->server_keys.public_key, .keys = keys};
    assert_int_equal(link_client_new(&options, &client, NULL), 0);
    return client;
}

static struct link_client *connect_ipc(const struct fixture *fixture)
{
    struct link_client *client = NULL;
    char *endpoint = link_ipc_endpoint(fixture->dir, "sock");
    struct link_client_options options = {.endpoint = endpoint};
    assert_int_equal(link_client_new(&options, &client, NULL), 0);
    free(endpoint);
    return client;
}

static bool receive(struct fixture *fixture, uint64_t wait_ms, struct peer *peer, struct msg *msg)
{
    uint64_t end = clock_mono_ms() + wait_ms;
    while (link_server_receive(fixture->server, peer, msg) != 0) {
        uint64_t now = clock_mono_ms();
        if (now >= end)
            return false;
        struct pollfd fd = {.fd = link_server_fd(fixture->server), .events = POLLIN};
        poll(&fd, 1, (int)(end - now));
    }
    return true;
}

static bool answer(struct fixture *fixture, struct link_client *client, struct msg *msg)
{
    uint64_t end = clock_mono_ms() + DEADLINE_MS;
    struct peer peer;
    struct msg unused;
    while (link_client_receive(client, msg) != 0) {
        if (clock_mono_ms() >= end)
            return false;
        if (link_server_receive(fixture->server, &peer, &unused) == 0)
            msg_release(&unused);
        struct pollfd fds[2] = {{.fd = link_client_fd(client), .events = POLLIN}, {.fd = link_server_fd(fixture->server), .events = POLLIN}};
        poll(fds, 2, 100);
    }
    return true;
}

static void send_beat(struct link_client *client, uint64_t number)
{
    struct msg beat = {.type = MSG_BEAT, .beat = {.session = number}};
    assert_int_equal(link_client_send(client, &beat), 0);
}

static void test_link_serves_in_order_when_the_peer_is_local(void **state)
{
    struct fixture *fixture = *state;
    struct link_client *client = connect_ipc(fixture);
    struct peer peer;
    struct msg msg;
    for (uint64_t i = 0; i < 1000; i++) {
        send_beat(client, i);
        if (i % 100 == 99)
            for (uint64_t j = i - 99; j <= i; j++) {
                assert_true(receive(fixture, DEADLINE_MS, &peer, &msg));
                assert_int_equal(msg.beat.session, j);
                assert_int_equal(peer.role, PEER_LOCAL);
                msg_release(&msg);
            }
    }
    struct msg ack = {.type = MSG_BEAT_ACK, .beat_ack = {.session = 5}};
    assert_int_equal(link_server_send(fixture->server, peer.id, &ack), 0);
    assert_true(answer(fixture, client, &msg));
    assert_int_equal(msg.type, MSG_BEAT_ACK);
    msg_release(&msg);
    link_client_free(client);
}

static void test_link_socket_is_private(void **state)
{
    struct fixture *fixture = *state;
    struct stat st;
    assert_int_equal(stat(fixture->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_link_serves_a_known_key_and_refuses_it_at_the_next_message_when_revoked(void **state)
{
    struct fixture *fixture = *state;
    struct link_client *client = connect_tcp(fixture, &fixture->known);
    struct peer peer;
    struct msg msg;
    send_beat(client, 1);
    assert_true(receive(fixture, DEADLINE_MS, &peer, &msg));
    assert_int_equal(peer.role, PEER_AGENT);
    assert_string_equal(peer.public_key, fixture->known.public_key);
    msg_release(&msg);
    fixture->revoked = true;
    send_beat(client, 2);
    assert_false(receive(fixture, REFUSED_MS, &peer, &msg));
    assert_true(link_server_counts(fixture->server).unauthorised > 0);
    link_client_free(client);
}

static void test_link_refuses_a_stranger_and_a_peer_without_a_key(void **state)
{
    struct fixture *fixture = *state;
    struct link_client *stranger = connect_tcp(fixture, &fixture->stranger), *plain = NULL;
    struct link_client_options options = {.endpoint = link_server_endpoint(fixture->server)};
    assert_int_equal(link_client_new(&options, &plain, NULL), 0);
    struct peer peer;
    struct msg msg;
    send_beat(stranger, 1);
    send_beat(plain, 2);
    assert_false(receive(fixture, REFUSED_MS, &peer, &msg));
    link_client_free(stranger);
    link_client_free(plain);
}

// A peer of another version, or one that sends garbage, is told so; the rest goes on.
static void test_link_answers_an_error_when_a_message_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct link_client *client = connect_ipc(fixture);
    struct msg msg, other = {.type = MSG_BEAT, .version = 9};
    assert_int_equal(link_client_send(client, &other), 0);
    assert_true(answer(fixture, client, &msg));
    assert_int_equal(msg.type, MSG_ERROR);
    assert_int_equal(msg.error.code, ERR_VERSION);
    assert_int_equal(msg.error.version_max, PROTOCOL_VERSION);
    msg_release(&msg);
    assert_int_equal(link_server_counts(fixture->server).undecodable, 1);
    link_client_free(client);
}

static void test_link_swallows_messages_of_other_shapes(void **state)
{
    struct fixture *fixture = *state;
    void *context = NULL;
    assert_int_equal(link_context(&context, NULL), 0);
    void *socket = zmq_socket(context, ZMQ_DEALER);
    char *endpoint = link_ipc_endpoint(fixture->dir, "sock");
    int linger = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof linger);
    assert_int_equal(zmq_connect(socket, endpoint), 0);
    assert_int_equal(zmq_send(socket, "one", 3, 0), 3);
    for (int i = 0; i < 10; i++)
        assert_int_equal(zmq_send(socket, "x", 1, i < 9 ? ZMQ_SNDMORE : 0), 1);
    struct link_client *client = connect_ipc(fixture);
    struct peer peer;
    struct msg msg;
    send_beat(client, 3);
    assert_true(receive(fixture, DEADLINE_MS, &peer, &msg));
    assert_int_equal(msg.beat.session, 3);
    msg_release(&msg);
    zmq_close(socket);
    link_context_release();
    free(endpoint);
    link_client_free(client);
}

static void test_link_says_so_when_the_peer_is_gone(void **state)
{
    struct fixture *fixture = *state;
    struct msg ack = {.type = MSG_BEAT_ACK};
    assert_int_equal(link_server_send(fixture->server, (uint64_t)1 << 40 | 12345, &ack), ERR_NOT_FOUND);
    assert_int_equal(link_server_send(fixture->server, 7, &ack), ERR_NOT_FOUND);
}

static void test_link_names_the_address_when_it_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct link_server *second = NULL;
    struct err err = {0};
    struct link_server_options options = {.tcp_bind = strstr(link_server_endpoint(fixture->server), "127."),
                                          .keys = &fixture->server_keys,
                                          .check_key = check_key,
                                          .check_context = fixture};
    // the ZAP endpoint is the process's: a second server within one process is refused as well
    assert_int_not_equal(link_server_new(&options, &second, &err), 0);
    assert_true(err.text[0] != '\0');
}

static void test_keys_are_refused_when_others_may_read_them(void **state)
{
    struct fixture *fixture = *state;
    struct keypair first, second;
    struct err err = {0};
    int dir = open(fixture->dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(keypair_load(dir, "key", true, &first, NULL), 0);
    assert_int_equal(keypair_load(dir, "key", true, &second, NULL), 0);
    assert_memory_equal(&first, &second, sizeof first);
    assert_int_equal(fchmodat(dir, "key", 0644, 0), 0);
    assert_int_equal(keypair_load(dir, "key", true, &second, &err), ERR_PERMISSION);
    assert_non_null(strstr(err.text, "chmod"));
    assert_int_equal(fchmodat(dir, "key", 0600, 0), 0);
    assert_int_equal(file_write_at(dir, "key", "garbage", 7, 0600, NULL), 0);
    assert_int_equal(keypair_load(dir, "key", true, &second, NULL), ERR_CORRUPT);
    unlinkat(dir, "key", 0);
    close(dir);
}

static void test_join_string_comes_back_and_a_token_is_always_the_same_key(void **state)
{
    struct fixture *fixture = *state;
    static const char *const bad[] = {"", "trawl://", "trawl://0123@h:1/ab", "http://0123456789abcdef0123456789abcdef@h:1/00",
                                      "trawl://0123456789abcdef0123456789abcdef@h/0000000000000000000000000000000000000000000000000000000000000000",
                                      "trawl://0123456789ABCDEF0123456789abcdef@h:1/0000000000000000000000000000000000000000000000000000000000000000"};
    char token[] = "0123456789abcdef0123456789abcdef", endpoint[] = "tcp://host.example:7077";
    struct join_string join = {.token = token, .endpoint = endpoint}, back = {0};
    snprintf(join.server_key, sizeof join.server_key, "%s", fixture->server_keys.public_key);
    char *text = join_string_format(&join);
    assert_int_equal(join_string_parse(text, &back, NULL), 0);
    assert_string_equal(back.token, token);
    assert_string_equal(back.endpoint, endpoint);
    assert_string_equal(back.server_key, join.server_key);
    join_string_release(&back);
    free(text);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(join_string_parse(bad[i], &back, NULL), ERR_INVALID);
    struct keypair a, b;
    assert_int_equal(keypair_from_token(token, &a, NULL), 0);
    assert_int_equal(keypair_from_token(token, &b, NULL), 0);
    assert_memory_equal(&a, &b, sizeof a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_link_serves_in_order_when_the_peer_is_local, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_socket_is_private, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_serves_a_known_key_and_refuses_it_at_the_next_message_when_revoked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_refuses_a_stranger_and_a_peer_without_a_key, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_answers_an_error_when_a_message_cannot_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_swallows_messages_of_other_shapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_says_so_when_the_peer_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_names_the_address_when_it_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_are_refused_when_others_may_read_them, setup, teardown),
        cmocka_unit_test_setup_teardown(test_join_string_comes_back_and_a_token_is_always_the_same_key, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

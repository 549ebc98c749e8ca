// What controller.c, restore.c and requests.c share. Private to the shell.
#pragma once

#include "base/rng.h"
#include "controller/controller.h"
#include "controller/store/store.h"
#include "controller/suggest.h"
#include "wire/link.h"

struct json_object;

#include <uthash.h>

#define TURN_MESSAGES_MAX 4096   // messages taken in one turn, so that a flood cannot starve the rest
#define TURN_ROUNDS_MAX 64       // rounds of questions to fast strategies in one turn
#define STALL_RETRY_MS 1000      // a full disk is tried again after
#define JOIN_TOKEN_FILE "join.token"
#define SERVER_KEY_FILE "server.key"

struct admitted { // a key that may connect over tcp
    char public_key[KEY_Z85_MAX];
    enum peer_role role;
    bool revoked;
    UT_hash_handle hh;
};

struct input { // a message of this turn; its bytes live until the commit
    struct peer peer;
    struct msg msg;
};

struct reply { // sent after the commit
    uint64_t peer;
    struct msg msg;
};

struct controller {
    char *data_dir;
    int dir_fd;
    struct store *store;
    struct batch batch;
    struct core *core;
    struct suggester *suggester;
    struct link_server *server; // NULL: offline
    struct keypair keys;
    struct admitted *admitted;
    char *join_string;
    struct input *inputs;
    size_t input_count, input_capacity;
    bool more_inputs;           // the last turn took as many as it may: do not wait
    struct reply *replies;
    size_t reply_count, reply_capacity;
    char *stalled;              // why the last commit did not succeed, NULL: it did
    uint64_t stalled_until_ms;
    uint64_t started_ms;        // wall
    bool shutdown_asked;
};

struct now controller_now(void);

// restore.c: the core and the strategies from the store's rows, as of `now` (the simulator has its own).
int controller_restore_at(struct controller *controller, uint64_t epoch, const struct controller_options *given,
                          struct now now, struct err *err);

// The curves of a sweep with a stopping rule that has not had them yet: at the start, or before a sweep that was over goes on.
int controller_restore_curves(struct controller *controller, uint64_t sweep, struct err *err);

// warm.c: the operations of a warm start.
int controller_op_prior(struct controller *controller, uint64_t sweep, const struct json_object *body, struct str *reply, struct err *err);
int controller_op_enqueue(struct controller *controller, uint64_t sweep, const struct json_object *body, struct str *reply,
                          struct err *err);

// restore.c, too: let the strategy hear of a result from elsewhere. ERR_INVALID for a configuration that is not of the sweep's space.
int controller_tell_prior(struct controller *controller, const struct prior_row *row, struct err *err);

// requests.c
void controller_handle_request(struct controller *controller, const struct peer *peer,
                               const struct msg_request *request);

// controller.c
int controller_admit(struct controller *controller, const char *public_key, const char *name,
                     const char *role, bool revoked, struct err *err);

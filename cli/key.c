// trawl key: the join string, and who may connect over the network.

#include "cli/commands.h"
#include "cli/context.h"
#include "cli/table.h"

#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int key_join(const char *dir, struct err *err)
{
    struct str reply = STR_INIT;
    struct json_object *json = NULL;
    const char *join = NULL;
    int rc = context_request(dir, "ping", "{}", true, &reply, err);
    if (rc == 0)
        rc = json_parse(str_get(&reply), reply.len, &json, err);
    if (rc == 0 && !json_get_string(json, "join", &join))
        rc = err_set(err, ERR_STATE,
                     "the controller listens on this machine only; start it with --listen to let others join");
    if (rc == 0)
        puts(join);
    json_object_put(json);
    str_release(&reply);
    return rc;
}

struct key_walk {
    struct table *table;
    struct str *json;
    size_t count;
};

static int each_key(void *context, const struct key_row *row)
{
    struct key_walk *walk = context;
    char created[32];
    format_time(row->created_ms, created, sizeof created);
    table_cell(walk->table, row->public_key);
    table_cell(walk->table, row->role);
    table_cell(walk->table, row->name);
    table_cell(walk->table, row->revoked ? "revoked" : "admitted");
    table_cell(walk->table, created);
    str_addf(walk->json, "%s{\"key\":", walk->count++ ? "," : "");
    json_write_string(walk->json, row->public_key, strlen(row->public_key));
    str_addf(walk->json, ",\"role\":\"%s\",\"name\":", row->role);
    json_write_string(walk->json, row->name ? row->name : "", row->name ? strlen(row->name) : 0);
    str_addf(walk->json, ",\"revoked\":%s,\"created_ms\":%lld}", row->revoked ? "true" : "false",
             (long long)row->created_ms);
    return 0;
}

static int key_list(const struct command_line *line, struct err *err)
{
    static const char *const titles[] = {"key", "role", "name", "state", "since", NULL};
    struct store *store = NULL;
    struct str json = STR_INIT;
    struct key_walk walk = {.table = table_new(titles), .json = &json};
    int rc = context_reader(line, &store, err);
    if (rc == 0)
        rc = store_key_each(store, each_key, &walk, err);
    if (rc == 0 && line_has(line, "json"))
        printf("{\"keys\":[%s]}\n", str_get(&json));
    else if (rc == 0 && walk.count == 0)
        fprintf(stderr, "trawl: no keys yet; `trawl controller` makes a join string\n");
    else if (rc == 0)
        table_print(walk.table, stdout, terminal_width(stdout));
    table_free(walk.table);
    str_release(&json);
    store_close(store);
    return rc;
}

static int key_revoke(const char *dir, const char *key, struct err *err)
{
    struct str body = STR_INIT, reply = STR_INIT;
    str_add(&body, "{\"key\":");
    json_write_string(&body, key, strlen(key));
    str_add(&body, "}");
    int rc = context_request(dir, "key_revoke", str_get(&body), false, &reply, err);
    if (rc == 0)
        printf("revoked: its holder is refused from now on\n");
    str_release(&body);
    str_release(&reply);
    return rc;
}

int command_key(const struct command_line *line)
{
    const char *verb = line_positional(line, 0), *key = line_positional(line, 1);
    struct err err = {0};
    char *dir = NULL;
    int rc = context_data_dir(line, false, &dir, &err);
    if (rc == 0 && strcmp(verb, "join") == 0)
        rc = key_join(dir, &err);
    else if (rc == 0 && (strcmp(verb, "ls") == 0 || strcmp(verb, "list") == 0))
        rc = key_list(line, &err);
    else if (rc == 0 && strcmp(verb, "revoke") == 0)
        rc = key ? key_revoke(dir, key, &err)
                 : err_set(&err, ERR_USAGE, "trawl key revoke needs the KEY; `trawl key ls` shows them");
    else if (rc == 0)
        rc = err_set(&err, ERR_USAGE, "trawl key does not know '%s'; it is join, ls or revoke", verb);
    free(dir);
    return rc == 0 ? 0 : context_fail(line, &err);
}

// Words of states, and the release of rows.

#include "controller/core/change.h"

#include <stdlib.h>
#include <string.h>

static const char *const sweep_words[] = {
#define SWEEP_WORD(id, word, text) word,
    SWEEP_STATE_LIST(SWEEP_WORD)
#undef SWEEP_WORD
};

static const struct {
    const char *word;
    bool terminal;
} trial_words[] = {
#define TRIAL_WORD(id, word, terminal, text) {word, terminal},
    TRIAL_STATE_LIST(TRIAL_WORD)
#undef TRIAL_WORD
};

static const char *const attempt_words[] = {
#define ATTEMPT_WORD(id, word, text) word,
    ATTEMPT_STATE_LIST(ATTEMPT_WORD)
#undef ATTEMPT_WORD
};

const char *sweep_state_word(enum sweep_state state)
{
    return sweep_words[state];
}

const char *trial_state_word(enum trial_state state)
{
    return trial_words[state].word;
}

const char *attempt_state_word(enum attempt_state state)
{
    return attempt_words[state];
}

bool sweep_state_parse(const char *word, enum sweep_state *ret)
{
    for (int i = 0; i < SWEEP_STATE_COUNT; i++) {
        if (strcmp(sweep_words[i], word) == 0) {
            *ret = (enum sweep_state)i;
            return true;
        }
    }
    return false;
}

bool trial_state_parse(const char *word, enum trial_state *ret)
{
    for (int i = 0; i < TRIAL_STATE_COUNT; i++) {
        if (strcmp(trial_words[i].word, word) == 0) {
            *ret = (enum trial_state)i;
            return true;
        }
    }
    return false;
}

bool attempt_state_parse(const char *word, enum attempt_state *ret)
{
    for (int i = 0; i < ATTEMPT_STATE_COUNT; i++) {
        if (strcmp(attempt_words[i], word) == 0) {
            *ret = (enum attempt_state)i;
            return true;
        }
    }
    return false;
}

bool trial_state_terminal(enum trial_state state)
{
    return trial_words[state].terminal;
}

bool sweep_state_terminal(enum sweep_state state)
{
    return state == SWEEP_FINISHED || state == SWEEP_STOPPED || state == SWEEP_CANCELLED;
}

void sweep_row_release(struct sweep_row *row)
{
    free(row->name);
    free(row->spec_text);
    free(row->reason);
    *row = (struct sweep_row){0};
}

void trial_row_release(struct trial_row *row)
{
    free(row->config);
    *row = (struct trial_row){0};
}

void attempt_row_release(struct attempt_row *row)
{
    free(row->message);
    *row = (struct attempt_row){0};
}

void agent_row_release(struct agent_row *row)
{
    free(row->name);
    free(row->host);
    free(row->version);
    free(row->boot);
    free(row->gpus);
    free(row->labels);
    *row = (struct agent_row){0};
}

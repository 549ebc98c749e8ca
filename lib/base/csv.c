// One pass over the text; a cell is moved to the left where quotes are taken out of it.

#include "base/csv.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void csv_init(struct csv *csv, char *text, size_t len)
{
    *csv = (struct csv){.text = text, .len = len, .next_line = 1};
    if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        csv->at = 3;
}

void csv_release(struct csv *csv)
{
    free(csv->cells);
    *csv = (struct csv){0};
}

// What follows the opening quote, up to the closing one: moved to `to`, whose end is returned; NULL when nothing closes it.
static char *take_quoted(struct csv *csv, char *to)
{
    while (csv->at < csv->len) {
        char c = csv->text[csv->at++];
        csv->next_line += c == '\n';
        if (c != '"') {
            *to++ = c;
        } else if (csv->text[csv->at] == '"') { // the terminator is no quote
            *to++ = '"';
            csv->at++;
        } else {
            return to;
        }
    }
    return NULL;
}

static bool at_end_of_cell(const struct csv *csv)
{
    const char *s = csv->text + csv->at;
    return csv->at == csv->len || *s == ',' || *s == '\n' || (*s == '\r' && (csv->at + 1 == csv->len || s[1] == '\n'));
}

// One cell; *ret_more: a comma follows.
static int take_cell(struct csv *csv, bool *ret_more, struct err *err)
{
    char *start = csv->text + csv->at, *end;
    if (csv->at < csv->len && *start == '"') {
        csv->at++;
        end = take_quoted(csv, start);
        if (!end)
            return err_set(err, ERR_INVALID, "line %d: a quote is opened and not closed", csv->line);
        if (!at_end_of_cell(csv))
            return err_set(err, ERR_INVALID, "line %d: text follows a closing quote; a quote inside a cell is written twice", csv->next_line);
    } else {
        while (!at_end_of_cell(csv))
            csv->at++;
        end = csv->text + csv->at;
    }
    *ret_more = csv->at < csv->len && csv->text[csv->at] == ',';
    if (csv->at < csv->len && csv->text[csv->at] == '\r')
        csv->at++;
    if (csv->at < csv->len) {
        csv->next_line += csv->text[csv->at] == '\n';
        csv->at++;
    }
    *end = '\0';
    if (strlen(start) != (size_t)(end - start))
        return err_set(err, ERR_INVALID, "line %d: a NUL byte; this is no table of text", csv->line);
    ARRAY_GROW(csv->cells, csv->count, csv->capacity);
    csv->cells[csv->count++] = start;
    return 0;
}

static void skip_empty_lines(struct csv *csv)
{
    while (csv->at < csv->len) {
        size_t width = csv->text[csv->at] == '\n' ? 1 : csv->text[csv->at] == '\r' && csv->text[csv->at + 1] == '\n' ? 2 : 0;
        if (width == 0)
            return;
        csv->at += width;
        csv->next_line++;
    }
}

int csv_next(struct csv *csv, struct err *err)
{
    skip_empty_lines(csv);
    if (csv->at >= csv->len)
        return 0;
    csv->line = csv->next_line;
    csv->count = 0;
    bool more = true;
    while (more) {
        int rc = take_cell(csv, &more, err);
        if (rc != 0)
            return rc;
    }
    return 1;
}

// Tables for people.

#include "cli/table.h"

#include "base/mem.h"
#include "base/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct table {
    size_t columns;
    bool *right;
    char **cells; // the titles are the first row
    size_t count, capacity;
};

struct table *table_new(const char *const *titles)
{
    struct table *table = xcalloc(1, sizeof *table);
    while (titles[table->columns])
        table->columns++;
    table->right = xcalloc(table->columns, sizeof *table->right);
    for (size_t i = 0; i < table->columns; i++) {
        table->right[i] = titles[i][0] == '>';
        table_cell(table, titles[i] + table->right[i]);
    }
    return table;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < table->count; i++)
        free(table->cells[i]);
    free(table->cells);
    free(table->right);
    free(table);
}

// Control characters of a run's own text must not reach the terminal.
void table_cell(struct table *table, const char *text)
{
    ARRAY_GROW(table->cells, table->count, table->capacity);
    char *copy = xstrdup(text && *text ? text : "-");
    for (char *p = copy; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = ' ';
    table->cells[table->count++] = copy;
}

void table_cellf(struct table *table, const char *format, ...)
{
    struct str text = STR_INIT;
    va_list args;
    va_start(args, format);
    str_vaddf(&text, format, args);
    va_end(args);
    table_cell(table, str_get(&text));
    str_release(&text);
}

// Characters, not bytes: continuation bytes of UTF-8 do not count.
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

static void cut_to(struct str *line, size_t width)
{
    size_t seen = 0, i = 0;
    while (i < line->len && seen < width) {
        i++;
        while (i < line->len && ((unsigned char)line->s[i] & 0xC0) == 0x80)
            i++;
        seen++;
    }
    line->len = i;
    line->s[i] = '\0';
}

void table_print(const struct table *table, FILE *out, size_t width)
{
    size_t *widths = xcalloc(table->columns, sizeof *widths);
    for (size_t i = 0; i < table->count; i++) {
        size_t w = width_of(table->cells[i]);
        if (w > widths[i % table->columns])
            widths[i % table->columns] = w;
    }
    struct str line = STR_INIT;
    for (size_t i = 0; i < table->count; i++) {
        size_t column = i % table->columns;
        const char *cell = table->cells[i];
        size_t pad = widths[column] - width_of(cell);
        bool is_last = column + 1 == table->columns;
        for (size_t p = 0; table->right[column] && p < pad; p++)
            str_addch(&line, ' ');
        str_add(&line, cell);
        for (size_t p = 0; !table->right[column] && !is_last && p < pad; p++)
            str_addch(&line, ' ');
        if (!is_last) {
            str_add(&line, "  ");
            continue;
        }
        if (width > 0)
            cut_to(&line, width);
        fprintf(out, "%s\n", str_get(&line));
        str_clear(&line);
    }
    str_release(&line);
    free(widths);
}

size_t terminal_width(FILE *out)
{
    struct winsize size;
    if (!isatty(fileno(out)))
        return 0;
    if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

void format_value(double value, char *text, size_t size)
{
    if (isnan(value))
        snprintf(text, size, "nan");
    else if (isinf(value))
        snprintf(text, size, value < 0 ? "-inf" : "inf");
    else
        snprintf(text, size, "%.6g", value);
}

void format_time(long long wall_ms, char *text, size_t size)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (wall_ms == 0 || !localtime_r(&seconds, &tm) || !strftime(text, size, "%Y-%m-%d %H:%M:%S", &tm))
        snprintf(text, size, "-");
}

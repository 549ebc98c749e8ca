// Any bytes as a table: no crash, every cell within the text, lines that ascend.

#include "base/csv.h"
#include "smoke.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct csv csv;
    char *text = xmalloc(size + 1);
    int last = 0;
    memcpy(text, data, size);
    text[size] = '\0';
    csv_init(&csv, text, size);
    while (csv_next(&csv, NULL) > 0) {
        if (csv.line <= last || csv.count == 0)
            abort();
        last = csv.line;
        for (size_t i = 0; i < csv.count; i++)
            if (csv.cells[i] < text || csv.cells[i] + strlen(csv.cells[i]) > text + size)
                abort();
    }
    csv_release(&csv);
    free(text);
    return 0;
}

#ifdef TRAWL_FUZZ_SMOKE
int main(void)
{
    static const char table[] = "\xEF\xBB\xBFlr,\"odd, \"\"name\"\"\",value\r\n0.1,\"two\nlines\",0.5\r\n\r\n,,\n\"\",a\"b,\n";
    smoke((const unsigned char *)table, sizeof table - 1);
    printf("fuzz_csv: %d mutations\n", SMOKE_MUTATIONS);
    return 0;
}
#endif

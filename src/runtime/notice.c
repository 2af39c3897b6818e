/* notice.c - a JSON object and its file. */
#include "runtime/notice.h"

#include "base/mem.h"

#include <errno.h>
#include <jansson.h>
#include <unistd.h>

struct notice {
    json_t *root;
};

struct notice *notice_new(const char *application)
{
    struct notice *notice = mem_new(sizeof *notice);
    notice->root = json_pack("{s:s, s:s, s:i, s:{}}", "application", application, "version",
                             STATEFUN_VERSION, "pid", (int)getpid(), "listeners");
    if (!notice->root) /* a name that is not UTF-8 */
        notice->root = json_pack("{s:s, s:i, s:{}}", "version", STATEFUN_VERSION, "pid",
                                 (int)getpid(), "listeners");
    return notice;
}

void notice_free(struct notice *notice)
{
    if (!notice)
        return;
    json_decref(notice->root);
    free(notice);
}

void notice_add_listener(struct notice *notice, const char *name, const char *where)
{
    json_object_set_new(json_object_get(notice->root, "listeners"), name, json_string(where));
}

void notice_add_status(const struct notice *notice, bool is_ready, uint64_t epoch, uint32_t workers,
                       uint32_t partitions, struct buffer *text)
{
    json_t *more = json_pack("{s:b, s:I, s:i, s:i}", "ready", is_ready, "epoch", (json_int_t)epoch,
                             "workers", (int)workers, "partitions", (int)partitions);
    json_object_update(more, notice->root);
    char *dump = json_dumps(more, JSON_COMPACT);
    buffer_add_text(text, dump ? dump : "{}");
    buffer_add_u8(text, '\n');
    free(dump);
    json_decref(more);
}

static char *file_in(const char *directory, const char *suffix)
{
    return mem_format("%s/runtime.json%s", directory, suffix);
}

/* Appears whole, as somebody may be waiting for it. */
bool notice_write(const struct notice *notice, const char *directory, struct sf_status *status)
{
    char *file = file_in(directory, ""), *part = file_in(directory, ".part");
    bool good = json_dump_file(notice->root, part, JSON_INDENT(2)) == 0 && rename(part, file) == 0;
    if (!good)
        sf_fail(status, SF_IO, "cannot write %s: %s", file, strerror(errno));
    free(file);
    free(part);
    return good;
}

void notice_remove(const char *directory)
{
    char *file = file_in(directory, "");
    (void)unlink(file); /* it may never have been written */
    free(file);
}

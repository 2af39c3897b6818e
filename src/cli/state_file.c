/* state_file.c - files of state lines: read in chunks of whole lines, written a page at a time, so
 * that memory does not depend on how many there are.
 *
 * A file is read twice: all of it is checked before any of it is put. What is put is committed a
 * chunk at a time; an import that was interrupted is simply done again, as putting the same once
 * more changes nothing. */
#include "cli/progress.h"
#include "cli/state_source.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 256 << 20, READ_BYTES = 256 * 1024 };

struct line_file {
    const char *name; /* for messages */
    int fd;
    bool is_regular;
    uint64_t size;
    struct buffer buffer; /* what was read and not given yet begins at `at` */
    size_t at;
    bool at_end;
    uint64_t line; /* how many lines were given */
    uint64_t done; /* and bytes */
};

static bool fail_file(const struct line_file *file, const char *what, struct sf_status *status)
{
    return sf_fail(status, errno == ENOENT ? SF_NOT_FOUND : SF_IO, "%s: cannot %s: %s", file->name,
                   what, strerror(errno));
}

static bool line_file_open(struct line_file *file, const char *name, struct sf_status *status)
{
    bool is_input = !strcmp(name, "-");
    struct stat found;
    *file = (struct line_file){.name = is_input ? "standard input" : name, .fd = STDIN_FILENO};
    if (!is_input)
        file->fd = open(name, O_RDONLY | O_CLOEXEC);
    if (file->fd < 0 || fstat(file->fd, &found))
        return fail_file(file, "open it", status);
    file->is_regular = S_ISREG(found.st_mode) && lseek(file->fd, 0, SEEK_CUR) == 0;
    file->size = file->is_regular ? (uint64_t)found.st_size : 0;
    return true;
}

static void line_file_close(struct line_file *file)
{
    buffer_destroy(&file->buffer);
    if (file->fd > STDIN_FILENO)
        close(file->fd);
}

static bool line_file_rewind(struct line_file *file, struct sf_status *status)
{
    if (lseek(file->fd, 0, SEEK_SET))
        return fail_file(file, "read it again", status);
    buffer_clear(&file->buffer);
    file->at = 0;
    file->at_end = false;
    file->line = file->done = 0;
    return true;
}

static bool read_more(struct line_file *file, struct sf_status *status)
{
    ssize_t size;
    do
        size = read(file->fd, buffer_reserve(&file->buffer, READ_BYTES), READ_BYTES);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return fail_file(file, "read it", status);
    file->buffer.size += (size_t)size;
    file->at_end = size == 0;
    return true;
}

/* Lends whole lines of about `most` bytes (or one that is longer); none at the end. `first` is the
 * number of lines before them. */
static bool take_chunk(struct line_file *file, size_t most, struct bytes *ret_chunk,
                       uint64_t *ret_first, struct sf_status *status)
{
    const uint8_t *end = NULL;
    buffer_drop(&file->buffer, file->at);
    file->at = 0;
    for (;;) {
        struct buffer *buffer = &file->buffer;
        if (buffer->size && (buffer->size >= most || file->at_end))
            end = memrchr(buffer->data, '\n', buffer->size);
        if (end || file->at_end)
            break;
        if (buffer->size > LINE_BYTES_MAX)
            return sf_fail(status, SF_INVALID, "%s:%llu: the line is longer than %d bytes",
                           file->name, (unsigned long long)file->line + 1, LINE_BYTES_MAX);
        if (!read_more(file, status))
            return false;
    }
    file->at = end && !file->at_end ? (size_t)(end + 1 - file->buffer.data) : file->buffer.size;
    *ret_chunk = bytes_make(file->buffer.data, file->at);
    *ret_first = file->line;
    for (size_t i = 0; i < file->at; i++)
        file->line += file->buffer.data[i] == '\n';
    file->done += file->at;
    return true;
}

static bool at_line(const struct line_file *file, uint64_t line, struct sf_status *status)
{
    return sf_wrap(status, "%s:%llu", file->name, (unsigned long long)line);
}

static bool check_chunk(struct state_source *source, const struct line_file *file,
                        struct bytes text, uint64_t first, uint64_t *count,
                        struct sf_status *status)
{
    struct arena arena = {0};
    struct state_lines lines = {text, 0};
    bool good = true;
    while (good && state_lines_next(&lines, &text)) {
        struct state_line line;
        arena_clear(&arena);
        good = (state_line_parse(text, &arena, &line, status) &&
                (!source->kind->check || source->kind->check(source, &line, status))) ||
               at_line(file, first + lines.number, status);
        ++*count;
    }
    arena_destroy(&arena);
    return good;
}

static bool check_all(struct state_source *source, struct line_file *file, struct sf_status *status)
{
    struct progress progress;
    struct bytes chunk;
    uint64_t first, count = 0;
    bool good;
    progress_begin(&progress, "check", file->size);
    while ((good = take_chunk(file, READ_BYTES, &chunk, &first, status)) && chunk.size &&
           (good = check_chunk(source, file, chunk, first, &count, status)))
        progress_show(&progress, file->done, count);
    progress_end(&progress, false, count);
    return good && line_file_rewind(file, status);
}

static bool put_all(struct state_source *source, struct line_file *file, struct sf_status *status)
{
    struct progress progress;
    struct bytes chunk;
    uint64_t first, count = 0;
    bool good;
    progress_begin(&progress, "import", file->size);
    while ((good = take_chunk(file, source->kind->import_bytes, &chunk, &first, status)) &&
           chunk.size) {
        size_t line = 0;
        uint64_t more = 0;
        good = (file->is_regular || check_chunk(source, file, chunk, first, &more, status));
        if (good && !(good = source->kind->import(source, chunk, &line, status)) && line)
            (void)at_line(file, first + line, status);
        if (!good)
            break;
        count = file->line;
        progress_show(&progress, file->done, count);
    }
    progress_end(&progress, good, count);
    if (!good && first)
        fprintf(stderr, "the first %llu lines of %s were put\n", (unsigned long long)first,
                file->name);
    return good;
}

bool state_import(struct state_source *source, const char *name, struct sf_status *status)
{
    struct line_file file;
    bool good = line_file_open(&file, name, status) &&
                (!file.is_regular || check_all(source, &file, status)) &&
                put_all(source, &file, status);
    line_file_close(&file);
    return good;
}

/* --- export --- */

static bool write_pages(struct state_source *source, FILE *to, const char *name,
                        struct sf_status *status)
{
    struct buffer mark = {0}, lines = {0};
    struct progress progress;
    uint64_t count = 0;
    bool good;
    progress_begin(&progress, "export", 0);
    do {
        good = source->kind->export_page(source, &mark, &lines, status);
        if (good && lines.size && fwrite(lines.data, 1, lines.size, to) != lines.size)
            good = sf_fail(status, SF_IO, "%s: cannot write: %s", name, strerror(errno));
        for (size_t i = 0; i < lines.size; i++)
            count += lines.data[i] == '\n';
        progress_show(&progress, 0, count);
    } while (good && mark.size);
    progress_end(&progress, good, count);
    buffer_destroy(&mark);
    buffer_destroy(&lines);
    return good;
}

static bool export_to_file(struct state_source *source, const char *name, struct sf_status *status)
{
    char *part = mem_format("%s.part", name);
    FILE *to = fopen(part, "we");
    bool good = to || sf_fail(status, SF_IO, "%s: cannot make it: %s", part, strerror(errno));
    good = good && write_pages(source, to, part, status);
    if (to && fclose(to) && good)
        good = sf_fail(status, SF_IO, "%s: cannot write: %s", part, strerror(errno));
    if (good && rename(part, name))
        good =
            sf_fail(status, SF_IO, "%s: cannot rename it to %s: %s", part, name, strerror(errno));
    if (to && !good)
        (void)unlink(part);
    free(part);
    return good;
}

bool state_export(struct state_source *source, const char *name, struct sf_status *status)
{
    if (strcmp(name, "-"))
        return export_to_file(source, name, status);
    bool good = write_pages(source, stdout, "standard output", status);
    if (fflush(stdout) && good)
        good = sf_fail(status, SF_IO, "standard output: cannot write: %s", strerror(errno));
    return good;
}

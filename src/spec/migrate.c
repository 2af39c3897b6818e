/* migrate.c - see migrate.h. Placeholders stay what they are: the file is for another place. */
#include "spec/migrate.h"

#include "base/mem.h"
#include "spec/old_format.h"

static void migrate(struct reader *reader, const struct yaml_node *document, struct buffer *to)
{
    struct translation translation;
    size_t before = to->size;
    (void)old_format_translate(reader, document, &translation); /* what is missing was reported */
    if (!translation.is_current)
        buffer_add_text(to,
                        "# From a module of StateFun 2.x. Its functions need a 3.x SDK, too.\n");
    if (!translation_write(&translation, false, to)) {
        reader_error(reader, &document->place,
                     "what this file becomes is too large: expected at most %d bytes",
                     YAML_BYTES_MAX);
        to->size = before;
    }
}

void module_migrate(const char *name, struct bytes text, struct buffer *to,
                    struct diagnostics *diagnostics)
{
    static const struct application_options options = {.unknown_keys_are_errors = true};
    struct reader reader = {
        .application = mem_new(sizeof *reader.application),
        .diagnostics = diagnostics,
        .options = &options,
    };
    struct yaml_stream stream;
    yaml_stream_init(&stream, name, text, NULL, diagnostics);
    const struct yaml_node *document = stream.is_whole ? old_format_find(&stream) : NULL;
    if (document)
        migrate(&reader, document, to);
    else if (stream.is_whole)
        buffer_add_bytes(to, text);
    yaml_stream_destroy(&stream);
    application_free(reader.application);
}

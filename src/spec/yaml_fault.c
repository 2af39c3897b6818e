/* yaml_fault.c - libyaml says what it did not find; people want to hear what to write instead. */
#include "spec/yaml_fault.h"

#include "base/mem.h"

#include <stdio.h>

static const struct hint {
    const char *problem;
    const char *hint;
    bool is_at_context; /* the mistake is where the thing began, not where it was noticed */
} hints[] = {
    {"mapping values are not allowed in this context",
     "expected one 'key: value' on a line, indented like its neighbours; text that holds ': ' "
     "must be quoted",
     false},
    {"found character that cannot start any token",
     "expected spaces for indentation, not tabs, and quotes around text that begins with @, ` or %",
     false},
    {"did not find expected key", "expected 'key: value', indented like the lines before it",
     false},
    {"did not find expected '-' indicator", "expected '- item', indented like the items before it",
     false},
    {"could not find expected ':'", "expected 'key: value', with a space behind the colon", true},
    {"did not find expected <document start>", "expected '---' between two documents", false},
    {"did not find expected ',' or ']'", "expected ']' at the end of the list", false},
    {"did not find expected ',' or '}'", "expected '}' at the end of the object", false},
    {"found unexpected end of stream", "expected a closing quote", true},
};

static const struct hint *hint_for(const char *problem)
{
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (!strcmp(hints[i].problem, problem))
            return &hints[i];
    return NULL;
}

/* libyaml gives an offset, and no line, for bytes that are no characters. */
static void report_bytes(const yaml_parser_t *parser, const char *file, struct bytes bytes,
                         struct diagnostics *diagnostics)
{
    size_t at = parser->problem_offset < bytes.size ? parser->problem_offset : bytes.size;
    unsigned line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        bool is_newline = bytes.data[i] == '\n';
        line += is_newline;
        if (is_newline)
            column = 1;
        else if ((bytes.data[i] & 0xc0) != 0x80)
            column++;
    }
    diagnostics_add(diagnostics, SEVERITY_ERROR, file, line, column,
                    "not YAML: %s: expected UTF-8 text without control characters",
                    parser->problem);
}

void yaml_fault_report(const yaml_parser_t *parser, const char *file, struct bytes bytes,
                       struct diagnostics *diagnostics)
{
    if (parser->error == YAML_MEMORY_ERROR)
        abort(); /* as mem.c has it */
    if (parser->error == YAML_READER_ERROR) {
        report_bytes(parser, file, bytes, diagnostics);
        return;
    }

    const struct hint *hint = hint_for(parser->problem);
    bool is_at_context = hint && hint->is_at_context && parser->context;
    yaml_mark_t mark = is_at_context ? parser->context_mark : parser->problem_mark;
    struct buffer text = {0};
    if (parser->context)
        buffer_add_text(&text, parser->context);
    if (parser->context && parser->context_mark.line != mark.line)
        buffer_add_format(&text, " that begins at line %zu", parser->context_mark.line + 1);
    buffer_add_format(&text, "%s%s", parser->context ? ", " : "", parser->problem);
    if (hint)
        buffer_add_format(&text, ": %s", hint->hint);
    diagnostics_add(diagnostics, SEVERITY_ERROR, file, (unsigned)mark.line + 1,
                    (unsigned)mark.column + 1, "not YAML: %s", buffer_text(&text));
    buffer_destroy(&text);
}

#include "load.h"

#include "base/mem.h"
#include "spec/yaml.h"

static void read_yaml(struct yaml_stream *stream, const char *text, struct diagnostics *diagnostics)
{
    yaml_stream_init(stream, FILE_NAME, bytes_of(text), NULL, diagnostics);
}

/* Reads what has no faults. */
static void read_good(struct yaml_stream *stream, const char *text)
{
    struct diagnostics diagnostics = {0};
    read_yaml(stream, text, &diagnostics);
    if (diagnostics.count) {
        print_diagnostics(&diagnostics);
        fail_msg("expected no diagnostics for:\n%s", text);
    }
    assert_true(stream->is_whole);
    diagnostics_destroy(&diagnostics);
}

static void assert_place(struct spec_place place, unsigned line, unsigned column)
{
    assert_string_equal(place.file, FILE_NAME);
    assert_int_equal(place.line, line);
    assert_int_equal(place.column, column);
}

static void everything_knows_where_it_stands(void **state)
{
    (void)state;
    struct yaml_stream stream;
    read_good(&stream, "# a comment\n"
                       "kind: a/b\n"
                       "spec:\n"
                       "  list:\n"
                       "    - one\n"
                       "    - {x: 2}\n"
                       "  empty:\n");
    assert_int_equal(stream.document_count, 1);
    const struct yaml_node *root = stream.documents[0];
    assert_place(root->place, 2, 1);
    assert_place(yaml_find(root, "kind")->key_place, 2, 1);
    assert_place(yaml_find(root, "kind")->value->place, 2, 7);

    const struct yaml_node *spec = yaml_find(root, "spec")->value;
    const struct yaml_node *list = yaml_find(spec, "list")->value;
    assert_int_equal(list->kind, YAML_LIST);
    assert_int_equal(list->count, 2);
    assert_place(list->entries[0].value->place, 5, 7);
    const struct yaml_entry *x = yaml_find(list->entries[1].value, "x");
    assert_place(x->key_place, 6, 8);
    assert_place(x->value->place, 6, 11);
    assert_int_equal(yaml_find(spec, "empty")->value->kind, YAML_NULL);
    assert_null(yaml_find(spec, "absent"));
    assert_null(yaml_find(list, "absent"));
    yaml_stream_destroy(&stream);
}

/* Columns count characters, as editors do. */
static void columns_count_characters(void **state)
{
    (void)state;
    struct yaml_stream stream;
    read_good(&stream, "{\xc3\xa4\xc3\xb6: x, b: y}");
    assert_place(yaml_find(stream.documents[0], "b")->key_place, 1, 9);
    yaml_stream_destroy(&stream);
}

static void scalars_mean_what_they_mean_upstream(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        enum yaml_kind kind;
        const char *text; /* NULL: not compared */
    } cases[] = {
        {"text", YAML_TEXT, "text"},
        {"two words", YAML_TEXT, "two words"},
        {"'3.0'", YAML_TEXT, "3.0"},
        {"\"3.0\"", YAML_TEXT, "3.0"},
        {"3.0", YAML_FLOAT, "3.0"},
        {".5", YAML_FLOAT, ".5"},
        {"1.", YAML_FLOAT, "1."},
        {"1e3", YAML_FLOAT, "1e3"},
        {"-1.5E+3", YAML_FLOAT, "-1.5E+3"},
        {".inf", YAML_FLOAT, NULL},
        {"-.Inf", YAML_FLOAT, NULL},
        {".nan", YAML_FLOAT, NULL},
        {"12", YAML_INTEGER, "12"},
        {"-12", YAML_INTEGER, "-12"},
        {"+12", YAML_INTEGER, "12"},
        {"1_000", YAML_INTEGER, "1000"},
        {"010", YAML_INTEGER, "10"},
        {"0", YAML_INTEGER, "0"},
        {"-0", YAML_INTEGER, "-0"},
        {"000", YAML_INTEGER, "0"},
        {"0x10", YAML_TEXT, "0x10"},
        {"12:30:45", YAML_TEXT, "12:30:45"},
        {"1.2.3", YAML_TEXT, "1.2.3"},
        {"1e", YAML_TEXT, "1e"},
        {".", YAML_TEXT, "."},
        {"-", YAML_LIST, NULL},
        {"+", YAML_TEXT, "+"},
        {"10ms", YAML_TEXT, "10ms"},
        {"2020-02-01", YAML_TEXT, "2020-02-01"},
        {"true", YAML_SWITCH, "true"},
        {"FALSE", YAML_SWITCH, "false"},
        {"'true'", YAML_TEXT, "true"},
        {"yes", YAML_TEXT, "yes"},
        {"on", YAML_TEXT, "on"},
        {"null", YAML_NULL, NULL},
        {"~", YAML_NULL, NULL},
        {"", YAML_NULL, NULL},
        {"'null'", YAML_TEXT, "null"},
        {"''", YAML_TEXT, ""},
        {"!!str 12", YAML_TEXT, "12"},
        {"!!int '12'", YAML_INTEGER, "12"},
        {"!custom 12", YAML_TEXT, "12"},
        {"! 12", YAML_TEXT, "12"},
        {"!!null x", YAML_TEXT, "x"},
        {"|\n  a\n  b\n", YAML_TEXT, "a\nb\n"},
        {">\n  a\n  b\n", YAML_TEXT, "a b\n"},
        {"|\n  12\n", YAML_TEXT, "12\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct yaml_stream stream;
        char *yaml = mem_format("k: %s", cases[i].yaml);
        if (cases[i].kind == YAML_LIST) { /* "k: -" is an error; a list needs its own line */
            free(yaml);
            yaml = mem_string("k:\n-\n");
        }
        read_good(&stream, yaml);
        const struct yaml_node *node = yaml_find(stream.documents[0], "k")->value;
        if (node->kind != cases[i].kind)
            fail_msg("'%s' is of kind %d", cases[i].yaml, (int)node->kind);
        if (cases[i].text)
            assert_string_equal(node->text, cases[i].text);
        yaml_stream_destroy(&stream);
        free(yaml);
    }
}

static void null_documents_are_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        size_t count;
    } cases[] = {{"", 0},
                 {"# nothing\n", 0},
                 {"---\n", 0},
                 {"---\n---\n", 0},
                 {"---\na: 1\n", 1},
                 {"a: 1\n---\n", 1},
                 {"~\n", 0},
                 {"a: 1\n...\n", 1},
                 {"a: 1\n---\nb: 1\n---\n---\nc: 1\n", 3},
                 {"\xef\xbb\xbf"
                  "a: 1\n",
                  1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct yaml_stream stream;
        read_good(&stream, cases[i].yaml);
        assert_int_equal(stream.document_count, cases[i].count);
        yaml_stream_destroy(&stream);
    }
}

static void an_alias_is_the_value_that_it_names(void **state)
{
    (void)state;
    struct yaml_stream stream;
    read_good(&stream, "a: &x {k: v}\n"
                       "b: *x\n"
                       "c: &x 7\n"
                       "d: *x\n"
                       "<<: *x\n");
    const struct yaml_node *root = stream.documents[0];
    assert_ptr_equal(yaml_find(root, "a")->value, yaml_find(root, "b")->value);
    assert_string_equal(yaml_find(root, "d")->value->text, "7");
    assert_string_equal(yaml_find(root, "<<")->value->text, "7"); /* no merging */
    yaml_stream_destroy(&stream);
}

struct fault_case {
    const char *yaml;
    const char *expected[EXPECTED_MAX];
    bool is_whole; /* reading could go on */
};

static void faults_name_their_place_and_what_was_expected(void **state)
{
    (void)state;
    static const struct fault_case cases[] = {
        {"a: 1\nb: 2\na: 3\na: 4\n",
         {"3:1: error: the key 'a' stands here a second time|expected it once|line 1 too|upstream "
          "silently took the last",
          "4:1: error: the key 'a'|line 1 too"},
         true},
        {"x:\n  - {k: 1, k: 2}\n", {"2:12: error: the key 'k'|line 2 too"}, true},
        {"a: b: c\n",
         {"1:5: error: not YAML|mapping values are not allowed|must be quoted"},
         false},
        {"a:\n\tb: 1\n", {"2:1: error: not YAML|cannot start any token|not tabs"}, false},
        {"a: @b\n", {"1:4: error: not YAML|quotes around text that begins with @"}, false},
        {"a: 1\n  b: 2\n", {"2:4: error: not YAML|mapping values are not allowed"}, false},
        {"a: 1\nb\nc: 2\n",
         {"2:1: error: not YAML|could not find expected ':'|a space behind the colon"},
         false},
        {"a:\n  - 1\n b: 2\n", {"3:2: error: not YAML|did not find expected key|line 1"}, false},
        {"a: [1, 2\nb: 3\n",
         {"2:2: error: not YAML|expected ']' at the end of the list|line 1"},
         false},
        {"a: {b: 1\n", {"2:1: error: not YAML|expected '}' at the end of the object"}, false},
        {"a: 'b\n", {"1:4: error: not YAML|while scanning a quoted scalar|closing quote"}, false},
        {"a: *x\n", {"1:4: error: the alias 'x' has no anchor before it"}, false},
        {"a: &x 1\n---\nb: *x\n", {"3:4: error: the alias 'x' has no anchor before it"}, false},
        {"a: &x [*x]\n",
         {"1:8: error: the alias 'x' stands inside the value that it names"},
         false},
        {"? [a]\n: 1\n", {"1:3: error: expected a key that is text, found a list"}, false},
        {"? {a: 1}\n: 1\n", {"1:3: error: expected a key that is text, found an object"}, false},
        {"a: &x 1\n*x : 2\n", {"2:1: error: expected a key that is text, found an alias"}, false},
        {"a: \"x\\0y\"\n", {"1:4: error: text that holds a NUL character"}, true},
        {"\"x\\0y\": a\n", {"1:1: error: a key that holds a NUL character"}, true},
        {"a: !!binary aGk=\n", {"1:4: error: the tag !!binary is not understood"}, true},
        {"a: 1\nb: \xff\n", {"2:4: error: not YAML|expected UTF-8 text"}, false},
        {"a: \x01\n", {"1:4: error: not YAML|control characters"}, false},
        {"a: 1\n--- b\nc: 2\n", {"3:2: error: not YAML"}, false},
        {"%YAML 9.1\n---\na: 1\n",
         {"1:1: error: not YAML|found incompatible YAML document"},
         false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct yaml_stream stream;
        struct diagnostics diagnostics = {0};
        read_yaml(&stream, cases[i].yaml, &diagnostics);
        assert_reported(&diagnostics, cases[i].expected, cases[i].yaml);
        if (stream.is_whole != cases[i].is_whole)
            fail_msg("is_whole is %d for:\n%s", stream.is_whole, cases[i].yaml);
        yaml_stream_destroy(&stream);
        diagnostics_destroy(&diagnostics);
    }
}

/* What stands before a fault is worth checking all the same. */
static void documents_before_a_fault_are_there(void **state)
{
    (void)state;
    struct yaml_stream stream;
    struct diagnostics diagnostics = {0};
    read_yaml(&stream, "a: 1\n---\nb: 2\n---\nc: ]\n", &diagnostics);
    assert_int_equal(diagnostics.count, 1);
    assert_int_equal(stream.document_count, 2);
    assert_false(stream.is_whole);
    yaml_stream_destroy(&stream);
    diagnostics_destroy(&diagnostics);
}

static char *repeated(const char *text, size_t times, const char *end)
{
    struct buffer buffer = {0};
    for (size_t i = 0; i < times; i++)
        buffer_add_text(&buffer, text);
    buffer_add_text(&buffer, end);
    return buffer_text(&buffer);
}

static void assert_one_fault(struct bytes text, const char *line, const char *part)
{
    struct yaml_stream stream;
    struct diagnostics diagnostics = {0};
    yaml_stream_init(&stream, FILE_NAME, text, NULL, &diagnostics);
    assert_int_equal(diagnostics.count, 1);
    char *shown = diagnostic_line(&diagnostics.items[0]);
    assert_mentions(shown, line);
    assert_mentions(shown, part);
    free(shown);
    assert_false(stream.is_whole);
    yaml_stream_destroy(&stream);
    diagnostics_destroy(&diagnostics);
}

static void what_is_too_large_is_refused(void **state)
{
    (void)state;
    char *deep = repeated("[", 100, "");
    assert_one_fault(bytes_of(deep), ":1:65: ", "nested too deeply: expected at most 64 levels");
    free(deep);

    char *fits =
        repeated("[", 64, "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
    struct yaml_stream stream;
    read_good(&stream, fits);
    assert_int_equal(stream.documents[0]->depth, 64);
    yaml_stream_destroy(&stream);
    free(fits);

    /* 10^9 values in ten lines, if aliases were free */
    assert_one_fault(bytes_of("a: &a [x,x,x,x,x,x,x,x,x,x]\n"
                              "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                              "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                              "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                              "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                              "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"),
                     ":6:", "expected at most 1000000 values");

    /* Depth through aliases counts as well. */
    struct buffer chain = {0};
    buffer_add_text(&chain, "- &a0 []\n");
    for (int i = 1; i < 70; i++)
        buffer_add_format(&chain, "- &a%d [*a%d]\n", i, i - 1);
    assert_one_fault(buffer_bytes(&chain), ":64:", "nested too deeply");
    buffer_destroy(&chain);

    char *many = repeated("- x\n", YAML_NODES_MAX, "");
    assert_one_fault(bytes_of(many), ":1000000:3: ", "expected at most 1000000 values");
    free(many);

    char *long_text = repeated("x", YAML_BYTES_MAX + 1, "");
    assert_one_fault(bytes_of(long_text), FILE_NAME ": ", "expected at most 16777216 bytes");
    free(long_text);
}

static void a_description_says_what_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *description;
    } cases[] = {
        {"abc", "text 'abc'"}, {"3.0", "the number 3.0"},        {"1_0", "the number 1_0"},
        {"yes", "text 'yes'"}, {"True", "the truth value True"}, {"[]", "a list"},
        {"{}", "an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct yaml_stream stream;
        read_good(&stream, cases[i].yaml);
        assert_string_equal(yaml_describe(stream.documents[0]).text, cases[i].description);
        yaml_stream_destroy(&stream);
    }
}

static void a_file_that_cannot_be_read_is_reported(void **state)
{
    (void)state;
    struct diagnostics diagnostics = {0};
    struct buffer text = {0};
    assert_false(yaml_file_read("/nonexistent/x.yaml", &text, &diagnostics));
    assert_false(yaml_file_read("/", &text, &diagnostics));
    static const char *const expected[EXPECTED_MAX] = {
        "error: the file cannot be read: Is a directory",
        "error: the file cannot be read: No such file or directory"};
    assert_int_equal(diagnostics.count, 2);
    for (size_t i = 0; i < 2; i++) {
        char *line = diagnostic_line(&diagnostics.items[i]);
        assert_mentions(line, expected[i]);
        free(line);
    }
    buffer_destroy(&text);
    diagnostics_destroy(&diagnostics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_knows_where_it_stands),
        cmocka_unit_test(columns_count_characters),
        cmocka_unit_test(scalars_mean_what_they_mean_upstream),
        cmocka_unit_test(null_documents_are_passed_over),
        cmocka_unit_test(an_alias_is_the_value_that_it_names),
        cmocka_unit_test(faults_name_their_place_and_what_was_expected),
        cmocka_unit_test(documents_before_a_fault_are_there),
        cmocka_unit_test(what_is_too_large_is_refused),
        cmocka_unit_test(a_description_says_what_was_found),
        cmocka_unit_test(a_file_that_cannot_be_read_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* headers_test.c - values of headers: from where they come, and how they change. */
#include "test.h"

#include "base/mem.h"
#include "function/headers.h"

#include <stdio.h>
#include <unistd.h>

static struct fixture {
    char folder[40];
    char *file;
    struct header_spec spec;
    struct header_list list;
    struct headers *headers;
    struct sf_status status;
} * f;

static int set_up(void **state)
{
    (void)state;
    f = mem_new(sizeof *f);
    snprintf(f->folder, sizeof f->folder, "/tmp/statefun-headers-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->file = mem_format("%s/token", f->folder);
    f->spec = (struct header_spec){
        .name = (char *)"authorization", .prefix = "Bearer ", .source = HEADER_FILE};
    f->spec.file.path = f->file;
    f->spec.place.line = 7;
    f->list = (struct header_list){&f->spec, 1};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    headers_free(f->headers);
    unlink(f->file);
    rmdir(f->folder);
    free(f->file);
    free(f);
    return 0;
}

/* As whoever renews secrets does it: another file under the same name. */
static void write_file(const char *text)
{
    char *other = mem_format("%s/new", f->folder);
    FILE *file = fopen(other, "w");
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(other, f->file), 0);
    free(other);
}

static void open_headers(void)
{
    assert_good(headers_new(&f->list, &f->headers, NULL, &f->status), &f->status);
}

static void assert_value(const char *value)
{
    struct header_values values;
    headers_copy(f->headers, &values);
    assert_int_equal(values.count, 1);
    assert_bytes(values.items[0].name, "authorization");
    assert_bytes(values.items[0].value, value);
    header_values_destroy(&values);
}

static void refused(const char *message)
{
    struct spec_place place = {0};
    assert_false(headers_new(&f->list, &f->headers, &place, &f->status));
    assert_mentions(f->status.message, "the header 'authorization': ");
    assert_mentions(f->status.message, message);
    assert_int_equal(place.line, 7);
}

static void a_value_stands_in_a_file_without_the_space_around_it(void **state)
{
    (void)state;
    write_file(" abc.def \r\n");
    open_headers();
    assert_value("Bearer abc.def");
    assert_true(headers_may_change(f->headers));
}

static void a_value_stands_in_the_environment(void **state)
{
    (void)state;
    f->spec.source = HEADER_ENVIRONMENT;
    f->spec.text = (char *)"STATEFUN_TEST_TOKEN";
    unsetenv("STATEFUN_TEST_TOKEN");
    refused("the environment variable STATEFUN_TEST_TOKEN is not set");
    setenv("STATEFUN_TEST_TOKEN", "xyz", 1);
    open_headers();
    assert_value("Bearer xyz");
    assert_false(headers_may_change(f->headers));
}

static void a_file_without_a_value_is_refused_and_not_shown(void **state)
{
    (void)state;
    refused("No such file or directory");
    write_file("\n");
    refused("expected a header's value, found nothing");
    write_file("hunter2\r\nX-Evil: 1\n");
    refused("found more than one line or a control character");
    assert_null(strstr(f->status.message, "hunter2"));
    char *large = mem_new(9000);
    memset(large, 'x', 8999);
    write_file(large);
    refused("expected at most 8192 bytes");
    free(large);
}

static void a_changed_file_is_read_again(void **state)
{
    (void)state;
    write_file("one");
    open_headers();
    unsigned version = headers_version(f->headers);
    headers_refresh(f->headers);
    assert_int_equal(headers_version(f->headers), version);
    write_file("two");
    headers_refresh(f->headers);
    assert_int_not_equal(headers_version(f->headers), version);
    assert_value("Bearer two");
}

static void a_file_that_makes_no_sense_leaves_the_value_as_it_was(void **state)
{
    (void)state;
    write_file("one");
    open_headers();
    unlink(f->file);
    headers_refresh(f->headers);
    assert_value("Bearer one");
    write_file("");
    headers_refresh(f->headers);
    assert_value("Bearer one");
    write_file("two");
    headers_refresh(f->headers);
    assert_value("Bearer two");
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_value_stands_in_a_file_without_the_space_around_it),
        TEST(a_value_stands_in_the_environment),
        TEST(a_file_without_a_value_is_refused_and_not_shown),
        TEST(a_changed_file_is_read_again),
        TEST(a_file_that_makes_no_sense_leaves_the_value_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

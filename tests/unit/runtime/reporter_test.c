/* reporter_test.c - what engines report, as lines; and no floods of them. */
#include "test.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/keys.h"
#include "runtime/reporter.h"

#include <stdio.h>
#include <unistd.h>

struct fixture {
    FILE *file;
    struct reporter reporter;
    struct arena arena;
    struct address address;
    char text[16384];
};

static int set_up(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->file = tmpfile();
    log_redirect(fileno(f->file));
    *state = f;
    return !address_make(bytes_of("a"), bytes_of("f"), bytes_of("ann"), &f->arena, &f->address,
                         NULL);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    log_redirect(-1);
    fclose(f->file);
    arena_destroy(&f->arena);
    free(f);
    return 0;
}

static const char *logged(struct fixture *f)
{
    ssize_t size = pread(fileno(f->file), f->text, sizeof f->text - 1, 0);
    assert_true(size >= 0);
    f->text[size] = '\0';
    return f->text;
}

static size_t line_count(struct fixture *f)
{
    size_t count = 0;
    for (const char *c = logged(f); *c; c++)
        count += *c == '\n';
    return count;
}

static void tell(struct fixture *f, enum report_kind kind, uint64_t now_ms)
{
    struct report report = {
        .kind = kind, .address = f->address.wire, .cause = bytes_of("some cause"), .attempts = 3};
    reporter_tell(&f->reporter, &report, now_ms);
}

static void a_failing_address_is_named_with_its_cause(void **state)
{
    struct fixture *f = *state;
    tell(f, REPORT_FAILING, 1000);
    assert_mentions(logged(f), "WARN  a function fails and is tried again");
    assert_mentions(logged(f), "address=a/f/ann cause=\"some cause\"\n");
}

static void a_recovered_address_is_named_with_its_failures(void **state)
{
    struct fixture *f = *state;
    tell(f, REPORT_RECOVERED, 1000);
    assert_mentions(logged(f), "INFO  a function that failed works again");
    assert_mentions(logged(f), "address=a/f/ann failures=3\n");
}

static void a_dead_letter_is_told_without_what_it_holds(void **state)
{
    struct fixture *f = *state;
    struct dead_letter letter = {.cause = bytes_of("too large"),
                                 .origin = bytes_of("a/f/ann"),
                                 .egress = bytes_of("a/out"),
                                 .key = bytes_of("secret key"),
                                 .value = bytes_of("secret value")};
    struct report report = {.kind = REPORT_DEAD_LETTER, .cause = letter.cause, .letter = &letter};
    reporter_tell(&f->reporter, &report, 1000);
    assert_mentions(logged(f), "origin=a/f/ann target=a/out cause=\"too large\"\n");
    assert_null(strstr(logged(f), "secret"));
}

static void a_flood_is_cut_to_a_few_lines_and_counted(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1000; i++)
        tell(f, REPORT_FAILING, 20000 + (uint64_t)i);
    assert_int_equal(line_count(f), 10);
    tell(f, REPORT_FAILING, 30000);
    assert_int_equal(line_count(f), 12);
    assert_mentions(logged(f), "more of the same was not written lines=990\n");
}

static void a_quiet_window_says_nothing_of_the_last(void **state)
{
    struct fixture *f = *state;
    for (uint64_t now_ms = 20000; now_ms < 120000; now_ms += 10000)
        for (int i = 0; i < 5; i++)
            tell(f, REPORT_FAILING, now_ms);
    assert_int_equal(line_count(f), 50);
    assert_null(strstr(logged(f), "more of the same"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failing_address_is_named_with_its_cause),
        TEST(a_recovered_address_is_named_with_its_failures),
        TEST(a_dead_letter_is_told_without_what_it_holds),
        TEST(a_flood_is_cut_to_a_few_lines_and_counted),
        TEST(a_quiet_window_says_nothing_of_the_last),
    };
    return cmocka_run_group_tests_name("reporter", tests, NULL, NULL);
}

/* log_test.c - one line for each thing, whole and unforgeable. */
#include "test.h"

#include "base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static char path[] = "/tmp/statefun-log-XXXXXX";
static int fd = -1;

static int set_up(void **state)
{
    (void)state;
    memset(path + sizeof path - 7, 'X', 6);
    fd = mkstemp(path);
    if (fd < 0)
        return -1;
    (void)fcntl(fd, F_SETFL, O_APPEND);
    log_redirect(fd);
    log_configure(LOG_INFO, LOG_AS_TEXT);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    log_redirect(-1);
    log_configure(LOG_INFO, LOG_AS_TEXT);
    close(fd);
    unlink(path);
    return 0;
}

/* All that was logged, in static memory. */
static char *logged(void)
{
    static char text[1 << 20];
    ssize_t size = pread(fd, text, sizeof text - 1, 0);
    assert_true(size >= 0);
    text[size] = '\0';
    return text;
}

/* The line behind its time, "2026-11-23T08:13:00.123Z", which is checked by its form. */
static const char *timeless(const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < sizeof form - 1; i++)
        if (form[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
            fail_msg("no time at the start of %s", line);
    return line + sizeof form - 1;
}

static void a_line_of_text_has_time_level_message_and_fields(void **state)
{
    (void)state;
    log_info("ingress is listening", LOG_TEXT("ingress", "a/b"), LOG_NUMBER("port", 8090));
    assert_string_equal(timeless(logged()), " INFO  ingress is listening ingress=a/b port=8090\n");
}

static void each_level_has_its_name(void **state)
{
    (void)state;
    log_configure(LOG_DEBUG, LOG_AS_TEXT);
    log_debug("one");
    log_info("two");
    log_warn("three");
    log_error("four");
    static const char *const lines[] = {" DEBUG one", " INFO  two", " WARN  three", " ERROR four"};
    char *line = strtok(logged(), "\n");
    for (int i = 0; i < 4; i++, line = strtok(NULL, "\n"))
        assert_string_equal(timeless(line), lines[i]);
    assert_null(line);
}

static void what_is_below_the_level_is_not_written(void **state)
{
    (void)state;
    log_configure(LOG_WARN, LOG_AS_TEXT);
    log_info("no");
    assert_false(log_wants(LOG_INFO));
    assert_true(log_wants(LOG_WARN));
    assert_string_equal(logged(), "");
    log_configure(LOG_OFF, LOG_AS_TEXT);
    log_error("no");
    assert_string_equal(logged(), "");
}

static void text_that_is_not_plain_is_quoted(void **state)
{
    (void)state;
    log_info("m", LOG_TEXT("a", "two words"), LOG_TEXT("b", ""), LOG_TEXT("c", "x=y"),
             LOG_TEXT("d", "say \"hi\""), LOG_TEXT("e", "back\\slash"), LOG_NUMBER("f", -5),
             LOG_TEXT("g", "\xc3\xa4"), LOG_BYTES("h", bytes_make("abc", 2)));
    assert_string_equal(timeless(logged()),
                        " INFO  m a=\"two words\" b=\"\" c=\"x=y\" d=\"say \\\"hi\\\"\" "
                        "e=\"back\\\\slash\" f=-5 g=\"\xc3\xa4\" h=ab\n");
}

/* What a stranger wrote must not look like a line of ours. */
static void a_field_cannot_begin_a_line(void **state)
{
    (void)state;
    log_info("m", LOG_TEXT("id", "x\nERROR forged\r\t\x1b[31m\x7f"));
    assert_string_equal(timeless(logged()),
                        " INFO  m id=\"x\\nERROR forged\\u000d\\u0009\\u001b[31m\\u007f\"\n");
}

static void bytes_that_are_not_utf8_are_escaped(void **state)
{
    (void)state;
    log_info("m", LOG_BYTES("id", bytes_make("\xff\0z", 3)));
    log_info("m", LOG_TEXT("id", "\xc3("));
    char *line = strtok(logged(), "\n");
    assert_string_equal(timeless(line), " INFO  m id=\"\\u00ff\\u0000z\"");
    assert_string_equal(timeless(strtok(NULL, "\n")), " INFO  m id=\"\\u00c3(\"");
}

static void a_line_of_json_is_one_object(void **state)
{
    (void)state;
    log_configure(LOG_INFO, LOG_AS_JSON);
    log_warn("a \"message\"", LOG_TEXT("id", "x\ny\\\x01"), LOG_NUMBER("n", INT64_MIN),
             LOG_TEXT("empty", ""), LOG_BYTES("raw", bytes_make("\xff", 1)));
    char *line = logged();
    assert_memory_equal(line, "{\"time\":\"", 9);
    assert_string_equal(timeless(line + 9),
                        "\",\"level\":\"WARN\",\"message\":\"a \\\"message\\\"\","
                        "\"id\":\"x\\ny\\\\\\u0001\",\"n\":-9223372036854775808,"
                        "\"empty\":\"\",\"raw\":\"\\u00ff\"}\n");
}

/* --- threads --- */

enum { THREADS = 4, LINES = 200, LONG = 300 };

static void *write_lines(void *letter)
{
    char text[LONG + 1];
    memset(text, *(const char *)letter, LONG);
    text[LONG] = '\0';
    for (int i = 0; i < LINES; i++)
        log_info("m", LOG_TEXT("text", text));
    return NULL;
}

static void lines_of_several_threads_never_mix(void **state)
{
    (void)state;
    static const char letters[THREADS] = {'a', 'b', 'c', 'd'};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, (void *)&letters[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);

    int counts[THREADS] = {0};
    for (char *line = strtok(logged(), "\n"); line; line = strtok(NULL, "\n")) {
        const char *text = timeless(line);
        assert_int_equal(strlen(text), strlen(" INFO  m text=") + LONG);
        text += strlen(" INFO  m text=");
        for (int i = 1; i < LONG; i++)
            assert_int_equal(text[i], text[0]);
        counts[text[0] - 'a']++;
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(counts[i], LINES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_of_text_has_time_level_message_and_fields),
        TEST(each_level_has_its_name),
        TEST(what_is_below_the_level_is_not_written),
        TEST(text_that_is_not_plain_is_quoted),
        TEST(a_field_cannot_begin_a_line),
        TEST(bytes_that_are_not_utf8_are_escaped),
        TEST(a_line_of_json_is_one_object),
        TEST(lines_of_several_threads_never_mix),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

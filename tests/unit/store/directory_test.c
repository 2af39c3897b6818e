/* directory_test.c - whose directory it is, and who may use it. */
#include "fixture.h"

#include "store/directory.h"

#include <signal.h>
#include <sys/wait.h>

struct fixture {
    char *place; /* exists */
    char *path;  /* does not yet, inside */
    struct sf_status status;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(sizeof *f);
    f->place = make_place();
    f->path = mem_format("%s/data", f->place);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    remove_tree(f->place);
    free(f->place);
    free(f->path);
    free(f);
    return 0;
}

static struct directory *open_good(struct fixture *f, uint32_t partitions)
{
    struct directory *directory = NULL;
    assert_good(directory_open(f->path, partitions, &directory, &f->status), &f->status);
    return directory;
}

/* Fails with `code`, and a message that mentions both. */
static void assert_refused(struct fixture *f, enum sf_code code, const char *what,
                           const char *found)
{
    struct directory *directory = NULL;
    assert_false(directory_open(f->path, 8, &directory, &f->status));
    assert_null(directory);
    assert_int_equal(f->status.code, code);
    assert_mentions(f->status.message, f->path);
    assert_mentions(f->status.message, what);
    assert_mentions(f->status.message, found);
}

static void a_new_directory_is_made_whole(void **state)
{
    struct fixture *f = *state;
    struct directory *directory = open_good(f, 8);
    assert_int_equal(directory->partitions, 8);
    assert_int_equal(strlen(directory->id), 32);
    assert_true(exists(f->path, "FORMAT"));
    assert_true(exists(f->path, "LOCK"));
    assert_true(exists(f->path, "log"));
    assert_true(exists(f->path, "view"));
    assert_false(exists(f->path, "FORMAT.new"));
    directory_close(directory);
}

static void an_existing_directory_keeps_its_partitions_and_its_id(void **state)
{
    struct fixture *f = *state;
    struct directory *directory = open_good(f, 8);
    char id[33];
    memcpy(id, directory->id, sizeof id);
    directory_close(directory);

    directory = open_good(f, 99);
    assert_int_equal(directory->partitions, 8);
    assert_string_equal(directory->id, id);
    directory_close(directory);
}

static void two_directories_have_different_ids(void **state)
{
    struct fixture *f = *state;
    char *other = mem_format("%s/other", f->place);
    struct directory *first = open_good(f, 8), *second = NULL;
    assert_good(directory_open(other, 8, &second, &f->status), &f->status);
    assert_string_not_equal(first->id, second->id);
    directory_close(first);
    directory_close(second);
    free(other);
}

static void the_same_process_cannot_open_it_twice(void **state)
{
    struct fixture *f = *state;
    struct directory *directory = open_good(f, 8);
    char *pid = mem_format("process %ld", (long)getpid());
    assert_refused(f, SF_CONFLICT, "in use", pid);
    assert_refused(f, SF_CONFLICT, "in use", pid); /* and the refusal has not given up the lock */
    free(pid);
    directory_close(directory);
    directory_close(open_good(f, 8));
}

/* Runs `act` in a child, which lives until the returned descriptor is closed. */
static pid_t start_child(void (*act)(struct fixture *), struct fixture *f, int *ret_fd)
{
    int ready[2], end[2];
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(end), 0);
    pid_t child = fork();
    if (!child) {
        char byte = 0;
        close(end[1]);
        if (act)
            act(f);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        (void)!read(end[0], &byte, 1); /* until the parent closes it */
        _exit(0);
    }
    char byte;
    close(end[0]);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *ret_fd = end[1];
    return child;
}

static void end_child(pid_t child, int fd)
{
    close(fd);
    waitpid(child, NULL, 0);
}

static void open_in_child(struct fixture *f)
{
    struct directory *directory;
    if (!directory_open(f->path, 8, &directory, &f->status))
        _exit(1);
}

static void another_process_is_refused_and_told_who_has_it(void **state)
{
    struct fixture *f = *state;
    int fd;
    pid_t child = start_child(open_in_child, f, &fd);
    char *pid = mem_format("process %ld", (long)child);
    assert_refused(f, SF_CONFLICT, "in use", pid);
    assert_refused(f, SF_CONFLICT, "in use", pid); /* asking does not take the lock away */
    free(pid);
    end_child(child, fd);
    directory_close(open_good(f, 8));
}

static void a_killed_process_leaves_no_lock(void **state)
{
    struct fixture *f = *state;
    int fd;
    pid_t child = start_child(open_in_child, f, &fd);
    assert_int_equal(kill(child, SIGKILL), 0);
    end_child(child, fd);
    directory_close(open_good(f, 8));
}

/* Opens, and forks a child of its own that outlives it. */
static void open_and_fork(struct fixture *f)
{
    open_in_child(f);
    pid_t heir = fork();
    if (!heir) {
        sleep(60);
        _exit(0);
    }
    char *text = mem_format("%ld", (long)heir);
    char *path = mem_format("%s/heir", f->place);
    int file = open(path, O_WRONLY | O_CREAT, 0600);
    if (file < 0 || write(file, text, strlen(text)) < 0)
        _exit(1);
    _exit(0);
}

static void a_child_does_not_inherit_the_lock(void **state)
{
    struct fixture *f = *state;
    pid_t child = fork();
    if (!child)
        open_and_fork(f);
    int result;
    waitpid(child, &result, 0);
    assert_int_equal(result, 0);

    struct buffer text = {0};
    char *path = mem_format("%s/heir", f->place);
    read_file(path, &text);
    pid_t heir = (pid_t)strtol(buffer_text(&text), NULL, 10);
    assert_int_equal(kill(heir, 0), 0); /* it lives */
    directory_close(open_good(f, 8));
    kill(heir, SIGKILL);
    buffer_destroy(&text);
    free(path);
}

static void a_child_is_told_that_its_parent_has_it(void **state)
{
    struct fixture *f = *state;
    struct directory *directory = open_good(f, 8), *second;
    char *parent = mem_format("process %ld", (long)getpid());
    pid_t child = fork();
    if (!child) {
        bool good = directory_open(f->path, 8, &second, &f->status);
        _exit(good || f->status.code != SF_CONFLICT || !strstr(f->status.message, parent) ||
              strstr(f->status.message, "this one"));
    }
    int result;
    waitpid(child, &result, 0);
    assert_int_equal(result, 0);
    free(parent);
    directory_close(directory);
}

static void a_directory_of_somebody_else_is_refused_and_not_touched(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdir(f->path, 0755), 0);
    write_text(f->path, "letter.txt", "dear");
    assert_refused(f, SF_UNSUPPORTED, "expected a data directory", "letter.txt");
    assert_false(exists(f->path, "LOCK"));
    assert_false(exists(f->path, "log"));
    assert_false(exists(f->path, "FORMAT"));
}

static void a_folder_named_log_with_something_inside_is_somebody_elses(void **state)
{
    struct fixture *f = *state;
    char *log = mem_format("%s/log", f->path);
    assert_int_equal(mkdir(f->path, 0755), 0);
    assert_int_equal(mkdir(log, 0755), 0);
    write_text(log, "syslog", "hello");
    assert_refused(f, SF_UNSUPPORTED, "no FORMAT file", "'log'");
    free(log);
}

static void what_a_crash_leaves_while_it_is_made_is_taken_up(void **state)
{
    struct fixture *f = *state;
    static const char *const folders[] = {"log", "view", "lost+found"};
    assert_int_equal(mkdir(f->path, 0755), 0);
    for (size_t i = 0; i < 3; i++) {
        char *folder = mem_format("%s/%s", f->path, folders[i]);
        assert_int_equal(mkdir(folder, 0755), 0);
        free(folder);
    }
    write_text(f->path, "LOCK", "4711\n");
    write_text(f->path, "FORMAT.new", "produ");
    struct directory *directory = open_good(f, 8);
    assert_int_equal(directory->partitions, 8);
    directory_close(directory);
}

static void a_file_in_its_place_is_refused(void **state)
{
    struct fixture *f = *state;
    write_text(f->place, "data", "a file");
    assert_refused(f, SF_IO, "directory", "Not a directory");
}

static void a_missing_parent_is_named(void **state)
{
    struct fixture *f = *state;
    free(f->path);
    f->path = mem_format("%s/missing/data", f->place);
    assert_refused(f, SF_IO, "make the directory", "No such file");
}

#define ID "id: 0123456789abcdef0123456789abcdef\n"

static void foreign_newer_and_damaged_formats_are_told_apart(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        enum sf_code code;
        const char *expected, *found;
    } cases[] = {
        {"", SF_UNSUPPORTED, "expected 'product: statefun'", "''"},
        {"hello\n", SF_UNSUPPORTED, "expected 'product: statefun'", "hello"},
        {"product: statefun", SF_UNSUPPORTED, "expected 'product: statefun'", "found"},
        {"product: other\nformat: 1\npartitions: 8\n" ID, SF_UNSUPPORTED,
         "expected product statefun", "'other'"},
        {"product: statefun\nformat: 2\npartitions: 8\n" ID, SF_UNSUPPORTED, "expected format 1",
         "found 2"},
        {"product: statefun\nformat: 99999999999\npartitions: 8\n" ID, SF_CORRUPT, "'format: '",
         "line 2"},
        {"product: statefun\nformat: one\npartitions: 8\n" ID, SF_CORRUPT, "'format: '", "line 2"},
        {"product: statefun\nformat: 1\npartitions: 0\n" ID, SF_CORRUPT, "'partitions: '",
         "line 3"},
        {"product: statefun\nformat: 1\npartitions: 32769\n" ID, SF_CORRUPT, "1 to 32768",
         "line 3"},
        {"product: statefun\nformat: 1\npartitions: -8\n" ID, SF_CORRUPT, "'partitions: '",
         "line 3"},
        {"product: statefun\nformat: 1\n" ID, SF_CORRUPT, "'partitions: '", "line 3"},
        {"product: statefun\nformat: 1\npartitions: 8\nid: 0123\n", SF_CORRUPT, "32 hexadecimal",
         "line 4"},
        {"product: statefun\nformat: 1\npartitions: 8\n", SF_CORRUPT, "32 hexadecimal", "line 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        remove_tree(f->path);
        assert_int_equal(mkdir(f->path, 0755), 0);
        write_text(f->path, "FORMAT", cases[i].text);
        assert_refused(f, cases[i].code, cases[i].expected, cases[i].found);
    }
    write_text(f->path, "FORMAT", "product: statefun\nformat: 1\npartitions: 8\n" ID);
    directory_close(open_good(f, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_new_directory_is_made_whole),
        TEST(an_existing_directory_keeps_its_partitions_and_its_id),
        TEST(two_directories_have_different_ids),
        TEST(the_same_process_cannot_open_it_twice),
        TEST(another_process_is_refused_and_told_who_has_it),
        TEST(a_killed_process_leaves_no_lock),
        TEST(a_child_does_not_inherit_the_lock),
        TEST(a_child_is_told_that_its_parent_has_it),
        TEST(a_directory_of_somebody_else_is_refused_and_not_touched),
        TEST(a_folder_named_log_with_something_inside_is_somebody_elses),
        TEST(what_a_crash_leaves_while_it_is_made_is_taken_up),
        TEST(a_file_in_its_place_is_refused),
        TEST(a_missing_parent_is_named),
        TEST(foreign_newer_and_damaged_formats_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

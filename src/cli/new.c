/* new.c - statefun new: a project to begin with, made of templates. */
#include "cli/command.h"

#include "base/mem.h"
#include "cli/template.h"
#include "spec/suggest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLAG_LANGUAGE, FLAG_KIND, FLAG_INGRESS, FLAG_COUNT };

const struct command_flag new_flags[] = {
    {"language", 0, "c|python|go|java|js", "What its function is written in; c unless given."},
    {"kind", 0, "embedded|remote",
     "embedded: the function runs in the runtime's process, which is for C only, and the default "
     "there; remote: in a process of its own, called over HTTP."},
    {"ingress", 0, "http|kafka",
     "http, the default: messages are sent and results fetched with HTTP requests; kafka: both are "
     "records of topics."},
    {0},
};

static const char *const languages[] = {"c", "python", "go", "java", "js", NULL};
static const char *const kinds[] = {"embedded", "remote", NULL};
static const char *const ingresses[] = {"http", "kafka", NULL};

static const char *const *const values_of[FLAG_COUNT] = {languages, kinds, ingresses};
static const char *const questions[FLAG_COUNT] = {
    "Which language", "Runs in the runtime's process (embedded), or in one of its own (remote)",
    "Where messages come from"};

struct project {
    const char *directory;
    const char *name; /* the last part of that */
    const char *chosen[FLAG_COUNT];
};

/* --- what is wanted --- */

static const char *find_value(unsigned flag, const char *text)
{
    const char *const *value = values_of[flag];
    while (*value && strcmp(*value, text) != 0)
        value++;
    return *value;
}

static bool take_flag(const struct command *command, struct project *project, unsigned flag,
                      const char *text)
{
    project->chosen[flag] = find_value(flag, text);
    if (project->chosen[flag])
        return true;
    struct suggestion suggestion = suggestion_for(text);
    for (const char *const *value = values_of[flag]; *value; value++)
        suggestion_offer(&suggestion, *value);
    command_wrong(command, "--%s: expected one of %s, found %s%s", command->flags[flag].name,
                  command->flags[flag].argument, text_quoted(text).text,
                  suggestion_hint(&suggestion).text);
    return false;
}

/* The answer of whoever sits at the terminal, asked until it is one; the first value at the end of
 * input, as for an empty line. */
static const char *ask(unsigned flag)
{
    char *line = NULL;
    size_t capacity = 0;
    const char *answer = NULL;
    while (!answer) {
        printf("%s? ", questions[flag]);
        for (const char *const *value = values_of[flag]; *value; value++)
            printf(value == values_of[flag] ? "[%s]" : ", %s", *value);
        printf(": ");
        fflush(stdout);
        ssize_t size = getline(&line, &capacity, stdin);
        if (size > 0 && line[size - 1] == '\n')
            line[--size] = 0;
        answer = size <= 0 ? values_of[flag][0] : find_value(flag, line);
    }
    free(line);
    return answer;
}

/* Only C can be embedded, so of other languages there is nothing to ask. */
static bool choose(const struct command *command, const struct inputs *inputs,
                   struct project *project)
{
    bool is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    for (unsigned flag = 0; flag < FLAG_COUNT; flag++) {
        const char *language = project->chosen[FLAG_LANGUAGE];
        bool is_remote = flag == FLAG_KIND && strcmp(language, "c") != 0;
        if (inputs_have_flag(inputs, flag) &&
            !take_flag(command, project, flag, inputs->values[flag]))
            return false;
        if (is_remote && project->chosen[flag] && strcmp(project->chosen[flag], "remote") != 0) {
            command_wrong(command,
                          "--kind: functions in C can be embedded; expected remote with "
                          "--language %s, found embedded",
                          language);
            return false;
        }
        if (!project->chosen[flag])
            project->chosen[flag] = is_remote     ? "remote"
                                    : is_terminal ? ask(flag)
                                                  : values_of[flag][0];
    }
    return true;
}

/* It becomes a namespace, a package and an image in several languages' eyes: what all of them take.
 */
static bool check_name(const struct command *command, const struct project *project)
{
    enum { NAME_BYTES_MAX = 64 };
    const char *name = project->name;
    size_t good = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    if (name[0] >= 'a' && name[0] <= 'z' && !name[good] && good <= NAME_BYTES_MAX)
        return true;
    command_wrong(command,
                  "expected a name of at most %d small letters, digits, - and _, that begins with "
                  "a letter, found %s",
                  NAME_BYTES_MAX, text_quoted(name).text);
    return false;
}

/* --- making it --- */

static bool make_directory(const char *path, struct sf_status *status)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ||
           sf_fail(status, SF_IO, "cannot make the directory %s: %s", path, strerror(errno));
}

/* The directory must be new, or empty. */
static bool make_project(const char *path, struct sf_status *status)
{
    if (!make_directory(path, status))
        return false;
    DIR *directory = opendir(path);
    if (!directory)
        return sf_fail(status, errno == ENOTDIR ? SF_INVALID : SF_IO,
                       "%s: expected nothing there, or an empty directory: %s", path,
                       strerror(errno));
    const char *found = NULL;
    for (struct dirent *entry; !found && (entry = readdir(directory));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            found = entry->d_name;
    if (found)
        sf_fail(status, SF_INVALID, "%s: expected nothing there, or an empty directory, found %s",
                path, text_quoted(found).text);
    closedir(directory);
    return !found;
}

/* Makes the directories on the way to `path`, behind its first `done` bytes. */
static bool make_parents(char *path, size_t done, struct sf_status *status)
{
    bool good = true;
    for (char *slash = path + done + 1; good && (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        good = make_directory(path, status);
        *slash = '/';
    }
    return good;
}

static bool write_file(const char *path, struct bytes text, struct sf_status *status)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    bool good = file && fwrite(text.data, 1, text.size, file) == text.size;
    if (file && fclose(file) != 0)
        good = false;
    return good || sf_fail(status, SF_IO, "cannot write %s: %s", path, strerror(errno));
}

/* A file of which nothing is left is not made. */
static bool make_file(const struct project *project, const struct template *template,
                      struct sf_status *status)
{
    const struct template_word words[] = {
        {"name", project->name}, {"version", STATEFUN_VERSION}, {0}};
    const char *const chosen[] = {project->chosen[FLAG_LANGUAGE], project->chosen[FLAG_KIND],
                                  project->chosen[FLAG_INGRESS], NULL};
    struct buffer text = {0};
    template_fill(bytes_make(template->text, template->size), words, chosen, &text);

    char *path = mem_format("%s/%s", project->directory, strchr(template->path, '/') + 1);
    bool good = !text.size || (make_parents(path, strlen(project->directory), status) &&
                               write_file(path, buffer_bytes(&text), status));
    free(path);
    buffer_destroy(&text);
    return good;
}

static bool make_files(const struct project *project, struct sf_status *status)
{
    const char *language = project->chosen[FLAG_LANGUAGE];
    size_t size = strlen(language);
    bool good = true;
    for (const struct template *template = templates; good && template->path; template ++) {
        bool is_ours = !strncmp(template->path, "common/", strlen("common/")) ||
                       (!strncmp(template->path, language, size) && template->path[size] == '/');
        good = !is_ours || make_file(project, template, status);
    }
    return good;
}

static void say_what_next(const struct project *project)
{
    printf("%s: %s, %s, %s\n\n"
           "    cd %s\n"
           "    statefun dev        # builds and runs it, and again after each change\n\n"
           "README.md there says how to test it, try it and debug it.\n",
           project->directory, project->chosen[FLAG_LANGUAGE], project->chosen[FLAG_KIND],
           project->chosen[FLAG_INGRESS], project->directory);
}

static int make(const struct command *command, const struct inputs *inputs)
{
    if (inputs->argument_count != 1)
        return command_wrong(command, "expected one NAME, found %zu arguments",
                             inputs->argument_count);
    char *directory = inputs->arguments[0];
    for (size_t size = strlen(directory); size > 1 && directory[size - 1] == '/';)
        directory[--size] = 0;
    const char *slash = strrchr(directory, '/');
    struct project project = {.directory = directory, .name = slash ? slash + 1 : directory};

    struct sf_status status;
    if (!check_name(command, &project) || !choose(command, inputs, &project))
        return EXIT_WRONG;
    if (!make_project(directory, &status) || !make_files(&project, &status))
        return command_failed(command, &status);
    say_what_next(&project);
    return EXIT_GOOD;
}

int new_run(const struct command *command, int argc, char **argv)
{
    int code;
    struct inputs inputs;
    if (!inputs_read(&inputs, command, argc, argv, &code))
        return code;
    code = make(command, &inputs);
    inputs_destroy(&inputs);
    return code;
}

/* main.c - which command is wanted. */
#include "cli/command.h"

#include "spec/suggest.h"

#include <stdio.h>
#include <string.h>

static const struct command_flag no_flags[] = {{0}};

const struct command commands[] = {
    {
        .name = "run",
        .summary = "run an application until it is told to stop",
        .text =
            "Loads the modules, composes them into one application, recovers what the data "
            "directory holds, and runs until SIGTERM or SIGINT: then it takes no more input, "
            "commits, and exits 0. A second signal ends it at once, which loses nothing that was "
            "committed either.",
        .flags = no_flags,
        .takes_modules = true,
        .run = run_run,
    },
    {
        .name = "new",
        .arguments = "NAME",
        .summary = "make a project: a function with a test, and all that belongs to it",
        .text =
            "Makes the directory NAME (its last part is the project's name) with a function that "
            "keeps state, its test, module.yaml, a build, a Dockerfile, settings for editors, and "
            "README.md. What no flag says is asked on a terminal; without one it is the default. "
            "Nothing is overwritten: the directory must be new, or empty.",
        .flags = new_flags,
        .run = new_run,
    },
    {
        .name = "dev",
        .arguments = "[DIRECTORY]",
        .summary = "build and run a project, and again after each change of its sources",
        .text =
            "Builds the project in DIRECTORY (else: the working directory), runs its functions and "
            "the runtime together, and watches its sources: after a change it builds again, and "
            "what has changed starts again, with its state. If that build fails, what ran before "
            "goes on. What to build, run and watch stands in statefun-dev.yaml there. Ctrl-C ends "
            "all of it. The flags are those of run, for the runtime.",
        .flags = no_flags,
        .settings = dev_settings,
        .run = dev_run,
    },
    {
        .name = "check",
        .summary = "say what is wrong with modules and settings, without running",
        .text = "Loads the modules as run does, with unknown keys as errors, and prints everything "
                "that is wrong, each as file:line:column: what is wrong, what was expected, what "
                "was found. Exits 0 if there is nothing, 2 if there is, and 1 if --connect finds "
                "an endpoint or broker that does not answer.",
        .flags = check_flags,
        .takes_modules = true,
        .run = check_run,
    },
    {
        .name = "migrate",
        .arguments = "FILE...",
        .summary = "print what module files of StateFun 2.x and 3.0 are today",
        .text = "Prints module files of the formats 1.0, 2.0 and 3.0 (one document with 'version') "
                "as components, on standard output; files of components as they stand. Each FILE "
                "is a file or a directory, as --module of run takes. What cannot be brought over "
                "is told as file:line:column, and in comments where it was. Functions of StateFun "
                "2.x need a 3.x SDK besides. Exits 0 if all was brought over, 2 if not.",
        .flags = no_flags,
        .takes_files = true,
        .run = migrate_run,
    },
    {
        .name = "deadletter",
        .arguments = "list|show|replay|discard|export [ID]...",
        .words = "list|show|replay|discard|export",
        .summary = "see what could not be delivered, send it again, or throw it away",
        .text =
            "Dead letters are records and messages that were set aside. 'list' tells of each in a "
            "line, 'show ID...' all of it, 'export' writes JSON, one line each. 'replay' sends "
            "again what can be sent, exactly once, and 'discard' removes: ID..., or those that "
            "fit the filters, or --all. A running runtime is asked through its admin listener; a "
            "stopped one's data directory is read and written itself. Exits 1 if something could "
            "not be done, 2 if the command line is wrong.",
        .flags = deadletter_flags,
        .settings = place_settings,
        .run = deadletter_run,
    },
    {
        .name = "address",
        .arguments = "list|resume [NAME]...",
        .words = "list|resume",
        .summary = "see addresses that were parked because they fail, and resume them",
        .text =
            "An address whose function has failed as often as its endpoint's 'failures' allows may "
            "be parked: it keeps its messages and is not invoked any more. 'list [NAME]...' tells "
            "of each in a line; 'resume NAME...' (function types or addresses) or 'resume --all' "
            "has them invoked again. A running runtime is asked through its admin listener; a "
            "stopped one's data directory is read and written itself.",
        .flags = address_flags,
        .settings = place_settings,
        .run = address_run,
    },
    {
        .name = "ingress",
        .arguments = "list|resume [ID]...",
        .words = "list|resume",
        .summary = "see whether ingresses read, and resume those that have stopped",
        .text =
            "A Kafka ingress with 'invalidRecordHandling: fail' stops before a record that cannot "
            "become a message. 'list [ID]...' tells of each ingress in a line: its id, its kind, "
            "and whether it is running or has stopped, since when, at which record and why. "
            "'resume [ID]...' has those that have stopped go on (without an ID, all of them): the "
            "record is read again or, with --skip, passed over and set aside as a dead letter. The "
            "running application is asked through its admin listener. Exits 1 if there is no such "
            "ingress, or if it has not stopped, 2 if the command line is wrong.",
        .flags = ingress_flags,
        .settings = place_settings,
        .run = ingress_run,
    },
    {
        .name = "state",
        .arguments = "get|put|delete|list|export|import [ARGUMENT]...",
        .words = "get|put|delete|list|export|import",
        .summary = "see and change the states of functions, export and import them",
        .text =
            "get ADDRESS STATE prints a value; put ADDRESS STATE [VALUE] sets it, to what is on "
            "standard input if no value is given; delete ADDRESS STATE takes it away; list ADDRESS "
            "tells which states there are. An ADDRESS is namespace/type/id. export [FILE] writes "
            "all states as lines of JSON, import [FILE] puts what such lines say; FILE is - for "
            "standard output or input, as when it is left out. All of this works on a running "
            "application, which is asked through its admin listener, and on the data directory of "
            "one that is stopped. Exits 1 if there is no such value, or if something failed, and 2 "
            "if the command line or a line of the file is wrong.",
        .flags = state_flags,
        .settings = state_settings,
        .run = state_run,
    },
    {
        .name = "reference",
        .arguments = "man|markdown|completion",
        .words = "man|markdown|completion",
        .summary = "print the man page, the reference of settings, or bash's completion",
        .text = "All three are made from the tables that the program itself uses. Completion: "
                "source <(statefun reference completion)",
        .flags = no_flags,
        .run = reference_run,
    },
    {0},
};

static const struct command *find(const char *name)
{
    const struct command *command = commands;
    while (command->name && strcmp(command->name, name) != 0)
        command++;
    return command->name ? command : NULL;
}

static int complain(const char *name)
{
    struct suggestion suggestion = suggestion_for(name);
    for (const struct command *command = commands; command->name; command++)
        suggestion_offer(&suggestion, command->name);
    fprintf(stderr, "statefun: there is no command '%s'", name);
    if (suggestion.best)
        fprintf(stderr, "; did you mean '%s'?", suggestion.best);
    fprintf(stderr, "\nTry 'statefun --help'.\n");
    return EXIT_WRONG;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        help_show();
        return EXIT_WRONG;
    }
    const char *first = argv[1];
    if (!strcmp(first, "--version") || !strcmp(first, "version")) {
        printf("statefun " STATEFUN_VERSION "\n");
        return EXIT_GOOD;
    }
    if (!strcmp(first, "--help") || !strcmp(first, "-h") || !strcmp(first, "help")) {
        const struct command *command = argc > 2 ? find(argv[2]) : NULL;
        if (argc > 2 && !command)
            return complain(argv[2]);
        if (command)
            help_show_command(command);
        else
            help_show();
        return EXIT_GOOD;
    }
    const struct command *command = find(first);
    return command ? command->run(command, argc - 1, argv + 1) : complain(first);
}

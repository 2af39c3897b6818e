/* main.c - the reminders as a remote function: reminders --help. */
#include "reminders.h"

#include <statefun/serve.h>

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, reminders_configure);
}

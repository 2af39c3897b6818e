/* main.c - the greeter as a remote function: greeter --help. */
#include "greeter.h"

#include <statefun/serve.h>

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, greeter_configure);
}

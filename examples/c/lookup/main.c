/* main.c - the lookups as a remote function: lookup --help. */
#include "lookup.h"

#include <statefun/serve.h>

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, lookup_configure);
}

/* main.c - the rides as a remote function: rides --help. */
#include "rides.h"

#include <statefun/serve.h>

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, rides_configure);
}

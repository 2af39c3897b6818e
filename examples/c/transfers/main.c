/* main.c - the accounts as a remote function: transfers --help. */
#include "transfers.h"

#include <statefun/serve.h>

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, transfers_configure);
}

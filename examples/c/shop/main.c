/* main.c - the shop as a remote function: shop --help. */
#include "shop.h"

#include <statefun/serve.h>

int main(int argc, char **argv)
{
    return sf_serve_main(argc, argv, shop_configure);
}

/* socket.c - see socket.h. */
#include "net/socket.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

static_assert(SOCKET_TEXT_MAX > sizeof(((struct sockaddr_un *)0)->sun_path) + 5, "room for a path");

bool socket_path_address(const char *path, struct sockaddr_un *ret_address)
{
    size_t size = strlen(path);
    if (size == 0 || size >= sizeof ret_address->sun_path)
        return false;
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, size);
    return true;
}

void socket_address_text(const struct sockaddr *address, socklen_t size,
                         char text[static SOCKET_TEXT_MAX])
{
    if (address->sa_family == AF_UNIX) {
        snprintf(text, SOCKET_TEXT_MAX, "unix:%s", ((const struct sockaddr_un *)address)->sun_path);
        return;
    }
    char host[96], port[8];
    if (getnameinfo(address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(text, SOCKET_TEXT_MAX, "an address");
    else
        snprintf(text, SOCKET_TEXT_MAX, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                 port);
}

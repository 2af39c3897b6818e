/* socket.h (net, internal) - socket addresses: made, tried, printed. */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SOCKET_TEXT_MAX = 128 }; /* of any address as text, with its NUL */

struct socket_address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* False if the path is empty or too long for a socket. */
bool socket_path_address(const char *path, struct sockaddr_un *ret_address);

/* "1.2.3.4:80", "[::1]:80" or "unix:/path". */
void socket_address_text(const struct sockaddr *address, socklen_t size,
                         char text[static SOCKET_TEXT_MAX]);

#endif

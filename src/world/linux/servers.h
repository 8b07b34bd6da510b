/* The HTTP servers of one loop: libmicrohttpd for HTTP/1.1 (http1.c), nghttp2 for HTTP/2 (http2.c). */
#pragma once

#include "world/http.h"
#include "world/linux/loop.h"

struct servers;

MUST_USE enum err servers_open(struct loop *l, struct servers **out);
struct http_host *servers_host(struct servers *s);
void servers_close(struct servers *s); /* every server is closed before; takes NULL */

/* One server on a listening socket, which it owns from here on. (For servers.c.) */
MUST_USE enum err http1_open(struct loop *l, const struct http_listen *o, int fd, int port, struct http_server **out);
MUST_USE enum err http2_open(struct loop *l, const struct http_listen *o, int fd, int port, struct http_server **out);

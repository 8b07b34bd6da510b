/* HTTP clients on libcurl: one multi handle each, its sockets and its timer in our loop.
 *
 * HTTP/1.1 only, connections kept and used again; no proxy, no redirect, no cookie, nothing from the
 * environment or ~/.netrc. Names are resolved on libcurl's own threads. */
#pragma once

#include "world/http.h"
#include "world/linux/loop.h"

struct clients;

MUST_USE enum err clients_open(struct loop *l, struct clients **out);
struct http_clients *clients_port(struct clients *c);
void clients_close(struct clients *c); /* every client is closed before; takes NULL */

/* Errors and addresses of the system, in our words. */
#pragma once

#include "base/str.h"

#include <sys/socket.h>

/* errno's number as ours; ERR_IO for what has no word of its own. */
enum err sys_err(int number);
/* The system's own sentence for it, never NULL; safe in every thread. */
const char *sys_text(int number);

struct sys_address {
	struct sockaddr_storage storage;
	socklen_t size;
};

/* "127.0.0.1", "::1", "[::1]" or "localhost" (127.0.0.1), and a port. False: it is a name, or nothing. */
bool sys_address_numeric(struct str host, int port, struct sys_address *out);
/* "127.0.0.1:41234" or "[::1]:41234". */
void sys_address_format(const struct sockaddr *a, char *out, size_t n);

/* A listening, non-blocking socket; *bound is its port. ERR_BUSY, ERR_DENIED, ERR_INVALID, each with
 * address, port and what to do. */
MUST_USE enum err sys_listen(struct str address, int port, int *fd, int *bound, struct why *why);

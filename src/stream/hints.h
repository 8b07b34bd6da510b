/* What errors speak of: words of many systems and codes of databases for the same few troubles.
 *
 * A hint never makes an incident. It tells of which kind the cause is, of somebody who is blamed already. Pure. */
#pragma once

#include "base/str.h"

/* The numbers are places in a checkpoint: new ones go to the end. */
enum hint {
	HINT_MEMORY,
	HINT_REFUSED, /* nobody listens */
	HINT_TIMEOUT,
	HINT_DISK, /* full, or read-only because of that */
	HINT_POOL, /* no connection is free: a client's pool is empty, or the server takes no more */
	HINTS
};

/* Bits of enum hint, by the first half KiB of an error's text. */
unsigned hints_of_text(struct str text);
/* HINTS: none. `system`: db.system.name, `code`: db.response.status_code or error.type (SQLSTATE, errno's name, or
 * the system's own number). */
enum hint hint_of_code(struct str system, struct str code);

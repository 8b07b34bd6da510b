/* scheme://user@host:port/path?key=value&... and the short form scheme:path?key=value. */
#pragma once

#include "base/str.h"

struct url_param {
	struct str key, value; /* percent-decoded; '+' stays a plus */
};

struct url {
	struct str scheme, host, path; /* scheme in small letters; path percent-decoded, its leading slash kept; an
	                                * IPv6 host without its brackets */
	int port;                      /* 0: none given */
	struct url_param *params;
	size_t param_count;
	struct str user; /* before the '@', percent-decoded, may hold ":password": never logged */
};

#define URL_PARAMS_MAX 64
#define URL_BYTES_MAX  ((size_t)1 << 20)

/* Everything lies in `a`, each part closed by a NUL. ERR_INVALID: says what is wrong and at which character,
 * and repeats nothing of the text, which may hold a password. ERR_NOMEM. */
MUST_USE enum err url_parse(struct arena *a, struct str text, struct url *out, struct why *why);
/* The last value of `key`, or the empty slice with p == NULL. */
struct str url_param(const struct url *u, const char *key);

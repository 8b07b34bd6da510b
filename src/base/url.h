/* scheme://user@host:port/path?key=value&... and the short form scheme:?key=value. */
#pragma once

#include "base/str.h"

struct url_param {
	struct str key, value; /* percent-decoded */
};

struct url {
	struct str scheme, host, path; /* path keeps its leading slash, percent-decoded */
	int port;                      /* 0: none given */
	struct url_param *params;
	size_t param_count;
};

/* Everything lies in `a`. ERR_INVALID: says what is wrong and at which character. */
MUST_USE enum err url_parse(struct arena *a, struct str text, struct url *out, struct why *why);
/* The last value of `key`, or the empty slice with p == NULL. */
struct str url_param(const struct url *u, const char *key);

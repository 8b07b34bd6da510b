/* Who asks, and may they: bearer tokens against the configured hashes. Pure. */
#pragma once

#include "api/api.h"

enum auth_answer {
	AUTH_OK,
	AUTH_MISSING, /* 401: no token, or not a bearer token */
	AUTH_UNKNOWN, /* 401: a token that nobody has */
	AUTH_ROLE,    /* 403: the token's role is not enough */
};

/* `header`: the Authorization header, {NULL,0} when absent. `who` (may be NULL) receives the token when it is known.
 * Takes the same time for every token that is not the right one. */
enum auth_answer auth_check(const struct api_token *tokens, size_t count, struct str header, enum api_role need,
                            const struct api_token **who);
const char *auth_role_name(enum api_role r); /* "viewer" "approver" "operator" */
/* Does the Host header (may be absent: no browser) name this very machine? */
bool auth_host_is_local(struct str host);

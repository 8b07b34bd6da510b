#include "api/auth.h"

#include <string.h>

const char *auth_role_name(enum api_role r) {
	static const char *const names[] = { "viewer", "approver", "operator" };
	return names[r];
}

/* Every byte is looked at, whatever the first difference. */
static bool same(const struct sha256 *a, const struct sha256 *b) {
	unsigned char diff = 0;
	for (size_t i = 0; i < sizeof a->b; i++) diff |= (unsigned char)(a->b[i] ^ b->b[i]);
	return diff == 0;
}

static char lower(char c) {
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool starts_like(struct str s, const char *want) {
	size_t n = strlen(want);
	if (s.n < n) return false;
	for (size_t i = 0; i < n; i++)
		if (lower(s.p[i]) != want[i]) return false;
	return true;
}

enum auth_answer auth_check(const struct api_token *tokens, size_t count, struct str header, enum api_role need,
                            const struct api_token **who) {
	const struct api_token *found = NULL;
	if (!starts_like(header, "bearer ")) return AUTH_MISSING;
	struct str text = str_trim((struct str){ header.p + 7, header.n - 7 });
	if (!text.n) return AUTH_MISSING;
	struct sha256 hash = sha256(text);
	for (size_t i = 0; i < count; i++)
		if (same(&tokens[i].hash, &hash)) found = &tokens[i];
	if (!found) return AUTH_UNKNOWN;
	if (who) *who = found;
	return found->role >= need ? AUTH_OK : AUTH_ROLE;
}

bool auth_host_is_local(struct str host) {
	struct str name = host, rest;
	if (!host.p) return true;
	if (host.n && host.p[0] == '[') {
		if (!str_cut(host, ']', &name, &rest)) return false;
		return str_is(name, "[::1") && (!rest.n || rest.p[0] == ':');
	}
	(void)str_cut(host, ':', &name, &rest);
	return str_is(name, "localhost") || str_is(name, "127.0.0.1") || str_ends(name, STR(".localhost"));
}

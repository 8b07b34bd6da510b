/* Parts hold no control byte and are UTF-8, whatever came in; an error repeats nothing of it. */
#include <assert.h>
#include <string.h>

#include "base/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str s) {
	assert(s.n == 0 || (str_is_utf8(s) && s.p[s.n] == '\0'));
	for (size_t i = 0; i < s.n; i++) assert((unsigned char)s.p[i] >= 0x20 && s.p[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena a;
	struct url u = { 0 };
	struct why why = { "" };
	arena_init(&a, (size_t)16 << 20);
	enum err e = url_parse(&a, (struct str){ (const char *)data, size }, &u, &why);
	assert(e == OK || strncmp(why.text, "URL", 3) == 0);
	if (!e) {
		assert(u.scheme.n > 0 && u.port >= 0 && u.port <= 65535 && u.param_count <= URL_PARAMS_MAX);
		check(u.scheme);
		check(u.host);
		check(u.path);
		check(u.user);
		for (size_t i = 0; i < u.param_count; i++) {
			check(u.params[i].key);
			check(u.params[i].value);
			assert(u.params[i].key.n && url_param(&u, u.params[i].key.p).p);
		}
	}
	arena_done(&a);
	return 0;
}

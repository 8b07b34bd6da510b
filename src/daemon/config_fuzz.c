/* Any YAML: a configuration or an error with a sentence; and what is shown of a configuration is one again. */
#include <assert.h>

#include "base/buf.h"
#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size) {
	struct arena a;
	struct why why = { "" };
	struct config c, again;
	struct buf shown, names;
	arena_init(&a, 64 << 20);
	buf_init(&shown, 0), buf_init(&names, 0);
	enum err e = config_parse(&a, (struct str){ (const char *)data, size }, "flyball.yaml", &c, &why);
	assert(!e || e == ERR_NOMEM || why.text[0]);
	if (!e) {
		config_show(&c, &shown);
		config_restart(&c, &c, &names);
		assert(!names.n); /* nothing differs from itself */
		e = c.token_count ? OK : config_parse(&a, buf_get(&shown), "shown.yaml", &again, &why);
		assert(!e || e == ERR_NOMEM); /* tokens are shown without their hashes */
	}
	buf_done(&shown), buf_done(&names);
	arena_done(&a);
	return 0;
}

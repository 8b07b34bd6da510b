/* Any bytes are a world that can be written and read back the same, or an error that names the file. */
#include <assert.h>
#include <string.h>

#include "sim/shop/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(struct arena *a, const struct shop_world *w) {
	struct shop_world again;
	struct buf once, twice;
	struct why why = { "" };
	buf_init(&once, 0);
	buf_init(&twice, 0);
	shop_file_write(w, true, &once);
	enum err e = shop_file_read(a, buf_get(&once), "x.yaml", &again, &why);
	assert(e == OK);
	shop_file_write(&again, true, &twice);
	assert(str_eq(buf_get(&once), buf_get(&twice)));
	buf_done(&once);
	buf_done(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena a;
	struct shop_world w;
	struct why why = { "" };
	arena_init(&a, 0);
	enum err e = shop_file_read(&a, (struct str){ (const char *)data, size }, "x.yaml", &w, &why);
	assert(e == OK || e == ERR_INVALID);
	assert(e == OK || strncmp(why.text, "x.yaml", 6) == 0);
	if (e == OK) round_trip(&a, &w);
	arena_done(&a);
	return 0;
}

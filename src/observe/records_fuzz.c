/* Saved detectors and incidents of any content under valid headers: refused, or usable. */
#include <stdlib.h>

#include "base/codec.h"
#include "observe/records.h"
#include "observe/test_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void record(struct buf *b, const char kind[4], uint16_t version, const uint8_t *data, size_t size) {
	struct enc e = enc_begin(b, kind, version);
	enc_bytes(&e, data, size);
	enc_end(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct t t = { .name = "fuzz", .seed = 1, .rng = rng_seeded(1) };
	struct test_world w;
	struct buf b;
	if (size < 1) return 0;
	test_world_init(&w, &t, INT64_C(1767600000) * NS_PER_SEC);
	w.check = false; /* events of nonsense may be nonsense */
	catalog_get_entity(&w.observer->stream->catalog, ENTITY_SERVICE, (struct str){ NULL, 0 }, STR("a"), 1);
	buf_init(&b, 1 << 24);
	if (data[0] % 2) {
		record(&b, "FBOW", 1 + data[0] / 2 % 2, data + 1, size - 1);
		if (records_load(w.observer, buf_get(&b), NULL) == OK) test_world_run(&w, w.clock.wall.ns + 3 * NS_PER_SEC);
	} else {
		record(&b, "FBOI", 1, data + 1, size - 1);
		if (incidents_load(w.observer, buf_get(&b), NULL) == OK) test_world_run(&w, w.clock.wall.ns + 3 * NS_PER_SEC);
	}
	buf_done(&b);
	test_world_done(&w);
	return 0;
}

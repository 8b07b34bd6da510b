/* Durations and sizes: what parses is formatted and parses to the same; every type of a table takes any text. */
#include <assert.h>
#include <string.h>

#include "base/param.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct opts {
	int64_t i, ns, bytes;
	double d, share;
	bool b;
	struct str s;
	int mode;
};

static const char *const names[] = { "one", "two", NULL };

static const struct param table[] = {
	{ "i", PARAM_INT, offsetof(struct opts, i), 0, 0, "0", NULL, true, "" },
	{ "ns", PARAM_DURATION, offsetof(struct opts, ns), 0, 0, "0", NULL, true, "" },
	{ "bytes", PARAM_BYTES, offsetof(struct opts, bytes), 0, 0, "0", NULL, true, "" },
	{ "d", PARAM_DOUBLE, offsetof(struct opts, d), 0, 0, "0", NULL, true, "" },
	{ "share", PARAM_PERCENT, offsetof(struct opts, share), 0, 0, "0%", NULL, true, "" },
	{ "b", PARAM_BOOL, offsetof(struct opts, b), 0, 0, "no", NULL, true, "" },
	{ "s", PARAM_STR, offsetof(struct opts, s), 0, 0, "", NULL, true, "" },
	{ "mode", PARAM_ENUM, offsetof(struct opts, mode), 0, 0, "one", names, true, "" },
	PARAM_END,
};

static void check_one(struct arena *a, const struct param *p, struct str text) {
	struct opts o, back;
	struct why why = { "" };
	struct buf b;
	memset(&o, 0, sizeof o);
	memset(&back, 0, sizeof back);
	buf_init(&b, 0);
	if (param_set(table, a, &o, str_of(p->key), text, &why) == OK) {
		param_format(p, &o, &b);
		assert(param_set(table, a, &back, str_of(p->key), buf_get(&b), NULL) == OK);
		if (p->type != PARAM_STR)
			assert(memcmp(&o, &back, sizeof o) == 0);
		else
			assert(str_eq(o.s, back.s));
	} else {
		assert(why.text[0]);
	}
	buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct arena a;
	struct str text = { (const char *)data, size };
	arena_init(&a, (size_t)16 << 20);
	for (const struct param *p = table; p->key; p++) check_one(&a, p, text);
	struct opts o;
	(void)param_set(table, &a, &o, text, text, NULL);
	arena_done(&a);
	return 0;
}

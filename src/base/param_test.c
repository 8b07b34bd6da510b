#include "base/param.h"

#include <string.h>

#include "base/clock.h"
#include "base/test.h"
#include "base/url.h"

struct opts {
	int64_t workers, timeout_ns, queue_bytes;
	double ratio, share;
	bool fast;
	struct str name;
	int mode;
};

static const char *const modes[] = { "observe", "approve", "auto", NULL };

static const struct param table[] = {
	{ "workers", PARAM_INT, offsetof(struct opts, workers), 1, 64, "4", NULL, false, "Threads that share nothing." },
	{ "timeout", PARAM_DURATION, offsetof(struct opts, timeout_ns), 1e6, 3600e9, "30s", NULL, true,
	  "Time for one answer." },
	{ "queue", PARAM_BYTES, offsetof(struct opts, queue_bytes), 1024, 1 << 30, "64KiB", NULL, true,
	  "Bytes that may wait." },
	{ "ratio", PARAM_DOUBLE, offsetof(struct opts, ratio), 0, 0, "1.5", NULL, true, "Any number." },
	{ "share", PARAM_PERCENT, offsetof(struct opts, share), 0, 0.5, "10%", NULL, true, "Part of the fleet." },
	{ "fast", PARAM_BOOL, offsetof(struct opts, fast), 0, 0, "no", NULL, true, "Whether to hurry." },
	{ "name", PARAM_STR, offsetof(struct opts, name), 1, 8, "x", NULL, false, "What it is called." },
	{ "mode", PARAM_ENUM, offsetof(struct opts, mode), 0, 0, "observe", modes, true, "How far it goes." },
	PARAM_END,
};

static enum err set(struct t *t, struct opts *o, const char *key, const char *value, struct why *why) {
	return param_set(table, t->arena, o, str_of(key), str_of(value), why);
}

TEST(defaults_fill_every_field) {
	struct opts o = { 0 };
	EXPECT_OK(param_defaults(table, t->arena, &o, NULL));
	EXPECT(o.workers == 4 && o.timeout_ns == 30 * NS_PER_SEC && o.queue_bytes == 65536 && o.ratio == 1.5);
	EXPECT(o.share == 0.1 && !o.fast && str_is(o.name, "x") && o.mode == 0);
	static const struct param wrong[] = { { "n", PARAM_INT, 0, 1, 2, "3", NULL, false, "" }, PARAM_END };
	struct why why = { "" };
	EXPECT_ERR(param_defaults(wrong, t->arena, &o, &why), ERR_INVALID);
	EXPECT(strcmp(why.text, "default: n: '3' is out of bounds, it must be 1..2") == 0);
}

TEST(values_land_in_their_fields) {
	struct opts o = { 0 };
	EXPECT_OK(set(t, &o, "workers", "64", NULL));
	EXPECT_OK(set(t, &o, "timeout", "1m30s", NULL));
	EXPECT_OK(set(t, &o, "queue", "30MiB", NULL));
	EXPECT_OK(set(t, &o, "ratio", "-1e-3", NULL));
	EXPECT_OK(set(t, &o, "share", "50 %", NULL));
	EXPECT_OK(set(t, &o, "fast", "on", NULL));
	char name[] = "abcdefgh";
	EXPECT_OK(set(t, &o, "name", name, NULL));
	EXPECT_OK(set(t, &o, "mode", "auto", NULL));
	memset(name, 'z', 8); /* the field has a copy */
	EXPECT(o.workers == 64 && o.timeout_ns == 90 * NS_PER_SEC && o.queue_bytes == 30 << 20 && o.ratio == -1e-3);
	EXPECT(o.share == 0.5 && o.fast && str_is(o.name, "abcdefgh") && o.mode == 2);
	EXPECT_OK(set(t, &o, "fast", "false", NULL));
	EXPECT(!o.fast);
}

TEST(an_error_says_key_bound_and_nearest_name) {
	static const struct {
		const char *key, *value, *want;
		enum err e;
	} bad[] = {
		{ "tiemout", "1s", "no such key 'tiemout'; did you mean 'timeout'?", ERR_NOT_FOUND },
		{ "workers", "0", "workers: '0' is out of bounds, it must be 1..64", ERR_INVALID },
		{ "workers", "four", "workers: 'four' is not a value; it wants integer, for example 42", ERR_INVALID },
		{ "workers", "", "workers: '' is not a value; it wants integer, for example 42", ERR_INVALID },
		{ "timeout", "2h", "timeout: '2h' is out of bounds, it must be 1ms..1h", ERR_INVALID },
		{ "timeout", "30", "timeout: '30' is not a value; it wants duration, for example 500ms, 30s, 5m or 24h",
		  ERR_INVALID },
		{ "queue", "1", "queue: '1' is out of bounds, it must be 1KiB..1GiB", ERR_INVALID },
		{ "queue", "1 MiB", "queue: '1 MiB' is not a value; it wants size, for example 64KiB, 30MiB or 1GB",
		  ERR_INVALID },
		{ "ratio", "nan", "ratio: 'nan' is not a value; it wants number, for example 0.5", ERR_INVALID },
		{ "share", "51%", "share: '51%' is out of bounds, it must be 0%..50%", ERR_INVALID },
		{ "share", "0.5", "share: '0.5' is not a value; it wants percent, for example 51%", ERR_INVALID },
		{ "share", "%", "share: '%' is not a value; it wants percent, for example 51%", ERR_INVALID },
		{ "fast", "True", "fast: 'True' is not a value; it wants yes or no, for example true or false", ERR_INVALID },
		{ "name", "", "name: its length must be 1..8 bytes, it is 0", ERR_INVALID },
		{ "name", "topsecret", "name: its length must be 1..8 bytes, it is 9", ERR_INVALID },
		{ "mode", "aut", "mode: 'aut' is not a value; it wants one of observe, approve, auto; did you mean 'auto'?",
		  ERR_INVALID },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct opts o, before;
		memset(&o, 7, sizeof o);
		before = o;
		struct why why = { "" };
		EXPECT_ERR(set(t, &o, bad[i].key, bad[i].value, &why), bad[i].e);
		if (strcmp(why.text, bad[i].want) != 0) fprintf(stderr, "%s\n", why.text);
		EXPECT(strcmp(why.text, bad[i].want) == 0 && memcmp(&o, &before, sizeof o) == 0);
	}
}

TEST(find_and_nearest) {
	static const struct param none[] = { PARAM_END };
	struct why why = { "" };
	EXPECT(param_find(table, STR("queue")) == &table[2] && !param_find(table, STR("Queue")));
	EXPECT(strcmp(param_nearest(table, STR("quue")), "queue") == 0 && !param_nearest(none, STR("x")));
	EXPECT_ERR(param_set(none, t->arena, NULL, STR("x"), STR("1"), &why), ERR_NOT_FOUND);
	EXPECT(strcmp(why.text, "no such key 'x'; none is known here") == 0);
}

TEST(help_has_a_line_for_each) {
	struct buf b;
	buf_init(&b, 0);
	param_help(table, &b);
	EXPECT(str_starts(buf_get(&b), STR("workers  integer 1..64, default 4, restart: Threads that share nothing.\n"
	                                   "timeout  duration 1ms..1h, default 30s: Time for one answer.\n"
	                                   "queue    size 1KiB..1GiB, default 64KiB: Bytes that may wait.\n"
	                                   "ratio    number, default 1.5: Any number.\n"
	                                   "share    percent 0%..50%, default 10%: Part of the fleet.\n"
	                                   "fast     yes or no, default no: Whether to hurry.\n"
	                                   "name     text 1..8 bytes, default x, restart: What it is called.\n"
	                                   "mode     one of observe, approve, auto, default observe: How far it goes.\n")));
	buf_clear(&b);
	static const struct param must[] = { { "url", PARAM_STR, 0, 0, 0, NULL, NULL, true, "Where." }, PARAM_END };
	param_help(must, &b);
	EXPECT(str_is(buf_get(&b), "url  text, required: Where.\n"));
	buf_done(&b);
}

/* What param_format writes, param_set reads to the same bits. */
TEST(formatted_values_read_back, .seeds = 3000) {
	struct opts o = { 0 }, back = { 0 };
	o.workers = 1 + rng_below(&t->rng, 64);
	o.timeout_ns = 1000000 + rng_below(&t->rng, INT64_C(3599000000000));
	o.queue_bytes = (1024 + rng_below(&t->rng, 1 << 20)) << rng_below(&t->rng, 10);
	o.ratio = rng_normal(&t->rng) * 1e6;
	o.share = (double)rng_below(&t->rng, 51) / 100;
	o.fast = rng_below(&t->rng, 2);
	o.name = STR("name");
	o.mode = (int)rng_below(&t->rng, 3);
	struct buf b;
	buf_init(&b, 0);
	for (const struct param *p = table; p->key; p++) {
		buf_clear(&b);
		param_format(p, &o, &b);
		EXPECT_OK(param_set(table, t->arena, &back, str_of(p->key), buf_get(&b), NULL));
	}
	buf_done(&b);
	EXPECT(o.workers == back.workers && o.timeout_ns == back.timeout_ns && o.queue_bytes == back.queue_bytes);
	EXPECT(o.ratio == back.ratio && o.share == back.share && o.fast == back.fast && o.mode == back.mode);
	EXPECT(str_eq(o.name, back.name));
}

TEST(percents_are_written_short) {
	struct opts o = { 0 };
	struct buf b;
	buf_init(&b, 0);
	for (int i = 0; i <= 100; i++) {
		o.share = i / 100.0;
		buf_clear(&b);
		param_format(&table[4], &o, &b);
		EXPECT(str_eq(buf_get(&b), str_printf(t->arena, "%d%%", i)));
	}
	buf_done(&b);
}

static bool duration_is(const char *text, int64_t want) {
	int64_t ns = -1;
	return duration_parse(str_of(text), &ns) == OK && ns == want;
}

TEST(durations) {
	EXPECT(duration_is("0", 0) && duration_is("0s", 0) && duration_is("500ms", 500 * NS_PER_MS) &&
	       duration_is("1ns", 1));
	EXPECT(duration_is("1h30m", 90 * NS_PER_MIN) && duration_is("7d", 7 * NS_PER_DAY) &&
	       duration_is("1.5s", 1500 * NS_PER_MS));
	EXPECT(duration_is("0.000000001s", 1) && duration_is("1m0.5s", 60500 * NS_PER_MS) && duration_is("250us", 250000));
	EXPECT(duration_is("9223372036854775807ns", INT64_MAX) &&
	       duration_is("106751d23h47m16s854ms775us807ns", INT64_MAX));
	static const char *const bad[] = { "",
		                               "5",
		                               "s",
		                               "1x",
		                               "-1s",
		                               "+1s",
		                               "1s1s",
		                               "1s1m",
		                               "1 s",
		                               " 1s",
		                               "1s ",
		                               "1.s",
		                               ".5s",
		                               "1e3s",
		                               "9223372036854775808ns",
		                               "106752d",
		                               "99999999999999999999s",
		                               "0.5ns",
		                               "0.0000000001s",
		                               "1.1234567891s",
		                               "1h-5m",
		                               "1hm",
		                               "1S",
		                               "0.1us1ns1" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t ns = 5;
		EXPECT(duration_parse(str_of(bad[i]), &ns) == ERR_INVALID && ns == 5);
	}
	char text[32];
	duration_format(0, text);
	EXPECT(strcmp(text, "0s") == 0);
	duration_format(90 * NS_PER_MIN, text);
	EXPECT(strcmp(text, "1h30m") == 0);
	duration_format(-1500 * NS_PER_MS, text);
	EXPECT(strcmp(text, "-1s500ms") == 0);
	duration_format(INT64_MIN, text);
	EXPECT(strcmp(text, "-106751d23h47m16s854ms775us") == 0);
}

TEST(durations_read_back_exactly, .seeds = 5000) {
	char text[32];
	int64_t ns = (int64_t)(rng_next(&t->rng) >> (1 + rng_below(&t->rng, 63)));
	if (rng_below(&t->rng, 2)) ns -= ns % NS_PER_MS;
	duration_format(ns, text);
	EXPECT(duration_is(text, ns));
}

static bool bytes_are(const char *text, int64_t want) {
	int64_t n = -1;
	return bytes_parse(str_of(text), &n) == OK && n == want;
}

TEST(sizes) {
	EXPECT(bytes_are("0", 0) && bytes_are("512", 512) && bytes_are("64KiB", 65536) && bytes_are("64Ki", 65536));
	EXPECT(bytes_are("1GB", 1000000000) && bytes_are("1.5GiB", 1610612736) && bytes_are("1kB", 1000) &&
	       bytes_are("2TiB", INT64_C(2) << 40));
	EXPECT(bytes_are("9223372036854775807", INT64_MAX) && bytes_are("10B", 10) && bytes_are("0.5kB", 500));
	static const char *const bad[] = {
		"",           "KiB",   "-1",  "1 KiB", "1kib", "1K", "0.5", "0.5B", "9223372036854775808",
		"8388608TiB", "1MiBx", "1e3", "1.KiB"
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t n = 5;
		EXPECT(bytes_parse(str_of(bad[i]), &n) == ERR_INVALID && n == 5);
	}
}

TEST(sizes_read_back_exactly, .seeds = 2000) {
	char text[32];
	int64_t n = (int64_t)(rng_next(&t->rng) >> (1 + rng_below(&t->rng, 63)));
	if (rng_below(&t->rng, 2)) n &= ~INT64_C(1023);
	bytes_format(n, text);
	EXPECT(bytes_are(text, n));
}

/* Back ends read their URLs with it: defaults, then what is given, and a mistake with the back end's name before it. */
TEST(a_urls_parameters_are_options) {
	struct numbers {
		int64_t bytes, count;
	} o = { 0 };
	static const struct param of_url[] = {
		{ "bytes", PARAM_BYTES, offsetof(struct numbers, bytes), 1024, 1 << 20, "64KiB", NULL, false, "Room." },
		{ "count", PARAM_INT, offsetof(struct numbers, count), 1, 9, "3", NULL, false, "How many." },
		PARAM_END,
	};
	static const struct {
		const char *url, *words;
	} wrong[] = { { "memory:?byts=1", "'bytes'" }, { "memory:?count=10", "1" }, { "memory:?bytes=x", "bytes" } };
	struct url u = { 0 };
	struct why why = { "" };
	EXPECT_OK(url_parse(t->arena, STR("memory:?count=7"), &u, &why));
	EXPECT_OK(param_url(of_url, &u, &o, "cache: memory", &why));
	EXPECT(o.bytes == 65536 && o.count == 7);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		EXPECT_OK(url_parse(t->arena, str_of(wrong[i].url), &u, &why));
		EXPECT_ERR(param_url(of_url, &u, &o, "cache: memory", &why), ERR_INVALID);
		EXPECT(strncmp(why.text, "cache: memory: ", 15) == 0 && strstr(why.text, wrong[i].words));
	}
}

RUN(a_urls_parameters_are_options, defaults_fill_every_field, values_land_in_their_fields,
    an_error_says_key_bound_and_nearest_name, find_and_nearest, help_has_a_line_for_each, formatted_values_read_back,
    percents_are_written_short, durations, durations_read_back_exactly, sizes, sizes_read_back_exactly)

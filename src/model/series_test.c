#include "model/series.h"

#include <string.h>

#include "base/test.h"

static bool hex_is(struct series_id id, const char *want) {
	char hex[33];
	hex_encode(id.h.b, 16, hex);
	if (strcmp(hex, want) != 0) fprintf(stderr, "%s, expected %s\n", hex, want);
	return strcmp(hex, want) == 0;
}

#define A(key, value) \
	{ STR(key), STR(value) }
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Made once, by Python's xxhash over bytes put together by hand from series.h. They are in every state
 * store there is: when this test fails, the rule changed, and that needs a new prefix. */
TEST(identity_is_what_it_was_in_every_version) {
	EXPECT(hex_is(series_identity(NULL, 0, STR(""), NULL, 0), "4f9260ce884a436e76af3760d4f601e4"));

	struct attr cart[] = { A("service.name", "cart") };
	struct attr get[] = { A("http.response.status_code", "200"), A("http.request.method", "GET") };
	EXPECT(hex_is(series_identity(cart, 1, STR("http.server.request.duration"), get, 2),
	              "559433927bd604fd906f1216687faa98"));

	struct attr payment[] = { A("service.namespace", "shop"), A("service.name", "payment"), A("host.name", "n1"),
		                      A("k8s.pod.uid", "5f0c9a1e-0000-4000-8000-000000000001") };
	EXPECT(
		hex_is(series_identity(payment, 4, STR("process.memory.usage"), NULL, 0), "27a59da8bd3a94d5187e5bce9e61ab97"));

	struct attr words[] = { A("k", "日本"), A("Ünïcode", "schlüssel") }, e[] = { A("é", "ß") };
	EXPECT(hex_is(series_identity(words, 2, STR("größe"), e, 1), "9d121ab8047ab0113c8fc06b62dae4f7"));
}

TEST(identity_of_many_and_long_attributes_is_what_it_was) {
	struct attr big[] = { A("service.name", "big") }, *many = arena_array(t->arena, struct attr, 128);
	char *v = arena_take(t->arena, 100, 1);
	memset(v, 'v', 100);
	for (int i = 0; i < 128; i++) {
		/* Backwards, so that sorting has all to do. */
		many[127 - i] = (struct attr){ str_printf(t->arena, "k%03d", i), { v, 100 } };
	}
	EXPECT(hex_is(series_identity(big, 1, STR("m"), many, 128), "84a0f85ef255036524cfadee77c7109a"));
}

/* Every string and list carries its length, so no two of these are the same bytes. */
TEST(what_is_key_value_or_name_makes_a_difference) {
	struct attr ab[] = { A("a", "b") }, abc[] = { A("a", "bc") }, a[] = { A("a", "") }, p[] = { A("a", "b") };
	EXPECT(hex_is(series_identity(ab, 1, STR("c"), NULL, 0), "ec174c7e8b1da9fdc0bdd6ee10e4e98b"));
	EXPECT(hex_is(series_identity(abc, 1, STR(""), NULL, 0), "78e985511a4bd1e31e8d8f73fa6c84ee"));
	EXPECT(hex_is(series_identity(a, 1, STR("bc"), NULL, 0), "757255c839c3a83a067dd4ac32a19560"));
	EXPECT(hex_is(series_identity(NULL, 0, STR("c"), p, 1), "ea32a827ae77ed36e53a72bf37ff67a2"));
}

static struct str word(struct t *t) {
	size_t n = (size_t)rng_below(&t->rng, 12);
	char *p = arena_take(t->arena, n + 1, 1);
	for (size_t i = 0; i < n; i++) p[i] = (char)rng_below(&t->rng, rng_below(&t->rng, 2) ? 3 : 256);
	return (struct str){ p, n };
}

static size_t some_attrs(struct t *t, struct attr *out, size_t max) {
	size_t n = (size_t)rng_below(&t->rng, (int64_t)max + 1);
	for (size_t i = 0; i < n; i++) out[i] = (struct attr){ word(t), word(t) };
	return n;
}

/* The slow obvious twin: of each key the last, the least key first, bytes one by one. */
static void twin_str(struct buf *b, struct str s) {
	for (unsigned i = 0; i < 4; i++) buf_byte(b, (unsigned char)(s.n >> (8 * i)));
	buf_str(b, s);
}

static void twin_list(struct buf *b, const struct attr *v, size_t n) {
	bool gone[256] = { false };
	size_t left = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) gone[i] |= str_eq(v[i].key, v[j].key);
		left += !gone[i];
	}
	for (unsigned i = 0; i < 4; i++) buf_byte(b, (unsigned char)(left >> (8 * i)));
	while (left--) {
		size_t least = n;
		for (size_t i = 0; i < n; i++) {
			if (!gone[i] && (least == n || str_cmp(v[i].key, v[least].key) < 0)) least = i;
		}
		twin_str(b, v[least].key);
		twin_str(b, v[least].value);
		gone[least] = true;
	}
}

static struct series_id twin(const struct attr *r, size_t rn, struct str name, const struct attr *a, size_t an) {
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, "FBID1");
	twin_list(&b, r, rn);
	twin_str(&b, name);
	twin_list(&b, a, an);
	struct series_id id = { hash128(buf_get(&b)) };
	buf_done(&b);
	return id;
}

TEST(identity_is_that_of_the_slow_twin_in_any_order, .seeds = 400) {
	struct attr r[200], a[200];
	size_t rn = some_attrs(t, r, t->seed % 3 ? 10 : 200), an = some_attrs(t, a, t->seed % 5 ? 20 : 128);
	struct str name = word(t);
	struct series_id want = twin(r, rn, name, a, an);
	EXPECT(series_id_eq(series_identity(r, rn, name, a, an), want));

	/* Sorted now, and without duplicates: canonical again, and still the same. */
	struct attrs rc = { r, attrs_canonical(r, rn) }, ac = { a, attrs_canonical(a, an) };
	EXPECT(series_id_eq(series_identity(r, rc.n, name, a, ac.n), want));
	struct series_namer namer;
	struct hash128 resource, again;
	struct series_id id;
	struct str tail;
	series_namer_init(&namer);
	for (int i = 0; i < 3; i++) {
		series_namer_resource(&namer, rc, &resource);
		for (int k = 0; k < 3; k++) {
			EXPECT_OK(series_namer_id(&namer, name, ac, &id, &tail));
			EXPECT(series_id_eq(id, want));
			EXPECT_OK(series_namer_id(&namer, STR("another"), rc, &id, NULL));
		}
	}
	struct str list = series_namer_list(&namer);
	char *copy = arena_take(t->arena, list.n, 1);
	memcpy(copy, list.p, list.n);
	series_namer_resource(&namer, ac, &again);
	series_namer_again(&namer, (struct str){ copy, list.n });
	EXPECT_OK(series_namer_id(&namer, name, ac, &id, &tail));
	EXPECT(series_id_eq(id, want));
	series_namer_resource(&namer, rc, &again);
	EXPECT(memcmp(&resource, &again, sizeof again) == 0);
	series_namer_done(&namer);
}

TEST(canonical_lists_rise_and_the_last_of_equal_keys_stays, .seeds = 300) {
	struct attr v[200], before[200];
	size_t n = some_attrs(t, v, 200);
	memcpy(before, v, sizeof v);
	size_t kept = attrs_canonical(v, n);
	for (size_t i = 1; i < kept; i++) EXPECT(str_cmp(v[i - 1].key, v[i].key) < 0);
	for (size_t i = 0; i < kept; i++) {
		size_t last = n;
		for (size_t j = 0; j < n; j++) {
			if (str_eq(before[j].key, v[i].key)) last = j;
		}
		EXPECT(last < n && str_eq(before[last].value, v[i].value));
	}
}

TEST(an_attribute_is_found_by_its_key) {
	struct attr v[] = { A("b", "1"), A("a", "2"), A("b", "3"), { STR("empty"), { NULL, 0 } } };
	struct attrs a = { v, COUNT(v) };
	EXPECT(str_is(attrs_get(a, "a"), "2") && str_is(attrs_get(a, "b"), "3"));
	EXPECT(attrs_get(a, "empty").p && attrs_get(a, "empty").n == 0);
	EXPECT(!attrs_get(a, "c").p && !attrs_get((struct attrs){ NULL, 0 }, "a").p);
}

RUN(identity_is_what_it_was_in_every_version, identity_of_many_and_long_attributes_is_what_it_was,
    what_is_key_value_or_name_makes_a_difference, identity_is_that_of_the_slow_twin_in_any_order,
    canonical_lists_rise_and_the_last_of_equal_keys_stays, an_attribute_is_found_by_its_key)

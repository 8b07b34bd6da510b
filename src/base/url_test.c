#include "base/url.h"

#include <string.h>

#include "base/test.h"

static struct url parsed(struct t *t, const char *text) {
	struct url u;
	struct why why = { "" };
	enum err e = url_parse(t->arena, str_of(text), &u, &why);
	if (e) fprintf(stderr, "%s: %s\n", text, why.text);
	EXPECT_OK(e);
	return u;
}

TEST(all_parts) {
	struct url u = parsed(t, "HTTPS://me:pa%40ss@api.example.com:8443/a%20b/c?x=1&y=%C3%A9&x=2&flag&z=http://q?w=1");
	EXPECT(str_is(u.scheme, "https") && str_is(u.user, "me:pa@ss") && str_is(u.host, "api.example.com") &&
	       u.port == 8443);
	EXPECT(str_is(u.path, "/a b/c") && u.param_count == 5);
	EXPECT(str_is(url_param(&u, "x"), "2") && str_is(url_param(&u, "y"), "\xc3\xa9") && str_is(u.params[0].value, "1"));
	EXPECT(str_is(url_param(&u, "z"), "http://q?w=1"));
	struct str flag = url_param(&u, "flag"), none = url_param(&u, "none");
	EXPECT(flag.p && flag.n == 0 && none.p == NULL);
	EXPECT(strcmp(u.host.p, "api.example.com") == 0 && strcmp(u.path.p, "/a b/c") == 0); /* closed by a NUL */
}

TEST(the_back_ends_of_the_manual) {
	struct url u = parsed(t, "sqlite:///var/lib/flyball/state.db");
	EXPECT(str_is(u.scheme, "sqlite") && u.host.n == 0 && str_is(u.path, "/var/lib/flyball/state.db") && u.port == 0);
	u = parsed(t, "memory:");
	EXPECT(str_is(u.scheme, "memory") && u.host.n == 0 && u.host.p && u.path.n == 0 && u.param_count == 0);
	u = parsed(t, "kubernetes:?context=prod");
	EXPECT(str_is(u.scheme, "kubernetes") && str_is(url_param(&u, "context"), "prod") && u.path.n == 0);
	u = parsed(t, "kinesis://flyball-telemetry?region=us-east-1");
	EXPECT(str_is(u.host, "flyball-telemetry") && str_is(url_param(&u, "region"), "us-east-1") && u.path.n == 0);
	u = parsed(t, "redis://:secret@cache:6379/0");
	EXPECT(str_is(u.user, ":secret") && str_is(u.host, "cache") && u.port == 6379 && str_is(u.path, "/0"));
	u = parsed(t, "rfc2136://[2001:db8::1]:53/example.com");
	EXPECT(str_is(u.host, "2001:db8::1") && u.port == 53 && str_is(u.path, "/example.com"));
	u = parsed(t, "route53://Z0123ABC");
	EXPECT(str_is(u.host, "Z0123ABC"));
	u = parsed(t, "sqlite:state.db?sync=full");
	EXPECT(str_is(u.path, "state.db") && str_is(url_param(&u, "sync"), "full"));
	u = parsed(t, "a://u@h@i"); /* the last '@' parts user and host */
	EXPECT(str_is(u.user, "u@h") && str_is(u.host, "i"));
	u = parsed(t, "a:?b=c+d&&e=");
	EXPECT(str_is(url_param(&u, "b"), "c+d") && url_param(&u, "e").p && u.param_count == 2);
}

TEST(a_mistake_is_told_with_its_place) {
	static const struct {
		const char *text, *want;
	} bad[] = {
		{ "", "URL, character 1: a scheme such as 'https:' or 'memory:' is missing" },
		{ "no scheme", "URL, character 1: a scheme such as 'https:' or 'memory:' is missing" },
		{ "://host", "URL, character 1: a scheme begins with a letter" },
		{ "9p://host", "URL, character 1: a scheme begins with a letter" },
		{ "ht_tp://host", "URL, character 3: a scheme is letters, digits, '+', '-' and '.'" },
		{ "a://h:port", "URL, character 7: a port is a number" },
		{ "a://h:", "URL, character 7: a port is 1 to 65535" },
		{ "a://h:0", "URL, character 7: a port is 1 to 65535" },
		{ "a://h:65536", "URL, character 7: a port is 1 to 65535" },
		{ "a://h:99999999999999999999", "URL, character 7: a port is 1 to 65535" },
		{ "a://:80", "URL, character 5: a host is missing before the port" },
		{ "a://u@", "URL, character 6: a host is missing after '@'" },
		{ "a://u@/x", "URL, character 6: a host is missing after '@'" },
		{ "a://[::1", "URL, character 5: ']' is missing" },
		{ "a://[]", "URL, character 5: an address is missing between '[' and ']'" },
		{ "a://[::g]", "URL, character 8: not an IPv6 address" },
		{ "a://[::1]x", "URL, character 10: ':' and a port, or '/', is expected here" },
		{ "a://h st/", "URL, character 6: a host is letters, digits, '-', '_' and '.'" },
		{ "a:%4", "URL, character 3: '%' wants two hex digits after it" },
		{ "a:x%zz", "URL, character 4: '%' wants two hex digits after it" },
		{ "a:%00", "URL, character 3: control characters are not allowed" },
		{ "a:?b=%0a", "URL, character 6: control characters are not allowed" },
		{ "a:x\n", "URL, character 4: control characters are not allowed" },
		{ "a:x y", "URL, character 4: a space is written %20" },
		{ "a:x#y", "URL, character 4: '#' is written %23" },
		{ "a:%ff", "URL, character 3: this part is not UTF-8" },
		{ "a:?=v", "URL, character 4: a key is missing before '='" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct url u = { .port = 77 };
		struct why why = { "" };
		EXPECT_ERR(url_parse(t->arena, str_of(bad[i].text), &u, &why), ERR_INVALID);
		if (strcmp(why.text, bad[i].want) != 0) fprintf(stderr, "%s\n", why.text);
		EXPECT(strcmp(why.text, bad[i].want) == 0 && u.port == 77);
	}
}

TEST(a_password_is_not_repeated) {
	struct url u;
	struct why why = { "" };
	EXPECT_ERR(url_parse(t->arena, STR("a://me:hunter2@h:bad?token=hunter3"), &u, &why), ERR_INVALID);
	EXPECT(!strstr(why.text, "hunter"));
}

TEST(sizes_are_bounded) {
	struct url u;
	struct arena small;
	struct buf b;
	buf_init(&b, 0);
	buf_c(&b, "a:?k0=v");
	for (int i = 1; i < URL_PARAMS_MAX; i++) buf_printf(&b, "&k%d=v", i);
	EXPECT_OK(url_parse(t->arena, buf_get(&b), &u, NULL));
	EXPECT(u.param_count == URL_PARAMS_MAX);
	buf_c(&b, "&more=v");
	EXPECT_ERR(url_parse(t->arena, buf_get(&b), &u, NULL), ERR_INVALID);
	buf_clear(&b);
	buf_c(&b, "a:");
	while (b.n <= URL_BYTES_MAX) buf_byte(&b, 'x');
	EXPECT_ERR(url_parse(t->arena, buf_get(&b), &u, NULL), ERR_INVALID);
	buf_done(&b);
	for (size_t max = 1; max < 3000; max += 100) {
		arena_init(&small, max);
		enum err e = url_parse(&small, STR("a://u@h:1/p?k=v"), &u, NULL);
		EXPECT(e == OK || e == ERR_NOMEM);
		EXPECT(max > 200 || e == ERR_NOMEM);
		arena_done(&small);
	}
}

/* Any bytes, percent-encoded where they must be, come back. */
TEST(encoded_values_come_back, .seeds = 500) {
	struct buf b;
	char want[20];
	buf_init(&b, 0);
	buf_c(&b, "x://h?k=");
	size_t n = (size_t)rng_below(&t->rng, sizeof want);
	for (size_t i = 0; i < n; i++) {
		want[i] = (char)(0x20 + rng_below(&t->rng, 0x5f));
		bool plain = (want[i] >= 'a' && want[i] <= 'z') || (want[i] >= '0' && want[i] <= '9');
		if (plain && rng_below(&t->rng, 2))
			buf_byte(&b, (unsigned char)want[i]);
		else
			buf_printf(&b, rng_below(&t->rng, 2) ? "%%%02x" : "%%%02X", (unsigned char)want[i]);
	}
	struct url u;
	EXPECT_OK(url_parse(t->arena, buf_get(&b), &u, NULL));
	EXPECT(str_eq(url_param(&u, "k"), (struct str){ want, n }));
	buf_done(&b);
}

RUN(all_parts, the_back_ends_of_the_manual, a_mistake_is_told_with_its_place, a_password_is_not_repeated,
    sizes_are_bounded, encoded_values_come_back)

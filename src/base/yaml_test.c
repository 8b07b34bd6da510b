#include "base/yaml.h"

#include <string.h>

#include "base/test.h"

static const struct json *parsed(struct t *t, const char *text) {
	const struct json *root = NULL;
	struct why why = { "" };
	enum err e = yaml_parse(t->arena, str_of(text), &root, &why);
	if (e) fprintf(stderr, "%s\n", why.text);
	EXPECT(e == OK && root);
	return root;
}

static void refused(struct t *t, const char *text, const char *words) {
	const struct json *root = NULL;
	struct why why = { "" };
	EXPECT_ERR(yaml_parse(t->arena, str_of(text), &root, &why), ERR_INVALID);
	if (!strstr(why.text, words)) fprintf(stderr, "got: %s\n", why.text);
	EXPECT(strstr(why.text, words) && !root);
}

TEST(scalars_are_typed_as_the_core_schema_says) {
	const struct json *r = parsed(t, "a: 12\nb: 'x'\nc: true\nd:\ne: 1.5e3\nf: \"7\"\ng: no\nh: 10s\n");
	EXPECT(json_int(json_get(r, "a"), 0) == 12 && json_get(r, "a")->kind == JSON_NUMBER);
	EXPECT(str_is(json_str(json_get(r, "b")), "x"));
	EXPECT(json_bool(json_get(r, "c"), false));
	EXPECT(json_get(r, "d")->kind == JSON_NULL);
	EXPECT(json_double(json_get(r, "e"), 0) == 1500);
	EXPECT(json_get(r, "f")->kind == JSON_STRING && json_get(r, "g")->kind == JSON_STRING);
	EXPECT(str_is(json_str(json_get(r, "h")), "10s"));
}

TEST(every_value_knows_its_line) {
	const struct json *r = parsed(t, "a:\n  - x\n  - b: 1\n    c: 2\nd: {e: [1, 2]}\n");
	const struct json *second = json_at(json_get(r, "a"), 1);
	EXPECT(json_get(r, "a")->at == 1 && json_get(second, "c")->at == 4 && json_get(r, "d")->at == 5);
	EXPECT(json_get(r, "a")->count == 2 && json_int(json_at(json_path(r, "d.e"), 1), 0) == 2);
}

TEST(an_empty_text_is_null) {
	EXPECT(parsed(t, "")->kind == JSON_NULL);
	EXPECT(parsed(t, "# only a comment\n")->kind == JSON_NULL);
}

TEST(what_is_refused_is_refused_by_line) {
	refused(t, "a: 1\nb: 2\na: 3\n", "line 3: key 'a' stands there twice");
	refused(t, "a: &x 1\nb: *x\n", "line 1: anchors");
	refused(t, "a: *x\n", "line 1: aliases");
	refused(t, "a: !!int 3\n", "line 1: anchors and tags");
	refused(t, "a: 1\n---\nb: 2\n", "one document only");
	refused(t, "a: [1, 2\nb: 3\n", "line ");
	refused(t, "? [a, b]\n: 1\n", "line 1: a key must be a plain word");
	refused(t, "a: \"\\xff\n", "line ");
}

TEST(depth_is_bounded) {
	char text[400];
	memset(text, '[', sizeof text);
	text[sizeof text - 1] = 0;
	refused(t, text, "nested too deeply");
}

RUN(scalars_are_typed_as_the_core_schema_says, every_value_knows_its_line, an_empty_text_is_null,
    what_is_refused_is_refused_by_line, depth_is_bounded)

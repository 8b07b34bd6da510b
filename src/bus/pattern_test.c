#include "bus/pattern.h"

#include <string.h>

#include "base/test.h"

static bool matches(struct t *t, const char *pattern, const char *event) {
	struct pattern *p = NULL;
	const struct json *v = NULL;
	struct why why = { "" };
	enum err e = pattern_compile(t->arena, str_of(pattern), &p, &why);
	if (e) fprintf(stderr, "%s: %s\n", pattern, why.text);
	EXPECT_OK(e);
	EXPECT_OK(json_parse(t->arena, str_of(event), &v, &why));
	bool match = pattern_match(p, v);
	EXPECT((pattern_explain(p, v, t->arena).n == 0) == match);
	return match;
}

struct row {
	const char *pattern, *event;
	bool match;
};

static void check(struct t *t, const struct row *rows, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (matches(t, rows[i].pattern, rows[i].event) == rows[i].match) continue;
		fprintf(stderr, "%s on %s\n", rows[i].pattern, rows[i].event);
		EXPECT(!"the documented answer");
	}
}
#define CHECK(rows) check(t, rows, sizeof rows / sizeof *rows)

/* The event of the EventBridge user guide, "Amazon EventBridge event patterns". */
#define EC2                                                                                                           \
	"{\"version\":\"0\",\"id\":\"6a7e8feb-b491-4cf7-a9f1-bf3703467718\",\"detail-type\":\"EC2 Instance State-change " \
	"Notification\",\"source\":\"aws.ec2\",\"account\":\"111122223333\",\"time\":\"2017-12-22T18:43:48Z\","           \
	"\"region\":\"us-west-1\",\"resources\":[\"arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0\"],"   \
	"\"detail\":{\"instance-id\":\"i-1234567890abcdef0\",\"state\":\"terminated\",\"c-count\":5,\"x-limit\":301.8,"   \
	"\"none\":null,\"empty\":\"\",\"on\":true,\"nothing\":[]}}"

TEST(values_are_compared_exactly) {
	static const struct row rows[] = {
		{ "{\"source\":[\"aws.ec2\"]}", EC2, true },
		{ "{\"source\":[\"aws.ec2\",\"aws.s3\"]}", EC2, true },
		{ "{\"source\":[\"aws.s3\"]}", EC2, false },
		{ "{\"source\":[\"aws.ec2\"],\"detail\":{\"state\":[\"terminated\"]}}", EC2, true },
		{ "{\"source\":[\"aws.ec2\"],\"detail\":{\"state\":[\"running\"]}}", EC2, false },
		{ "{\"detail\":{\"none\":[null]}}", EC2, true },
		{ "{\"detail\":{\"empty\":[\"\"]}}", EC2, true },
		{ "{\"detail\":{\"none\":[\"\"]}}", EC2, false },
		{ "{\"detail\":{\"empty\":[null]}}", EC2, false },
		{ "{\"detail\":{\"gone\":[null]}}", EC2, false },
		{ "{\"detail\":{\"on\":[true]}}", EC2, true },
		{ "{\"detail\":{\"on\":[false]}}", EC2, false },
		{ "{\"detail\":{\"on\":[\"true\"]}}", EC2, false },
		{ "{\"detail\":{\"c-count\":[5.0]}}", EC2, true },
		{ "{\"detail\":{\"x-limit\":[3.018e2]}}", EC2, true },
		{ "{\"detail\":{\"c-count\":[\"5\"]}}", EC2, false },
		{ "{\"detail\":[\"terminated\"]}", EC2, false },
		{ "{\"source\":{\"x\":[\"aws.ec2\"]}}", EC2, false },
		{ "{\"a\":[\"\\u00e9\"]}", "{\"a\":\"\xc3\xa9\"}", true },
	};
	CHECK(rows);
}

TEST(arrays_match_on_intersection) {
	static const struct row rows[] = {
		{ "{\"a\":[1,2]}", "{\"a\":[2,3]}", true },
		{ "{\"a\":[1]}", "{\"a\":[2,3]}", false },
		{ "{\"a\":[1]}", "{\"a\":[]}", false },
		{ "{\"a\":[1]}", "{\"a\":[[0],[[1]]]}", true },
		{ "{\"a\":{\"b\":[1]}}", "{\"a\":[{\"b\":0},{\"b\":1}]}", true },
		{ "{\"a\":{\"b\":[1],\"c\":[2]}}", "{\"a\":[{\"b\":1,\"c\":2},{}]}", true },
		{ "{\"a\":{\"b\":[1],\"c\":[2]}}", "{\"a\":[{\"b\":1},{\"c\":2}]}", false }, /* not of two elements */
		{ "{\"a\":{\"b\":[1],\"c\":[2]}}", "{\"a\":[[{\"b\":1,\"c\":2}]]}", true },
		{ "{\"a\":[1]}", "{\"a\":[{\"b\":1}]}", false },
	};
	CHECK(rows);
}

TEST(prefixes) {
	static const struct row rows[] = {
		{ "{\"time\":[{\"prefix\":\"2017-12\"}]}", EC2, true },
		{ "{\"time\":[{\"prefix\":\"2018\"}]}", EC2, false },
		{ "{\"source\":[{\"prefix\":\"\"}]}", EC2, true },
		{ "{\"source\":[{\"prefix\":\"aws.ec2\"}]}", EC2, true },
		{ "{\"source\":[{\"prefix\":\"aws.ec2.\"}]}", EC2, false },
		{ "{\"source\":[\"x\",{\"prefix\":\"aws\"}]}", EC2, true },
		{ "{\"detail\":{\"c-count\":[{\"prefix\":\"5\"}]}}", EC2, false },
		{ "{\"resources\":[{\"prefix\":\"arn:aws:ec2\"}]}", EC2, true },
	};
	CHECK(rows);
}

TEST(anything_but_those) {
	static const struct row rows[] = {
		{ "{\"detail\":{\"state\":[{\"anything-but\":\"initializing\"}]}}", EC2, true },
		{ "{\"detail\":{\"state\":[{\"anything-but\":\"terminated\"}]}}", EC2, false },
		{ "{\"detail\":{\"state\":[{\"anything-but\":[\"stopped\",\"terminated\"]}]}}", EC2, false },
		{ "{\"detail\":{\"c-count\":[{\"anything-but\":123}]}}", EC2, true },
		{ "{\"detail\":{\"c-count\":[{\"anything-but\":5.0}]}}", EC2, false },
		{ "{\"detail\":{\"x-limit\":[{\"anything-but\":[100,301.8]}]}}", EC2, false },
		{ "{\"detail\":{\"state\":[{\"anything-but\":{\"prefix\":\"term\"}}]}}", EC2, false },
		{ "{\"detail\":{\"state\":[{\"anything-but\":{\"prefix\":\"init\"}}]}}", EC2, true },
		{ "{\"detail\":{\"state\":[{\"anything-but\":{\"prefix\":[\"init\",\"t\"]}}]}}", EC2, false },
		{ "{\"detail\":{\"gone\":[{\"anything-but\":\"x\"}]}}", EC2, false }, /* the field must be there */
		{ "{\"detail\":{\"nothing\":[{\"anything-but\":\"x\"}]}}", EC2, false },
		{ "{\"detail\":{\"none\":[{\"anything-but\":\"x\"}]}}", EC2, true },
		{ "{\"detail\":{\"c-count\":[{\"anything-but\":\"5\"}]}}", EC2, true },
		{ "{\"detail\":{\"on\":[{\"anything-but\":{\"prefix\":\"t\"}}]}}", EC2, true },
		{ "{\"a\":[{\"anything-but\":[1]}]}", "{\"a\":[1,2]}", true }, /* any element will do */
		{ "{\"a\":[{\"anything-but\":[1,2]}]}", "{\"a\":[1,2]}", false },
		{ "{\"a\":[{\"anything-but\":[\"x\"]},\"x\"]}", "{\"a\":\"x\"}", true }, /* the list is an or */
	};
	CHECK(rows);
}

TEST(numeric_ranges) {
	static const struct row rows[] = {
		{ "{\"detail\":{\"c-count\":[{\"numeric\":[\">\",0,\"<=\",5]}]}}", EC2, true },
		{ "{\"detail\":{\"c-count\":[{\"numeric\":[\">\",0,\"<\",5]}]}}", EC2, false },
		{ "{\"detail\":{\"c-count\":[{\"numeric\":[\">=\",5,\"<\",6]}]}}", EC2, true },
		{ "{\"detail\":{\"c-count\":[{\"numeric\":[\">\",5,\"<\",6]}]}}", EC2, false },
		{ "{\"detail\":{\"c-count\":[{\"numeric\":[\"<\",10]}]}}", EC2, true },
		{ "{\"detail\":{\"c-count\":[{\"numeric\":[\">\",10]}]}}", EC2, false },
		{ "{\"detail\":{\"c-count\":[{\"numeric\":[\">=\",5]}]}}", EC2, true },
		{ "{\"detail\":{\"c-count\":[{\"numeric\":[\"<=\",-5]}]}}", EC2, false },
		{ "{\"detail\":{\"x-limit\":[{\"numeric\":[\"=\",3.018e2]}]}}", EC2, true },
		{ "{\"detail\":{\"x-limit\":[{\"numeric\":[\"=\",301.80000000000001]}]}}", EC2, true }, /* one double */
		{ "{\"detail\":{\"x-limit\":[{\"numeric\":[\"=\",301.81]}]}}", EC2, false },
		{ "{\"a\":[{\"numeric\":[\"=\",0.1]}]}", "{\"a\":1e-1}", true },
		{ "{\"a\":[{\"numeric\":[\">\",9007199254740993]}]}", "{\"a\":9007199254740993}", false },
		{ "{\"a\":[{\"numeric\":[\">\",0]}]}", "{\"a\":\"5\"}", false },
		{ "{\"a\":[{\"numeric\":[\">\",0]}]}", "{\"a\":true}", false },
		{ "{\"a\":[{\"numeric\":[\">\",0]}]}", "{\"a\":[-1,1]}", true },
	};
	CHECK(rows);
}

/* The guide's own examples: exists looks at leaves, so an object is no field. */
TEST(presence_and_absence_of_leaves) {
	static const struct row rows[] = {
		{ "{\"detail\":{\"state\":[{\"exists\":true}]}}", EC2, true },
		{ "{\"detail\":{\"state\":[{\"exists\":false}]}}", EC2, false },
		{ "{\"detail\":{\"gone\":[{\"exists\":true}]}}", EC2, false },
		{ "{\"detail\":{\"gone\":[{\"exists\":false}]}}", EC2, true },
		{ "{\"detail\":{\"none\":[{\"exists\":true}]}}", EC2, true },
		{ "{\"detail\":{\"nothing\":[{\"exists\":true}]}}", EC2, false },
		{ "{\"detail\":{\"c-count\":[{\"exists\":false}]}}", "{\"detail\":{\"c-count\":{\"c1\":100}}}", true },
		{ "{\"detail\":{\"c-count\":[{\"exists\":true}]}}", "{\"detail\":{\"c-count\":{\"c1\":100}}}", false },
		{ "{\"gone\":{\"deep\":{\"deeper\":[{\"exists\":false}]}}}", EC2, true },
		{ "{\"gone\":{\"deep\":[{\"exists\":true}]}}", EC2, false },
		{ "{\"source\":{\"deep\":[{\"exists\":false}]}}", EC2, true },
		{ "{\"a\":[{\"exists\":false},1]}", "{\"a\":1}", true },
		{ "{\"a\":[{\"exists\":false},1]}", "{}", true },
		{ "{\"a\":[{\"exists\":false},1]}", "{\"a\":2}", false },
		{ "{\"a\":{\"b\":[{\"exists\":false}]}}", "{\"a\":[{\"c\":1},{\"b\":1}]}", false },
		{ "{\"a\":{\"b\":[{\"exists\":false}]}}", "{\"a\":[{\"c\":1},{\"d\":1}]}", true },
		{ "{\"a\":{\"b\":[{\"exists\":false}],\"c\":[1]}}", "{\"a\":[{\"c\":1},{\"b\":1}]}", true },
		{ "{\"a\":{\"b\":[{\"exists\":false}]}}", "{\"a\":[]}", true },
	};
	CHECK(rows);
}

TEST(one_of_several_branches) {
#define OR                                                                                                             \
	"{\"source\":[\"aws.ec2\"],\"$or\":[{\"region\":[\"x\"]},{\"detail\":{\"state\":[\"terminated\"],\"on\":[true]}}]" \
	"}"
	static const struct row rows[] = {
		{ OR, EC2, true },
		{ OR, "{\"source\":\"aws.ec2\",\"region\":\"x\"}", true },
		{ OR, "{\"source\":\"aws.ec2\",\"region\":\"y\"}", false },
		{ OR, "{\"source\":\"z\",\"region\":\"x\"}", false },
		{ "{\"detail\":{\"$or\":[{\"c-count\":[{\"numeric\":[\">\",9]}]},{\"$or\":[{\"on\":[false]},{\"none\":[null]}]}"
		  "]}}",
		  EC2, true },
		{ "{\"$or\":[{\"a\":[1]},{\"b\":[2]}]}", "{\"b\":2}", true },
		{ "{\"$or\":[\"x\"]}", "{\"$or\":\"x\"}", true }, /* a field of that name */
		{ "{\"$or\":[{\"prefix\":\"x\"},{\"prefix\":\"y\"}]}", "{\"$or\":\"yes\"}", true },
		{ "{\"$or\":{\"a\":[1]}}", "{\"$or\":{\"a\":1}}", true },
		{ "{\"a\":{\"$or\":[{\"b\":[1]},{\"c\":[2]}],\"d\":[3]}}", "{\"a\":[{\"b\":1},{\"d\":3}]}", false },
		{ "{\"a\":{\"$or\":[{\"b\":[1]},{\"c\":[2]}],\"d\":[3]}}", "{\"a\":[{\"b\":1},{\"c\":2,\"d\":3}]}", true },
	};
	CHECK(rows);
}

/* Each is refused with its place and what is wrong; the place is where a person would look. */
TEST(malformed_patterns_are_refused_with_position) {
	static const struct {
		const char *pattern;
		enum err err;
		const char *says;
	} cases[] = {
		{ "", ERR_INVALID, "byte 0" },
		{ "[]", ERR_INVALID, "byte 0: an object" },
		{ "{}", ERR_INVALID, "byte 0: an empty object" },
		{ "{\"a\":1}", ERR_INVALID, "byte 5: a list of values" },
		{ "{\"a\":\"x\"}", ERR_INVALID, "byte 5" },
		{ "{\"a\":[]}", ERR_INVALID, "byte 5: the list of values is empty" },
		{ "{\"a\":{}}", ERR_INVALID, "byte 5: an empty object" },
		{ "{\"a\":[[1]]}", ERR_INVALID, "byte 6: a list in a list" },
		{ "{\"a\":[{}]}", ERR_INVALID, "byte 6: one operator" },
		{ "{\"a\":[{\"prefix\":\"x\",\"exists\":true}]}", ERR_INVALID, "byte 6: one operator" },
		{ "{\"a\":[1,{\"prefix\":1}]}", ERR_INVALID, "byte 18: a string" },
		{ "{\"a\":[{\"prefix\":{\"equals-ignore-case\":\"x\"}}]}", ERR_UNSUPPORTED, "'equals-ignore-case'" },
		{ "{\"a\":[{\"suffix\":\"x\"}]}", ERR_UNSUPPORTED, "byte 6: the operator 'suffix' is not supported yet" },
		{ "{\"a\":[{\"wildcard\":\"x*\"}]}", ERR_UNSUPPORTED, "'wildcard'" },
		{ "{\"a\":[{\"cidr\":\"10.0.0.0/8\"}]}", ERR_UNSUPPORTED, "'cidr'" },
		{ "{\"a\":[{\"equals-ignore-case\":\"x\"}]}", ERR_UNSUPPORTED, "'equals-ignore-case'" },
		{ "{\"a\":[{\"prefx\":\"x\"}]}", ERR_UNSUPPORTED, "byte 6: unknown operator 'prefx'" },
		{ "{\"a\":[{\"exists\":1}]}", ERR_INVALID, "byte 16: exists" },
		{ "{\"a\":[{\"anything-but\":null}]}", ERR_INVALID, "byte 22: anything-but lists" },
		{ "{\"a\":[{\"anything-but\":[]}]}", ERR_INVALID, "byte 22: the list is empty" },
		{ "{\"a\":[{\"anything-but\":[1,\"x\"]}]}", ERR_INVALID,
		  "byte 25: anything-but lists strings or numbers, not both" },
		{ "{\"a\":[{\"anything-but\":[true]}]}", ERR_INVALID, "byte 23" },
		{ "{\"a\":[{\"anything-but\":{\"prefix\":\"\"}}]}", ERR_INVALID, "the prefix is empty" },
		{ "{\"a\":[{\"anything-but\":{\"prefix\":[]}}]}", ERR_INVALID, "the list is empty" },
		{ "{\"a\":[{\"anything-but\":{\"suffix\":\"x\"}}]}", ERR_UNSUPPORTED, "'suffix'" },
		{ "{\"a\":[{\"anything-but\":{}}]}", ERR_INVALID, "one operator" },
		{ "{\"a\":[{\"numeric\":5}]}", ERR_INVALID, "byte 17: numeric wants a list" },
		{ "{\"a\":[{\"numeric\":[]}]}", ERR_INVALID, "byte 17: numeric wants" },
		{ "{\"a\":[{\"numeric\":[\"=\"]}]}", ERR_INVALID, "byte 18: a number" },
		{ "{\"a\":[{\"numeric\":[\"=\",\"5\"]}]}", ERR_INVALID, "byte 22: a number" },
		{ "{\"a\":[{\"numeric\":[\"=\",5,\"<\",6]}]}", ERR_INVALID, "byte 24: nothing more" },
		{ "{\"a\":[{\"numeric\":[\"!\",5]}]}", ERR_INVALID, "byte 17: numeric knows" },
		{ "{\"a\":[{\"numeric\":[\"<\",5,\">\",1]}]}", ERR_INVALID, "byte 24: nothing more" },
		{ "{\"a\":[{\"numeric\":[\">\",5,\">\",6]}]}", ERR_INVALID, "byte 17: numeric knows" },
		{ "{\"a\":[{\"numeric\":[\">\",5,\"=\",6]}]}", ERR_INVALID, "byte 17: numeric knows" },
		{ "{\"a\":[{\"numeric\":[\">\",5,\"<\",5]}]}", ERR_INVALID, "byte 17: the lower bound" },
		{ "{\"a\":[{\"numeric\":[\">\",5,\"<\",6,\"<\",7]}]}", ERR_INVALID, "byte 30: nothing more" },
		{ "{\"$or\":[{\"a\":[1]}]}", ERR_INVALID, "byte 7: $or wants two" },
		{ "{\"$or\":[{\"a\":[1]},{}]}", ERR_INVALID, "byte 18: an empty object" },
		{ "{\"a\":[1],\"a\":[2]}", ERR_INVALID, "twice" },
		{ "{\"a\":[1]", ERR_INVALID, "byte 8" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pattern *p = NULL;
		struct why why = { "" };
		enum err e = pattern_compile(t->arena, str_of(cases[i].pattern), &p, &why);
		if (e != cases[i].err || !strstr(why.text, cases[i].says))
			fprintf(stderr, "%s: %s: %s\n", cases[i].pattern, err_name(e), why.text);
		EXPECT_ERR(e, cases[i].err);
		EXPECT(strstr(why.text, cases[i].says) && !p);
	}
}

TEST(size_and_depth_are_bounded) {
	struct pattern *p = NULL;
	struct buf b;
	buf_init(&b, 0);
	for (int depth = 1; depth <= PATTERN_DEPTH_MAX + 1; depth++) {
		buf_clear(&b);
		for (int i = 0; i < depth; i++) buf_c(&b, "{\"a\":");
		buf_c(&b, "[1]");
		for (int i = 0; i < depth; i++) buf_c(&b, "}");
		EXPECT_ERR(pattern_compile(t->arena, buf_get(&b), &p, NULL), depth <= PATTERN_DEPTH_MAX ? OK : ERR_INVALID);
	}
	buf_clear(&b);
	buf_c(&b, "{\"a\":[1]}");
	while (b.n < PATTERN_BYTES_MAX) buf_byte(&b, ' ');
	EXPECT_OK(pattern_compile(t->arena, buf_get(&b), &p, NULL));
	buf_byte(&b, ' ');
	EXPECT_ERR(pattern_compile(t->arena, buf_get(&b), &p, NULL), ERR_TOO_LARGE);
	buf_done(&b);
}

TEST(the_first_field_that_failed_is_told) {
	static const struct {
		const char *pattern, *path;
	} cases[] = {
		{ "{\"source\":[\"aws.ec2\"],\"detail\":{\"on\":[true],\"state\":[\"x\"]}}", "detail.state" },
		{ "{\"source\":[\"x\"],\"detail\":{\"state\":[\"x\"]}}", "source" },
		{ "{\"gone\":{\"a\":{\"b\":[1]}}}", "gone.a.b" },
		{ "{\"detail\":{\"$or\":[{\"on\":[false]},{\"state\":[\"x\"]}]}}", "detail.$or" },
		{ "{\"\":[1]}", "\"\"" },
		{ "{\"source\":[\"aws.ec2\"]}", "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pattern *p = NULL;
		const struct json *v = NULL;
		EXPECT_OK(pattern_compile(t->arena, str_of(cases[i].pattern), &p, NULL));
		EXPECT_OK(json_parse(t->arena, STR(EC2), &v, NULL));
		EXPECT(str_is(pattern_explain(p, v, t->arena), cases[i].path));
	}
}

/* ---- against a slow twin ---- */

/* The twin flattens the event into (path, leaf) pairs, as the documentation describes it, and knows no
 * arrays of objects; so the events here have none. */
struct pair {
	char path[16];
	const struct json *leaf;
};

static size_t flatten(const struct json *v, const char *path, struct pair *out, size_t n) {
	if (v->kind == JSON_OBJECT) {
		json_each(m, v) {
			char next[16];
			snprintf(next, sizeof next, "%s." STR_FMT, path, STR_ARG(m->key));
			n = flatten(m, next, out, n);
		}
		return n;
	}
	if (v->kind == JSON_ARRAY) {
		json_each(e, v) n = flatten(e, path, out, n);
		return n;
	}
	snprintf(out[n].path, sizeof out[n].path, "%s", path);
	out[n].leaf = v;
	return n + 1;
}

static bool twin_value(const struct json *test, const struct json *leaf) {
	if (test->kind != JSON_OBJECT)
		return test->kind == leaf->kind &&
		       (test->kind == JSON_NUMBER ? test->number == leaf->number : str_eq(test->text, leaf->text));
	const struct json *op = test->child;
	if (str_is(op->key, "prefix")) return leaf->kind == JSON_STRING && str_starts(leaf->text, op->text);
	if (str_is(op->key, "exists")) return op->kind == JSON_TRUE;
	if (str_is(op->key, "numeric"))
		return leaf->kind == JSON_NUMBER && leaf->number > json_at(op, 1)->number &&
		       leaf->number <= json_at(op, 3)->number;
	json_each(not, op) {
		if (twin_value(not, leaf)) return false;
	}
	return true;
}

static bool twin(const struct json *pattern, const char *path, const struct pair *pairs, size_t n) {
	json_each(field, pattern) {
		char here[16];
		bool any = false, present = false;
		snprintf(here, sizeof here, "%s." STR_FMT, path, STR_ARG(field->key));
		if (str_is(field->key, "$or")) {
			json_each(branch, field) any |= twin(branch, path, pairs, n);
		} else if (field->kind == JSON_OBJECT) {
			any = twin(field, here, pairs, n);
		} else {
			for (size_t i = 0; i < n; i++) {
				if (strcmp(pairs[i].path, here) != 0) continue;
				present = true;
				json_each(test, field) any |= twin_value(test, pairs[i].leaf);
			}
			json_each(test, field) {
				if (test->kind == JSON_OBJECT && str_is(test->child->key, "exists") && test->child->kind == JSON_FALSE)
					any |= !present;
			}
		}
		if (!any) return false;
	}
	return true;
}

static void random_leaf(struct t *t, struct json_out *o) {
	switch (rng_below(&t->rng, 6)) {
	case 0: json_put_null(o); break;
	case 1: json_put_bool(o, rng_below(&t->rng, 2)); break;
	case 2: json_put_c(o, rng_below(&t->rng, 2) ? "ab" : "ac"); break;
	case 3: json_put_c(o, rng_below(&t->rng, 2) ? "" : "b"); break;
	default: json_put_int(o, rng_below(&t->rng, 4)); break;
	}
}

static void random_event(struct t *t, struct json_out *o, int depth) {
	static const char *const keys[] = { "a", "b", "c" };
	json_begin_object(o);
	for (int i = 0; i < 3; i++) {
		if (rng_below(&t->rng, 4) == 0) continue;
		json_key(o, keys[i]);
		int64_t kind = rng_below(&t->rng, depth ? 4 : 3);
		if (kind == 3) {
			random_event(t, o, depth - 1);
		} else if (kind == 2) {
			json_begin_array(o);
			for (int64_t n = rng_below(&t->rng, 3); n > 0; n--) random_leaf(t, o);
			json_end_array(o);
		} else {
			random_leaf(t, o);
		}
	}
	json_end_object(o);
}

static void random_test(struct t *t, struct json_out *o) {
	static const char *const tests[] = { "{\"prefix\":\"a\"}",
		                                 "{\"exists\":true}",
		                                 "{\"exists\":false}",
		                                 "{\"numeric\":[\">\",0,\"<=\",2]}",
		                                 "{\"anything-but\":[\"ab\",\"\"]}",
		                                 "{\"anything-but\":[0,1]}" };
	if (rng_below(&t->rng, 2))
		random_leaf(t, o);
	else
		json_put_raw(o, str_of(tests[rng_below(&t->rng, 6)]));
}

static void random_pattern(struct t *t, struct json_out *o, int depth) {
	static const char *const keys[] = { "a", "b", "c" };
	bool some = false;
	json_begin_object(o);
	for (int i = 0; i < 3; i++) {
		if (rng_below(&t->rng, 2) && (some || i < 2)) continue;
		some = true;
		json_key(o, keys[i]);
		if (depth && rng_below(&t->rng, 3) == 0) {
			random_pattern(t, o, depth - 1);
			continue;
		}
		json_begin_array(o);
		for (int64_t n = rng_below(&t->rng, 3) + 1; n > 0; n--) random_test(t, o);
		json_end_array(o);
	}
	if (depth && rng_below(&t->rng, 4) == 0) {
		json_key(o, "$or");
		json_begin_array(o);
		random_pattern(t, o, depth - 1);
		random_pattern(t, o, depth - 1);
		json_end_array(o);
	}
	json_end_object(o);
}

TEST(it_answers_as_its_slow_twin, .seeds = 3000) {
	struct buf event, pattern;
	const struct json *e = NULL, *j = NULL;
	struct pattern *p = NULL;
	struct pair pairs[64];
	buf_init(&event, 0);
	buf_init(&pattern, 0);
	struct json_out eo = json_out(&event), po = json_out(&pattern);
	random_event(t, &eo, 2);
	random_pattern(t, &po, 2);
	EXPECT_OK(json_parse(t->arena, buf_get(&event), &e, NULL));
	EXPECT_OK(json_parse(t->arena, buf_get(&pattern), &j, NULL));
	EXPECT_OK(pattern_compile(t->arena, buf_get(&pattern), &p, NULL));
	bool expected = twin(j, "", pairs, flatten(e, "", pairs, 0));
	if (pattern_match(p, e) != expected)
		fprintf(stderr, STR_FMT " on " STR_FMT "\n", STR_ARG(buf_get(&pattern)), STR_ARG(buf_get(&event)));
	EXPECT(pattern_match(p, e) == expected);
	EXPECT((pattern_explain(p, e, t->arena).n == 0) == expected);
	buf_done(&event);
	buf_done(&pattern);
}

RUN(values_are_compared_exactly, arrays_match_on_intersection, prefixes, anything_but_those, numeric_ranges,
    presence_and_absence_of_leaves, one_of_several_branches, malformed_patterns_are_refused_with_position,
    size_and_depth_are_bounded, the_first_field_that_failed_is_told, it_answers_as_its_slow_twin)

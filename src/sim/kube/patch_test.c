/* Documents of the simulated cluster: patches, and who owns which field. */
#include <stdio.h>

#include "base/test.h"
#include "sim/kube/fields.h"
#include "sim/kube/impl.h"
#include "sim/kube/patch.h"
#include "sim/memory.h"

/* ---- documents and patches ---- */

static struct doc *of(const struct t *t, const char *json) {
	struct why why = { "" };
	struct doc *d = doc_parse(str_of(json), &why);
	EXPECT(d);
	return d;
}

static bool is(const struct t *t, struct doc *d, const char *json) {
	struct doc *want = of(t, json);
	bool same = doc_equal(d, want);
	doc_free(d);
	doc_free(want);
	return same;
}

TEST(merge_patch_follows_its_rfc) {
	static const char *const cases[][3] = {
		/* RFC 7386, appendix A */
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct doc *d = of(t, cases[i][0]), *p = of(t, cases[i][1]);
		sim_kube_merge_patch(d, p);
		doc_free(p);
		EXPECT(is(t, d, cases[i][2]));
	}
}

TEST(strategic_patch_merges_lists_by_their_keys) {
	static const char *const cases[][3] = {
		{ "{\"containers\":[{\"name\":\"a\",\"image\":\"1\"},{\"name\":\"b\"}]}",
		  "{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"c\"}]}",
		  "{\"containers\":[{\"name\":\"a\",\"image\":\"2\"},{\"name\":\"b\"},{\"name\":\"c\"}]}" },
		{ "{\"containers\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
		  "{\"containers\":[{\"name\":\"a\",\"$patch\":\"delete\"}]}", "{\"containers\":[{\"name\":\"b\"}]}" },
		{ "{\"args\":[1,2]}", "{\"args\":[3]}", "{\"args\":[3]}" },
		{ "{\"finalizers\":[\"a\",\"b\"]}", "{\"$deleteFromPrimitiveList/finalizers\":[\"a\"]}",
		  "{\"finalizers\":[\"b\"]}" },
		{ "{\"m\":{\"a\":1}}", "{\"m\":{\"$patch\":\"replace\",\"b\":2}}", "{\"m\":{\"b\":2}}" },
		{ "{\"strategy\":{\"type\":\"RollingUpdate\",\"rollingUpdate\":{}}}",
		  "{\"strategy\":{\"$retainKeys\":[\"type\"],\"type\":\"Recreate\"}}",
		  "{\"strategy\":{\"type\":\"Recreate\"}}" },
		{ "{\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\"}]}",
		  "{\"ports\":[{\"containerPort\":80,\"name\":\"x\"}]}",
		  "{\"ports\":[{\"containerPort\":80,\"protocol\":\"TCP\",\"name\":\"x\"}]}" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct doc *d = of(t, cases[i][0]), *p = of(t, cases[i][1]);
		EXPECT_OK(sim_kube_strategic_patch(d, p, NULL));
		doc_free(p);
		EXPECT(is(t, d, cases[i][2]));
	}
}

TEST(json_patch_follows_its_rfc) {
	static const struct {
		const char *before, *ops, *after;
		enum err err;
	} cases[] = {
		{ "{\"foo\":\"bar\"}", "[{\"op\":\"add\",\"path\":\"/baz\",\"value\":\"qux\"}]",
		  "{\"baz\":\"qux\",\"foo\":\"bar\"}", OK },
		{ "{\"foo\":[\"bar\",\"baz\"]}", "[{\"op\":\"add\",\"path\":\"/foo/1\",\"value\":\"qux\"}]",
		  "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", OK },
		{ "{\"foo\":[\"bar\"]}", "[{\"op\":\"add\",\"path\":\"/foo/-\",\"value\":1}]", "{\"foo\":[\"bar\",1]}", OK },
		{ "{\"foo\":[\"bar\",\"qux\",\"baz\"]}", "[{\"op\":\"remove\",\"path\":\"/foo/1\"}]",
		  "{\"foo\":[\"bar\",\"baz\"]}", OK },
		{ "{\"a/b\":{\"m~n\":1}}", "[{\"op\":\"replace\",\"path\":\"/a~1b/m~0n\",\"value\":2}]",
		  "{\"a/b\":{\"m~n\":2}}", OK },
		{ "{\"a\":1,\"b\":{}}", "[{\"op\":\"move\",\"from\":\"/a\",\"path\":\"/b/c\"}]", "{\"b\":{\"c\":1}}", OK },
		{ "{\"a\":1}", "[{\"op\":\"copy\",\"from\":\"/a\",\"path\":\"/b\"}]", "{\"a\":1,\"b\":1}", OK },
		{ "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":1}]", "{\"a\":1}", OK },
		{ "{\"a\":1}", "[{\"op\":\"test\",\"path\":\"/a\",\"value\":2}]", NULL, ERR_CONFLICT },
		{ "{\"a\":1}", "[{\"op\":\"remove\",\"path\":\"/b\"}]", NULL, ERR_NOT_FOUND },
		{ "{\"a\":1}", "[{\"op\":\"add\",\"path\":\"/b/c\",\"value\":1}]", NULL, ERR_NOT_FOUND },
		{ "{\"a\":1}", "[{\"op\":\"jump\",\"path\":\"/a\",\"value\":1}]", NULL, ERR_INVALID },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct doc *d = of(t, cases[i].before), *ops = of(t, cases[i].ops);
		struct why why;
		EXPECT_ERR(sim_kube_json_patch(&d, ops, &why), cases[i].err);
		doc_free(ops);
		if (cases[i].after)
			EXPECT(is(t, d, cases[i].after));
		else
			doc_free(d);
	}
}

/* ---- server-side apply ---- */

static enum err apply(const struct t *t, struct doc **object, const char *config, const char *name, bool force) {
	struct doc *c = of(t, config), *causes = doc_new(JSON_ARRAY), *out = NULL;
	struct sim_kube_manager m = { name, "", "2026-01-05T10:00:00Z", "apps/v1" };
	struct why why = { "" };
	enum err e = sim_kube_fields_apply(*object, c, &m, force, &out, causes, &why);
	EXPECT((e == ERR_CONFLICT) == (causes->child && !force));
	doc_free(c);
	doc_free(causes);
	if (e) return e;
	doc_free(*object);
	*object = out;
	return OK;
}

TEST(apply_owns_conflicts_takes_and_lets_go) {
	struct doc *d = NULL;
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"replicas\":3,\"paused\":false}}", "a", false));
	EXPECT(str_is(sim_kube_fields_owner(d, "spec.replicas"), "a"));
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"replicas\":3}}", "b", false)); /* the same value is shared */
	EXPECT_ERR(apply(t, &d, "{\"spec\":{\"replicas\":4}}", "b", false), ERR_CONFLICT);
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"replicas\":4}}", "b", true));
	EXPECT(str_is(sim_kube_fields_owner(d, "spec.replicas"), "b") &&
	       str_is(sim_kube_fields_owner(d, "spec.paused"), "a"));
	EXPECT_OK(apply(t, &d, "{\"spec\":{}}", "a", false)); /* lets go of paused: nobody else has it */
	EXPECT(!doc_path(d, "spec.paused") && doc_int(doc_path(d, "spec.replicas"), 0) == 4);
	struct doc *before = doc_copy(d);
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"replicas\":4}}", "b", true));
	EXPECT(doc_equal(before, d)); /* again changes nothing */
	doc_free(before);
	before = doc_copy(d);
	doc_set_int(doc_make(d, "spec"), "replicas", 7);
	struct sim_kube_manager hand = { "kubectl", "", "2026-01-05T10:00:01Z", "apps/v1" };
	sim_kube_fields_update(before, d, &hand);
	EXPECT(str_is(sim_kube_fields_owner(d, "spec.replicas"), "kubectl")); /* a plain write takes it silently */
	EXPECT_ERR(apply(t, &d, "{\"spec\":{\"replicas\":4}}", "b", false), ERR_CONFLICT);
	doc_free(before);
	doc_free(d);
}

TEST(apply_merges_lists_of_containers_by_name) {
	struct doc *d = NULL;
	EXPECT_OK(apply(t, &d,
	                "{\"spec\":{\"containers\":[{\"name\":\"x\",\"image\":\"1\"},{\"name\":\"y\",\"image\":\"1\"}]}}",
	                "a", false));
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"containers\":[{\"name\":\"z\",\"image\":\"1\"}]}}", "b", false));
	EXPECT(doc_count(doc_path(d, "spec.containers")) == 3);
	EXPECT_ERR(apply(t, &d, "{\"spec\":{\"containers\":[{\"name\":\"x\",\"image\":\"2\"}]}}", "b", false),
	           ERR_CONFLICT);
	EXPECT_OK(apply(t, &d, "{\"spec\":{\"containers\":[{\"name\":\"x\",\"image\":\"1\"}]}}", "a", false)); /* y goes */
	EXPECT(doc_count(doc_path(d, "spec.containers")) == 2);
	doc_free(d);
}

RUN(merge_patch_follows_its_rfc, strategic_patch_merges_lists_by_their_keys, json_patch_follows_its_rfc,
    apply_owns_conflicts_takes_and_lets_go, apply_merges_lists_of_containers_by_name)

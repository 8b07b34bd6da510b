#include "daemon/config.h"

#include <string.h>

#include "base/test.h"

static struct config parse(struct t *t, const char *text) {
	struct config c;
	struct why why = { "" };
	if (config_parse(t->arena, str_of(text), "f.yaml", &c, &why)) test_fail(t, __FILE__, __LINE__, why.text);
	return c;
}

/* Wherever it is wrong: the file and the line, as an editor jumps to it, and what would be right. */
TEST(whatever_is_wrong_is_named_with_file_line_and_what_would_be_right) {
	static const struct {
		const char *text, *at, *words;
	} cases[] = {
		{ "region: x\nhanders: []\n", "f.yaml:2: ", "'handlers'" },
		{ "listen:\n  ap: 1\n", "f.yaml:2: ", "'api'" },
		{ "listen:\n  api: 70000\n", "f.yaml:2: ", "65535" },
		{ "region: [a]\n", "f.yaml:1: ", "one value" },
		{ "region: a\nregion: b\n", "f.yaml:2: ", "twice" },
		{ "a: &x 1\n", "f.yaml:1: ", "anchor" },
		{ "region: x\nstate: [\n", "f.yaml:", "" },
		{ "- a\n", "f.yaml:1: ", "listen:" },
		{ "handlers:\n  - name: x\n    kinds: [latncy]\n    action: scale\n", "f.yaml:3: ", "'latency'" },
		{ "handlers:\n  - name: x\n    kinds: [latency]\n    action: scal\n", "f.yaml:4: ", "scale" },
		{ "handlers:\n  - name: x\n    acton: scale\n", "f.yaml:3: ", "'action'" },
		{ "policy:\n  budgt: {}\n", "f.yaml:2: ", "'budget'" },
		{ "policy:\n  budget:\n    podz: 1\n", "f.yaml:3: ", "'pods'" },
		{ "policy:\n  deny:\n    - {namespce: x}\n", "f.yaml:3: ", "'namespace'" },
		{ "policy:\n  maintenance:\n    - {name: x, form: 1}\n", "f.yaml:3: ", "'from'" },
		{ "services:\n  pay: {namespace: shop, wrkload: x}\n", "f.yaml:2: ", "'workload'" },
		{ "tokens:\n  - {name: a, role: opertor, sha256: x}\n", "f.yaml:2: ", "operator" },
		{ "tokens:\n  - {nam: a}\n", "f.yaml:2: ", "'name'" },
		{ "tokens:\n  - {name: a, sha256: abc}\n", "f.yaml:2: ", "64 hex digits" },
		{ "observe: {windw: 10s}\n", "f.yaml:1: ", "'window'" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct config c;
		struct why why = { "" };
		EXPECT_ERR(config_parse(t->arena, str_of(cases[i].text), "f.yaml", &c, &why), ERR_INVALID);
		if (strncmp(why.text, cases[i].at, strlen(cases[i].at)) != 0 || !strstr(why.text, cases[i].words))
			test_fail(t, __FILE__, __LINE__, why.text);
	}
}

/* A YAML text drawn from what people write. */
static const char *drawn(struct t *t, struct buf *b) {
	static const char *const lines[] = {
		"state: sqlite:///var/lib/x.db\n",
		"cache: \"memory:\"\n",
		"target: kubernetes:?context=prod\n",
		"region: \"on\"\n",
		"region: 'eu-west-1 # not a remark'\n",
		"listen: {api: 0, address: \"::1\", read_needs_token: yes}\n",
		"limits: {body: 1KiB, requests: 7}\n",
		"traces: {unsampled: true}\n",
		"observe: {window: 15s, incident_severity: 0.7}\n",
		"services: {\"pay: ment\": {namespace: \"true\", workload: pay-2}}\n",
		"handlers: []\n",
		"handlers: [{name: \"a: b\", kinds: [errors, memory], action: scale, replicas: -2, rate: 4/1h, services: "
		"[\"x-*\"],"
		" mode: auto, confidence_min: 33.3%, severity_min: 0.25, cooldown: 90s, attempts: 3}]\n",
		"policy: {paused: true, deny: [{namespace: kube-*, action: scale}, {service: \"#x\"}], allow: [{workload: "
		"'*'}],"
		" budget: {pods: 3, percent: 12.5%, window: 1h}, approval: {ttl: 1m, default: approve}, verify_timeout: 2m,"
		" maintenance: [{name: n, from: 2026-01-05T22:00:00Z, to: 2026-01-06T02:00:00.5Z, service: pay}]}\n",
	};
	buf_init(b, 0);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		bool again = i && strncmp(lines[i], lines[i - 1], 6) == 0; /* of two of one key the second */
		if (!again && rng_below(&t->rng, 2))
			buf_c(b, lines[i + (i == 3 || i == 10 ? (size_t)rng_below(&t->rng, 2) : 0)]);
	}
	return str_c(t->arena, buf_get(b));
}

/* What `config show` prints is a configuration, and the same one. */
TEST(what_is_shown_reads_back_as_the_same, .seeds = 300) {
	struct buf b, first, second;
	struct config c = parse(t, drawn(t, &b));
	buf_init(&first, 0), buf_init(&second, 0);
	config_show(&c, &first);
	struct config again = parse(t, str_c(t->arena, buf_get(&first)));
	config_show(&again, &second);
	if (!str_eq(buf_get(&first), buf_get(&second))) {
		fprintf(stderr, "%.*s\n---\n%.*s\n", (int)first.n, first.p, (int)second.n, second.p);
		test_fail(t, __FILE__, __LINE__, "shown twice, two texts");
	}
	CLEANUP(buf_done) struct buf differs;
	buf_init(&differs, 0);
	config_restart(&c, &again, &differs);
	EXPECT(!differs.n && again.control.handler_count == c.control.handler_count);
	EXPECT(again.control.paused == c.control.paused && again.control.deny_count == c.control.deny_count);
	buf_done(&b), buf_done(&first), buf_done(&second);
}

TEST(a_token_is_shown_without_what_it_is_known_by) {
	struct buf b;
	struct config c = parse(t, "tokens:\n  - {name: alice, role: approver, sha256: "
	                           "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff}\n");
	buf_init(&b, 0);
	config_show(&c, &b);
	const char *text = str_c(t->arena, buf_get(&b));
	EXPECT(strstr(text, "#   - {name: alice, role: approver}") && !strstr(text, "00112233"));
	buf_done(&b);
}

RUN(whatever_is_wrong_is_named_with_file_line_and_what_would_be_right, what_is_shown_reads_back_as_the_same,
    a_token_is_shown_without_what_it_is_known_by)

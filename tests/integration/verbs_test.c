/* The verbs as scripts and people use them: forms, exit codes, streams, and a disk or a reader that goes away. */
#include "feed.h"
#include "line.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define UNSAMPLED "traces: {unsampled: true}\n"

/* Every verb that `flyball help` lists. */
static size_t verbs(struct t *t, struct str *out, size_t max) {
	struct str rest = RUN_VERB("help").out, one;
	size_t n = 0;
	for (bool more = true; more && n < max;) {
		more = str_cut(rest, '\n', &one, &rest);
		if (!str_starts(one, STR("  ")) || one.n < 22) continue;
		out[n++] = str_trim((struct str){ one.p + 2, 18 });
	}
	EXPECT(n > 20);
	return n;
}

/* Help has an example, and the example is one that the verb takes. */
TEST(every_verb_has_help_and_an_example_that_parses) {
	struct str all[64];
	size_t n = verbs(t, all, 64);
	for (size_t i = 0; i < n; i++) {
		struct outcome r = rig_shell(t, "$FLYBALL " STR_FMT " -h", STR_ARG(all[i]));
		struct outcome same = rig_shell(t, "$FLYBALL help " STR_FMT, STR_ARG(all[i]));
		EXPECT_INT(r.code, 0);
		EXPECT(str_eq(r.out, same.out) && !r.err.n);
		char *example = strstr(str_c(t->arena, r.out), "\nExample:\n  flyball ");
		if (!example) FAIL("no example in:\n" STR_FMT, STR_ARG(r.out));
		example += strlen("\nExample:\n  flyball ");
		EXPECT(strncmp(example, all[i].p, all[i].n) == 0);
		example[strcspn(example, "\n")] = 0;
		r = rig_shell(t, "$FLYBALL %s -h", example);
		if (r.code || r.err.n) FAIL("flyball %s:\n" STR_FMT, example, STR_ARG(r.err));
	}
}

TEST(what_is_not_understood_is_named_with_what_would_be) {
	static const struct {
		const char *args, *words;
	} cases[] = {
		{ "", "Usage: flyball VERB" },
		{ "config", "config check" },
		{ "confg chek", "did you mean 'config check'" },
		{ "incident", "did you mean 'incidents'" },
		{ "-o json status", "options come after the verb" },
		{ "status --stat x", "--state" },
		{ "status extra", "'extra'" },
		{ "run -o json", "prints nothing" },
		{ "demo -o csv", "takes table" },
		{ "version -o yaml", "table, csv, json, jsonl" },
		{ "events --since yesterday", "30m" },
		{ "events --type a-b", "INCIDENT_OPENED" },
		{ "events --follow --state /tmp", "a daemon that runs" },
		{ "incidents --limit 0", "1 to 1000" },
		{ "simulate --seeds 9..3", "N or A..B" },
		{ "simulate --faults memory_leek", "memory_leak" },
		{ "simulate --hours x", "0.01" },
		{ "simulate --jobs 0", "1 to 64" },
		{ "simulate /nowhere.sim", "/nowhere.sim" },
		{ "simulate --seeds 1..3 x.sim", "--seeds has no meaning beside a scenario" },
		{ "demo twice", "'twice'" },
		{ "rules test a b c", "'c' is one argument too many" },
		{ "rules check /nowhere.json", "/nowhere.json" },
		{ "experiment mttd --case cold,sloe_database", "slow_database" },
		{ "experiment mttd --rate -1", "0.1" },
		{ "pause --for ever --server http://127.0.0.1:9", "30m" },
		{ "resume --for 2h", "--" },
		{ "status --token-file /nowhere", "/nowhere" },
		{ "status --state /nowhere", "/nowhere/state.db" },
		{ "audit verify --head x", "SEQ:HASH" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct outcome r = rig_shell(t, "$FLYBALL %s", cases[i].args);
		if (r.code != 2 || r.out.n || !rig_has(r.err, cases[i].words))
			FAIL("flyball %s: exit %d\n" STR_FMT STR_FMT, cases[i].args, r.code, STR_ARG(r.out), STR_ARG(r.err));
	}
}

/* Wherever a file is wrong its line is told, as an editor jumps to it. */
TEST(errors_in_files_begin_with_file_and_line) {
	static const struct {
		const char *name, *verb, *text, *at;
	} cases[] = {
		{ "a.yaml", "config check", "region: x\nhanders: []\n", ":2: unknown key 'handers', did you mean 'handlers'?" },
		{ "a.sim", "simulate", "seed 1\n\nat 1m fault memory_leek cart\n",
		  ":3: there is no fault 'memory_leek', did you mean 'memory_leak'?" },
		{ "set.sim", "simulate", "seed 1\ncold\nset handler cooldown 2m\n\nset handler cooldwn 3m\n",
		  ":5: set handler: unknown key 'cooldwn' in handlers, did you mean 'cooldown'?" },
		{ "world.sim", "simulate", "seed 1\n\nset world telemetry.samplin 10%\n", ":3: set world: " },
		{ "a.json", "rules check", "{\"a\":\n  {},\n  \"b\": }\n", ":3: JSON, byte" },
		{ "world.yaml", "experiment world --world", "name: x\nservics: []\n", ":2:" },
	};
	const char *dir = rig_dir(t);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *path = rig_path(t, dir, cases[i].name);
		rig_write(t, path, str_of(cases[i].text));
		struct outcome r = rig_shell(t, "$FLYBALL %s %s", cases[i].verb, path);
		EXPECT_INT(r.code, 2);
		EXPECT_HAS(r.err, str_printf(t->arena, "flyball: %s%s", path, cases[i].at).p);
	}
}

/* -q: results alone; -v: where they come from. */
TEST(quiet_and_verbose_say_less_and_more) {
	struct outcome r = rig_shell(t, "$FLYBALL config check -q");
	EXPECT(r.code == 0 && !r.out.n && !r.err.n);
	struct flyball f = rig_flyball(t, NULL);
	rig_start(&f);
	r = rig_shell(t, "$FLYBALL incidents 7ZZZ --server %s", f.url);
	EXPECT(r.code == 1 && !rig_has(r.err, "404"));
	r = rig_shell(t, "$FLYBALL incidents 7ZZZ -v --server %s", f.url);
	EXPECT(r.code == 1 && rig_has(r.err, "/api/v1/incidents/7ZZZ answered 404"));
	r = rig_shell(t, "script -qec \"$FLYBALL incidents --server %s\" /dev/null", f.url); /* on a terminal */
	EXPECT_HAS(r.out, "No incident so far.");
	r = rig_shell(t, "script -qec \"$FLYBALL incidents -q --server %s\" /dev/null", f.url);
	EXPECT(r.code == 0 && !r.out.n);
	EXPECT_INT(rig_stop(&f), 0);
}

/* Results that could not be written are no success. */
TEST(a_write_that_fails_is_told_and_a_reader_that_goes_is_not) {
	static const char *const all[] = { "version", "help", "config show", "simulate --faults list", "status -h" };
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct outcome r = rig_shell(t, "$FLYBALL %s >/dev/full", all[i]);
		if (r.code != 2 || !rig_has(r.err, "standard output: No space left on device"))
			FAIL("flyball %s: exit %d\n" STR_FMT, all[i], r.code, STR_ARG(r.err));
		r = rig_shell(t, "{ sleep 0.1; $FLYBALL %s; } | true", all[i]);
		if (r.code || r.err.n) FAIL("flyball %s | true: exit %d\n" STR_FMT, all[i], r.code, STR_ARG(r.err));
	}
}

static void form_ok(struct t *t, const char *args, const char *form, struct str out) {
	struct str rest = out, one;
	const struct json *v = NULL;
	bool whole = str_is(str_of(form), "json"), lines = str_is(str_of(form), "jsonl");
	bool ok = whole ? !json_parse(t->arena, out, &v, NULL) : lines || (out.n && out.p[0] != '{' && out.p[0] != '[');
	for (bool more = lines; more && ok;) {
		more = str_cut(rest, '\n', &one, &rest);
		ok = !one.n || !json_parse(t->arena, one, &v, NULL);
	}
	if (!ok) FAIL("flyball %s -o %s prints:\n" STR_FMT, args, form, STR_ARG(out));
}

static void every_form(struct t *t, const char *args) {
	static const char *const forms[] = { "table", "csv", "json", "jsonl" };
	for (size_t i = 0; i < 4; i++) {
		struct outcome r = rig_shell(t, "$FLYBALL %s -o %s", args, forms[i]);
		if (r.code) FAIL("flyball %s -o %s: exit %d\n" STR_FMT, args, forms[i], r.code, STR_ARG(r.err));
		form_ok(t, args, forms[i], r.out);
	}
}

/* A moment of a service most of whose requests fail. */
static bool failing(struct flyball *f) {
	struct t *t = f->t;
	struct answer a = ask(t, f->otlp_http, "POST", "/v1/traces", "Content-Type: application/x-protobuf\r\n",
	                      feed_spans(t, "cart", 40, 30));
	rig_sleep_ms(300);
	return a.status == 200;
}

/* A daemon that has found an incident; its ID. */
static struct str with_incident(struct t *t, struct flyball *f) {
	const struct json *v = NULL;
	rig_start(f);
	UNTIL(failing(f) && rig_has(GET(f->api, "/api/v1/incidents").body, "\"id\":"));
	struct answer a = GET(f->api, "/api/v1/incidents");
	v = answer_json(t, &a);
	return json_str(json_get(json_at(json_get(v, "items"), 0), "id"));
}

TEST(every_verb_prints_every_form) {
	struct flyball f = rig_flyball(t, UNSAMPLED);
	struct str id = with_incident(t, &f);
	static const char *const all[] = { "status",      "coverage",     "graph",        "incidents",
		                               "events",      "actions",      "audit ls",     "version",
		                               "config show", "config check", "audit verify", "events --since 1h" };
	setenv("FLYBALL_SERVER", f.url, 1);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) every_form(t, all[i]);
	every_form(t, str_printf(t->arena, "incidents " STR_FMT, STR_ARG(id)).p);
	every_form(t, str_printf(t->arena, "explain " STR_FMT, STR_ARG(id)).p);
	every_form(t, "simulate --faults list");
	struct outcome r = rig_shell(t, "$FLYBALL explain " STR_FMT " -o table", STR_ARG(id));
	EXPECT_HAS(r.out, "service/cart");
	EXPECT(!rig_has(r.out, " nan")); /* "maintenance" is none */
	r = rig_shell(t, "$FLYBALL coverage -o table");
	EXPECT_HAS(r.out, "no target: is configured");
	EXPECT_INT(rig_shell(t, "$FLYBALL incidents 7ZZZZZZZZZ").code, 1);
	EXPECT_INT(rig_shell(t, "$FLYBALL pause").code, 4);
	EXPECT_INT(rig_stop(&f), 0);
	EXPECT_INT(rig_shell(t, "$FLYBALL status").code, 3);
	unsetenv("FLYBALL_SERVER");
}

static int count(struct str text, const char *word) {
	int n = 0;
	for (size_t at = 0; at + strlen(word) <= text.n; at++) n += memcmp(text.p + at, word, strlen(word)) == 0;
	return n;
}

/* Like tail -f: one header, each event once, and the end when asked. */
TEST(followed_events_are_one_stream) {
	struct flyball f = rig_flyball(t, UNSAMPLED);
	rig_start(&f);
	const char *out = rig_path(t, rig_dir(t), "events"), *json = rig_path(t, rig_dir(t), "events.jsonl");
	struct outcome begun = rig_shell(t,
	                                 "$FLYBALL events --follow --since 1h -o csv --server %s >%s 2>/dev/null & echo $!;"
	                                 "$FLYBALL events --follow -o json --server %s >%s 2>/dev/null & echo $!",
	                                 f.url, out, f.url, json);
	int pid[2] = { 0 };
	EXPECT(sscanf(str_c(t->arena, begun.out), "%d %d", &pid[0], &pid[1]) == 2);
	rig_sleep_ms(2500);
	UNTIL(failing(&f) && rig_has(rig_read(t, out), "INCIDENT_OPENED") && rig_has(rig_read(t, json), "INCIDENT_OPENED"));
	rig_sleep_ms(2500);
	for (int i = 0; i < 2; i++) EXPECT(kill(pid[i], SIGINT) == 0);
	UNTIL(kill(pid[0], 0) != 0 && kill(pid[1], 0) != 0);
	struct str text = rig_read(t, out);
	EXPECT_INT(count(text, "time,type,subject,severity,id\n"), 1);
	EXPECT_INT(count(text, ",INCIDENT_OPENED,"), 1);
	form_ok(t, "events --follow", "jsonl", rig_read(t, json));
	EXPECT_INT(count(rig_read(t, json), "\"type\":\"INCIDENT_OPENED\""), 1);
	EXPECT_INT(rig_stop(&f), 0);
}

/* What a daemon left behind is asked as the daemon was. */
TEST(a_stopped_daemons_state_is_shown) {
	struct flyball f = rig_flyball(t, UNSAMPLED);
	rig_start(&f);
	EXPECT_INT(rig_shell(t, "$FLYBALL graph --state %s", f.state).code, 3); /* it runs: ask it */
	EXPECT_INT(rig_stop(&f), 0);
	struct outcome r = rig_shell(t, "$FLYBALL graph --state %s", f.state);
	EXPECT_INT(r.code, 1);
	EXPECT_HAS(r.err, "no checkpoint");
	struct str id = with_incident(t, &f);
	EXPECT_INT(rig_stop(&f), 0);
	r = rig_shell(t, "$FLYBALL graph --state %s -o json", f.state);
	EXPECT_INT(r.code, 0);
	EXPECT_HAS(r.out, "service/cart");
	EXPECT_HAS(rig_shell(t, "$FLYBALL coverage --state %s -o csv", f.state).out, "service/cart");
	EXPECT_HAS(rig_shell(t, "$FLYBALL status --state %s -o table", f.state).out, "nothing of it runs here");
	EXPECT_HAS(rig_shell(t, "$FLYBALL explain " STR_FMT " --state %s", STR_ARG(id), f.state).out, "service/cart");
	rig_start(&f); /* and nothing of it was changed */
	EXPECT_INT(rig_shell(t, "$FLYBALL audit verify --server %s", f.url).code, 0);
	EXPECT_INT(rig_stop(&f), 0);
}

RUN(every_verb_has_help_and_an_example_that_parses, what_is_not_understood_is_named_with_what_would_be,
    errors_in_files_begin_with_file_and_line, quiet_and_verbose_say_less_and_more,
    a_write_that_fails_is_told_and_a_reader_that_goes_is_not, every_verb_prints_every_form,
    followed_events_are_one_stream, a_stopped_daemons_state_is_shown)

/* SIGHUP: another file, the same process. */
#include "line.h"

#include <signal.h>
#include <unistd.h>

#define LISTEN        "listen: {otlp_grpc: 0, otlp_http: 0, api: 0}\n"
#define RESTART(mode) "handlers:\n  - {name: restart, kinds: [latency], action: rollout_restart, mode: " mode "}\n"

static void reload(struct flyball *f, struct str yaml) {
	rig_write(f->t, f->config, str_printf(f->t->arena, LISTEN STR_FMT, STR_ARG(yaml)));
	kill(f->pid, SIGHUP);
}

/* Lines in the log with this event. */
static int lines(struct flyball *f, const char *event) {
	struct str rest = rig_log(f), one;
	int n = 0;
	for (bool more = true; more;) {
		more = str_cut(rest, '\n', &one, &rest);
		n += rig_has(one, event);
	}
	return n;
}

static struct str status(struct flyball *f) {
	struct t *t = f->t;
	return GET(f->api, "/api/v1/status").body;
}

static int try_pause(struct flyball *f, const char *secret) {
	char header[120];
	snprintf(header, sizeof header, "Authorization: Bearer %s\r\n", secret);
	return ask(f->t, f->api, "POST", "/api/v1/pause", header, STR("{}")).status;
}

TEST(handlers_and_policy_are_taken_over_and_the_process_goes_on) {
	struct flyball f = rig_flyball(t, RESTART("observe"));
	rig_start(&f);
	EXPECT_HAS(status(&f), "{\"name\":\"restart\",\"action\":\"rollout_restart\",\"mode\":\"observe\"}");
	EXPECT_HAS(status(&f), "\"paused\":false");
	reload(
		&f,
		STR(RESTART(
			"approve") "  - {name: more, kinds: [saturation], action: scale, replicas: +1}\npolicy: {paused: true}\n"));
	rig_log_wait(&f, "event=config.reloaded handlers=2");
	EXPECT_HAS(status(&f), "{\"name\":\"restart\",\"action\":\"rollout_restart\",\"mode\":\"approve\"}");
	EXPECT_HAS(status(&f), "{\"name\":\"more\",\"action\":\"scale\",\"mode\":\"observe\"}");
	EXPECT_HAS(status(&f), "\"paused\":true");
	EXPECT(!rig_has(rig_log(&f), "config.restart"));
	for (int i = 2; i < 12; i++) { /* generations come and go; the newest counts */
		reload(&f, i % 2 ? STR(RESTART("approve")) : STR(RESTART("auto")));
		UNTIL(lines(&f, "event=config.reloaded") == i);
		EXPECT_HAS(status(&f), i % 2 ? "\"mode\":\"approve\"" : "\"mode\":\"auto\"");
	}
	EXPECT_HAS(status(&f), "\"paused\":false");
	EXPECT_INT(rig_stop(&f), 0);
}

TEST(a_bad_file_is_refused_with_its_line_and_the_old_settings_stay) {
	struct flyball f = rig_flyball(t, RESTART("approve"));
	rig_start(&f);
	const struct {
		const char *yaml, *words;
	} bad[] = {
		{ "handlerz: []\n", "flyball.yaml:2: unknown key 'handlerz', did you mean 'handlers'?" },
		{ RESTART("sometimes"), "sometimes" },
		{ "region: [\n", "flyball.yaml" },
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		reload(&f, str_of(bad[i].yaml));
		UNTIL(lines(&f, "event=config.refused") == (int)i + 1);
		EXPECT_HAS(rig_log(&f), bad[i].words);
		EXPECT_HAS(status(&f), "\"mode\":\"approve\"");
	}
	unlink(f.config);
	kill(f.pid, SIGHUP);
	UNTIL(lines(&f, "event=config.refused") == 4);
	EXPECT_HAS(status(&f), "\"mode\":\"approve\"");
	EXPECT(!rig_has(rig_log(&f), "config.reloaded"));
	reload(&f, STR(RESTART("auto")));
	rig_log_wait(&f, "event=config.reloaded");
	EXPECT_HAS(status(&f), "\"mode\":\"auto\"");
	EXPECT_INT(rig_stop(&f), 0);
}

TEST(what_needs_a_restart_is_named_and_stays) {
	struct flyball f = rig_flyball(t, NULL);
	rig_start(&f);
	rig_write(
		t, f.config,
		STR("region: elsewhere\nlisten: {otlp_grpc: 0, otlp_http: 0, api: 1, read_needs_token: false}\n"
	        "limits: {body: 1MiB}\nobserve: {window: 20s}\nservices: {pay: {namespace: shop, workload: pay-v2}}\n"));
	kill(f.pid, SIGHUP);
	rig_log_wait(&f, "event=config.restart keys=\"region listen.api limits.body observe.window services\"");
	EXPECT(GET(f.api, "/healthz").status == 200);
	EXPECT_INT(rig_stop(&f), 0);
}

TEST(a_token_taken_away_opens_nothing_any_more) {
	struct flyball f = rig_flyball(t, str_c(t->arena, rig_tokens(t)));
	rig_start(&f);
	EXPECT_INT(try_pause(&f, "secret-of-operator"), 200);
	reload(&f, STR("listen: {read_needs_token: true}\n")); /* a second `listen` would hide the first */
	rig_log_wait(&f, "event=config.refused");
	EXPECT_INT(try_pause(&f, "secret-of-operator"), 200);
	reload(&f, STR(""));
	rig_log_wait(&f, "event=config.reloaded handlers=5 tokens=0");
	EXPECT_INT(try_pause(&f, "secret-of-operator"), 401);
	reload(&f, rig_tokens(t));
	rig_log_wait(&f, "tokens=3");
	EXPECT_INT(try_pause(&f, "secret-of-operator"), 200);
	EXPECT_INT(try_pause(&f, "secret-of-viewer"), 403);
	rig_write(t, f.config,
	          str_printf(t->arena, "listen: {otlp_grpc: 0, otlp_http: 0, api: 0, read_needs_token: true}\n" STR_FMT,
	                     STR_ARG(rig_tokens(t))));
	kill(f.pid, SIGHUP);
	UNTIL(GET(f.api, "/api/v1/status").status == 401);
	EXPECT_INT(GET(f.api, "/healthz").status, 200);
	EXPECT_INT(rig_stop(&f), 0);
}

TEST(standard_input_is_not_read_twice) {
	struct flyball f = rig_flyball(t, NULL);
	f.config = "-";
	f.opts.input = STR(LISTEN RESTART("approve"));
	rig_start(&f);
	kill(f.pid, SIGHUP);
	rig_log_wait(&f, "the configuration came from standard input; start anew to change it");
	EXPECT_HAS(status(&f), "\"mode\":\"approve\"");
	EXPECT_INT(rig_stop(&f), 0);
}

RUN(handlers_and_policy_are_taken_over_and_the_process_goes_on,
    a_bad_file_is_refused_with_its_line_and_the_old_settings_stay, what_needs_a_restart_is_named_and_stays,
    a_token_taken_away_opens_nothing_any_more, standard_input_is_not_read_twice)

/* What the simulated operators wrote down: flyball.yaml. */
#include <stdio.h>

#include "sim/run/impl.h"
#include "sim/shop/otlp.h"

#define GAUGES_OF_ONE 16
#define LIVES_AN_HOUR 4 /* of a process: rollouts and restarts make new series */
#define SERIES_LEAST  20000

/* The settings of one section, as members of a YAML flow mapping. */
static void settings(const struct run_opts *o, const char *section, struct buf *b) {
	for (size_t i = 0; i < o->setting_count; i++) {
		const struct scenario_setting *s = &o->settings[i];
		if (str_is(s->section, section)) buf_printf(b, ", " STR_FMT ": " STR_FMT, STR_ARG(s->key), STR_ARG(s->value));
	}
}

static bool is_set(const struct run_opts *o, const char *section, const char *key) {
	for (size_t i = 0; i < o->setting_count; i++)
		if (str_is(o->settings[i].section, section) && str_is(o->settings[i].key, key)) return true;
	return false;
}

static void handler(const struct run_opts *o, const struct handler *h, struct buf *b) {
	static const char *const modes[] = { "auto", "approve", "observe" };
	buf_printf(b, "  - {name: " STR_FMT ", action: %s, mode: %s, kinds: [", STR_ARG(h->name),
	           action_kind_name(h->action), modes[o->broken == BREAK_MODE ? SCENARIO_AUTO : o->mode]);
	bool first = true;
	for (int k = 0; k < CAUSE_KINDS; k++) {
		if (!(h->kinds >> k & 1)) continue;
		buf_printf(b, "%s%s", first ? "" : ", ", cause_kind_name((enum cause_kind)k));
		first = false;
	}
	buf_byte(b, ']');
	if (h->action == ACTION_SCALE) buf_printf(b, ", replicas: %+lld", (long long)h->replicas_by);
	buf_printf(b, ", demand: %s", control_demand_name(h->demand));
	if (o->broken == BREAK_COOLDOWN)
		buf_c(b, ", cooldown: 1s, attempts: 10");
	else if (!is_set(o, "handler", "attempts"))
		buf_printf(b, ", attempts: %lld", (long long)h->attempts);
	settings(o, "handler", b);
	buf_c(b, "}\n");
}

/* The built-in handlers with the mode that the world's owner wants. */
static enum err handlers(struct arena *a, const struct run_opts *o, struct buf *b, struct why *why) {
	struct control_policy usual;
	enum err e = control_policy_parse(a, NULL, NULL, &usual, why);
	if (e) return e;
	buf_c(b, "handlers:\n");
	for (size_t i = 0; i < usual.handler_count; i++) handler(o, &usual.handlers[i], b);
	return OK;
}

/* Time series of one process: a histogram for each endpoint and call, by how it ended, and its own and the node's
 * figures of it. */
static size_t series_of(const struct shop_service *s) {
	size_t calls = 0;
	for (size_t i = 0; i < s->endpoint_count; i++) calls += s->endpoints[i].call_count;
	return SHOP_OUTCOMES * (s->endpoint_count + calls) + GAUGES_OF_ONE;
}

/* Room for all that the world tells within the hour for which a series is remembered. */
static size_t series_max(const struct shop_world *w) {
	size_t sum = 0;
	for (size_t i = 0; i < w->service_count; i++) {
		const struct shop_service *s = &w->services[i];
		int most = s->autoscale.most > s->replicas ? s->autoscale.most : s->replicas;
		sum += LIVES_AN_HOUR * (size_t)most * series_of(s);
	}
	return sum > SERIES_LEAST ? sum : SERIES_LEAST;
}

static void write_yaml(const struct run_opts *o, struct buf *b) {
	struct sha256 token = sha256(STR(RUN_TOKEN));
	char hex[65];
	hex_encode(token.b, sizeof token.b, hex);
	buf_c(b, "listen: {address: 0.0.0.0, otlp_grpc: 4317, otlp_http: 4318, api: 8555}\n"
	         "state: \"sqlite:///" RUN_STATE_DIR "/state.db\"\n"
	         "bus: \"sqlite:///" RUN_STATE_DIR "/bus.db\"\n"
	         "target: \"kubernetes:?server=http://kube:80&token_file=/etc/flyball/token\"\n");
	buf_printf(b, "traces: {unsampled: %s}\n", o->world->sampling < 1 ? "false" : "true");
	buf_printf(b, "tokens: [{name: people, role: operator, sha256: \"%s\"}]\n", hex);
	buf_printf(b, "observe: {series_max: %zu", series_max(o->world));
	settings(o, "observe", b);
	buf_c(b, "}\npolicy: {paused: false");
	settings(o, "policy", b);
	if (o->broken == BREAK_BUDGET) buf_c(b, ", budget: {pods: 100000, percent: 100%}");
	buf_c(b, "}\n");
}

static void limits_of(const struct config *c, const struct run_opts *o, struct invariant_limits *out) {
	*out = (struct invariant_limits){
		.observe = o->mode == SCENARIO_OBSERVE,
		.cooldown_ns = INT64_MAX,
		.budget_pods = c->control.budget_pods,
		.budget_window_ns = c->control.budget_window_ns,
	};
	for (size_t i = 0; i < c->control.handler_count; i++) {
		const struct handler *h = &c->control.handlers[i];
		if (h->cooldown_ns < out->cooldown_ns) out->cooldown_ns = h->cooldown_ns;
		if (h->action != ACTION_SCALE) continue;
		int most = (int)(h->replicas_by * h->attempts * 8); /* eight incidents in one run, at most */
		if (most < 0) out->replicas_min += most;
		if (most > 0) out->replicas_max += most;
	}
}

/* Which setting is it that the configuration does not take: the first with which it is wrong. Its own line is told, not
 * that of a file that nobody wrote. */
static enum err blame(struct arena *a, const struct run_opts *o, enum err wrong, struct why *why) {
	struct run_opts some = *o;
	for (some.setting_count = 0; some.setting_count <= o->setting_count; some.setting_count++) {
		struct config c;
		struct why inner = { "" };
		struct buf b;
		buf_init(&b, 0);
		write_yaml(&some, &b);
		enum err e = handlers(a, &some, &b, &inner);
		struct str text = str_copy(a, buf_get(&b)), head, tail;
		buf_done(&b);
		if (!e) e = config_parse(a, text, "", &c, &inner);
		if (!e) continue;
		const struct scenario_setting *s = some.setting_count ? &o->settings[some.setting_count - 1] : NULL;
		if (!s || !s->file || !str_cut(str_of(inner.text), ' ', &head, &tail)) break; /* head: ":12:" */
		return why_set(why, wrong, "%s:%d: set " STR_FMT ": " STR_FMT, s->file, s->line, STR_ARG(s->section),
		               STR_ARG(str_copy(a, tail)));
	}
	return wrong;
}

enum err run_config(struct arena *a, const struct run_opts *o, struct str *yaml, struct invariant_limits *limits,
                    struct why *why) {
	struct config c;
	struct run_opts honest = *o;
	struct buf b;
	buf_init(&b, 0);
	/* What the owner wants is what the checkers hold; a break is in what the daemon is told. */
	honest.broken = BREAK_NOTHING;
	write_yaml(&honest, &b);
	enum err e = handlers(a, &honest, &b, why);
	struct str text = str_copy(a, buf_get(&b));
	if (!e) e = config_parse(a, text, "flyball.yaml", &c, why);
	if (e) e = blame(a, &honest, e, why);
	if (!e) limits_of(&c, o, limits);
	buf_clear(&b);
	write_yaml(o, &b);
	if (!e) e = handlers(a, o, &b, why);
	*yaml = str_copy(a, buf_get(&b));
	buf_done(&b);
	return e;
}

/* Test support: control on its doubles, driven in virtual time. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/yaml.h"
#include "control/double.h"
#include "model/audit.h"
#include "model/schema_check.h"

static void rig_log(struct log *l, enum log_level level, const char *event, struct str fields) {
	struct rig *r = container_of(l, struct rig, log);
	(void)level;
	if (strcmp(event, "audit.head") == 0) {
		snprintf(r->head_line, sizeof r->head_line, "%.*s", STR_ARG(fields));
		r->heads++;
	}
	if (r->say) r->say(r, event, fields);
}

static const struct json *yaml(struct rig *r, const char *text) {
	const struct json *v = NULL;
	struct why why;
	if (!text) return NULL;
	if (yaml_parse(&r->arena, str_of(text), &v, &why)) test_fail(r->t, __FILE__, __LINE__, why.text);
	return v;
}

void rig_policy(struct rig *r, const char *handlers, const char *policy) {
	struct why why = { 0 };
	if (control_policy_parse(&r->arena, yaml(r, handlers), yaml(r, policy), &r->policy, &why))
		test_fail(r->t, __FILE__, __LINE__, why.text);
}

void rig_init(struct rig *r, struct t *t, const char *handlers, const char *policy) {
	*r = (struct rig){ .t = t, .rng = t->rng };
	arena_init(&r->arena, 0);
	fake_clock_init(&r->clock, (struct wall){ INT64_C(1767607200) * NS_PER_SEC });
	r->log = (struct log){ rig_log, LOG_DEBUG };
	double_store_init(&r->store, &r->clock, &r->rng);
	double_broker_init(&r->broker, &r->clock, &r->rng);
	double_cluster_init(&r->cluster, &r->clock, &r->rng);
	static const struct double_object objects[] = {
		{ "payment", "shop", "pay-deploy", "uid-payment", "pod-payment", NULL, 3, 4 },
		{ "cart", "shop", "cart", "uid-cart", "pod-cart", NULL, 2, 1 },
		{ "orders", "shop", "orders", "uid-orders", "pod-orders", NULL, 3, 9 },
	};
	memcpy(r->cluster.objects, objects, sizeof objects);
	r->cluster.object_count = sizeof objects / sizeof *objects;
	rig_policy(r, handlers, policy);
	rig_start(r);
	rig_run(r, NS_PER_SEC);
	EXPECT(rig_ready(r)); /* the first of its world: nobody holds the lease */
}

void rig_start(struct rig *r) {
	struct why why;
	char holder[64];
	snprintf(holder, sizeof holder, "test/%llu", (unsigned long long)++r->lives);
	r->state = double_state(&r->store);
	r->bus = double_bus(&r->broker);
	r->executor = r->no_executor ? NULL : double_executor(&r->cluster);
	struct control_opts o = { .clock = &r->clock.clock,
		                      .bus = r->bus,
		                      .state = r->state,
		                      .executor = r->executor,
		                      .log = &r->log,
		                      .rng = rng_seeded(rng_next(&r->rng)),
		                      .holder = str_of(holder),
		                      .policy = &r->policy };
	if (control_open(&o, &r->control, &why)) test_fail(r->t, __FILE__, __LINE__, why.text);
}

void rig_crash(struct rig *r) {
	control_close(r->control);
	r->control = NULL;
	double_state_crash(r->state);
	bus_close(r->bus);
	if (r->executor) double_executor_crash(r->executor);
	r->state = NULL;
	r->bus = NULL;
	r->executor = NULL;
}

void rig_done(struct rig *r) {
	if (r->control) rig_crash(r);
	double_cluster_done(&r->cluster);
	double_broker_done(&r->broker);
	double_store_done(&r->store);
	arena_done(&r->arena);
}

bool rig_ready(struct rig *r) {
	return control_ready(r->control);
}

static int64_t due(struct rig *r) {
	int64_t at = control_next_due(r->control).ns;
	int64_t s = double_state_due(r->state), b = r->bus->ops->next_due(r->bus).ns;
	int64_t e = r->executor ? r->executor->ops->next_due(r->executor).ns : INT64_MAX;
	if (s < at) at = s;
	if (b < at) at = b;
	if (e < at) at = e;
	return at;
}

bool rig_turn(struct rig *r, int64_t until_ns) {
	if (control_step(r->control)) return true;
	int64_t at = due(r), now = r->clock.mono.ns;
	if (at <= now) at = now + NS_PER_MS; /* a due time that is not served must not stop time */
	if (at > until_ns) {
		fake_clock_advance(&r->clock, until_ns - now);
		return false;
	}
	fake_clock_advance(&r->clock, at - now);
	double_cluster_step(&r->cluster);
	return true;
}

void rig_run(struct rig *r, int64_t ns) {
	struct t *t = r->t;
	int64_t until = r->clock.mono.ns + ns;
	for (int64_t turns = 0; rig_turn(r, until); turns++) EXPECT(turns < 2000000);
	while (control_step(r->control)) {}
}

enum err rig_command(struct rig *r, enum command_kind kind, const char *id, const char *by, int64_t for_ns,
                     char why[256]) {
	struct t *t = r->t;
	struct command cmd = { .kind = kind, .by = str_of(by), .why = STR("because"), .for_ns = for_ns };
	if (kind == COMMAND_PAUSE || kind == COMMAND_RESUME)
		cmd.scope = str_of(id);
	else
		cmd.id = str_of(id);
	struct commands *c = control_commands(r->control);
	struct command_done done;
	enum err e = c->ops->submit(c, &cmd, 77);
	if (e) return e;
	for (int i = 0; i < 200; i++) {
		rig_run(r, 10 * NS_PER_MS);
		if (!c->ops->poll(c, &done)) continue;
		EXPECT(done.tag == 77);
		if (why) snprintf(why, 256, "%s", done.why ? done.why : "");
		return done.err;
	}
	test_fail(t, __FILE__, __LINE__, "a command was never answered");
}

/* ---- events ---- */

const char *rig_ulid(struct rig *r, int n) {
	return str_printf(r->t->arena, "01KE0000000000000000%06d", n).p;
}

static const char *event_of(struct rig *r, const char *type, int n) {
	char id[ULID_LEN + 1];
	struct str name = str_printf(r->t->arena, "%s/%d/%lld", type, n, (long long)r->broker.published);
	struct rng rng = rng_seeded(hash64(name));
	ulid_make(r->clock.wall, &rng, id);
	return str_printf(r->t->arena, "%s", id).p;
}

static const char *entity(struct rig *r, const char *service) {
	return str_printf(r->t->arena, "service/%s", service).p;
}

#define SIGNAL                                                                                     \
	"{\"entity\":\"service/"                                                                       \
	"%s\",\"signal\":\"duration\",\"state\":\"value\",\"value\":%s,\"expected\":0.05,\"low\":0.0," \
	"\"high\":0.1,\"score\":%s,\"onset\":\"%s\",\"onset_sd_s\":1,\"delivered\":\"%s\",\"interval_s\":10}"

void rig_opened(struct rig *r, int n, const char *service, double severity) {
	char at[32];
	wall_format(r->clock.wall, at);
	struct str data =
		str_printf(r->t->arena,
	               "{\"incident\":\"%s\",\"opened\":\"%s\",\"onset\":\"%s\",\"delivered\":\"%s\","
	               "\"severity\":%g,\"entities\":[\"service/%s\"],\"signals\":[" SIGNAL "],\"engine\":\"stl-gesd\"}",
	               rig_ulid(r, n), at, at, at, severity, service, service, "0.9", "4.2", at, at);
	double_emit(&r->broker, "INCIDENT_OPENED", event_of(r, "o", n), entity(r, service), severity, data.p);
}

static void report(struct rig *r, int n, const char *subject, const char *causes, bool none, const char *reason) {
	char at[32];
	wall_format(r->clock.wall, at);
	struct str data =
		str_printf(r->t->arena,
	               "{\"incident\":\"%s\",\"root_causes\":[%s],\"none\":%s,\"reason\":%s,\"timeline\":[],"
	               "\"change_point\":\"%s\",\"traces\":[],\"data_quality\":{\"signals\":3,\"with_value\":3,"
	               "\"stale\":0,\"absent\":0,\"oldest_s\":5}}",
	               rig_ulid(r, n), causes, none ? "true" : "false", reason, at);
	double_emit(&r->broker, "RCA_REPORT", event_of(r, "r", n), subject, 0.8, data.p);
}

void rig_report(struct rig *r, int n, const char *service, const char *kind, double confidence, const char *pod_uid) {
	struct str cause =
		str_printf(r->t->arena,
	               "{\"entity\":\"service/"
	               "%s\",\"kind\":\"%s\",\"confidence\":%g,\"metric\":\"duration\",\"onset\":\"2026-01-05T10:00:00Z\","
	               "\"demand\":\"usual\","
	               "\"evidence\":[\"duration of %s rose "
	               "first\"],\"target\":{\"service\":\"%s\",\"namespace\":\"shop\",\"workload\":\"%s\","
	               "\"workload_kind\":\"Deployment\",\"pods\":[\"pod-%s\"],\"pod_uid\":%s%s%s},\"change\":null}",
	               service, kind, confidence, service, service, service, service, pod_uid ? "\"" : "",
	               pod_uid ? pod_uid : "null", pod_uid ? "\"" : "");
	report(r, n, entity(r, service), cause.p, false, "null");
}

void rig_report_none(struct rig *r, int n, const char *reason) {
	report(r, n, "service/payment", "", true, str_printf(r->t->arena, "\"%s\"", reason).p);
}

void rig_report_foreign(struct rig *r, int n, const char *entity_, const char *kind) {
	struct str cause = str_printf(
		r->t->arena,
		"{\"entity\":\"%s\",\"kind\":\"%s\",\"confidence\":0.9,\"metric\":null,\"onset\":null,\"demand\":\"usual\","
		"\"evidence\":[],\"target\":null,\"change\":null}",
		entity_, kind);
	report(r, n, entity_, cause.p, false, "null");
}

void rig_resolved(struct rig *r, int n, const char *how) {
	char at[32];
	wall_format(r->clock.wall, at);
	bool in_band = strcmp(how, "in_band") == 0;
	struct str data = str_printf(
		r->t->arena,
		"{\"incident\":\"%s\",\"resolved\":\"%s\",\"in_band_since\":%s%s%s,\"how\":\"%s\",\"signals\":[" SIGNAL "]}",
		rig_ulid(r, n), at, in_band ? "\"" : "", in_band ? at : "null", in_band ? "\"" : "", how, "payment", "0.05",
		"0.1", at, at);
	double_emit(&r->broker, "INCIDENT_RESOLVED", event_of(r, "e", n), "service/payment", 0.1, data.p);
}

void rig_stale(struct rig *r, const char *service, const char *signals, const char *state) {
	struct str data = str_printf(
		r->t->arena, "{\"entity\":\"service/%s\",\"signals\":[%s],\"state\":\"%s\",\"last\":null,\"interval_s\":10}",
		service, signals, state);
	double_emit(&r->broker, "DATA_STALE", event_of(r, "s", 0), entity(r, service), 0, data.p);
}

/* ---- looking ---- */

const struct json *rig_row(struct rig *r, const char *prefix, const char *id) {
	struct str key = str_printf(r->t->arena, "%s/%s", prefix, id);
	const struct double_item *it = double_get(&r->store, key.p);
	const struct json *v = NULL;
	struct why why;
	if (!it) return NULL;
	struct str text = str_copy(r->t->arena, (struct str){ it->value, it->n });
	if (json_parse(r->t->arena, text, &v, &why)) test_fail(r->t, __FILE__, __LINE__, why.text);
	return v;
}

const struct json *rig_incident(struct rig *r, int n) {
	return rig_row(r, "incident", rig_ulid(r, n));
}

const struct json *rig_action(struct rig *r, int n, size_t i) {
	struct str id = json_str(json_at(json_get(rig_incident(r, n), "actions"), i));
	return id.n ? rig_row(r, "action", str_c(r->t->arena, id)) : NULL;
}

bool rig_action_is(struct rig *r, int n, size_t i, const char *state) {
	return str_is(json_str(json_get(rig_action(r, n, i), "state")), state);
}

size_t rig_effects(const struct rig *r, const char *service) {
	size_t n = 0;
	const struct double_object *o = double_object((struct double_cluster *)&r->cluster, service);
	for (size_t i = 0; i < r->cluster.effect_count; i++) {
		const char *uid = r->cluster.effects[i].uid;
		n += strcmp(uid, o->uid) == 0 || (o->pod_uid && strcmp(uid, o->pod_uid) == 0);
	}
	return n;
}

void rig_audit(struct rig *r) {
	struct t *t = r->t;
	CLEANUP(arena_done) struct arena a;
	arena_init(&a, 0);
	struct audit_verifier v = audit_verifier((struct audit_head){ 0 });
	struct audit_head head = { 0 };
	struct why why = { 0 };
	const struct double_item *it = double_get(&r->store, "audit/head");
	if (!it) return;
	EXPECT_OK(audit_head_read(&a, (struct str){ it->value, it->n }, &head, &why));
	for (uint64_t seq = 1; seq <= head.seq; seq++) {
		char key[AUDIT_KEY_LEN + 1];
		audit_key(seq, key);
		it = double_get(&r->store, key);
		EXPECT(it);
		if (audit_verify_next(&v, &a, (struct str){ it->value, it->n }, &why))
			test_fail(t, __FILE__, __LINE__, why.text);
	}
	EXPECT_OK(audit_verify_end(&v, &head, &why));
}

void rig_fault(struct rig *r, int n, const char *service, const char *kind) {
	rig_opened(r, n, service, 0.8);
	rig_run(r, NS_PER_SEC);
	rig_report(r, n, service, kind, 0.9, NULL);
	rig_run(r, 2 * NS_PER_SEC);
}

void rig_finish(struct rig *r) {
	struct t *t = r->t;
	static const char *const types[] = { "ACTION_PLANNED", "APPROVAL_REQUESTED", "ACTION_LOG" };
	for (size_t k = 0; k < 3; k++) {
		const char *e;
		for (size_t i = 0; (e = double_nth(&r->broker, types[k], i)); i++) {
			struct why why = { "" };
			if (schema_check_event(EVENTS_DIR, str_of(e), &why)) test_fail(t, __FILE__, __LINE__, why.text);
		}
	}
	rig_audit(r);
	rig_done(r);
}

bool rig_text_is(const struct json *row, const char *path, const char *want) {
	return str_is(json_str(json_path(row, path)), want);
}

bool rig_says(struct t *t, const struct json *row, const char *path, const char *want) {
	struct str s = json_str(json_path(row, path));
	return s.n && strstr(str_c(t->arena, s), want);
}

size_t rig_actions(struct rig *r, int n) {
	const struct json *v = json_get(rig_incident(r, n), "actions");
	return v ? v->count : 0;
}

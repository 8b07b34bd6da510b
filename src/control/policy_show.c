/* A generation of handlers and policy written as the YAML that makes it. */
#include <stdio.h>

#include "control/policy.h"

static void duration(struct buf *out, const char *key, int64_t ns) {
	char text[32];
	duration_format(ns, text);
	buf_printf(out, "%s: %s", key, text);
}

/* Double quotes are YAML's as well as JSON's. */
static void text(struct buf *out, const char *key, struct str s) {
	struct json_out o = json_out(out);
	buf_printf(out, "%s: ", key);
	json_put_str(&o, s);
}

/* ---- handlers ---- */

static void kinds(struct buf *out, uint32_t mask) {
	const char *comma = "";
	buf_c(out, "    kinds: [");
	for (int k = 0; k < CAUSE_KINDS; k++) {
		if (!(mask >> k & 1)) continue;
		buf_printf(out, "%s%s", comma, cause_kind_name((enum cause_kind)k));
		comma = ", ";
	}
	buf_c(out, "]\n");
}

static void globs(struct buf *out, const struct handler *h) {
	if (!h->service_count) return;
	struct json_out o = json_out(out);
	buf_c(out, "    services: ");
	json_begin_array(&o);
	for (size_t i = 0; i < h->service_count; i++) json_put_str(&o, h->services[i]);
	json_end_array(&o);
	buf_byte(out, '\n');
}

static void handler(struct buf *out, const struct handler *h) {
	text(out, "  - name", h->name);
	buf_printf(out, "\n    action: %s\n    mode: %s\n", action_kind_name(h->action), control_mode_name(h->mode));
	kinds(out, h->kinds);
	globs(out, h);
	if (h->demand != DEMAND_ANY) buf_printf(out, "    demand: %s\n", control_demand_name(h->demand));
	buf_printf(out, "    confidence_min: %.15g%%\n    severity_min: %.15g\n    ", 100 * h->confidence_min,
	           h->severity_min);
	duration(out, "cooldown", h->cooldown_ns);
	buf_printf(out, "\n    attempts: %lld\n", (long long)h->attempts);
	if (h->rate_count) {
		char window[32];
		duration_format(h->rate_window_ns, window);
		buf_printf(out, "    rate: %lld/%s\n", (long long)h->rate_count, window);
	}
	if (h->replicas_by) buf_printf(out, "    replicas: \"%+lld\"\n", (long long)h->replicas_by);
}

/* ---- policy ---- */

static void member(struct buf *out, const char **comma, const char *key, struct str s) {
	if (!s.n) return;
	buf_c(out, *comma);
	text(out, key, s);
	*comma = ", ";
}

static void rules(struct buf *out, const char *key, const struct policy_rule *r, size_t n) {
	buf_printf(out, "  %s: [", key);
	for (size_t i = 0; i < n; i++, r++) {
		const char *comma = "";
		buf_c(out, i ? ", {" : "{");
		member(out, &comma, "namespace", r->namespace_);
		member(out, &comma, "service", r->service);
		member(out, &comma, "workload", r->workload);
		if (r->action >= 0) member(out, &comma, "action", str_of(action_kind_name((enum action_kind)r->action)));
		buf_byte(out, '}');
	}
	buf_c(out, "]\n");
}

static void windows(struct buf *out, const struct control_policy *p) {
	buf_c(out, "  maintenance: [");
	for (size_t i = 0; i < p->maintenance_count; i++) {
		const struct maintenance *m = &p->maintenance[i];
		const char *comma = "";
		char from[32], to[32];
		wall_format(m->from, from), wall_format(m->to, to);
		buf_c(out, i ? ", {" : "{");
		member(out, &comma, "name", m->name);
		member(out, &comma, "service", m->service);
		buf_printf(out, "%sfrom: %s, to: %s}", comma, from, to);
	}
	buf_c(out, "]\n");
}

void control_policy_show(const struct control_policy *p, struct buf *out) {
	buf_c(out, p->handler_count ? "handlers:\n" : "handlers: []\n");
	for (size_t i = 0; i < p->handler_count; i++) handler(out, &p->handlers[i]);
	buf_printf(out, "policy:\n  paused: %s\n  ", p->paused ? "true" : "false");
	duration(out, "verify_timeout", p->verify_timeout_ns);
	buf_c(out, "\n  ");
	duration(out, "patience", p->patience_ns);
	buf_byte(out, '\n');
	rules(out, "deny", p->deny, p->deny_count);
	rules(out, "allow", p->allow, p->allow_count);
	buf_printf(out, "  budget: {pods: %lld, percent: %.15g%%, ", (long long)p->budget_pods, 100 * p->budget_percent);
	duration(out, "window", p->budget_window_ns);
	buf_c(out, "}\n");
	windows(out, p);
	buf_c(out, "  approval: {");
	duration(out, "ttl", p->approval_ttl_ns);
	buf_printf(out, ", default: %s}\n", p->approval_default_approve ? "approve" : "reject");
}

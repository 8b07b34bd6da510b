/* What was expected against what the event store holds. */
#include "control/glob.h"
#include "model/event.h"
#include "sim/run/scenario.h"

struct check {
	const struct scenario_facts *f;
	const struct scenario_expect *x;
	int64_t at_ns;            /* since the run began: when the best candidate came */
	const struct json *event; /* the latest that matched */
};

static const enum event_type types[WORDS] = {
	EVENT_INCIDENT_OPENED, EVENT_RCA_REPORT,         EVENT_ACTION_PLANNED, EVENT_INCIDENT_RESOLVED,
	EVENT_ACTION_PLANNED,  EVENT_APPROVAL_REQUESTED, EVENT_DATA_STALE,
};

/* Where a condition's key lies in an event's data. Others are looked up by their own name. */
static const struct {
	enum scenario_word word;
	const char *key, *path;
} fields[] = {
	{ WORD_INCIDENT, "entity", "entities" },      { WORD_CAUSE, "entity", "root_causes.0.entity" },
	{ WORD_CAUSE, "kind", "root_causes.0.kind" }, { WORD_CAUSE, "confidence", "root_causes.0.confidence" },
	{ WORD_ACTION, "target", "target.name" },     { WORD_ACTION, "cause", "cause.entity" },
	{ WORD_ESCALATION, "cause", "cause.entity" }, { WORD_ESCALATION, "kind", "cause.kind" },
};

static const struct json *field(enum scenario_word word, const struct json *data, struct str key) {
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (fields[i].word == word && str_is(key, fields[i].key)) return json_path(data, fields[i].path);
	return json_get_str(data, key);
}

static bool text_matches(struct str pattern, const struct json *v) {
	if (v->kind == JSON_STRING || v->kind == JSON_NUMBER) return glob_match(pattern, v->text);
	if (v->kind == JSON_TRUE || v->kind == JSON_FALSE) return str_is(pattern, v->kind == JSON_TRUE ? "true" : "false");
	return v->kind == JSON_NULL && str_is(pattern, "null");
}

/* An array holds it when one of its values does. */
static bool value_is(struct str pattern, const struct json *v) {
	if (!v) return str_is(pattern, "null");
	if (v->kind != JSON_ARRAY) return text_matches(pattern, v);
	json_each(item, v) {
		if (text_matches(pattern, item)) return true;
	}
	return false;
}

static bool condition_holds(const struct scenario_condition *c, const struct json *v) {
	switch (c->op) {
	case OP_IS: return value_is(c->value, v);
	case OP_IS_NOT: return !value_is(c->value, v);
	case OP_AT_LEAST: return v && v->kind == JSON_NUMBER && v->number >= c->number;
	case OP_AT_MOST: return v && v->kind == JSON_NUMBER && v->number <= c->number;
	}
	return false;
}

static int64_t event_ns(const struct check *k, const struct json *event) {
	struct wall t = { 0 };
	struct str text = json_str(json_get(event, "time"));
	return wall_parse(text.p, text.n, &t) ? t.ns - k->f->epoch_ns : -1;
}

/* When the action of `planned` entered that state: from its log. */
static bool action_reached(const struct check *k, const struct json *planned, struct str state, int64_t *at_ns) {
	struct str action = json_str(json_get(planned, "action"));
	json_each(event, k->f->events) {
		const struct json *data = json_get(event, "data");
		if (event_type_of(json_str(json_get(event, "type"))) != EVENT_ACTION_LOG) continue;
		if (!str_eq(json_str(json_get(data, "action")), action)) continue;
		if (!glob_match(state, json_str(json_get(data, "state")))) continue;
		*at_ns = event_ns(k, event);
		return true;
	}
	return false;
}

static bool of_word(const struct check *k, const struct json *event) {
	const struct json *kind = json_path(event, "data.kind");
	if (event_type_of(json_str(json_get(event, "type"))) != types[k->x->word]) return false;
	if (k->x->word == WORD_ACTION) return json_str(kind).n > 0;
	return k->x->word != WORD_ESCALATION || !json_str(kind).n;
}

static bool event_matches(struct check *k, const struct json *event) {
	const struct scenario_expect *x = k->x;
	const struct json *data = json_get(event, "data");
	int64_t at = event_ns(k, event);
	if (!of_word(k, event)) return false;
	for (size_t i = 0; i < x->condition_count; i++) {
		const struct scenario_condition *c = &x->conditions[i];
		if (x->word == WORD_ACTION && str_is(c->key, "state") && c->op == OP_IS) {
			if (!action_reached(k, data, c->value, &at)) return false;
		} else if (!condition_holds(c, field(x->word, data, c->key))) {
			return false;
		}
	}
	if (at > k->f->length_ns) return false; /* the shop has closed: what follows is no part of it */
	k->at_ns = at;
	k->event = event;
	return at >= x->from_ns && at <= x->until_ns;
}

static bool write_matches(struct check *k) {
	for (size_t i = 0; i < k->f->write_count; i++) {
		const struct scenario_write *w = &k->f->writes[i];
		bool ok = true;
		for (size_t c = 0; c < k->x->condition_count; c++)
			ok &= str_is(k->x->conditions[c].key, "target") && glob_match(k->x->conditions[c].value, w->target);
		k->at_ns = w->at_ns;
		if (ok && w->at_ns >= k->x->from_ns && w->at_ns <= k->x->until_ns) return true;
	}
	return false;
}

/* Two writes to one target closer than allowed; the several writes of one action are one. */
static bool too_close(struct check *k) {
	for (size_t i = 0; i < k->f->write_count; i++) {
		for (size_t j = i + 1; j < k->f->write_count; j++) {
			const struct scenario_write *a = &k->f->writes[i], *b = &k->f->writes[j];
			if (!str_eq(a->target, b->target) || str_eq(a->key, b->key)) continue;
			if (b->at_ns - a->at_ns >= k->x->spacing_ns) continue;
			k->at_ns = b->at_ns;
			return true;
		}
	}
	return false;
}

static bool came(struct check *k) {
	if (k->x->word == WORD_TWO_ACTIONS) return too_close(k);
	if (k->x->word == WORD_WRITE) return write_matches(k);
	json_each(event, k->f->events) {
		if (event_matches(k, event)) return true;
	}
	return false;
}

size_t scenario_check(const struct scenario *s, const struct scenario_facts *f, struct buf *out) {
	size_t failed = 0;
	for (size_t i = 0; i < s->expect_count; i++) {
		struct check k = { .f = f, .x = &s->expects[i], .at_ns = -1 };
		bool seen = came(&k);
		if (seen != k.x->never) continue;
		failed++;
		buf_printf(out, STR_FMT ":%u: " STR_FMT ": %s", STR_ARG(s->name), k.x->number, STR_ARG(k.x->line),
		           seen ? "it came" : "it did not come");
		if (seen || (k.event && k.at_ns >= 0))
			buf_printf(out, "%s at %.1f s", seen ? "" : " in time, only", (double)k.at_ns / 1e9);
		buf_byte(out, '\n');
	}
	return failed;
}

/* What changes something: a body of words, an ID made whole, a command, and its answer when it is durable. */
#include <math.h>
#include <string.h>

#include "api/api_impl.h"
#include "base/param.h"

#define FOR_S_MAX (365.0 * 86400)

struct wish {
	struct str why, scope;
	int64_t for_ns;
};

static bool on_action(int what) {
	return what == COMMAND_APPROVE || what == COMMAND_REJECT || what == COMMAND_UNDO;
}

/* "for": "2h", or "for_s": 7200. */
static enum err duration_of(const struct json *v, int64_t *out, struct why *why) {
	double s = json_double(v, NAN);
	if (v->kind == JSON_STRING && !duration_parse(v->text, out) && *out > 0) return OK;
	if (v->kind != JSON_NUMBER || !(s > 0 && s <= FOR_S_MAX))
		return why_set(why, ERR_INVALID, STR_FMT " must be seconds, or a duration like \"2h\", up to a year",
		               STR_ARG(v->key));
	*out = (int64_t)(s * NS_PER_SEC);
	return OK;
}

static enum err member(const struct slot *s, const struct json *m, struct wish *w, struct why *why) {
	bool scoped = s->route->what == COMMAND_PAUSE || s->route->what == COMMAND_RESUME;
	bool timed = s->route->what == COMMAND_PAUSE || s->route->what == COMMAND_MUTE;
	if (timed && (str_is(m->key, "for_s") || str_is(m->key, "for"))) return duration_of(m, &w->for_ns, why);
	struct str *field = str_is(m->key, "why") ? &w->why : scoped && str_is(m->key, "scope") ? &w->scope : NULL;
	if (!field)
		return why_set(why, ERR_INVALID, "no member '%.*s' here; there are: why%s%s",
		               (int)(m->key.n < 40 ? m->key.n : 40), m->key.p, scoped ? ", scope" : "", timed ? ", for_s" : "");
	if (m->kind != JSON_STRING && m->kind != JSON_NULL)
		return why_set(why, ERR_INVALID, STR_FMT " must be a string", STR_ARG(m->key));
	*field = json_str(m);
	return OK;
}

static enum err wish_read(struct slot *s, struct wish *w, struct why *why) {
	const struct json *v = NULL;
	struct str text = str_trim(buf_get(&s->body));
	if (!text.n) return OK;
	enum err e = json_parse(&s->arena, text, &v, why);
	if (e) return why_prefix(why, e, "the body is not JSON");
	if (v->kind != JSON_OBJECT)
		return why_set(why, ERR_INVALID, "the body must be a JSON object like {\"why\":\"...\"}");
	json_each(m, v) {
		e = member(s, m, w, why);
		if (e) return e;
	}
	return w->why.n > 1024 ? why_set(why, ERR_TOO_LARGE, "why is longer than 1 KiB") : OK;
}

static void submit(struct api *a, struct slot *s, struct str id) {
	struct wish w = { 0 };
	struct why why = { "" };
	enum err e = wish_read(s, &w, &why);
	if (!e) {
		struct command cmd = { .kind = (enum command_kind)s->route->what,
			                   .id = id,
			                   .scope = w.scope,
			                   .by = s->by,
			                   .why = w.why,
			                   .for_ns = w.for_ns };
		e = a->o.commands->ops->submit(a->o.commands, &cmd, slot_tag(s));
		if (e)
			(void)why_set(&why, e, "%s",
			              e == ERR_AGAIN ? "the control plane is not ready yet; /readyz tells when" : err_text(e));
	}
	if (e) answer_err(a, s, e, why.text);
}

void start_change(struct api *a, struct slot *s) {
	if (!a->o.commands) {
		answer_error(a, s, 501,
		             "this process does not run the control plane (its role is another): ask the one that does");
		return;
	}
	if (!s->star.p) {
		submit(a, s, (struct str){ 0 });
		return;
	}
	struct str id = { 0 };
	if (!slot_id(a, s, &id)) return;
	struct str prefix =
		str_printf(&s->arena, "%s/" STR_FMT, on_action(s->route->what) ? "action" : "incident", STR_ARG(id));
	(void)slot_query(a, s, prefix, false, false, (struct str){ 0 }, 2);
}

void state_change(struct api *a, struct slot *s, const struct state_done *done) {
	struct str head, id;
	const char *what = on_action(s->route->what) ? "action" : "incident";
	if (!done->count)
		answer_error(a, s, 404, "there is no such %s; `flyball %ss` lists them", what, what);
	else if (done->count > 1)
		answer_error(a, s, 409, "more than one %s begins with '" STR_FMT "': give more of its ID", what,
		             STR_ARG(s->star));
	else if (str_cut(done->items[0].key, '/', &head, &id))
		submit(a, s, (s->incident_id = str_copy(&s->arena, id)));
}

void change_done(struct api *a, struct slot *s, const struct command_done *done) {
	if (done->err) {
		answer_err(a, s, done->err, done->why);
		return;
	}
	struct json_out o = json_out(&s->out);
	json_begin_object(&o);
	json_kv_bool(&o, "done", true);
	if (s->incident_id.n) json_kv_str(&o, "id", s->incident_id);
	json_kv_str(&o, "by", s->by);
	json_end_object(&o);
	answer_out(a, s);
}

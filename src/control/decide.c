#include "control/decide.h"

#include "control/lifecycle.h"

static const char *const names[ESCALATIONS] = { "no_cause",  "no_target", "no_remedy", "unsure",
	                                            "exhausted", "person",    "silent" };

const char *escalation_name(enum escalation e) {
	return names[e];
}

bool escalation_parse(struct str s, enum escalation *out) {
	for (int e = 0; e < ESCALATIONS; e++)
		if (str_is(s, names[e])) {
			*out = (enum escalation)e;
			return true;
		}
	return false;
}

bool escalation_may_change(enum escalation e) {
	return e <= ESCALATE_UNSURE;
}

/* What became of one handler's earlier proposals for this cause. */
struct tried {
	int64_t in_vain; /* attempts that ended without effect */
	bool done;       /* not to be asked again */
	bool told, rejected, expired, refused;
};

static struct tried tried_before(const struct decide_facts *f, const struct handler *h) {
	struct tried t = { 0 };
	uint64_t handler = hash64(h->name), service = hash64(f->cause->target.service);
	for (size_t i = 0; i < f->history->count; i++) {
		const struct past *p = &f->history->ring[i];
		if (p->handler != handler || p->service != service || !str_is(f->incident, p->incident)) continue;
		switch (p->state) {
		case ACTION_TOLD: t.told = true; break;
		case ACTION_INEFFECTIVE: t.in_vain++; break;
		case ACTION_EXPIRED: t.expired = true; break;
		case ACTION_REFUSED:
			t.rejected = t.rejected || p->end == END_REJECTED;
			t.refused = true;
			break;
		case ACTION_FAILED:
			t.in_vain += p->end == END_CONFLICT;
			t.done = t.done || p->end != END_CONFLICT;
			break;
		default: t.done = true; break; /* undone, or verified and yet open again */
		}
	}
	return t;
}

static const struct passed_over *passed(const struct decide_facts *f, const struct handler *h) {
	for (size_t i = 0; i < f->passed_over_count; i++)
		if (f->passed_over[i].handler == hash64(h->name)) return &f->passed_over[i];
	return NULL;
}

/* Remembers the first reason and the gravest class of those that could not propose. */
struct verdict {
	enum escalation escalation;
	struct str reason;
	bool any;
};

static void note(struct verdict *v, enum escalation e, struct str reason) {
	if (v->any && v->escalation >= e) return;
	*v = (struct verdict){ e, reason, true };
}

static enum err escalate(struct decision *out, enum escalation e, struct str reason) {
	if (!reason.p) return ERR_NOMEM;
	*out = (struct decision){ .kind = DECIDE_ESCALATE, .escalation = e, .reason = reason };
	return OK;
}

static bool sure(struct arena *a, const struct decide_facts *f, const struct handler *h, struct verdict *v) {
	const struct cause *c = f->cause;
	if (c->confidence < h->confidence_min) {
		note(v, ESCALATE_UNSURE,
		     str_printf(a, "%s " STR_FMT " is only %.0f %% sure; handler " STR_FMT " acts from %.0f %%",
		                cause_kind_words(c->kind), STR_ARG(c->entity), 100 * c->confidence, STR_ARG(h->name),
		                100 * h->confidence_min));
		return false;
	}
	if (!(f->severity >= h->severity_min)) {
		note(v, ESCALATE_UNSURE,
		     str_printf(a, "severity %.2f is below the %.2f from which handler " STR_FMT " acts", f->severity,
		                h->severity_min, STR_ARG(h->name)));
		return false;
	}
	return true;
}

/* True: this handler settles the matter, in *out. False: ask the next. */
static bool ask(struct arena *a, const struct decide_facts *f, const struct handler *h, struct decision *out,
                struct verdict *v) {
	struct tried t = tried_before(f, h);
	const struct passed_over *p = passed(f, h);
	if (t.told) {
		*out = (struct decision){ .kind = DECIDE_SAID, .handler = h, .reason = STR("it was told already") };
		return true;
	}
	if (t.rejected || t.expired) {
		const char *what = t.rejected ? "a person rejected it" : "nobody approved it in time";
		*out = (struct decision){ .kind = DECIDE_ESCALATE,
			                      .escalation = ESCALATE_PERSON,
			                      .reason = str_printf(a, "handler " STR_FMT ": %s", STR_ARG(h->name), what) };
		return true;
	}
	if (p) {
		note(v, p->no_target ? ESCALATE_NO_TARGET : ESCALATE_EXHAUSTED,
		     str_printf(a, "handler " STR_FMT ": " STR_FMT, STR_ARG(h->name), STR_ARG(p->why)));
		return false;
	}
	if (t.refused || t.done || t.in_vain >= h->attempts) {
		const char *what = t.refused ? "was refused" : t.done ? "did not help" : "did not help in all its attempts";
		note(v, ESCALATE_EXHAUSTED,
		     str_printf(a, "handler " STR_FMT " (%s) %s", STR_ARG(h->name), action_kind_name(h->action), what));
		return false;
	}
	if (!sure(a, f, h, v)) return false;
	*out = (struct decision){ .kind = DECIDE_PROPOSE,
		                      .handler = h,
		                      .reason = str_printf(a, "%s " STR_FMT " (%.0f %% sure) is answered by handler " STR_FMT,
		                                           cause_kind_words(f->cause->kind), STR_ARG(f->cause->entity),
		                                           100 * f->cause->confidence, STR_ARG(h->name)) };
	return true;
}

static struct str no_cause(struct arena *a, const struct cause *c) {
	if (c->reason.n) return str_printf(a, "no cause was found: " STR_FMT, STR_ARG(c->reason));
	return STR("no cause was found");
}

enum err decide(struct arena *a, const struct decide_facts *f, struct decision *out) {
	const struct cause *c = f->cause;
	if (c->none) return escalate(out, ESCALATE_NO_CAUSE, no_cause(a, c));
	if (!c->has_target)
		return escalate(out, ESCALATE_NO_TARGET,
		                str_printf(a, "the cause is %s " STR_FMT ", which is no service that Flyball may act on",
		                           cause_kind_words(c->kind), STR_ARG(c->entity)));
	struct verdict v = { 0 };
	for (size_t i = 0; i < f->policy->handler_count; i++) {
		const struct handler *h = &f->policy->handlers[i];
		if (!handler_answers(h, c->kind, c->demand_grown, c->target.service)) continue;
		if (h->action == ACTION_DELETE_POD && !c->target.pod.n) {
			note(&v, ESCALATE_NO_REMEDY,
			     str_printf(a, "handler " STR_FMT " deletes one sick pod, and the cause names none", STR_ARG(h->name)));
			continue;
		}
		if (ask(a, f, h, out, &v)) return out->reason.p ? OK : ERR_NOMEM;
	}
	if (v.any) return escalate(out, v.escalation, v.reason);
	return escalate(out, ESCALATE_NO_REMEDY,
	                str_printf(a, "no handler answers %s " STR_FMT, cause_kind_words(c->kind), STR_ARG(c->entity)));
}

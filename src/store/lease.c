#include "store/lease.h"

#include <assert.h>
#include <string.h>

#include "base/json.h"

#define TERM_MIN NS_PER_SEC
#define TERM_MAX (60 * NS_PER_MIN)
#define NAME_MAX 200
#define ITEM_MAX 1024

enum asked { NOTHING, LOOK, TAKE_OVER, RENEW, RELEASE };

struct lease {
	struct lease_opts o;
	struct str key, fence;
	enum asked asked; /* what is in flight */
	struct mono asked_at;
	struct mono next; /* nothing is asked before */
	/* What was last seen. */
	uint64_t version;       /* of the item; 0: there is none */
	uint64_t token;         /* the holder's, ours or not */
	int64_t term_ns;        /* the holder's */
	struct mono changed_at; /* when this process saw it change */
	bool mine, released;    /* the item names us; nobody has it, whatever it says */
	struct mono held_until; /* only while mine */
	bool leaving;           /* release was called */
	char text[ITEM_MAX];
};

static struct mono now(const struct lease *l) {
	return clock_mono(l->o.clock);
}

enum err lease_new(struct arena *a, struct lease_opts o, struct lease **out) {
	if (!o.name.n || o.name.n > NAME_MAX || !o.holder.n || o.holder.n > NAME_MAX) return ERR_INVALID;
	if (o.term_ns < TERM_MIN || o.term_ns > TERM_MAX) return ERR_INVALID;
	struct lease *l = arena_new(a, struct lease);
	if (!l) return ERR_NOMEM;
	*l = (struct lease){ .o = o };
	l->key = str_printf(a, "lease/" STR_FMT, STR_ARG(o.name));
	l->fence = str_printf(a, "lease/" STR_FMT "/fence", STR_ARG(o.name));
	l->o.name = str_copy(a, o.name);
	l->o.holder = str_copy(a, o.holder);
	if (!l->key.p || !l->fence.p || !l->o.name.p || !l->o.holder.p) return ERR_NOMEM;
	l->next = now(l);
	*out = l;
	return OK;
}

/* ---- asking ---- */

/* The item's text; an empty holder: nobody. */
static struct str item(struct lease *l, struct str holder, uint64_t token) {
	struct buf b;
	buf_init(&b, ITEM_MAX);
	struct json_out o = json_out(&b);
	json_begin_object(&o);
	json_kv_str(&o, "holder", holder);
	json_kv_int(&o, "token", (int64_t)token);
	json_kv_double(&o, "term_s", (double)l->o.term_ns / NS_PER_SEC);
	json_end_object(&o);
	size_t n = b.err ? 0 : b.n;
	if (n) memcpy(l->text, b.p, n);
	buf_done(&b);
	return (struct str){ l->text, n };
}

static struct state_write put(const struct lease *l, struct str key, uint64_t version, struct str value) {
	(void)l;
	return (struct state_write){ .effect = STATE_PUT,
		                         .check = version ? STATE_VERSION : STATE_ABSENT,
		                         .key = key,
		                         .value = value,
		                         .version = version };
}

static void ask(struct lease *l, enum asked what) {
	struct state_write w[2];
	size_t n = 1;
	enum err e;
	l->asked_at = now(l);
	l->next.ns = l->asked_at.ns + l->o.term_ns / 3;
	if (what == LOOK) {
		struct state_query q = { .prefix = l->key, .exact = true, .limit = 1 };
		e = state_query(l->o.state, &q, l->o.tag);
	} else {
		bool changes = what == TAKE_OVER;
		uint64_t token = l->token + changes;
		w[0] = put(l, l->key, l->version, item(l, what == RELEASE ? (struct str){ NULL, 0 } : l->o.holder, token));
		if (changes) w[n++] = put(l, l->fence, l->token, STR(""));
		e = w[0].value.n ? state_transact(l->o.state, w, n, l->o.tag) : ERR_NOMEM;
	}
	/* What could not be asked now is asked a third of a term later. */
	l->asked = e ? NOTHING : what;
}

static bool expired(const struct lease *l) {
	return l->released || !l->version || now(l).ns >= l->changed_at.ns + l->term_ns;
}

void lease_step(struct lease *l) {
	if (l->asked != NOTHING || now(l).ns < l->next.ns) return;
	if (l->leaving) {
		if (l->mine) ask(l, RELEASE);
	} else if (l->mine) {
		ask(l, RENEW);
	} else {
		ask(l, LOOK);
	}
}

void lease_release(struct lease *l) {
	l->leaving = true;
	l->next = now(l);
	lease_step(l);
}

bool lease_leaving(const struct lease *l) {
	return l->leaving && (l->asked != NOTHING || l->mine);
}

/* ---- answers ---- */

/* What the item says, into the lease; a damaged one is taken for somebody's, until its term is over. */
static void see(struct lease *l, const struct state_item *i) {
	struct arena a;
	const struct json *j = NULL;
	arena_init(&a, 64 * 1024);
	if (json_parse(&a, i->value, &j, NULL)) j = NULL;
	struct str holder = json_str(json_get(j, "holder"));
	int64_t token = json_int(json_get(j, "token"), 0);
	double term_s = json_double(json_get(j, "term_s"), 0);
	if (i->version != l->version) l->changed_at = now(l);
	l->version = i->version;
	l->token = token > 0 ? (uint64_t)token : 0;
	l->term_ns = term_s > 0 && term_s * NS_PER_SEC <= (double)TERM_MAX ? (int64_t)(term_s * NS_PER_SEC) : l->o.term_ns;
	l->released = j && !holder.n;
	l->mine = j && str_eq(holder, l->o.holder);
	l->held_until = now(l); /* seen is not held: a renewal says */
	arena_done(&a);
}

static void looked(struct lease *l, const struct state_done *d) {
	if (d->err) return;
	if (d->count) {
		see(l, d->items);
	} else {
		l->version = l->token = 0;
		l->mine = false;
	}
	if (l->leaving) {
		l->next = now(l);
	} else if (l->mine) {
		ask(l, RENEW);
	} else if (expired(l)) {
		ask(l, TAKE_OVER);
	} else if (l->changed_at.ns + l->term_ns < l->next.ns) {
		l->next.ns = l->changed_at.ns + l->term_ns;
	}
}

static void written(struct lease *l, enum asked what, const struct state_done *d) {
	if (d->err) {
		/* Somebody was faster, or nobody knows what happened: look. A lease that is held stays held
		 * until its time is over, unless it is known to be lost. */
		if (d->err == ERR_CONFLICT || what != RENEW) l->mine = false;
		if (d->err == ERR_CONFLICT) l->next = now(l);
		return;
	}
	l->version++;
	l->changed_at = now(l);
	if (what == TAKE_OVER) l->token++;
	l->mine = what != RELEASE;
	l->released = what == RELEASE;
	l->term_ns = l->o.term_ns;
	l->held_until.ns = l->asked_at.ns + l->o.term_ns / 10 * 9;
	l->next.ns = l->asked_at.ns + l->o.term_ns / 3;
	if (l->leaving) l->next = now(l);
}

bool lease_take(struct lease *l, const struct state_done *d) {
	if (d->tag != l->o.tag) return false;
	assert(l->asked != NOTHING);
	enum asked what = l->asked;
	l->asked = NOTHING;
	if (what == LOOK)
		looked(l, d);
	else
		written(l, what, d);
	return true;
}

bool lease_held(const struct lease *l) {
	return l->mine && !l->leaving && now(l).ns < l->held_until.ns;
}

uint64_t lease_token(const struct lease *l) {
	return lease_held(l) ? l->token : 0;
}

struct state_write lease_guard(const struct lease *l) {
	/* No item comes to the largest version: the guard of what was never held always fails. */
	uint64_t version = l->mine && l->token ? l->token : INT64_MAX;
	return (
		struct state_write){ .effect = STATE_CHECK_ONLY, .check = STATE_VERSION, .key = l->fence, .version = version };
}

struct mono lease_next_due(const struct lease *l) {
	if (l->asked != NOTHING || (l->leaving && !l->mine)) return (struct mono){ INT64_MAX };
	/* A held lease that cannot be renewed ends at its time: whoever asks then is told. */
	if (l->mine && l->held_until.ns > now(l).ns && l->held_until.ns < l->next.ns) return l->held_until;
	return l->next;
}

#include "control/history.h"

#include <stdlib.h>
#include <string.h>

enum err history_open(struct history *h) {
	*h = (struct history){ .ring = calloc(HISTORY_MAX, sizeof(struct past)) };
	return h->ring ? OK : ERR_NOMEM;
}

void history_close(struct history *h) {
	free(h->ring);
	*h = (struct history){ 0 };
}

void history_clear(struct history *h) {
	h->count = h->next = 0;
}

const struct past *history_find(const struct history *h, struct str action) {
	for (size_t i = 0; i < h->count; i++)
		if (str_is(action, h->ring[i].action)) return &h->ring[i];
	return NULL;
}

struct past *history_entry(struct history *h, struct str action) {
	struct past *p = (struct past *)history_find(h, action);
	if (p) return p;
	p = &h->ring[h->next];
	h->next = (h->next + 1) % HISTORY_MAX;
	if (h->count < HISTORY_MAX) h->count++;
	memset(p, 0, sizeof *p);
	size_t n = action.n < ULID_LEN ? action.n : ULID_LEN;
	memcpy(p->action, action.p, n);
	return p;
}

static bool counts(const struct past *p, const struct history_query *q) {
	return p->claimed && (q->told || !p->told);
}

/* The one that asks does not count; asked last, since the name lies further off. */
static bool other(const struct past *p, const struct history_query *q) {
	return !q->except || strcmp(q->except, p->action) != 0;
}

static bool there(const struct past *p, const struct history_where *where) {
	return !where || p->target == where->target || p->place == where->place;
}

/* A call that is out may take effect at any moment: it is as young as can be. */
static int64_t age_of(const struct past *p, const struct history_query *q) {
	bool out = p->state == ACTION_CLAIMED || p->state == ACTION_ACTING;
	return out ? 0 : q->now.ns - p->acted.ns;
}

int64_t history_actions(const struct history *h, struct history_query q, uint64_t handler, int64_t window_ns) {
	int64_t n = 0;
	for (size_t i = 0; i < h->count; i++) {
		const struct past *p = &h->ring[i];
		n += p->handler == handler && counts(p, &q) && age_of(p, &q) < window_ns && other(p, &q);
	}
	return n;
}

struct history_sum history_pods(const struct history *h, struct history_query q, const struct history_where *where,
                                int64_t window_ns) {
	struct history_sum sum = { 0 };
	for (size_t i = 0; i < h->count; i++) {
		const struct past *p = &h->ring[i];
		int64_t age = age_of(p, &q);
		if (age >= window_ns || !counts(p, &q) || !there(p, where) || !other(p, &q)) continue;
		sum.pods += p->pods;
		sum.lost += p->lost;
		if (age > sum.oldest_ns) sum.oldest_ns = age;
	}
	return sum;
}

int64_t history_since(const struct history *h, struct history_query q, const struct history_where *where) {
	int64_t since = -1;
	for (size_t i = 0; i < h->count; i++) {
		const struct past *p = &h->ring[i];
		if (!there(p, where) || !counts(p, &q) || !other(p, &q)) continue;
		int64_t age = age_of(p, &q);
		if (since < 0 || age < since) since = age;
	}
	return since;
}

int64_t history_attempt(const struct history *h, struct history_query q, struct str incident, enum action_kind kind,
                        uint64_t target) {
	int64_t attempt = 0;
	for (size_t i = 0; i < h->count; i++) {
		const struct past *p = &h->ring[i];
		if (p->target != target || p->kind != kind || !counts(p, &q) || !str_is(incident, p->incident)) continue;
		if (!other(p, &q)) continue;
		if (p->attempt > attempt) attempt = p->attempt;
	}
	return attempt;
}

int64_t history_handler_attempts(const struct history *h, struct history_query q, struct str incident, uint64_t handler,
                                 uint64_t service) {
	int64_t n = 0;
	for (size_t i = 0; i < h->count; i++) {
		const struct past *p = &h->ring[i];
		n += p->handler == handler && p->service == service && counts(p, &q) && str_is(incident, p->incident) &&
		     other(p, &q);
	}
	return n;
}

bool history_full(const struct history *h, struct mono now, int64_t window_ns) {
	if (h->count < HISTORY_MAX) return false;
	const struct past *p = &h->ring[h->next];
	return p->claimed && now.ns - p->acted.ns < window_ns;
}

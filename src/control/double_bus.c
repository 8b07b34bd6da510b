#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/double.h"

struct note {
	struct list node;
	struct bus_msg msg;
	int64_t due;
	char *text; /* of a publication that is not durable yet */
	size_t n;
};

struct handle {
	struct bus bus;
	struct double_broker *b;
	struct list notes;
	struct arena answer;
	bool subscribed;
};

void double_broker_init(struct double_broker *b, struct fake_clock *clock, struct rng *rng) {
	*b = (struct double_broker){ .clock = clock, .rng = rng, .latency_ns = 4 * NS_PER_MS };
	list_init(&b->events);
	map_init(&b->ids, 0);
}

void double_broker_done(struct double_broker *b) {
	while (!list_empty(&b->events)) {
		struct double_event *e = container_of(list_shift(&b->events), struct double_event, node);
		free(e->text);
		free(e);
	}
	map_done(&b->ids);
}

static bool interesting(struct str type) {
	return str_is(type, "INCIDENT_OPENED") || str_is(type, "INCIDENT_RESOLVED") || str_is(type, "RCA_REPORT") ||
	       str_is(type, "DATA_STALE");
}

static void store(struct double_broker *b, struct str text) {
	CLEANUP(arena_done) struct arena a;
	arena_init(&a, 0);
	struct event ev;
	struct why why;
	char key[400];
	if (event_parse(&a, text, &ev, &why)) abort();
	int n = snprintf(key, sizeof key, "%.*s|%.*s", STR_ARG(ev.source), STR_ARG(ev.id));
	if (map_get(&b->ids, (struct str){ key, (size_t)n })) {
		b->repeated++;
		return;
	}
	struct double_event *e = calloc(1, sizeof *e);
	if (!e) abort();
	e->text = malloc(text.n + 1);
	if (!e->text) abort();
	memcpy(e->text, text.p, text.n);
	e->text[text.n] = '\0';
	e->n = text.n;
	memcpy(e->id, ev.id.p, ev.id.n < ULID_LEN ? ev.id.n : ULID_LEN);
	e->wanted = interesting(ev.type);
	e->visible_at = e->published_at = b->clock->mono.ns;
	list_push(&b->events, &e->node);
	if (map_put(&b->ids, (struct str){ key, (size_t)n }, e, NULL)) abort();
	b->published++;
}

void double_emit(struct double_broker *b, const char *type, const char *id, const char *subject, double severity,
                 const char *data) {
	struct buf buf;
	buf_init(&buf, 0);
	struct event e = { .id = str_of(id),
		               .source = STR("/flyball/observe"),
		               .type = str_of(type),
		               .subject = str_of(subject),
		               .time = b->clock->wall,
		               .severity = severity,
		               .data = str_of(data) };
	event_write(&e, &buf);
	store(b, buf_get(&buf));
	buf_done(&buf);
}

static bool is_type(const struct double_event *e, const char *type) {
	char pattern[80];
	snprintf(pattern, sizeof pattern, "\"type\":\"%s\"", type);
	return strstr(e->text, pattern) != NULL;
}

size_t double_count(const struct double_broker *b, const char *type) {
	size_t n = 0;
	list_each(it, &b->events) n += is_type(container_of(it, struct double_event, node), type);
	return n;
}

const char *double_nth(const struct double_broker *b, const char *type, size_t n) {
	list_each(it, &b->events) {
		struct double_event *e = container_of(it, struct double_event, node);
		if (is_type(e, type) && n-- == 0) return e->text;
	}
	return NULL;
}

/* ---- the port ---- */

static struct note *note(struct handle *h, enum bus_msg_kind kind, uint64_t tag) {
	struct note *n = calloc(1, sizeof *n);
	if (!n) abort();
	n->msg = (struct bus_msg){ .kind = kind, .tag = tag };
	n->due = h->b->clock->mono.ns + (h->b->latency_ns ? rng_below(h->b->rng, h->b->latency_ns) : 0);
	list_push(&h->notes, &n->node);
	return n;
}

static enum err b_attach(struct bus *bus, struct bus **out) {
	*out = double_bus(((struct handle *)bus)->b);
	return OK;
}

static enum err b_subscribe(struct bus *bus, const struct bus_queue_opts *q, struct why *why) {
	(void)q, (void)why;
	((struct handle *)bus)->subscribed = true;
	return OK;
}

static enum err b_publish(struct bus *bus, const struct event *e, uint64_t tag) {
	struct handle *h = (struct handle *)bus;
	struct buf buf;
	if (h->b->full) return ERR_FULL;
	buf_init(&buf, 0);
	event_write(e, &buf);
	struct note *n = note(h, BUS_PUBLISHED, tag);
	n->text = buf.p;
	n->n = buf.n;
	return OK;
}

static struct double_event *by_receipt(struct double_broker *b, uint64_t receipt) {
	list_each(it, &b->events) {
		struct double_event *e = container_of(it, struct double_event, node);
		if (e->receipt == receipt) return e;
	}
	return NULL;
}

static enum err b_settle(struct bus *bus, uint64_t receipt, bool ack, int64_t delay_ns, struct str reason,
                         uint64_t tag) {
	struct handle *h = (struct handle *)bus;
	struct double_event *e = by_receipt(h->b, receipt);
	struct note *n = note(h, BUS_SETTLED, tag);
	if (!e) {
		n->msg.err = ERR_GONE;
		return OK;
	}
	e->receipt = 0;
	if (ack && h->b->duplicates > 0 && rng_unit(h->b->rng) < h->b->duplicates) {
		e->visible_at = h->b->clock->mono.ns; /* the acknowledgement is lost */
		return OK;
	}
	if (ack) {
		e->done = true;
		return OK;
	}
	snprintf(e->reason, sizeof e->reason, "%.*s", STR_ARG(reason));
	if (e->receives >= 8) e->done = e->dead = true;
	e->visible_at =
		h->b->clock->mono.ns + (delay_ns >= 0 ? delay_ns : NS_PER_SEC << (e->receives < 6 ? e->receives : 6));
	return OK;
}

static bool deliver(struct handle *h, struct bus_msg *out) {
	struct double_broker *b = h->b;
	list_each(it, &b->events) {
		struct double_event *e = container_of(it, struct double_event, node);
		bool busy = e->receipt && b->clock->mono.ns < e->visible_at;
		if (b->withholds && is_type(e, b->withholds)) continue;
		if (!e->wanted || e->done || busy || b->clock->mono.ns < e->visible_at) continue;
		if (b->reorder > 0 && rng_unit(b->rng) < b->reorder) {
			e->visible_at = b->clock->mono.ns + rng_below(b->rng, 2 * NS_PER_SEC);
			continue;
		}
		struct why why;
		arena_reset(&h->answer);
		*out = (struct bus_msg){ .kind = BUS_DELIVERED, .receipt = ++b->receipts, .receives = ++e->receives };
		e->receipt = out->receipt;
		e->visible_at = b->clock->mono.ns + 30 * NS_PER_SEC;
		out->text = (struct str){ e->text, e->n };
		if (event_parse(&h->answer, out->text, &out->event, &why)) abort();
		return true;
	}
	return false;
}

static bool b_poll(struct bus *bus, struct bus_msg *out) {
	struct handle *h = (struct handle *)bus;
	list_each(it, &h->notes) {
		struct note *n = container_of(it, struct note, node);
		if (n->due > h->b->clock->mono.ns) continue;
		*out = n->msg;
		if (n->text) store(h->b, (struct str){ n->text, n->n });
		list_remove(&n->node);
		free(n->text);
		free(n);
		return true;
	}
	return h->subscribed && deliver(h, out);
}

static struct mono b_next_due(struct bus *bus) {
	struct handle *h = (struct handle *)bus;
	int64_t due = INT64_MAX;
	list_each(it, &h->notes) {
		int64_t at = container_of(it, struct note, node)->due;
		if (at < due) due = at;
	}
	list_each(it, &h->b->events) {
		struct double_event *e = container_of(it, struct double_event, node);
		if (h->b->withholds && is_type(e, h->b->withholds)) continue;
		if (h->subscribed && e->wanted && !e->done && e->visible_at < due) due = e->visible_at;
	}
	return (struct mono){ due };
}

/* What was not durable yet is, or is not, whether the end was orderly or not. */
static void b_close(struct bus *bus) {
	struct handle *h = (struct handle *)bus;
	while (!list_empty(&h->notes)) {
		struct note *n = container_of(list_shift(&h->notes), struct note, node);
		if (n->text && rng_below(h->b->rng, 2)) store(h->b, (struct str){ n->text, n->n });
		free(n->text);
		free(n);
	}
	arena_done(&h->answer);
	free(h);
}

static const struct bus_ops ops = {
	.scheme = "double",
	.attach = b_attach,
	.subscribe = b_subscribe,
	.publish = b_publish,
	.poll = b_poll,
	.settle = b_settle,
	.next_due = b_next_due,
	.close = b_close,
};

struct bus *double_bus(struct double_broker *b) {
	struct handle *h = calloc(1, sizeof *h);
	if (!h) abort();
	h->bus.ops = &ops;
	h->b = b;
	list_init(&h->notes);
	arena_init(&h->answer, 0);
	return &h->bus;
}

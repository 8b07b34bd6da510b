/* A request's life: head, body, batches put, answer. */
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest_in.h"

#define INDEX_BITS  24 /* of a tag: which of the request's batches */
#define INDEX_MASK  ((UINT64_C(1) << INDEX_BITS) - 1)
#define LOG_EVERY   (10 * NS_PER_SEC)
#define SHED_AFTER  (5 * NS_PER_SEC)
#define STREAM_FULL "the telemetry stream is full; try again"

/* ---- accounts ---- */

static void hold(struct ingest *in, struct request *r, size_t bytes) {
	in->counts.memory_now += (int64_t)bytes - (int64_t)r->held;
	r->held = bytes;
	if (in->counts.memory_now > in->counts.memory_high) in->counts.memory_high = in->counts.memory_now;
}

static void drop_batches(struct request *r) {
	for (size_t i = r->next; i < r->count; i++) buf_done(&r->batches[i].bytes);
	free(r->batches);
	r->batches = NULL;
	r->count = r->next = 0;
}

void request_free(struct ingest *in, struct request *r) {
	hold(in, r, 0);
	in->counts.requests_now--;
	list_remove(&r->node);
	body_done(&r->body);
	drop_batches(r);
	free(r);
}

/* One line in ten seconds about each kind of refusal; the counters have every one. */
static void say(struct ingest *in, int outcome, const char *protocol, const char *peer, const char *why) {
	struct mono now = clock_mono(in->opts.clock), *last = &in->logged[outcome];
	if (last->ns && now.ns - last->ns < LOG_EVERY) return;
	last->ns = now.ns ? now.ns : 1;
	log_event(in->opts.log, LOG_WARN, "ingest.refused", "reason=%s protocol=%s peer=%s why=%s",
	          refusal_name((enum refusal)outcome), protocol, peer, why);
}

static void count_outcome(struct ingest *in, const struct request *r, int outcome) {
	in->counts.requests[protocol_of(r)][r->signal][outcome]++;
}

/* ---- answers; each ends the request ---- */

static void refuse(struct ingest *in, struct request *r, enum refusal why_not, const char *why) {
	count_outcome(in, r, (int)why_not);
	say(in, (int)why_not, r->grpc ? "grpc" : "http", r->peer, why);
	enum err e = answer_refuse(r->server, r->id, r->grpc, why_not, str_of(why));
	if (e) log_event(in->opts.log, LOG_DEBUG, "ingest.unheard", "peer=%s err=%s", r->peer, err_name(e));
	request_free(in, r);
}

static enum refusal refusal_of(enum err e, bool grpc, bool framing) {
	switch (e) {
	case ERR_TOO_LARGE: return REFUSE_TOO_LARGE;
	case ERR_UNSUPPORTED: return REFUSE_CODING;
	case ERR_INVALID: return grpc && framing ? REFUSE_FRAMING : REFUSE_MALFORMED;
	default: return REFUSE_OVERLOADED; /* no memory: later, perhaps */
	}
}

static void book(struct ingest *in, const struct request *r) {
	struct counts *c = &in->counts;
	c->accepted[r->signal] += r->result.accepted - r->lost;
	c->lost[r->signal] += r->lost;
	for (size_t i = 0; i < OTLP_REASONS; i++) c->rejected[r->signal][i] += r->result.rejected[i];
	c->bodies_cut += r->result.bodies_cut;
	c->unweighted += r->result.unweighted;
	c->inconsistent += r->result.inconsistent;
}

static void accept(struct ingest *in, struct request *r) {
	int64_t rejected = otlp_rejected(&r->result) + r->lost;
	struct buf message;
	buf_init(&message, 0);
	otlp_explain(r->signal, &r->result, &message);
	if (r->lost) {
		buf_printf(&message, "%s%lld %s that found no room in time", message.n ? "; " : "", (long long)r->lost,
		           otlp_record_name(r->signal));
	}
	book(in, r);
	count_outcome(in, r, rejected ? OUTCOME_PARTIAL : OUTCOME_OK);
	enum err e = answer_accept(r->server, r->id, r->grpc, rejected, buf_get(&message));
	if (e) log_event(in->opts.log, LOG_DEBUG, "ingest.unheard", "peer=%s err=%s", r->peer, err_name(e));
	buf_done(&message);
	request_free(in, r);
}

/* Where there is no room for another, who has been sending for longest makes some, if that is long: else a few that
 * never end would keep everybody out. False: nobody has been at it for SHED_AFTER. */
static bool shed(struct ingest *in) {
	if (list_empty(&in->reading)) return false;
	struct request *r = container_of(in->reading.next, struct request, node);
	if (clock_mono(in->opts.clock).ns < r->due.ns - INGEST_READ_MAX + SHED_AFTER) return false;
	refuse(in, r, REFUSE_OVERLOADED, "this request is slow, and others need its room; try again");
	return true;
}

/* ---- head and body ---- */

static struct request *request_new(struct ingest *in, int protocol, const struct http_event *e,
                                   const struct route *to) {
	struct request *r = calloc(1, sizeof *r);
	if (!r) return NULL;
	r->server = in->servers[protocol];
	r->id = e->id;
	r->grpc = protocol == PROTOCOL_GRPC;
	r->signal = to->signal;
	size_t n = e->peer.n < PEER_MAX - 1 ? e->peer.n : PEER_MAX - 1;
	if (n) memcpy(r->peer, e->peer.p, n);
	r->due.ns = clock_mono(in->opts.clock).ns + INGEST_READ_MAX;
	body_init(&r->body, (size_t)in->opts.body_max, r->grpc, to->coding);
	list_push(&in->reading, &r->node);
	if (++in->counts.requests_now > in->counts.requests_high) in->counts.requests_high = in->counts.requests_now;
	return r;
}

/* A refusal before there is a request. */
static void turn_away(struct ingest *in, int protocol, int signal, const struct http_event *e, enum refusal r,
                      const char *why) {
	char peer[PEER_MAX] = "";
	if (e->peer.n) memcpy(peer, e->peer.p, e->peer.n < PEER_MAX - 1 ? e->peer.n : PEER_MAX - 1);
	in->counts.requests[protocol][signal][r]++;
	say(in, (int)r, protocol == PROTOCOL_GRPC ? "grpc" : "http", peer, why);
	enum err err = answer_refuse(in->servers[protocol], e->id, protocol == PROTOCOL_GRPC, r, str_of(why));
	if (err) log_event(in->opts.log, LOG_DEBUG, "ingest.unheard", "peer=%s err=%s", peer, err_name(err));
}

void request_head(struct ingest *in, int protocol, const struct http_event *e) {
	struct route to;
	struct why why = { "" };
	enum refusal r;
	int signal;
	if (!route_of(e, protocol == PROTOCOL_GRPC, &to, &signal, &r, &why)) {
		turn_away(in, protocol, signal, e, r, why.text);
	} else if (to.coding == BODY_PLAIN && protocol == PROTOCOL_HTTP && route_length(e) > (uint64_t)in->opts.body_max) {
		why_set(&why, ERR_TOO_LARGE, "the request is over %lld bytes; send smaller ones", (long long)in->opts.body_max);
		turn_away(in, protocol, signal, e, REFUSE_TOO_LARGE, why.text);
	} else if (in->counts.requests_now >= in->opts.requests_max && !shed(in)) {
		turn_away(in, protocol, signal, e, REFUSE_OVERLOADED, "too many requests are in progress; try again");
	} else if (!request_new(in, protocol, e, &to)) {
		turn_away(in, protocol, signal, e, REFUSE_OVERLOADED, "no memory for another request; try again");
	}
}

static bool is_full(const struct ingest *in) {
	return in->counts.memory_now > in->opts.memory_max;
}

void request_body(struct ingest *in, struct request *r, struct str piece) {
	in->counts.bytes_received += (int64_t)piece.n;
	enum err e = body_add(&r->body, piece);
	hold(in, r, body_held(&r->body));
	if (e) {
		refuse(in, r, refusal_of(e, r->grpc, true), r->body.why.text[0] ? r->body.why.text : err_text(e));
		return;
	}
	while (is_full(in) && in->reading.next != &r->node && shed(in)) {}
	if (is_full(in)) refuse(in, r, REFUSE_OVERLOADED, "requests hold as much memory as they may; try again");
}

/* ---- whole: batches ---- */

/* What pack closed is the request's from here on. */
static enum err take_batches(struct ingest *in, struct request *r) {
	struct packed *closed;
	size_t n, bytes = 0;
	enum err e = pack_end(in->pack, &closed, &n);
	if (e || n == 0) return e;
	if (n > INDEX_MASK) return ERR_TOO_LARGE;
	r->batches = calloc(n, sizeof *r->batches);
	if (!r->batches) return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		r->batches[i] = closed[i];
		buf_init(&closed[i].bytes, 0);
		bytes += r->batches[i].bytes.cap;
	}
	r->count = n;
	hold(in, r, bytes);
	return OK;
}

/* Puts as many as there is room for. ERR_AGAIN: some wait. */
static enum err put_batches(struct ingest *in, struct request *r) {
	struct batch_sink *next = in->opts.next;
	while (r->next < r->count) {
		struct packed *b = &r->batches[r->next];
		enum err e = next->ops->put(next, buf_get(&b->bytes), b->shard_key, r->serial << INDEX_BITS | r->next);
		if (e == ERR_AGAIN) return e;
		if (e) {
			log_event(in->opts.log, LOG_ERROR, "ingest.put_failed", "err=%s records=%lld", err_name(e),
			          (long long)b->records);
			r->lost += b->records;
		} else {
			r->open++;
			in->counts.batches++;
			in->counts.batch_bytes += (int64_t)b->bytes.n;
		}
		hold(in, r, r->held - b->bytes.cap);
		pack_give_back(in->pack, &b->bytes);
		r->next++;
	}
	return OK;
}

/* Answers when nothing of it is under way any more. True: it did, and the request is gone. */
static bool settle(struct ingest *in, struct request *r) {
	if (r->next < r->count || r->open) return false;
	if (r->count && !r->safe) {
		refuse(in, r, REFUSE_OVERLOADED, "the next stage could not keep the request; try again");
	} else {
		accept(in, r);
	}
	return true;
}

/* Somebody's later batches wait for room: what comes now may not overtake them. */
static bool backlog(const struct ingest *in) {
	list_each(it, &in->waiting) {
		const struct request *r = container_of(it, struct request, node);
		if (r->next < r->count) return true;
	}
	return false;
}

void request_whole(struct ingest *in, struct request *r) {
	struct why why = { "" };
	enum err e = body_end(&r->body);
	if (e) {
		refuse(in, r, refusal_of(e, r->grpc, true), r->body.why.text);
		return;
	}
	if (backlog(in)) {
		refuse(in, r, REFUSE_OVERLOADED, STREAM_FULL);
		return;
	}
	in->counts.bytes_read += (int64_t)r->body.bytes.n;
	e = otlp_decode(in->otlp, r->signal, buf_get(&r->body.bytes), clock_wall(in->opts.clock), in->pack, &r->result,
	                &why);
	body_done(&r->body);
	hold(in, r, 0);
	if (!e) e = take_batches(in, r);
	if (e) {
		refuse(in, r, refusal_of(e, r->grpc, false), why.text[0] ? why.text : err_text(e));
		return;
	}
	r->serial = ++in->serial;
	r->due.ns = clock_mono(in->opts.clock).ns + INGEST_GIVE_UP;
	list_remove(&r->node);
	list_push(&in->waiting, &r->node);
	if (put_batches(in, r) == ERR_AGAIN && r->next == 0) {
		refuse(in, r, REFUSE_OVERLOADED, STREAM_FULL);
		return;
	}
	settle(in, r);
}

void request_gone(struct ingest *in, struct request *r) {
	for (size_t i = r->next; i < r->count; i++) r->lost += r->batches[i].records;
	book(in, r); /* what was put stays put; the sender will come again with all of it */
	count_outcome(in, r, OUTCOME_GONE);
	request_free(in, r);
}

/* ---- turns ---- */

static struct request *waiting_of(struct ingest *in, uint64_t serial) {
	list_each(it, &in->waiting) {
		struct request *r = container_of(it, struct request, node);
		if (r->serial == serial) return r;
	}
	return NULL; /* its sender has gone */
}

static bool take_ends(struct ingest *in) {
	struct sink_done done;
	bool did = false;
	while (in->opts.next->ops->poll(in->opts.next, &done)) {
		did = true;
		struct request *r = waiting_of(in, done.tag >> INDEX_BITS);
		if (!r) continue;
		r->open--;
		if (done.err) {
			r->lost += r->batches[done.tag & INDEX_MASK].records;
		} else {
			r->safe++;
		}
		settle(in, r);
	}
	return did;
}

/* What found no room is lost; where an end is still unknown the sender had better come again. */
static void give_up(struct ingest *in, struct request *r) {
	if (r->open) {
		refuse(in, r, REFUSE_OVERLOADED, "the next stage did not answer in time; try again");
		return;
	}
	for (size_t i = r->next; i < r->count; i++) r->lost += r->batches[i].records;
	for (; r->next < r->count; r->next++) buf_done(&r->batches[r->next].bytes);
	settle(in, r);
}

static bool waiting_turn(struct ingest *in, struct mono now) {
	bool did = false;
	list_each_safe(it, &in->waiting) {
		struct request *r = container_of(it, struct request, node);
		size_t before = r->next;
		bool full = put_batches(in, r) == ERR_AGAIN;
		did |= r->next != before;
		if (settle(in, r)) {
			did = true;
		} else if (now.ns >= r->due.ns) {
			give_up(in, r);
			did = true;
		}
		if (full) break; /* the others want the same room, in order */
	}
	return did;
}

static bool reading_turn(struct ingest *in, struct mono now) {
	bool did = false;
	while (!list_empty(&in->reading)) {
		struct request *r = container_of(in->reading.next, struct request, node);
		if (now.ns < r->due.ns) break;
		refuse(in, r, REFUSE_SLOW, "the request did not end within a minute; try again");
		did = true;
	}
	return did;
}

bool request_turn(struct ingest *in) {
	struct mono now = clock_mono(in->opts.clock);
	bool did = take_ends(in);
	did |= waiting_turn(in, now);
	did |= reading_turn(in, now);
	return did;
}

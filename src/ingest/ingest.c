#include "ingest/ingest.h"

#include <stdio.h>
#include <stdlib.h>

#include "ingest/ingest_in.h"

#define IDLE_TIMEOUT     (300 * NS_PER_SEC) /* metrics come every 60 s by default; a connection outlives that */
#define EVENTS_PER_STEP  64 /* of a server, so that one that always has something cannot hold the loop */
#define BATCH_BYTES_RATE 4  /* batches of a request are at most so many times the largest body */

static enum err listen_on(struct ingest *in, int protocol, int port, struct why *why) {
	if (port < 0) return OK;
	struct http_listen l = { .address = in->opts.address,
		                     .port = port,
		                     .http2 = protocol == PROTOCOL_GRPC,
		                     .connections_max = in->opts.connections_max,
		                     .idle_timeout_ns = IDLE_TIMEOUT };
	enum err e = in->opts.servers->listen(in->opts.servers, &l, &in->servers[protocol], why);
	return e ? why_prefix(why, e, "OTLP over %s, port %d", protocol == PROTOCOL_GRPC ? "gRPC" : "HTTP", port) : OK;
}

static enum err check(const struct ingest_opts *o, struct why *why) {
	if (o->body_max < 1 || o->body_max > 1 << 30)
		return why_set(why, ERR_INVALID, "ingest: body_max is 1 byte to 1 GiB");
	if (o->requests_max < 1) return why_set(why, ERR_INVALID, "ingest: requests_max is 1 or more");
	if (o->memory_max < 1) return why_set(why, ERR_INVALID, "ingest: memory_max is 1 byte or more");
	if (o->connections_max < 1) return why_set(why, ERR_INVALID, "ingest: connections_max is 1 or more");
	return OK;
}

enum err ingest_open(struct ingest_opts o, struct ingest **out, struct why *why) {
	enum err e = check(&o, why);
	if (e) return e;
	struct ingest *in = calloc(1, sizeof *in);
	if (!in) return why_set(why, ERR_NOMEM, "ingest: out of memory");
	in->opts = o;
	list_init(&in->reading);
	list_init(&in->waiting);
	struct otlp_opts otlp = { .assume_unsampled = o.assume_unsampled,
		                      .batch_bytes_max = (size_t)o.body_max * BATCH_BYTES_RATE + BATCH_BYTES_MAX };
	e = otlp_new(otlp, &in->otlp);
	if (!e) e = pack_new(&in->pack);
	if (e) why_set(why, e, "ingest: out of memory");
	if (!e) e = listen_on(in, PROTOCOL_GRPC, o.grpc_port, why);
	if (!e) e = listen_on(in, PROTOCOL_HTTP, o.http_port, why);
	if (e) {
		ingest_close(in);
		return e;
	}
	*out = in;
	return OK;
}

static struct request *find(struct list *list, const struct http_server *s, uint64_t id) {
	list_each(it, list) {
		struct request *r = container_of(it, struct request, node);
		if (r->id == id && r->server == s) return r;
	}
	return NULL;
}

static void take(struct ingest *in, int protocol, const struct http_event *e) {
	struct http_server *s = in->servers[protocol];
	if (e->kind == HTTP_REQUEST) {
		request_head(in, protocol, e);
		return;
	}
	struct request *reading = find(&in->reading, s, e->id);
	if (e->kind == HTTP_FAILED) {
		struct request *r = reading ? reading : find(&in->waiting, s, e->id);
		if (r) request_gone(in, r);
	} else if (reading && e->kind == HTTP_BODY) {
		request_body(in, reading, e->body);
	} else if (reading && e->kind == HTTP_END) {
		request_whole(in, reading);
	} /* else the rest of one that was answered already */
}

static bool serve(struct ingest *in, int protocol) {
	struct http_server *s = in->servers[protocol];
	struct http_event e;
	int n = 0;
	for (; s && n < EVENTS_PER_STEP && http_server_poll(s, &e); n++) take(in, protocol, &e);
	return n > 0;
}

bool ingest_step(struct ingest *in) {
	bool did = request_turn(in); /* those that wait have the first claim on room */
	for (int p = 0; p < PROTOCOLS; p++) did |= serve(in, p);
	return did;
}

static struct mono earlier(struct mono a, struct mono b) {
	return a.ns < b.ns ? a : b;
}

struct mono ingest_next_due(const struct ingest *in) {
	struct mono due = { INT64_MAX };
	const struct list *lists[] = { &in->reading, &in->waiting };
	/* Both lists are in order of their due times: the first is the earliest. */
	for (size_t i = 0; i < 2; i++) {
		if (!list_empty(lists[i])) due = earlier(due, container_of(lists[i]->next, struct request, node)->due);
	}
	return due;
}

int ingest_grpc_port(const struct ingest *in) {
	return in->servers[PROTOCOL_GRPC] ? http_server_port(in->servers[PROTOCOL_GRPC]) : -1;
}

int ingest_http_port(const struct ingest *in) {
	return in->servers[PROTOCOL_HTTP] ? http_server_port(in->servers[PROTOCOL_HTTP]) : -1;
}

void ingest_close(struct ingest *in) {
	if (!in) return;
	struct list *lists[] = { &in->reading, &in->waiting };
	for (size_t i = 0; i < 2; i++) {
		list_each_safe(it, lists[i]) request_free(in, container_of(it, struct request, node));
	}
	for (int p = 0; p < PROTOCOLS; p++) http_server_close(in->servers[p]);
	pack_free(in->pack);
	otlp_free(in->otlp);
	free(in);
}

/* ---- metrics ---- */

static const char *outcome_name(int outcome) {
	if (outcome < (int)REFUSALS) return refusal_name((enum refusal)outcome);
	return outcome == OUTCOME_OK ? "ok" : outcome == OUTCOME_PARTIAL ? "partial" : "gone";
}

static void requests_metric(const struct counts *c, struct metrics_out *m) {
	char labels[128];
	metrics_family(m, "flyball_ingest_requests", "counter", "OTLP requests, by how they ended.");
	for (int p = 0; p < PROTOCOLS; p++) {
		for (int s = 0; s < SIGNALS; s++) {
			for (int o = 0; o < OUTCOMES; o++) {
				if (!c->requests[p][s][o]) continue;
				snprintf(labels, sizeof labels, "protocol=\"%s\",signal=\"%s\",outcome=\"%s\"",
				         p == PROTOCOL_GRPC ? "grpc" : "http",
				         s == SIGNAL_NONE ? "none" : otlp_signal_name((enum otlp_signal)s), outcome_name(o));
				metrics_value(m, labels, (double)c->requests[p][s][o]);
			}
		}
	}
}

static void records_metric(const struct counts *c, struct metrics_out *m) {
	char labels[128];
	metrics_family(m, "flyball_ingest_records", "counter", "Data points, log records and spans that were taken.");
	for (int s = 0; s < OTLP_SIGNALS; s++) {
		snprintf(labels, sizeof labels, "signal=\"%s\"", otlp_signal_name((enum otlp_signal)s));
		metrics_value(m, labels, (double)c->accepted[s]);
	}
	metrics_family(m, "flyball_ingest_rejected_records", "counter", "Records that were left out, by reason.");
	for (int s = 0; s < OTLP_SIGNALS; s++) {
		for (int r = 0; r < OTLP_REASONS; r++) {
			if (!c->rejected[s][r]) continue;
			snprintf(labels, sizeof labels, "signal=\"%s\",reason=\"%s\"", otlp_signal_name((enum otlp_signal)s),
			         otlp_reason_name((enum otlp_reason)r));
			metrics_value(m, labels, (double)c->rejected[s][r]);
		}
		if (!c->lost[s]) continue;
		snprintf(labels, sizeof labels, "signal=\"%s\",reason=\"no_room\"", otlp_signal_name((enum otlp_signal)s));
		metrics_value(m, labels, (double)c->lost[s]);
	}
}

void ingest_metrics(const struct ingest *in, struct metrics_out *m) {
	const struct counts *c = &in->counts;
	requests_metric(c, m);
	records_metric(c, m);
	metrics_one(m, "flyball_ingest_received_bytes", "counter", "Bytes of bodies, as sent.", (double)c->bytes_received);
	metrics_one(m, "flyball_ingest_read_bytes", "counter", "Bytes of bodies, decompressed.", (double)c->bytes_read);
	metrics_one(m, "flyball_ingest_batches", "counter", "Batches handed on.", (double)c->batches);
	metrics_one(m, "flyball_ingest_batch_bytes", "counter", "Bytes of batches handed on.", (double)c->batch_bytes);
	metrics_one(m, "flyball_ingest_log_bodies_cut", "counter", "Log texts cut at 64 KiB.", (double)c->bodies_cut);
	metrics_one(m, "flyball_ingest_unweighted_spans", "counter",
	            "Spans whose sampling is not known: they do not count.", (double)c->unweighted);
	metrics_one(m, "flyball_ingest_inconsistent_spans", "counter",
	            "Spans that their own sampling threshold would have dropped.", (double)c->inconsistent);
	metrics_one(m, "flyball_ingest_requests_in_progress", "gauge", "Requests in progress.", (double)c->requests_now);
	metrics_one(m, "flyball_ingest_requests_in_progress_max", "gauge", "Most requests ever in progress at once.",
	            (double)c->requests_high);
	metrics_one(m, "flyball_ingest_memory_bytes", "gauge", "Memory of requests in progress.", (double)c->memory_now);
	metrics_one(m, "flyball_ingest_memory_max_bytes", "gauge", "Most memory requests ever held.",
	            (double)c->memory_high);
}

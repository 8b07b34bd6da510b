#include "observe/observer.h"

#include <stdlib.h>
#include <string.h>

#include "observe/observer_in.h"
#include "observe/records.h"

#define BATCHES_A_STEP 64
#define PASS_NS        NS_PER_SEC       /* how often time is passed on */
#define PASS_OPEN_NS   (NS_PER_SEC / 2) /* while an incident is open */

#define OFFSET(f) offsetof(struct observer_settings, f)
const struct param observer_params[] = {
	{ .key = "window",
	  .type = PARAM_DURATION,
	  .offset = OFFSET(window_ns),
	  .min = 1e9,
	  .max = 60e9,
	  .fallback = "10s",
	  .help = "Length of a window of event time; baselines are kept by windows." },
	{ .key = "lateness",
	  .type = PARAM_DURATION,
	  .offset = OFFSET(lateness_ns),
	  .min = 1e9,
	  .max = 120e9,
	  .fallback = "90s",
	  .help = "How late a sample may come and still be merged." },
	{ .key = "checkpoint",
	  .type = PARAM_DURATION,
	  .offset = OFFSET(checkpoint_ns),
	  .min = 1e9,
	  .max = 3600e9,
	  .fallback = "60s",
	  .help = "How often engine state is saved." },
	{ .key = "incident_severity",
	  .type = PARAM_DOUBLE,
	  .offset = OFFSET(incident_severity),
	  .min = 0.05,
	  .max = 1,
	  .fallback = "0.5",
	  .help = "Severity from which anomalies become an incident; higher means fewer." },
	{ .key = "adopt",
	  .type = PARAM_DURATION,
	  .offset = OFFSET(adopt_ns),
	  .min = 300e9,
	  .max = 30 * 86400e9,
	  .fallback = "2h",
	  .help = "A level that stays for so long is taken as usual, and the incident ends so." },
	{ .key = "series_max",
	  .type = PARAM_INT,
	  .offset = OFFSET(series_max),
	  .min = 100,
	  .max = 1e7,
	  .fallback = "200000",
	  .help = "Time series that are followed; further ones are counted and left out." },
	{ .key = "services_max",
	  .type = PARAM_INT,
	  .offset = OFFSET(services_max),
	  .min = 1,
	  .max = 1e5,
	  .fallback = "2000",
	  .help = "Services that are watched; further ones are counted and left out." },
	{ .key = "spans_max",
	  .type = PARAM_INT,
	  .offset = OFFSET(spans_max),
	  .min = 1000,
	  .max = 1e8,
	  .fallback = "131072",
	  .help = "Spans that wait for their relatives; when full, the oldest go first." },
	PARAM_END,
};

enum err observer_open(const struct observer_opts *o, struct observer **out, struct why *why) {
	const struct observer_settings *s = &o->settings;
	if (s->window_ns < NS_PER_SEC || s->lateness_ns < 1 || s->services_max < 1 || s->checkpoint_ns < 1)
		return why_set(why, ERR_INVALID, "observe: a setting is out of range; see `flyball config schema`");
	struct observer *ob = calloc(1, sizeof *ob);
	if (!ob) return ERR_NOMEM;
	ob->o = *o;
	if (ob->o.settings.adopt_ns <= 0) ob->o.settings.adopt_ns = 2 * 3600 * NS_PER_SEC;
	arena_init(&ob->arena, 8u << 20);
	buf_init(&ob->loading.bytes, 0);
	buf_init(&ob->loading.kept, 0);
	for (int i = 0; i < INCIDENTS_MAX; i++) ob->incidents[i].cause = NONE;
	ob->now_ns = clock_wall(o->clock).ns;
	ob->saved_ns = ob->now_ns;
	struct stream_opts so = { s->window_ns, s->lateness_ns, s->series_max, s->services_max,
		                      s->spans_max > 0 ? s->spans_max : 131072 };
	enum err e = stream_open(so, &ob->stream);
	if (e) {
		observer_close(ob);
		return why_set(why, e, "observe: %s", err_text(e));
	}
	*out = ob;
	return OK;
}

void observer_close(struct observer *ob) {
	if (!ob) return;
	records_forget(ob);
	publish_free(ob);
	checkpoint_free(ob);
	stream_close(ob->stream);
	arena_done(&ob->arena);
	free(ob);
}

bool observer_ready(const struct observer *ob) {
	return ob->loading.state == LOADING_DONE && !ob->broken;
}

static void clock_turn(struct observer *ob) {
	int64_t now_ns = clock_wall(ob->o.clock).ns;
	if (ob->o.frozen && ob->stream->now_ns) {
		ob->now_ns = ob->stream->now_ns;
		return;
	}
	if (now_ns > ob->now_ns) ob->now_ns = now_ns;
	if (ob->stream->now_ns > ob->now_ns) ob->now_ns = ob->stream->now_ns;
}

static bool completions(struct observer *ob) {
	struct state_done d;
	struct bus_msg m;
	bool did = false;
	while (state_poll(ob->o.state, &d)) {
		checkpoint_state_done(ob, &d);
		did = true;
	}
	while (ob->o.bus->ops->poll(ob->o.bus, &m)) {
		if (m.kind == BUS_PUBLISHED) publish_done(ob, m.tag, m.err);
		did = true;
	}
	return did;
}

static void batch_apply(struct observer *ob, const struct transport_batch *b) {
	struct why why = { "" };
	ob->counts.batches++;
	ob->bytes_since += (int64_t)b->bytes.n;
	enum err e = stream_apply(ob->stream, b->bytes, &why);
	if (e) {
		ob->counts.refused++;
		log_event(ob->o.log, LOG_WARN, "observe.batch", "position=%llu why=%s", (unsigned long long)b->position,
		          why.text);
	}
	clock_turn(ob);
	watch_news(ob);
	ob->position = b->position;
}

static bool batches(struct observer *ob) {
	struct transport_batch b;
	int n = 0;
	while (n < BATCHES_A_STEP && ob->o.transport->ops->poll(ob->o.transport, ob->o.shard, &b)) {
		n++;
		if (b.position > ob->position || !ob->position)
			batch_apply(ob, &b); /* what the checkpoint holds is not counted twice */
	}
	return n > 0;
}

static int64_t pass_due(const struct observer *ob) {
	return ob->pass_ns + (incident_any_open(ob) ? PASS_OPEN_NS : PASS_NS);
}

static bool pass(struct observer *ob) {
	if (ob->now_ns < pass_due(ob)) return false;
	ob->pass_ns = ob->now_ns;
	watch_pass(ob);
	incident_pass(ob);
	return true;
}

bool observer_step(struct observer *ob) {
	if (ob->broken) return false;
	clock_turn(ob);
	bool did = completions(ob);
	if (ob->loading.state != LOADING_DONE) return checkpoint_load_step(ob) || did;
	if (ob->o.frozen) {
		clock_turn(ob); /* to the moment that was saved */
		return did;
	}
	did |= batches(ob);
	did |= pass(ob);
	did |= checkpoint_step(ob, false);
	did |= publish_step(ob);
	return did;
}

struct mono observer_next_due(const struct observer *ob) {
	struct mono now = clock_mono(ob->o.clock);
	int64_t wall_ns = clock_wall(ob->o.clock).ns;
	if (ob->broken || ob->o.frozen) return (struct mono){ INT64_MAX };
	int64_t wait_ns = pass_due(ob) - wall_ns;
	if (wait_ns < 0) wait_ns = 0;
	if (wait_ns > PASS_NS) wait_ns = PASS_NS;
	return (struct mono){ now.ns + wait_ns };
}

bool observer_flush(struct observer *ob) {
	if (!observer_ready(ob) || ob->o.frozen) return false;
	completions(ob);
	bool idle = ob->saving.state == SAVING_IDLE;
	if (idle && ob->position == ob->saved_position && !ob->out_count && !ob->keep_pending) return false;
	checkpoint_step(ob, idle && ob->position != ob->saved_position);
	publish_step(ob);
	return true;
}

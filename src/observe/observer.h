/* The driver of one shard: batches in, events out.
 *
 * Polls its shard of the stream, keeps series, windows and graph (stream/), runs the engines (pure
 * functions below this folder), groups what they find into incidents, names causes, and publishes
 * the events of docs/events. Saves its state as checkpoints in the state store and resumes from
 * them; lets go of a batch only after what followed from it is durable. Thread: one loop's own. */
#pragma once

#include "base/log.h"
#include "base/metrics.h"
#include "base/param.h"
#include "bus/bus.h"
#include "cache/cache.h"
#include "model/action.h"
#include "store/state.h"
#include "stream/transport.h"

struct observer;

struct observer_settings {
	int64_t window_ns;                /* 10 s: tumbling, event time */
	int64_t lateness_ns;              /* how late a sample may come and still be merged */
	int64_t checkpoint_ns;            /* 60 s */
	double incident_severity;         /* boundary of calibrated severity for an incident, 0..1 */
	int64_t adopt_ns;                 /* 2 h: a level that stays for so long becomes usual */
	int64_t series_max, services_max; /* further ones are counted and left out */
	int64_t spans_max;                /* that wait for their relatives; older ones go first */
};
extern const struct param observer_params[];

struct observer_opts {
	struct clock *clock; /* borrowed, all */
	struct transport *transport;
	uint32_t shard;
	struct bus *bus;     /* a handle of its own: completions polled here are its own */
	struct state *state; /* likewise */
	struct cache *cache;
	struct log *log;
	struct rng rng;
	struct str region; /* "eu-west-1"; may be empty */
	struct observer_settings settings;
	bool frozen; /* shows what was saved, as it stood then: reads the checkpoint, and after that changes nothing */
};

MUST_USE enum err observer_open(const struct observer_opts *o, struct observer **out, struct why *why);
/* False: nothing to do now. Never waits. */
bool observer_step(struct observer *ob);
struct mono observer_next_due(const struct observer *ob);
/* True once the checkpoint (if any) was read and the stream is being followed. */
bool observer_ready(const struct observer *ob);
/* Adds members to a service's object: what whoever acts would make of it. */
struct target_teller {
	void *self;
	void (*tell)(void *self, const struct target *t, struct json_out *out);
};
/* Objects for the API: services with signals, states, sampling, workload; models; open incidents. */
void observer_coverage(const struct observer *ob, const struct target_teller *teller, struct json_out *out);
void observer_graph(const struct observer *ob, struct json_out *out);
void observer_status(const struct observer *ob, struct json_out *out);
void observer_metrics(const struct observer *ob, struct metrics_out *m);
/* Saves at once what it knows; true while it is still being written. For orderly stops and for a
 * warmed world. */
bool observer_flush(struct observer *ob);
void observer_close(struct observer *ob);

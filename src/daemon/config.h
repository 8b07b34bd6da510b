/* flyball.yaml: one immutable generation of settings. */
#pragma once

#include "api/api.h"
#include "control/policy.h"
#include "model/action.h"
#include "observe/observer.h"

struct config {
	struct str state, bus;    /* URLs; empty: state.db and bus.db in the state directory */
	struct str cache, stream; /* "memory:" */
	struct str target;        /* "kubernetes:?context=prod"; empty: none, everything is only told */
	struct str region;
	struct str address;                /* listen: "127.0.0.1" */
	int64_t otlp_grpc, otlp_http, api; /* ports; 0: any free; -1: off */
	bool traces_unsampled;             /* the operator's word that every span is exported */
	struct observer_settings observe;
	struct control_policy control;
	const struct service_map *services;
	size_t service_count;
	const struct api_token *tokens;
	size_t token_count;
	bool read_needs_token;
	int64_t body_max, requests_max, memory_max, connections_max; /* ingest */
};

/* `file`: name for errors ("flyball.yaml"). Empty text: every default. ERR_INVALID: "flyball.yaml:12:
 * unknown key 'hander', did you mean 'handlers'?". Lies in `a`. */
MUST_USE enum err config_parse(struct arena *a, struct str text, const char *file, struct config *out, struct why *why);
/* Names of what differs and takes a restart ("listen.api limits.body services"), none where nothing does. */
void config_restart(const struct config *was, const struct config *now, struct buf *out);
/* The configuration in force as YAML that config_parse reads back, every default written out; tokens stand in
 * remarks, without their hashes. */
void config_show(const struct config *c, struct buf *out);

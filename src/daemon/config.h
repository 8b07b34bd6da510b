/* flyball.yaml: one immutable generation of settings. */
#pragma once

#include "api/api.h"
#include "control/policy.h"
#include "model/action.h"
#include "observe/observer.h"

/* `services:` NAME: {namespace, workload, kind}: where telemetry itself does not tell. */
struct service_map {
	struct str service, namespace_, workload, kind;
};

struct config {
	struct str state, bus, cache, stream, target; /* URLs; target empty: none */
	struct str address;                           /* listen: "127.0.0.1" */
	int64_t otlp_grpc, otlp_http, api;            /* ports; 0: any free; -1: off */
	struct str region;
	struct observer_settings observe;
	struct control_policy control;
	const struct service_map *services;
	size_t service_count;
	const struct api_token *tokens;
	size_t token_count;
	int64_t body_max, requests_max, memory_max; /* ingest */
};

/* `file`: name for errors ("flyball.yaml"). Empty text: every default. ERR_INVALID: "flyball.yaml:12:
 * unknown key 'hander', did you mean 'handlers'?". Lies in `a`. */
MUST_USE enum err config_parse(struct arena *a, struct str text, const char *file, struct config *out, struct why *why);

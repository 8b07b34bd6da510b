/* Every path, in one table. docs/api.yaml tells the same to others; router_test.c compares the two. */
#include <string.h>

#include "api/api_impl.h"

#define GET  "GET"
#define POST "POST"

const struct route api_routes[] = {
	{ GET, "/healthz", .open = true, .start = start_healthz, .params = "" },
	{ GET, "/readyz", .open = true, .start = start_readyz, .params = "" },
	{ GET, "/metrics", .start = start_metrics, .params = "" },
	{ GET, "/api/v1/status", .start = start_status, .params = "" },
	{ GET, "/api/v1/coverage", .start = start_coverage, .params = "" },
	{ GET, "/api/v1/graph", .start = start_graph, .params = "" },
	{ GET, "/api/v1/incidents", .what = ROWS_INCIDENTS, .start = start_rows, .state = state_rows,
	  .params = "limit after" },
	{ GET, "/api/v1/incidents/*", .what = ROWS_INCIDENTS, .start = start_row, .state = state_row, .params = "" },
	{ GET, "/api/v1/actions", .what = ROWS_ACTIONS, .start = start_rows, .state = state_rows, .params = "limit after" },
	{ GET, "/api/v1/actions/*", .what = ROWS_ACTIONS, .start = start_row, .state = state_row, .params = "" },
	{ GET, "/api/v1/explain/*", .start = start_explain, .state = state_explain, .params = "" },
	{ GET, "/api/v1/events", .start = start_events, .listed = listed_events,
	  .params = "limit after type since follow" },
	{ GET, "/api/v1/audit", .start = start_audit, .state = state_audit, .params = "limit after order" },
	{ GET, "/api/v1/audit/verify", .start = start_verify, .state = state_verify, .params = "head" },
	{ POST, "/api/v1/actions/*/approve", .role = ROLE_APPROVER, .what = COMMAND_APPROVE, .start = start_change,
	  .state = state_change, .params = "" },
	{ POST, "/api/v1/actions/*/reject", .role = ROLE_APPROVER, .what = COMMAND_REJECT, .start = start_change,
	  .state = state_change, .params = "" },
	{ POST, "/api/v1/actions/*/undo", .role = ROLE_OPERATOR, .what = COMMAND_UNDO, .start = start_change,
	  .state = state_change, .params = "" },
	{ POST, "/api/v1/incidents/*/ack", .role = ROLE_APPROVER, .what = COMMAND_ACK, .start = start_change,
	  .state = state_change, .params = "" },
	{ POST, "/api/v1/incidents/*/wrong", .role = ROLE_APPROVER, .what = COMMAND_WRONG, .start = start_change,
	  .state = state_change, .params = "" },
	{ POST, "/api/v1/incidents/*/mute", .role = ROLE_APPROVER, .what = COMMAND_MUTE, .start = start_change,
	  .state = state_change, .params = "" },
	{ POST, "/api/v1/pause", .role = ROLE_OPERATOR, .what = COMMAND_PAUSE, .start = start_change, .params = "" },
	{ POST, "/api/v1/resume", .role = ROLE_OPERATOR, .what = COMMAND_RESUME, .start = start_change, .params = "" },
	{ .method = NULL },
};

static bool fits(const char *path, const struct request_target *t, struct str *star) {
	struct str rest = str_of(path + 1), part;
	size_t i = 0;
	for (bool more = true; more; i++) {
		more = str_cut(rest, '/', &part, &rest);
		if (i == t->part_count) return false;
		if (str_is(part, "*"))
			*star = t->parts[i];
		else if (!str_eq(part, t->parts[i]))
			return false;
	}
	return i == t->part_count;
}

enum err route_find(struct str method, const struct request_target *t, const struct route **out, struct str *star,
                    const char **allow) {
	*allow = NULL;
	for (const struct route *r = api_routes; r->method; r++) {
		struct str part = { 0 };
		if (!fits(r->path, t, &part)) continue;
		*allow = r->method;
		if (!str_is(method, r->method)) continue;
		*star = part;
		*out = r;
		return OK;
	}
	return *allow ? ERR_UNSUPPORTED : ERR_NOT_FOUND;
}

/* A request's target, taken apart: path segments and parameters, decoded and bounded. Pure. */
#pragma once

#include "base/str.h"

#define TARGET_BYTES_MAX  4096
#define TARGET_PARTS_MAX  8
#define TARGET_PARAMS_MAX 16

struct target_param {
	struct str key, value;
};

struct request_target {
	struct str parts[TARGET_PARTS_MAX]; /* "/api/v1/status" is "api" "v1" "status" */
	size_t part_count;
	struct target_param params[TARGET_PARAMS_MAX];
	size_t param_count;
};

/* Everything lies in `a` or points into `text`. ERR_INVALID: says what is wrong; ERR_TOO_LARGE. */
MUST_USE enum err target_parse(struct arena *a, struct str text, struct request_target *out, struct why *why);
/* {NULL, 0}: not given. */
struct str target_param(const struct request_target *t, const char *key);
/* ERR_INVALID names the parameter and its bounds. */
MUST_USE enum err target_int(const struct request_target *t, const char *key, int64_t fallback, int64_t min,
                             int64_t max, int64_t *out, struct why *why);

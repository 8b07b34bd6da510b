#include "model/cause.h"

static const char *const names[CAUSE_KINDS] = {
	[CAUSE_UNKNOWN] = "unknown", [CAUSE_CRASH] = "crash",     [CAUSE_SATURATION] = "saturation",
	[CAUSE_MEMORY] = "memory",   [CAUSE_DISK] = "disk",       [CAUSE_DEPENDENCY] = "dependency",
	[CAUSE_ERRORS] = "errors",   [CAUSE_LATENCY] = "latency", [CAUSE_DEPLOYMENT] = "deployment",
	[CAUSE_NETWORK] = "network",
};

const char *cause_kind_name(enum cause_kind k) {
	return k < CAUSE_KINDS ? names[k] : names[CAUSE_UNKNOWN];
}

bool cause_kind_parse(struct str s, enum cause_kind *out) {
	for (int k = 0; k < CAUSE_KINDS; k++) {
		if (!str_is(s, names[k])) continue;
		*out = (enum cause_kind)k;
		return true;
	}
	return false;
}

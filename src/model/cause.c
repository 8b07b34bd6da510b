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

static const char *const words[CAUSE_KINDS] = {
	[CAUSE_UNKNOWN] = "an unknown fault of",
	[CAUSE_CRASH] = "a crash of",
	[CAUSE_SATURATION] = "saturation of",
	[CAUSE_MEMORY] = "memory shortage of",
	[CAUSE_DISK] = "a disk fault of",
	[CAUSE_DEPENDENCY] = "trouble in the dependency",
	[CAUSE_ERRORS] = "errors of",
	[CAUSE_LATENCY] = "latency of",
	[CAUSE_DEPLOYMENT] = "a bad deployment of",
	[CAUSE_NETWORK] = "network trouble at",
};

const char *cause_kind_words(enum cause_kind k) {
	return k < CAUSE_KINDS ? words[k] : words[CAUSE_UNKNOWN];
}

bool cause_kind_parse(struct str s, enum cause_kind *out) {
	for (int k = 0; k < CAUSE_KINDS; k++) {
		if (!str_is(s, names[k])) continue;
		*out = (enum cause_kind)k;
		return true;
	}
	return false;
}

#include "ingest/sampling.h"

#define TOTAL (UINT64_C(1) << 56)

/* The value of `key` in a list of items that `between` separates and `is` divides into key and value. */
static bool find(struct str list, char between, char is, const char *key, struct str *value) {
	struct str item, rest = list, name;
	do {
		str_cut(rest, between, &item, &rest);
		if (str_cut(str_trim(item), is, &name, value) && str_is(name, key)) return true;
	} while (rest.p);
	return false;
}

static int digit(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1 to 14 lower-case hex digits, the missing ones zeros at the end; `whole`: exactly 14. */
static bool hex56(struct str s, bool whole, uint64_t *out) {
	if (s.n < 1 || s.n > 14 || (whole && s.n != 14)) return false;
	uint64_t v = 0;
	for (size_t i = 0; i < 14; i++) {
		int d = i < s.n ? digit(s.p[i]) : 0;
		if (d < 0) return false;
		v = v << 4 | (unsigned)d;
	}
	*out = v;
	return true;
}

static uint64_t randomness(struct str ot, const unsigned char trace[16]) {
	struct str rv;
	uint64_t r = 0;
	if (find(ot, ';', ':', "rv", &rv) && hex56(rv, true, &r)) return r;
	for (int i = 9; i < 16; i++) r = r << 8 | trace[i];
	return r;
}

enum sampling sampling_weight(struct str tracestate, const unsigned char trace[16], double *weight) {
	struct str ot, th;
	uint64_t threshold;
	*weight = 0;
	if (str_is(tracestate, "ot=th:0")) { /* nearly every span of nearly every SDK: all were kept */
		*weight = 1;
		return SAMPLING_KNOWN;
	}
	if (!find(tracestate, ',', '=', "ot", &ot)) return SAMPLING_UNKNOWN;
	if (!find(ot, ';', ':', "th", &th) || !hex56(th, false, &threshold)) return SAMPLING_UNKNOWN;
	if (randomness(ot, trace) < threshold) return SAMPLING_INCONSISTENT;
	*weight = (double)TOTAL / (double)(TOTAL - threshold);
	return SAMPLING_KNOWN;
}

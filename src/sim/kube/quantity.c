#include "sim/kube/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	const char *suffix;
	double milli;
} units[] = {
	{ "", 1e3 },   { "m", 1 },       { "k", 1e6 },        { "M", 1e9 },           { "G", 1e12 },
	{ "T", 1e15 }, { "Ki", 1024e3 }, { "Mi", 1048576e3 }, { "Gi", 1073741824e3 }, { "Ti", 1099511627776e3 },
};

int64_t sim_kube_milli(struct str text, int64_t fallback) {
	size_t digits = 0;
	double number = 0;
	while (digits < text.n && strchr("+-.0123456789", text.p[digits])) digits++;
	struct str suffix = { text.p + digits, text.n - digits };
	if (!digits || !str_double((struct str){ text.p, digits }, &number)) return fallback;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (str_is(suffix, units[i].suffix)) {
			double milli = ceil(number * units[i].milli - 1e-9);
			return fabs(milli) < 9e18 ? (int64_t)milli : fallback;
		}
	return fallback;
}

void sim_kube_quantity(int64_t milli, bool binary, char out[32]) {
	static const char *const decimal[] = { "m", "", "k", "M", "G", "T", "P" }, *const twos[] = { "",   "Ki", "Mi",
		                                                                                         "Gi", "Ti", "Pi" };
	size_t step = 0;
	if (binary && milli && milli % 1024000 == 0) {
		int64_t whole = milli / 1000;
		for (; whole % 1024 == 0 && step + 1 < sizeof twos / sizeof *twos; step++) whole /= 1024;
		snprintf(out, 32, "%lld%s", (long long)whole, twos[step]);
		return;
	}
	for (; milli && milli % 1000 == 0 && step + 1 < sizeof decimal / sizeof *decimal; step++) milli /= 1000;
	snprintf(out, 32, "%lld%s", (long long)milli, milli ? decimal[step] : "");
}

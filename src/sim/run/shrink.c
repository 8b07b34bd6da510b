#include "sim/run/shrink.h"

/* Everything but the `n` steps from `from` on. */
static struct fault_plan without(const struct fault_plan *p, size_t from, size_t n) {
	struct fault_plan out = { .count = 0 };
	for (size_t i = 0; i < p->count; i++)
		if (i < from || i >= from + n) out.steps[out.count++] = p->steps[i];
	return out;
}

int plan_shrink(struct fault_plan *p, shrink_fails *fails, void *self, int tries) {
	int asked = 0;
	for (size_t n = p->count; n > 0 && p->count; n = n < p->count ? n / 2 : p->count / 2) {
		bool shrunk = false;
		for (size_t from = 0; from < p->count && asked < tries;) {
			struct fault_plan less = without(p, from, n);
			asked++;
			if (fails(self, &less)) {
				*p = less;
				shrunk = true;
			} else {
				from += n;
			}
		}
		if (asked == tries) return asked;
		if (shrunk && n == 1) n = 2; /* one less may be enough for another to go: once more */
	}
	return asked;
}

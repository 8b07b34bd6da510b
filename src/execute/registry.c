#include "base/url.h"
#include "execute/execute.h"
#include "execute/kubernetes/kubernetes.h"

/* The only list of executors. */
static const struct scheme {
	const char *name;
	enum err (*open)(const struct executor_setup *, const struct url *, struct executor **, struct why *);
	const struct executor_ops *ops;
	void (*metrics)(const struct executor *, struct metrics_out *);
} schemes[] = {
	{ "kubernetes", kubernetes_open, &kubernetes_ops, kubernetes_metrics },
};
#define COUNT (sizeof schemes / sizeof *schemes)

enum err executor_open(const struct executor_setup *s, struct str text, struct executor **out, struct why *why) {
	struct arena a;
	struct url u;
	arena_init(&a, 1 << 20);
	enum err e = url_parse(&a, text, &u, why);
	for (size_t i = 0; !e && i < COUNT; i++) {
		if (!str_is(u.scheme, schemes[i].name)) continue;
		e = schemes[i].open(s, &u, out, why);
		arena_done(&a);
		return e;
	}
	if (!e)
		e = why_set(why, ERR_UNSUPPORTED, "target '" STR_FMT "': unknown scheme; there is: %s", STR_ARG(text),
		            schemes[0].name);
	arena_done(&a);
	return e;
}

void executor_metrics(const struct executor *e, struct metrics_out *m) {
	for (size_t i = 0; i < COUNT; i++)
		if (schemes[i].ops == e->ops) schemes[i].metrics(e, m);
}

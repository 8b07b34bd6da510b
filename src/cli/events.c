/* `flyball events`: pages of what happened, and what goes on happening. */
#include <stdio.h>
#include <string.h>

#include "base/param.h"
#include "cli/cli.h"
#include "cli/read.h"
#include "cli/verbs.h"

#define PAGE_MAX     1000
#define PAGE_DEFAULT 100

static const struct out_column columns[] = {
	{ "TIME (UTC)", "time", OUT_TIME },
	{ "TYPE", "type" },
	{ "SUBJECT", "subject", .cut = true },
	{ "SEVERITY", "severity", OUT_ROUND, .spare = 1 },
	{ "ID", "id" },
	COLUMN_END,
};

struct feed {
	struct cli *c;
	struct out_table table;
	struct str path; /* with limit, since and type; "&after=" goes behind it */
	char after[64];  /* the position behind which the next page begins; empty: the newest page */
	bool more;       /* there is something on it already */
};

/* One page, printed; its memory is given back. */
static int page(struct feed *f) {
	struct cli *c = f->c;
	const struct json *answer = NULL;
	struct arena kept = c->arena;
	arena_init(&c->arena, 0);
	struct str path = str_printf(&c->arena, STR_FMT "%s%s", STR_ARG(f->path), *f->after ? "&after=" : "", f->after);
	int code = client_get(c, path, &answer);
	const struct json *items = json_get(answer, "items"), *next = json_get(answer, "next");
	if (!code) code = print_page(c, &f->table, items);
	f->more = json_bool(json_get(answer, "more"), false);
	if (next && next->kind == JSON_NUMBER && next->text.n < sizeof f->after)
		snprintf(f->after, sizeof f->after, STR_FMT, STR_ARG(next->text));
	arena_done(&c->arena);
	c->arena = kept;
	return code;
}

/* Like tail -f: until interrupted, or nobody reads any more. What is there already comes at once. */
static int follow(struct feed *f) {
	struct process *p = f->c->world->process;
	int code = EXIT_DONE;
	while (!code && !f->c->out_over && !p->ops->stopping(p)) {
		if (!f->more) world_linux_wait(f->c->real, (struct mono){ clock_mono(f->c->world->clock).ns + NS_PER_SEC });
		if (!p->ops->stopping(p)) code = page(f);
	}
	return code;
}

static bool type_ok(struct str type) {
	for (size_t i = 0; i < type.n; i++)
		if (type.p[i] != '_' && (type.p[i] < 'A' || type.p[i] > 'Z')) return false;
	return type.n > 0;
}

/* --since, as the moment that it was when the verb began. */
static int since_of(struct cli *c, struct str *path) {
	struct str since = args_get(&c->args, "since");
	int64_t ns = 0;
	char text[32];
	if (!since.p) return EXIT_DONE;
	if (duration_parse(since, &ns) || ns <= 0)
		return cli_fail(c, EXIT_USAGE, "--since takes a duration like 30m or 24h, not '" STR_FMT "'", STR_ARG(since));
	wall_format((struct wall){ clock_wall(c->world->clock).ns - ns }, text);
	*path = str_printf(&c->arena, STR_FMT "&since=%s", STR_ARG(*path), text);
	return EXIT_DONE;
}

static int feed_begin(struct feed *f, int64_t limit) {
	struct cli *c = f->c;
	struct str type = args_get(&c->args, "type");
	f->path = str_printf(&c->arena, "/api/v1/events?limit=%lld", (long long)limit);
	int code = since_of(c, &f->path);
	if (code || !type.p) return code;
	if (!type_ok(type))
		return cli_fail(c, EXIT_USAGE, "--type takes a name like INCIDENT_OPENED, not '" STR_FMT "'", STR_ARG(type));
	f->path = str_printf(&c->arena, STR_FMT "&type=" STR_FMT, STR_ARG(f->path), STR_ARG(type));
	return EXIT_DONE;
}

int verb_events(struct cli *c) {
	bool following = args_has(&c->args, "follow"), limited = args_has(&c->args, "limit");
	bool all = args_has(&c->args, "since") && !limited;
	struct feed f = { .c = c, .table = { .format = c->format, .columns = columns, .window = (size_t)c->columns } };
	struct why why = { "" };
	int64_t limit = 0;
	if (args_int(&c->args, "limit", all ? PAGE_MAX : PAGE_DEFAULT, 1, PAGE_MAX, &limit, &why))
		return cli_fail(c, EXIT_USAGE, "%s", why.text);
	if (following && args_has(&c->args, "state"))
		return cli_fail(c, EXIT_USAGE, "--follow needs a daemon that runs: nothing new comes into a directory");
	if (following && c->format == OUT_JSON) f.table.format = OUT_JSONL; /* an array that never ends is no JSON */
	if (args_has(&c->args, "since") && (all || following)) f.after[0] = '0';
	int code = feed_begin(&f, limit);
	if (!code) code = client_local(c, ROLE_API);
	if (!code) code = page(&f);
	while (!code && all && !following && f.more && !c->out_over) code = page(&f);
	if (!code && following) return follow(&f);
	return code ? code : print_end(c, &f.table);
}

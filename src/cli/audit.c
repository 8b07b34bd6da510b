#include "model/audit.h"
#include "cli/cli.h"
#include "cli/verbs.h"

#define PAGE 1000

static const struct out_column columns[] = {
	{ "SEQ", "seq" },           { "AT", "at" }, { "KIND", "kind" }, { "BY", "by" }, { "ACTION", "action" },
	{ "INCIDENT", "incident" }, COLUMN_END,
};

int verb_audit_ls(struct cli *c) {
	const struct json *answer = NULL;
	struct why why = { "" };
	struct buf b;
	int64_t limit = 100;
	if (args_int(&c->args, "limit", 100, 1, PAGE, &limit, &why)) return cli_fail(c, EXIT_USAGE, "%s", why.text);
	int code = client_local(c);
	if (!code) code = client_get(c, str_printf(&c->arena, "/api/v1/audit?limit=%lld", (long long)limit), &answer);
	if (code) return code;
	buf_init(&b, 0);
	out_rows(&b, c->format, columns, json_get(answer, "items"));
	code = cli_print(c, buf_get(&b));
	buf_done(&b);
	return code;
}

/* One page through the verifier; *next: where the following one begins, empty after the last. */
static int verify_page(struct cli *c, struct audit_verifier *v, struct str *next, struct why *why) {
	const struct json *answer = NULL;
	struct str path = str_printf(&c->arena, "/api/v1/audit?order=asc&limit=%d%s" STR_FMT, PAGE,
	                             next->n ? "&after=" : "", STR_ARG(*next));
	int code = client_get(c, path, &answer);
	if (code) return code;
	struct arena scratch;
	enum err e = OK;
	arena_init(&scratch, 0);
	json_each(entry, json_get(answer, "items")) {
		if (!e) e = audit_verify_next(v, &scratch, entry->text, why);
		arena_reset(&scratch);
	}
	arena_done(&scratch);
	*next = json_str(json_get(answer, "next"));
	return e ? EXIT_NEGATIVE : EXIT_DONE;
}

static int verdict(struct cli *c, const struct audit_verifier *v, bool whole, const char *reason) {
	char hex[65];
	struct buf b;
	hex_encode(v->at.hash.b, sizeof v->at.hash.b, hex);
	buf_init(&b, 0);
	if (c->format == OUT_TABLE) {
		if (whole)
			buf_printf(&b, "%llu entries, the chain is whole%s\nhead %llu:%s\n", (unsigned long long)v->at.seq,
			           v->published.seq ? " and holds the head that was published" : "", (unsigned long long)v->at.seq,
			           hex);
		else
			buf_printf(&b, "tampered with: %s\n", reason);
	} else {
		struct json_out o = json_out(&b);
		json_begin_object(&o);
		json_kv_bool(&o, "whole", whole);
		json_kv_int(&o, "seq", (int64_t)v->at.seq);
		json_kv_c(&o, "hash", hex);
		json_kv_bool(&o, "against_published_head", v->published.seq > 0);
		json_kv_c(&o, "why", whole ? NULL : reason);
		json_end_object(&o);
		buf_byte(&b, '\n');
	}
	cli_print(c, buf_get(&b));
	buf_done(&b);
	return whole ? EXIT_DONE : EXIT_NEGATIVE;
}

/* The chain is walked here, entry by entry: the server's word is not taken for it. What only the server
 * can say (the head that it has stored) is asked at the end. */
int verb_audit_verify(struct cli *c) {
	struct audit_head published = { 0 };
	struct str given = args_get(&c->args, "head"), next = { 0 };
	const struct json *answer = NULL;
	struct why why = { "" };
	if (given.p && audit_head_parse(&c->arena, given, &published, &why))
		return cli_fail(c, EXIT_USAGE, "--head takes SEQ:HASH as a log line shows it: %s", why.text);
	struct audit_verifier v = audit_verifier(published);
	int code = client_local(c);
	do {
		if (!code) code = verify_page(c, &v, &next, &why);
	} while (!code && next.n);
	if (code) return why.text[0] ? verdict(c, &v, false, why.text) : code;
	if (audit_verify_end(&v, NULL, &why)) return verdict(c, &v, false, why.text);
	code = client_get(c, STR("/api/v1/audit/verify"), &answer);
	if (code) return code;
	if (json_bool(json_get(answer, "whole"), false)) return verdict(c, &v, true, NULL);
	struct str reason = json_str(json_get(answer, "why"));
	return verdict(c, &v, false, str_c(&c->arena, reason));
}

#include "model/audit.h"
#include "cli/read.h"
#include "cli/verbs.h"

#define PAGE 1000

static const struct out_column columns[] = {
	{ "SEQ", "seq" }, { "TIME (UTC)", "at", OUT_TIME }, { "WHAT", "kind" },         { "STATE", "body.state" },
	{ "BY", "by" },   { "ACTION", "action" },           { "INCIDENT", "incident" }, COLUMN_END,
};

int verb_audit_ls(struct cli *c) {
	const struct json *answer = NULL;
	struct why why = { "" };
	int64_t limit = 100;
	if (args_int(&c->args, "limit", 100, 1, PAGE, &limit, &why)) return cli_fail(c, EXIT_USAGE, "%s", why.text);
	int code = read_get(c, str_printf(&c->arena, "/api/v1/audit?limit=%lld", (long long)limit), &answer);
	return code ? code : print_rows(c, columns, json_get(answer, "items"));
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

static void verdict_words(const struct audit_verifier *v, const char *reason, const char *hex, struct buf *out) {
	unsigned long long seq = v->at.seq;
	if (reason)
		buf_printf(out, "tampered with: %s\n", reason);
	else
		buf_printf(out, "%llu entries, the chain is whole%s\nhead %llu:%s\n", seq,
		           v->published.seq ? " and holds the head that was published" : "", seq, hex);
}

/* `reason` NULL: the chain is whole. */
static int verdict(struct cli *c, const struct audit_verifier *v, const char *reason) {
	CLEANUP(buf_done) struct buf b;
	char hex[65];
	hex_encode(v->at.hash.b, sizeof v->at.hash.b, hex);
	buf_init(&b, 0);
	int code = reason ? EXIT_NEGATIVE : EXIT_DONE, printed;
	if (c->format == OUT_TABLE) {
		verdict_words(v, reason, hex, &b);
		printed = cli_print(c, buf_get(&b));
	} else {
		struct json_out o = json_out(&b);
		json_begin_object(&o);
		json_kv_bool(&o, "whole", !reason);
		json_kv_int(&o, "seq", (int64_t)v->at.seq);
		json_kv_c(&o, "hash", hex);
		json_kv_bool(&o, "against_published_head", v->published.seq > 0);
		json_kv_c(&o, "why", reason);
		json_end_object(&o);
		printed = print_made(c, NULL, &b);
	}
	return printed > code ? printed : code;
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
	int code = client_local(c, ROLE_API);
	do {
		if (!code) code = verify_page(c, &v, &next, &why);
	} while (!code && next.n);
	if (code) return why.text[0] ? verdict(c, &v, why.text) : code;
	if (audit_verify_end(&v, NULL, &why)) return verdict(c, &v, why.text);
	code = client_get(c, STR("/api/v1/audit/verify"), &answer);
	if (code) return code;
	if (json_bool(json_get(answer, "whole"), false)) return verdict(c, &v, NULL);
	struct str reason = json_str(json_get(answer, "why"));
	return verdict(c, &v, str_c(&c->arena, reason));
}

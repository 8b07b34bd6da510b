#include <stdio.h>

#include "cli/setup.h"
#include "cli/verbs.h"
#include "daemon/version.h"

/* "config check FILE" and "config check -c FILE" are one. */
static enum err positional_is_config(struct cli *c, struct why *why) {
	static const struct option option = { "config", 'c', "FILE", "" };
	if (c->args.positional_count > 1) return why_set(why, ERR_INVALID, "one FILE only");
	if (c->args.positional_count) c->args.given[c->args.given_count++] = (struct arg){ &option, c->args.positional[0] };
	return OK;
}

int verb_config_check(struct cli *c) {
	struct config config;
	struct why why = { "" };
	enum err e = positional_is_config(c, &why);
	if (!e) e = setup_config(c, &config, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	if (!c->quiet)
		fprintf(stderr, "ok: %zu handlers, %zu services mapped, %zu tokens\n", config.control.handler_count,
		        config.service_count, config.token_count);
	return EXIT_DONE;
}

int verb_config_show(struct cli *c) {
	struct config config;
	struct why why = { "" };
	struct buf b;
	enum err e = positional_is_config(c, &why);
	if (!e) e = setup_config(c, &config, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	buf_init(&b, 0);
	config_show(&config, &b);
	int code = cli_print(c, buf_get(&b));
	buf_done(&b);
	return code;
}

int verb_version(struct cli *c) {
	if (c->format == OUT_JSON || c->format == OUT_JSONL)
		return cli_print(c, STR("{\"version\":\"" FLYBALL_VERSION "\"}\n"));
	return cli_print(c, STR("flyball " FLYBALL_VERSION "\n"));
}

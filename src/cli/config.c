#include "base/yaml.h"
#include "cli/setup.h"
#include "cli/verbs.h"
#include "daemon/version.h"

/* "config check FILE" and "config check -c FILE" are one. */
static void positional_is_config(struct cli *c) {
	static const struct option option = { "config", 'c', "FILE", "" };
	if (c->args.positional_count) c->args.given[c->args.given_count++] = (struct arg){ &option, c->args.positional[0] };
}

static int told(struct cli *c, const struct config *config) {
	struct str path = setup_path(c);
	return cli_print(c, str_printf(&c->arena, STR_FMT " is right: %zu handlers, %zu services mapped, %zu tokens\n",
	                               STR_ARG(path.p ? path : STR("the built-in configuration")),
	                               config->control.handler_count, config->service_count, config->token_count));
}

int verb_config_check(struct cli *c) {
	struct config config;
	struct why why = { "" };
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	positional_is_config(c);
	enum err e = setup_config(c, &config, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	if (c->quiet) return EXIT_DONE;
	if (c->format == OUT_TABLE) return told(c, &config);
	struct json_out o = json_out(&b);
	json_begin_object(&o);
	json_kv_bool(&o, "ok", true);
	json_kv_str(&o, "file", setup_path(c));
	json_kv_int(&o, "handlers", (int64_t)config.control.handler_count);
	json_kv_int(&o, "services", (int64_t)config.service_count);
	json_kv_int(&o, "tokens", (int64_t)config.token_count);
	json_end_object(&o);
	return print_made(c, NULL, &b);
}

/* What is shown is YAML; the other forms are that, read back. */
int verb_config_show(struct cli *c) {
	struct config config;
	struct why why = { "" };
	const struct json *v = NULL;
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	positional_is_config(c);
	enum err e = setup_config(c, &config, &why);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	config_show(&config, &b);
	if (c->format == OUT_TABLE) return cli_print(c, buf_get(&b));
	e = yaml_parse(&c->arena, buf_get(&b), &v, &why);
	return e ? cli_fail(c, EXIT_UNREACHABLE, "%s", why.text[0] ? why.text : err_text(e)) : print_object(c, v);
}

int verb_version(struct cli *c) {
	CLEANUP(buf_done) struct buf b;
	buf_init(&b, 0);
	if (c->format == OUT_TABLE) return cli_print(c, STR("flyball " FLYBALL_VERSION "\n"));
	buf_c(&b, "{\"version\":\"" FLYBALL_VERSION "\"}");
	return print_made(c, NULL, &b);
}

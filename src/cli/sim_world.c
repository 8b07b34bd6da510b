#include "cli/sim_world.h"

#include "sim/shop/file.h"
#include "sim/shop/random.h"

static int drawn(struct cli *c, struct str text, struct shop_world *out) {
	uint64_t seed = 0;
	int services = 0;
	struct why why = { "" };
	enum err e = shop_random_parse(text, &seed, &services, &why);
	if (!e) e = shop_random(&c->arena, seed, services, out);
	return e ? cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e)) : EXIT_DONE;
}

int cli_world(struct cli *c, struct shop_world *out) {
	struct str given = args_get(&c->args, "world"), text = { 0 };
	struct why why = { "" };
	enum err e = OK;
	*out = shop_builtin;
	if (!given.p) return EXIT_DONE;
	if (shop_random_is(given)) return drawn(c, given, out);
	e = cli_read(c, &c->arena, given, SHOP_FILE_BYTES_MAX, &text, &why);
	if (e == ERR_TOO_LARGE)
		return cli_fail(c, EXIT_USAGE, STR_FMT ": longer than %zu MiB", STR_ARG(given), SHOP_FILE_BYTES_MAX >> 20);
	if (e) return cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e));
	e = shop_file_read(&c->arena, text, str_c(&c->arena, given), out, &why);
	return e ? cli_fail(c, EXIT_USAGE, "%s", why.text[0] ? why.text : err_text(e)) : EXIT_DONE;
}

double cli_world_rate(const struct cli *c, const struct shop_world *w, double usual) {
	return args_has(&c->args, "world") && w->rate < usual ? w->rate : usual;
}

size_t cli_world_arguments(struct cli *c, const char **argv) {
	struct str given = args_get(&c->args, "world");
	if (!given.p) return 0;
	argv[0] = "--world";
	argv[1] = str_c(&c->arena, given);
	return 2;
}

int verb_experiment_world(struct cli *c) {
	struct shop_world w;
	struct buf out;
	int code = cli_world(c, &w);
	if (code) return code;
	buf_init(&out, 0);
	if (args_has(&c->args, "schema"))
		shop_file_schema(&out);
	else if (args_has(&c->args, "keys"))
		form_help(&shop_world_form, &out);
	else
		shop_file_write(&w, true, &out);
	code = cli_print(c, buf_get(&out));
	buf_done(&out);
	return code;
}

#include "sim/shop/file.h"

#include "base/hash.h"
#include "base/yaml.h"
#include "sim/memory.h"

/* A Deployment goes by its service's name unless it says another. */
static void name_deployments(struct shop_world *w, struct shop_service *services) {
	for (size_t i = 0; i < w->service_count; i++)
		if (!*services[i].deployment) services[i].deployment = services[i].name;
}

enum err shop_file_read(struct arena *a, struct str text, const char *file, struct shop_world *out, struct why *why) {
	const struct json *root = NULL;
	struct shop_world w = { 0 };
	if (text.n > SHOP_FILE_BYTES_MAX)
		return why_set(why, ERR_INVALID, "%s: longer than %zu MiB", file, SHOP_FILE_BYTES_MAX >> 20);
	enum err e = yaml_parse(a, text, &root, why);
	if (e) return e == ERR_NOMEM ? e : why_prefix(why, ERR_INVALID, "%s", file);
	e = form_read(&shop_world_form, a, root, &w, file, why);
	if (e) return e;
	name_deployments(&w, (struct shop_service *)w.services); /* in our arena: not yet anybody's to rely on */
	e = shop_world_check(&w, file, why);
	if (!e) *out = w;
	return e;
}

void shop_file_write(const struct shop_world *w, bool comments, struct buf *out) {
	if (comments)
		buf_c(out,
		      "# A world for `flyball experiment`, `simulate` and `demo`: --world FILE. docs/world.md explains it;\n"
		      "# `flyball experiment world --schema` is its JSON Schema. Whatever is left out has its default.\n");
	/* Names that go without saying are not said. */
	struct shop_world short_ = *w;
	struct shop_service *services = must_array(w->service_count, sizeof *services);
	for (size_t i = 0; i < w->service_count; i++) {
		services[i] = w->services[i];
		if (!strcmp(services[i].deployment, services[i].name)) services[i].deployment = "";
	}
	short_.services = services;
	form_write(&shop_world_form, &short_, comments, out);
	free(services);
}

void shop_file_schema(struct buf *out) {
	form_schema(&shop_world_form, "https://flyball.dev/world.schema.json", "A world of flyball's simulation", out);
}

struct hash128 shop_world_hash(const struct shop_world *w) {
	struct buf b;
	buf_init(&b, 0);
	shop_file_write(w, false, &b);
	struct hash128 h = hash128(buf_get(&b));
	buf_done(&b);
	return h;
}

enum err shop_world_set(struct arena *a, struct shop_world *w, struct str path, struct str value, struct why *why) {
	return form_set(&shop_world_form, a, w, path, value, why);
}

#include <stdio.h>
#include <string.h>

#include "api/api_impl.h"
#include "api/test_http.h"
#include "base/yaml.h"
#include "world/linux/disk.h"

static const struct route *find(struct t *t, const char *method, const char *path, struct str *star, enum err *e) {
	struct request_target g;
	const struct route *r = NULL;
	const char *allow = NULL;
	EXPECT_OK(target_parse(t->arena, str_of(path), &g, NULL));
	*e = route_find(str_of(method), &g, &r, star, &allow);
	if (*e == ERR_UNSUPPORTED) EXPECT(allow);
	return r;
}

TEST(every_route_is_found_by_its_own_path) {
	enum err e;
	struct str star = { 0 };
	for (const struct route *r = api_routes; r->method; r++) {
		char path[128];
		size_t n = 0;
		for (const char *p = r->path; *p; p++)
			n += (size_t)snprintf(path + n, sizeof path - n, "%s", *p == '*' ? "01KE" : (char[]){ *p, 0 });
		EXPECT(find(t, r->method, path, &star, &e) == r && e == OK);
		EXPECT(!strchr(r->path, '*') || str_is(star, "01KE"));
		EXPECT(r->start && r->params);
	}
	EXPECT(!find(t, "GET", "/", &star, &e) && e == ERR_NOT_FOUND);
	EXPECT(!find(t, "GET", "/api/v1/incidents/a/b", &star, &e) && e == ERR_NOT_FOUND);
	EXPECT(!find(t, "PUT", "/api/v1/incidents", &star, &e) && e == ERR_UNSUPPORTED);
}

/* Whatever changes something needs a token: no POST is open, and each has a role above that of a viewer. */
TEST(nothing_changes_without_a_token) {
	for (const struct route *r = api_routes; r->method; r++) {
		if (strcmp(r->method, "GET") == 0) continue;
		EXPECT(!r->open && r->role > ROLE_VIEWER && r->start == start_change);
	}
}

/* docs/api.yaml and the table tell the same paths, methods and parameters. */
TEST(the_document_is_the_table) {
	struct disk *disk = NULL;
	const struct json *doc = NULL;
	struct why why = { "" };
	struct str text;
	size_t described = 0;
	EXPECT_OK(disk_linux_open("/", &disk, &why));
	EXPECT_OK(disk_read_file(disk, t->arena, DOCS_DIR "/api.yaml", 1 << 20, &text, &why));
	disk_linux_close(disk);
	if (yaml_parse(t->arena, text, &doc, &why)) test_fail(t, __FILE__, __LINE__, why.text);
	for (const struct route *r = api_routes; r->method; r++, described++) {
		char path[128];
		size_t m = 0;
		for (const char *p = r->path; *p; p++)
			m += (size_t)snprintf(path + m, sizeof path - m, "%s", *p == '*' ? "{id}" : (char[]){ *p, 0 });
		const struct json *op =
			json_get(json_get(json_get(doc, "paths"), path), strcmp(r->method, "GET") == 0 ? "get" : "post");
		if (!op) test_fail(t, __FILE__, __LINE__, path);
		EXPECT(json_get(op, "summary") && json_get(op, "responses"));
		struct str rest = str_of(r->params), one;
		for (bool more = rest.n > 0; more;) {
			bool found = false;
			more = str_cut(rest, ' ', &one, &rest);
			struct str ref = str_printf(t->arena, "/" STR_FMT, STR_ARG(one));
			json_each(p, json_get(op, "parameters"))
				found =
					found || str_eq(json_str(json_get(p, "name")), one) || str_ends(json_str(json_get(p, "$ref")), ref);
			if (!found) test_fail(t, __FILE__, __LINE__, path);
		}
	}
	size_t told = 0;
	json_each(p, json_get(doc, "paths"))
		json_each(op, p) told += str_is(op->key, "get") || str_is(op->key, "post");
	EXPECT(told == described);
}

RUN(every_route_is_found_by_its_own_path, nothing_changes_without_a_token, the_document_is_the_table)

#include "daemon/config.h"

#include "base/yaml.h"

/* One table for each section of scalars; lists and the control plane's policy have parsers of their own. */
#define AT(field) offsetof(struct config, field)

static const struct param root_params[] = {
	{ "state", PARAM_STR, AT(state), 0, 0, "", NULL, false,
	  "Where state lives: sqlite:///path; empty: in the state directory." },
	{ "bus", PARAM_STR, AT(bus), 0, 0, "", NULL, false,
	  "Where events live: sqlite:///path; empty: in the state directory." },
	{ "cache", PARAM_STR, AT(cache), 0, 0, "memory:", NULL, false, "Hot state that may be lost." },
	{ "stream", PARAM_STR, AT(stream), 0, 0, "memory:", NULL, false,
	  "The telemetry stream between ingest and observe." },
	{ "target", PARAM_STR, AT(target), 0, 0, "", NULL, false,
	  "What is acted on: kubernetes:?context=NAME; empty: nothing, everything is only told." },
	{ "region", PARAM_STR, AT(region), 0, 0, "", NULL, false, "Name of the region that this process watches." },
	PARAM_END,
};
static const struct param listen_params[] = {
	{ "address", PARAM_STR, AT(address), 0, 0, "127.0.0.1", NULL, false, "Address of every port." },
	{ "otlp_grpc", PARAM_INT, AT(otlp_grpc), -1, 65535, "4317", NULL, false, "Port of OTLP over gRPC; -1: off." },
	{ "otlp_http", PARAM_INT, AT(otlp_http), -1, 65535, "4318", NULL, false, "Port of OTLP over HTTP; -1: off." },
	{ "api", PARAM_INT, AT(api), -1, 65535, "8555", NULL, false, "Port of the API; -1: off." },
	{ "read_needs_token", PARAM_BOOL, AT(read_needs_token), 0, 0, "false", NULL, true,
	  "Whether reading the API needs a token too." },
	PARAM_END,
};
static const struct param limit_params[] = {
	{ "body", PARAM_BYTES, AT(body_max), 1024, 1 << 30, "64MiB", NULL, false,
	  "Largest telemetry request, decompressed." },
	{ "requests", PARAM_INT, AT(requests_max), 1, 100000, "256", NULL, false,
	  "Telemetry requests in progress at once." },
	{ "memory", PARAM_BYTES, AT(memory_max), 1 << 20, 1LL << 34, "256MiB", NULL, false,
	  "Bytes of telemetry requests held at once." },
	{ "connections", PARAM_INT, AT(connections_max), 1, 65536, "1024", NULL, false, "Connections to a port at once." },
	PARAM_END,
};
static const struct param trace_params[] = {
	{ "unsampled", PARAM_BOOL, AT(traces_unsampled), 0, 0, "false", NULL, false,
	  "Every span is exported: spans without a sampling threshold count as one each." },
	PARAM_END,
};

static const struct section {
	const char *name;
	const struct param *params;
	size_t offset; /* of the struct that the table fills */
} sections[] = {
	{ "listen", listen_params, 0 },
	{ "limits", limit_params, 0 },
	{ "traces", trace_params, 0 },
	{ "observe", observer_params, AT(observe) },
};
static const char *const lists[] = { "services", "handlers", "policy", "tokens" };
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct parse {
	struct arena *a;
	const char *file;
	struct why *why;
};

static enum err at_line(const struct parse *p, enum err e, const struct json *node) {
	return e == ERR_NOMEM ? e : why_prefix(p->why, e, "%s:%u", p->file, node->at);
}

static bool scalar(const struct json *v) {
	return v->kind != JSON_ARRAY && v->kind != JSON_OBJECT;
}

/* Every member of `node` set through `table`. */
static enum err set_all(const struct parse *p, const struct json *node, const struct param *table, void *into) {
	if (node->kind == JSON_NULL) return OK;
	if (node->kind != JSON_OBJECT)
		return at_line(p, why_set(p->why, ERR_INVALID, "'" STR_FMT "' takes keys and values", STR_ARG(node->key)),
		               node);
	json_each(m, node) {
		if (!scalar(m))
			return at_line(p, why_set(p->why, ERR_INVALID, "'" STR_FMT "' takes one value", STR_ARG(m->key)), m);
		enum err e = param_set(table, p->a, into, m->key, m->text, p->why);
		if (e) return at_line(p, e == ERR_NOT_FOUND ? ERR_INVALID : e, m);
	}
	return OK;
}

static enum err unknown_key(const struct parse *p, const struct json *m) {
	const char *best = NULL;
	size_t least = SIZE_MAX;
	for (size_t i = 0; i < COUNT(sections) + COUNT(lists); i++) {
		const char *name = i < COUNT(sections) ? sections[i].name : lists[i - COUNT(sections)];
		size_t d = str_distance(m->key, str_of(name));
		if (d < least) least = d, best = name;
	}
	const char *scalar_name = param_nearest(root_params, m->key);
	if (scalar_name && str_distance(m->key, str_of(scalar_name)) < least) best = scalar_name;
	return at_line(
		p, why_set(p->why, ERR_INVALID, "unknown key '" STR_FMT "', did you mean '%s'?", STR_ARG(m->key), best), m);
}

struct service_fields {
	struct str namespace_, workload, kind;
};
static const struct param service_params[] = {
	{ "namespace", PARAM_STR, offsetof(struct service_fields, namespace_), 0, 0, NULL, NULL, false,
	  "Kubernetes namespace." },
	{ "workload", PARAM_STR, offsetof(struct service_fields, workload), 0, 0, NULL, NULL, false,
	  "Name of the workload." },
	{ "kind", PARAM_STR, offsetof(struct service_fields, kind), 0, 0, "Deployment", NULL, false, "Deployment." },
	PARAM_END,
};

static enum err read_services(const struct parse *p, const struct json *node, struct config *c) {
	if (node->kind == JSON_NULL) return OK;
	if (node->kind != JSON_OBJECT)
		return at_line(p, why_set(p->why, ERR_INVALID, "'services' is NAME: {namespace, workload, kind}"), node);
	struct service_map *all = arena_array(p->a, struct service_map, node->count ? node->count : 1);
	if (!all) return ERR_NOMEM;
	json_each(m, node) {
		struct service_fields f = { .kind = STR("Deployment") };
		enum err e = set_all(p, m, service_params, &f);
		if (e) return e;
		if (!f.workload.n || !f.namespace_.n)
			return at_line(
				p,
				why_set(p->why, ERR_INVALID, "service '" STR_FMT "' needs 'namespace' and 'workload'", STR_ARG(m->key)),
				m);
		all[c->service_count++] = (struct service_map){ m->key, f.namespace_, f.workload, f.kind };
	}
	c->services = all;
	return OK;
}

struct token_fields {
	struct str name, sha256;
	int role;
};
static const char *const roles[] = { "viewer", "approver", "operator", NULL };
static const struct param token_params[] = {
	{ "name", PARAM_STR, offsetof(struct token_fields, name), 0, 0, NULL, NULL, false,
	  "Who holds it: this name goes on record." },
	{ "role", PARAM_ENUM, offsetof(struct token_fields, role), 0, 0, "viewer", roles, false,
	  "viewer, approver or operator." },
	{ "sha256", PARAM_STR, offsetof(struct token_fields, sha256), 0, 0, NULL, NULL, false,
	  "SHA-256 of the token's text, in hex." },
	PARAM_END,
};

static enum err read_tokens(const struct parse *p, const struct json *node, struct config *c) {
	if (node->kind == JSON_NULL) return OK;
	if (node->kind != JSON_ARRAY)
		return at_line(p, why_set(p->why, ERR_INVALID, "'tokens' is a list of {name, role, sha256}"), node);
	struct api_token *all = arena_array(p->a, struct api_token, node->count ? node->count : 1);
	if (!all) return ERR_NOMEM;
	json_each(m, node) {
		struct token_fields f = { 0 };
		struct api_token *token = &all[c->token_count];
		enum err e = set_all(p, m, token_params, &f);
		if (e) return e;
		if (!f.name.n) return at_line(p, why_set(p->why, ERR_INVALID, "a token needs 'name'"), m);
		for (size_t i = 0; i < c->token_count; i++)
			if (str_eq(all[i].name, f.name))
				return at_line(
					p, why_set(p->why, ERR_INVALID, "token name '" STR_FMT "' stands there twice", STR_ARG(f.name)), m);
		if (f.sha256.n != 64 || !hex_decode(f.sha256, token->hash.b, sizeof token->hash.b))
			return at_line(p,
			               why_set(p->why, ERR_INVALID,
			                       "token '" STR_FMT "': 'sha256' takes 64 hex digits (printf %%s TOKEN | sha256sum)",
			                       STR_ARG(f.name)),
			               m);
		token->name = f.name;
		token->role = (enum api_role)f.role;
		c->token_count++;
	}
	c->tokens = all;
	return OK;
}

static enum err read_member(const struct parse *p, const struct json *m, struct config *c) {
	for (size_t i = 0; i < COUNT(sections); i++)
		if (str_is(m->key, sections[i].name)) return set_all(p, m, sections[i].params, (char *)c + sections[i].offset);
	if (str_is(m->key, "services")) return read_services(p, m, c);
	if (str_is(m->key, "tokens")) return read_tokens(p, m, c);
	if (str_is(m->key, "handlers") || str_is(m->key, "policy")) return OK; /* together, below */
	if (!param_find(root_params, m->key)) return unknown_key(p, m);
	if (!scalar(m))
		return at_line(p, why_set(p->why, ERR_INVALID, "'" STR_FMT "' takes one value", STR_ARG(m->key)), m);
	enum err e = param_set(root_params, p->a, c, m->key, m->text, p->why);
	return e ? at_line(p, e, m) : OK;
}

static enum err defaults(const struct parse *p, struct config *c) {
	enum err e = param_defaults(root_params, p->a, c, p->why);
	for (size_t i = 0; !e && i < COUNT(sections); i++)
		e = param_defaults(sections[i].params, p->a, (char *)c + sections[i].offset, p->why);
	return e;
}

enum err config_parse(struct arena *a, struct str text, const char *file, struct config *out, struct why *why) {
	struct parse p = { a, file, why };
	const struct json *root = NULL;
	struct config c = { 0 };

	enum err e = defaults(&p, &c);
	if (e) return e;
	e = yaml_parse(a, text, &root, why);
	if (e) return e == ERR_NOMEM ? e : why_file(why, e, file);
	if (root->kind != JSON_NULL && root->kind != JSON_OBJECT)
		return why_set(why, ERR_INVALID, "%s:%u: keys and values were expected, like 'listen:'", file, root->at);
	json_each(m, root) {
		e = read_member(&p, m, &c);
		if (e) return e;
	}
	e = control_policy_parse(a, json_get(root, "handlers"), json_get(root, "policy"), &c.control, why);
	if (e) return e == ERR_NOMEM ? e : why_file(why, e, file);
	*out = c;
	return OK;
}

/* A value that YAML would read as something else, or not at all, stands between quotes. */
static void show_str(struct str s, struct buf *out) {
	struct json_out o = json_out(out);
	bool plain = s.n && s.p[0] >= 'a' && s.p[0] <= 'z';
	for (size_t i = 0; i < s.n; i++)
		plain &= (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-';
	if (plain && !str_is(s, "true") && !str_is(s, "false") && !str_is(s, "null"))
		buf_str(out, s);
	else
		json_put_str(&o, s);
}

static void show_table(const struct param *table, const void *opts, const char *indent, struct buf *out) {
	for (const struct param *p = table; p->key; p++) {
		buf_printf(out, "%s%s: ", indent, p->key);
		if (p->type == PARAM_STR)
			show_str(*(const struct str *)((const char *)opts + p->offset), out);
		else
			param_format(p, opts, out);
		buf_printf(out, "  # %s\n", p->help);
	}
}

static void show_services(const struct config *c, struct buf *out) {
	if (c->service_count) buf_c(out, "services:\n");
	for (size_t i = 0; i < c->service_count; i++) {
		const struct service_map *s = &c->services[i];
		buf_c(out, "  "), show_str(s->service, out);
		buf_c(out, ": {namespace: "), show_str(s->namespace_, out);
		buf_c(out, ", workload: "), show_str(s->workload, out);
		buf_c(out, ", kind: "), show_str(s->kind, out);
		buf_c(out, "}\n");
	}
}

/* As a remark: without its hash a token is none, and the hash is nobody's business. */
static void show_tokens(const struct config *c, struct buf *out) {
	if (c->token_count) buf_c(out, "# tokens:\n");
	for (size_t i = 0; i < c->token_count; i++) {
		buf_c(out, "#   - {name: "), show_str(c->tokens[i].name, out);
		buf_printf(out, ", role: %s}\n", roles[c->tokens[i].role]);
	}
}

void config_show(const struct config *c, struct buf *out) {
	show_table(root_params, c, "", out);
	for (size_t i = 0; i < COUNT(sections); i++) {
		buf_printf(out, "%s:\n", sections[i].name);
		show_table(sections[i].params, (const char *)c + sections[i].offset, "  ", out);
	}
	show_services(c, out);
	control_policy_show(&c->control, out);
	show_tokens(c, out);
}

/* ---- what a reload does not reach ---- */

static void name_put(struct buf *out, const char *section, const char *key) {
	buf_printf(out, "%s%s%s%s", out->n ? " " : "", section, *section ? "." : "", key);
}

static bool same_value(const struct param *p, const void *a, const void *b) {
	CLEANUP(buf_done) struct buf x;
	CLEANUP(buf_done) struct buf y;
	buf_init(&x, 0), buf_init(&y, 0);
	param_format(p, a, &x), param_format(p, b, &y);
	return str_eq(buf_get(&x), buf_get(&y));
}

static void differences(const struct param *table, const char *section, const void *a, const void *b, struct buf *out) {
	for (const struct param *p = table; p->key; p++)
		if (!p->reload && !same_value(p, a, b)) name_put(out, section, p->key);
}

static bool same_service(const struct service_map *a, const struct service_map *b) {
	return str_eq(a->service, b->service) && str_eq(a->namespace_, b->namespace_) && str_eq(a->workload, b->workload) &&
	       str_eq(a->kind, b->kind);
}

void config_restart(const struct config *was, const struct config *now, struct buf *out) {
	bool same = was->service_count == now->service_count;
	differences(root_params, "", was, now, out);
	for (size_t i = 0; i < COUNT(sections); i++) {
		const struct section *s = &sections[i];
		differences(s->params, s->name, (const char *)was + s->offset, (const char *)now + s->offset, out);
	}
	for (size_t i = 0; same && i < now->service_count; i++) same = same_service(&was->services[i], &now->services[i]);
	if (!same) name_put(out, "", "services");
}

#include "execute/kubernetes/kubeconfig.h"

#include <string.h>

#include "base/yaml.h"

#define FILE_MAX (1 << 20)
#define ACCOUNT  "/var/run/secrets/kubernetes.io/serviceaccount/"

struct reading {
	struct disk *disk;
	struct arena *a;
	struct str dir;
	struct why *why;
};

/* The entry of that name in a list of {name, WHAT: {...}}. */
static const struct json *named(const struct json *root, const char *list, struct str name, const char *what) {
	json_each(item, json_get(root, list))
		if (str_eq(json_str(json_get(item, "name")), name)) return json_get(item, what);
	return NULL;
}

static struct str names_of(const struct json *root, const char *list, struct arena *a) {
	struct str all = STR("");
	json_each(item, json_get(root, list)) {
		struct str name = json_str(json_get(item, "name"));
		all = str_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(all), all.n ? ", " : "", STR_ARG(name));
	}
	return all.n ? all : STR("none");
}

static enum err read_file(const struct reading *r, struct str path, struct str *out) {
	const char *full = path.n && path.p[0] == '/'
	                       ? str_c(r->a, path)
	                       : str_c(r->a, str_printf(r->a, STR_FMT "/" STR_FMT, STR_ARG(r->dir), STR_ARG(path)));
	if (!full) return ERR_NOMEM;
	return disk_read_file(r->disk, r->a, full, FILE_MAX, out, r->why);
}

/* KEY-data holds it in base64, KEY names a file. Neither: empty. */
static enum err data_or_file(const struct reading *r, const struct json *node, const char *key, struct str *out) {
	struct str data = json_str(json_get(node, str_c(r->a, str_printf(r->a, "%s-data", key))));
	struct str path = json_str(json_get(node, key));
	if (data.n) {
		struct buf b;
		buf_init(&b, FILE_MAX);
		enum err e = base64_decode(&b, data);
		if (!e) *out = str_copy(r->a, buf_get(&b));
		buf_done(&b);
		return e ? why_set(r->why, e, "%s-data is not base64", key) : OK;
	}
	return path.n ? read_file(r, path, out) : OK;
}

static enum err read_user(const struct reading *r, const struct json *user, struct kube_access *out) {
	if (json_get(user, "exec") || json_get(user, "auth-provider"))
		return why_set(
			r->why, ERR_UNSUPPORTED,
			"the user logs in by a plugin; give Flyball a service account token or a client certificate instead");
	enum err e = data_or_file(r, user, "client-certificate", &out->tls.cert);
	if (!e) e = data_or_file(r, user, "client-key", &out->tls.key);
	out->token = json_str(json_get(user, "token"));
	struct str file = json_str(json_get(user, "tokenFile"));
	if (!e && file.n)
		out->token_file =
			file.p[0] == '/' ? file : str_printf(r->a, STR_FMT "/" STR_FMT, STR_ARG(r->dir), STR_ARG(file));
	return e;
}

static enum err read_cluster(const struct reading *r, const struct json *cluster, struct kube_access *out) {
	out->server = json_str(json_get(cluster, "server"));
	while (out->server.n && out->server.p[out->server.n - 1] == '/') out->server.n--;
	if (!out->server.n) return why_set(r->why, ERR_INVALID, "the cluster has no 'server'");
	out->tls.insecure = json_bool(json_get(cluster, "insecure-skip-tls-verify"), false);
	out->tls.server_name = json_str(json_get(cluster, "tls-server-name"));
	return data_or_file(r, cluster, "certificate-authority", &out->tls.ca);
}

enum err kube_access_parse(struct disk *disk, struct arena *a, struct str text, struct str dir, struct str context,
                           struct kube_access *out, struct why *why) {
	struct reading r = { disk, a, dir, why };
	const struct json *root = NULL;
	struct kube_access found = { 0 };
	enum err e = yaml_parse(a, text, &root, why);
	if (e) return e;
	if (!context.n) context = json_str(json_get(root, "current-context"));
	const struct json *ctx = named(root, "contexts", context, "context");
	if (!ctx)
		return why_set(why, ERR_NOT_FOUND, "no context '" STR_FMT "'; there are: " STR_FMT, STR_ARG(context),
		               STR_ARG(names_of(root, "contexts", a)));
	const struct json *cluster = named(root, "clusters", json_str(json_get(ctx, "cluster")), "cluster");
	const struct json *user = named(root, "users", json_str(json_get(ctx, "user")), "user");
	if (!cluster)
		return why_set(why, ERR_NOT_FOUND, "context '" STR_FMT "' names a cluster that is not there", STR_ARG(context));
	found.namespace_ = json_str(json_get(ctx, "namespace"));
	e = read_cluster(&r, cluster, &found);
	if (!e && user) e = read_user(&r, user, &found);
	if (e) return why_prefix(why, e, "context '" STR_FMT "'", STR_ARG(context));
	found.where = str_printf(a, "context " STR_FMT, STR_ARG(context));
	*out = found;
	return OK;
}

static enum err from_file(struct world *w, struct arena *a, struct str path, struct str context,
                          struct kube_access *out, struct why *why) {
	struct str text = { 0 }, dir = STR(".");
	enum err e = disk_read_file(w->disk, a, str_c(a, path), FILE_MAX, &text, why);
	if (e == ERR_NOT_FOUND)
		return why_set(why, e,
		               "there is no kubeconfig " STR_FMT
		               "; set KUBECONFIG, or target: kubernetes:?kubeconfig=FILE, or leave "
		               "target: out and everything is only told",
		               STR_ARG(path));
	if (e) return why_prefix(why, e, "kubeconfig");
	for (size_t i = path.n; i > 0; i--) {
		if (path.p[i - 1] != '/') continue;
		dir = (struct str){ path.p, i > 1 ? i - 1 : 1 };
		break;
	}
	e = kube_access_parse(w->disk, a, text, dir, context, out, why);
	return e ? why_file(why, e, str_c(a, path)) : OK;
}

static enum err in_cluster(struct world *w, struct arena *a, struct kube_access *out, struct why *why) {
	struct process *p = w->process;
	struct str host = p->ops->env(p, "KUBERNETES_SERVICE_HOST"), port = p->ops->env(p, "KUBERNETES_SERVICE_PORT");
	bool six = host.n && memchr(host.p, ':', host.n);
	struct kube_access found = {
		.server = str_printf(a, six ? "https://[" STR_FMT "]:" STR_FMT : "https://" STR_FMT ":" STR_FMT, STR_ARG(host),
		                     STR_ARG(port)),
		.token_file = STR(ACCOUNT "token"),
		.where = STR("the pod's service account"),
	};
	enum err e = disk_read_file(w->disk, a, ACCOUNT "ca.crt", FILE_MAX, &found.tls.ca, why);
	if (!e) e = disk_read_file(w->disk, a, ACCOUNT "namespace", 4096, &found.namespace_, why);
	if (e) return why_prefix(why, e, "service account of this pod");
	found.namespace_ = str_trim(found.namespace_);
	*out = found;
	return OK;
}

static enum err from_url(struct world *w, struct arena *a, const struct url *u, struct kube_access *out,
                         struct why *why) {
	struct str ca = url_param(u, "ca");
	/* The URL is the caller's, and gone when access is used. */
	*out = (struct kube_access){ .server = str_copy(a, url_param(u, "server")),
		                         .token_file = str_copy(a, url_param(u, "token_file")) };
	while (out->server.n && out->server.p[out->server.n - 1] == '/') out->server.n--;
	out->where = out->server;
	return ca.n ? disk_read_file(w->disk, a, str_c(a, ca), FILE_MAX, &out->tls.ca, why) : OK;
}

enum err kube_access_find(struct world *w, struct arena *a, const struct url *u, struct kube_access *out,
                          struct why *why) {
	struct process *p = w->process;
	struct str file = url_param(u, "kubeconfig"), context = url_param(u, "context");
	if (url_param(u, "server").n) return from_url(w, a, u, out, why);
	if (!file.n && !context.n && p->ops->env(p, "KUBERNETES_SERVICE_HOST").n) return in_cluster(w, a, out, why);
	if (!file.n) file = p->ops->env(p, "KUBECONFIG");
	if (!file.n) file = str_printf(a, STR_FMT "/.kube/config", STR_ARG(p->ops->env(p, "HOME")));
	return from_file(w, a, file, context, out, why);
}

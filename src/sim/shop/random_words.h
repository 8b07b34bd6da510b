/* What the services of drawn worlds are called. */
#pragma once

#define SHOP_NOUNS 64
#define SHOP_ROLES 8

static const char *const shop_nouns[SHOP_NOUNS] = {
	"storefront", "cart",     "orders",   "payment",  "catalogue", "search",   "user",     "inventory",
	"shipping",   "pricing",  "tax",      "currency", "email",     "profile",  "review",   "rating",
	"recommend",  "ads",      "session",  "auth",     "checkout",  "invoice",  "refund",   "coupon",
	"loyalty",    "gift",     "wishlist", "media",    "image",     "video",    "comment",  "message",
	"notify",     "sms",      "webhook",  "audit",    "report",    "metrics",  "billing",  "ledger",
	"fraud",      "risk",     "address",  "geo",      "route",     "courier",  "tracking", "warehouse",
	"supplier",   "purchase", "contract", "document", "archive",   "calendar", "booking",  "ticket",
	"support",    "chat",     "forum",    "feed",     "timeline",  "campaign", "segment",  "experiment",
};
static const char *const shop_roles[SHOP_ROLES] = { "", "api", "query", "writer", "rules", "sync", "view", "core" };
/* Of one service, in order. */
static const struct {
	const char *before, *after;
} shop_routes[] = { { "GET /", "" }, { "GET /", "/{id}" }, { "POST /", "" }, { "GET /", "/search" } };
static const char *const shop_topics[] = { "created", "changed", "removed", "requested" };

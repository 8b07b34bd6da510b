/* TCP without waiting.
 *
 * Numeric addresses and "localhost" connect at once; other names are resolved on a lane of this port,
 * which is opened when first needed. Addresses are tried one after another until the time-out. At most
 * NET_CONNECTIONS_MAX connections (ERR_FULL). Nothing is read before it is polled. */
#pragma once

#include "world/jobs.h"
#include "world/linux/loop.h"
#include "world/net.h"

#define NET_CONNECTIONS_MAX 1024

struct net_linux;

MUST_USE enum err net_linux_open(struct loop *l, struct jobs *jobs, struct net_linux **out);
struct net *net_linux_net(struct net_linux *n);
void net_linux_close(struct net_linux *n); /* closes what is open; takes NULL */

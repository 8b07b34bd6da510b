#!/usr/bin/env bash
# Starts a Kubernetes control plane for tests on 127.0.0.1.
#
#   start.sh DATA_DIR               start everything and wait until usable
#   start.sh DATA_DIR COMPONENT     start again one that stop.sh ended; it keeps
#                                   its ports and data
#
# Components: etcd kube-apiserver kube-controller-manager kube-scheduler kwok
#
# DATA_DIR then holds: kubeconfig (admin), pki/ (ca.crt, admin.crt, admin.key),
# pids ("NAME PID" lines), env (shell variables), log/NAME.log.
#
# KUBETEST_BIN       folder with kubetest (default: where build.sh puts it)
# KUBETEST_NODES     number of fake nodes (default 3)
# KUBETEST_AUDIT=1   write every request to log/audit.log
# KUBETEST_OWNER     a process id: all components end when that process is gone
# KUBETEST_TIMEOUT   seconds to wait for readiness (default 120)
# KUBETEST_API_FLAGS, KUBETEST_CONTROLLER_FLAGS   further flags of kube-apiserver
#                    and kube-controller-manager, which win over those below
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 1 ] || { sed -n '2,/^set/p' "${BASH_SOURCE[0]}" | sed '$d; s/^# \{0,1\}//'; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
only=${2:-}
# shellcheck disable=SC1091
[ -z "$only" ] || . "$dir/env"
bin=${KUBETEST_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/flyball-test/kube/bin}
prog=$bin/kubetest
timeout=${KUBETEST_TIMEOUT:-120}
[ -x "$prog" ] || { echo "start.sh: $prog is missing; run build.sh first" >&2; exit 1; }

pid_of() { awk -v n="$1" '$1 == n {print $2}' "$dir/pids" 2>/dev/null; }
alive() { local p; p=$(pid_of "$1"); [ -n "$p" ] && grep -qz "^$1\$" "/proc/$p/cmdline" 2>/dev/null; }

launch() { # NAME ARGS...
    local name=$1; shift
    # Own process group and no controlling terminal, so that a Ctrl-C in the
    # test runner does not end the control plane before the tests clean up.
    ( cd "$dir/run" && exec setsid "$prog" "$name" "$@" ) \
        </dev/null >>"$dir/log/$name.log" 2>&1 &
    local pid=$!
    { grep -v "^$name " "$dir/pids" 2>/dev/null || true; echo "$name $pid"; } > "$dir/pids.new"
    mv "$dir/pids.new" "$dir/pids"
}

fail() {
    echo "start.sh: $1; last lines of the logs:" >&2
    tail -n 5 "$dir"/log/*.log | cut -c1-300 >&2 || true
    [ -n "$only" ] || "$here/stop.sh" "$dir" >&2 || true
    exit 1
}

if [ -z "$only" ]; then
    if [ -e "$dir/pids" ]; then
        while read -r n _; do
            if alive "$n"; then echo "start.sh: $n already runs from $dir" >&2; exit 1; fi
        done < "$dir/pids"
    fi
    rm -rf "$dir/etcd" "$dir/pki" "$dir/run" "$dir/log" "$dir/pids" "$dir/env" "$dir/kubeconfig"
    mkdir -p "$dir/etcd" "$dir/run" "$dir/log"
    chmod 700 "$dir/etcd"
    read -r etcd_port peer_port api_port kwok_port < <("$prog" freeports 4 | tr '\n' ' '; echo)
    "$prog" pki "$dir/pki" "https://127.0.0.1:$api_port"
    cp "$dir/pki/admin.kubeconfig" "$dir/kubeconfig"
    cat > "$dir/env" <<END
export KUBECONFIG='$dir/kubeconfig'
export KUBETEST_SERVER='https://127.0.0.1:$api_port'
export KUBETEST_CA='$dir/pki/ca.crt'
export KUBETEST_CERT='$dir/pki/admin.crt'
export KUBETEST_KEY='$dir/pki/admin.key'
export KUBETEST_BIN='$bin'
export KUBECTL='$bin/kubectl'
etcd_port=$etcd_port peer_port=$peer_port api_port=$api_port kwok_port=$kwok_port
END
    echo '2026-01-01T00:00:00.000000000Z stdout F hello from a fake pod' > "$dir/run/pod.log" # CRI log format
    cat > "$dir/run/audit.yaml" <<'END'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Request}]
END
fi
# shellcheck disable=SC1091
. "$dir/env"
pki=$dir/pki
kubectl() { "$prog" kubectl --kubeconfig "$dir/kubeconfig" "$@"; }

start_etcd() {
    # No fsync: the data is thrown away, and fsync is most of etcd's time.
    launch etcd --name=kubetest --data-dir="$dir/etcd" --unsafe-no-fsync --log-level=warn \
        --listen-client-urls="http://127.0.0.1:$etcd_port" --advertise-client-urls="http://127.0.0.1:$etcd_port" \
        --listen-peer-urls="http://127.0.0.1:$peer_port" --initial-advertise-peer-urls="http://127.0.0.1:$peer_port" \
        --initial-cluster="kubetest=http://127.0.0.1:$peer_port"
}

start_kube-apiserver() {
    local audit=()
    if [ "${KUBETEST_AUDIT:-}" = 1 ]; then
        audit=(--audit-policy-file="$dir/run/audit.yaml" --audit-log-path="$dir/log/audit.log")
    fi
    launch kube-apiserver \
        --etcd-servers="http://127.0.0.1:$etcd_port" \
        --bind-address=127.0.0.1 --secure-port="$api_port" --endpoint-reconciler-type=none \
        --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
        --client-ca-file="$pki/ca.crt" --authorization-mode=Node,RBAC --allow-privileged=true \
        --service-cluster-ip-range=10.96.0.0/16 \
        --service-account-issuer=https://kubernetes.default.svc \
        --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key" \
        --kubelet-client-certificate="$pki/kubelet-client.crt" --kubelet-client-key="$pki/kubelet-client.key" \
        --requestheader-client-ca-file="$pki/ca.crt" --requestheader-allowed-names=front-proxy-client \
        --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
        --requestheader-extra-headers-prefix=X-Remote-Extra- \
        --proxy-client-cert-file="$pki/front-proxy.crt" --proxy-client-key-file="$pki/front-proxy.key" \
        --default-not-ready-toleration-seconds=2 --default-unreachable-toleration-seconds=2 \
        --shutdown-delay-duration=0s --profiling=false "${audit[@]}" ${KUBETEST_API_FLAGS:-} # words, unquoted
}

start_kube-controller-manager() {
    launch kube-controller-manager --kubeconfig="$pki/kube-controller-manager.kubeconfig" \
        --leader-elect=false --secure-port=0 --use-service-account-credentials=true \
        --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
        --kube-api-qps=500 --kube-api-burst=1000 --profiling=false \
        --horizontal-pod-autoscaler-sync-period=1s \
        --horizontal-pod-autoscaler-downscale-stabilization=5s \
        --node-monitor-period=1s --node-monitor-grace-period=10s ${KUBETEST_CONTROLLER_FLAGS:-} # words, unquoted
}

start_kube-scheduler() {
    launch kube-scheduler --kubeconfig="$pki/kube-scheduler.kubeconfig" \
        --leader-elect=false --secure-port=0 --profiling=false \
        --kube-api-qps=500 --kube-api-burst=1000
}

start_kwok() {
    launch kwok --kubeconfig="$pki/kwok.kubeconfig" --config="$here/kwok.yaml" \
        --manage-all-nodes=true --node-lease-duration-seconds=10 --cidr=10.244.0.0/16 \
        --node-ip=127.0.0.1 --node-port="$kwok_port" --server-address="127.0.0.1:$kwok_port" \
        --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key"
}

until_true() { # WHAT NAME COMMAND...: poll, and give up early when NAME has died
    local what=$1 name=$2; shift 2
    local end=$((SECONDS + timeout))
    until "$@" >"$dir/run/wait" 2>&1; do
        alive "$name" || fail "$name ended while waiting for $what"
        [ $SECONDS -lt $end ] || fail "no $what after $timeout s ($(tail -n 1 "$dir/run/wait"))"
        sleep 0.1
    done
}

if [ -n "$only" ]; then
    alive "$only" && { echo "start.sh: $only already runs" >&2; exit 1; }
    "start_$only"
    until_true "API server" "$only" kubectl get --raw /readyz
    exit 0
fi

t0=$(date +%s.%N)
start_etcd
start_kube-apiserver
until_true "API server" kube-apiserver kubectl get --raw /readyz
t1=$(date +%s.%N)
start_kube-controller-manager
start_kube-scheduler
start_kwok
for i in $(seq 1 "${KUBETEST_NODES:-3}"); do
    printf -- '---\napiVersion: v1\nkind: Node\nmetadata:\n  name: node-%s\n  labels: {kubernetes.io/hostname: node-%s, kubernetes.io/os: linux, kubernetes.io/arch: amd64}\n' "$i" "$i"
done | kubectl apply -f - >/dev/null || fail "could not create the nodes"
until_true "Ready nodes" kwok kubectl wait --for=condition=Ready node --all --timeout=2s
until_true "default service account" kube-controller-manager kubectl get serviceaccount default
no_taints() { [ -z "$(kubectl get nodes -o jsonpath='{.items[*].spec.taints}')" ]; }
until_true "untainted nodes" kube-controller-manager no_taints
t2=$(date +%s.%N)
awk -v a="$t0" -v b="$t1" -v c="$t2" 'BEGIN {printf "API server ready after %.1f s, cluster usable after %.1f s\n", b - a, c - a}'
echo "kubeconfig: $dir/kubeconfig"

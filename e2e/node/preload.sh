#!/usr/bin/env bash
# preload.sh ROOTFS ARCHIVES: puts image archives into the node's containerd before there is a node, with the node's
# own containerd. Run in mount and PID namespaces of its own: whatever is mounted or started here ends with them.
set -euo pipefail
rootfs=$1 archives=$2
rm -rf "$rootfs/var/lib/containerd"
mount -t proc proc "$rootfs/proc"
mount -t tmpfs tmpfs "$rootfs/run"
mount -t tmpfs tmpfs "$rootfs/tmp"
mkdir "$rootfs/run/archives"
mount --bind "$archives" "$rootfs/run/archives"

cat >"$rootfs/run/preload.toml" <<'T'
version = 2
root = "/var/lib/containerd"
state = "/run/preload"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "/run/preload.sock"
T
chroot "$rootfs" containerd --config /run/preload.toml --log-level error &
daemon=$!
ctr() { chroot "$rootfs" ctr --address /run/preload.sock --namespace k8s.io "$@"; }
for _ in $(seq 100); do
  if ctr version >/dev/null 2>&1; then break; fi
  kill -0 "$daemon"
  sleep .1
done
for archive in "$archives"/*.tar; do ctr images import "/run/archives/${archive##*/}"; done
kill "$daemon"
wait "$daemon" || true

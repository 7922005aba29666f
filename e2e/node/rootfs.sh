#!/usr/bin/env bash
# rootfs.sh ROOTFS KIND_SOURCES KUBE VERSION: the file system of a kind node, out of Debian packages, the files of
# kind's own base image and our Kubernetes. What kind's images/base/Dockerfile does, without an image registry.
set -euo pipefail
rootfs=$1 base=$2/images/base/files kube=$3 version=$4

# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
packages=systemd,conntrack,iptables,nftables,iproute2,ethtool,kmod,ca-certificates,curl,jq,procps,containerd,runc,containernetworking-plugins
debootstrap --variant=minbase --include="$packages" "$codename" "$rootfs"

install -Dm755 -t "$rootfs/usr/local/bin" "$base/usr/local/bin/entrypoint"
install -Dm755 -t "$rootfs/kind/bin" "$base"/kind/bin/*.sh
(cd "$base" && find etc -type f -exec install -Dm644 {} "$rootfs/{}" \;)

# A container has no disks, no terminals and no kernel log of its own: only what Kubernetes needs starts.
units=$rootfs/usr/lib/systemd/system
rm -rf "$units"/sysinit.target.wants/systemd-tmpfiles-setup.service "$units"/{multi-user,local-fs,basic}.target.wants/* \
  "$units"/sockets.target.wants/*udev* "$rootfs"/etc/systemd/system/*.wants/*
rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/* "$rootfs"/usr/share/{doc,man,locale}/*
echo ReadKMsg=no >>"$rootfs/etc/systemd/journald.conf"
ln -sfn /usr/lib/systemd/systemd "$rootfs/sbin/init"
ln -s /dev/null "$rootfs/etc/systemd/system/systemd-binfmt.service"
wants=$rootfs/etc/systemd/system/multi-user.target.wants
mkdir -p "$wants" "$rootfs"/etc/kubernetes/manifests "$rootfs"/kind/manifests "$rootfs"/opt/cni "$rootfs"/etc/cni/net.d
for unit in kubelet containerd undo-mount-hacks; do ln -s "/etc/systemd/system/$unit.service" "$wants/"; done
ln -s /usr/lib/cni "$rootfs/opt/cni/bin"
ln -s /usr/bin/{containerd,ctr,containerd-shim-runc-v2} "$rootfs/usr/local/bin/"

chroot "$rootfs" ctr oci spec |
  jq '.hooks.createContainer = [{path: "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' >"$rootfs/etc/containerd/cri-base.json"
# Machines without CAP_SYS_RESOURCE and with cgroup v1 beside v2 exist; elsewhere these settings do no harm.
sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/; s/SystemdCgroup = true/SystemdCgroup = false/' "$rootfs/etc/containerd/config.toml"
echo 'KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service --fail-cgroupv1=false --cgroup-driver=cgroupfs' >"$rootfs/etc/default/kubelet"

install -m755 "$kube" "$rootfs/usr/bin/kube"
for name in kubelet kubeadm kubectl; do ln -s kube "$rootfs/usr/bin/$name"; done
printf %s "$version" >"$rootfs/kind/version"

# One node needs no overlay network: a bridge, and the port mapper for hostPort.
cat >"$rootfs/etc/cni/net.d/10-bridge.conflist" <<'J'
{"cniVersion": "1.0.0", "name": "kind", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.244.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}
J
# kind applies both manifests; the first may not be empty.
echo '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "static-cni", "namespace": "kube-system"}}' >"$rootfs/kind/manifests/default-cni.yaml"
awk '/^const defaultStorageManifest = `/{p=1; next} /^`/{p=0} p' "$2/pkg/build/nodeimage/const_storage.go" |
  sed 's#` + storageProvisionerImage + `#docker.io/kindest/local-path-provisioner:local#; s#` + storageHelperImage + `#docker.io/kindest/local-path-helper:local#' >"$rootfs/kind/manifests/default-storage.yaml"

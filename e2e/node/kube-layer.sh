#!/usr/bin/env bash
# kube-layer.sh ROOTFS LAYER KUBE: the files of the one image behind etcd, API server, controller manager, scheduler
# and kube-proxy. kube-proxy calls iptables: the program, its extensions and the libraries of both come along.
set -euo pipefail
rootfs=$1 layer=$2 kube=$3
libraries=usr/lib/$(uname -m)-linux-gnu

mkdir -p "$layer"/{etc,run} "$layer"/usr/{bin,sbin,lib64,local/bin} "$layer/$libraries"
ln -s usr/bin usr/sbin usr/lib usr/lib64 "$layer/"
install -m755 "$kube" "$layer/usr/local/bin/kube"
for name in etcd kube-apiserver kube-controller-manager kube-scheduler kube-proxy; do ln -s kube "$layer/usr/local/bin/$name"; done

cp -a "$rootfs/usr/sbin/xtables-nft-multi" "$layer/usr/sbin/"
for name in iptables ip6tables; do
  for suffix in '' -save -restore; do ln -s xtables-nft-multi "$layer/usr/sbin/$name$suffix"; done
done
cp -a "$rootfs/$libraries/xtables" "$layer/$libraries/"
chroot "$rootfs" sh -c "ldd /usr/sbin/xtables-nft-multi /$libraries/xtables/*.so" |
  sed -n 's/^\t\(.* => \)\?\(\/[^ ]*\) .*/\2/p' | sort -u |
  while read -r library; do cp -L "$rootfs$library" "$layer$library"; done

#!/bin/sh
# Makes two network namespaces with a cable between them. Needs root.
set -eu
ip netns add wgform-hq
ip netns add wgform-branch
ip link add uplink netns wgform-hq type veth peer name uplink netns wgform-branch
ip -n wgform-hq addr add 198.51.100.1/30 dev uplink
ip -n wgform-branch addr add 198.51.100.2/30 dev uplink
for host in wgform-hq wgform-branch; do
  ip -n "$host" link set lo up
  ip -n "$host" link set uplink up
done

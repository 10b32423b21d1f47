#!/bin/sh
# Makes two hubs, each a network and a mount namespace with an SSH server, a wire between them, and one from each to this
# machine. What a disk would keep (host keys, machine ids, the keys of wgform) is in `disks`, so that a hub that is made
# anew is the same machine after another boot. Needs root.
set -eu
cd "$(dirname "$0")"

hub() { # NAME, ITS ADDRESS, OURS, ITS ADDRESS ON THE WIRE
  disk=$PWD/disks/$1
  mkdir -p "$disk/wgform" /run/sshd /run/wireguard /var/lib/wgform
  [ -e "$disk/host_key" ] || ssh-keygen -q -t ed25519 -N '' -f "$disk/host_key"
  [ -e "$disk/machine-id" ] || tr -d - </proc/sys/kernel/random/uuid >"$disk/machine-id"
  cat /proc/sys/kernel/random/uuid >"$disk/boot_id"
  [ -e /etc/machine-id ] || : >/etc/machine-id
  echo "$2 $(cut -d ' ' -f 1,2 "$disk/host_key.pub")" >>known_hosts

  ip -n "wgform-$1" link set lo up
  ip link add "wgform-$1" type veth peer name mgmt netns "wgform-$1"
  ip address add "$3/30" dev "wgform-$1"
  ip link set "wgform-$1" up
  ip -n "wgform-$1" address add "$2/30" dev mgmt
  ip -n "wgform-$1" link set mgmt up
  ip -n "wgform-$1" address add "$4/30" dev wire
  ip -n "wgform-$1" link set wire up
  cat >"$disk/sshd_config" <<END
ListenAddress $2
HostKey $disk/host_key
AuthorizedKeysFile $PWD/key.pub
PidFile $disk/sshd.pid
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
END
  ip netns exec "wgform-$1" unshare -mu --propagation private sh -euc "
    hostname '$1'
    mount -t tmpfs tmpfs /run/wireguard
    mount --bind '$disk/wgform' /var/lib/wgform
    mount --bind '$disk/machine-id' /etc/machine-id
    mount --bind '$disk/boot_id' /proc/sys/kernel/random/boot_id
    exec /usr/sbin/sshd -f '$disk/sshd_config'"
}

[ -e key ] || ssh-keygen -q -t ed25519 -N '' -f key
rm -f known_hosts
ip netns add wgform-one
ip netns add wgform-two
ip link add wire netns wgform-one type veth peer name wire netns wgform-two
hub one 198.51.100.2 198.51.100.1 203.0.113.1
hub two 198.51.100.6 198.51.100.5 203.0.113.2

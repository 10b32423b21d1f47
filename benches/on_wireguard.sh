#!/bin/sh
# Measures on one host whose WireGuard is there already; `benches/wireguard` runs it in a sandbox, and in a VM with the
# kernel's WireGuard.
#
#   on_wireguard.sh userspace|kernel RUNS
#
# In its directory lie the program, a configuration of one interface `wg0` (base), the same with its peers (full) and with
# one of them changed (one), and those peers as `wg setconf` takes them. Prints a line for each measurement:
# WHAT WALL USER SYSTEM DEVICE, in seconds, the last one being the CPU of wireguard-go, and nothing for the kernel.

set -eu
driver=$1 runs=$2
cd "$(dirname "$0")"

main() {
  configure base
  ./wgform -chdir=project apply -auto-approve >output 2>&1
  cp project/wgform.state.json base.state
  {
    printf '[Interface]\nPrivateKey = %s\nListenPort = 51820\n' "$(wg show wg0 private-key)"
  } >empty.conf
  cat empty.conf peers.conf >full.conf

  run=0
  while [ $run -lt "$runs" ]; do
    run=$((run + 1))
    measure setconf wg setconf wg0 full.conf
    expect_peers
    wg setconf wg0 empty.conf

    configure full
    cp base.state project/wgform.state.json
    measure plan_all ./wgform -chdir=project plan
    measure apply_all ./wgform -chdir=project apply -auto-approve
    expect_peers
    measure read wg show wg0 dump
    configure one
    measure plan_one ./wgform -chdir=project plan
    measure apply_one ./wgform -chdir=project apply -auto-approve
    measure set_one wg set wg0 peer "$(cat one.key)" persistent-keepalive 18
    wg setconf wg0 empty.conf
  done
}

configure() { # base|full|one
  rm -f project/*.wg.hcl
  cp "$1"/*.wg.hcl project/
}

expect_peers() {
  [ "$(wg show wg0 peers | wc -l)" = "$(grep -c PublicKey peers.conf)" ] || { echo "not all peers are there" >&2; exit 1; }
}

measure() { # WHAT COMMAND...
  what=$1; shift
  before=$(device_ticks)
  busybox time -o time -f '%e %U %S' "$@" >output 2>&1 || { tail -5 output >&2; exit 1; }
  echo "$what $(cat time) $(awk "BEGIN { print ($(device_ticks) - $before) / $(getconf_ticks) }")"
}

# What wireguard-go has used so far. It may still be at work when a client has its answer, so that it is waited for.
device_ticks() {
  [ "$driver" = userspace ] || { echo 0; return; }
  last=-1 now=0
  while [ "$now" != "$last" ]; do
    last=$now
    sleep 0.1
    now=$(awk '{ print $14 + $15 }' "/proc/$(pidof wireguard-go)/stat")
  done
  echo "$now"
}

getconf_ticks() { echo 100; }

main

#!/bin/sh
# Ends both hubs as a power cut would. What is on their disks stays, in `disks`.
set -eu
for hub in one two; do
  for pid in $(ip netns pids "wgform-$hub"); do
    kill -9 "$pid" 2>/dev/null || :
  done
  ip netns delete "wgform-$hub"
  ip link delete "wgform-$hub" 2>/dev/null || :
done

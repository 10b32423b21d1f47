#!/bin/sh
# Removes what setup.sh made. Destroy the tunnel first: `wgform destroy`.
set -eu
ip netns del wgform-hq
ip netns del wgform-branch

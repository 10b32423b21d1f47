# A tunnel between two Linux hosts. Here the hosts are two network namespaces of this machine, so that one person can
# try it: `setup.sh` makes them and the network between them, `teardown.sh` removes them.
#
# The kernel's WireGuard is used where it is there, and `wireguard-go` otherwise. Userspace WireGuard keeps its sockets
# in one directory for all namespaces, so the two interfaces have names of their own.

backend "local" "hq" {
  netns  = "wgform-hq"
  driver = var.driver
}

backend "local" "branch" {
  netns  = "wgform-branch"
  driver = var.driver
}

variable "driver" {
  type        = string
  default     = "auto"
  description = "auto, kernel or userspace."
}

interface "hq" {
  backend     = backend.hq
  name        = "wg-hq"
  listen_port = 51820
  addresses   = ["10.8.0.1/24", "fd00:8::1/64"]
}

interface "branch" {
  backend     = backend.branch
  name        = "wg-branch"
  listen_port = 51820
  addresses   = ["10.8.0.2/24", "fd00:8::2/64"]
}

peer "hq_to_branch" {
  interface            = interface.hq
  public_key           = interface.branch.public_key
  preshared_key        = preshared_key.tunnel
  endpoint             = "198.51.100.2:51820"
  allowed_ips          = ["10.8.0.2/32", "fd00:8::2/128"]
  persistent_keepalive = "25s"
}

peer "branch_to_hq" {
  interface            = interface.branch
  public_key           = interface.hq.public_key
  preshared_key        = preshared_key.tunnel
  endpoint             = "198.51.100.1:51820"
  allowed_ips          = ["10.8.0.1/32", "fd00:8::1/128"]
  persistent_keepalive = "25s"
}

preshared_key "tunnel" {}

# Two sites, one tunnel, on simulated Linux hosts: nothing on this machine is touched.
#
#   wgform -chdir=examples/quickstart apply
#
# Take the two `simulate` lines away, and the same configuration is for real hosts.

backend "local" "hq" {
  simulate = true
}

backend "local" "branch" {
  simulate = true
}

locals {
  sites = {
    hq     = "10.10.0.0/16"
    branch = "10.20.0.0/16"
  }
}

interface "hq" {
  backend     = backend.hq
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24", "fd00:8::1/64"]
  persist     = "wg-quick"
  routes      = "auto" # to the other site, as the allowed IPs of its peer say
}

interface "branch" {
  backend     = backend.branch
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.2/24", "fd00:8::2/64"]
  persist     = "wg-quick"
  routes      = "auto"
}

# The key of each interface is made where the interface is. The other side takes it by reference.
peer "hq_to_branch" {
  interface            = interface.hq
  public_key           = interface.branch.public_key
  preshared_key        = preshared_key.tunnel
  endpoint             = "192.0.2.2:51820"
  allowed_ips          = ["10.8.0.2/32", "fd00:8::2/128", local.sites.branch]
  persistent_keepalive = "25s"
}

peer "branch_to_hq" {
  interface     = interface.branch
  public_key    = interface.hq.public_key
  preshared_key = preshared_key.tunnel
  endpoint      = "192.0.2.1:51820"
  allowed_ips   = ["10.8.0.1/32", "fd00:8::1/128", local.sites.hq]
}

preshared_key "tunnel" {}

output "hq_public_key" {
  value       = interface.hq.public_key
  description = "What the far ends of hq need to know."
}

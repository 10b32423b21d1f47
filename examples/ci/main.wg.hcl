# What the recipes of this directory plan, apply and look after: a hub with two laptops, and a branch. See README.md.
# Everything is simulated, so that each command can be tried without a device:
#
#   ./pull-request.sh
#
# For real ones take the two `simulate` lines away, and keep the state where each job finds it: state-gitlab.hcl and
# state-s3.hcl have the block for that. Without one the state is a file, which a runner loses with its disk.

backend "local" "hq" {
  simulate = true
}

backend "local" "branch" {
  simulate = true
}

variable "laptops" {
  type = map(object({ key = string, host = number }))
  default = {
    alice = { key = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=", host = 10 }
    bob   = { key = "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=", host = 11 }
  }
}

interface "hub" {
  backend     = backend.hq
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
  persist     = "wg-quick"
}

interface "branch" {
  backend     = backend.branch
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.2/24"]
  persist     = "wg-quick"
}

peer "branch" {
  interface     = interface.hub
  public_key    = interface.branch.public_key
  preshared_key = preshared_key.branch
  endpoint      = "192.0.2.2:51820"
  allowed_ips   = ["10.8.0.2/32"]
}

peer "hub" {
  interface            = interface.branch
  public_key           = interface.hub.public_key
  preshared_key        = preshared_key.branch
  endpoint             = "192.0.2.1:51820"
  allowed_ips          = ["10.8.0.0/24"]
  persistent_keepalive = "25s"
}

preshared_key "branch" {}

peer "laptop" {
  for_each    = var.laptops
  interface   = interface.hub
  public_key  = each.value.key
  allowed_ips = ["${cidrhost("10.8.0.0/24", each.value.host)}/32"]
}

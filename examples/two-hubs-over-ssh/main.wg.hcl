# Two Linux hubs, managed over SSH from a third machine, with a tunnel between them.
#
# As it stands it is simulated, and applies anywhere: `wgform apply`. For real hubs, set `simulate` to false and `host` to
# yours; nothing has to be installed on them but WireGuard and iproute2. To try that on one machine, `setup.sh` makes two
# hubs out of namespaces, each with an SSH server of its own, and `teardown.sh` removes them; both need root:
#
#   ./setup.sh && wgform apply -var simulate=false
#   ./teardown.sh && ./setup.sh && wgform apply -var simulate=false    # both hubs have been rebooted: the same keys

variable "simulate" {
  type        = bool
  default     = true
  description = "Whether simulated hubs stand in for the real ones."
}

variable "driver" {
  type        = string
  default     = "auto"
  description = "auto, kernel or userspace."
}

backend "linux" "one" {
  simulate = var.simulate
  driver   = var.driver
  ssh {
    host          = "198.51.100.2"
    user          = "root"
    identity_file = "key"
    known_hosts   = "known_hosts"
  }
}

backend "linux" "two" {
  simulate = var.simulate
  driver   = var.driver
  ssh {
    host          = "198.51.100.6"
    user          = "root"
    identity_file = "key"
    known_hosts   = "known_hosts"
  }
}

interface "one" {
  backend     = backend.one
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24", "fd00:8::1/64"]
}

interface "two" {
  backend     = backend.two
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.2/24", "fd00:8::2/64"]
}

peer "one_to_two" {
  interface            = interface.one
  public_key           = interface.two.public_key
  preshared_key        = preshared_key.tunnel
  endpoint             = "203.0.113.2:51820"
  allowed_ips          = ["10.8.0.2/32", "fd00:8::2/128"]
  persistent_keepalive = "25s"
}

peer "two_to_one" {
  interface            = interface.two
  public_key           = interface.one.public_key
  preshared_key        = preshared_key.tunnel
  endpoint             = "203.0.113.1:51820"
  allowed_ips          = ["10.8.0.1/32", "fd00:8::1/128"]
  persistent_keepalive = "25s"
}

preshared_key "tunnel" {}

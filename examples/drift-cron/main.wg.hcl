# A hub whose drift is looked for every five minutes, by a user who holds no more than the right to read: see README.md.
# It is simulated, so that everything can be tried without a device:
#
#   wgform apply
#   wgform drift -from-state -metrics-into=wgform.prom

backend "local" "hq" {
  simulate = true
}

interface "hub" {
  backend     = backend.hq
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
  persist     = "wg-quick"
}

variable "laptops" {
  type = map(object({ key = string, host = number }))
  default = {
    alice = { key = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=", host = 2 }
    bob   = { key = "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=", host = 3 }
  }
}

peer "laptop" {
  for_each    = var.laptops
  interface   = interface.hub
  public_key  = each.value.key
  allowed_ips = ["${cidrhost("10.8.0.0/24", each.value.host)}/32"]
}

# Bob's laptop is being moved by hand until the end of the month: reported, and no reason to wake anybody.
# known_drift "bob" {
#   targets    = [peer.laptop["bob"]]
#   attributes = [allowed_ips]
#   reason     = "CHG-17: bob moves to the new range"
#   expires_at = "2027-01-31T00:00:00Z"
# }

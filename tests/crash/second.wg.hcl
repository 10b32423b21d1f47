# What a crash test changes the first configuration into: every kind of change is here.

backend "local" "hq" {
  simulate = true
}

backend "local" "branch" {
  simulate = true
}

interface "hq" {
  backend     = backend.hq
  name        = "wg0"
  persist     = "networkd"
  listen_port = 51821
  mtu         = 1400
  addresses   = ["10.8.0.3/24", "fd00:8::1/64"]
}

interface "branch" {
  backend     = backend.branch
  name        = "wg7"
  persist     = "networkd"
  listen_port = 51820
  addresses   = ["10.8.0.2/24", "fd00:8::2/64"]
}

interface "lab" {
  backend   = backend.branch
  name      = "lab0"
  persist   = "wg-quick"
  addresses = ["10.9.0.1/24"]
}

preshared_key "tunnel" {}

peer "hq_to_branch" {
  interface            = interface.hq
  public_key           = interface.branch.public_key
  preshared_key        = preshared_key.tunnel
  endpoint             = "192.0.2.2:51820"
  allowed_ips          = ["10.8.0.2/32", "10.20.0.0/16"]
  persistent_keepalive = "25s"
}

peer "branch_to_hq" {
  interface     = interface.branch
  public_key    = interface.hq.public_key
  preshared_key = preshared_key.tunnel
  endpoint      = "192.0.2.1:51820"
  allowed_ips   = ["10.8.0.1/32", "10.10.0.0/16"]
}

peer "bob" {
  interface   = interface.hq
  public_key  = "Ym9iIGhhcyBhIHNlY29uZCBwdWJsaWMga2V5IG5vdyE="
  allowed_ips = ["10.8.0.12/32", "10.13.0.0/16"]
}

peer "carol" {
  interface   = interface.hq
  public_key  = "Y2Fyb2wgaGFzIGEgcHVibGljIGtleSBvZiBoZXIgb3c="
  allowed_ips = ["10.8.0.13/32"]
}

peer "dave" {
  interface   = interface.lab
  public_key  = "ZGF2ZSBoYXMgYSBwdWJsaWMga2V5IG9mIGhpcyBvd24="
  allowed_ips = ["10.9.0.14/32"]
}

peer "erin" {
  interface   = interface.hq
  public_key  = "ZXJpbiBoYXMgYSBwdWJsaWMga2V5IG9mIGhlciBvd24="
  allowed_ips = ["10.8.0.15/32"]
}

interface "new" {
  backend     = backend.hq
  name        = "wg0-new"
  listen_port = 51820
}

output "hq" {
  value = interface.hq.public_key
}

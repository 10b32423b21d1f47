backend "local" "hq" {
  simulate = true
}

interface "hub" {
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}

preshared_key "alice" {}

peer "alice" {
  interface     = interface.hub
  public_key    = "«laptop»"
  allowed_ips   = ["10.8.0.2/32"]
  preshared_key = preshared_key.alice
}

peer "phone" {
  interface   = interface.hub
  public_key  = "«phone»"
  allowed_ips = ["10.8.0.3/32"]
}

peer "tablet" {
  interface   = interface.hub
  public_key  = "«tablet»"
  allowed_ips = ["10.8.0.4/32"]
}

moved {
  from = peer.anna
  to   = peer.alice
}

moved {
  from = interface.main
  to   = interface.hub
}

moved {
  from = preshared_key.first
  to   = preshared_key.alice
}

moved {
  from = peer.laptop
  to   = peer.anna
}

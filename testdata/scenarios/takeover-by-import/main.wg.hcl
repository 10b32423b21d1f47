backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}

peer "laptop" {
  interface   = interface.hub
  public_key  = "«laptop»"
  allowed_ips = ["10.8.0.2/32"]
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

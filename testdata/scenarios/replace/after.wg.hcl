backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name        = "wg-hub"
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
  public_key  = "«phone 2»"
  allowed_ips = ["10.8.0.3/32"]
}

peer "pad" {
  interface   = interface.hub
  public_key  = "«tablet»"
  allowed_ips = ["10.8.0.4/32"]
}

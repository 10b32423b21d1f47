# A hub, two sites that are managed here as well, and a laptop that is not.

backend "local" "hub" {
  simulate = true
}

backend "local" "berlin" {
  simulate = true
}

backend "local" "paris" {
  simulate = true
}

interface "hub" {
  backend     = backend.hub
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}

interface "berlin" {
  backend   = backend.berlin
  name      = "wg0"
  addresses = ["10.8.0.2/24"]
}

interface "paris" {
  backend   = backend.paris
  name      = "wg0"
  addresses = ["10.8.0.3/24"]
}

preshared_key "berlin" {}

peer "hub_to_berlin" {
  interface     = interface.hub
  public_key    = interface.berlin.public_key
  preshared_key = preshared_key.berlin
  allowed_ips   = ["10.8.0.2/32", "10.20.0.0/16"]
}

peer "berlin_to_hub" {
  interface            = interface.berlin
  public_key           = interface.hub.public_key
  preshared_key        = preshared_key.berlin
  endpoint             = "hub.example.com:51820"
  allowed_ips          = ["10.8.0.0/24", "10.30.0.0/16"]
  persistent_keepalive = "25s"
}

peer "hub_to_paris" {
  interface   = interface.hub
  public_key  = interface.paris.public_key
  allowed_ips = ["10.8.0.3/32", "10.30.0.0/16"]
}

peer "paris_to_hub" {
  interface            = interface.paris
  public_key           = interface.hub.public_key
  endpoint             = "hub.example.com:51820"
  allowed_ips          = ["10.8.0.0/24", "10.20.0.0/16"]
  persistent_keepalive = "25s"
}

peer "laptop" {
  interface   = interface.hub
  public_key  = "«laptop»"
  allowed_ips = ["10.8.0.100/32"]
}

output "hub" {
  value = { key = interface.hub.public_key, port = interface.hub.listen_port }
}

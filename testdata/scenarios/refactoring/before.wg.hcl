backend "local" "hq" {
  simulate = true
}

interface "main" {
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}

preshared_key "first" {}

peer "laptop" {
  interface     = interface.main
  public_key    = "«laptop»"
  allowed_ips   = ["10.8.0.2/32"]
  preshared_key = preshared_key.first
}

peer "phone" {
  interface   = interface.main
  public_key  = "«phone»"
  allowed_ips = ["10.8.0.3/32"]
}

peer "tablet" {
  interface   = interface.main
  public_key  = "«tablet»"
  allowed_ips = ["10.8.0.4/32"]
}

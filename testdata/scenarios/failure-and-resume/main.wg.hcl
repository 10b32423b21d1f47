backend "local" "hq" {
  simulate = true
}

interface "hub" {
  name        = "wg0"
  listen_port = 51820
}

peer "office" {
  interface   = interface.hub
  public_key  = "«office»"
  endpoint    = "office.example.com:51820"
  allowed_ips = ["10.1.0.0/16"]
}

peer "depot" {
  interface   = interface.hub
  public_key  = "«depot»"
  endpoint    = "depot.example.com:51820"
  allowed_ips = ["10.2.0.0/16"]
  depends_on  = [peer.office]
}

peer "laptop" {
  interface   = interface.hub
  public_key  = "«laptop»"
  allowed_ips = ["10.3.0.0/16"]
}

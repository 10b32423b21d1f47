backend "pfsense" "office" {
  api_url        = "https://192.168.1.1"
  api_key        = "none"
  simulate       = true
  manage_service = true
}

interface "office" {
  listen_port = 51820

  assign {
    descr     = "HUB"
    addresses = ["10.8.0.3/24"]
  }
}

peer "hub" {
  interface            = interface.office
  public_key           = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
  allowed_ips          = ["10.8.0.1/32"]
  endpoint             = "192.0.2.1:51820"
  persistent_keepalive = "25s"
}

peer "laptop" {
  interface   = interface.office
  public_key  = "TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0="
  allowed_ips = ["10.8.0.9/32"]
}

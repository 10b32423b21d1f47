# A Linux hub and a MikroTik branch in one configuration, with a tunnel between them.
#
# As it stands both are simulated, and it applies anywhere: `wgform apply`. For real ones, set `simulate` to false, `api_url`
# to your router's, and give the password: `WGFORM_VAR_router_password=… wgform apply -var simulate=false`.

variable "simulate" {
  type        = bool
  default     = true
  description = "Whether simulated systems stand in for the real ones."
}

variable "router_password" {
  type        = string
  default     = ""
  sensitive   = true
  description = "The password of the user `wgform` of the router."
}

backend "local" "hq" {
  simulate = var.simulate
}

backend "routeros" "branch" {
  simulate     = var.simulate
  api_url      = "https://198.51.100.2"
  api_user     = "wgform"
  api_password = var.router_password
}

interface "hq" {
  backend     = backend.hq
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
  persist     = "wg-quick"
  routes      = "auto"
}

interface "branch" {
  backend         = backend.branch
  name            = "wg-hq"
  description     = "to the head office"
  listen_port     = 13231
  addresses       = ["10.8.0.2/24"]
  interface_lists = ["LAN"] # or the router's default firewall drops what comes out of the tunnel
  routes          = "auto"
}

# Each side takes the key of the other by reference.
peer "hq_to_branch" {
  interface     = interface.hq
  public_key    = interface.branch.public_key
  preshared_key = preshared_key.tunnel
  allowed_ips   = ["10.8.0.2/32", "192.168.88.0/24"]
}

peer "branch_to_hq" {
  interface            = interface.branch
  public_key           = interface.hq.public_key
  preshared_key        = preshared_key.tunnel
  endpoint             = "198.51.100.1:51820"
  allowed_ips          = ["10.8.0.1/32", "10.10.0.0/16"]
  persistent_keepalive = "25s"
}

preshared_key "tunnel" {}

# A Linux hub, a MikroTik branch and a pfSense office in one configuration, with a tunnel from the hub to each of them.
#
#   wgform -chdir=examples/three-backends apply
#
# As it stands all three are simulated, and nothing on this machine is touched. For real ones, set `simulate` to false and
# each `api_url` to your device's, and give what lets one in:
#
#   WGFORM_VAR_router_password=… WGFORM_VAR_firewall_key=… wgform apply -var simulate=false

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

variable "firewall_key" {
  type        = string
  default     = "none"
  sensitive   = true
  description = "The key of the firewall's REST API."
}

backend "local" "hub" {
  simulate = var.simulate
}

backend "routeros" "branch" {
  simulate     = var.simulate
  api_url      = "https://198.51.100.2"
  api_user     = "wgform"
  api_password = var.router_password
}

backend "pfsense" "office" {
  simulate       = var.simulate
  api_url        = "https://198.51.100.3"
  api_key        = var.firewall_key
  manage_service = true # WireGuard is off on a firewall until somebody switches it on
}

locals {
  networks = {
    hub    = "10.10.0.0/16"
    branch = "192.168.88.0/24"
    office = "192.168.1.0/24"
  }
}

interface "hub" {
  backend     = backend.hub
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
  persist     = "wg-quick"
  routes      = "auto" # to the other sites, as the allowed IPs of its peers say
}

interface "branch" {
  backend         = backend.branch
  name            = "wg-hub"
  description     = "to the hub"
  listen_port     = 13231
  addresses       = ["10.8.0.2/24"]
  interface_lists = ["LAN"] # or the router's default firewall drops what comes out of the tunnel
  routes          = "auto"
}

interface "office" {
  backend     = backend.office
  description = "to the hub"
  listen_port = 51820

  # Without it nothing behind the firewall would reach the tunnel.
  assign {
    descr     = "WG_HUB"
    addresses = ["10.8.0.3/24"]
  }
}

# The key of each interface is made for its device and stays there. The other side takes the public one by reference.
peer "hub_to_branch" {
  interface     = interface.hub
  public_key    = interface.branch.public_key
  preshared_key = preshared_key.branch
  allowed_ips   = ["10.8.0.2/32", local.networks.branch]
}

peer "branch_to_hub" {
  interface            = interface.branch
  public_key           = interface.hub.public_key
  preshared_key        = preshared_key.branch
  endpoint             = "198.51.100.1:51820"
  allowed_ips          = ["10.8.0.0/24", local.networks.hub, local.networks.office]
  persistent_keepalive = "25s"
}

peer "hub_to_office" {
  interface     = interface.hub
  public_key    = interface.office.public_key
  preshared_key = preshared_key.office
  allowed_ips   = ["10.8.0.3/32", local.networks.office]
}

peer "office_to_hub" {
  interface            = interface.office
  public_key           = interface.hub.public_key
  preshared_key        = preshared_key.office
  endpoint             = "198.51.100.1:51820"
  allowed_ips          = ["10.8.0.0/24", local.networks.hub, local.networks.branch]
  persistent_keepalive = "25s"
}

preshared_key "branch" {}

preshared_key "office" {}

output "hub_public_key" {
  value       = interface.hub.public_key
  description = "What the far ends of the hub need to know."
}

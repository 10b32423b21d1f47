# A hub on a pfSense firewall, and fifty sites on a Linux host and a MikroTik router: one map and one module.
#
#   wgform -chdir=examples/fifty-sites apply
#
# All three are simulated. A site is a line of `sites.yaml`. To rename one, change its key there, and say that it is the same
# one, so that nothing happens on any device:
#
#   moved {
#     from = module.site["lisbon"]
#     to   = module.site["lisboa"]
#   }
#   moved {
#     from = peer.site["lisbon"]
#     to   = peer.site["lisboa"]
#   }

locals {
  sites   = yamldecode(file("sites.yaml"))
  devices = { router = backend.router, server = backend.server }
}

variable "firewall_key" {
  type      = string
  default   = "none"
  sensitive = true
}

backend "local" "server" {
  simulate = true
}

backend "routeros" "router" {
  simulate     = true
  api_url      = "https://192.168.88.1"
  api_user     = "wgform"
  api_password = ""
}

backend "pfsense" "firewall" {
  simulate       = true
  api_url        = "https://192.168.1.1"
  api_key        = var.firewall_key
  manage_service = true
}

interface "hub" {
  backend     = backend.firewall
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}

module "site" {
  source   = "./modules/site"
  for_each = local.sites

  number   = each.value.number
  on       = local.devices[each.value.device]
  hub      = interface.hub
  endpoint = "198.51.100.1:51820"
}

peer "site" {
  for_each      = module.site
  interface     = interface.hub
  public_key    = each.value.public_key
  preshared_key = each.value.preshared_key
  allowed_ips   = each.value.networks
}

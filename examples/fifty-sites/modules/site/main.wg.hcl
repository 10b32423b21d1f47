# A site: its interface, its way to the hub, and what the hub has to know of it.

variable "number" { type = number }
variable "on" { type = backend }
variable "hub" { type = interface }
variable "endpoint" { type = string }

interface "hub" {
  backend     = var.on
  listen_port = 52000 + var.number
  addresses   = ["10.8.${var.number}.1/24"]
  persist     = var.on.kind == "local" ? "wg-quick" : null
}

peer "hub" {
  interface            = interface.hub
  public_key           = var.hub.public_key
  preshared_key        = preshared_key.hub
  endpoint             = var.endpoint
  allowed_ips          = ["10.8.0.0/24"]
  persistent_keepalive = "25s"
}

preshared_key "hub" {}

output "public_key" { value = interface.hub.public_key }
output "preshared_key" { value = preshared_key.hub }
output "networks" { value = ["10.8.${var.number}.0/24"] }

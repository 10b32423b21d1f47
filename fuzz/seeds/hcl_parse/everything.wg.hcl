wgform {
  required_version = ">= 0.1"
  default_backend  = backend.hq
  state "local" { path = "x.json" }
}
backend "local" "hq" { simulate = true }
variable "names" {
  type    = list(object({ n = string, o = optional(number, 1) }))
  default = [{ n = "日本" }]
  validation {
    condition     = length(var.names) < 5
    error_message = "Too many: ${length(var.names)}."
  }
}
variable "key" { sensitive = true }
locals {
  all  = { for i, x in var.names : x.n => i + 1 if x.o != 7 }
  text = <<-EOT
    %{ for k, v in local.all ~}
    ${k}	= ${format("%05d|%q", v, k)} # "é"
    %{ endfor ~}
  EOT
}
interface "a" {
  addresses   = [cidrhost("10.8.0.0/24", 1) == "" ? "" : "10.8.0.1/24", "fd00::${local.all["日本"]}/64"]
  private_key = var.key
  description = trimspace(local.text)
  lifecycle { prevent_destroy = true }
}
peer "b" {
  interface   = interface.a
  public_key  = try(interface.a.public_key, null)
  allowed_ips = concat(["10.0.0.0/8"], var.names[*].n == [] ? [] : ["fd00::/8"])
  endpoint    = "x.example.com:${interface.a.listen_port}"
  depends_on  = [interface.a]
}
output "o" { value = [peer.b.name, interface.a.addresses.0, max(1, -2) / 3 % 2] }

====

====
key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="

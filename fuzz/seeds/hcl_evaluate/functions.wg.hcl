locals {
  text  = "a,b\n1,\"2\"\n"
  yaml  = "a: &x [1, yes, ~]\nb: *x\n<<: {c: 0x1F}\n"
  big   = setproduct(range(3), toset(["x", "y"]))
  names = { for row in csvdecode(local.text) : row.a => row... }
}
output "encoding" { value = [yamldecode(local.yaml), yamlencode(local.names), jsonencode(local.big), base64decode("aGk=")] }
output "text" { value = [regexall("(?P<k>\\w)=(\\d)?", "a=1"), replace("hub", "/[^a-g]/", "<$0>"), format("%-08.3f|%q|%v", 1.5, "é", null), title("a b")] }
output "collection" { value = [zipmap(["a"], [1]), transpose({ a = ["b"] }), matchkeys([1], ["a"], ["a"]), chunklist([1, 2], 1), sort(["b", "a"])] }
output "number" { value = [parseint("zz", 36), pow(2, 100), log(8, 2), sum([1, "2"]), 18446744073709551616 - 1] }
output "time" { value = [formatdate("EEE, DD MMM 'x' hh:mm ZZZ", timeadd("2026-05-31T12:00:00+02:00", "-1.5h")), plantimestamp()] }
output "network" { value = [cidrsubnets("fd00::/48", 16, 16, 8), cidrhost("fd00::/64", -1), uuidv5("dns", "a")] }
output "file" { value = [fileexists("key.txt"), fileset(".", "**/*.{txt,md}"), sha256("a"), pathexpand("~/x")] }
output "template" { value = [templatestring(local.text, { a = 1 }), true ? [1] : ["a", "b"], false ? {} : { a = null }] }
output "lines" {
  value = <<-EOT
    %{~ if length(local.names) > 0 ~}
      ${jsonencode(local.names)}
    %{~ else }
    none
    %{ endif ~}
    end
  EOT
}

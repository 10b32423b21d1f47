//! Each problem, with its place and the way out.

use crate::config::tests::{Case, PRIVATE, PSK, check, evaluate};

/// Checks an argument of an interface, at line 1.
#[track_caller]
fn check_interface(argument: &str, wanted: &str) {
    check(&format!("interface \"a\" {{ {argument} }}\n"), wanted);
}

/// Checks an expression, which starts at column 11 of line 8.
#[track_caller]
fn check_expression(expression: &str, wanted: &str) {
    let shown = evaluate(expression).replace("main.wg.hcl:8:", "");
    assert_eq!(shown.trim_end(), wanted.trim(), "\n{shown}");
}

#[test]
fn unknown_names_come_with_what_was_meant() {
    check(
        "interface \"wg0\" {}\npeer \"p\" {\n  interface   = interface.wg9\n  public_key  = null\n  allowed_ips = []\n}\n",
        "error: reference to an unknown interface
  3:17 `interface.wg9`: no `interface \"wg9\"` in this configuration
  help: Did you mean `interface.wg0`?",
    );
    check(
        "interface \"a\" {\n  lisen_port = 1\n  for_each = []\n}\nmodul \"x\" {}\nmodule \"x\" {}\nlocals { \n  x = uper(1)\n  y = each.key\n  z = kernel\n}\n",
        "error: unknown argument
  2:3 `lisen_port`: `interface` has no `lisen_port`
  help: Did you mean `listen_port`?
error: value of the wrong type
  3:14 `[]`: `for_each` has to be a map or a set of strings, and this is a list
  help: Make it a set with `toset(…)`, or a map with `{ for it in … : it.name => it }`: an instance is found by its key, not by its place.
error: unknown block
  5:1 `modul`: there is no block `modul`
  help: Did you mean `module`?
error: missing argument
  6:1 `module \"x\"`: this `module` has no `source`
  help: Add a line `source = …`.
error: call of an unknown function
  8:7 `uper`: this version of wgform has no function `uper`
  help: Did you mean `upper`?
error: key of an instance outside of a repeated block
  9:7 `each.key`: there is no `for_each` around this
  help: `each` is for the arguments of a block with `for_each`.
error: reference to an unknown name
  10:7 `kernel`: there is no `kernel` here
  help: Write a text in quotes: \"kernel\".",
    );
    check(
        "variable \"region\" { default = 1 }\nlocals { \n  a = var.regoin\n  b = local.aa\n  c = interface.x\n  d = var\n}\ninterface \"h\" { description = interface.h2.name }\noutput \"x\" { value = interface.h.publik_key }\noutput \"y\" { value = interface.h.private_key }\n",
        "error: reference to an unknown variable
  3:7 `var.regoin`: no `variable \"regoin\"` in this configuration
  help: Did you mean `var.region`?
error: reference to an unknown local value
  4:7 `local.aa`: no `aa` in the `locals` of this configuration
  help: Did you mean `local.a`?
error: reference to an unknown interface
  5:7 `interface.x`: no `interface \"x\"` in this configuration
  help: Did you mean `interface.h`?
error: reference without a name
  6:7 `var`: a name has to follow
  help: Write it as `var.NAME`.
error: reference to an unknown interface
  8:31 `interface.h2.name`: no `interface \"h2\"` in this configuration
  help: Did you mean `interface.h`?
error: reference to an unknown attribute
  9:34 `publik_key`: `interface` has no attribute `publik_key`
  help: Did you mean `public_key`?
error: reference to a secret
  10:34 `private_key`: `private_key` of `interface` cannot be referred to
  help: Refer to the `public_key`, or give both places the same variable.",
    );
}

#[test]
fn a_name_that_is_declared_twice_shows_both_places() {
    check(
        "interface \"a\" {}\ninterface \"a\" {}\nlocals { x = 1 }\nlocals { x = 2 }\nbackend \"local\" \"b\" {}\nbackend \"local\" \"b\" {}\n",
        "error: name declared twice
  2:1 `interface \"a\"`: `interface.a` is declared here again
  1:1 `interface \"a\"`: it is declared here first
  help: Give one of them another name, or remove it.
error: name declared twice
  4:10 `x`: `local.x` is declared here again
  3:10 `x`: it is declared here first
  help: Give one of them another name, or remove it.
error: name declared twice
  6:1 `backend \"local\" \"b\"`: `backend.b` is declared here again
  5:1 `backend \"local\" \"b\"`: it is declared here first
  help: Give one of them another name, or remove it.",
    );
}

#[test]
fn a_circle_is_shown_with_every_place() {
    check(
        "locals { x = interface.a.name }\ninterface \"a\" { description = interface.b.name }\ninterface \"b\" { description = local.x }\n",
        "error: circular references
  1:14 `interface.a.name`: `local.x` refers to `interface.a` here
  2:31 `interface.b.name`: `interface.a` refers to `interface.b` here
  3:31 `local.x`: `interface.b` refers to `local.x` here
  help: Replace one of these references by a value.",
    );
    check_interface(
        "description = interface.a.name",
        "error: circular references
  1:31 `interface.a.name`: `interface.a` refers to `interface.a` here
  help: Replace one of these references by a value.",
    );
}

#[test]
fn what_is_evaluated_first_cannot_depend_on_a_resource() {
    check(
        "locals { ns = interface.a.name }\nbackend \"local\" \"b\" { netns = local.ns }\ninterface \"a\" {}\nvariable \"v\" { default = interface.a.name }\nwgform {\n  state \"local\" { path = interface.a.name }\n}\n",
        "error: reference to a resource that is not known yet
  2:31 `local.ns`: a `backend` block cannot depend on `interface.a`
  1:15 `interface.a.name`: it does through this reference
  help: The blocks `wgform`, `variable` and `backend` are evaluated before any device is read. Write a value instead.
error: reference to a resource that is not known yet
  4:26 `interface.a.name`: a `variable` block cannot depend on `interface.a`
  help: The blocks `wgform`, `variable` and `backend` are evaluated before any device is read. Write a value instead.
error: reference to a resource that is not known yet
  6:26 `interface.a.name`: a `wgform` block cannot depend on `interface.a`
  help: The blocks `wgform`, `variable` and `backend` are evaluated before any device is read. Write a value instead.",
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases, one beside the other")]
fn values_are_refused_at_their_place() {
    check_interface(
        "listen_port = 70000",
        "error: invalid value
  1:31 `70000`: `listen_port` is a port, a number from 1 to 65535, not `70000`
  help: Write it as `listen_port = 51820`.",
    );
    check_interface(
        "addresses = [\"10.8.0.1/24\", \"10.8.0.300/24\", 5]",
        "error: invalid value
  1:45 `\"10.8.0.300/24\"`: `10.8.0.300/24` is not an address with a prefix length
  help: Write it as `10.8.0.1/24` or `fd00:8::1/64`.
error: invalid value
  1:62 `5`: `5` is not an address with a prefix length
  help: Write it as `10.8.0.1/24` or `fd00:8::1/64`.",
    );
    check_interface(
        "addresses = split(\",\", \"10.8.0.1/24,x\")",
        "error: invalid value
  1:29 `split(\",\", \"10.8.0.1/24,x\")`: `addresses[1]`: `x` is not an address with a prefix length
  help: Write it as `10.8.0.1/24` or `fd00:8::1/64`.",
    );
    check_interface(
        "addresses = \"10.8.0.1/24\"",
        "error: invalid value
  1:29 `\"10.8.0.1/24\"`: `addresses` is a list of addresses such as \"10.8.0.1/24\", not \"10.8.0.1/24\"
  help: Put `[` and `]` around it.",
    );
    check_interface(
        "unmanaged_peers = \"keep\"",
        "error: invalid value
  1:35 `\"keep\"`: `unmanaged_peers` is one of \"warn\", \"ignore\", \"remove\", not \"keep\"
  help: Write it as `unmanaged_peers = \"warn\"`.",
    );
    check_interface(
        "key_file = \"keys/a\"",
        "error: invalid value
  1:28 `\"keys/a\"`: this is not an absolute path
  help: Write it as `/etc/wireguard/wg0.key`.",
    );
    check_interface(
        "name = \"wg/0\"",
        "error: interface name that Linux does not take
  1:24 `\"wg/0\"`: `wg/0` has a `/` in it
  help: Write a name of 1 to 15 bytes, without white space, `/`, `:` and `%`.",
    );
    check_interface(
        "backend = \"local\"",
        "error: invalid value
  1:27 `\"local\"`: `backend` is a backend such as `backend.hq`, not \"local\"
  help: Write the reference without quotes.",
    );
    check(
        "interface \"hq-berlin-north1\" {}\n",
        "error: interface name that Linux does not take
  1:1 `interface \"hq-berlin-north1\"`: the name comes from the label, and `hq-berlin-north1` has 16 bytes, and at most 15 are allowed
  help: Add a line such as `name = \"wg0\"`.",
    );
    check_interface(
        "public_key = null",
        "error: argument that cannot be set
  1:17 `public_key`: `public_key` of `interface` can only be referred to
  help: Leave it out. Elsewhere, refer to `interface.NAME.public_key`.",
    );
}

#[test]
fn a_small_mtu_is_refused_with_an_ipv6_address() {
    check(
        "interface \"a\" {\n  mtu = 1000\n  addresses = [\"fd00::1/64\"]\n}\n",
        "error: interface MTU too small for IPv6
  2:9 `1000`: with an IPv6 address this has to be at least 1280
  3:15 `[\"fd00::1/64\"]`: an IPv6 address is here
  help: Set `mtu = 1280` or more, or remove the IPv6 addresses.",
    );
    check("interface \"a\" {\n  mtu = 1000\n  addresses = [\"10.0.0.1/24\"]\n}\n", "");
}

#[test]
fn what_a_peer_lacks_is_said() {
    check(
        "interface \"a\" {}\npeer \"p\" { interface = interface.a }\npeer \"q\" {\n  interface   = peer.p\n  public_key  = interface.a\n  allowed_ips = null\n}\n",
        "error: missing argument
  2:1 `peer \"p\"`: this `peer` has no `public_key`
  help: Write `public_key = null` while the key is not known.
error: missing argument
  2:1 `peer \"p\"`: this `peer` has no `allowed_ips`
  help: Write `allowed_ips = []` for a peer that nothing is routed to.
error: invalid value
  4:17 `peer.p`: `interface` is a reference such as `interface.hub`, not `peer.p`
  help: Write it as `interface = interface.NAME`.
error: invalid value
  5:17 `interface.a`: `public_key` is a public key in base64, not `interface.a`
  help: Name one of its attributes, such as `interface.a.public_key`.
error: missing argument
  6:17 `null`: `allowed_ips` is null, and has to be a list of networks such as \"10.8.0.0/24\"
  help: Write a value, or refer to one that is not null.",
    );
    check(
        "interface \"a\" {}\npeer \"p\" {\n  interface   = preshared_key.k\n  public_key  = interface.a\n  allowed_ips = null\n}\npreshared_key \"k\" {}\n",
        "error: invalid value
  3:17 `preshared_key.k`: `interface` is a reference such as `interface.hub`, not `preshared_key.k`
  help: Write it as `interface = interface.NAME`.
error: invalid value
  4:17 `interface.a`: `public_key` is a public key in base64, not `interface.a`
  help: Name one of its attributes, such as `interface.a.public_key`.
error: missing argument
  5:17 `null`: `allowed_ips` is null, and has to be a list of networks such as \"10.8.0.0/24\"
  help: Write a value, or refer to one that is not null.",
    );
}

#[test]
fn literal_keys_are_warned_of_and_never_drawn() {
    let text = format!(
        "interface \"a\" {{ private_key = \"{PRIVATE}\" }}\npreshared_key \"k\" {{ value = \"{PSK}x\" }}\n"
    );
    check(
        &text,
        "warning: literal key in the configuration
  1:31 `…`: everybody who can read this file can use the key
  help: Take it from a sensitive variable, `env(…)` or `file(…)`, or leave it out: wgform makes one and keeps it on the device.
warning: literal key in the configuration
  2:29 `…`: everybody who can read this file can use the key
  help: Take it from a sensitive variable, `env(…)` or `file(…)`, or leave it out: wgform makes one and keeps it on the device.
error: invalid value
  2:29 `…`: this is not a WireGuard pre-shared key: it has 45 characters
  help: A key is 32 bytes in base64: 44 characters, the last one `=`.",
    );
}

#[test]
fn an_interface_needs_a_backend_when_there_are_several() {
    check(
        "backend \"local\" \"x\" {}\nbackend \"local\" \"y\" {}\ninterface \"a\" {}\n",
        "error: interface without a backend
  3:1 `interface \"a\"`: several backends are declared, and this names none
  help: Add `backend = backend.NAME`, or set `default_backend` in the `wgform` block.",
    );
    check(
        "backend \"opnsense\" \"x\" {}\nbackend \"local\" \"y\" {\n  driver = \"fast\"\n  netns = \"a/b\"\n  ssh = 1\n}\ninterface \"a\" { backend = backend.x }\n",
        "error: unknown kind of backend
  1:9 `\"opnsense\"`: this version of wgform has no backend of kind `opnsense`
  help: OPNsense has another API than pfSense, and is not known here.
error: invalid value
  3:12 `\"fast\"`: there is no such driver
  help: The driver can be \"auto\", \"kernel\" or \"userspace\".
error: invalid value
  4:11 `\"a/b\"`: this is not the name of a network namespace
  help: Write a name that `ip netns list` shows.
error: unknown argument
  5:3 `ssh`: `backend` has no `ssh`
  help: Another host is a `linux` backend; `local` is this one.",
    );
    check(
        "backend \"local\" \"y\" {\n  driver = \"fast\"\n  netns = \"a/b\"\n}\n",
        "error: invalid value
  2:12 `\"fast\"`: there is no such driver
  help: The driver can be \"auto\", \"kernel\" or \"userspace\".
error: invalid value
  3:11 `\"a/b\"`: this is not the name of a network namespace
  help: Write a name that `ip netns list` shows.",
    );
}

#[test]
fn a_syntax_error_hides_no_problem_of_another_file() {
    let case = Case::new("interface \"a\" {\n  mtu = = 5\n}\n").file(
        "other.wg.hcl",
        "interface \"b\" {\n  mtuu = 5\n  description = interface.a.name\n}\n",
    );
    let shown = case.problems();
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], "error: equals sign too many");
    assert_eq!(lines[1], "  main.wg.hcl:2:9 `=`: a value has to stand here");
    let rest = "  help: Remove one of them.
error: unknown argument
  other.wg.hcl:2:3 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?";
    assert_eq!(lines[2..].join("\n"), rest);
}

#[test]
fn another_version_is_asked_for_before_anything_else_is_said() {
    let wanted = "error: configuration for another version of wgform
  2:22 `\">= 9.1\"`: this is wgform 0.1.0
  help: Use a version of wgform that is `>= 9.1`.";
    check("wgform {\n  required_version = \">= 9.1\"\n}\nfuture \"block\" {}\n", wanted);
    check("wgform {\n  required_version = \">= 9.1\"\n}\nx = <<< newer syntax\n", wanted);
    check(
        "wgform { required_version = \"9.x\" }\n",
        "error: invalid version constraint
  1:29 `\"9.x\"`: `9.x` is not a version constraint
  help: Write it as \">= 0.1\", or \">= 0.1, < 0.3\".",
    );
    check(
        "wgform { required_version = upper(\"9\") }\n",
        "error: invalid version constraint
  1:29 `upper(\"9\")`: this has to be a plain text in quotes
  help: Write it as \">= 0.1\". It is read before anything else, so it can hold no expression.",
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases, one beside the other")]
fn expressions_point_at_the_part_that_is_wrong() {
    for (expression, wanted) in [
        (
            "1 + (2 / (1 - 1))",
            "error: division by zero\n  20 `(1 - 1)`: this is zero\n  help: Ask first, as in `n == 0 ? 0 : x / n`.",
        ),
        (
            "[1, 2 % 0]",
            "error: division by zero\n  19 `0`: this is zero\n  help: Ask first, as in `n == 0 ? 0 : x / n`.",
        ),
        (
            "1 + \"a\"",
            "error: value of the wrong type\n  15 `\"a\"`: a side of `+` has to be a number, and this is \"a\"\n  help: Write a number, such as `1420`.",
        ),
        (
            "[1 + true, 2 - null]",
            "error: value of the wrong type\n  16 `true`: a side of `+` has to be a number, and this is `true`\n  help: Write a number, such as `1420`.\nerror: value of the wrong type\n  26 `null`: a side of `-` has to be a number, and this is null\n  help: Write a number, such as `1420`.",
        ),
        (
            "\"a ${[1]} b\"",
            "error: value of the wrong type\n  16 `[1]`: a part of a text has to be a string, and this is a list\n  help: Write a text in quotes.",
        ),
        (
            "\"a ${interface.hub} b\"",
            "error: value of the wrong type\n  16 `interface.hub`: a part of a text has to be a string, and this is `interface.hub`\n  help: Name one of its attributes, such as `interface.hub.name`.",
        ),
        (
            "[1, 2][2]",
            "error: reference to an element that is not there\n  18 `2`: the list has 2 elements, counted from 0\n  help: For an element that may be missing, write `try(list[n], fallback)`.",
        ),
        (
            "{ region = 1 }.regoin",
            "error: reference to a key that is not there\n  26 `regoin`: there is no key `regoin` here\n  help: Did you mean `region`?",
        ),
        (
            "[{ a = 1 }].a",
            "error: value of the wrong type\n  23 `a`: what stands before a name has to be a map or an object, and this is a list\n  help: Name one element as in `[0].a`, or all with `[*].a`.",
        ),
        (
            "toset([1])[0]",
            "error: value of the wrong type\n  22 `0`: what stands before `[…]` has to be a list or a map, and this is a set\n  help: A set has no order: turn it into a list with `tolist`.",
        ),
        (
            "5 ? 1 : 2",
            "error: value of the wrong type\n  11 `5`: a condition has to be true or false, and this is `5`\n  help: Write `true`, `false` or a comparison such as `a == b`.",
        ),
        (
            "[for x in 5 : x]",
            "error: value of the wrong type\n  21 `5`: what `for` goes over has to be a list, a set or a map, and this is `5`\n  help: Write it as `[…]` for a list, as `{ name = value }` for a map or an object.",
        ),
        (
            "{ for x in [1, 1] : \"k\" => x }",
            "error: duplicate key in a map\n  31 `\"k\"`: two elements have the key \"k\"\n  help: Add `...` after the value to group the values of each key in a list.",
        ),
        (
            "upper()",
            "error: invalid function call\n  11 `upper()`: `upper` takes 1 argument, and here are 0\n  help: Call it as `upper(text)`.",
        ),
        (
            "join(\",\", [[1]])",
            "error: invalid function call\n  21 `[[1]]`: every element has to be a string, and one is a list\n  help: Call it as `join(separator, list, lists...)`.",
        ),
        (
            "upper(null)",
            "error: invalid function call\n  17 `null`: this is null, and may not be\n  help: Call it as `upper(text)`.",
        ),
        (
            "range(2000)",
            "error: invalid function call\n  11 `range(2000)`: this makes more than 1024 values\n  help: Call it as `range([start], limit, [step])`.",
        ),
        (
            "range(1, 5, -1)",
            "error: invalid function call\n  23 `-1`: a step of -1 never gets from 1 to 5\n  help: Call it as `range([start], limit, [step])`.",
        ),
        (
            "element([], 0)",
            "error: invalid function call\n  19 `[]`: an empty list has no element\n  help: Call it as `element(list, index)`.",
        ),
        (
            "lookup({}, \"a\")",
            "error: invalid function call\n  22 `\"a\"`: there is no key \"a\" in the map\n  help: Give a third argument to use when there is none.",
        ),
        (
            "coalesce(null, \"\")",
            "error: invalid function call\n  11 `coalesce(null, \"\")`: every argument is null or an empty string\n  help: Call it as `coalesce(value, values...)`.",
        ),
        (
            "format(\"%d\", \"x\")",
            "error: invalid function call\n  24 `\"x\"`: `%d` shows a whole number, and this is \"x\"\n  help: Call it as `format(template, values...)`.",
        ),
        (
            "format(\"%d %d\", 1)",
            "error: invalid function call\n  11 `format(\"%d %d\", 1)`: `%d` wants value number 2, and there is 1\n  help: Call it as `format(template, values...)`.",
        ),
        (
            "format(\"x\", 1)",
            "error: invalid function call\n  23 `1`: no verb of the template uses this value\n  help: Call it as `format(template, values...)`.",
        ),
        (
            "format(\"100%\")",
            "error: invalid function call\n  18 `\"100%\"`: the template ends inside a verb\n  help: Write a percent sign as `%%`.",
        ),
        (
            "format(\"%99999999999999999999d\", 1)",
            "error: invalid function call\n  18 `\"%99999999999999999999d\"`: a verb is at most 10000 characters wide\n  help: Call it as `format(template, values...)`.",
        ),
        (
            "replace(\"a\", \"/(/\", \"\")",
            "error: invalid function call\n  24 `\"/(/\"`: this is not a regular expression: unclosed group\n  help: Call it as `replace(text, what, with)`.",
        ),
        (
            "cidrhost(\"10.0.0.0/30\", 4)",
            "error: invalid function call\n  35 `4`: a prefix of 30 bits has no host number 4\n  help: Call it as `cidrhost(prefix, number)`.",
        ),
        (
            "cidrsubnet(\"10.0.0.0/30\", 3, 0)",
            "error: invalid function call\n  37 `3`: 3 more bits do not fit behind the 30 of the prefix\n  help: Call it as `cidrsubnet(prefix, bits, number)`.",
        ),
        (
            "cidrsubnet(\"10.0.0.0/24\", 2, 4)",
            "error: invalid function call\n  40 `4`: 2 more bits have no number 4\n  help: Call it as `cidrsubnet(prefix, bits, number)`.",
        ),
        (
            "cidrnetmask(\"fd00::/8\")",
            "error: invalid function call\n  23 `\"fd00::/8\"`: an IPv6 prefix has no netmask\n  help: Call it as `cidrnetmask(prefix)`.",
        ),
        (
            "cidrhost(\"10.0.0.0\", 1)",
            "error: invalid function call\n  20 `\"10.0.0.0\"`: \"10.0.0.0\" is not a network\n  help: Write it as \"10.8.0.0/16\" or \"fd00:8::/48\".",
        ),
        (
            "jsondecode(\"{\")",
            "error: invalid function call\n  22 `\"{\"`: this is not JSON: line 1, column 1\n  help: Call it as `jsondecode(text)`.",
        ),
        (
            "tonumber(\"x\")",
            "error: invalid function call\n  20 `\"x\"`: this has to be a number, and is \"x\"\n  help: Call it as `tonumber(value)`.",
        ),
        (
            "file(\"gone\")",
            "error: invalid function call\n  16 `\"gone\"`: `gone` cannot be read: no such file\n  help: A path is relative to the directory of the configuration.",
        ),
        (
            "env(\"GONE\")",
            "error: invalid function call\n  15 `\"GONE\"`: the environment has no `GONE`\n  help: Set it before the run, or write `try(env(\"GONE\"), null)` to go without.",
        ),
        (
            "wg_public_key(\"x\")",
            "error: invalid function call\n  25 `\"x\"`: this is not a WireGuard private key: it has 1 characters\n  help: A key is 32 bytes in base64: 44 characters, the last one `=`.",
        ),
        (
            "1e308 * 10",
            "error: number too large\n  11 `1e308 * 10`: this is beyond what a number can hold\n  help: The largest number is about 1.8e308.",
        ),
    ] {
        check_expression(expression, wanted);
    }
}

#[test]
fn where_a_peer_lives_has_to_be_known() {
    check(
        "interface \"a\" {}\npeer \"p\" {\n  interface   = interface.a.listen_port > 1 ? interface.a : interface.a\n  public_key  = null\n  allowed_ips = []\n}\n",
        "error: value that is not known yet
  3:17 `interface.a.listen_port > 1 ? interface.a : interface.a`: `interface` has to be known before anything is applied
  help: Write a value here, or refer to an argument that has one.",
    );
}

#[test]
fn a_mistake_that_many_use_is_one_mistake() {
    check(
        "locals { port = 1 / 0 }\ninterface \"a\" { listen_port = local.port }\ninterface \"b\" { listen_port = local.port }\noutput \"x\" { value = interface.a.listen_port }\n",
        "error: division by zero
  1:21 `0`: this is zero
  help: Ask first, as in `n == 0 ? 0 : x / n`.",
    );
}

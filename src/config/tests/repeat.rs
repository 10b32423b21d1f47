//! `for_each`, `count`, `enabled`, and references to instances.

use std::cell::Cell;

use crate::config::tests::{Case, check, known, shown};
use crate::config::{Computed, Edition, Wanted};
use crate::resource::{Address, Field};
use crate::value::PublicKey;

const SITES: &str = r#"
locals {
  sites = {
    berlin = { port = 51821, address = "10.8.1.1/24" }
    lyon   = { port = 51822, address = "10.8.2.1/24" }
  }
}
interface "site" {
  for_each    = local.sites
  listen_port = each.value.port
  addresses   = [each.value.address]
}
peer "hub_to" {
  for_each    = local.sites
  interface   = interface.site["berlin"]
  public_key  = interface.site[each.key].public_key
  allowed_ips = ["10.9.${each.value.port - 51820}.0/24"]
}
"#;

fn resources(case: &Case) -> Vec<String> {
    case.with(|_, evaluator, problems| {
        assert_eq!(shown(&problems), "");
        evaluator.resources().iter().map(ToString::to_string).collect()
    })
}

#[test]
fn for_each_makes_an_instance_with_each_key() {
    let case = Case::new(SITES);
    let all = [
        "interface.site[\"berlin\"]",
        "interface.site[\"lyon\"]",
        "peer.hub_to[\"berlin\"]",
        "peer.hub_to[\"lyon\"]",
    ];
    assert_eq!(resources(&case), all);
    let lyon = case.desired("interface.site[\"lyon\"]");
    assert_eq!(known(&lyon, "listen_port"), "Number(51822)");
    assert!(lyon.depends_on.is_empty());
    let peer = case.desired("peer.hub_to[\"lyon\"]");
    let used: Vec<_> = peer.depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(used, ["interface.site[\"berlin\"]", "interface.site[\"lyon\"]"]);
    assert_eq!(known(&peer, "allowed_ips"), "Prefixes({10.9.2.0/24})");
}

#[test]
fn a_set_and_a_number_make_instances_too() {
    let case = Case::new(
        "interface \"a\" {\n  for_each = toset([\"x\", \"y\"])\n  description = \"${each.key} ${each.value}\"\n}\n\
         interface \"b\" {\n  count = 2\n  name = \"wg${count.index}\"\n}\n\
         output \"names\" { value = [interface.b[*].name, [for it in interface.a : it.description], interface.b[1].name] }\n",
    );
    assert_eq!(known(&case.desired("interface.a[\"y\"]"), "description"), "Text(\"y y\")");
    assert_eq!(known(&case.desired("interface.b[1]"), "name"), "Text(\"wg1\")");
    assert_eq!(case.output("names"), r#"[["wg0","wg1"],["x x","y y"],"wg1"]"#);
}

#[test]
fn what_is_not_enabled_is_null_for_others() {
    let text = "variable \"on\" { default = false }\n\
         interface \"a\" {\n  lifecycle { enabled = var.on }\n}\n\
         output \"a\" { value = interface.a == null }\n\
         output \"port\" { value = try(interface.a.mtu, \"none\") }\n";
    let case = Case::new(text);
    assert_eq!(resources(&case), Vec::<String>::new());
    assert_eq!(case.output("a"), "true");
    assert_eq!(case.output("port"), "\"none\"");
    assert_eq!(resources(&Case::new(text).var("on", "true")), ["interface.a"]);
}

#[test]
fn values_may_be_known_later_than_keys() {
    let text = "interface \"a\" {\n  for_each = toset([\"x\"])\n}\n\
         peer \"p\" {\n  for_each = { for k, it in interface.a : k => it.public_key }\n\
           interface = interface.a[each.key]\n  public_key = each.value\n  allowed_ips = []\n}\n";
    let key: crate::value::PublicKey =
        "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=".parse().unwrap();
    let case = Case::new(text);
    assert_eq!(known(&case.desired("peer.p[\"x\"]"), "public_key"), "unknown");
    let case = case.known("interface.a[\"x\"]", "public_key", Field::PublicKey(key));
    assert!(known(&case.desired("peer.p[\"x\"]"), "public_key").contains("HIgo9xNz"));
}

#[test]
fn backends_can_be_repeated() {
    let case = Case::new(
        "backend \"local\" \"site\" {\n  for_each = toset([\"a\", \"b\"])\n  netns = each.key\n  display_name = \"Site ${each.key}\"\n}\n\
         interface \"w\" {\n  for_each = toset([\"a\", \"b\"])\n  backend = backend.site[each.key]\n  description = backend.site[each.key].display_name\n}\n",
    );
    case.with(|_, evaluator, _| {
        let backends = evaluator.backends().unwrap_or_else(|it| panic!("{}", shown(&it)));
        let ids: Vec<_> = backends.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["site[\"a\"]", "site[\"b\"]"]);
        assert_eq!(backends[1].display_name.as_deref(), Some("Site b"));
    });
    let b = case.desired("interface.w[\"b\"]");
    assert_eq!(b.backend.as_ref().unwrap().as_str(), "site[\"b\"]");
    assert_eq!(known(&b, "description"), "Text(\"Site b\")");
}

#[test]
fn keys_that_cannot_be_had_are_refused() {
    check(
        "interface \"a\" {}\nvariable \"s\" {\n  sensitive = true\n  default = \"x\"\n}\n\
         interface \"b\" {\n  for_each = toset([interface.a.public_key])\n}\n\
         interface \"c\" {\n  for_each = toset([var.s])\n}\n\
         interface \"d\" {\n  for_each = [\"x\"]\n}\n\
         interface \"e\" {\n  count = interface.a.listen_port\n}\n\
         interface \"f\" {\n  count = -1\n}\n\
         interface \"g\" {\n  lifecycle { enabled = var.s == \"x\" }\n}\n\
         interface \"h\" {\n  count = 1\n  for_each = {}\n}\n\
         interface \"i\" {\n  description = each.key\n}\n\
         interface \"j\" {\n  count = 1\n  description = count.key\n}\n\
         output \"o\" { value = interface.j.name }\n",
        "error: instances that are not known before the apply
  7:14 `toset([interface.a.public_key])`: `for_each` is known after apply only
  help: Use keys that are written in the configuration, and let only the values depend on what a device makes.
error: sensitive value in the keys of instances
  10:14 `toset([var.s])`: `for_each` is sensitive
  help: Keys are in addresses, which are shown. Use keys that are no secret, or `nonsensitive(…)` if these are none.
error: value of the wrong type
  13:14 `[\"x\"]`: `for_each` has to be a map or a set of strings, and this is a list
  help: Make it a set with `toset(…)`, or a map with `{ for it in … : it.name => it }`: an instance is found by its key, not by its place.
error: instances that are not known before the apply
  16:11 `interface.a.listen_port`: `count` is known after apply only
  help: Use keys that are written in the configuration, and let only the values depend on what a device makes.
error: value of the wrong type
  19:11 `-1`: `count` has to be a whole number from 0 to 1000000, and this is `-1`
  help: Write how many instances there are, such as `2`.
error: sensitive value in the keys of instances
  22:25 `var.s == \"x\"`: `enabled` is sensitive
  help: Keys are in addresses, which are shown. Use keys that are no secret, or `nonsensitive(…)` if these are none.
error: block repeated in two ways
  25:3 `count`: `count` cannot stand beside `for_each`
  26:3 `for_each`: `for_each` is here
  help: Keep one of them. What decides whether there is an instance can be a condition in a `for`.
error: key of an instance outside of a repeated block
  29:17 `each.key`: there is no `for_each` around this
  help: `each` is for the arguments of a block with `for_each`.
error: reference to an unknown name
  33:17 `count.key`: this is no part of an instance
  help: Write `count.index`.
error: reference to a repeated block as if it were one
  35:34 `name`: this block has instances, and none of them is `name`
  help: Name an instance, as in `[0].name`, or all, as in `[*].name`.",
    );
}

#[test]
fn a_mistake_in_many_instances_is_one_mistake() {
    check(
        "interface \"a\" {\n  for_each = toset([\"x\", \"y\", \"z\"])\n  mtu = 1\n}\n\
         interface \"b\" {\n  for_each = { x = 1420, y = 2, z = 3 }\n  mtu = each.value\n}\n",
        "error: invalid value
  3:9 `1`: `mtu` is an MTU, a number from 576 to 65535, not `1`
  1:1 `interface \"a\"`: in `interface.a[\"x\"]`, and in 2 others
  help: Write it as `mtu = 1420`.
error: invalid value
  7:9 `each.value`: `mtu` is an MTU, a number from 576 to 65535, not `2`
  5:1 `interface \"b\"`: in `interface.b[\"y\"]`
  help: Write it as `mtu = 1420`.
error: invalid value
  7:9 `each.value`: `mtu` is an MTU, a number from 576 to 65535, not `3`
  5:1 `interface \"b\"`: in `interface.b[\"z\"]`
  help: Write it as `mtu = 1420`.",
    );
}

#[test]
fn blocks_that_go_over_each_other_are_a_circle() {
    check(
        "interface \"a\" {\n  for_each = interface.b\n}\ninterface \"b\" {\n  for_each = interface.a\n}\n\
         interface \"c\" {\n  count = length(interface.c)\n}\n",
        "error: circular references
  2:14 `interface.b`: `interface.a` refers to `interface.b` here
  5:14 `interface.a`: `interface.b` refers to `interface.a` here
  help: Replace one of these references by a value.
error: circular references
  8:18 `interface.c`: `interface.c` refers to `interface.c` here
  help: Replace one of these references by a value.",
    );
}

#[test]
fn ten_thousand_instances_take_no_longer_each() {
    let text = "locals {\n  all = { for i in flatten([for a in range(100) : [for b in range(100) : a * 100 + b]]) : format(\"p%05d\", i) => cidrhost(\"10.0.0.0/8\", i) }\n}\n\
         interface \"hub\" {}\n\
         peer \"p\" {\n  for_each = local.all\n  interface = interface.hub\n  public_key = null\n  allowed_ips = [each.value]\n}\n\
         output \"n\" { value = length(peer.p) }\n";
    let case = Case::new(text);
    assert_eq!(resources(&case).len(), 10_001);
    assert_eq!(case.problems(), "");
    assert_eq!(case.output("n"), "10000");
}

#[test]
fn a_peer_knows_whose_key_it_has_also_by_a_map_of_many() {
    let case = Case::new(
        "interface \"wg\" {\n  for_each = toset([\"a\", \"b\", \"c\"])\n}\n\
         locals { keys = { for k, it in interface.wg : k => it.public_key } }\n\
         peer \"p\" {\n  for_each = { x = local.keys.b }\n  interface = interface.wg[\"a\"]\n  public_key = each.value\n  allowed_ips = []\n}\n\
         peer \"q\" {\n  interface = interface.wg[\"a\"]\n  public_key = local.keys[\"c\"]\n  allowed_ips = []\n}\n",
    );
    let far = |address: &str| case.desired(address).far.map(|it| it.to_string());
    assert_eq!(far("peer.p[\"x\"]").as_deref(), Some("interface.wg[\"b\"]"));
    assert_eq!(far("peer.q").as_deref(), Some("interface.wg[\"c\"]"));
}

#[test]
fn what_keys_are_made_of_comes_first() {
    let case = Case::new(
        "interface \"hub\" { addresses = [\"10.0.0.1/24\"] }\ninterface \"x\" {\n  count = length(interface.hub.addresses)\n}\n",
    );
    let used = case.desired("interface.x[0]").depends_on;
    assert_eq!(used.iter().map(ToString::to_string).collect::<Vec<_>>(), ["interface.hub"]);
}

#[test]
fn what_is_wrong_with_keys_is_said_whoever_asks_first() {
    let case = Case::new(
        "wgform {\n  state \"local\" { path = \"${local.b}.json\" }\n}\nlocals { b = try(backend.site[\"a\"].id, \"none\") }\n\
         backend \"local\" \"site\" {\n  for_each = [\"a\"]\n}\n\
         interface \"i\" {\n  for_each = toset([\"a\\nb\"])\n}\n\
         peer \"p\" {\n  interface = interface.i\n  public_key = null\n  allowed_ips = []\n}\n",
    );
    let problems = case.problems();
    assert!(problems.contains("`for_each` has to be a map or a set of strings"), "{problems}");
    assert!(problems.contains("the key \"a\\nb\" has a control character"), "{problems}");
}

#[test]
fn a_name_that_is_made_of_a_key_is_checked_like_one_that_is_written() {
    let case = Case::new(
        "backend \"pfsense\" \"f\" {\n  api_url = \"https://192.0.2.1\"\n  api_key = env(\"KEY\")\n}\n\
         backend \"routeros\" \"r\" {\n  api_url = \"https://192.0.2.2\"\n  api_user = \"wgform\"\n  api_password = env(\"KEY\")\n}\n\
         interface \"f\" { backend = backend.f }\n\
         interface \"r\" {\n  for_each = toset([\"a,b\"])\n  backend = backend.r\n}\n\
         peer \"p\" {\n  for_each = toset([\"a: b\"])\n  interface = interface.f\n  public_key = null\n  allowed_ips = [\"10.0.0.0/24\"]\n}\n",
    )
    .env("KEY", "x");
    let problems = case.problems();
    assert!(problems.contains("11:1 `interface \"r\"`: `name` has characters in it"), "{problems}");
    assert!(
        problems.contains("15:1 `peer \"p\"`: there is `: ` in the name that comes from"),
        "{problems}"
    );
}

/// Knows the key of every interface, and counts how often it is asked.
struct Counting {
    key: PublicKey,
    edition: Edition,
    asked: Cell<usize>,
}

impl Counting {
    fn new(byte: u8) -> Self {
        let key = PublicKey::from_bytes([byte; 32]);
        Self { key, edition: Edition::new(), asked: Cell::new(0) }
    }
}

impl Computed for Counting {
    fn computed(&self, _: &Address, attribute: &'static str) -> Option<Field> {
        self.asked.set(self.asked.get() + 1);
        (attribute == "public_key").then_some(Field::PublicKey(self.key))
    }

    fn edition(&self) -> Edition {
        self.edition
    }
}

#[test]
fn values_that_a_device_makes_are_evaluated_once_for_all_instances() {
    let case = Case::new(
        "interface \"hub\" {}\ninterface \"site\" { for_each = local.keys }\n\
         locals {\n  keys = toset([for n in range(100) : \"k${n}\"])\n  \
         peers = { for k in local.keys : k => { key = interface.site[k].public_key } }\n}\n\
         peer \"site\" {\n  for_each = local.peers\n  interface = interface.hub\n  \
         public_key = each.value.key\n  allowed_ips = []\n}\n",
    );
    case.with(|_, evaluator, problems| {
        assert_eq!(shown(&problems), "");
        let peers = || evaluator.resources().iter().filter(|it| &*it.label == "site");
        for known in [Counting::new(1), Counting::new(2)] {
            for peer in peers().filter(|it| it.kind == crate::resource::Kind::Peer) {
                let desired = evaluator.resource(peer, &known).unwrap();
                // What was kept with other answers is not taken for these.
                let wanted = Wanted::Known(Field::PublicKey(known.key));
                assert_eq!(desired.fields["public_key"], wanted);
            }
            // Once for the key of each, and a few things of each peer by itself.
            assert!(known.asked.get() < 1_000, "{}", known.asked.get());
        }
    });
}

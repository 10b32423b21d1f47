//! Resources, from HCL to what is wanted.

use crate::config::tests::{Case, PRIVATE, PSK, PUBLIC, known};
use crate::config::{Driver, Transport};
use crate::resource::Field;

const QUICKSTART: &str = r#"
wgform {
  required_version = ">= 0.1"
  default_backend  = backend.hq
  state "local" { path = "my.state.json" }
}

backend "local" "hq" {
  simulate = true
}
backend "local" "branch" {
  simulate     = true
  netns        = "branch"
  driver       = "userspace"
  display_name = "The branch"
}

interface "hq" {
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24", "fd00:8::1/64"]
}

interface "branch" {
  backend     = backend.branch
  listen_port = 13231
  addresses   = ["10.8.0.2/24"]
}

preshared_key "link" {}

peer "hq_to_branch" {
  interface            = interface.hq
  public_key           = interface.branch.public_key
  preshared_key        = preshared_key.link
  endpoint             = "branch.example.com:${interface.branch.listen_port}"
  allowed_ips          = ["10.8.0.2/32", "10.20.0.0/16"]
  persistent_keepalive = "25s"
}
"#;

#[test]
fn the_first_configuration_of_a_user_is_understood() {
    let case = Case::new(QUICKSTART);
    assert_eq!(case.problems(), "");
    case.with(|_, evaluator, _| {
        let settings = evaluator.settings().unwrap();
        assert_eq!(settings.default_backend.unwrap().as_str(), "hq");
        assert_eq!(settings.state_path.to_str(), Some("my.state.json"));
        let backends = evaluator.backends().unwrap();
        let ids: Vec<_> = backends.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, ["hq", "branch"]);
        assert_eq!(backends[1].display_name.as_deref(), Some("The branch"));
        let netns = Some("branch".to_owned());
        assert_eq!(
            backends[1].transport,
            Transport::Local { netns, driver: Driver::Userspace, userspace_program: None }
        );
        let order: Vec<_> = evaluator.resources().iter().map(ToString::to_string).collect();
        let wanted =
            ["interface.hq", "interface.branch", "preshared_key.link", "peer.hq_to_branch"];
        assert_eq!(order, wanted);
    });
    let peer = case.desired("peer.hq_to_branch");
    assert_eq!(peer.backend.as_ref().unwrap().as_str(), "hq");
    assert_eq!(known(&peer, "public_key"), "unknown");
    assert_eq!(known(&peer, "persistent_keepalive"), "Keepalive(Keepalive(Some(25)))");
    assert_eq!(known(&peer, "enabled"), "Bool(true)");
    assert_eq!(known(&peer, "interface"), "unset");
    let port = "Endpoint(Endpoint { host: Name(\"branch.example.com\"), port: 13231 })";
    assert_eq!(known(&peer, "endpoint"), port);
    let references: Vec<_> = peer.references.values().map(ToString::to_string).collect();
    assert_eq!(references, ["interface.hq", "preshared_key.link"]);
    let depends_on: Vec<_> = peer.depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(depends_on, ["interface.branch", "interface.hq", "preshared_key.link"]);
    assert_eq!(case.desired("interface.branch").backend.unwrap().as_str(), "branch");
}

#[test]
fn what_a_device_made_is_known_once_it_is_computed() {
    let key = Field::PublicKey(PUBLIC.parse().unwrap());
    let case = Case::new(QUICKSTART).known("interface.branch", "public_key", key);
    let peer = case.desired("peer.hq_to_branch");
    assert_eq!(known(&peer, "public_key"), format!("PublicKey(PublicKey({PUBLIC}))"));
}

#[test]
fn a_private_key_that_is_written_makes_the_public_key_known() {
    let case = Case::new(
        "variable \"key\" { sensitive = true }\n\
         interface \"a\" { private_key = var.key }\n\
         output \"key\" { value = interface.a.public_key }\n\
         output \"same\" { value = wg_public_key(trimspace(file(\"key.txt\"))) }\n",
    )
    .var("key", PRIVATE);
    assert_eq!(case.output("key"), format!("\"{PUBLIC}\""));
    assert_eq!(case.output("same"), format!("\"{PUBLIC}\""));
}

#[test]
fn the_implicit_backend_is_local() {
    let case = Case::new("interface \"a\" {}\noutput \"x\" { value = interface.a.backend.id }\n");
    assert_eq!(case.desired("interface.a").backend.unwrap().as_str(), "local");
    assert_eq!(case.output("x"), "\"local\"");
    case.with(|_, evaluator, _| {
        let backends = evaluator.backends().unwrap();
        assert_eq!(backends.len(), 1);
        assert_eq!(backends[0].span, None);
        assert_eq!(evaluator.settings().unwrap().state_path.to_str(), Some("wgform.state.json"));
    });
}

#[test]
fn a_peer_without_a_key_is_pending() {
    let case = Case::new(
        "interface \"a\" {}\npeer \"p\" {\n  interface = interface.a\n  public_key = null\n  allowed_ips = []\n}\n",
    );
    let peer = case.desired("peer.p");
    assert!(peer.is_pending);
    assert_eq!(known(&peer, "allowed_ips"), "Prefixes({})");
    assert_eq!(known(&peer, "public_key"), "unset");
}

#[test]
fn a_pre_shared_key_is_a_secret_a_resource_or_none() {
    let peer = |value: &str| {
        let text = format!(
            "variable \"psk\" {{}}\npreshared_key \"k\" {{ adopt_from = peer.p }}\ninterface \"a\" {{}}\n\
             peer \"p\" {{\n  interface = interface.a\n  public_key = null\n  allowed_ips = []\n  preshared_key = {value}\n}}\n"
        );
        Case::new(&text).var("psk", PSK).desired("peer.p")
    };
    assert_eq!(known(&peer("\"none\""), "preshared_key"), "PresharedKey(None)");
    assert_eq!(known(&peer("var.psk"), "preshared_key"), "PresharedKey(Some(PresharedKey(…)))");
    assert_eq!(known(&peer("null"), "preshared_key"), "unset");
    assert_eq!(peer("preshared_key.k").references["preshared_key"].to_string(), "preshared_key.k");
}

#[test]
fn a_name_that_was_fixed_wins_over_the_label() {
    let text = "interface \"a\" {}\noutput \"x\" { value = interface.a.name }\n";
    assert_eq!(Case::new(text).output("x"), "\"a\"");
    let fixed = Case::new(text).known("interface.a", "name", Field::Text("wg7".to_owned()));
    assert_eq!(fixed.output("x"), "\"wg7\"");
}

#[test]
fn a_sensitive_value_in_an_attribute_that_is_no_secret_is_marked() {
    let case = Case::new(
        "variable \"note\" { sensitive = true }\n\
         interface \"a\" {\n  description = \"note: ${upper(var.note)}\"\n  fwmark = 7\n}\n",
    )
    .var("note", "x");
    let desired = case.desired("interface.a");
    assert_eq!(desired.sensitive.iter().copied().collect::<Vec<_>>(), ["description"]);
    assert_eq!(known(&desired, "description"), "Text(\"note: X\")");
}

#[test]
fn resources_come_after_what_they_refer_to_and_else_in_source_order() {
    let case = Case::new(
        "interface \"z\" { description = local.all }\nlocals { all = join(\",\", local.names) }\n\
         locals { names = [interface.c.name, interface.b.name] }\n\
         interface \"b\" {}\ninterface \"c\" {}\n\
         interface \"a\" { depends_on = [interface.z] }\n",
    );
    case.with(|_, evaluator, _| {
        let order: Vec<_> = evaluator.resources().iter().map(|it| &*it.label).collect();
        assert_eq!(order, ["b", "c", "z", "a"]);
    });
    assert_eq!(known(&case.desired("interface.z"), "description"), "Text(\"c,b\")");
    let depends_on = case.desired("interface.a").depends_on;
    assert_eq!(depends_on.iter().map(|it| &*it.label).collect::<Vec<_>>(), ["z"]);
}

#[test]
fn an_attribute_that_is_written_keeps_its_order_for_those_who_refer_to_it() {
    let case = Case::new(
        "interface \"a\" { addresses = [\"10.9.0.1/24\", \"10.8.0.1/24\"] }\n\
         output \"x\" { value = interface.a.addresses[0] }\n",
    );
    assert_eq!(case.output("x"), "\"10.9.0.1/24\"");
}

#[test]
fn what_depends_on_a_device_is_asked_for_again() {
    let case = Case::new(
        "interface \"a\" {}\nlocals { port = interface.a.listen_port }\noutput \"x\" { value = local.port }\n",
    );
    case.with(|_, evaluator, _| {
        let outputs = evaluator.outputs(&crate::config::AllUnknown).unwrap();
        assert_eq!(outputs["x"].value, None);
        let later = Case::default().known("interface.a", "listen_port", Field::Number(7));
        let outputs = evaluator.outputs(&later.computed).unwrap();
        assert_eq!(outputs["x"].value, Some(7.into()));
    });
}

#[test]
fn an_interface_is_a_value_that_can_be_handed_on() {
    let case = Case::new(
        "locals { hub = interface.a }\ninterface \"a\" { listen_port = 5 }\n\
         peer \"p\" {\n  interface = local.hub\n  public_key = null\n  allowed_ips = []\n}\n\
         output \"x\" { value = \"${peer.p.interface.listen_port} ${local.hub.name}\" }\n",
    );
    assert_eq!(case.desired("peer.p").references["interface"].to_string(), "interface.a");
    assert_eq!(case.output("x"), "\"5 a\"");
}

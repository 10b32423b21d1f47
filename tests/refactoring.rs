//! `moved`, `removed`, `import` and `state mv`, as somebody meets them who runs the program.

#![expect(clippy::disallowed_methods, reason = "a test makes a directory")]

mod harness;

use serde_json::Value as Json;
use wgform::value::PrivateKey;

use crate::harness::Project;
use crate::harness::devices::{ask_router, router};

const BEFORE: &str = r#"
backend "local" "hq" {
  simulate = true
}

interface "berlin" {
  persist     = "none"
  listen_port = 51820
}

peer "laptop" {
  interface   = interface.berlin
  public_key  = wg_public_key("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
  allowed_ips = ["10.8.0.2/32"]
}
"#;

const ROUTER: &str = r#"
backend "routeros" "branch" {
  simulate     = true
  api_url      = "https://192.0.2.1"
  api_user     = "wgform"
  api_password = sensitive("secret")
}
"#;

fn applied() -> Project {
    let project = Project::new(BEFORE);
    project.run("apply -auto-approve").ends(0);
    project
}

/// Renames the interface, with its references.
fn rename(project: &Project, with_moved: bool) {
    let moved = "moved {\n  from = interface.berlin\n  to   = interface.hamburg\n}\n";
    let text = BEFORE
        .replace("\"berlin\"", "\"hamburg\"")
        .replace("interface.berlin", "interface.hamburg");
    project.configure(&(text + if with_moved { moved } else { "" }));
}

fn links(project: &Project) -> Json {
    project.host("hq")["links"].clone()
}

#[test]
fn renaming_a_site_changes_nothing_on_its_device() {
    let project = applied();
    let before = links(&project);
    rename(&project, true);
    project.run("validate").ends(0);
    project.run("drift").ends(0).says("No drift.");
    let planned = project.run("plan -detailed-exitcode").ends(2);
    planned
        .says("# interface.berlin has moved to interface.hamburg")
        .says("0 to add, 0 to change, 0 to destroy, 1 moved.");
    project.run("state list").ends(0).says("interface.berlin");
    let done = project.run_with("apply", "yes\n").ends(0);
    done.says("Resources: 0 added, 0 changed, 0 destroyed, 1 moved.");
    assert_eq!(links(&project), before);
    project.run("state list").ends(0).says("interface.hamburg").says_no("interface.berlin");
    project.run("plan -detailed-exitcode").ends(0).says("No changes.");
}

#[test]
fn a_move_that_is_declined_is_not_recorded() {
    let project = applied();
    rename(&project, true);
    project.run_with("apply", "no\n").ends(1);
    project.run("state list").ends(0).says("interface.berlin");
}

#[test]
fn moving_in_the_state_is_the_same() {
    let project = applied();
    rename(&project, false);
    let would = project.run("state mv -dry-run interface.berlin interface.hamburg").ends(0);
    would.says("Would move `interface.berlin` to `interface.hamburg`.");
    project.run("state list").ends(0).says("interface.berlin");
    let done = project.run("state mv interface.berlin interface.hamburg").ends(0);
    done.says("Moved `interface.berlin` to `interface.hamburg`.");
    project.run("plan -detailed-exitcode").ends(0);
    project.run("state show peer.laptop").ends(0).says("interface.hamburg");
}

#[test]
fn modules_and_instances_are_moved_in_the_state() {
    let project = applied();
    project.run("state mv interface.berlin module.berlin.interface.hub").ends(0);
    project.run("state mv peer.laptop module.berlin.peer.laptop").ends(0);
    let done = project.run("state mv module.berlin 'module.site[\"berlin\"]'").ends(0);
    done.says("Moved `module.berlin.interface.hub` to `module.site[\"berlin\"].interface.hub`.")
        .says("Moved `module.berlin.peer.laptop` to `module.site[\"berlin\"].peer.laptop`.");
    project.run("state mv 'module.site[\"berlin\"].peer.laptop' 'peer.rw[\"alice\"]'").ends(0);
    project.run("state mv peer.rw peer.users").ends(0).says("to `peer.users[\"alice\"]`");
    project
        .run("state show 'peer.users[\"alice\"]'")
        .ends(0)
        .says(r#"module.site[\"berlin\"].interface.hub"#);
    project.run("state mv 'module.site[\"berlin\"].interface.hub' interface.berlin").ends(0);
    project.run("state mv 'peer.users[\"alice\"]' peer.laptop").ends(0);
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn a_move_in_the_state_has_the_rules_of_the_block() {
    let project = applied();
    for (words, told) in [
        ("interface.berlin interface.berlin", "`interface.berlin` would stay where it is"),
        ("interface.berlin peer.laptop", "they are of different kinds"),
        ("interface.berlin module.berlin", "they are of different kinds"),
        ("interface.bremen interface.berlin", "the state has no resource `interface.bremen`"),
        ("module.berlin module.bremen", "the state has no module `module.berlin`"),
        ("interface interface.berlin", "is not the address of a resource or a module"),
    ] {
        project.run(&format!("state mv {words}")).ends(1).tells(told);
    }
    project.run("state mv peer.laptop module.m.peer.a").ends(0);
    project.run("state mv module.m module.m.module.m").ends(1).tells("which is a part of it");
    rename(&project, true);
    project.run("state mv module.m.peer.a peer.a").ends(0);
    project.run("state list").says("peer.a");
}

#[test]
fn what_the_state_has_already_is_not_moved_over() {
    let project =
        Project::new(&(BEFORE.to_owned() + "interface \"side\" {\n  persist = \"none\"\n}\n"));
    project.run("apply -auto-approve").ends(0);
    let refused = project.run("state mv interface.side interface.berlin").ends(1);
    refused
        .tells("`interface.side` cannot become `interface.berlin`: the state has that one already");
}

#[test]
fn what_is_left_alone_can_be_taken_back() {
    let project = applied();
    let before = links(&project);
    let key = PrivateKey::from_bytes([1; 32]).public();
    let (head, peer) = BEFORE.split_at(BEFORE.find("peer \"laptop\"").unwrap());
    let removed = "removed {\n  from = peer.laptop\n  lifecycle {\n    destroy = false\n  }\n}\n";
    project.configure(&format!("{head}{removed}"));
    let planned = project.run("plan -detailed-exitcode").ends(2);
    planned.says("will no longer be managed, and stays as it is (as the `removed` block at main.wg.hcl:11 says)");
    project
        .run("apply -auto-approve")
        .ends(0)
        .says("1 forgotten")
        .tells("peer.laptop: no longer managed");
    assert_eq!(links(&project), before);
    project.run("plan -detailed-exitcode").ends(0).says(&key.to_string());
    let import = format!(
        "import {{\n  to = peer.laptop\n  id = \"${{interface.berlin.public_key}}/{key}\"\n}}\n"
    );
    project.configure(&format!("{head}{peer}{import}"));
    project.run("plan").ends(1).tells("value that is not known yet");
    project.edit("${interface.berlin.public_key}", "berlin");
    let planned = project.run("plan -detailed-exitcode").ends(2);
    planned
        .says("peer.laptop will be imported from berlin/")
        .says("Plan: 1 to import, 0 to add, 0 to change, 0 to destroy.");
    project.run("apply -auto-approve").ends(0).says("Resources: 1 imported, 0 added");
    assert_eq!(links(&project), before);
    project.run("plan -detailed-exitcode").ends(0).says("No changes.");
}

#[test]
fn a_target_is_found_by_its_old_and_its_new_address() {
    let project = applied();
    rename(&project, true);
    project.edit("51820", "51821");
    for address in ["interface.berlin", "interface.hamburg"] {
        let planned = project.run(&format!("plan -target={address}")).ends(0);
        planned.says("# (moved from interface.berlin)").says("Moves are recorded whole");
        let replaced = project.run(&format!("plan -replace={address}")).ends(0);
        replaced.says("interface.hamburg").says("as `-replace` asks");
    }
    project.run("plan -target=interface.bremen").ends(1);
}

#[test]
fn routers_say_what_they_call_their_own() {
    let project = Project::new(ROUTER);
    project.run("backend test").ends(0);
    let at = router(&project, "branch");
    let made =
        ask_router(&at, "PUT", "interface/wireguard", r#"{"name":"wg7","listen-port":"13231"}"#);
    let interface = made[".id"].as_str().unwrap().to_owned();
    let key = PrivateKey::from_bytes([9; 32]).public();
    let body = |name: &str, key: &str| {
        format!(
            r#"{{"interface":"wg7","public-key":"{key}","name":"{name}","allowed-address":"10.8.0.2/32"}}"#
        )
    };
    let made = ask_router(&at, "PUT", "interface/wireguard/peers", &body("anna", &key.to_string()));
    let peer = made[".id"].as_str().unwrap().to_owned();
    drop(at);
    for id in [peer.as_str(), "anna", &format!("wg7/{key}")] {
        project.configure(&format!(
            "{ROUTER}\
             interface \"hub\" {{}}\n\
             peer \"anna\" {{\n  interface = interface.hub\n  public_key = \"{key}\"\n  allowed_ips = [\"10.8.0.2/32\"]\n}}\n\
             import {{\n  to = interface.hub\n  id = \"{interface}\"\n}}\n\
             import {{\n  to = peer.anna\n  id = \"{id}\"\n}}\n"
        ));
        let planned = project.run("plan -detailed-exitcode").ends(2);
        planned.says("Plan: 2 to import, 0 to add, 0 to change, 0 to destroy.");
    }
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0);
    project.edit(&format!("wg7/{key}"), "nobody");
    project.run("plan -detailed-exitcode").ends(0);
}

/// A site: an interface whose name comes from its address, and a peer on it.
const SITE: &str = r#"
variable "port" {}

interface "hub" {
  persist     = "none"
  listen_port = var.port
}

peer "laptop" {
  interface   = interface.hub
  public_key  = wg_public_key("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
  allowed_ips = ["10.8.0.2/32"]
}
"#;

/// Sites in one module, and what else is to be said.
fn sites(map: &str, more: &str) -> String {
    format!(
        "backend \"local\" \"hq\" {{\n  simulate = true\n}}\n\
         module \"site\" {{\n  source   = \"./site\"\n  for_each = {{ {map} }}\n  port     = each.value\n}}\n{more}"
    )
}

fn moves(from: &str, to: &str) -> String {
    format!("moved {{\n  from = {from}\n  to   = {to}\n}}\n")
}

fn of_sites(map: &str) -> Project {
    let project = Project::new(&sites(map, ""));
    std::fs::create_dir(project.path().join("site")).unwrap();
    project.add("site/main.wg.hcl", SITE);
    project.run("apply -auto-approve").ends(0);
    project
}

/// Demands that a plan only moves, and that nothing changes on the device by it.
fn only_moves(project: &Project, number: usize) {
    let before = links(project);
    let planned = project.run("plan -detailed-exitcode").ends(2);
    planned.says(&format!("Plan: 0 to add, 0 to change, 0 to destroy, {number} moved."));
    project.run("apply -auto-approve").ends(0);
    assert_eq!(links(project), before);
    project.run("plan -detailed-exitcode").ends(0).says("No changes.");
}

#[test]
fn a_site_of_a_module_gets_another_key() {
    let project = of_sites("berlin = 51820, lyon = 51821");
    let moved = moves("module.site[\"berlin\"]", "module.site[\"hamburg\"]");
    project.configure(&sites("hamburg = 51820, lyon = 51821", &moved));
    only_moves(&project, 2);
    project.run("state list").says("module.site[\"hamburg\"].interface.hub").says_no("berlin");
    project.configure(&sites("berlin = 51820, hamburg = 51820, lyon = 51821", &moved));
    project.run("plan").ends(1).tells("moved resource that is still declared");
}

#[test]
fn a_module_moves_whole_and_a_resource_within_it() {
    let project = of_sites("berlin = 51820, lyon = 51821");
    project.configure(
        &sites("berlin = 51820, lyon = 51821", &moves("module.site", "module.place"))
            .replace("module \"site\"", "module \"place\""),
    );
    project.add(
        "site/main.wg.hcl",
        &(SITE.replace("\"laptop\"", "\"pc\"") + &moves("peer.laptop", "peer.pc")),
    );
    only_moves(&project, 4);
    project.run("state list").says("module.place[\"lyon\"].peer.pc");
}

#[test]
fn a_site_is_left_alone_with_all_that_is_in_it() {
    let project = of_sites("berlin = 51820, lyon = 51821");
    let before = links(&project);
    let removed =
        "removed {\n  from = module.site[\"berlin\"]\n  lifecycle {\n    destroy = false\n  }\n}\n";
    project.configure(&sites("lyon = 51821", removed));
    let planned = project.run("plan -detailed-exitcode").ends(2);
    planned.says("Plan: 0 to add, 0 to change, 0 to destroy, 2 to forget.");
    project.run("apply -auto-approve").ends(0);
    assert_eq!(links(&project), before);
    project.run("state list").says_no("berlin").says("module.site[\"lyon\"].peer.laptop");
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn resources_move_into_a_repeated_block_and_out_of_it() {
    let project = applied();
    let peer = |head: &str| BEFORE.replace("peer \"laptop\" {", head);
    project.configure(
        &(peer("peer \"rw\" {\n  for_each = toset([\"alice\"])")
            + &moves("peer.laptop", "peer.rw[\"alice\"]")),
    );
    only_moves(&project, 1);
    project.configure(
        &(peer("peer \"pc\" {")
            + &moves("peer.laptop", "peer.rw[\"alice\"]")
            + &moves("peer.rw[\"alice\"]", "peer.pc")),
    );
    only_moves(&project, 1);
    // A block that gets a number keeps its first instance without being told.
    project.configure(&peer("peer \"pc\" {\n  count = 1"));
    only_moves(&project, 1);
    project.run("state list").says("peer.pc[0]");
    project.configure(&peer("peer \"pc\" {"));
    only_moves(&project, 1);
}

#[test]
fn an_import_takes_over_every_instance() {
    let project = applied();
    let key = PrivateKey::from_bytes([1; 32]).public();
    project.run("state rm peer.laptop").ends(0);
    let import = format!(
        "import {{\n  for_each = {{ alice = \"{key}\" }}\n  to = peer.rw[each.key]\n  id = \"berlin/${{each.value}}\"\n}}\n"
    );
    let text =
        BEFORE.replace("peer \"laptop\" {", "peer \"rw\" {\n  for_each = toset([\"alice\"])");
    project.configure(&(text + &import));
    project.run("plan -detailed-exitcode").ends(2).says("peer.rw[\"alice\"] will be imported");
    project.run("apply -auto-approve").ends(0);
    project.run("plan -detailed-exitcode").ends(0);
    project.edit("{ alice =", "{ bob =");
    project
        .run("plan")
        .ends(1)
        .tells("import to an undeclared resource")
        .tells("this block has other instances");
}

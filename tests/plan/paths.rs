//! The ways to backends: which tunnel carries the address at which one is reached, and what a plan does to it.

use wgform::plan::{Limits, PathFate, PlannedAct};
use wgform::resource::BackendId;

use crate::lab::Lab;

/// This machine and a branch, of which the one reaches the other through the tunnel between them.
const BRANCH: &str = r#"
backend "local" "hq" {
  simulate = true
}
backend "linux" "branch" {
  simulate = true
  ssh {
    host = "10.8.0.2"
  }
}
interface "hq" {
  backend     = backend.hq
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}
interface "branch" {
  backend     = backend.branch
  name        = "wg0"
  listen_port = 51821
  addresses   = ["10.8.0.2/24"]
}
peer "to_branch" {
  interface   = interface.hq
  public_key  = interface.branch.public_key
  endpoint    = "192.0.2.2:${interface.branch.listen_port}"
  allowed_ips = ["10.8.0.2/32", "10.20.0.0/16"]
}
peer "to_hq" {
  interface   = interface.branch
  public_key  = interface.hq.public_key
  allowed_ips = ["10.8.0.1/32"]
}
"#;

const PATH: &str = "backend.branch is reached at 10.8.0.2 through peer.to_branch (interface.hq)";

fn lab(text: &str) -> Lab {
    let mut lab = Lab::matching(text);
    lab.options.limits = Some(Limits::default());
    lab
}

/// Returns what is done to each way.
fn told(lab: &Lab) -> Vec<String> {
    lab.look(|plan| {
        let told =
            |it: &wgform::plan::PathChange| format!("{}: {}", it.path, it.changes.join(", "));
        plan.paths.iter().map(told).collect()
    })
}

fn fates(lab: &Lab) -> Vec<PathFate> {
    lab.look(|plan| plan.paths.iter().map(|it| it.fate.clone()).collect())
}

#[test]
fn a_plan_that_cuts_the_way_to_a_backend_shows_it_and_is_refused() {
    let mut lab = lab(BRANCH);
    lab.edit("[\"10.8.0.2/32\", \"10.20.0.0/16\"]", "[\"10.20.0.0/16\"]");
    let text = lab.plan();
    let what = "peer.to_branch no longer has 10.8.0.2 in its allowed IPs";
    let shown = format!(
        "Management path cut: {PATH}.\n\n  {what}\n  backend.branch would be out of reach.\n\n"
    );
    assert!(text.contains(&shown), "{text}");
    let refused = format!(
        "refused: {PATH}, and the plan would cut that: {what}\n  help: say `-allow-lockout=branch` if there is"
    );
    assert!(text.contains(&refused), "{text}");
    assert!(lab.apply().starts_with("refused: "));
    let limits = lab.options.limits.as_mut().unwrap();
    limits.allow_lockout.insert(BackendId::new("branch"));
    assert_eq!(fates(&lab), [PathFate::Allowed]);
    assert!(lab.plan().contains("as `-allow-lockout=branch` allows"), "{}", lab.plan());
    lab.settle();
}

type Edit = Box<dyn Fn(&mut Lab)>;

fn remove(head: &'static str) -> Edit {
    Box::new(move |lab| _ = lab.remove_block(head))
}

fn put(old: &'static str, new: &'static str) -> Edit {
    Box::new(move |lab| _ = lab.edit(old, new))
}

/// Returns what is written, in its order.
fn order(lab: &Lab) -> Vec<String> {
    lab.look(|plan| {
        let written = plan.steps.iter().filter(|it| !matches!(it.act, PlannedAct::Record));
        let told = |it: &wgform::plan::Step| match it.act {
            PlannedAct::DeletePeer { .. } | PlannedAct::DeleteInterface { .. } => {
                format!("delete {}", it.subject)
            }
            _ => it.subject.to_string(),
        };
        written.map(told).collect()
    })
}

#[track_caller]
fn assert_order(lab: &Lab, first: &str, then: &str) {
    let order = order(lab);
    let at = |what: &str| order.iter().position(|it| it == what);
    assert!(at(first).is_some() && at(first) < at(then), "{first} before {then}: {order:?}");
}

#[test]
fn each_way_to_cut_it_is_found() {
    let cases: &[(Edit, &str)] = &[
        (remove("peer \"to_branch\""), "peer.to_branch is destroyed"),
        (remove("peer \"to_hq\""), "peer.to_hq is destroyed"),
        (put("  endpoint ", "  enabled = false\n  endpoint "), "peer.to_branch is disabled"),
        (
            put("[\"10.8.0.1/24\"]", "[\"10.8.0.1/24\"]\n  enabled = false"),
            "interface.hq is taken down",
        ),
        (put("[\"10.8.0.2/24\"]", "[\"10.8.0.22/24\"]"), "interface.branch gives up 10.8.0.2"),
        (
            put("[\"10.8.0.1/32\"]", "[\"10.8.0.7/32\"]"),
            "peer.to_hq no longer has 10.8.0.1 in its allowed IPs",
        ),
        (
            put("[\"10.8.0.1/24\"]", "[\"10.8.0.1/32\"]"),
            "interface.hq no longer has a route to 10.8.0.2",
        ),
        (
            put("[\"10.8.0.1/24\"]", "[\"10.8.0.7/24\"]"),
            "interface.hq gives up 10.8.0.1, and its far end takes no other address of it",
        ),
        (
            put("192.0.2.2:", "192.0.2.3:"),
            "peer.to_branch gets an endpoint at which nothing tells that its far end is",
        ),
        (
            put("  endpoint    = \"192.0.2.2:${interface.branch.listen_port}\"\n", ""),
            "peer.to_branch loses its endpoint, and its far end has none",
        ),
        (
            put("[\"10.8.0.1/24\"]", "[\"10.8.0.1/24\"]\n  key_rotation = \"1\""),
            "interface.hq gets another key, peer.to_hq gets another key",
        ),
        (
            put("[\"10.8.0.2/24\"]", "[\"10.8.0.2/24\"]\n  key_rotation = \"1\""),
            "interface.branch gets another key, peer.to_branch gets another key",
        ),
        (
            put("\"wg0\"\n  listen_port = 51821", "\"wg1\"\n  listen_port = 51821"),
            "interface.branch is renamed, for which it goes down",
        ),
    ];
    for (edit, what) in cases {
        let mut lab = lab(BRANCH);
        edit(&mut lab);
        assert_eq!(told(&lab), [format!("{PATH}: {what}")]);
        assert_eq!(fates(&lab), [PathFate::Refused], "{what}");
    }
}

#[test]
fn a_route_that_is_taken_away_cuts_the_way() {
    let routed = BRANCH
        .replace("host = \"10.8.0.2\"", "host = \"10.20.0.1\"")
        .replace("[\"10.8.0.1/24\"]\n", "[\"10.8.0.1/24\"]\n  routes = \"auto\"\n");
    let mut lab = lab(&routed);
    lab.edit("routes = \"auto\"", "routes = \"off\"");
    let path = PATH.replace("10.8.0.2", "10.20.0.1");
    let what = "interface.hq no longer has a route to 10.20.0.1";
    assert_eq!(told(&lab), [format!("{path}: {what}")]);
    assert_eq!(fates(&lab), [PathFate::Refused]);
    // Another route, and another address that the far end takes, will do.
    lab.edit("routes = \"off\"", "routes = { distance = 7 }");
    lab.edit("[\"10.8.0.1/24\"]", "[\"10.8.0.1/24\", \"10.8.1.1/24\"]");
    assert_eq!(told(&lab), Vec::<String>::new());
}

#[test]
fn the_route_on_which_answers_come_back_is_a_part_of_the_way() {
    let mut lab = lab(BRANCH);
    lab.edit("[\"10.8.0.2/24\"]", "[\"10.8.0.2/32\"]");
    let what = "interface.branch no longer has a route back to 10.8.0.1";
    assert_eq!(told(&lab), [format!("{PATH}: {what}")]);
    assert_eq!(fates(&lab), [PathFate::Refused]);
    // A route of ours takes its place.
    lab.edit("[\"10.8.0.2/32\"]", "[\"10.8.0.2/32\"]\n  routes = \"auto\"");
    assert_eq!(told(&lab), Vec::<String>::new());
    lab.settle();
    lab.edit("routes = \"auto\"", "routes = \"off\"");
    assert_eq!(told(&lab), [format!("{PATH}: {what}")]);
}

/// A host that is reached from the only peer it has, which nobody manages.
const DIALED: &str = r#"
backend "linux" "branch" {
  simulate = true
  ssh {
    host = "10.8.0.2"
  }
}
interface "branch" {
  backend     = backend.branch
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.2/32"]
  routes      = "auto"
}
peer "admin" {
  interface   = interface.branch
  public_key  = "«admin»"
  allowed_ips = ["10.8.0.9/32", "10.30.0.0/16"]
}
"#;

#[test]
fn answers_to_somebody_who_is_not_managed_go_wherever_they_went() {
    let path = "backend.branch is reached at 10.8.0.2 through its own interface.branch, from the far end of peer.admin";
    let gone = "no longer has 10.8.0.9 in its allowed IPs";
    let cases = [
        ("\"10.8.0.9/32\", ", "", format!("{path}: peer.admin {gone}")),
        (
            "routes      = \"auto\"",
            "routes = \"off\"",
            format!("{path}: interface.branch no longer has a route back to 10.8.0.9"),
        ),
    ];
    for (old, new, expected) in cases {
        let mut lab = lab(DIALED);
        lab.edit(old, new);
        assert_eq!(told(&lab), [expected]);
        assert_eq!(fates(&lab), [PathFate::Refused]);
    }
    let mut lab = lab(
        &DIALED.replace("10.8.0.2\"\n  }", "10.8.0.2\"\n  }\n  reached_through = [peer.admin]")
    );
    lab.edit("\"10.8.0.9/32\", ", "");
    assert_eq!(
        told(&lab),
        [format!(
            "backend.branch is reached through peer.admin (interface.branch): peer.admin {gone}"
        )]
    );
    lab.edit("\"10.30.0.0/16\"", "\"10.30.0.0/16\", \"10.8.0.0/24\"");
    assert_eq!(told(&lab), Vec::<String>::new());
    lab.settle();
}

/// A machine behind another one, which sends on what comes to it.
fn behind() -> String {
    let far = r#"
backend "linux" "depot" {
  simulate = true
  ssh {
    host = "10.20.0.2"
  }
}
interface "depot" {
  backend     = backend.depot
  name        = "wg0"
  listen_port = 51822
  addresses   = ["10.20.0.2/24"]
  routes      = "auto"
}
interface "inner" {
  backend     = backend.branch
  name        = "wg1"
  listen_port = 51823
  addresses   = ["10.20.0.1/24"]
}
peer "to_depot" {
  interface   = interface.inner
  public_key  = interface.depot.public_key
  endpoint    = "192.0.2.3:51822"
  allowed_ips = ["10.20.0.2/32"]
}
peer "from_depot" {
  interface   = interface.depot
  public_key  = interface.inner.public_key
  allowed_ips = ["10.20.0.1/32", "10.8.0.0/24"]
}
"#;
    BRANCH.replace("[\"10.8.0.1/24\"]\n", "[\"10.8.0.1/24\"]\n  routes = \"auto\"\n") + far
}

#[test]
fn answers_come_back_over_several_tunnels() {
    let mut lab = lab(&behind());
    lab.edit(", \"10.8.0.0/24\"]", "]");
    let path = "backend.depot is reached at 10.20.0.2 through peer.to_branch (interface.hq), then peer.to_depot (interface.inner)";
    let what = "peer.from_depot no longer has 10.8.0.1 in its allowed IPs";
    assert_eq!(told(&lab), [format!("{path}: {what}")]);
    assert_eq!(fates(&lab), [PathFate::Refused]);
}

#[test]
fn what_does_not_touch_the_way_is_not_refused() {
    let mut lab = lab(BRANCH);
    lab.edit("\"10.20.0.0/16\"", "\"10.21.0.0/16\"");
    lab.edit("[\"10.8.0.1/32\"]", "[\"10.8.0.0/24\"]");
    lab.edit("listen_port = 51820", "listen_port = 51822");
    lab.append("peer \"other\" {\n  interface = interface.hq\n  public_key = \"«other»\"\n  allowed_ips = []\n}\n");
    assert_eq!(told(&lab), Vec::<String>::new());
    lab.settle();
    lab.remove_block("peer \"other\"");
    assert_eq!(told(&lab), Vec::<String>::new());
    lab.settle();
}

#[test]
fn a_port_is_changed_at_the_far_end_first() {
    let mut lab = lab(BRANCH);
    lab.edit("listen_port = 51821", "listen_port = 51900");
    assert_eq!(fates(&lab), [PathFate::FarEndFirst]);
    let shown = "Management path: backend.branch is reached at 10.8.0.2 through peer.to_branch (interface.hq).\n\n  \
                 interface.branch listens on another port\n  peer.to_branch gets another endpoint\n  The far end, \
                 backend.branch, is changed first, so the way stays open.\n";
    assert!(lab.plan().contains(shown), "{}", lab.plan());
    assert_order(&lab, "interface.branch", "peer.to_branch");
    lab.settle();
}

#[test]
fn an_interface_here_can_be_renamed() {
    let mut lab = lab(BRANCH);
    lab.edit("\"wg0\"\n  listen_port = 51820", "\"wg1\"\n  listen_port = 51820");
    assert_eq!(told(&lab), Vec::<String>::new());
    lab.settle();
}

#[test]
fn a_pre_shared_key_is_changed_at_the_far_end_first() {
    let with_secret = BRANCH
        .replace("  allowed_ips", "  preshared_key = preshared_key.link\n  allowed_ips")
        + "preshared_key \"link\" {\n  rotation = \"1\"\n}\n";
    let mut lab = lab(&with_secret);
    lab.edit("rotation = \"1\"", "rotation = \"2\"");
    assert_eq!(fates(&lab), [PathFate::FarEndFirst]);
    assert_order(&lab, "peer.to_hq", "peer.to_branch");
    lab.settle();
}

const SECOND: &str = r#"
interface "hq2" {
  backend     = backend.hq
  name        = "wg1"
  listen_port = 51830
  addresses   = ["10.9.0.1/24"]
}
interface "branch2" {
  backend     = backend.branch
  name        = "wg1"
  listen_port = 51831
  addresses   = ["10.9.0.2/24"]
}
peer "to_branch2" {
  interface   = interface.hq2
  public_key  = interface.branch2.public_key
  endpoint    = "192.0.2.2:51831"
  allowed_ips = ["10.9.0.2/32", "10.8.0.2/32"]
}
peer "to_hq2" {
  interface   = interface.branch2
  public_key  = interface.hq2.public_key
  allowed_ips = ["10.9.0.1/32", "10.8.0.1/32"]
}
"#;

#[test]
fn a_new_way_is_there_before_the_old_one_goes() {
    let mut lab = lab(BRANCH);
    lab.append(SECOND);
    lab.remove_block("peer \"to_branch\"");
    lab.remove_block("peer \"to_hq\"");
    let way = "peer.to_branch2 (interface.hq2)".to_owned();
    assert_eq!(fates(&lab), [PathFate::NewWayFirst(way)], "{}", lab.plan());
    for new in ["interface.hq2", "interface.branch2", "peer.to_branch2", "peer.to_hq2"] {
        assert_order(&lab, new, "delete peer.to_branch");
        assert_order(&lab, new, "delete peer.to_hq");
    }
    lab.settle();
}

#[test]
fn where_it_cannot_be_known_the_configuration_says_it() {
    let elsewhere = BRANCH.replace("10.8.0.2\"\n  }", "branch.example.com\"\n  }");
    let mut lab = lab(&elsewhere);
    lab.remove_block("peer \"to_branch\"");
    assert_eq!(told(&lab), Vec::<String>::new());
    lab.edit(
        "host = \"branch.example.com\"\n  }",
        "host = \"branch.example.com\"\n  }\n  reached_through = [peer.to_branch]",
    );
    assert_eq!(
        told(&lab),
        [
            "backend.branch is reached through peer.to_branch (interface.hq): peer.to_branch is destroyed"
        ]
    );
    assert_eq!(fates(&lab), [PathFate::Refused]);
    lab.edit("[peer.to_branch]", "[peer.nobody]");
    assert!(lab.plan().contains("warning: address that names nothing"), "{}", lab.plan());
}

#[test]
fn an_empty_list_says_that_no_tunnel_leads_there() {
    let past = BRANCH.replace("10.8.0.2\"\n  }", "10.8.0.2\"\n  }\n  reached_through = []");
    let mut lab = lab(&past);
    lab.remove_block("peer \"to_branch\"");
    assert_eq!(told(&lab), Vec::<String>::new());
    lab.settle();
}

#[test]
fn what_goes_from_a_backend_that_is_cut_off_goes_first() {
    let mut lab = lab(BRANCH);
    lab.remove_block("peer \"to_branch\"");
    lab.remove_block("peer \"to_hq\"");
    lab.remove_block("interface \"branch\"");
    assert_eq!(fates(&lab), [PathFate::Refused]);
    let limits = lab.options.limits.as_mut().unwrap();
    limits.allow_lockout.insert(BackendId::new("branch"));
    assert_order(&lab, "delete interface.branch", "delete peer.to_branch");
    lab.settle();
}

/// A hub that another machine runs, with two spokes of which each knows the whole network.
fn spokes() -> String {
    let spoke = |n: u32| {
        format!(
            r#"
backend "linux" "s{n}" {{
  simulate = true
  ssh {{
    host = "10.8.0.{n}"
  }}
}}
interface "s{n}" {{
  backend     = backend.s{n}
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.{n}/24"]
}}
peer "from_s{n}" {{
  interface   = interface.s{n}
  public_key  = interface.hub.public_key
  endpoint    = "192.0.2.1:51820"
  allowed_ips = ["10.8.0.0/24"]
}}
peer "to_s{n}" {{
  interface   = interface.hub
  public_key  = interface.s{n}.public_key
  allowed_ips = ["10.8.0.{n}/32"]
}}
"#
        )
    };
    let hub = r#"
backend "linux" "hub" {
  simulate = true
  ssh {
    host = "192.0.2.1"
  }
}
interface "hub" {
  backend     = backend.hub
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
}
"#;
    format!("{hub}{}{}", spoke(2), spoke(3))
}

#[test]
fn a_spoke_is_no_way_to_its_neighbours() {
    let mut lab = lab(&spokes());
    lab.edit("interface   = interface.s2\n", "interface   = interface.s2\n  enabled     = false\n");
    assert_eq!(
        told(&lab),
        [
            "backend.s2 is reached at 10.8.0.2 through peer.to_s2 (interface.hub): peer.from_s2 is disabled"
        ]
    );
}

#[test]
fn a_hub_that_gets_another_key_cuts_off_all_its_spokes() {
    let mut lab = lab(&spokes());
    lab.edit("[\"10.8.0.1/24\"]", "[\"10.8.0.1/24\"]\n  key_rotation = \"1\"");
    assert_eq!(fates(&lab), [PathFate::Refused, PathFate::Refused]);
    assert_eq!(lab.look(|plan| plan.refusals.len()), 2);
}

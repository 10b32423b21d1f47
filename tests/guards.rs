//! Guards and the ways to backends, as a user of the built program meets them: a hub, a router and a firewall that are
//! simulated, and whose addresses are those of real ones.

mod harness;

use crate::harness::Project;

const NETWORK: &str = r#"
wgform {
  state "local" {
    path = "wgform.state.json"
  }
  guard {
    max_destroy = "60%"
    on_drift    = "ask"
  }
}
backend "local" "hq" {
  simulate = true
}
backend "routeros" "branch" {
  api_url  = "https://10.8.0.2/rest"
  api_user = "wgform"
  simulate = true
}
interface "hq" {
  backend     = backend.hq
  name        = "wg0"
  listen_port = 51820
  addresses   = ["10.8.0.1/24"]
  persist     = "none"
}
interface "branch" {
  backend     = backend.branch
  listen_port = 13231
  addresses   = ["10.8.0.2/24"]
}
peer "hq_to_branch" {
  interface            = interface.hq
  public_key           = interface.branch.public_key
  endpoint             = "192.0.2.2:13231"
  allowed_ips          = ["10.8.0.2/32"]
  persistent_keepalive = "25s"
}
peer "branch_to_hq" {
  interface   = interface.branch
  public_key  = interface.hq.public_key
  allowed_ips = ["10.8.0.1/32"]
}
"#;

const PATH: &str = "backend.branch is reached at 10.8.0.2 through peer.hq_to_branch (interface.hq)";

fn applied() -> Project {
    let project = Project::new(NETWORK);
    project.run("apply -auto-approve").ends(0);
    project
}

#[test]
fn a_night_in_which_the_way_to_a_router_would_be_cut() {
    let project = applied();
    project.edit("allowed_ips          = [\"10.8.0.2/32\"]", "allowed_ips          = []");
    let cut = "peer.hq_to_branch no longer has 10.8.0.2 in its allowed IPs";
    for command in ["plan", "apply -auto-approve", "apply -auto-approve=update"] {
        project
            .run(command)
            .ends(8)
            .says(&format!("Management path cut: {PATH}.\n\n  {cut}\n"))
            .tells(&format!("Refused: {PATH}, and the plan would cut that: {cut}"))
            .tells("-allow-lockout=branch");
    }
    project.run("drift").ends(0);
    project.run("apply -auto-approve -allow-lockout=hq").ends(8);
    project.run("apply -auto-approve -allow-lockout=branch").ends(0).says("Apply complete.");
    // It is cut now, and nothing more is.
    project.edit("allowed_ips          = []", "allowed_ips          = [\"10.8.0.2/32\"]");
    project.run("apply -auto-approve").ends(0);
    project.run("destroy -auto-approve").ends(8).tells(PATH);
    project.edit("max_destroy = \"60%\"", "max_destroy = \"100%\"");
    project.run("destroy -auto-approve -allow-lockout=branch").ends(0);
}

#[test]
fn a_port_that_both_ends_change_is_changed_at_the_far_one_first() {
    let project = applied();
    project.edit("listen_port = 13231", "listen_port = 13232");
    project.edit("192.0.2.2:13231", "192.0.2.2:13232");
    let ran = project.run("apply -auto-approve").ends(0);
    let ran = ran.says(&format!("Management path: {PATH}.\n"));
    ran.says("The far end, backend.branch, is changed first, so the way stays open.");
    project.run("plan -detailed-exitcode").ends(0);
}

#[test]
fn only_what_is_approved_is_done() {
    let project = applied();
    project.edit("listen_port = 51820", "listen_port = 51821");
    project.add(
        "more.wg.hcl",
        "interface \"more\" {\n  backend = backend.hq\n  name = \"wg1\"\n  listen_port = 51999\n}\n",
    );
    let refused = "Refused: the plan would create 1 resource (interface.more), and `-auto-approve=update` does not approve \
                   that\n\n  help: To approve all of it, say `-auto-approve=create,update`";
    project
        .run("apply -auto-approve=update")
        .ends(8)
        .tells(refused)
        .says("Plan: 1 to add, 1 to change");
    project
        .run("apply -auto-approve=update,nonsense")
        .ends(1)
        .tells("this is nothing that a plan does");
    project.run("apply -auto-approve=").ends(1);
    project.run("apply -auto-approve=false").ends(1).tells("Cancelled");
    project.run("apply -auto-approve=create,update").ends(0);
    project.run("destroy -target=interface.more -auto-approve=create,update").ends(8);
    project.run("destroy -target=interface.more -auto-approve=delete").ends(0);
}

#[test]
fn no_more_is_destroyed_than_either_says() {
    let project = applied();
    let all = "the plan would destroy 4 resources (4 to destroy, of 4 owned), and";
    let ran = project.run("destroy -auto-approve -allow-lockout=branch").ends(8);
    let ran = ran.tells(&format!("Refused: {all} 60% are allowed"));
    ran.tells("Raise `max_destroy` at main.wg.hcl:7 to 100%").says("Guards:");
    let one = "-target=peer.branch_to_hq -target-exact -allow-lockout=branch";
    project.run(&format!("plan -destroy -max-destroy=0 {one}")).ends(8).tells("-max-destroy=1");
    project.run(&format!("plan -destroy -max-destroy=25% {one}")).ends(0).says_no("Guards:");
    project.run(&format!("plan -destroy -max-destroy=24% {one}")).ends(8);
    project.run("plan -max-destroy=many").ends(1).tells("this is neither a number nor a share");
    project.run("plan -max-destroy=101%").ends(1);
}

#[test]
fn drift_is_asked_about_healed_or_refused_as_the_guard_says() {
    let project = applied();
    let drift = |project: &Project| {
        let address = "10.8.0.1/24".parse().unwrap();
        project.enter("hq").delete_address("wg0", address).unwrap();
    };
    drift(&project);
    // A plan is not refused for it: what it shows is what somebody has to decide about.
    project.run("plan -detailed-exitcode").ends(2);
    // Nobody is there to be asked.
    let ran = project.run("apply -auto-approve").ends(1).tells("Cancelled");
    ran.tells("To go ahead without a question, say `-heal`.");
    let wants = "and `on_drift` at main.wg.hcl:8 wants somebody to be asked, and nobody can be";
    project.run("apply -auto-approve -input=false").ends(8).tells(wants);
    project.edit("on_drift    = \"ask\"", "on_drift    = \"refuse\"");
    let refused =
        "and `on_drift` at main.wg.hcl:8 refuses that\n\n  help: Say `-heal` to undo them";
    project.run("apply -auto-approve").ends(8).tells(refused);
    project.run("plan").ends(0).tells("`apply -heal` does it");
    project.run("drift").ends(2);
    project.run("apply -auto-approve -heal").ends(0);
    drift(&project);
    project.edit("on_drift    = \"refuse\"", "on_drift    = \"heal\"");
    project.run("apply -auto-approve -input=false").ends(0);
    project.run("drift").ends(0);
}

#[test]
fn a_guard_may_be_given_by_variables_and_what_is_wrong_with_it_is_shown() {
    let project = applied();
    project.edit("max_destroy = \"60%\"", "max_destroy = var.most");
    project.add("vars.wg.hcl", "variable \"most\" {\n  default = 0\n}\n");
    project.run("destroy -auto-approve -allow-lockout=branch").ends(8).tells("and 0 are allowed");
    project
        .run("destroy -auto-approve -allow-lockout=branch -var most=many")
        .ends(1)
        .tells("invalid value");
    project.edit(
        "on_drift    = \"ask\"",
        "on_drift = \"shrug\"\n forbid = [\"destory\"]\n protect = [backend.hq, 1 + 1]",
    );
    let ran = project.run("validate").ends(1);
    let ran =
        ran.tells("It can be \"refuse\", \"heal\" or \"ask\".").tells("Did you mean \"destroy\"?");
    ran.tells("this is a backend, and no resource").tells("this is not the address of a resource");
}

#[test]
fn a_slip_in_what_is_protected_is_told_by_validate() {
    let project = applied();
    project.edit("on_drift    = \"ask\"", "protect = [interface.nope, interface.hq]");
    let ran = project.run("validate").ends(0).tells("address that names nothing");
    let ran = ran.tells("interface.nope").tells("nothing in the configuration is called that");
    assert_eq!(ran.stderr.matches("address that names nothing").count(), 1, "{ran}");
}

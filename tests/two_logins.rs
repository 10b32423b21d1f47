//! A backend that is read with one login and written with another: plans are made without the one that writes.

#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use crate::harness::{Project, Ran};

const TWO: &str = r#"
variable "writer" {
  type      = string
  sensitive = true
}

variable "reader" {
  type      = string
  sensitive = true
  default   = "a word for reading"
}

backend "routeros" "branch" {
  simulate     = true
  api_url      = "https://192.0.2.1"
  api_user     = "wgform"
  api_password = var.writer

  read {
    api_user     = "auditor"
    api_password = var.reader
  }
}

backend "pfsense" "office" {
  simulate       = true
  manage_service = true
  api_url        = "https://192.0.2.2"
  api_key        = var.writer

  read {
    api_key = var.reader
  }
}

interface "branch" {
  backend     = backend.branch
  addresses   = ["10.8.0.2/24"]
  listen_port = 51820
}

interface "office" {
  backend     = backend.office
  addresses   = ["10.8.0.3/24"]
  listen_port = 51820
}

peer "office_at_branch" {
  interface   = interface.branch
  public_key  = interface.office.public_key
  allowed_ips = ["10.8.0.3/32"]
}
"#;

fn with_writer(project: &Project, arguments: &str) -> Ran {
    let mut command = project.command(arguments);
    command.env("WGFORM_VAR_writer", "a word for writing");
    Ran::of(arguments, command.output().unwrap())
}

#[test]
fn plans_need_no_login_that_writes_and_an_apply_does() {
    let project = Project::new(TWO);
    project.run("plan").ends(0).says("Plan: 3 to add");
    // What lacks is said once, although two backends lack it.
    project.run("apply -auto-approve").ends(1).tells("`var.writer` is used").tells("1 error");
    project.run("validate").ends(1).tells("`var.writer` is used");

    with_writer(&project, "apply -auto-approve").ends(0).says("3 added");
    for looked in ["plan -detailed-exitcode", "drift"] {
        project.run(looked).ends(0).tells("the user lacks the policy `sensitive`");
    }
    // The one that writes sees what it writes.
    let applied = with_writer(&project, "apply -auto-approve").ends(0).says("No changes");
    assert!(!applied.stderr.contains("lacks the policy"), "{applied}");
}

#[test]
fn a_login_to_read_is_whole_of_its_own() {
    let project = Project::new(TWO);
    project.edit("    api_user     = \"auditor\"\n", "");
    project.run("plan").ends(1).tells("this `read` has no `api_user`");

    let project = Project::new(TWO);
    project.edit("    api_key = var.reader\n", "");
    project.run("plan").ends(1).tells("neither a key nor a user is here");

    let project = Project::new(TWO);
    project
        .edit("    api_key = var.reader\n", "    api_key = \"a-key-in-a-file\"\n    api_kye = 1\n");
    let ran = project.run("plan").ends(1).tells("literal password").tells("api_kye");
    assert!(!ran.stderr.contains("a-key-in-a-file"), "{ran}");
}

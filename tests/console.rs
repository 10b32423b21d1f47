//! `wgform console`, as the built program answers on a pipe.

#![expect(clippy::disallowed_methods, reason = "a test looks at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use crate::harness::Project;

const CONFIGURATION: &str = r#"
variable "region" {
  default = "eu"
}

variable "password" {
  default   = "hunter2"
  sensitive = true
}

locals {
  ports = { hub = 51820, lab = 51821 }
  tags  = toset(["b", "a"])
  key   = "EAmoZWDMAzHWYiTyqMi3IqmlhZAAtoeNbMUKaAkLjm0="
}

backend "local" "server" {
  simulate = true
}

interface "hub" {
  listen_port = local.ports.hub
  addresses   = ["10.8.0.1/24"]
}

interface "lab" {
  private_key = local.key
  addresses   = ["10.9.0.1/24"]
}

module "site" {
  source   = "./site"
  for_each = toset(["berlin", "lisbon"])
  hub      = interface.hub
  name     = each.key
}

peer "rw" {
  for_each    = { berlin = "10.8.0.2/32", lisbon = "10.8.0.3/32" }
  interface   = interface.hub
  public_key  = module.site[each.key].public_key
  allowed_ips = [each.value]
}
"#;

const SITE: &str = r#"
variable "hub" {}

variable "name" {}

interface "site" {
  name = "wg-${var.name}"
}

output "public_key" {
  value = interface.site.public_key
}

output "token" {
  value     = "hunter3"
  sensitive = true
}

output "interface" {
  value = interface.site
}
"#;

fn project() -> Project {
    let project = Project::new(CONFIGURATION);
    std::fs::create_dir(project.path().join("site")).unwrap();
    project.add("site/main.wg.hcl", SITE);
    project
}

/// Returns what is answered to some lines, all of which are right.
fn answers(project: &Project, input: &str) -> String {
    let ran = project.run_with("console", input).ends(0);
    assert!(!ran.stderr.contains("Error"), "{ran}");
    ran.stdout
}

#[test]
fn values_are_written_as_in_terraform() {
    let input = r#"
local.ports
local.tags
"${var.region}!"
[var.password, { p = var.password }]
backend.server
module.site["berlin"]
[for peer in peer.rw : peer.name]
cidrhost("10.0.0.0/24", 5)
"a\nb"
null
"#;
    insta::assert_snapshot!(answers(&project(), input), @r#"
    {
      "hub" = 51820
      "lab" = 51821
    }
    toset([
      "a",
      "b",
    ])
    "eu!"
    [
      (sensitive value),
      {
        "p" = (sensitive value)
      },
    ]
    {
      "display_name" = null
      "id" = "server"
      "kind" = "local"
    }
    {
      "interface" = module.site["berlin"].interface.site
      "public_key" = (known after apply)
      "token" = (sensitive value)
    }
    [
      "rw-berlin",
      "rw-lisbon",
    ]
    "10.0.0.5"
    <<EOT
    a
    b
    EOT
    null
    "#);
}

#[test]
fn a_block_is_shown_with_all_its_attributes_and_no_secret() {
    insta::assert_snapshot!(answers(&project(), "peer.rw[\"berlin\"]\n"), @r#"
    {
      "allowed_ips" = [
        "10.8.0.2/32",
      ]
      "client_address" = null
      "client_allowed_ips" = null
      "client_dns" = null
      "client_endpoint" = null
      "client_keepalive" = null
      "client_listen_port" = null
      "client_private_key" = null
      "description" = ""
      "enabled" = true
      "endpoint" = null
      "expires_at" = null
      "interface" = interface.hub
      "name" = "rw-berlin"
      "persistent_keepalive" = "off"
      "pin_endpoint" = false
      "preshared_key" = null
      "public_key" = (known after apply)
      "responder" = null
    }
    "#);
}

#[test]
fn no_secret_is_shown() {
    let input = "local.key\n[local.key]\nvar.password\nsha256(var.password)\nmodule.site[\"berlin\"].token\ninterface.lab\n";
    let shown = answers(&project(), input);
    for secret in ["EAmoZWDM", "hunter2", "hunter3"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    for wrong in ["interface.lab.private_key", "interface.lab[\"private_key\"]"] {
        let ran = project().run_with("console", wrong).ends(1).tells("reference to a secret");
        assert!(!ran.stderr.contains("EAmoZWDM"), "{ran}");
    }
    let ran = project().run_with("console", "\"EAmoZWDMAzHWYiTyqMi3IqmlhZAAtoeNbMUKaAkLjm0=\" + 1");
    assert!(!ran.ends(1).tells("********").stderr.contains("EAmoZWDM"));
}

#[test]
fn what_the_last_apply_recorded_is_known() {
    let project = project();
    let input = "interface.hub.public_key\nmodule.site[\"lisbon\"].public_key\npeer.rw[\"lisbon\"].public_key\n";
    assert_eq!(answers(&project, input), "(known after apply)\n".repeat(3));
    project.run("apply -auto-approve").ends(0);
    let state = std::fs::read_to_string(project.path().join("wgform.state.json")).unwrap();
    let shown = answers(&project, input);
    for line in shown.lines() {
        assert!(line.len() == 46 && state.contains(line), "{line} is not in {state}");
    }
    assert_eq!(shown.lines().nth(1), shown.lines().nth(2));
    // The device chose a port, and an interface with a written key has no file of it.
    answers(&project, "interface.lab.listen_port\n").trim().parse::<u16>().unwrap();
    assert_eq!(answers(&project, "interface.lab.key_file\n"), "null\n");
    // What is moved is known by its new name before the next apply.
    let key = answers(&project, "interface.hub.public_key\n");
    let moved = CONFIGURATION.replace("interface \"hub\"", "interface \"centre\"");
    let moved = moved.replace("interface.hub", "interface.centre");
    project.configure(&(moved + "moved {\n  from = interface.hub\n  to = interface.centre\n}\n"));
    assert_eq!(answers(&project, "interface.centre.public_key\n"), key);
}

#[test]
fn no_lock_is_taken_and_no_state_made() {
    let project = project();
    let before = project.names();
    answers(&project, "interface.hub\n");
    assert_eq!(project.names(), before);
}

#[test]
fn an_expression_may_go_over_several_lines() {
    let input = "[\n  1, # one\n\n  2\n]\n<<EOT\na ${var.region}\nEOT\n# nothing\n\n(\n1 + 2\n) # three\n<<E\nE\n/* a */ 4\n";
    insta::assert_snapshot!(answers(&project(), input), @r#"
    [
      1,
      2,
    ]
    <<EOT
    a eu

    EOT
    3
    ""
    4
    "#);
    let long = format!("length([\n{}])\n", "\"x\",\n".repeat(20_000));
    assert_eq!(answers(&project(), &long), "20000\n");
}

#[test]
fn the_first_error_ends_a_pipe() {
    let ran = project().run_with("console", "1\nlocal.ports.x\n2\n").ends(1);
    assert_eq!(ran.stdout, "1\n");
    insta::assert_snapshot!(ran.stderr, @r#"
      × reference to a key that is not there
       ╭─[console:1:13]
     1 │ local.ports.x
       ·             ┬
       ·             ╰── there is no key `x` here
       ╰────
      help: For a key that may be missing, write `lookup(map, key, fallback)`.

    1 error
    "#);
}

#[test]
fn exit_ends_and_help_helps() {
    let ran = project().run_with("console", "1\n exit \nfoo\n").ends(0);
    assert_eq!(ran.stdout, "1\n");
    project().run_with("console", "help").ends(0).says("Ctrl-D ends the console");
    assert_eq!(project().run_with("console", "").ends(0).stdout, "");
}

#[test]
fn variables_are_given_as_to_a_plan() {
    let ran = project()
        .run_with("console -var region=us -var password=hunter4", "var.region\nvar.password\n");
    assert_eq!(ran.ends(0).stdout, "\"us\"\n(sensitive value)\n");
    project().run_with("console -var regoin=us", "1").ends(1).tells("Did you mean `region`?");
}

#[test]
fn a_configuration_with_errors_is_refused() {
    let ran = Project::new("locals {\n  a = local.b\n}\n").run_with("console", "1").ends(1);
    assert_eq!(ran.tells("reference to an unknown local value").stdout, "");
}

#[test]
fn mistakes_are_said_as_in_a_file() {
    let project = project();
    let mut said = String::new();
    for input in [
        "foo",
        "1 +",
        "[",
        "]",
        "1 2",
        "a = 1",
        "\"a",
        "<<E\nx",
        "{a = 1, a = 2}",
        "1 ? 2",
        "interface \"x\" {}",
        ", 1",
        "1.2.3.4",
        "each.key",
        "interface[\"hub\"]",
        "peer.rw.paris",
        "lenght([])",
        "output.x",
        "$",
        "\"${\"",
        "1 = 2\n",
        "[for x in [1] : ]",
        "f(",
        "value =",
    ] {
        let ran = project.run_with("console", input).ends(1);
        let line = |mark: &str| ran.stderr.lines().find_map(|line| Some(line.split_once(mark)?.1));
        let (summary, label) = (line("× ").unwrap(), line("╰── ").unwrap());
        said += &format!("{input:?}: {summary}: {label}\n");
    }
    insta::assert_snapshot!(said, @r#"
    "foo": reference to an unknown name: there is no `foo` here
    "1 +": operator without its right side: a value has to follow
    "[": bracket that is not closed: no `]` closes this
    "]": closing bracket that closes nothing: no bracket is open that `]` could close
    "1 2": syntax error: this cannot stand here
    "a = 1": syntax error: this cannot stand here
    "\"a": text that is not closed: the line ends before the text does
    "<<E\nx": heredoc that is not closed: no line after this is only `E`
    "{a = 1, a = 2}": syntax error: this cannot stand here
    "1 ? 2": condition without its second value: `:` and a value have to stand here
    "interface \"x\" {}": syntax error: this cannot stand here
    ", 1": syntax error: this cannot stand here
    "1.2.3.4": text without quotes: this is no number
    "each.key": key of an instance outside of a repeated block: there is no `for_each` around this
    "interface[\"hub\"]": reference without a name: a name has to follow
    "peer.rw.paris": reference to a repeated block as if it were one: this block has instances, and none of them is `paris`
    "lenght([])": call of an unknown function: this version of wgform has no function `lenght`
    "output.x": reference to an unknown name: this version of wgform has no `output`
    "$": character that means nothing: this means nothing outside of a text
    "\"${\"": interpolation that is not closed: no `}` follows
    "1 = 2\n": syntax error: this cannot stand here
    "[for x in [1] : ]": syntax error: this cannot stand here
    "f(": parenthesis that is not closed: no `)` closes this
    "value =": syntax error: this cannot stand here
    "#);
}

#[test]
fn input_without_measure_is_refused() {
    let project = project();
    let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    project.run_with("console", &deep).ends(1).tells("expression nested too deep");
    let long = format!("1{}", " + 1".repeat(200));
    project.run_with("console", &long).ends(1).tells("expression too long");
    let big = format!("\"{}\"", "x".repeat(2 << 20));
    project.run_with("console", &big).ends(1).tells("an expression of more than 1 MiB");
    project
        .run_with("console", "[for i in range(1000) : [for k in range(100) : interface.lab]]")
        .ends(1)
        .tells("value too large");
}

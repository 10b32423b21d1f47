//! Modules: what they are given, what they give, and where they are.

use crate::config::tests::{Case, known, shown};

const SITE: &str = r#"
variable "name" { type = string }
variable "hub" { type = interface }
variable "on" { type = backend }
variable "port" {
  type    = number
  default = 51820
}
locals { description = "Site ${var.name} at ${path.module}" }
interface "wg" {
  backend     = var.on
  listen_port = var.port
  description = local.description
}
peer "hub" {
  interface   = interface.wg
  public_key  = var.hub.public_key
  allowed_ips = ["10.8.0.0/24"]
}
output "public_key" { value = interface.wg.public_key }
output "description" { value = local.description }
"#;

const ROOT: &str = r#"
backend "local" "here" {}
interface "hub" { name = "wg0" }
module "site" {
  source   = "./modules/site"
  for_each = { berlin = 1, lyon = 2 }
  name     = each.key
  hub      = interface.hub
  on       = backend.here
  port     = 51820 + each.value
}
peer "to" {
  for_each    = module.site
  interface   = interface.hub
  public_key  = each.value.public_key
  allowed_ips = ["10.8.${length(each.key)}.0/24"]
}
output "descriptions" { value = [for it in module.site : it.description] }
"#;

fn case() -> Case {
    Case::new(ROOT).file("modules/site/main.wg.hcl", SITE)
}

#[test]
fn a_module_has_its_own_names_and_is_given_the_rest() {
    let case = case();
    case.with(|_, evaluator, problems| {
        let all = evaluator.problems(problems);
        assert_eq!(shown(&all), "");
        let all: Vec<_> = evaluator.resources().iter().map(ToString::to_string).collect();
        let wanted = [
            "interface.hub",
            "module.site[\"berlin\"].interface.wg",
            "module.site[\"lyon\"].interface.wg",
            "module.site[\"berlin\"].peer.hub",
            "module.site[\"lyon\"].peer.hub",
            "peer.to[\"berlin\"]",
            "peer.to[\"lyon\"]",
        ];
        let (mut all_sorted, mut wanted) = (all.clone(), wanted.map(str::to_owned));
        all_sorted.sort();
        wanted.sort();
        assert_eq!(all_sorted, wanted);
        let at = |text: &str| all.iter().position(|it| it == text).unwrap();
        assert!(at("module.site[\"lyon\"].interface.wg") < at("peer.to[\"lyon\"]"));
    });
    let wg = case.desired("module.site[\"lyon\"].interface.wg");
    assert_eq!(wg.backend.as_ref().unwrap().as_str(), "here");
    assert_eq!(known(&wg, "listen_port"), "Number(51822)");
    let peer = case.desired("peer.to[\"lyon\"]");
    let used: Vec<_> = peer.depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(used, ["interface.hub", "module.site[\"lyon\"].interface.wg"]);
    let inner = case.desired("module.site[\"lyon\"].peer.hub");
    let used: Vec<_> = inner.depends_on.iter().map(ToString::to_string).collect();
    assert_eq!(used, ["interface.hub", "module.site[\"lyon\"].interface.wg"]);
    assert_eq!(
        case.output("descriptions"),
        r#"["Site berlin at modules/site","Site lyon at modules/site"]"#
    );
}

#[test]
fn modules_are_inside_modules() {
    let case = Case::new(
        "module \"a\" {\n  source = \"./a\"\n  n = 2\n}\noutput \"x\" { value = module.a.all[1].name }\n",
    )
    .file(
        "a/main.wg.hcl",
        "variable \"n\" {}\nmodule \"b\" {\n  source = \"../b\"\n  count = var.n\n  name = \"wg${count.index}\"\n}\noutput \"all\" { value = module.b }\n",
    )
    .file(
        "b/main.wg.hcl",
        "variable \"name\" {}\ninterface \"i\" { name = var.name }\noutput \"name\" { value = interface.i.name }\n",
    );
    assert_eq!(case.problems(), "");
    assert_eq!(case.output("x"), "\"wg1\"");
    let inner = case.desired("module.a.module.b[1].interface.i");
    assert_eq!(known(&inner, "name"), "Text(\"wg1\")");
}

#[test]
fn depends_on_reaches_into_modules_and_out_of_them() {
    let case = Case::new(
        "interface \"first\" {}\nmodule \"m\" {\n  source = \"./m\"\n  count = 2\n  depends_on = [interface.first]\n}\n\
         interface \"last\" { depends_on = [module.m] }\n",
    )
    .file("m/main.wg.hcl", "interface \"i\" {}\nmodule \"n\" {\n  source = \"../n\"\n}\n")
    .file("n/main.wg.hcl", "interface \"j\" {}\n");
    assert_eq!(case.problems(), "");
    let used = |address: &str| -> Vec<String> {
        case.desired(address).depends_on.iter().map(ToString::to_string).collect()
    };
    assert_eq!(used("module.m[1].module.n.interface.j"), ["interface.first"]);
    let all = [
        "module.m[0].interface.i",
        "module.m[0].module.n.interface.j",
        "module.m[1].interface.i",
        "module.m[1].module.n.interface.j",
    ];
    assert_eq!(used("interface.last"), all);
}

#[test]
fn what_is_wrong_in_a_module_is_shown_at_both_places() {
    let case = Case::new(
        "module \"m\" {\n  source = \"./m\"\n  for_each = toset([\"a\", \"b\"])\n  mtu = 1\n  more = 2\n}\n\
         module \"gone\" {\n  source = \"./gone\"\n}\n\
         module \"far\" {\n  source = \"git::https://example.com/m\"\n}\n\
         module \"self\" {\n  source = \"./self\"\n}\n\
         output \"a\" { value = module.m.x }\noutput \"b\" { value = module.m[\"a\"].x }\noutput \"c\" { value = module.gone.x }\noutput \"d\" { value = module.non.x }\n",
    )
    .file(
        "m/main.wg.hcl",
        "variable \"mtu\" {}\nvariable \"lacks\" {}\ninterface \"i\" { mtu = var.mtu }\nbackend \"local\" \"x\" {}\n\
         wgform {}\noutput \"nope\" { value = var.nope }\n",
    )
    .file("self/main.wg.hcl", "module \"again\" {\n  source = \"../self\"\n}\n");
    assert_eq!(case.problems(), "error: invalid value
  m/main.wg.hcl:3:23 `var.mtu`: `mtu` is an MTU, a number from 576 to 65535, not `1`
  main.wg.hcl:1:1 `module \"m\"`: in `module.m[\"a\"]`, and in another one
  help: Write it as `mtu = 1420`.
error: block that only the root has
  m/main.wg.hcl:4:1 `backend \"local\" \"x\"`: there is no `backend` in a module
  help: Declare it in the root, and give it to the module as the value of a variable with `type = backend`.
error: block that only the root has
  m/main.wg.hcl:5:1 `wgform`: there is no `wgform` in a module
  help: Leave it out: the root has one for all.
error: reference to an unknown variable
  m/main.wg.hcl:6:25 `var.nope`: no `variable \"nope\"` in this configuration
  help: Declare it with `variable \"nope\" { … }`.
error: missing argument
  main.wg.hcl:1:1 `module \"m\"`: this `module` has no `lacks`
  m/main.wg.hcl:2:1 `variable \"lacks\"`: the variable is declared here, without a default
  help: Add a line `lacks = …`.
error: argument that a module does not have
  main.wg.hcl:5:3 `more`: `module.m` has no variable `more`
  help: Leave it out, or declare `variable \"more\"` in `m`.
error: module that cannot be read
  main.wg.hcl:8:12 `\"./gone\"`: no such file
  help: The path is relative to the directory of the file that it is in, and leads to a directory with `*.wg.hcl` files.
error: module that is not in a directory
  main.wg.hcl:11:12 `\"git::https://example.com/m\"`: this is not a path that starts with `./` or `../`
  help: A module is a directory beside the configuration, such as `./modules/site`: wgform downloads nothing. Keep modules of others in the repository.
error: reference to a repeated block as if it were one
  main.wg.hcl:16:31 `x`: this block has instances, and none of them is `x`
  help: Did you mean `[\"a\"]`?
error: reference to an unknown output
  main.wg.hcl:17:36 `x`: `module.m` has no output `x`
  help: Declare it in the module with `output \"x\" { … }`.
error: reference to an unknown module
  main.wg.hcl:19:22 `module.non.x`: no `module \"non\"` in this configuration
  help: Declare it with `module \"non\" { … }`.
error: module that calls itself
  self/main.wg.hcl:2:12 `\"../self\"`: this leads back to a module that it is in
  help: A module cannot be inside itself. Move what both need into another one.
");
}

#[test]
fn circles_through_modules_are_shown() {
    let case = Case::new("module \"m\" {\n  source = \"./m\"\n  x = module.m.y\n}\n")
        .file("m/main.wg.hcl", "variable \"x\" {}\noutput \"y\" { value = var.x }\n");
    assert_eq!(
        case.problems(),
        "error: circular references
  m/main.wg.hcl:2:22 `var.x`: `module.m.output.y` refers to `module.m.var.x` here
  main.wg.hcl:3:7 `module.m.y`: `module.m.var.x` refers to `module.m.y` here
  m/main.wg.hcl:2:1 `output \"y\"`: `module.m.y` refers to `module.m.output.y` here
  help: Replace one of these references by a value.
"
    );
}

#[test]
fn a_variable_of_a_module_takes_what_its_type_says() {
    let case = Case::new(
        "interface \"i\" {}\nmodule \"m\" {\n  source = \"./m\"\n  b = interface.i\n  n = null\n  v = \"bad\"\n}\n",
    )
    .file(
        "m/main.wg.hcl",
        "variable \"b\" { type = backend }\nvariable \"n\" {\n  nullable = false\n  default = 3\n}\n\
         variable \"v\" {\n  validation {\n    condition = var.v == \"good\"\n    error_message = \"Be good.\"\n  }\n}\n\
         interface \"x\" { mtu = 1000 + var.n }\noutput \"b\" { value = var.b.id }\n",
    );
    assert_eq!(
        case.problems(),
        "error: invalid value for a variable
  main.wg.hcl:4:7 `interface.i`: a backend is wanted, and this is `interface.i`
  m/main.wg.hcl:1:1 `variable \"b\"`: the variable is declared here
  main.wg.hcl:2:1 `module \"m\"`: in `module.m`
  help: Give it a value of its `type`, or change the `type`.
error: invalid value for a variable
  main.wg.hcl:6:7 `\"bad\"`: this is the value of `var.v`
  m/main.wg.hcl:8:17 `var.v == \"good\"`: this condition does not hold
  main.wg.hcl:2:1 `module \"m\"`: in `module.m`
  help: Be good.
"
    );
}

#[test]
fn modules_are_not_inside_each_other_without_end() {
    let inner = |n: usize| format!("module \"m\" {{\n  source = \"../m{}\"\n}}\n", n + 1);
    let root = "module \"m\" {\n  source = \"./m1\"\n}\n";
    let deep = |levels: usize| {
        let case = (1..levels)
            .fold(Case::new(root), |case, n| case.file(&format!("m{n}/main.wg.hcl"), &inner(n)));
        case.file(&format!("m{levels}/main.wg.hcl"), "interface \"i\" {}\n").problems()
    };
    assert_eq!(deep(20), "");
    let problems = deep(21);
    assert!(problems.starts_with("error: too many modules\n  m20/main.wg.hcl:2:12"), "{problems}");
}

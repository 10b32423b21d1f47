//! The values of variables, their types, and where they come from.

use crate::config::tests::Case;

#[test]
fn a_value_is_converted_to_its_type() {
    let value = |of: &str, given: &str| {
        let text = format!("variable \"v\" {{ type = {of} }}\noutput \"x\" {{ value = var.v }}\n");
        let case = Case::new(&text).var_file(&format!("v = {given}\n"));
        let problems = case.problems();
        if problems.is_empty() { case.output("x") } else { problems }
    };
    for (of, given, wanted) in [
        ("string", "5", "\"5\""),
        ("number", "\"5\"", "5"),
        ("bool", "\"true\"", "true"),
        ("any", "[1, \"a\"]", "[1,\"a\"]"),
        ("list(string)", "[1, true]", "[\"1\",\"true\"]"),
        ("set(number)", "[3, \"1\", 3]", "[1,3]"),
        ("map(string)", "{ a = 1 }", "{\"a\":\"1\"}"),
        (
            "object({ a = string, b = optional(number, 5), c = optional(bool) })",
            "{ a = 1, z = 2 }",
            "{\"a\":\"1\",\"b\":5,\"c\":null}",
        ),
        ("tuple([string, number])", "[1, \"2\"]", "[\"1\",2]"),
        ("list(object({ n = number }))", "[{ n = 1 }]", "[{\"n\":1}]"),
        ("list(string)", "null", "null"),
    ] {
        assert_eq!(value(of, given), wanted, "{of} {given}");
    }
    assert_eq!(
        value("list(object({ n = number }))", "[{ n = 1 }, { n = \"x\" }]"),
        "error: invalid value for a variable\n  \
           x.wgvars.hcl:1:5 `[{ n = 1 }, { n = \"x\" }]`: at `[1].n`: a number is wanted, and this is \"x\"\n  \
           main.wg.hcl:1:1 `variable \"v\"`: the variable is declared here\n  help: Give it a value of its `type`, or change the `type`.\n"
    );
}

#[test]
fn a_later_value_wins_and_an_untyped_one_stays_a_string() {
    let case = Case::new("variable \"v\" { default = 1 }\noutput \"x\" { value = var.v }\n");
    assert_eq!(case.output("x"), "1");
    let case = case.var_file("v = 2\n");
    assert_eq!(case.output("x"), "2");
    assert_eq!(case.var("v", "3").output("x"), "\"3\"");
}

#[test]
fn a_raw_value_of_a_structured_type_is_an_expression() {
    let case =
        Case::new("variable \"v\" { type = list(number) }\noutput \"x\" { value = var.v }\n");
    assert_eq!(case.var("v", " \n[1,\n 2]\n").output("x"), "[1,2]");
    let case =
        Case::new("variable \"v\" { type = list(number) }\noutput \"x\" { value = var.v }\n");
    assert_eq!(
        case.var("v", " [1, x]").problems().lines().nth(1),
        Some("  -var:1:6 `x`: the value of a variable has no references, functions or operators")
    );
    let case =
        Case::new("variable \"v\" { type = list(number) }\noutput \"x\" { value = var.v }\n");
    assert_eq!(
        case.var("v", "[1,").problems().lines().next(),
        Some("error: invalid value for a variable")
    );
}

#[test]
fn a_variable_without_a_value_is_an_error_only_where_it_is_used() {
    let case = Case::new(
        "variable \"v\" {}\nlocals { unused = var.v }\noutput \"x\" { value = true ? 1 : var.v }\n",
    );
    assert_eq!(case.problems(), "");
    let case = Case::new("variable \"v\" {}\ninterface \"a\" { description = var.v }\n");
    assert_eq!(
        case.problems(),
        "error: variable without a value\n  \
           main.wg.hcl:1:1 `variable \"v\"`: `var.v` is used, and has no value\n  \
         help: Set it with `-var v=…`, in the environment as `WGFORM_VAR_v`, or in `wgform.wgvars.hcl`; or give it a `default`.\n"
    );
}

#[test]
fn null_takes_the_default_of_a_variable_that_may_not_be_null() {
    let text = "variable \"v\" {\n  default = \"d\"\n  nullable = false\n}\noutput \"x\" { value = var.v }\n";
    assert_eq!(Case::new(text).var_file("v = null\n").output("x"), "\"d\"");
}

#[test]
fn a_validation_says_its_message_at_the_value() {
    let text = "variable \"v\" {\n  validation {\n    condition = length(var.v) > 2\n    error_message = \"Too short: ${var.v}.\"\n  }\n}\n";
    assert_eq!(Case::new(text).var("v", "abc").problems(), "");
    assert_eq!(
        Case::new(text).var("v", "ab").problems(),
        "error: invalid value for a variable\n  \
           -var:1:1 `ab`: this is the value of `var.v`\n  \
           main.wg.hcl:3:17 `length(var.v) > 2`: this condition does not hold\n  \
         help: Too short: ab.\n"
    );
}

#[test]
fn a_sensitive_value_is_in_no_message() {
    let text = "variable \"v\" {\n  type = object({ n = number })\n  sensitive = true\n}\noutput \"x\" {\n  sensitive = true\n  value = var.v\n}\n";
    let problems = Case::new(text).var_file("v = { n = \"hunter2\" }\n").problems();
    assert!(
        problems.contains("an object is wanted") && !problems.contains("hunter2"),
        "{problems}"
    );
    let text = "variable \"v\" {\n  sensitive = true\n  default = \"hunter2\"\n}\n";
    for (attribute, expression) in [
        ("mtu", "var.v"),
        ("addresses", "[var.v]"),
        ("addresses", "var.v"),
        ("key_file", "var.v"),
        ("unmanaged_peers", "var.v"),
        ("name", "\"${var.v} too long a name\""),
        ("listen_port", "cidrhost(var.v, 1)"),
        ("listen_port", "tonumber(var.v)"),
        ("listen_port", "jsondecode(var.v)"),
        ("listen_port", "{ a = 1 }[var.v]"),
        ("listen_port", "{ for x in [1, 2] : var.v => x }"),
        ("listen_port", "var.v + 1"),
        ("listen_port", "file(var.v)"),
        ("listen_port", "env(var.v)"),
        ("listen_port", "lookup({}, var.v)"),
        ("enabled", "var.v ? 1 : 2"),
        ("private_key", "var.v"),
    ] {
        let problems =
            Case::new(&format!("{text}interface \"a\" {{ {attribute} = {expression} }}\n"))
                .problems();
        assert!(problems.starts_with("error: "), "{attribute} = {expression}: {problems}");
        assert!(!problems.contains("hunter2"), "{attribute} = {expression}: {problems}");
    }
}

#[test]
fn a_value_for_an_unknown_variable_is_an_error_on_the_command_line_and_a_warning_in_a_file() {
    let case = || Case::new("variable \"region\" { default = 1 }\n");
    assert_eq!(
        case().var("regoin", "x").problems(),
        "error: value for an unknown variable\n  \
           -var:1:1 ``: there is no `variable \"regoin\"`\n  help: Did you mean `region`?\n"
    );
    assert_eq!(
        case().var_file("regoin = 1\n").problems(),
        "warning: value for an unknown variable\n  \
           x.wgvars.hcl:1:1 `regoin`: there is no `variable \"regoin\"`\n  help: Did you mean `region`?\n"
    );
}

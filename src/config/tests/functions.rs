//! Expressions and functions, by Terraform's documentation.

use crate::config::tests::{Case, PRIVATE, PUBLIC, evaluate};

#[track_caller]
fn check(table: &[(&str, &str)]) {
    for (expression, wanted) in table {
        assert_eq!(evaluate(expression), *wanted, "{expression}");
    }
}

#[test]
fn operators_follow_terraform() {
    check(&[
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("10 / 4", "2.5"),
        ("10 / 5", "2"),
        ("-7 % 3", "-1"),
        ("\"5\" + 1", "6"),
        ("9223372036854775807 + 0", "9223372036854775807"),
        ("9223372036854775807 + 1", "9223372036854775808"),
        ("1 < 2 && !(2 <= 1)", "true"),
        ("\"a\" == \"a\"", "true"),
        ("1 == \"1\"", "false"),
        ("[1, 2] == [1, 2]", "true"),
        ("{ a = 1 } != { a = 2 }", "true"),
        ("null == null", "true"),
        ("true || interface.hub.listen_port > 1", "true"),
        ("interface.hub.listen_port == 1", "unknown"),
        ("false ? 1 : 2", "2"),
        ("true ? 1 : \"a\"", "\"1\""),
        ("true ? \"a\" : [1][9]", "\"a\""),
    ]);
}

#[test]
fn templates_follow_terraform() {
    check(&[
        (r#""a${1 + 1}b""#, r#""a2b""#),
        (r#""${5}""#, "5"),
        (r#""${true}${1.50}""#, r#""true1.5""#),
        (r#""$${x} %%{y} \" \\ \u00e9""#, r#""${x} %{y} \" \\ é""#),
        (r#""%{ if 1 > 2 }yes%{ else }no%{ endif }""#, r#""no""#),
        (r#""%{ for x in ["a", "b"] }<${x}>%{ endfor }""#, r#""<a><b>""#),
        (r#""%{ for k, v in { a = 1 } }${k}=${v};%{ endfor }""#, r#""a=1;""#),
        (r#""a  ${~ "b" ~}  c""#, r#""abc""#),
        (r#""x %{~ if true ~} y %{~ endif ~} z""#, r#""xyz""#),
        ("<<EOT\n  a ${1}\n  b\nEOT\n", r#""  a 1\n  b\n""#),
        ("<<-EOT\n    a\n      b\n    EOT\n", r#""a\n  b\n""#),
        ("\"${interface.hub.public_key} x\"", "unknown"),
        ("\"日本 ${upper(\"é\")}\"", "\"日本 É\""),
    ]);
}

#[test]
fn for_expressions_splats_and_indexes_follow_terraform() {
    check(&[
        ("[for x in [1, 2, 3] : x * 2 if x != 2]", "[2,6]"),
        ("[for i, x in [\"a\"] : \"${i}${x}\"]", "[\"0a\"]"),
        ("{ for k, v in { a = 1, b = 2 } : v => k }", "{\"1\":\"a\",\"2\":\"b\"}"),
        (
            "{ for x in [\"a1\", \"a2\", \"b1\"] : split(\"\", x)[0] => x... }",
            r#"{"a":["a1","a2"],"b":["b1"]}"#,
        ),
        ("[for x in toset([\"b\", \"a\"]) : x]", "[\"a\",\"b\"]"),
        ("[for interface in [1] : interface]", "[1]"),
        ("[{ a = 1 }, { a = 2 }][*].a", "[1,2]"),
        ("[{ a = [1] }, { a = [2] }].*.a[0]", "[1]"),
        ("[{ a = [1] }, { a = [2] }][*].a[0]", "[1,2]"),
        ("{ a = 1 }[*].a", "[1]"),
        ("null[*]", "[]"),
        ("[1, 2][1]", "2"),
        ("[1, 2].0", "1"),
        ("{ \"a b\" = 1 }[\"a b\"]", "1"),
        ("{ (\"x${1}\") = 1, y : 2 }", "{\"x1\":1,\"y\":2}"),
        ("concat([[1]]...)", "[1]"),
    ]);
}

#[test]
fn functions_on_text_follow_terraform() {
    check(&[
        ("format(\"Hello, %s!\", \"Ander\")", "\"Hello, Ander!\""),
        ("format(\"There are %d lights\", 4)", "\"There are 4 lights\""),
        (
            "format(\"%05d|%-5d|%+d|%x|%X|%o|%b|% d\", 42, 42, 42, 255, 255, 8, 5, 7)",
            "\"00042|42   |+42|ff|FF|10|101| 7\"",
        ),
        ("format(\"%.2f%% %f %5.1f\", 12.345, 1, 2.25)", "\"12.35% 1.000000   2.2\""),
        (
            "format(\"%e %g %g %G\", 1234.5, 100000, 1000000, 1e-7)",
            "\"1.234500e+03 100000 1e+06 1E-07\"",
        ),
        (
            "format(\"%v %v %v %v %#v\", \"a\", 51820, true, [1, \"b\"], \"a\")",
            r#""a 51820 true [1,\"b\"] \"a\"""#,
        ),
        ("format(\"%q\", \"a\\\"b\")", r#""\"a\\\"b\"""#),
        ("format(\"%5s|%-5s|%.2s\", \"ab\", \"ab\", \"abc\")", "\"   ab|ab   |ab\""),
        ("format(\"%[2]s %[1]s\", \"a\", \"b\")", "\"b a\""),
        ("format(\"%s %t\", 5, \"true\")", "\"5 true\""),
        ("format(\"%d\", \"7\")", "\"7\""),
        ("format(\"%s\", interface.hub.public_key)", "unknown"),
        ("join(\", \", [\"foo\", \"bar\"])", "\"foo, bar\""),
        ("join(\"-\", [1, 2], [true])", "\"1-2-true\""),
        ("join(\",\", [])", "\"\""),
        ("split(\",\", \"a,b,,c\")", r#"["a","b","","c"]"#),
        ("split(\",\", \"\")", r#"[""]"#),
        ("split(\"\", \"abc\")", r#"["a","b","c"]"#),
        ("lower(\"HÉLLO\")", "\"héllo\""),
        ("upper(\"hello\")", "\"HELLO\""),
        ("replace(\"1 + 2 + 3\", \"+\", \"-\")", "\"1 - 2 - 3\""),
        ("replace(\"hello world\", \"/w.*d/\", \"everybody\")", "\"hello everybody\""),
        ("replace(\"ab\", \"/(a)(b)/\", \"$2$1\")", "\"ba\""),
        ("replace(\"a/b\", \"/\", \"-\")", "\"a-b\""),
        ("trimspace(\"  hello\\n\\n\")", "\"hello\""),
    ]);
}

#[test]
fn functions_on_collections_follow_terraform() {
    check(&[
        ("concat([\"a\", \"\"], [\"b\", \"c\"])", r#"["a","","b","c"]"#),
        ("contains([\"a\", \"b\"], \"a\")", "true"),
        ("contains([\"a\", \"b\"], \"c\")", "false"),
        ("distinct([\"a\", \"b\", \"a\", \"c\", \"b\"])", r#"["a","b","c"]"#),
        ("flatten([[\"a\", \"b\"], [], [\"c\", [\"d\"]]])", r#"["a","b","c","d"]"#),
        ("keys({ b = 1, a = 2 })", r#"["a","b"]"#),
        ("values({ b = 1, a = 2 })", "[2,1]"),
        ("length([])", "0"),
        ("length({ a = 1 })", "1"),
        ("length(\"héllo\")", "5"),
        ("lookup({ a = \"ay\" }, \"a\", \"what?\")", "\"ay\""),
        ("lookup({ a = \"ay\" }, \"c\", \"what?\")", "\"what?\""),
        ("merge({ a = 1, c = 2 }, { c = 3 }, null)", r#"{"a":1,"c":3}"#),
        ("merge()", "{}"),
        ("element([\"a\", \"b\", \"c\"], 1)", "\"b\""),
        ("element([\"a\", \"b\", \"c\"], 3)", "\"a\""),
        ("element([\"a\", \"b\", \"c\"], -1)", "\"c\""),
        ("range(3)", "[0,1,2]"),
        ("range(1, 4)", "[1,2,3]"),
        ("range(1, 8, 2)", "[1,3,5,7]"),
        ("range(4, 1)", "[4,3,2]"),
        ("range(0, 1, 0.5)", "[0,0.5]"),
        ("coalesce(\"\", null, \"b\")", "\"b\""),
        ("coalesce(1, \"a\")", "\"1\""),
        ("max(12, 54, 3)", "54"),
        ("min(12, 54, 3)", "3"),
    ]);
}

#[test]
fn conversions_follow_terraform() {
    check(&[
        ("toset([\"c\", \"b\", \"b\"])", r#"["b","c"]"#),
        ("tolist([\"a\", 1, true])", r#"["a","1","true"]"#),
        ("tolist(toset([3, 1]))", "[1,3]"),
        ("tomap({ a = 1, b = \"x\" })", r#"{"a":"1","b":"x"}"#),
        ("tostring(1)", "\"1\""),
        ("tostring(null)", "null"),
        ("tonumber(\"1.5\")", "1.5"),
        ("tobool(\"true\")", "true"),
        (
            "jsonencode({ hello = \"<world>\", n = [1, null] })",
            r#""{\"hello\":\"\\u003cworld\\u003e\",\"n\":[1,null]}""#,
        ),
        ("jsondecode(\"{\\\"a\\\": [1, 2.5, null]}\").a", "[1,2.5,null]"),
        ("try([1][3], \"fallback\")", "\"fallback\""),
        ("try(var.secret.x, jsondecode(\"{\"), 1)", "1"),
        ("can([1][3])", "false"),
        ("can(1)", "true"),
        ("nonsensitive(var.secret)", "\"hunter2\""),
        ("file(\"key.txt\")", &format!("\"{PRIVATE}\\n\"")),
        (&format!("wg_public_key(\"{PRIVATE}\")"), &format!("\"{PUBLIC}\"")),
    ]);
}

#[test]
fn functions_on_networks_follow_terraform() {
    check(&[
        ("cidrhost(\"10.12.112.0/20\", 16)", "\"10.12.112.16\""),
        ("cidrhost(\"10.12.112.0/20\", 268)", "\"10.12.113.12\""),
        ("cidrhost(\"10.12.112.0/20\", -1)", "\"10.12.127.255\""),
        ("cidrhost(\"fd00:fd12:3456:7890:00a2::/72\", 34)", "\"fd00:fd12:3456:7890::22\""),
        ("cidrhost(\"fd00::/16\", 1)", "\"fd00::1\""),
        ("cidrhost(\"::/0\", 5)", "\"::5\""),
        ("cidrhost(\"::/0\", -1)", "\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\""),
        ("cidrhost(\"8000::/1\", -2)", "\"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe\""),
        ("cidrhost(\"10.0.0.7/32\", -1)", "\"10.0.0.7\""),
        ("cidrsubnet(\"172.16.0.0/12\", 4, 2)", "\"172.18.0.0/16\""),
        ("cidrsubnet(\"10.1.2.0/24\", 4, 15)", "\"10.1.2.240/28\""),
        ("cidrsubnet(\"10.1.2.0/24\", 0, 0)", "\"10.1.2.0/24\""),
        ("cidrsubnet(\"fd00:fd12:3456:7890::/56\", 16, 162)", "\"fd00:fd12:3456:7800:a200::/72\""),
        ("cidrnetmask(\"172.16.0.0/12\")", "\"255.240.0.0\""),
        ("cidrnetmask(\"0.0.0.0/0\")", "\"0.0.0.0\""),
    ]);
}

#[test]
fn env_reads_the_environment() {
    let case = Case::new("output \"x\" { value = env(\"HOST\") }\n").env("HOST", "hq");
    assert_eq!(case.output("x"), "\"hq\"");
}

/// Evaluates to an output that is not declared sensitive, and says whether that is refused.
#[track_caller]
fn is_refused(expression: &str) -> bool {
    let text = format!(
        "variable \"s\" {{\n  sensitive = true\n  default = \"7\"\n}}\ninterface \"hub\" {{}}\noutput \"x\" {{ value = {expression} }}\n"
    );
    let problems = Case::new(&text).problems();
    let refusal = "error: sensitive value in an output that is not sensitive\n";
    assert!(problems.is_empty() || problems.starts_with(refusal), "{expression}: {problems}");
    !problems.is_empty()
}

#[test]
fn sensitive_marks_cannot_be_lost() {
    for expression in [
        "var.s",
        "\"a${var.s}\"",
        "\"%{ if var.s == \"7\" }x%{ endif }\"",
        "\"%{ for x in [var.s] }${x}%{ endfor }\"",
        "\"%{ for x in split(\",\", var.s) }a%{ endfor }\"",
        "var.s + 1",
        "-var.s",
        "var.s == \"7\"",
        "var.s == \"7\" ? 1 : 2",
        "!(var.s == \"7\") || false",
        "[1, { a = var.s }]",
        "{ (var.s) = 1 }",
        "[for x in [var.s] : x]",
        "[for x in split(\",\", var.s) : 1]",
        "[for x in [1] : x if var.s == \"7\"]",
        "{ for x in [var.s] : x => 1 }",
        "[1, 2, 3, 4, 5, 6, 7, 8][var.s]",
        "{ \"7\" = 1 }[var.s]",
        "[{ a = var.s }][*].a",
        "upper(var.s)",
        "format(\"%s\", var.s)",
        "join(\",\", [var.s])",
        "concat([var.s], [1])",
        "merge({ a = var.s }, {})",
        "flatten([[var.s]])",
        "toset([var.s])",
        "tolist([var.s])",
        "tomap({ a = var.s })",
        "distinct([var.s])",
        "contains([var.s], 1)",
        "coalesce(var.s, 1)",
        "lookup({ a = var.s }, \"a\")",
        "lookup({ \"7\" = 1 }, var.s, 2)",
        "element([var.s], 0)",
        "values({ a = var.s })",
        "keys(sensitive({ a = 1 }))",
        "length(split(\",\", var.s))",
        "range(var.s)",
        "max(1, var.s)",
        "jsonencode([var.s])",
        "jsondecode(var.s)",
        "try(var.s, 1)",
        "can(var.s)",
        "tostring(var.s)",
        "sensitive(1)",
        "concat([[var.s]]...)",
        "cidrhost(\"10.0.0.0/8\", var.s)",
    ] {
        assert!(is_refused(expression), "{expression}");
    }
    for expression in
        ["nonsensitive(var.s)", "length([var.s])", "keys({ a = var.s })", "[var.s, 1][1]"]
    {
        assert!(!is_refused(expression), "{expression}");
    }
}

#[test]
fn no_mark_is_lost_while_something_else_is_unknown() {
    for expression in [
        "interface.hub.listen_port == 1 ? var.s : 1 / 0",
        "try(tonumber(interface.hub.public_key), var.s)",
        "coalesce(interface.hub.public_key, var.s)",
        "element([1, var.s], interface.hub.listen_port)",
        "[1, var.s][interface.hub.listen_port]",
        "lookup({ a = var.s }, interface.hub.public_key)",
        "concat([var.s], split(\",\", interface.hub.public_key))",
        "format(\"%s%s\", var.s, split(\",\", interface.hub.public_key)...)",
        "[for x in split(\",\", interface.hub.public_key) : var.s]",
        "{ for x in [1] : interface.hub.public_key => var.s }",
        "\"%{ for x in split(\",\", interface.hub.public_key) }${var.s}%{ endfor }\"",
    ] {
        assert!(is_refused(expression), "{expression}");
    }
    for expression in [
        "interface.hub.listen_port == 1 ? 2 : 1 / 0",
        "try(interface.hub.public_key, 1)",
        "[for x in split(\",\", interface.hub.public_key) : 1 / 0]",
    ] {
        assert!(!is_refused(expression), "{expression}");
    }
}

#[test]
fn a_problem_in_a_template_does_not_show_a_template_that_is_sensitive() {
    let text = |is_sensitive| {
        format!(
            "variable \"t\" {{\n  sensitive = {is_sensitive}\n  default = \"$${{hunter2}}\"\n}}\n\
             output \"x\" {{\n  sensitive = true\n  value = templatestring(var.t, {{}})\n}}\n"
        )
    };
    let open = Case::new(&text(false)).problems();
    assert!(open.starts_with("error: reference to what a template was not given\n"), "{open}");
    assert!(open.contains("the call gives no `hunter2`"), "{open}");
    let hidden = Case::new(&text(true)).problems();
    assert!(hidden.contains("this has no result, and the reason is sensitive"), "{hidden}");
    assert!(!hidden.contains("hunter2"), "{hidden}");
}

#[test]
fn the_time_of_a_plan_is_the_same_wherever_it_is_asked_for() {
    let seconds = std::sync::atomic::AtomicI64::new(0);
    let tick = move || {
        let now = seconds.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        jiff::Timestamp::from_second(now).unwrap()
    };
    let case = Case::new("output \"x\" { value = [plantimestamp(), plantimestamp()] }\n");
    let (config, _) = case.parse();
    let world =
        crate::world::World::new(std::collections::BTreeMap::new(), ".".into(), tick, |_| {});
    let outputs = crate::config::Evaluator::new(&config, &world).outputs(&case.computed).unwrap();
    let value = outputs["x"].value.as_ref().unwrap().to_string();
    assert_eq!(value, r#"["1970-01-01T00:00:00Z","1970-01-01T00:00:00Z"]"#);
}

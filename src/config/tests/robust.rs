//! No input makes it panic, and big ones stay fast.

use std::fmt::Write as _;
use std::ops::Range;

use proptest::prelude::*;

use crate::config::Evaluator;
use crate::config::tests::{Case, Known, PRIVATE, known, shown};
use crate::diagnostic::Span;
use crate::token::{Token, TokenKind, scan};

const VALID: &str = r#"
wgform {
  required_version = ">= 0.1"
  default_backend  = backend.hq
  state "local" { path = "x.json" }
}
backend "local" "hq" { simulate = true }
variable "names" {
  type    = list(object({ n = string, o = optional(number, 1) }))
  default = [{ n = "日本" }]
  validation {
    condition     = length(var.names) < 5
    error_message = "Too many: ${length(var.names)}."
  }
}
variable "key" { sensitive = true }
locals {
  all  = { for i, x in var.names : x.n => i + 1 if x.o != 7 }
  text = <<-EOT
    %{ for k, v in local.all ~}
    ${k}	= ${format("%05d|%q", v, k)} # "é"
    %{ endfor ~}
  EOT
}
interface "a" {
  addresses   = [cidrhost("10.8.0.0/24", 1) == "" ? "" : "10.8.0.1/24", "fd00::${local.all["日本"]}/64"]
  private_key = var.key
  description = trimspace(local.text)
  lifecycle { prevent_destroy = true }
}
peer "b" {
  interface   = interface.a
  public_key  = try(interface.a.public_key, null)
  allowed_ips = concat(["10.0.0.0/8"], var.names[*].n == [] ? [] : ["fd00::/8"])
  endpoint    = "x.example.com:${interface.a.listen_port}"
  depends_on  = [interface.a]
}
output "o" { value = [peer.b.name, interface.a.addresses.0, max(1, -2) / 3 % 2] }
"#;

/// The lines of each block of the text above, counted from 1.
fn blocks_of(text: &str) -> Vec<Range<usize>> {
    let starts_block = |line: &str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let mut blocks = Vec::new();
    for (i, line) in text.lines().enumerate() {
        if starts_block(line) {
            blocks.push(i + 1..i + 2);
        } else if let (Some(last), false) = (blocks.last_mut(), line.is_empty()) {
            last.end = i + 2;
        }
    }
    blocks
}

fn run(text: &str) -> String {
    Case::new(text).var("key", PRIVATE).problems()
}

#[test]
fn the_file_that_is_mutated_is_valid() {
    assert_eq!(run(VALID), "");
    assert_eq!(run(&VALID.replace('\n', "\r\n")), "");
}

/// Cuts a text at any character and puts something else in.
fn mutate(text: &str, from: usize, n: usize, insert: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let from = from % chars.len();
    let end = (from + n).min(chars.len());
    chars[..from]
        .iter()
        .copied()
        .chain(insert.chars())
        .chain(chars[end..].iter().copied())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_changes_of_a_valid_file_never_panic(
        changes in prop::collection::vec((any::<usize>(), 0..12_usize, prop::sample::select(vec![
            "", "\"", "${", "%{", "}", "{", "[", "]", "(", ")", "null", "-", "!", "local.all", "interface.a", "var.key",
            "\u{feff}", "é", "\0", "\r", "\t", "=", "...", "[*]", ".*", "1e999", "99999999999999999999", "<<EOT\n", "~",
            "? 1 : 2", "/0", "peer.b", "for x in ", "\\u12", "# ", "/*", "0x1", "try()", "format(\"%", "unknown",
        ])), 1..4),
    ) {
        let mut text = VALID.to_owned();
        for (from, n, insert) in changes {
            text = mutate(&text, from, n, insert);
            // Drawing also proves that every place is inside its text.
            drop(run(&text));
        }
    }
}

/// Whether a text may be broken without a token. Without a part of a text it means something else.
fn matters(token: &&Token) -> bool {
    !token.is_trivia() && token.kind != TokenKind::Text
}

/// Removes one token, and returns the text and the lines of the block that it was in.
fn without_token(text: &str, at: usize) -> (String, Range<usize>) {
    let tokens = scan(text);
    let meant: Vec<_> = tokens.iter().filter(matters).collect();
    let token = meant[at % meant.len()];
    let line = text[..token.range.start].matches('\n').count() + 1;
    let block = blocks_of(text).into_iter().find(|it| it.contains(&line)).unwrap();
    let lost = token.text(text).matches('\n').count();
    let broken = [&text[..token.range.start], &text[token.range.end..]].concat();
    (broken, block.start..block.end - lost)
}

#[test]
fn a_missing_token_is_said_in_its_block_and_nowhere_else() {
    let n = scan(VALID).iter().filter(matters).count();
    let mut wrong = String::new();
    for text in [VALID.to_owned(), VALID.replace('\n', "\r\n")] {
        for at in 0..n {
            let (broken, lines) = without_token(&text, at);
            let (config, parsed) = Case::new(&broken).var("key", PRIVATE).parse();
            let problems = Evaluator::new(&config, &Case::new(&broken).world()).problems(parsed);
            let outside = problems.iter().flat_map(|it| &it.labels).any(|label| {
                let Span { source, range } = &label.span;
                let line = source.text[..range.start].matches('\n').count() + 1;
                source.name != "main.wg.hcl" || !lines.contains(&line)
            });
            if outside {
                writeln!(wrong, "── lines {lines:?} of\n{broken}\n{}", shown(&problems)).unwrap();
            }
        }
    }
    assert_eq!(wrong, "", "{wrong}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_parsed_with_every_place_inside_of_it(text in prop::collection::vec(prop_oneof![
        3 => prop::sample::select(vec![
            "interface \"a\" {\n", "peer \"b\" {\n", "}\n", "{", "}", "[", "]", "(", ")", "\"", "'", "\n", "\r\n", " ", "\t", "=",
            "mtu = 5\n", "x", "a = ", "<<EOT\n", "EOT\n", "${", "%{", "/*", "*/", "# c\n", ",", ":", ".", "locals {\n", "\u{10ffe9}",
            "<<<<<<< a\n", "=======\n", ">>>>>>> b\n", "日本", "é", "\u{feff}", "\0", "\\", "1e999", "[Peer]\n", "-", "local.x",
        ]).prop_map(str::to_owned),
        1 => any::<String>(),
    ], 0..40)) {
        // Drawing proves that every place is inside its text and between characters.
        drop(run(&text.concat()));
        drop(Case::new("").var_file(&text.concat()).problems());
    }
}

#[test]
fn deep_nesting_is_an_error_and_never_an_overflow() {
    for n in [1, 60, 64, 100, 10_000] {
        for (open, close) in
            [("(", ")"), ("[", "]"), ("upper(", ")"), ("\"${", "}\""), ("!", ""), ("{ a = ", "}")]
        {
            let text =
                format!("output \"x\" {{ value = {}1{} }}\n", open.repeat(n), close.repeat(n));
            let problems = Case::new(&text).problems();
            assert!(n < 10_000 || problems.starts_with("error: "), "{open}: {problems}");
        }
        assert!(Case::new(&"a {\n".repeat(n)).problems().starts_with("error: "));
    }
    let sum = format!("({}1)", "1 + ".repeat(120));
    let deep = format!("output \"x\" {{ value = {}{sum}{} }}\n", "[".repeat(60), "]".repeat(60));
    assert_eq!(Case::new(&deep).problems(), "");
}

#[test]
fn a_long_chain_of_references_is_no_deep_recursion() {
    let mut text = "locals {\n  l0 = 1\n".to_owned();
    for i in 1..5_000 {
        writeln!(text, "  l{i} = local.l{} + 1", i - 1).unwrap();
    }
    text += "}\noutput \"x\" { value = local.l4999 }\n";
    assert_eq!(Case::new(&text).output("x"), "5000");

    let mut text = "interface \"i0\" { description = \"x\" }\n".to_owned();
    for i in 1..2_000 {
        writeln!(text, "interface \"i{i}\" {{ description = interface.i{}.description }}", i - 1)
            .unwrap();
    }
    assert_eq!(known(&Case::new(&text).desired("interface.i1999"), "description"), "Text(\"x\")");
}

#[test]
fn a_long_chain_of_validations_is_an_error_and_never_an_overflow() {
    let mut text = "variable \"v5000\" { default = 1 }\n".to_owned();
    for i in 0..5_000 {
        writeln!(
            text,
            "variable \"v{i}\" {{\n  default = 1\n  validation {{\n    condition = var.v{} == 1\n    error_message = \"x\"\n  }}\n}}",
            i + 1
        )
        .unwrap();
    }
    assert!(Case::new(&text).problems().starts_with("error: expression nested too deep\n"));
}

#[test]
fn a_value_that_grows_through_locals_has_a_bounded_depth() {
    let mut text = "locals {\n  l0 = 1\n".to_owned();
    for i in 1..5_000 {
        writeln!(text, "  l{i} = [local.l{}]", i - 1).unwrap();
    }
    text += "}\noutput \"x\" { value = local.l4999 }\n";
    assert!(Case::new(&text).problems().starts_with("error: value nested too deep\n"));
}

#[test]
fn ten_thousand_peers_are_evaluated_in_linear_time() {
    let mut text = "interface \"hub\" {}\nlocals { net = { for i in range(1000) : \"p${i}\" => cidrhost(\"10.8.0.0/16\", i) } }\n".to_owned();
    for i in 0..10_000 {
        writeln!(
            text,
            "peer \"p{i}\" {{\n  interface = interface.hub\n  public_key = null\n  description = \"${{interface.hub.name}} {i}\"\n  allowed_ips = [\"${{local.net[\"p{}\"]}}/32\"]\n}}",
            i % 1000
        )
        .unwrap();
    }
    assert_eq!(Case::new(&text).problems(), "");
}

#[test]
fn a_value_that_doubles_through_locals_has_a_bounded_size() {
    for doubled in
        ["\"${local.l?}${local.l?}\"", "[local.l?, local.l?]", "{ a = local.l?, b = local.l? }"]
    {
        let mut text = "locals {\n  l0 = \"ten bytes!\"\n".to_owned();
        for i in 1..90 {
            writeln!(text, "  l{i} = {}", doubled.replace('?', &(i - 1).to_string())).unwrap();
        }
        text += "}\noutput \"x\" { value = local.l89 }\n";
        assert!(Case::new(&text).problems().starts_with("error: value too large\n"), "{doubled}");
    }
}

#[test]
fn a_mistake_that_doubles_through_locals_is_one_mistake() {
    let mut text = "locals {\n  l0 = upper()\n".to_owned();
    for i in 1..90 {
        writeln!(text, "  l{i} = [local.l{0}, local.l{0}]", i - 1).unwrap();
    }
    text += "}\noutput \"x\" { value = local.l89 }\n";
    assert_eq!(
        Case::new(&text).problems(),
        "error: invalid function call\n  main.wg.hcl:2:8 `upper()`: `upper` takes 1 argument, and here are 0\n  help: Call it as `upper(text)`.\n"
    );
}

#[test]
fn yaml_whose_aliases_stand_for_something_huge_or_deep_is_refused() {
    for (step, why) in [
        ("[*a${i - 1}]", "too many lists and maps are inside each other"),
        ("[*a${i - 1}, *a${i - 1}]", "this makes a value of more than 32 MiB"),
    ] {
        let lines = format!("[for i in range(1, 200) : \"a${{i}}: &a${{i}} {step}\"]");
        let expression = format!("yamldecode(join(\"\\n\", concat([\"a0: &a0 [1]\"], {lines})))");
        let problems = crate::config::tests::evaluate(&expression);
        assert!(problems.contains(why), "{problems}");
    }
}

#[test]
fn no_function_takes_time_or_memory_without_end() {
    for (expression, why) in [
        ("setproduct(range(1024), range(1024), range(1024))", "more than 32 MiB"),
        ("cidrsubnets(\"10.0.0.0/8\", [for i in range(1024) : 1]...)", "no room for this one"),
        ("regex(format(\"%70000s\", \"\"), \"\")", "at most 10000 characters wide"),
        (
            "regex(join(\"\", [for i in range(1000) : format(\"%100s\", \"\")]), \"\")",
            "longer than 65536 bytes",
        ),
        ("regex(\"((a{1000}){1000}){1000}\", \"a\")", "too large for a text of 1 bytes"),
        ("indent(1000000000, \"a\\nb\")", "more than 32 MiB"),
    ] {
        let problems = crate::config::tests::evaluate(expression);
        assert!(problems.contains(why), "{expression}: {problems}");
    }
    assert_eq!(
        crate::config::tests::evaluate("setproduct(range(1024), range(1024), range(1024), [])"),
        "[]"
    );
}

#[test]
fn what_grows_with_the_square_of_its_input_is_bounded() {
    let long = "join(\"\", [for i in range(100) : format(\"%01000d\", 0)])";
    let many = "flatten([for a in range(1000) : [for b in range(100) : [[1]]]])";
    let merged = format!(
        "join(\"\", concat([\"a: &a {{b: 1}}\\nc:\\n\"], [for i in range(1000) : \"  {}\"]))",
        "<<: *a\\n  ".repeat(100).trim_end()
    );
    for (expression, result) in [
        (format!("length(regexall(\"0*1|0\", {long}))"), "there are too many matches"),
        (format!("replace({long}, \"/0*1|0/\", \"x\")"), "there are too many matches"),
        (format!("trim({long}, format(\"1%s0\", {long}))"), "\"\""),
        (format!("length(setunion({many}...))"), "1"),
        (format!("length(setintersection({many}...))"), "1"),
        (format!("length(yamldecode({merged}))"), "2"),
        (format!("{}1{} == {0}[]{1}", "[".repeat(50), "]".repeat(50)), "false"),
        (
            format!("true ? {}1{} : {0}[]{1}", "[".repeat(50), "]".repeat(50)),
            "condition with values of different types",
        ),
        (
            format!("true ? {}1{} : {0}[]{1}", "{ a = ".repeat(50), "}".repeat(50)),
            "condition with values of different types",
        ),
    ] {
        let said = crate::config::tests::evaluate(&expression);
        assert!(said.contains(result), "{expression}: {}", &said[..said.len().min(300)]);
    }
}

#[test]
fn a_template_of_literal_text_that_repeats_itself_is_bounded() {
    let repeat = |text: &str| {
        let (mut open, mut close) = (String::new(), String::new());
        for name in ["a", "b", "c", "d"] {
            write!(open, "%{{ for {name} in range(1024) }}").unwrap();
            close += "%{ endfor }";
        }
        crate::config::tests::evaluate(&format!("\"{open}{text}{close}\""))
    };
    assert!(repeat(&"ten bytes!".repeat(100)).contains("value too large"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a template is a file")]
fn a_template_that_is_nested_deep_is_an_error_and_never_an_overflow() {
    let directory = tempfile::tempdir().unwrap();
    for (open, close) in [("${[", "]}"), ("%{ if true }", "%{ endif }"), ("${\"", "\"}")] {
        let text = format!("{}{}", open.repeat(20_000), close.repeat(20_000));
        std::fs::write(directory.path().join("deep"), text).unwrap();
        let case = Case::new("output \"x\" { value = templatefile(\"deep\", {}) }\n");
        let problems = case.directory(directory.path().to_owned()).problems();
        assert!(problems.starts_with("error: invalid template\n"), "{open}: {problems}");
    }
}

#[test]
fn a_text_of_many_gigabytes_is_refused_before_it_is_made() {
    let long = "format(\"%10000s\", \"\")";
    for (expression, why) in [
        (format!("replace({long}, \" \", {long})"), "this makes a value of more than 32 MiB"),
        (
            format!("replace({long}, \"/( )/\", \"$1{}\")", "$0".repeat(5000)),
            "this makes a value of more than 32 MiB",
        ),
        (format!("replace({long}, \"/ /\", {long})"), "this makes a value of more than 32 MiB"),
        (format!("join({long}, split(\"\", {long}))"), "this makes a value of more than 32 MiB"),
        (
            format!("format(replace({long}, \" \", \"%10000[1]d\"), 1)"),
            "this makes a value of more than 32 MiB",
        ),
        (
            format!(
                "\"%{{ for a in range(1024) }}%{{ for b in range(1024) }}${{{long}}}%{{ endfor }}%{{ endfor }}\""
            ),
            "value too large",
        ),
        (format!("[for a in range(1024) : [for b in range(1024) : {long}]]"), "value too large"),
    ] {
        let problems = crate::config::tests::evaluate(&expression);
        assert!(problems.contains(why), "{expression}: {}", &problems[..problems.len().min(300)]);
    }
}

/// What the parser reads twice in each of so many brackets; `<` is what it cannot read.
fn behind_operators(brackets: usize, inner: &str) -> String {
    format!("{}{inner}{}", "1 - 1 - (".repeat(brackets), ")".repeat(brackets))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a template is a file")]
fn a_mistake_behind_many_operators_is_not_looked_for_until_the_end_of_days() {
    let broken = behind_operators(40, "<");
    let too_deep = "error: expression nested too deep\n";
    let argument =
        format!("interface \"a\" {{\n  mtu = {broken}\n}}\noutput \"x\" {{ value = y }}\n");
    let problems = Case::new(&argument).problems();
    assert!(problems.starts_with(too_deep), "{problems}");
    assert!(problems.contains("there is no `y` here"), "{problems}");

    let variable =
        Case::new("variable \"v\" { type = list(number) }\noutput \"x\" { value = var.v }\n");
    let problems = variable.var("v", &broken).problems();
    assert!(problems.contains("this is not written as an expression"), "{problems}");

    let said = Case::new("").with(|_, evaluator, _| {
        evaluator.console().evaluate(&broken, &Known::default()).map_err(|said| shown(&said))
    });
    assert!(said.as_ref().is_err_and(|said| said.starts_with(too_deep)), "{said:?}");

    let directory = tempfile::tempdir().unwrap();
    let nested = format!("{}${{<}}", "${ 1 - 1 - \"".repeat(40));
    for text in [format!("${{ {broken} }}"), nested] {
        std::fs::write(directory.path().join("t"), text).unwrap();
        let case = Case::new("output \"x\" { value = templatefile(\"t\", {}) }\n");
        let problems = case.directory(directory.path().to_owned()).problems();
        assert!(problems.starts_with("error: invalid template\n"), "{problems}");
    }
}

#[test]
fn brackets_behind_operators_are_bounded_where_nobody_writes_them() {
    let evaluate = |text: &str| crate::config::tests::evaluate(text);
    assert_eq!(evaluate(&behind_operators(12, "1")), "1");
    assert!(evaluate(&behind_operators(20, "1")).contains("expression nested too deep"));
    // Each of many starts anew.
    let many = behind_operators(5, "1") + ", ";
    let few_each = format!("length([{}])", many.repeat(10_000));
    assert_eq!(evaluate(&few_each), "10000");
}

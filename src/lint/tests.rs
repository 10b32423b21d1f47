//! Each rule: what breaks it, what only looks like that, and the comment that silences it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::config::{Config, Evaluator};
use crate::diagnostic::rule::{RULES, Rule};
use crate::diagnostic::{Diagnostic, Severity, SourceText};
use crate::lint::look;
use crate::source::{Files, Sources};
use crate::world::World;

/// Two sites with a link, and somebody on the road: nothing in it breaks a rule.
const SITES: &str = r#"
backend "local" "one" {}
backend "local" "two" {}

interface "hq" {
  backend     = backend.one
  listen_port = 51820
  addresses   = ["10.8.0.1/24", "fd00:8::1/64"]
}

interface "branch" {
  backend     = backend.two
  listen_port = 51821
  addresses   = ["10.8.0.2/24", "fd00:8::2/64"]
}

peer "hq_to_branch" {
  interface     = interface.hq
  public_key    = interface.branch.public_key
  preshared_key = preshared_key.tunnel
  allowed_ips   = ["10.8.0.2/32", "10.20.0.0/16"]
}

peer "branch_to_hq" {
  interface     = interface.branch
  public_key    = interface.hq.public_key
  preshared_key = preshared_key.tunnel
  endpoint      = "192.0.2.1:51820"
  persistent_keepalive = "25s"
  allowed_ips   = ["10.8.0.1/32", "10.10.0.0/16"]
}

peer "laptop" {
  interface   = interface.hq
  public_key  = "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw="
  allowed_ips = ["10.8.0.9/32"]
}

preshared_key "tunnel" {}
"#;

const LAPTOP: &str = r#"["10.8.0.9/32"]"#;
const LAPTOPS_KEY: &str = r#""HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=""#;
const KEEPALIVE: &str = "  persistent_keepalive = \"25s\"\n";
const ENDPOINT: &str = "  endpoint      = \"192.0.2.1:51820\"\n";
const HQ_TO_BRANCH: &str = "peer \"hq_to_branch\" {\n  interface     = interface.hq\n  public_key    = interface.branch.public_key\n  preshared_key = preshared_key.tunnel\n  allowed_ips   = [\"10.8.0.2/32\", \"10.20.0.0/16\"]\n}\n";

/// What is written in the place of what.
type Edits<'a> = &'a [(&'a str, &'a str)];

fn edited(edits: Edits<'_>) -> String {
    let mut text = SITES.to_owned();
    for (from, to) in edits {
        // Nothing for the end of the file.
        assert!(text.contains(from), "{from}");
        text = if from.is_empty() { text + to } else { text.replacen(from, to, 1) };
    }
    text
}

/// Returns everything that is found, as `validate` finds it.
fn found(text: &str) -> Vec<Diagnostic> {
    let source = SourceText { name: "main.wg.hcl".into(), text: text.into(), secrets: Vec::new() };
    let sources = Sources {
        files: vec![Arc::new(source)],
        variables: Vec::new(),
        reader: Files::new(|_| Err("no such file".to_owned())),
    };
    let world = World::new(BTreeMap::new(), ".".into(), || Timestamp::UNIX_EPOCH, |_| {});
    let (config, parsed) = Config::parse(sources);
    let evaluator = Evaluator::new(&config, &world);
    let mut problems = evaluator.problems(parsed);
    if problems.iter().all(|it| it.severity == Severity::Warning) {
        problems.extend(look(&config, &evaluator, world.now()));
    }
    problems
}

fn codes(text: &str) -> Vec<&'static str> {
    found(text).iter().map(|it| it.rule.map_or(it.summary, |rule| rule.code)).collect()
}

/// What breaks each rule, and no other.
const BREAKS: &[(&str, Edits<'static>)] = &[
    ("overlapping-allowed-ips", &[(LAPTOP, r#"["10.20.3.0/24"]"#)]),
    ("duplicate-allowed-ip", &[(LAPTOP, r#"["10.8.0.2/32"]"#)]),
    ("two-default-routes", &[(LAPTOP, r#"["::/0"]"#), ("10.20.0.0/16", "0.0.0.0/0")]),
    (
        "two-default-routes",
        &[(LAPTOP, r#"["0.0.0.0/1", "128.0.0.0/1"]"#), ("10.20.0.0/16", "0.0.0.0/0")],
    ),
    ("own-address", &[(LAPTOP, r#"["10.8.0.1/32"]"#)]),
    ("address-outside-networks", &[(LAPTOP, r#"["10.9.0.9/32"]"#)]),
    (
        "address-outside-networks",
        &[(LAPTOP, "[\"10.8.0.9/32\"]\n  client {\n    address = [\"10.9.0.9/32\"]\n  }")],
    ),
    (
        "address-from-list-position",
        &[(LAPTOP, r#"["${cidrhost("10.8.0.0/24", index(["a"], "a") + 9)}/32"]"#)],
    ),
    ("address-from-list-position", &[(LAPTOP, r#"[for i, name in ["a"] : "10.8.0.${i + 9}/32"]"#)]),
    (
        "address-from-list-position",
        &[
            (
                LAPTOP,
                "[for i in range(length(local.names)) : cidrsubnet(\"10.8.0.0/24\", 8, i + 9)]",
            ),
            ("", "locals {\n  names = split(\",\", \"a\")\n}\n"),
        ],
    ),
    ("duplicate-public-key", &[(LAPTOPS_KEY, "interface.branch.public_key")]),
    ("own-public-key", &[(LAPTOPS_KEY, "interface.hq.public_key")]),
    (
        "own-public-key",
        &[(LAPTOPS_KEY, "local.key"), ("", "locals {\n  key = interface.hq.public_key\n}\n")],
    ),
    (
        "shared-interface-key",
        &[
            ("listen_port = 51820", "listen_port = 51820\n  private_key = var.key"),
            ("listen_port = 51821", "listen_port = 51821\n  private_key = var.key"),
            (
                "",
                "variable \"key\" {\n  sensitive = true\n  default = \"YNqHbfBQKaGvzefSSKgu6rZFMSdBkyFaFZqgNFYVZFA=\"\n}\n",
            ),
        ],
    ),
    (
        "literal-key",
        &[(
            "listen_port = 51820",
            "private_key = \"YNqHbfBQKaGvzefSSKgu6rZFMSdBkyFaFZqgNFYVZFA=\"\n  listen_port = 51820",
        )],
    ),
    (
        "literal-password",
        &[(
            "",
            "backend \"routeros\" \"three\" {\n  api_url = \"https://192.0.2.7\"\n  api_user = \"wgform\"\n  api_password = \"hunter22\"\n}\n",
        )],
    ),
    ("unreachable-pair", &[(ENDPOINT, "")]),
    ("missing-keepalive", &[(KEEPALIVE, "")]),
    ("missing-keepalive", &[(KEEPALIVE, "  persistent_keepalive = \"off\"\n")]),
    ("one-sided-link", &[(HQ_TO_BRANCH, "")]),
    ("one-sided-preshared-key", &[("  preshared_key = preshared_key.tunnel\n", "")]),
    ("one-sided-preshared-key", &[("preshared_key.tunnel", "\"none\"")]),
    (
        "one-sided-preshared-key",
        &[("preshared_key.tunnel", "preshared_key.other"), ("", "preshared_key \"other\" {}\n")],
    ),
    ("dialled-without-fixed-port", &[("  listen_port = 51820\n", "")]),
    ("listen-port-clash", &[("backend.two", "backend.one"), ("51821", "51820")]),
    ("mtu-below-1280", &[("listen_port = 51820", "listen_port = 51820\n  mtu = 1279")]),
    (
        "ipv6-through-small-mtu",
        &[
            ("[\"10.8.0.1/24\", \"fd00:8::1/64\"]", "[\"10.8.0.1/24\"]\n  mtu = 1279"),
            (LAPTOP, "[\"10.8.0.9/32\", \"fd00:8::9/128\"]"),
        ],
    ),
    ("unused-variable", &[("", "variable \"x\" {\n  default = 1\n}\n")]),
    (
        "unused-variable",
        &[(
            "",
            "variable \"x\" {\n  default = 1\n  validation {\n    condition = var.x > 0\n    error_message = \"No.\"\n  }\n}\n",
        )],
    ),
    ("unused-local", &[("", "locals {\n  x = 1\n}\n")]),
];

/// What looks like a broken rule, and is fine or not certain.
const FINE: &[(&str, Edits<'static>)] = &[
    (
        "what finds an object to take over is used",
        &[(
            "",
            "variable \"x\" {\n  default = \"wg0\"\n}\nimport {\n  to = interface.hq\n  id = var.x\n}\n",
        )],
    ),
    (
        "a peer may have a network twice",
        &[("\"10.20.0.0/16\"", "\"10.20.0.0/16\", \"10.20.3.0/24\"")],
    ),
    ("a default route holds everything", &[(LAPTOP, "[\"0.0.0.0/0\"]")]),
    (
        "a half of everything is no default route",
        &[(LAPTOP, "[\"0.0.0.0/1\"]"), ("10.20.0.0/16", "0.0.0.0/0")],
    ),
    (
        "who is disabled has nothing",
        &[(LAPTOP, "[\"10.8.0.2/32\", \"10.20.3.0/24\"]\n  enabled = false")],
    ),
    (
        "who is expired has nothing",
        &[(LAPTOP, "[\"10.8.0.2/32\"]\n  expires_at = \"1969-01-01T00:00:00Z\"")],
    ),
    (
        "an own network is no own address",
        &[(LAPTOP, "[\"10.8.0.0/24\"]"), ("\"10.8.0.2/32\", ", "")],
    ),
    ("what is behind a peer is somewhere else", &[(LAPTOP, "[\"10.8.0.9/32\", \"10.9.0.9/32\"]")]),
    ("a network is no address", &[(LAPTOP, "[\"10.9.0.0/24\"]")]),
    (
        "a single address is no network",
        &[("\"10.8.0.1/24\"", "\"10.8.0.1/32\""), (LAPTOP, "[\"10.9.0.9/32\"]")],
    ),
    ("a number in a map stays", &[(LAPTOP, "[for i, name in { 9 = \"a\" } : \"10.8.0.${i}/32\"]")]),
    (
        "a number is not looked up by itself",
        &[(LAPTOP, "[for i, name in [\"a\"] : cidrhost(\"10.8.0.0/24\", [9][i])]")],
    ),
    (
        "what may be a map is not a list",
        &[
            (LAPTOP, "[for i, name in var.x : cidrhost(\"10.8.0.0/24\", i)]"),
            ("", "variable \"x\" {\n  default = { 9 = \"a\" }\n}\n"),
        ],
    ),
    (
        "a position in a text is no address",
        &[(
            LAPTOP,
            "[\"10.8.0.9/32\"]\n  description = join(\",\", [for i, name in [\"a\"] : \"site-${i}\"])",
        )],
    ),
    (
        "a key may be on two interfaces",
        &[(
            "",
            "peer \"again\" {\n  interface = interface.branch\n  public_key = \"HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\"\n  allowed_ips = []\n}\n",
        )],
    ),
    ("a written key may be the far end's", &[(HQ_TO_BRANCH, "")]),
    ("who waits for a key may be it", &[(HQ_TO_BRANCH, ""), (LAPTOPS_KEY, "null")]),
    ("who is disabled meets nobody", &[(ENDPOINT, "  enabled = false\n")]),
    (
        "the other end may keep it open",
        &[
            (KEEPALIVE, ""),
            ("\"10.20.0.0/16\"]", "\"10.20.0.0/16\"]\n  persistent_keepalive = \"25s\""),
        ],
    ),
    (
        "both ends may have no secret",
        &[("preshared_key.tunnel", "\"none\""), ("  preshared_key = preshared_key.tunnel\n", "")],
    ),
    (
        "an endpoint may follow the port",
        &[
            ("  listen_port = 51820\n", ""),
            ("\"192.0.2.1:51820\"", "\"192.0.2.1:${interface.hq.listen_port}\""),
        ],
    ),
    ("two hosts have a port each", &[("51821", "51820")]),
    (
        "who is down listens nowhere",
        &[("backend.two", "backend.one"), ("51821", "51820\n  enabled = false")],
    ),
    (
        "a small MTU is enough for IPv4",
        &[("[\"10.8.0.1/24\", \"fd00:8::1/64\"]", "[\"10.8.0.1/24\"]\n  mtu = 1279")],
    ),
    (
        "an output uses",
        &[(
            "",
            "locals {\n  x = var.x\n}\nvariable \"x\" {\n  default = 1\n}\noutput \"x\" {\n  value = local.x\n}\n",
        )],
    ),
    (
        "what must not be shown breaks nothing",
        &[
            (LAPTOP, "var.x"),
            ("", "variable \"x\" {\n  sensitive = true\n  default = [\"10.8.0.2/32\"]\n}\n"),
        ],
    ),
];

#[test]
fn what_breaks_a_rule_is_found() {
    let mut shown = BTreeSet::new();
    for (code, edits) in BREAKS {
        // Who is on the road could be the far end that is missing.
        let text = match *code {
            "one-sided-link" => without_the_laptop(&edited(edits)),
            _ => edited(edits),
        };
        assert_eq!(codes(&text), [*code], "{text}");
        shown.insert(*code);
    }
    let all: BTreeSet<_> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(shown, all);
}

#[test]
fn what_only_looks_like_it_is_not() {
    assert_eq!(codes(SITES), Vec::<&str>::new());
    for (why, edits) in FINE {
        assert_eq!(codes(&edited(edits)), Vec::<&str>::new(), "{why}");
    }
}

#[test]
fn a_comment_at_any_of_the_places_silences_what_may_be_silenced() {
    for (code, edits) in BREAKS {
        let text = match *code {
            "one-sided-link" => without_the_laptop(&edited(edits)),
            _ => edited(edits),
        };
        let places: Vec<usize> =
            found(&text)[0].labels.iter().map(|label| label.span.range.start).collect();
        for place in places {
            let head = text[..place + 1].rmatch_indices('\n').map(|(at, _)| at + 1);
            let head = head.into_iter().find(|at| text[*at..].starts_with(char::is_alphabetic));
            let (before, after) = text.split_at(head.unwrap_or(0));
            let silenced = format!("{before}# wgform:ignore={code}\n{after}");
            let left = codes(&silenced);
            match Rule::named(code).unwrap().can_be_silenced {
                true => assert_eq!(left, Vec::<&str>::new(), "{silenced}"),
                false => {
                    assert!(left.contains(code) && left.contains(&"comment that silences nothing"))
                }
            }
            let other = format!("{before}# wgform:ignore=literal-password,unused-local\n{after}");
            let is_named = ["literal-password", "unused-local"].contains(code);
            assert!(is_named || codes(&other).contains(code), "{other}");
        }
    }
}

#[test]
fn instances_are_looked_at_one_by_one() {
    let mesh = |endpoint: &str| {
        format!(
            r#"
locals {{
  sites = {{ berlin = 1, lyon = 2 }}
}}
backend "local" "at" {{
  for_each = local.sites
}}
interface "site" {{
  for_each    = local.sites
  backend     = backend.at[each.key]
  listen_port = 51820
  addresses   = ["10.8.0.${{each.value}}/24"]
}}
peer "to_lyon" {{
  interface   = interface.site["berlin"]
  public_key  = interface.site["lyon"].public_key
  allowed_ips = ["10.8.0.2/32"]
  {endpoint}
}}
peer "back" {{
  for_each    = {{ lyon = "berlin" }}
  interface   = interface.site[each.key]
  public_key  = interface.site[each.value].public_key
  allowed_ips = ["10.8.0.1/32"]
}}
"#
        )
    };
    let text = mesh("");
    assert_eq!(codes(&text), ["unreachable-pair"]);
    let labels: Vec<_> = found(&text)[0].labels.iter().map(|it| it.text.clone()).collect();
    assert!(
        labels[0].contains("`peer.back[\"lyon\"]`") || labels[1].contains("`peer.back[\"lyon\"]`"),
        "{labels:?}"
    );
    let dialled = mesh("endpoint = \"192.0.2.2:51820\"\n  persistent_keepalive = \"25s\"");
    assert_eq!(codes(&dialled), Vec::<&str>::new());
}

#[test]
fn the_number_of_an_instance_is_a_position() {
    let text =
        edited(&[(LAPTOP, "[\"${cidrhost(\"10.8.0.0/24\", count.index + 9)}/32\"]\n  count = 1")]);
    assert_eq!(codes(&text), ["address-from-list-position"]);
}

#[test]
fn what_only_an_unused_value_uses_is_unused_too() {
    let text =
        "variable \"a\" {\n  default = 1\n}\nlocals {\n  b = var.a\n  c = local.b + local.b\n}\n";
    let mut codes = codes(text);
    codes.sort_unstable();
    assert_eq!(codes, ["unused-local", "unused-local", "unused-variable"]);
}

#[test]
fn nothing_is_said_of_what_is_unused_while_something_cannot_be_read() {
    let text = "variable \"a\" {\n  default = 1\n}\noutput \"x\" {\n  value = [var.a\n}\n";
    assert!(!codes(text).contains(&"unused-variable"));
}

#[test]
fn a_made_up_key_is_in_no_message() {
    let text = edited(&[(LAPTOPS_KEY, "interface.branch.public_key")]);
    let found = found(&text);
    let texts: Vec<&str> = found[0].labels.iter().map(|it| it.text.as_str()).collect();
    assert!(
        texts.contains(&"`peer.laptop` has the key of `interface.branch` on `interface.hq`"),
        "{texts:?}"
    );
}

/// A network in each of ten thousand peers inside one of a peer, and all of them at once.
#[test]
fn ten_thousand_peers_are_compared_by_sorting() {
    let mut text = "interface \"hub\" {\n  listen_port = 1\n}\n".to_owned();
    for n in 0..10_000_u32 {
        let key = format!("{n:0>10}{}", &LAPTOPS_KEY[11..]);
        let (a, b) = (n / 250, n % 250);
        text += &format!(
            "peer \"p{n}\" {{\n  interface = interface.hub\n  public_key = \"{key}\n  allowed_ips = [\"10.{a}.{b}.0/24\"]\n}}\n"
        );
    }
    assert_eq!(codes(&text), Vec::<&str>::new());
    text = text.replace("\"10.0.0.0/24\"", "\"10.0.0.0/8\"");
    assert_eq!(codes(&text).len(), 9_999);
}

fn without_the_laptop(text: &str) -> String {
    let start = text.find("peer \"laptop\"").unwrap();
    let end = start + text[start..].find("}\n").unwrap() + 2;
    format!("{}{}", &text[..start], &text[end..])
}

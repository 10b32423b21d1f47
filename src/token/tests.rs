//! What tokens texts have, right ones and broken ones.

use std::fmt::Write as _;

use proptest::prelude::*;

use crate::token::{Token, TokenKind, scan};

/// Writes the tokens without blanks, one a line: the kind, `!` when it is never closed, and the text.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for token in scan(text).iter().filter(|it| it.kind != TokenKind::Blank) {
        let mark = if token.is_closed { "" } else { "!" };
        writeln!(shown, "{:?}{mark} {:?}", token.kind, token.text(text)).unwrap();
    }
    shown
}

/// Writes the texts of the tokens without blanks, each followed by what is wrong with it.
fn pieces(text: &str) -> Vec<String> {
    let piece = |token: &Token| match (token.kind, token.is_closed) {
        (TokenKind::Invalid, _) => format!("{}?", token.text(text)),
        (_, false) => format!("{}!", token.text(text)),
        (_, true) => token.text(text).to_owned(),
    };
    let tokens = scan(text);
    tokens.iter().filter(|it| it.kind != TokenKind::Blank).map(piece).collect()
}

#[test]
fn a_block_is_names_texts_and_brackets() {
    insta::assert_snapshot!(shown("peer \"a\" { # c\r\n  x = -1.5e3 // d\n}"), @r##"
    Identifier "peer"
    QuoteOpen "\""
    Text "a"
    QuoteClose "\""
    BraceOpen "{"
    LineComment "# c"
    Newline "\r\n"
    Identifier "x"
    Equal "="
    Minus "-"
    Number "1.5e3"
    LineComment "// d"
    Newline "\n"
    BraceClose "}"
    "##);
}

#[test]
fn templates_stand_in_texts_and_texts_in_templates() {
    insta::assert_snapshot!(shown(r#""a\"$${b}${~ { k = "%{ if c }%%{d" } ~}e""#), @r##"
    QuoteOpen "\""
    Text "a\\\"$${b}"
    TemplateOpen "${~"
    BraceOpen "{"
    Identifier "k"
    Equal "="
    QuoteOpen "\""
    TemplateOpen "%{"
    Identifier "if"
    Identifier "c"
    TemplateClose "}"
    Text "%%{d"
    QuoteClose! "\""
    BraceClose "}"
    TemplateClose "~}"
    Text "e"
    QuoteClose "\""
    "##);
}

#[test]
fn a_heredoc_ends_with_its_marker_at_the_start_of_a_line() {
    insta::assert_snapshot!(shown("x = <<-E\n  a ${b} E\n  EE\n \tE\ny = <<E\r\nE\r\n"), @r##"
    Identifier "x"
    Equal "="
    HeredocOpen "<<-E\n"
    Text "  a "
    TemplateOpen "${"
    Identifier "b"
    TemplateClose "}"
    Text " E\n  EE\n"
    HeredocClose " \tE"
    Newline "\n"
    Identifier "y"
    Equal "="
    HeredocOpen "<<E\r\n"
    HeredocClose "E"
    Newline "\r\n"
    "##);
}

#[test]
fn symbols_are_as_long_as_they_can_be() {
    for (text, expected) in [
        ("a=>b==c=d", vec!["a", "=>", "b", "==", "c", "=", "d"]),
        ("f(x...)[*].y", vec!["f", "(", "x", "...", ")", "[", "*", "]", ".", "y"]),
        ("a.0.1.b 0.1.b", vec!["a", ".", "0", ".", "1", ".", "b", "0.1", ".", "b"]),
        ("a. # c\n0.1", vec!["a", ".", "# c", "\n", "0", ".", "1"]),
        ("1.e 1e 1e+ 1e+5", vec!["1", ".", "e", "1", "e", "1", "e", "+", "1e+5"]),
        ("p::f !a!=b", vec!["p", "::", "f", "!", "a", "!=", "b"]),
        ("a-b - c_é", vec!["a-b", "-", "c_é"]),
        ("a<b<<c <<d e", vec!["a", "<", "b", "<", "<", "c", "<", "<", "d", "e"]),
        ("a && b & c;~", vec!["a", "&&", "b", "&?", "c", ";?", "~?"]),
        ("/* a\n*/ b /**/", vec!["/* a\n*/", "b", "/**/"]),
        ("\u{feff}a \u{feff}\r b", vec!["a", "\u{feff}?", "b"]),
        ("} ) ~}", vec!["}", ")", "~?", "}"]),
    ] {
        assert_eq!(pieces(text), expected, "{text}");
    }
}

#[test]
fn what_is_never_closed_says_so_and_a_text_in_quotes_ends_with_its_line() {
    for (text, expected) in [
        ("a = \"b\\\nc = 1", vec!["a", "=", "\"!", "b\\", "\n", "c", "=", "1"]),
        ("a = \"b\r\n}", vec!["a", "=", "\"!", "b", "\r\n", "}"]),
        ("a = \"${b\"\n}", vec!["a", "=", "\"!", "${!", "b", "\"!", "\n", "}"]),
        ("\"${{}", vec!["\"!", "${!", "{", "}"]),
        ("a /* b\n}", vec!["a", "/* b\n}!"]),
        ("/*/", vec!["/*/!"]),
        ("a = <<E\n ${x}\n}", vec!["a", "=", "<<E\n!", " ", "${", "x", "}", "\n}"]),
        // The marker that ends the heredoc is not lost in the text.
        ("<<E\n${\"a\nE\nb", vec!["<<E\n", "${!", "\"!", "a", "\n", "E", "\n", "b"]),
    ] {
        assert_eq!(pieces(text), expected, "{text:?}");
    }
}

#[test]
fn a_text_that_ends_before_its_directive_has_a_faulty_end() {
    for (text, expected) in [
        (
            r#""%{if a}" "%{endif}""#,
            vec!["\"", "%{", "if", "a", "}", "\"!", "\"", "%{", "endif", "}", "\""],
        ),
        (
            "<<E\n%{for b in c}\nE\n",
            vec!["<<E\n", "%{", "for", "b", "in", "c", "}", "\n", "E!", "\n"],
        ),
        // A directive that the parser takes for another one with a name behind it.
        (r#""%{ife}%{endif}""#, vec!["\"", "%{", "ife?", "}", "%{", "endif", "}", "\""]),
        (
            r#""%{~ if-x }%{else}%{endif}""#,
            vec!["\"", "%{~", "if-x?", "}", "%{", "else", "}", "%{", "endif", "}", "\""],
        ),
        // In a text in a sequence, directives are its own.
        (
            r#""%{if "%{for x in y}%{endfor}"}%{endif}${"%{if a}"}""#,
            vec![
                "\"", "%{", "if", "\"", "%{", "for", "x", "in", "y", "}", "%{", "endfor", "}",
                "\"", "}", "%{", "endif", "}", "${", "\"", "%{", "if", "a", "}", "\"!", "}", "\"",
            ],
        ),
        (
            r#""${for}%{ if(a) }x%{ endif }""#,
            vec![
                "\"", "${", "for", "}", "%{", "if", "(", "a", ")", "}", "x", "%{", "endif", "}",
                "\"",
            ],
        ),
    ] {
        assert_eq!(pieces(text), expected, "{text:?}");
    }
}

#[test]
fn depth_costs_no_stack() {
    for text in ["{".repeat(200_000), "\"${".repeat(200_000), "\"${a}".repeat(200_000)] {
        assert_eq!(scan(&text).last().unwrap().range.end, text.len());
    }
}

#[test]
fn what_the_parser_takes_has_no_fault() {
    for text in [
        "a = \"%{ if b ~}c%{ else }d%{ endif }\"\n",
        "a = [for x in y : x if x > 1 && !z]\nb = { for k, v in m : k => v... }\n",
        "a = <<-A\n  ${f(<<B\n  b\nB\n)}\n  A\n",
        "a = p::f(-1, !b, c.*.d, e[*].f[\"g\"], h ? i : j)\n",
        "a = \"$$${x} %$${y} $%{ if b }%%%{c}%{ endif } \\u00e9 $\"\n",
        "a {\n} # b",
        include_str!("../../examples/quickstart/main.wg.hcl"),
        include_str!("../../examples/linux-site-to-site/main.wg.hcl"),
    ] {
        hcl_edit::parser::parse_body(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(!scan(text).iter().any(Token::is_faulty), "{:?}", pieces(text));
    }
}

/// Bodies that parse, laid out as badly as they may be.
pub(crate) fn body() -> impl Strategy<Value = String> {
    let blank = || prop::sample::select(vec!["", "", " ", "\t", "   ", " /* c */ "]);
    let end = || prop::sample::select(vec!["\n", "\r\n", " # c\n", "//c \n", "\n\n\n", "\t\n  \n"]);
    let argument = (name(), blank(), blank(), expression(), end())
        .prop_map(|(name, a, b, value, end)| format!("{a}{name}{a}={b}{value}{end}"));
    argument.prop_recursive(3, 24, 6, move |inner| {
        let block = (name(), blank(), end(), prop::collection::vec(inner, 0..5), end()).prop_map(
            |(name, blank, first, inside, last)| {
                // A name may stand once in a body.
                let numbered = inside.iter().enumerate().map(|(i, it)| {
                    let start = it.find(|c: char| c.is_alphabetic()).filter(|_| !it.contains("/*"));
                    start.map_or_else(String::new, |at| format!("{}n{i}{}", &it[..at], &it[at..]))
                });
                format!(
                    "{name}{blank}\"l\"{blank}{{{first}{}{blank}}}{last}",
                    numbered.collect::<String>()
                )
            },
        );
        block.boxed()
    })
}

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b-c", "long_name", "é", "𝒜x"])
}

/// Expressions that parse on one line or on several.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a",
        "1",
        "-1.5e3",
        "x.0.y",
        "x [ 0 ].*.z",
        "\"t\"",
        "\"$${a}  %%{ $ \\\" # \"",
        "null",
        "<<E\n  a  ${ b }\n   %{ if  c }\nd%{endif}\n E",
        "<<-F\n\n\tF",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let blank =
            || prop::sample::select(vec!["", " ", "  ", "\t", "\n", "\n  ", "# c\n", "/* c */"]);
        let operator =
            prop::sample::select(vec!["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"]);
        prop_oneof![
            (inner.clone(), operator, inner.clone(), blank()).prop_map(|(a, op, b, w)| format!(
                "({w}{}{w} {op} {}{w})",
                flat(&a),
                flat(&b)
            )),
            (inner.clone(), inner.clone(), blank()).prop_map(|(a, b, w)| format!(
                "[{w}{}{w},{w}{}{w}]",
                flat(&a),
                flat(&b)
            )),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!(
                "f ({}, - {}...)",
                flat(&a),
                flat(&b)
            )),
            (inner.clone(), inner.clone())
                .prop_map(|(a, b)| format!("{{\n k = {a}\nlonger={b} # c\n}}")),
            inner
                .clone()
                .prop_map(|a| format!("\"x ${{ {} }}  %{{ if b }}y%{{endif}}\"", flat(&a))),
            inner.clone().prop_map(|a| format!("[for k , v in [ {} ]:v if (! k)]", flat(&a))),
            inner.prop_map(|a| format!("b ? {}:- c", flat(&a))),
        ]
    })
}

/// An expression that may stand before a comma or a bracket: a heredoc may not, in HCL.
fn flat(expression: &str) -> String {
    if expression.contains("<<") { format!("g(\n{expression}\n)") } else { expression.to_owned() }
}

/// What tokens are made of, in any order.
pub(crate) fn soup() -> impl Strategy<Value = String> {
    let words = [
        "\"", "${", "%{~", "~}", "}", "{", "$${", "\\", "<<E\n", "<<-E\r\n", "E", "\n", "\r", " ",
        "a", "é", "0", ".", "1e5", "#", "//", "/*", "*/", "=", ">", "\u{feff}", "~", "$", "(", "]",
        "\0", "𝒜", "-", "!", ":", "in", "if", ",", "&", "<", "*", "?", ")", "[",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..60).prop_map(|it| it.concat())
}

proptest! {
    #[test]
    fn the_tokens_of_any_text_joined_are_the_text(text in prop_oneof![soup(), any::<String>()]) {
        let mut end = 0;
        for token in scan(&text) {
            prop_assert_eq!(token.range.start, end);
            prop_assert!(token.range.end > end);
            end = token.range.end;
        }
        prop_assert_eq!(end, text.len());
    }

    #[test]
    fn what_the_parser_takes_of_any_text_has_no_fault(text in body()) {
        let parsed = hcl_edit::parser::parse_body(&text);
        prop_assert!(parsed.is_ok(), "{}\n{}", text, parsed.unwrap_err());
        prop_assert!(!scan(&text).iter().any(Token::is_faulty), "{:?}", pieces(&text));
    }
}

//! A key that was read from the wrong file, or stands in the wrong place, is in no message.

use crate::config::tests::{Case, shown};
use crate::config::vocabulary::{BLOCK_TYPES, BlockType};
use crate::resource::{Kind, declaration};

/// A key as it is in no file, but as expressions make it.
const MADE: &str = "join(\"\", [\"yAnz5TF+lXXJte14tji3\", \"zlMNq+hd2rYUIgJBgB3fBmk=\"])";
const KEY: &str = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";

/// In which places of a value the key stands.
const SHAPES: [&str; 7] = [
    "«»",
    "[«»]",
    "[[\"a\", «»]]",
    "{ a = «», («») = 1 }",
    "\"a ${«»}:51820\"",
    "var.others[«»]",
    "cidrhost(«», 1)",
];

/// Checks what is said where the key is given to each argument of a block, and of the blocks in it.
fn check(head: &str, arguments: &[&str], blocks: &[BlockType], wrap: &dyn Fn(&str) -> String) {
    for argument in arguments {
        for shape in SHAPES {
            let line = format!("{argument} = {}", shape.replace("«»", MADE));
            let text = wrap(&format!("{head} {{\n{line}\n}}"));
            let case = Case::new(&format!("variable \"others\" {{ default = {{}} }}\n{text}\n"));
            let problems = case.with(|_, evaluator, parsed| evaluator.problems(parsed));
            for problem in &problems {
                for said in problem.labels.iter().map(|it| &it.text).chain(&problem.help) {
                    assert!(!said.contains(KEY), "{text}\n{}", shown(&problems));
                }
            }
        }
    }
    for block in blocks {
        let inner = |body: &str| wrap(&format!("{head} {{\n{body}\n}}"));
        check(block.head, &block.argument_names(), block.blocks, &inner);
    }
}

#[test]
fn no_message_repeats_what_may_be_a_key() {
    for block in &BLOCK_TYPES {
        check(block.head, &block.argument_names(), block.blocks, &str::to_owned);
    }
    for kind in [Kind::Interface, Kind::Peer, Kind::PresharedKey] {
        let names: Vec<_> = declaration::attributes(kind).iter().map(|it| it.name).collect();
        check(&format!("{kind} \"a\""), &names, &[], &str::to_owned);
    }
}

#[test]
fn a_path_and_a_name_are_repeated() {
    for (expression, said) in [
        (
            "file(\"/srv/infrastructure/wireguard/production/secrets/hub\")",
            "production/secrets/hub",
        ),
        (
            "nonexistentnonexistentnonexistentnonexistent(1)",
            "nonexistentnonexistentnonexistentnonexistent",
        ),
    ] {
        let text = format!("output \"a\" {{ value = {expression} }}\n");
        let problems = Case::new(&text).problems();
        assert!(problems.contains(said), "{problems}");
    }
}

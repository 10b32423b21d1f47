//! Whatever a label holds, it stays one label.

use proptest::prelude::*;

use crate::render::graph::{Arrows, Drawing, Edge, Group, Node, dot, mermaid};

fn drawing(text: &str) -> Drawing {
    let node = |id: &str| Node {
        id: id.to_owned(),
        lines: vec![text.to_owned(), "second".to_owned()],
        is_outside: true,
    };
    let edge = Edge {
        from: text.to_owned(),
        to: "b".to_owned(),
        lines: vec![text.to_owned()],
        arrows: Arrows::Both,
        is_faint: false,
    };
    let group = Group { title: Some(text.to_owned()), nodes: vec![node(text), node("b")] };
    Drawing { groups: vec![group], edges: vec![edge] }
}

#[test]
fn a_label_with_everything_in_it_is_escaped() {
    let drawing = drawing("a\"b\\n&lt;<br>`#x;%%{x}|\\");
    insta::assert_snapshot!(dot(&drawing), @r#"
    digraph wgform {
      rankdir = "LR"
      node [shape = "box"]
      subgraph "cluster_0" {
        label = "a\"b\\n&amp;lt;<br>`#x;%%{x}|\\"
        "a\"b\\n&lt;<br>`#x;%%{x}|\\" [label = "a\"b\\n&amp;lt;<br>`#x;%%{x}|\\\nsecond", style = "rounded"]
        "b" [label = "a\"b\\n&amp;lt;<br>`#x;%%{x}|\\\nsecond", style = "rounded"]
      }
      "a\"b\\n&lt;<br>`#x;%%{x}|\\" -> "b" [label = "a\"b\\n&amp;lt;<br>`#x;%%{x}|\\", dir = "both"]
    }
    "#);
    insta::assert_snapshot!(mermaid(&drawing), @r#"
    flowchart LR
      subgraph g0["a#34;b#92;n#38;lt#59;#60;br#62;#96;#35;x#59;#37;#37;#123;x#125;#124;#92;"]
        n0("a#34;b#92;n#38;lt#59;#60;br#62;#96;#35;x#59;#37;#37;#123;x#125;#124;#92;<br/>second")
        n1("a#34;b#92;n#38;lt#59;#60;br#62;#96;#35;x#59;#37;#37;#123;x#125;#124;#92;<br/>second")
      end
      n0 <-->|"a#34;b#92;n#38;lt#59;#60;br#62;#96;#35;x#59;#37;#37;#123;x#125;#124;#92;"| n1
    "#);
}

/// Takes the texts in quotes out of a line, as graphviz finds them; nothing when one is not closed.
fn without_quoted(line: &str) -> Option<String> {
    let (mut rest, mut outside) = (line, String::new());
    while let Some((before, inside)) = rest.split_once('"') {
        outside += before;
        let mut escaped = false;
        let end = inside.char_indices().find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        rest = &inside[end?.0 + 1..];
    }
    Some(outside + rest)
}

proptest! {
    #[test]
    fn no_label_changes_the_graph_around_it(text in any::<String>()) {
        // What is outside of quotes is the same for every label.
        let outside = |text: &str| -> Option<Vec<String>> { dot(&drawing(text)).lines().map(without_quoted).collect() };
        prop_assert_eq!(outside(&text), outside("a"));
        let written = mermaid(&drawing(&text));
        prop_assert_eq!(written.lines().count(), mermaid(&drawing("a")).lines().count());
        for line in written.lines() {
            let quotes = line.matches('"').count();
            prop_assert!(quotes == 0 || quotes == 2, "{}", line);
            let inside = line.split('"').nth(1).unwrap_or_default();
            prop_assert!(!inside.replace("<br/>", "").contains(['<', '>', '`', '%', '&', '|', '{', '}']), "{}", line);
        }
    }
}

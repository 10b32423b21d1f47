//! Graphs as text for graphviz and for Mermaid: what depends on what, and the network.
//!
//! Labels are texts of the user, so every character that either language gives a meaning to is written in a way that
//! has none.

mod network;

use crate::config::Desired;
use crate::render::printable;

pub use network::topology;

/// Boxes, in groups, with lines between them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawing {
    /// The boxes.
    pub groups: Vec<Group>,
    /// The lines.
    pub edges: Vec<Edge>,
}

/// Boxes that belong together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// What they are together; none for those that stand alone.
    pub title: Option<String>,
    /// The boxes.
    pub nodes: Vec<Node>,
}

/// One box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What edges call it, like no other.
    pub id: String,
    /// What is in it, line by line.
    pub lines: Vec<String>,
    /// Whether it is what the configuration only speaks of.
    pub is_outside: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Where it begins.
    pub from: String,
    /// Where it ends.
    pub to: String,
    /// What stands at it, line by line.
    pub lines: Vec<String>,
    /// Where it has its arrows.
    pub arrows: Arrows,
    /// Whether it is there only in part.
    pub is_faint: bool,
}

/// Where a line has arrows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrows {
    /// Nowhere.
    None,
    /// At its end.
    Forward,
    /// At its beginning.
    Back,
    /// At both.
    Both,
}

/// Draws what depends on what: an arrow leads to what has to be there first.
pub fn dependencies(resources: &[&Desired]) -> Drawing {
    let node = |wanted: &&Desired| {
        let id = wanted.address.to_string();
        Node { lines: vec![id.clone()], id, is_outside: false }
    };
    let edges = resources.iter().flat_map(|wanted| {
        wanted.depends_on.iter().map(|to| Edge {
            from: wanted.address.to_string(),
            to: to.to_string(),
            lines: Vec::new(),
            arrows: Arrows::Forward,
            is_faint: false,
        })
    });
    let nodes = resources.iter().map(node).collect();
    Drawing { edges: edges.collect(), groups: vec![Group { title: None, nodes }] }
}

/// Writes a drawing in the language of graphviz.
pub fn dot(drawing: &Drawing) -> String {
    let mut text = "digraph wgform {\n  rankdir = \"LR\"\n  node [shape = \"box\"]\n".to_owned();
    for (number, Group { title, nodes }) in drawing.groups.iter().enumerate() {
        let mut indent = "  ";
        if let Some(title) = title {
            text += &format!("  subgraph \"cluster_{number}\" {{\n");
            text += &format!("    label = {}\n", dot_label([title]));
            indent = "    ";
        }
        for Node { id, lines, is_outside } in nodes {
            let (id, label) = (dot_id(id), dot_label(lines));
            let mut attributes = Vec::new();
            if id != label {
                attributes.push(format!("label = {label}"));
            }
            if *is_outside {
                attributes.push("style = \"rounded\"".to_owned());
            }
            text += &format!("{indent}{id}{}\n", dot_attributes(&attributes));
        }
        if title.is_some() {
            text += "  }\n";
        }
    }
    for edge in &drawing.edges {
        text += &dot_edge(edge);
    }
    text + "}\n"
}

fn dot_edge(Edge { from, to, lines, arrows, is_faint }: &Edge) -> String {
    let mut attributes = Vec::new();
    if !lines.is_empty() {
        attributes.push(format!("label = {}", dot_label(lines)));
    }
    match arrows {
        Arrows::Forward => {}
        Arrows::None => attributes.push("dir = \"none\"".to_owned()),
        Arrows::Back => attributes.push("dir = \"back\"".to_owned()),
        Arrows::Both => attributes.push("dir = \"both\"".to_owned()),
    }
    if *is_faint {
        attributes.push("style = \"dashed\"".to_owned());
    }
    format!("  {} -> {}{}\n", dot_id(from), dot_id(to), dot_attributes(&attributes))
}

fn dot_attributes(attributes: &[String]) -> String {
    match attributes {
        [] => String::new(),
        all => format!(" [{}]", all.join(", ")),
    }
}

/// In quotes only a quote has to be written in another way, and a backslash that one could stand behind.
fn dot_id(text: &str) -> String {
    format!("\"{}\"", line(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// In a label a backslash begins a command, and an ampersand a character of HTML.
fn dot_label(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let escaped = |text: &str| {
        let text = line(text).replace('\\', "\\\\").replace('"', "\\\"");
        text.replace('&', "&amp;")
    };
    let lines: Vec<_> = lines.into_iter().map(|it| escaped(it.as_ref())).collect();
    format!("\"{}\"", lines.join("\\n"))
}

/// Writes a drawing in the language of Mermaid.
pub fn mermaid(drawing: &Drawing) -> String {
    let mut text = "flowchart LR\n".to_owned();
    let nodes = drawing.groups.iter().flat_map(|group| &group.nodes);
    let ids: std::collections::BTreeMap<&str, usize> =
        nodes.enumerate().map(|(number, node)| (node.id.as_str(), number)).collect();
    for (number, Group { title, nodes }) in drawing.groups.iter().enumerate() {
        let mut indent = "  ";
        if let Some(title) = title {
            text += &format!("  subgraph g{number}[{}]\n", mermaid_label([title]));
            indent = "    ";
        }
        for Node { id, lines, is_outside } in nodes {
            let (open, close) = if *is_outside { ("(", ")") } else { ("[", "]") };
            let label = mermaid_label(lines);
            text += &format!("{indent}n{}{open}{label}{close}\n", ids[id.as_str()]);
        }
        if title.is_some() {
            text += "  end\n";
        }
    }
    for Edge { from, to, lines, arrows, is_faint } in &drawing.edges {
        let (Some(mut from), Some(mut to)) = (ids.get(from.as_str()), ids.get(to.as_str())) else {
            continue;
        };
        // There is no arrow that points back only.
        if *arrows == Arrows::Back {
            std::mem::swap(&mut from, &mut to);
        }
        let arrow = match (arrows, is_faint) {
            (Arrows::None, false) => "---",
            (Arrows::None, true) => "-.-",
            (Arrows::Forward | Arrows::Back, false) => "-->",
            (Arrows::Forward | Arrows::Back, true) => "-.->",
            (Arrows::Both, false) => "<-->",
            (Arrows::Both, true) => "<-.->",
        };
        let label = match lines.is_empty() {
            true => String::new(),
            false => format!("|{}|", mermaid_label(lines)),
        };
        text += &format!("  n{from} {arrow}{label} n{to}\n");
    }
    text
}

/// Everything but letters, digits and a few marks that mean nothing in a label is written as its number.
fn mermaid_label(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let escaped = |text: &str| -> String {
        let is_plain = |c: char| c.is_alphanumeric() || " ._-/:,[]()=+@*".contains(c);
        let escape =
            |c: char| if is_plain(c) { c.to_string() } else { format!("#{};", u32::from(c)) };
        line(text).chars().map(escape).collect()
    };
    let lines: Vec<_> = lines.into_iter().map(|it| escaped(it.as_ref())).collect();
    format!("\"{}\"", lines.join("<br/>"))
}

/// Returns a text as one line without what a terminal would obey.
fn line(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests;

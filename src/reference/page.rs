//! The reference of the language as Markdown.

use crate::config::vocabulary::{
    Argument, BLOCK_TYPES, BlockType, EVERY_RESOURCE, LIFECYCLE, LOCALS, Takes,
};
use crate::config::{functions, functions_left_out};
use crate::resource::{
    Attribute, BackendKind, Change, Default, Form, Kind, Ownership, Presence, Support, declaration,
};

const HEAD: &str = "\
# The language of wgform

<!-- Written by `wgform schema reference`; a change here is lost. -->

A configuration is all files `*.wg.hcl` of one directory, in HCL. Their order makes no difference: what refers to what
does. An argument takes any expression, unless its row says that it is read without being evaluated; `null` is the same as
leaving it out. A value that only a device can make, such as the public key of an interface that is not there yet, is
\"known after apply\", and so is whatever is made from it.

| a reference | what it is |
|---|---|
| `var.NAME` | the value of a variable |
| `local.NAME` | a value of `locals` |
| `backend.NAME` | a backend, or with `.id`, `.kind`, `.display_name` one of its attributes |
| `interface.NAME`, `peer.NAME`, `preshared_key.NAME` | a resource, where an argument takes one; with `.ATTRIBUTE` a value |
| `data.interface.NAME.ATTRIBUTE` | what an interface has that somebody else manages |
| `self.ATTRIBUTE` | in a `postcondition`: an attribute of the resource itself |
";

const LEGEND: &str = "\
A change is made *in place*, or it *replaces* the object: the new one is made, with the old key, and the old one is removed. The
column of each kind of backend says where the attribute is kept: *on the device*; *in the state*, because the device has no
place for it; *for wgform*, which it tells what to do; *no*: there it may only have its default.
";

const LINT: &str = "
## Lint

What is allowed and seldom meant is looked for too; `wgform schema lint` prints the rules, and how a comment such as
`# wgform:ignore=missing-keepalive` silences one.
";

const FUNCTIONS: &str = "
## Functions

They have Terraform's names and results; `env` and `wg_public_key` are wgform's own. `[step]` may be left out, and `values...` is any
number of them. A path is relative to the directory of the configuration, which `path.module` and `path.root` name too; `path.cwd` is
its whole path.

What differs from Terraform:

* A number is exact while it is a whole one of 128 bits, and of double precision else, where Terraform's has 512 bits: `0.1 + 0.2` is
  `0.30000000000000004`. What is not finite, as `1 / 0` is there, is an error.
* A list and a tuple with the same elements are equal, and so are a map and an object.
* `&&` and `||` do not look at a right side that decides nothing.
* Texts keep the form of Unicode in which they are written; `length`, `substr` and `strrev` count what a reader takes for one character.
* `textencodebase64` and `textdecodebase64` know UTF-8, UTF-16 in both orders, ISO-8859-1 and US-ASCII.
* A regular expression and what it looks at, a list of files, and every text that is made have a limit, which is an error that says so.

";

/// Returns the reference of the language as Markdown, for one page.
pub fn language_page() -> String {
    let mut page = HEAD.to_owned();
    page += "\n## Blocks\n";
    for block in &BLOCK_TYPES {
        page += &block_section(block, 3);
    }
    page += "\n## Resources\n\n";
    page += LEGEND;
    for kind in Kind::ALL {
        page += &resource_section(kind);
    }
    page += "\n### In every resource\n\n";
    page += &arguments_table(EVERY_RESOURCE);
    page += &block_section(&LIFECYCLE, 4);
    page += LINT;
    page += FUNCTIONS;
    page += &table(
        &["call", "result"],
        functions().into_iter().map(|(usage, doc)| vec![code(usage), doc.to_owned()]),
    );
    page += "\nTerraform has others, which are left out on purpose:\n\n";
    page += &table(
        &["function", "instead"],
        functions_left_out().iter().map(|(name, why)| vec![code(name), (*why).to_owned()]),
    );
    page
}

fn block_section(block: &BlockType, level: usize) -> String {
    let mut section =
        format!("\n{} `{}`\n\n{}\n", "#".repeat(level), plain_head(block.head), block.doc);
    if block.name == LOCALS.name {
        section += "\nIt takes any names, each with any expression.\n";
    }
    if !block.arguments.is_empty() {
        section += "\n";
        section += &arguments_table(block.arguments);
    }
    for inner in block.blocks {
        section += &block_section(inner, level + 1);
    }
    section
}

/// A head without the quotes, which would be noise in a heading: `backend "local" "NAME"` is `backend local NAME`.
fn plain_head(head: &str) -> String {
    head.replace('"', "")
}

fn arguments_table(arguments: &[Argument]) -> String {
    let row = |argument: &Argument| {
        let Argument { name, takes, is_required, default, doc } = argument;
        let absent = match (is_required, default) {
            (true, _) => "required".to_owned(),
            (false, Some(default)) => code(default),
            (false, None) => String::new(),
        };
        vec![code(name), takes_text(takes), absent, (*doc).to_owned()]
    };
    table(&["argument", "takes", "when not written", ""], arguments.iter().map(row))
}

fn takes_text(takes: &Takes) -> String {
    match takes {
        Takes::PlainText => "a string, not evaluated".to_owned(),
        Takes::PlainBool => "`true` or `false`, not evaluated".to_owned(),
        Takes::Type => "a type".to_owned(),
        Takes::Address => "an address, not evaluated".to_owned(),
        Takes::Addresses => "a list of addresses, not evaluated".to_owned(),
        Takes::Triggers => {
            "a list of addresses, with or without an attribute, not evaluated".to_owned()
        }
        Takes::Attributes => "a list of attributes, or `all`, not evaluated".to_owned(),
        Takes::Text => "a string".to_owned(),
        Takes::Choice(words) => noun(&Form::Choice(words)),
        Takes::Bool => "true or false".to_owned(),
        Takes::Backend => Form::Backend.noun(),
        Takes::Number => "a whole number".to_owned(),
        Takes::Texts => "a list of strings".to_owned(),
        Takes::Networks => noun(&Form::Prefixes),
        Takes::Command => "a list of strings".to_owned(),
        Takes::Words(words) => {
            let words: Vec<_> = words.iter().map(|it| format!("`\"{it}\"`")).collect();
            format!("a list of {}", words.join(", "))
        }
        Takes::Bound => "a whole number, or a share such as `\"20%\"`".to_owned(),
        Takes::Patterns => "a list of addresses or patterns, not evaluated".to_owned(),
        Takes::Anything => "any value".to_owned(),
    }
}

fn resource_section(kind: Kind) -> String {
    let declared = declaration::attributes(kind);
    let mut section = format!("\n### `{kind} NAME`\n\n{}\n\n", declaration::doc(kind));
    let mut titles = vec!["attribute", "takes", "when not written", "a change"];
    titles.extend(BackendKind::ALL.iter().map(|kind| kind.as_str()));
    titles.push("");
    let settable = declared.iter().filter(|it| it.presence != Presence::Computed);
    section += &table(&titles, settable.map(attribute_row));
    let computed: Vec<_> = declared.iter().filter(|it| is_computed(it)).collect();
    if !computed.is_empty() {
        section +=
            &format!("\nWhat others can refer to of `{kind}.NAME`, besides what is written:\n\n");
        let row = |it: &&Attribute| vec![code(it.name), it.doc.to_owned()];
        section += &table(&["attribute", ""], computed.iter().map(row));
    }
    section
}

fn is_computed(attribute: &Attribute) -> bool {
    attribute.presence == Presence::Computed
}

fn attribute_row(attribute: &Attribute) -> Vec<String> {
    let Attribute {
        name,
        form,
        presence: _,
        default: _,
        ownership,
        change,
        local: _,
        routeros: _,
        pfsense: _,
        doc,
    } = attribute;
    let mut doc = (*doc).to_owned();
    match form {
        Form::PrivateKey => doc += " A secret: the state has its public key.",
        Form::PresharedKey => doc += " A secret: the state has its fingerprint.",
        _ => {}
    }
    if *ownership == Ownership::Elements {
        doc += " Owned element by element.";
    }
    let mut row = vec![code(name), noun(form), absent(attribute), change_text(*change).to_owned()];
    row.extend(BackendKind::ALL.iter().map(|kind| support(attribute.support(*kind)).to_owned()));
    row.push(doc);
    row
}

fn noun(form: &Form) -> String {
    // Quoted examples are code, as everywhere else on the page.
    let noun = form.noun();
    let mut text = String::new();
    for (at, part) in noun.split('"').enumerate() {
        text += &if at % 2 == 1 { format!("`\"{part}\"`") } else { part.to_owned() };
    }
    text
}

/// Returns what holds when the attribute is not written; nothing where its sentence says it.
fn absent(attribute: &Attribute) -> String {
    let is_held = attribute.support(BackendKind::Local) == Support::Device;
    match (attribute.presence, attribute.default) {
        (Presence::Required, _) => "required".to_owned(),
        (Presence::RequiredNullable, _) => "required, may be `null`".to_owned(),
        (Presence::OptionalComputed, Default::Unset | Default::Device) => {
            "chosen, and kept".to_owned()
        }
        (_, Default::Unset) if is_held => "left alone".to_owned(),
        (_, Default::Unset) => String::new(),
        (_, Default::Device) => "the device's default".to_owned(),
        (_, Default::Text(text)) => code(&format!("\"{text}\"")),
        (_, Default::Bool(yes)) => code(&yes.to_string()),
        (_, Default::Number(number)) => code(&number.to_string()),
        (_, Default::Empty) => code("[]"),
        (_, Default::Off) => code("\"off\""),
    }
}

fn change_text(change: Change) -> &'static str {
    match change {
        Change::InPlace => "in place",
        Change::Replace => "replaces",
    }
}

fn support(support: Support) -> &'static str {
    match support {
        Support::Device => "on the device",
        Support::StateOnly => "in the state",
        Support::Wgform => "for wgform",
        Support::No => "no",
    }
}

pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Sets out a table; a bar in a cell would end it.
pub(super) fn table(titles: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |cells: Vec<String>| {
        let cells = cells.iter().map(|cell| cell.replace('|', "\\|"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut text = line(titles.iter().map(|title| (*title).to_owned()).collect());
    text += &format!("{}|\n", "|---".repeat(titles.len()));
    rows.for_each(|row| text += &line(row));
    text
}

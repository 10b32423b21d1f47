//! Mistakes in the syntax and in words: what each is called, and that it hides nothing but what it stands in.

use crate::config::tests::{Case, check};

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases, one beside the other")]
fn an_argument_is_a_name_an_equals_sign_and_a_value() {
    check(
        "interface \"a\" {\n  mtu 1420\n}\n",
        "error: argument without an equals sign
  2:7 `1420`: `=` has to stand before this
  help: Write `mtu = …`.",
    );
    check(
        "interface \"a\" {\n  name \"x\"\n}\n",
        "error: argument without an equals sign
  2:8 `\"x\"`: `=` has to stand before this
  help: Write `name = …`.",
    );
    check(
        "interface \"a\" {\n  enabled true\n}\n",
        "error: argument without an equals sign
  2:11 `true`: `=` has to stand before this
  help: Write `enabled = …`.",
    );
    check(
        "interface \"a\" {\n  addresses [\"x\"]\n}\n",
        "error: argument without an equals sign
  2:13 `[`: `=` has to stand before this
  help: Write `addresses = …`.",
    );
    check(
        "interface \"a\" {\n  mtu: 1420\n}\n",
        "error: colon in place of an equals sign
  2:6 `:`: `=` has to stand here
  help: Write `mtu = …`.",
    );
    check(
        "interface \"a\" {\n  mtu = 5\n  mtu = 6\n}\n",
        "error: argument written twice
  3:3 `mtu`: `mtu` is written here again
  2:3 `mtu`: it is written here first
  help: Keep one of them.",
    );
    check(
        "interface \"a\" {\n  mtu = 5,\n}\n",
        "error: comma after an argument
  2:10 `,`: no comma stands between arguments
  help: Each argument stands on a line of its own.",
    );
    check(
        "interface \"a\" {\n  mtu =\n}\n",
        "error: argument without a value
  2:7 `=`: a value has to follow
  help: Write a value behind it, or `null` to leave it unset.",
    );
    check(
        "interface \"a\" {\n  mtu == 5\n}\n",
        "error: operator in place of an equals sign
  2:7 `==`: `=` has to stand here
  help: Write `mtu = …`.",
    );
    check(
        "interface \"a\" {\n  mtu = = 5\n}\n",
        "error: equals sign too many
  2:9 `=`: a value has to stand here
  help: Remove one of them.",
    );
    check(
        "interface \"a\" {\n  mtu\n}\n",
        "error: argument without a value
  2:3 `mtu`: `=` and a value have to follow
  help: Write `mtu = …`.",
    );
    check(
        "interface \"a\" {\n  - mtu\n}\n",
        "error: list of YAML
  2:3 `-`: `-` means nothing at the start of a line
  help: A list is written `[\"a\", \"b\"]`.",
    );
    check(
        "interface \"a\" {\n  name = \"x\" mtu = 5\n}\n",
        "error: two arguments on one line
  2:14 `mtu`: a new line has to start here
  help: Each argument stands on a line of its own.",
    );
    check(
        "interface \"a\" {\n  a.b = 5\n}\n",
        "error: name with a dot
  2:4 `.`: the name of an argument has no dots
  help: An argument of a nested block stands inside `{` and `}` of that block.",
    );
    check(
        "interface \"a\" {\n  mtu => 2\n}\n",
        "error: operator in place of an equals sign
  2:7 `=>`: `=` has to stand here
  help: Write `mtu = …`.",
    );
    check(
        "interface \"a\" {\n  \"mtu\": 5\n}\n",
        "error: name in quotes
  2:3 `\"mtu\"`: a name stands without quotes here
  help: Write `name = value`, or `type \"label\" {` for a block.",
    );
    check(
        "\"interface\" \"a\" {\n}\n",
        "error: name in quotes
  1:1 `\"interface\"`: a name stands without quotes here
  help: Write `name = value`, or `type \"label\" {` for a block.",
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases, one beside the other")]
fn a_text_stands_in_double_quotes_on_one_line() {
    check(
        "interface \"a\" {\n  name = 'x'\n}\n",
        "error: text in single quotes
  2:10 `'`: a text starts and ends with `\"`
  help: Write `\"` in place of each `'`.",
    );
    check(
        "interface \"a\" {\n  name = \u{201c}x\u{201d}\n}\n",
        "error: typographic quote
  2:10 `\u{201c}`: a text starts and ends with `\"`
  help: Write plain `\"`. Word processors and chat programs change it.",
    );
    check(
        "interface \"a\" {\n  name = \"x\n  mtu = 5\n}\ninterface \"b\" { mtuu = 1 }\n",
        "error: text that is not closed
  2:10 `\"x`: the line ends before the text does
  help: Write `\"` at its end. A text of several lines is written `<<EOT`, its lines, and `EOT` on a line of its own.
error: unknown argument
  5:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
    check(
        "interface \"a\" {\n  addresses = [10.0.0.1/24]\n}\n",
        "error: text without quotes
  2:16 `10.0.0.1`: this is no number
  help: Write an address in quotes, as in `\"10.8.0.1/24\"`.",
    );
    check(
        "interface \"a\" {\n  persist = 25s\n}\n",
        "error: text without quotes
  2:13 `25s`: this is no number and no name
  help: Write a text in quotes, as in `\"10.8.0.1/24\"`.",
    );
    check(
        "interface a\" {\n  mtu = 5\n}\ninterface \"b\" { mtuu = 1 }\n",
        "error: text that is not closed
  1:12 `\"`: a text starts here, and its line ends before it does
  help: Write the `\"` in front of the text too.
error: unknown argument
  4:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
    check(
        "interface \"a\" {\n  mtu = 0x10\n}\n",
        "error: text without quotes
  2:9 `0x10`: this is no number and no name
  help: Write a text in quotes, as in `\"10.8.0.1/24\"`.",
    );
    check(
        "interface \"a\" {\n  name = \"wg0\n}\n",
        "error: text that is not closed
  2:10 `\"wg0`: the line ends before the text does
  help: Write `\"` at its end. A text of several lines is written `<<EOT`, its lines, and `EOT` on a line of its own.",
    );
    check(
        "interface \"a\" {\n  name = wg0\"\n}\n",
        "error: text that is not closed
  2:13 `\"`: a text starts here, and its line ends before it does
  help: Write the `\"` in front of the text too.",
    );
    check(
        "interface \"a\" {\n  name = if true then 1\n}\n",
        "error: text without quotes
  2:10 `if true`: this is no number and no name
  help: Write a text in quotes, as in `\"10.8.0.1/24\"`.",
    );
    check(
        "interface \"a\" {\n  name = \"\\d\"\n}\n",
        "error: escape that means nothing
  2:11 `\\d`: nothing is written this way
  help: Write a backslash as `\\\\`. The escapes are `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\`, `\\uNNNN` and `\\UNNNNNNNN`.",
    );
    check(
        "interface \"a\" {\n  name = \"${upper(\"x\")\"\n}\n",
        "error: interpolation that is not closed
  2:11 `${`: no `}` follows
  help: Close it with `}`. The characters `${` themselves are written `$${`.",
    );
    check(
        "interface \"a\" {\n  name = \"${foo\"\n}\n",
        "error: interpolation that is not closed
  2:11 `${`: no `}` follows
  help: Close it with `}`. The characters `${` themselves are written `$${`.",
    );
    check(
        "interface \"a\" {\n  name = \"%{ if true }x\"\n}\n",
        "error: directive without its end
  2:24 `\"`: the text ends here, before an `%{ if … }` or a `%{ for … }` in it
  help: Write `%{ endif }` or `%{ endfor }` before this. A quote within the text is written `\\\"`.",
    );
    // The parser of HCL takes both of these for an `if`.
    check(
        "interface \"a\" {\n  name = \"%{iftrue}x%{endif}\"\n}\n",
        "error: unknown directive
  2:13 `iftrue`: `iftrue` is no directive
  help: Write `if`, `else`, `endif`, `for` or `endfor` behind `%{`, or `%%{` for a text that has it as it is.",
    );
    check(
        "locals {\n  a = \"%{ if true }\" x \"%{ endif }\"\n}\noutput \"b\" { value = local.a }\n",
        "error: directive without its end
  2:20 `\"`: the text ends here, before an `%{ if … }` or a `%{ for … }` in it
  help: Write `%{ endif }` or `%{ endfor }` before this. A quote within the text is written `\\\"`.",
    );
    check(
        "interface \"a\" {\n  mtu = 5;\n}\n",
        "error: semicolon
  2:10 `;`: `;` means nothing here
  help: Each argument stands on a line of its own, without `;`.",
    );
    check(
        "interface \"a\" {\n  mtu\u{a0}= 5\n}\n",
        "error: character that means nothing
  2:6 `\u{a0}`: this looks like a space, and is another character
  help: Write a plain space.",
    );
    check(
        "interface \"a\" {\n  mtu = 1 & 2\n}\n",
        "error: character that means nothing
  2:11 `&`: one of these alone means nothing
  help: And is written `&&`, or is written `||`.",
    );
}

#[test]
fn elements_are_separated_by_commas() {
    check(
        "interface \"a\" {\n  addresses = [\"a\" \"b\"]\n}\n",
        "error: missing comma
  2:20 `\"b\"`: a comma has to stand before this
  help: Elements are separated by commas, as in `[\"a\", \"b\"]`.",
    );
    check(
        "interface \"a\" {\n  addresses = [\"a\",, \"b\"]\n}\n",
        "error: comma too many
  2:20 `,`: a value has to stand before this
  help: Remove the comma.",
    );
    check(
        "interface \"a\" {\n  addresses = [\n    \"a\"\n    \"b\"\n  ]\n}\n",
        "error: missing comma
  4:5 `\"b\"`: a comma has to stand before this
  help: Elements are separated by commas, as in `[\"a\", \"b\"]`.",
    );
    check(
        "interface \"a\" {\n  x = { a = 1 b = 2 }\n}\n",
        "error: missing comma
  2:15 `b`: a comma has to stand before this
  help: Elements are separated by commas, as in `[\"a\", \"b\"]`.",
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases, one beside the other")]
fn what_opens_is_closed() {
    check(
        "interface \"a\" {\n  addresses = [\"a\"\n  mtu = 5\n}\n",
        "error: bracket that is not closed
  2:15 `[`: no `]` closes this
  4:1 `}`: this stands where another bracket is closed
  help: Write `]` after the last element.",
    );
    check(
        "interface \"a\" {\n  lifecycle {\n    prevent_destroy = true\n}\ninterface \"b\" { mtuu = 1 }\n",
        "error: brace that is not closed
  2:13 `{`: no `}` closes this
  4:1 `}`: this stands where another bracket is closed
  help: Write `}` where it ends.
error: unknown argument
  5:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
    check(
        "interface \"a\" {\n  mtu = 5\n\ninterface \"b\" { mtuu = 1 }\n",
        "error: brace that is not closed
  1:15 `{`: no `}` closes this
  help: Write `}` where it ends.
error: unknown argument
  4:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
    check(
        "interface \"a\" {\n  mtu = 5\n  }\n  name = \"x\"\n}\ninterface \"b\" { mtuu = 1 }\n",
        "error: block that is closed too early
  3:3 `}`: the block ends here
  5:1 `}`: so that this closes nothing
  help: Remove one of the two braces.
error: unknown argument
  6:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
    check(
        "interface \"a\" {\n  mtu = (5\n}\n",
        "error: parenthesis that is not closed
  2:9 `(`: no `)` closes this
  3:1 `}`: this stands where another bracket is closed
  help: Write `)` where it ends.",
    );
    check(
        "interface \"a\" {\n  name = upper(\"x\"\n}\n",
        "error: parenthesis that is not closed
  2:15 `(`: no `)` closes this
  3:1 `}`: this stands where another bracket is closed
  help: Write `)` where it ends.",
    );
    check(
        "interface \"a\" {\n  description = <<EOT\nfoo\n}\ninterface \"b\" { mtuu = 1 }\n",
        "error: heredoc that is not closed
  2:17 `<<EOT`: no line after this is only `EOT`
  help: Write `EOT` on a line of its own where the text ends.
error: unknown argument
  5:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
    check(
        "/* foo\ninterface \"b\" { mtuu = 1 }\n",
        "error: comment that is not closed
  1:1 `/*`: no `*/` follows
  help: Write `*/` where the comment ends.",
    );
    check(
        "}\ninterface \"b\" { mtuu = 1 }\n",
        "error: closing bracket that closes nothing
  1:1 `}`: no bracket is open that `}` could close
  help: Remove it, or write the opening one where it is missing.
error: unknown argument
  2:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
}

#[test]
fn the_first_line_of_a_block_ends_with_its_brace() {
    check(
        "interface \"a\" = {\n  mtu = 5\n}\n",
        "error: block with an equals sign
  1:15 `=`: a block has no `=`
  help: Write `interface \"a\" {`.",
    );
    check(
        "interface \"a\" { mtu = 5\n  name = \"x\"\n}\n",
        "error: argument on the line of an opening brace
  1:17 `mtu`: a new line has to start here
  help: A block of several lines has nothing behind its `{`.",
    );
    check(
        "interface \"a\" { mtu = 5, name = \"x\" }\n",
        "error: two arguments in a block on one line
  1:24 `,`: a block on one line has one argument
  help: Write each argument on a line of its own, without commas.",
    );
    check(
        "interface \"a\" { mtu = 5 name = \"x\" }\n",
        "error: two arguments in a block on one line
  1:25 `name`: a block on one line has one argument
  help: Write each argument on a line of its own.",
    );
    check(
        "interface \"a\" { lifecycle { prevent_destroy = true } }\n",
        "error: block inside a block on one line
  1:17 `lifecycle`: a block on one line has no blocks inside
  help: Write it on lines of its own.",
    );
    check(
        "interface \"a\"\n{\n  mtu = 5\n}\n",
        "error: opening brace on a line of its own
  2:1 `{`: this has to end the line above
  help: The first line of a block ends with its `{`.",
    );
    check(
        "interface \"a\"\n  mtu = 5\n}\ninterface \"b\" { mtuu = 1 }\n",
        "error: block without its opening brace
  1:1 `interface \"a\"`: `{` has to end this line
  help: Write `{` at the end of the line.
error: unknown argument
  4:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
    check(
        "interface \"a\" {\n  x = 1\n  lifecycle\n  {\n  }\n}\n",
        "error: opening brace on a line of its own
  4:3 `{`: this has to end the line above
  help: The first line of a block ends with its `{`.",
    );
    check(
        "interface \"a\" {}  interface \"b\" {}\n",
        "error: something behind a block
  1:19 `interface`: a new line has to start here
  help: Nothing stands behind the `}` of a block.",
    );
}

#[test]
fn an_expression_has_all_its_parts_and_limits() {
    check(
        "interface \"a\" {\n  mtu = 1 +\n}\n",
        "error: operator without its right side
  2:11 `+`: a value has to follow
  help: Write the value behind it, on the same line.",
    );
    check(
        "interface \"a\" {\n  mtu = true ? 1\n}\n",
        "error: condition without its second value
  2:17 ``: `:` and a value have to stand here
  help: Write it as `CONDITION ? VALUE : OTHER`.",
    );
    check(
        "interface \"a\" {\n  mtu = [for x in y]\n}\n",
        "error: for expression without its value
  2:20 `]`: `:` and a value have to stand here
  help: Write it as `[for x in LIST : VALUE]`.",
    );
    check(
        "interface \"a\" {\n  mtu = 1e400\n}\n",
        "error: number too large
  2:9 `1e400`: this is beyond what a number can hold
  help: Write a number up to about 1e308, or a text in quotes.",
    );
    check(
        "interface \"a\" {\n  name = 10.0.0.1/24\n}\n",
        "error: text without quotes
  2:10 `10.0.0.1`: this is no number
  help: Write an address in quotes, as in `\"10.8.0.1/24\"`.",
    );
}

#[test]
fn what_a_merge_left_is_one_problem() {
    check(
        "<<<<<<< HEAD\ninterface \"a\" { mtu = 1 }\n=======\ninterface \"a\" { mtu = 2 }\n>>>>>>> other\ninterface \"b\" { mtuu = 1 }\n",
        "error: merge conflict
  1:1 `<<<<<<< HEAD`: a merge left two versions here
  5:1 `>>>>>>> other`: up to here
  help: Keep one of the versions, and remove the lines with the markers.
error: invalid value
  2:23 `1`: `mtu` is an MTU, a number from 576 to 65535, not `1`
  help: Write it as `mtu = 1420`.
error: unknown argument
  6:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
    check(
        "interface \"a\" {\n<<<<<<< HEAD\n  mtu = 1\n=======\n  mtu = 2\n>>>>>>> other\n}\ninterface \"b\" { mtuu = 1 }\n",
        "error: merge conflict
  2:1 `<<<<<<< HEAD`: a merge left two versions here
  6:1 `>>>>>>> other`: up to here
  help: Keep one of the versions, and remove the lines with the markers.
error: unknown argument
  8:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
}

#[test]
fn another_format_is_called_by_its_name() {
    check(
        "[Interface]\nPrivateKey = abc\n[Peer]\nAllowedIPs = 10.0.0.0/8, ::/0\n",
        "error: file in another format
  1:1 `[Interface]`: this is a section of a wg-quick file
  help: Write `interface \"NAME\" { … }` and `peer \"NAME\" { … }`, with lines such as `listen_port = 51820`.",
    );
    check(
        "{ \"interface\": { \"a\": {} } }\n",
        "error: file in another format
  1:1 `{ \"interface\": { \"a\": {} } }`: this looks like JSON
  help: Write blocks such as `interface \"NAME\" { … }`, with lines such as `listen_port = 51820`.",
    );
    check(
        "interface:\n  - a: 1\n",
        "error: file in another format
  1:1 `interface:`: this looks like YAML
  help: Write blocks such as `interface \"NAME\" { … }`, with lines such as `listen_port = 51820`.",
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases, one beside the other")]
fn words_of_other_tools_are_known() {
    check(
        "resource \"wireguard_interface\" \"x\" {}\noutput \"y\" { value = interface.x.name }\n",
        "error: unknown block
  1:1 `resource`: this version of wgform has no `resource`
  help: The kind is the type of the block: write `interface \"name\" { … }` or `peer \"name\" { … }`.",
    );
    check(
        "interface \"a\" {\n  PrivateKey = 1\n  ListenPort = 1\n  Address = []\n  ip = 1\n  DNS = 1\n  PostUp = 1\n}\npeer \"p\" {\n  AllowedIPs = []\n  PublicKey = null\n  interfce = interface.a\n  PersistentKeepalive = 25\n}\n",
        "error: unknown argument
  2:3 `PrivateKey`: `interface` has no `PrivateKey`
  help: Did you mean `private_key`?
error: unknown argument
  3:3 `ListenPort`: `interface` has no `ListenPort`
  help: Did you mean `listen_port`?
error: unknown argument
  4:3 `Address`: `interface` has no `Address`
  help: Did you mean `addresses`?
error: unknown argument
  5:3 `ip`: `interface` has no `ip`
  help: Did you mean `addresses`?
error: unknown argument
  6:3 `DNS`: `interface` has no `DNS`
  help: Did you mean `dns`?
error: unknown argument
  7:3 `PostUp`: `interface` has no `PostUp`
  help: Did you mean `post_up`?
error: unknown argument
  10:3 `AllowedIPs`: `peer` has no `AllowedIPs`
  help: Did you mean `allowed_ips`?
error: unknown argument
  11:3 `PublicKey`: `peer` has no `PublicKey`
  help: Did you mean `public_key`?
error: unknown argument
  12:3 `interfce`: `peer` has no `interfce`
  help: Did you mean `interface`?
error: unknown argument
  13:3 `PersistentKeepalive`: `peer` has no `PersistentKeepalive`
  help: Did you mean `persistent_keepalive`?",
    );
    check(
        "terraform {}\nprovider \"x\" {}\n",
        "error: unknown block
  1:1 `terraform`: this version of wgform has no `terraform`
  help: Settings stand in a `wgform` block.
error: unknown block
  2:1 `provider`: this version of wgform has no `provider`
  help: A system where interfaces live is a `backend` block; this host needs none.",
    );
    check(
        "interface \"a\" {\n  lifecycle {\n    prevent_destory = true\n  }\n  peer \"x\" {\n  }\n}\n",
        "error: unknown argument
  3:5 `prevent_destory`: `lifecycle` has no `prevent_destory`
  help: Did you mean `prevent_destroy`?
error: unknown block
  5:3 `peer`: `interface` has no `peer`
  help: A `peer` is a block of its own, beside the interface, with a line such as `interface = interface.NAME`.",
    );
    check(
        "backend \"ssh\" \"b\" {\n}\n",
        "error: unknown kind of backend
  1:9 `\"ssh\"`: this version of wgform has no backend of kind `ssh`
  help: Another host is `linux`, with an `ssh` block.",
    );
}

#[test]
fn a_slip_in_a_word_is_recognised() {
    check(
        "interface \"a\" {\n  enabled = \"yes\"\n  unmanaged_peers = \"wran\"\n}\n",
        "error: invalid value
  2:13 `\"yes\"`: `enabled` is true or false, not \"yes\"
  help: Write `true`.
error: invalid value
  3:21 `\"wran\"`: `unmanaged_peers` is one of \"warn\", \"ignore\", \"remove\", not \"wran\"
  help: Did you mean \"warn\"?",
    );
    check(
        "interfce \"x\" {}\noutput \"y\" { value = interface.x.name }\n",
        "error: unknown block
  1:1 `interfce`: there is no block `interfce`
  help: Did you mean `interface`?",
    );
    check(
        "output \"x\" { value = module.x.y }\noutput \"y\" { value = interfce.wg0 }\ninterface \"wg0\" {}\noutput \"z\" { value = interface.wg0.publc_key }\n",
        "error: reference to an unknown module
  1:22 `module.x.y`: no `module \"x\"` in this configuration
  help: Declare it with `module \"x\" { … }`.
error: reference to an unknown name
  2:22 `interfce`: there is no `interfce` here
  help: Did you mean `interface.wg0`?
error: reference to an unknown attribute
  4:36 `publc_key`: `interface` has no attribute `publc_key`
  help: Did you mean `public_key`?",
    );
    check(
        "locals { x = { port = 1 } }\noutput \"x\" { value = local.x.prot }\noutput \"y\" { value = var.x }\n",
        "error: reference to a key that is not there
  2:30 `prot`: there is no key `prot` here
  help: Did you mean `port`?
error: reference to an unknown variable
  3:22 `var.x`: no `variable \"x\"` in this configuration
  help: Did you mean `local.x`?",
    );
    check(
        "variable \"v\" { type = strng }\nvariable \"w\" { type = lst(string) }\n",
        "error: invalid type
  1:23 `strng`: there is no type `strng`; did you mean `string`?
  help: The types are `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` and `tuple([…])`.
error: invalid type
  2:23 `lst(string)`: there is no type `lst`; did you mean `list`?
  help: The types are `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({ … })` and `tuple([…])`.",
    );
    check(
        "backend \"local\" \"b\" {\n  driver = \"kernal\"\n}\n",
        "error: invalid value
  2:12 `\"kernal\"`: there is no such driver
  help: Did you mean \"kernel\"?",
    );
}

#[test]
fn a_broken_block_hides_its_secrets_and_has_no_consequences() {
    check(
        "interface \"a\" {\n  private_key \"hunter2\"\n}\n",
        "error: argument without an equals sign
  2:15 `…`: `=` has to stand before this
  help: Write `private_key = …`.",
    );
    check(
        "wgform {\n  default_backend = = 1\n}\nbackend \"local\" \"x\" {}\nbackend \"local\" \"y\" {}\ninterface \"a\" {}\n",
        "error: equals sign too many
  2:21 `…`: a value has to stand here
  help: Remove one of them.",
    );
}

#[test]
fn bytes_that_are_no_text_are_named() {
    check(
        "\u{10ffe9}\ninterface \"a\" {\n  name = \"\u{10ffe9}\"\n}\n",
        "error: file that is not UTF-8
  1:1 `\u{10ffe9}`: the byte 0xe9 is no part of a text in UTF-8
  help: Save the file as UTF-8; there are 2 such bytes.",
    );
}

#[test]
fn a_limit_of_the_parser_is_explained() {
    let deep = format!("interface \"a\" {{\n  mtu = {}1{}\n}}\n", "[".repeat(65), "]".repeat(65));
    check(
        &deep,
        "error: expression nested too deep
  2:73 `[`: this is inside more than 64 brackets and blocks
  help: Move inner parts into `locals`, and refer to them.",
    );
    let long = format!("interface \"a\" {{\n  mtu = 1{}\n}}\n", " + 1".repeat(129));
    check(
        &long,
        "error: expression too long
  2:523 `+`: more than 128 operators are in one expression
  help: Move inner parts into `locals`, and refer to them.",
    );
}

#[test]
fn what_refers_to_something_broken_is_silent_and_the_rest_is_not() {
    check(
        "interface \"a\" {\n  mtu = = 1\n}\nlocals {\n  name = interface.a.name\n}\npeer \"p\" {\n  interface   = interface.a\n  public_key  = nul\n  allowed_ips = [interface.a.name, \"x\", interface.b.name]\n}\noutput \"o\" { value = \"${local.name} ${1 / 0} ${local.nam}\" }\n",
        "error: equals sign too many
  2:9 `=`: a value has to stand here
  help: Remove one of them.
error: reference to an unknown name
  9:17 `nul`: there is no `nul` here
  help: Write a text in quotes: \"nul\".
error: reference to an unknown interface
  10:41 `interface.b.name`: no `interface \"b\"` in this configuration
  help: Declare it with `interface \"b\" { … }`.
error: division by zero
  12:43 `0`: this is zero
  help: Ask first, as in `n == 0 ? 0 : x / n`.
error: reference to an unknown local value
  12:48 `local.nam`: no `nam` in the `locals` of this configuration
  help: Did you mean `local.name`?",
    );
}

#[test]
fn a_value_that_cannot_be_read_is_not_missing() {
    let case = Case::new(
        "variable \"a\" {}\nvariable \"b\" {}\noutput \"x\" { value = [var.a, var.b] }\n",
    );
    assert_eq!(
        case.var_file("a = [1\nb = 2\nc = 'x'\n").problems(),
        "error: bracket that is not closed
  x.wgvars.hcl:1:5 `…`: no `]` closes this
  help: Write `]` after the last element.
"
    );
}

#[test]
fn what_the_parser_takes_and_hcl_does_not_is_refused() {
    check(
        "interface \"a\" {\n  description = \"x\n y\"\n}\ninterface \"b\" { mtuu = 1 }\n",
        "error: quoted text over several lines
  2:17 `\"`: it is not closed in this line
  help: Write `\\n` where a new line starts, or the whole text as a heredoc.
error: unknown argument
  5:17 `mtuu`: `interface` has no `mtuu`
  help: Did you mean `mtu`?",
    );
}

#[test]
fn a_heredoc_without_a_line_is_empty() {
    let case = Case::new(
        "locals {\n  a = <<EOT\nEOT\n  b = <<-EOT\n  EOT\n  c = <<EOT\nc\nEOT\n}\n\
         output \"x\" { value = \"<${local.a}${local.b}${local.c}>\" }\n",
    );
    assert_eq!(case.output("x"), "\"<c\\n>\"");
}

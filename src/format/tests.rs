//! Single rules, and what holds for any text.

use proptest::prelude::*;

use crate::format::formatted;
use crate::token::tests::{body, soup};

#[test]
fn spaces_stand_between_tokens_by_what_they_are() {
    for (text, expected) in [
        ("", ""),
        ("a=1", "a = 1\n"),
        ("a=b . c", "a = b.c\n"),
        ("a=b [c] . *. d [ 0 ]", "a = b[c].*.d[0]\n"),
        ("a=b ( )[c]", "a = b()[c]\n"),
        ("a=[\"x\"] [0]", "a = [\"x\"][0]\n"),
        ("a=( 1+2*3%4/5 )", "a = (1 + 2 * 3 % 4 / 5)\n"),
        ("a = f(1,-2,b*-c , d -e, - 1 ,f ...)", "a = f(1, -2, b * -c, d - e, -1, f...)\n"),
        ("a=-1 - -2", "a = -1 - -2\n"),
        ("a=! b&&!c||d==e!=f>=g", "a = !b && !c || d == e != f >= g\n"),
        ("a=b?c:- d", "a = b ? c : -d\n"),
        ("b{}", "b {}\n"),
        ("b   \"x\"{ }", "b \"x\" {}\n"),
        ("b{a=1}", "b { a = 1 }\n"),
        ("a={b=1,c:2}", "a = { b = 1, c : 2 }\n"),
        ("a=[ [ ],{ } ]", "a = [[], {}]\n"),
        ("a=[for x in[y]:x if(x>1)]", "a = [for x in [y] : x if (x > 1)]\n"),
        ("a={for k,v in(m):k=>- v...if ! v}", "a = { for k, v in (m) : k => -v... if !v }\n"),
        ("a=p :: q ::r( )", "a = p::q::r()\n"),
        ("a=\"x ${ y } ${~ z ~} $${ }  \"", "a = \"x ${y} ${~z~} $${ }  \"\n"),
        ("a=\"${b}${ - c }${{ d = 1 }}\"", "a = \"${b}${-c}${ { d = 1 } }\"\n"),
        (
            "a=\"%{ if(b) }%{ for x in[1]}${ x }%{ endfor }%{endif}\"",
            "a = \"%{if (b)}%{for x in [1]}${x}%{endfor}%{endif}\"\n",
        ),
        ("a=b/*c*/+/* d*/e", "a = b /*c*/ + /* d*/ e\n"),
        ("a = 1 . x", "a = 1 .x\n"),
    ] {
        assert_eq!(formatted(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn the_text_ends_with_one_line_end_of_its_own_kind() {
    for (text, expected) in [
        ("\n\n", ""),
        ("\u{feff}  ", ""),
        ("\u{feff} a = 1", "a = 1\n"),
        ("\r\u{feff} a = 1", " \u{feff} a = 1\n"),
        ("a = 1\r\n\r\n\r\n", "a = 1\r\n"),
        ("a = 1  \r\n\t \r\n\r\n\n b = 2", "a = 1\r\n\r\n\r\n\nb = 2\r\n"),
        ("a = \"\r\r\n", "a = \"\r\r\n"),
        ("# a \t\r\n//b  ", "# a\r\n//b\r\n"),
        ("a = 1\r\rb", "a = 1 b\n"),
    ] {
        assert_eq!(formatted(text).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn one_wide_line_does_not_make_the_others_as_wide() {
    let wide = "x".repeat(1001);
    let text = format!("{wide}=1\na=2\nbc=3\n");
    assert_eq!(formatted(&text), Ok(format!("{wide} = 1\na  = 2\nbc = 3\n")));
}

proptest! {
    #[test]
    fn the_layout_of_any_text_has_its_tokens_and_stays(text in prop_oneof![soup(), body(), any::<String>()]) {
        let once = formatted(&text).unwrap();
        prop_assert_eq!(formatted(&once).unwrap(), once);
    }

    #[test]
    fn what_the_parser_takes_it_takes_laid_out(text in body()) {
        // A minus right behind a name is part of the name, which then stands beside another.
        prop_assume!(hcl_edit::parser::parse_body(&text).is_ok());
        let text = formatted(&text).unwrap();
        let parsed = hcl_edit::parser::parse_body(&text);
        prop_assert!(parsed.is_ok(), "{}\n{}", text, parsed.unwrap_err());
        prop_assert!(!text.lines().any(|line| line.ends_with('\t')), "{}", text);
    }
}

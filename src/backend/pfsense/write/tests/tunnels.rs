//! Tunnels and their interfaces: nothing half made, nothing taken on, nothing lost unnoticed.

use serde_json::json;

use crate::backend::pfsense::script::{P1, PRIVATE, Script, ok, peer, recorded, tunnel, with};
use crate::backend::pfsense::write::tests::{
    TUN, addresses, create, delete, ending, hub, run, text, update,
};
use crate::resource::{Field, Setting};

#[tokio::test]
async fn a_tunnel_is_made_with_its_name_and_a_free_port() {
    let other = tunnel(0, "tun_wg7", json!(null));
    let made = with(
        &tunnel(1, TUN, json!([{"address": "10.66.0.1", "mask": 24, "descr": ""}])),
        json!({"descr": ""}),
    );
    let mut answers = vec![
        recorded("008"),
        ok(json!([other])),
        ok(json!([])),
        ok(made.clone()),
        ok(json!([made])),
    ];
    answers.extend(ending(json!([other, made]), json!([])));
    let script = Script::new(answers);
    let act =
        create(&[("addresses", addresses(&["10.66.0.1/24"])), ("enabled", Field::Bool(true))]);
    let (ends, asked) = run(&script, vec![act]).await;
    assert_eq!(ends, r#"0: done {"listen_port": Number(51821)}"#);
    insta::assert_snapshot!(asked.lines().take(5).collect::<Vec<_>>().join("\n"), @r#"
    GET system/restapi/version
    GET vpn/wireguard/tunnels
    GET vpn/wireguard/peers?tun=tun_wg0
    POST vpn/wireguard/tunnel {"addresses":[{"address":"10.66.0.1","descr":"","mask":24}],"descr":"","enabled":true,"listenport":"51821","mtu":1420,"name":"tun_wg0","privatekey":"YAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="}
    GET vpn/wireguard/tunnels?name=tun_wg0
    "#);
}

#[tokio::test]
async fn a_tunnel_does_not_take_on_orphans_nor_a_name_that_is_taken() {
    let script = Script::new([recorded("008"), ok(json!([])), recorded("483")]);
    let (ends, asked) = run(&script, vec![create(&[])]).await;
    assert!(
        ends.starts_with("0: untouched: peers of a tunnel that is gone still point to that name"),
        "{ends}"
    );
    assert!(!asked.contains("POST"), "{asked}");
    let script = Script::new([recorded("008"), ok(json!([hub()]))]);
    let (ends, asked) = run(&script, vec![create(&[])]).await;
    assert_eq!(
        ends,
        "0: untouched: a tunnel of that name is there already / import it, or plan again for another name"
    );
    assert!(!asked.contains("POST"), "{asked}");
    // A port that somebody took since is chosen anew.
    let other = tunnel(0, "tun_wg7", json!(null));
    let made = with(&tunnel(1, TUN, json!(null)), json!({"descr": ""}));
    let mut answers = vec![
        recorded("008"),
        ok(json!([])),
        ok(json!([])),
        recorded("049"),
        ok(json!([other])),
        ok(json!([])),
        ok(made.clone()),
        ok(json!([made])),
    ];
    answers.extend(ending(json!([other, made]), json!([])));
    let (ends, _) = run(&Script::new(answers), vec![create(&[])]).await;
    assert_eq!(ends, r#"0: done {"listen_port": Number(51821)}"#);
}

#[tokio::test]
async fn a_tunnel_is_changed_under_its_name_and_keeps_what_is_beside_its_addresses() {
    let held = json!([{"address": "10.66.0.1", "mask": 24, "descr": "v4"}, {"address": "10.66.1.1", "mask": 24, "descr": "old"}]);
    let before = tunnel(3, TUN, held);
    let after = with(
        &before,
        json!({"addresses": [{"address": "10.66.0.1", "mask": 24, "descr": "v4"}, {"address": "fd00::1", "mask": 64, "descr": ""}]}),
    );
    let mut answers = vec![
        recorded("008"),
        ok(json!([before])),
        ok(json!([])),
        recorded("406"),
        ok(json!([with(&before, json!({"id": 2}))])),
        ok(json!([])),
        ok(with(&after, json!({"id": 2}))),
        ok(json!([after])),
    ];
    answers.extend(ending(json!([after]), json!([])));
    let script = Script::new(answers);
    let elements = Setting::Elements {
        add: ["fd00::1/64".parse().unwrap()].into(),
        remove: ["10.66.1.1/24".parse().unwrap()].into(),
    };
    let (ends, asked) = run(&script, vec![update(&[("addresses", elements)], &[])]).await;
    assert_eq!(ends, "0: done");
    let sent: Vec<_> = asked.lines().filter(|it| it.starts_with("PATCH")).collect();
    let body = |id| {
        format!(
            r#"PATCH vpn/wireguard/tunnel {{"addresses":[{{"address":"10.66.0.1","descr":"v4","mask":24}},{{"address":"fd00::1","descr":"","mask":64}}],"id":{id},"name":"tun_wg0"}}"#
        )
    };
    assert_eq!(sent, [body(3), body(2)]);
}

#[tokio::test]
async fn an_assigned_tunnel_does_not_lose_its_addresses_unnoticed() {
    let held = json!([{"address": "10.66.0.1", "mask": 24, "descr": ""}]);
    let before = tunnel(0, TUN, held);
    let settings = [("description", Setting::To(text("x")))];
    let script = Script::new([recorded("008"), ok(json!([before])), recorded("293")]);
    let (ends, asked) = run(&script, vec![update(&settings, &[])]).await;
    assert!(
        ends.starts_with(
            "0: untouched: the tunnel is assigned to `WGIF`, and any change of it would take away"
        ),
        "{ends}"
    );
    assert!(!asked.contains("PATCH"), "{asked}");
    // Who may not see interfaces sees it in the answer.
    let script = Script::new([
        recorded("008"),
        ok(json!([before])),
        recorded("005"),
        recorded("257"),
        recorded("232"),
        recorded("233"),
    ]);
    let (ends, _) = run(&script, vec![update(&settings, &[])]).await;
    assert!(
        ends.starts_with("0: failed: the firewall took away the addresses of the tunnel"),
        "{ends}"
    );
    // It does not take any of its own either.
    let script = Script::new([recorded("008"), ok(json!([hub()])), recorded("293")]);
    let settings = [("addresses", Setting::To(addresses(&["10.66.0.1/24"])))];
    let (ends, asked) = run(&script, vec![update(&settings, &[])]).await;
    assert!(ends.starts_with("0: untouched: `addresses` cannot be written like this on a firewall / the tunnel is assigned"), "{ends}");
    assert!(!asked.contains("PATCH"), "{asked}");
}

#[tokio::test]
async fn a_tunnel_goes_after_its_interface_and_its_peers() {
    let clean = recorded("471");
    let stray = with(&peer(0, "this is no key", "", 9), json!({}));
    let p1 = peer(1, P1, "p1", 3);
    let answers = vec![
        recorded("008"),
        ok(json!([hub()])),
        // The interface.
        recorded("293"),
        recorded("293"),
        clean.clone(),
        recorded("470"),
        recorded("523"),
        // The peers: by their key, and by their place where there is none.
        ok(json!([stray, p1])),
        ok(json!([p1])),
        ok(json!([p1])),
        // What is removed first is gone indeed.
        ok(json!([])),
        ok(json!([stray])),
        ok(stray.clone()),
        ok(json!([])),
        // The tunnel.
        ok(json!([hub()])),
        ok(hub()),
    ];
    let script = Script::new(answers.into_iter().chain(ending(json!([]), json!([]))));
    let (ends, asked) = run(&script, vec![delete()]).await;
    assert_eq!(ends, "0: done");
    insta::assert_snapshot!(asked.lines().take(16).collect::<Vec<_>>().join("\n"), @r#"
    GET system/restapi/version
    GET vpn/wireguard/tunnels?name=tun_wg0
    GET interfaces?if=tun_wg0
    GET interfaces
    GET interface/apply
    DELETE interface?id=opt1
    POST interface/apply {"async":false}
    GET vpn/wireguard/peers?tun=tun_wg0
    GET vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D
    DELETE vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D
    GET vpn/wireguard/peers?publickey=TrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi%2By71lOWWXX0%3D
    GET vpn/wireguard/peers?tun=tun_wg0
    DELETE vpn/wireguard/peer?id=0
    GET vpn/wireguard/peers?tun=tun_wg0
    GET vpn/wireguard/tunnels?name=tun_wg0
    DELETE vpn/wireguard/tunnel?id=0
    "#);
}

#[tokio::test]
async fn another_tunnel_that_was_removed_is_made_again_where_its_key_is_shown() {
    let other = with(&tunnel(0, "tun_wg7", json!(null)), json!({"privatekey": PRIVATE}));
    let start =
        [recorded("008"), ok(json!([hub()])), ok(json!([])), ok(json!([])), ok(json!([hub()]))];
    let again = [ok(other.clone()), ok(other.clone()), recorded("232"), recorded("233")];
    let script = Script::new(start.clone().into_iter().chain(again));
    let (ends, asked) = run(&script, vec![delete()]).await;
    assert_eq!(
        ends,
        "0: failed: somebody changed the list in between, and `tun_wg7` was removed; it was made again / plan again"
    );
    assert!(asked.contains("POST vpn/wireguard/tunnel {\"addresses\":[],\"descr\":\"hub\",\"enabled\":true,\"listenport\":\"51820\",\"mtu\":1420,\"name\":\"tun_wg7\""), "{asked}");
    let hidden = tunnel(0, "tun_wg7", json!(null));
    let script =
        Script::new(start.into_iter().chain([ok(hidden), recorded("232"), recorded("233")]));
    let (ends, _) = run(&script, vec![delete()]).await;
    assert!(ends.contains("Config History` at once: its key is not shown"), "{ends}");
}

fn assign() -> [(&'static str, Field); 3] {
    [
        ("assign_descr", text("WGIF")),
        ("assign_addresses", addresses(&["10.66.0.1/24"])),
        ("assign_mtu", Field::Number(1380)),
    ]
}

#[tokio::test]
async fn a_tunnel_is_in_the_kernel_before_it_is_assigned() {
    let made = with(&hub(), json!({"descr": ""}));
    let lan = json!([{"id": "lan", "if": "em1", "descr": "LAN"}]);
    let clean = recorded("471");
    let answers = vec![
        recorded("008"),
        ok(json!([])),
        ok(json!([])),
        ok(made.clone()),
        ok(lan),
        clean.clone(),
        recorded("229"),
        recorded("232"),
        recorded("233"),
        recorded("292"),
        clean,
        ok(json!([made])),
    ];
    let script = Script::new(answers.into_iter().chain(ending(json!([made]), json!([]))));
    let (ends, asked) = run(&script, vec![create(&assign())]).await;
    assert_eq!(ends, r#"0: done {"listen_port": Number(51820)}"#);
    insta::assert_snapshot!(asked.lines().skip(4).take(8).collect::<Vec<_>>().join("\n"), @r#"
    GET interfaces
    GET interface/apply
    GET vpn/wireguard/settings
    POST vpn/wireguard/apply {}
    GET vpn/wireguard/apply
    POST interface {"apply":true,"async":false,"descr":"WGIF","enable":true,"if":"tun_wg0","ipaddr":"10.66.0.1","mtu":1380,"subnet":24,"typev4":"static"}
    GET interface/apply
    GET vpn/wireguard/tunnels?name=tun_wg0
    "#);
}

#[tokio::test]
async fn a_tunnel_that_cannot_be_assigned_is_not_left_half_made() {
    let made = with(&hub(), json!({"descr": ""}));
    let answers = vec![
        recorded("008"),
        ok(json!([])),
        ok(json!([])),
        ok(made.clone()),
        ok(json!([])),
        recorded("471"),
        recorded("014"),
        // It is ours, so that it goes again.
        ok(json!([made])),
        ok(json!([made])),
        ok(json!([])),
        ok(json!([])),
        ok(json!([made])),
        ok(made.clone()),
        recorded("232"),
        recorded("233"),
    ];
    let script = Script::new(answers);
    let (ends, asked) = run(&script, vec![create(&assign())]).await;
    assert!(
        ends.starts_with(
            "0: failed: WireGuard is switched off, and what is not in the kernel cannot be assigned"
        ),
        "{ends}"
    );
    assert!(asked.contains("DELETE vpn/wireguard/tunnel?id=0"), "{asked}");
}

#[tokio::test]
async fn changes_of_other_interfaces_are_not_applied_along() {
    let ports = json!([{"id": "opt1", "if": "tun_wg0", "descr": "WGIF"}, {"id": "opt2", "if": "em2", "descr": "DMZ"}]);
    let waits = |id: &str| ok(json!({"applied": false, "pending_interfaces": [id]}));
    let release: [(_, Setting); 1] = [("assign_descr", Setting::Clear)];
    // A firewall that calls its interfaces by their descriptions means the same.
    for name in ["opt2", "DMZ", "em2"] {
        let script =
            Script::new([recorded("008"), recorded("293"), ok(ports.clone()), waits(name)]);
        let (ends, _) = run(&script, vec![update(&release, &[])]).await;
        assert!(ends.contains("changes of `DMZ` wait"), "{ends}");
    }
    let script = Script::new([recorded("008"), recorded("293"), ok(ports.clone()), waits("opt2")]);
    let (ends, asked) = run(&script, vec![update(&release, &[])]).await;
    assert!(ends.starts_with("0: untouched: changes of `DMZ` wait to be applied"), "{ends}");
    assert!(!asked.contains("DELETE"), "{asked}");
    // One of its own is applied before it goes, or it would hold up every other for good.
    let answers = [
        recorded("008"),
        recorded("293"),
        ok(ports),
        waits("opt1"),
        recorded("293"),
        recorded("470"),
        recorded("523"),
        ok(json!([hub()])),
        ok(json!([hub()])),
    ];
    let script =
        Script::new(answers.into_iter().chain([recorded("232"), recorded("233")]).chain([
            ok(json!([hub()])),
            ok(json!([])),
            recorded("014"),
        ]));
    let (_, asked) = run(&script, vec![update(&release, &[])]).await;
    let lines: Vec<_> = asked.lines().skip(4).take(3).collect();
    assert_eq!(
        lines,
        [
            r#"PATCH interface {"apply":true,"async":false,"id":"opt1"}"#,
            "DELETE interface?id=opt1",
            r#"POST interface/apply {"async":false}"#
        ]
    );
}

#[tokio::test]
async fn an_interface_takes_one_address_of_each_family() {
    for (fields, why) in [
        (
            [
                ("assign_descr", text("W")),
                ("assign_addresses", addresses(&["10.0.0.1/24", "10.0.1.1/24"])),
            ],
            "has one IPv4 and one IPv6 address at most",
        ),
        ([("assign_descr", text("W")), ("assign_mtu", Field::Number(1200))], "takes 1280 to 8192"),
        (
            [("assign_descr", text("W")), ("addresses", addresses(&["10.0.0.1/24"]))],
            "write them into `assign`",
        ),
    ] {
        let script = Script::new([recorded("008"), ok(json!([])), ok(json!([]))]);
        let (ends, asked) = run(&script, vec![create(&fields)]).await;
        assert!(ends.contains(why), "{ends}");
        assert!(!asked.contains("POST"), "{asked}");
    }
}

#[tokio::test]
async fn who_may_not_see_interfaces_removes_no_tunnel() {
    let script = Script::new([recorded("008"), ok(json!([hub()])), recorded("005")]);
    let (ends, asked) = run(&script, vec![delete()]).await;
    assert!(ends.contains("give the user the privilege `api-v2-interfaces-get`"), "{ends}");
    assert!(!asked.contains("DELETE"), "{asked}");
}

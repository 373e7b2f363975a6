//! Pickles written by hand and by Python: what parses, what is refused, and that nothing runs.

mod common;

use promptsrc_pickle::{Construction, Pickle, PickleError, PickleErrorKind, Value};
use proptest::prelude::*;

/// `pickle.dumps({"epoch": 3, "lr": 0.5, "names": ["a", "é中"], "sizes": (1, 2**40, -1, 300,
/// 70000), "none": None, "yes": True, "huge": 2**80}, protocol)` for protocols 0 to 5, by
/// CPython 3.
const PROTOCOLS: [&[u8]; 6] = [
    b"(dp0\nVepoch\np1\nI3\nsVlr\np2\nF0.5\nsVnames\np3\n(lp4\nVa\np5\naV\xe9\\u4e2d\np6\nasVsizes\np7\n(I1\nL1099511627776L\nI-1\nI300\nI70000\ntp8\nsVnone\np9\nNsVyes\np10\nI01\nsVhuge\np11\nL1208925819614629174706176L\ns.",
    b"}q\x00(X\x05\x00\x00\x00epochq\x01K\x03X\x02\x00\x00\x00lrq\x02G?\xe0\x00\x00\x00\x00\x00\x00X\x05\x00\x00\x00namesq\x03]q\x04(X\x01\x00\x00\x00aq\x05X\x05\x00\x00\x00\xc3\xa9\xe4\xb8\xadq\x06eX\x05\x00\x00\x00sizesq\x07(K\x01L1099511627776L\nJ\xff\xff\xff\xffM,\x01Jp\x11\x01\x00tq\x08X\x04\x00\x00\x00noneq\x09NX\x03\x00\x00\x00yesq\nI01\nX\x04\x00\x00\x00hugeq\x0bL1208925819614629174706176L\nu.",
    b"\x80\x02}q\x00(X\x05\x00\x00\x00epochq\x01K\x03X\x02\x00\x00\x00lrq\x02G?\xe0\x00\x00\x00\x00\x00\x00X\x05\x00\x00\x00namesq\x03]q\x04(X\x01\x00\x00\x00aq\x05X\x05\x00\x00\x00\xc3\xa9\xe4\xb8\xadq\x06eX\x05\x00\x00\x00sizesq\x07(K\x01\x8a\x06\x00\x00\x00\x00\x00\x01J\xff\xff\xff\xffM,\x01Jp\x11\x01\x00tq\x08X\x04\x00\x00\x00noneq\x09NX\x03\x00\x00\x00yesq\n\x88X\x04\x00\x00\x00hugeq\x0b\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01u.",
    b"\x80\x03}q\x00(X\x05\x00\x00\x00epochq\x01K\x03X\x02\x00\x00\x00lrq\x02G?\xe0\x00\x00\x00\x00\x00\x00X\x05\x00\x00\x00namesq\x03]q\x04(X\x01\x00\x00\x00aq\x05X\x05\x00\x00\x00\xc3\xa9\xe4\xb8\xadq\x06eX\x05\x00\x00\x00sizesq\x07(K\x01\x8a\x06\x00\x00\x00\x00\x00\x01J\xff\xff\xff\xffM,\x01Jp\x11\x01\x00tq\x08X\x04\x00\x00\x00noneq\x09NX\x03\x00\x00\x00yesq\n\x88X\x04\x00\x00\x00hugeq\x0b\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01u.",
    b"\x80\x04\x95z\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x05epoch\x94K\x03\x8c\x02lr\x94G?\xe0\x00\x00\x00\x00\x00\x00\x8c\x05names\x94]\x94(\x8c\x01a\x94\x8c\x05\xc3\xa9\xe4\xb8\xad\x94e\x8c\x05sizes\x94(K\x01\x8a\x06\x00\x00\x00\x00\x00\x01J\xff\xff\xff\xffM,\x01Jp\x11\x01\x00t\x94\x8c\x04none\x94N\x8c\x03yes\x94\x88\x8c\x04huge\x94\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01u.",
    b"\x80\x05\x95z\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x05epoch\x94K\x03\x8c\x02lr\x94G?\xe0\x00\x00\x00\x00\x00\x00\x8c\x05names\x94]\x94(\x8c\x01a\x94\x8c\x05\xc3\xa9\xe4\xb8\xad\x94e\x8c\x05sizes\x94(K\x01\x8a\x06\x00\x00\x00\x00\x00\x01J\xff\xff\xff\xffM,\x01Jp\x11\x01\x00t\x94\x8c\x04none\x94N\x8c\x03yes\x94\x88\x8c\x04huge\x94\x8a\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01u.",
];

#[test]
fn all_protocols_give_the_same_values() {
    for (protocol, bytes) in PROTOCOLS.iter().enumerate() {
        let pickle = Pickle::parse(bytes).unwrap_or_else(|e| panic!("protocol {protocol}: {e}"));
        let root = pickle.root();
        assert_eq!(
            root.get("epoch").unwrap().as_int(),
            Some(3),
            "protocol {protocol}"
        );
        assert_eq!(root.get("lr").unwrap().as_float(), Some(0.5));
        let names: Vec<_> = root
            .get("names")
            .unwrap()
            .elements()
            .map(|n| n.as_str().unwrap())
            .collect();
        assert_eq!(names, ["a", "é中"]);
        let sizes: Vec<_> = root
            .get("sizes")
            .unwrap()
            .elements()
            .map(|n| n.as_int().unwrap())
            .collect();
        assert_eq!(sizes, [1, 1 << 40, -1, 300, 70000]);
        assert!(root.get("none").unwrap().is_none());
        assert_eq!(root.get("yes").unwrap().as_bool(), Some(true));
        let mut huge = vec![0; 11];
        huge[10] = 1;
        assert_eq!(root.get("huge").unwrap().value(), &Value::BigInt(huge));
        assert!(root.get("absent").is_none());
        assert_eq!(root.entries().count(), 7);
    }
}

#[test]
fn a_pickle_cut_anywhere_is_an_error() {
    for bytes in PROTOCOLS {
        for length in 0..bytes.len() {
            assert!(Pickle::parse(&bytes[..length]).is_err(), "cut to {length}");
        }
    }
}

#[test]
fn bytes_after_a_pickle_are_not_read() {
    let (_, taken) = Pickle::parse_prefix(b"\x80\x02K\x07.K\x08.").unwrap();
    assert_eq!(taken, 5);
}

#[test]
fn a_call_is_recorded_and_not_made() {
    let file = std::env::temp_dir().join(format!("promptsrc-pickle-{}", std::process::id()));
    let command = format!("touch {}", file.display());
    let mut bytes = b"\x80\x02cposix\nsystem\nX".to_vec();
    bytes.extend((command.len() as u32).to_le_bytes());
    bytes.extend(command.as_bytes());
    bytes.extend(b"\x85R.");
    let pickle = Pickle::parse(&bytes).unwrap();
    let object = pickle.root().as_object().unwrap();
    assert_eq!(object.construction, Construction::Call);
    assert_eq!(pickle.root().class(), Some(("posix", "system")));
    assert_eq!(
        pickle.root().args().next().unwrap().as_str(),
        Some(&*command)
    );
    assert_eq!(pickle.code().as_deref(), Some("posix.system"));
    assert!(!file.exists());
}

#[test]
fn code_is_found_in_every_way_of_naming_it() {
    let ways: [&[u8]; 5] = [
        b"cos\nsystem\n(S'ls'\ntR.",
        b"(S'ls'\nios\nsystem\n.",
        b"(cos\nsystem\nS'ls'\no.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.",
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x940h\x00h\x01\x93.",
    ];
    for bytes in ways {
        let pickle =
            Pickle::parse(bytes).unwrap_or_else(|e| panic!("{}: {e}", bytes.escape_ascii()));
        assert_eq!(
            pickle.code().as_deref(),
            Some("os.system"),
            "{}",
            bytes.escape_ascii()
        );
    }
    // Even where it is thrown away again.
    let hidden = Pickle::parse(b"cos\nsystem\n(S'ls'\ntR0N.").unwrap();
    assert_eq!(hidden.code().as_deref(), Some("os.system"));
}

#[test]
fn an_object_keeps_what_was_put_into_it() {
    // OrderedDict([]) with one item, then __setstate__({"_metadata": 1}), as a state dict has.
    let pickle = Pickle::parse(
        b"\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00aK\x01uX\x01\x00\x00\x00bK\x02s}X\x09\x00\x00\x00_metadataK\x05sb.",
    )
    .unwrap();
    let root = pickle.root();
    assert_eq!(root.class(), Some(("collections", "OrderedDict")));
    assert_eq!(root.get("a").unwrap().as_int(), Some(1));
    assert_eq!(root.get("b").unwrap().as_int(), Some(2));
    assert_eq!(root.get("_metadata").unwrap().as_int(), Some(5));
    assert_eq!(root.entries().count(), 2);
    assert_eq!(root.attributes().count(), 1);
}

#[test]
fn an_object_of_protocol_0_has_its_own_class() {
    let pickle = Pickle::parse(
        b"ccopy_reg\n_reconstructor\n(cdassl.data\nDatum\nc__builtin__\nobject\nNtR(dS'_label'\nI7\nsb.",
    )
    .unwrap();
    assert_eq!(pickle.root().class(), Some(("dassl.data", "Datum")));
    assert_eq!(pickle.root().get("_label").unwrap().as_int(), Some(7));
}

#[test]
fn a_list_may_contain_itself() {
    let pickle = Pickle::parse(b"\x80\x02]q\x00h\x00a.").unwrap();
    let inner = pickle.root().elements().next().unwrap();
    assert_eq!(inner, pickle.root());
}

#[test]
fn doubling_lists_share_their_values() {
    let bytes = common::doubling_lists();
    let pickle = Pickle::parse(&bytes).unwrap();
    assert!(pickle.nodes().count() <= bytes.len());
}

#[test]
fn deep_nesting_needs_no_recursion() {
    let depth = 1_000_000;
    let mut bytes = vec![b'N'];
    bytes.extend(std::iter::repeat_n(0x85, depth));
    bytes.push(b'.');
    let pickle = Pickle::parse(&bytes).unwrap();
    let mut node = pickle.root();
    let mut steps = 0;
    while let Some(inner) = node.elements().next() {
        node = inner;
        steps += 1;
    }
    assert_eq!(steps, depth);
    drop(pickle.clone());
}

#[test]
fn a_length_beyond_the_input_allocates_nothing() {
    for bytes in [
        &b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f."[..],
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"X\xff\xff\xff\xff.",
        b"B\xff\xff\xff\xff.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff.",
    ] {
        let error = Pickle::parse(bytes).unwrap_err();
        assert!(
            matches!(error.kind, PickleErrorKind::Truncated { .. }),
            "{error}"
        );
    }
    let error = Pickle::parse(b"T\xff\xff\xff\xff.").unwrap_err();
    assert_eq!(error.kind, PickleErrorKind::NegativeLength { length: -1 });
}

#[test]
fn errors_say_where_and_at_which_instruction() {
    let kinds: [(&[u8], usize, &str, PickleErrorKind); 12] = [
        (
            b"",
            0,
            "none",
            PickleErrorKind::Truncated { needed: 1, left: 0 },
        ),
        (
            b"\x80\x09.",
            0,
            "PROTO",
            PickleErrorKind::UnknownProtocol { protocol: 9 },
        ),
        (
            b"\x80\x02\xff.",
            2,
            "unknown",
            PickleErrorKind::UnknownInstruction { byte: 0xff },
        ),
        (b"R", 0, "REDUCE", PickleErrorKind::EmptyStack),
        (b".", 0, "STOP", PickleErrorKind::EmptyStack),
        (b"t.", 0, "TUPLE", PickleErrorKind::NoMark),
        (b"h\x05.", 0, "BINGET", PickleErrorKind::NoMemo { key: 5 }),
        (
            b"}(Nu.",
            3,
            "SETITEMS",
            PickleErrorKind::OddPairs { count: 1 },
        ),
        (
            b"NNa.",
            2,
            "APPEND",
            PickleErrorKind::WrongOperand {
                expected: "a list, a set or an object",
                found: "None",
            },
        ),
        (
            b"X\x01\x00\x00\x00\xff.",
            0,
            "BINUNICODE",
            PickleErrorKind::BadText { encoding: "UTF-8" },
        ),
        (
            b"\x82\x01.",
            0,
            "EXT1",
            PickleErrorKind::OutsideTheFile {
                what: "a code of Python's extension registry",
            },
        ),
        (b"N(R.", 2, "REDUCE", PickleErrorKind::EmptyStack),
    ];
    for (bytes, offset, instruction, kind) in kinds {
        let expected = PickleError {
            offset,
            instruction,
            kind,
        };
        assert_eq!(
            Pickle::parse(bytes).unwrap_err(),
            expected,
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn text_numbers_and_strings_of_protocol_0_follow_python() {
    let value = |bytes: &[u8]| Pickle::parse(bytes).unwrap().root().value().clone();
    assert_eq!(
        value(b"S'a\\n\\x41\\101\\\\\\''\n."),
        Value::Str("a\nAA\\'".into())
    );
    assert_eq!(value(b"S\"\\xff\"\n."), Value::Bytes(vec![0xff]));
    assert_eq!(
        value(b"Va\\u00e9\\U0001f600\xe9\n."),
        Value::Str("aé😀é".into())
    );
    assert_eq!(
        value(b"L-18446744073709551616L\n."),
        Value::BigInt(vec![0, 0, 0, 0, 0, 0, 0, 0, 0xff])
    );
    assert_eq!(value(b"\x8a\x00."), Value::Int(0));
    assert_eq!(value(b"\x8a\x01\xff."), Value::Int(-1));
    assert_eq!(value(b"F-inf\n."), Value::Float(f64::NEG_INFINITY));
    assert!(Pickle::parse(b"Fx\n.").is_err());
    assert!(Pickle::parse(b"S'a\n.").is_err());
    assert!(Pickle::parse(b"Ixyz\n.").is_err());
}

proptest! {
    #[test]
    fn any_bytes_parse_or_fail_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(pickle) = Pickle::parse(&bytes) {
            for node in pickle.nodes() {
                let _ = (node.class(), node.args().count(), node.get("a"), node.attributes().count());
            }
        }
    }

    #[test]
    fn changed_pickles_parse_or_fail_without_panic(
        protocol in 0usize..6,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = PROTOCOLS[protocol].to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = Pickle::parse(&bytes);
    }
}

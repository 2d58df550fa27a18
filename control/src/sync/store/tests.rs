use core::ops::Bound;

use proptest::prelude::*;

use super::*;

fn digest(byte: u8) -> Digest {
    Digest([byte; 32])
}

proptest! {
    #[test]
    fn tree_and_list_agree(
        operations in prop::collection::vec(
            (0u8..8, "(llama|l|é|è)?[ab]{0,3}", "v?[12](\\.[01]){0,2}|latest", any::<u8>()),
            0..150,
        ),
    ) {
        let mut radix = Store::<Version>::new(Implementation::Optimised);
        let mut listed = Store::<Version>::new(Implementation::Baseline);
        let mut other = Version::of("1.1");
        for (operation, name, tag, byte) in operations {
            let version = Version::of(&tag);
            if operation < 5 {
                let digest = digest(byte);
                prop_assert_eq!(
                    radix.insert(&name, version.clone(), digest),
                    listed.insert(&name, version.clone(), digest)
                );
            } else {
                prop_assert_eq!(radix.remove(&name, &version), listed.remove(&name, &version));
            }
            prop_assert_eq!(radix.len(), listed.len());
            prop_assert_eq!(radix.is_empty(), listed.is_empty());
            prop_assert_eq!(radix.get(&name, &version), listed.get(&name, &version));
            prop_assert_eq!(radix.latest(&name), listed.latest(&name));
            prop_assert_eq!(radix.range(&name, ..), listed.range(&name, ..));
            prop_assert_eq!(radix.range(&name, &version..), listed.range(&name, &version..));
            let after = (Bound::Excluded(&version), Bound::Unbounded);
            prop_assert_eq!(radix.range(&name, after), listed.range(&name, after));
            let bounds = version.clone()..other.clone();
            prop_assert_eq!(radix.range(&name, bounds.clone()), listed.range(&name, bounds));
            let bounds = (Bound::Excluded(&version), Bound::Included(&other));
            prop_assert_eq!(radix.range(&name, bounds), listed.range(&name, bounds));
            other = version.clone();
            for (end, _) in name.char_indices() {
                prop_assert_eq!(radix.names(&name[..end]), listed.names(&name[..end]));
            }
            let names = radix.names("");
            prop_assert_eq!(&names, &listed.names(""));
            prop_assert!(radix == listed);
            let bytes = postcard::to_allocvec(&radix).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_allocvec(&listed).unwrap());
            prop_assert!(postcard::from_bytes::<Store>(&bytes).unwrap() == listed);
            let Store::Optimised(radix) = &radix else { unreachable!("made so") };
            prop_assert!(radix.checked_nodes() <= 2 * names.len() + 1);
        }
    }
}

#[test]
fn versions_of_a_name_are_in_order_and_the_latest_is_last() {
    for implementation in [Implementation::Optimised, Implementation::Baseline] {
        let mut store = Store::new(implementation);
        for (byte, tag) in ["1.10.0", "latest", "1.9.0", "1.10.0-rc.1"].into_iter().enumerate() {
            assert_eq!(store.insert("llama", Version::of(tag), digest(byte as u8)), None);
        }
        assert_eq!(store.insert("llama3", Version::of("70b"), digest(9)), None);
        let tags = |found: Vec<(&Version, Digest)>| -> Vec<String> {
            found.into_iter().map(|(version, _)| version.as_str().into()).collect()
        };
        assert_eq!(tags(store.range("llama", ..)), ["latest", "1.9.0", "1.10.0-rc.1", "1.10.0"]);
        assert_eq!(
            tags(store.range("llama", Version::of("1.9")..Version::of("1.10.0"))),
            ["1.9.0", "1.10.0-rc.1"]
        );
        assert_eq!(store.latest("llama"), Some((&Version::of("1.10.0"), digest(0))));
        assert_eq!(store.latest("lla"), None, "a part of a name is none");
        assert_eq!(store.names("llama"), ["llama", "llama3"]);
        assert_eq!(store.names("llamas"), [""; 0]);
    }
}

#[test]
fn a_list_with_a_version_twice_is_an_error() {
    let entry = ("llama", "1.0", digest(1));
    assert!(postcard::from_bytes::<Store>(&postcard::to_allocvec(&[entry].to_vec()).unwrap()).is_ok());
    assert!(
        postcard::from_bytes::<Store>(&postcard::to_allocvec(&[entry, entry].to_vec()).unwrap()).is_err()
    );
}

use alloc::format;
use alloc::vec;

use proptest::prelude::*;

use super::*;

fn layer(byte: u8, bytes: u64) -> Layer {
    Layer { digest: Digest([byte; 32]), bytes: Bytes(bytes) }
}

/// Layers of few digests, which mostly have one size each.
fn layers() -> impl Strategy<Value = Vec<Layer>> {
    let size = prop_oneof![20 => Just(None), 1 => Just(Some(5))];
    let layer = (0u8..8, size).prop_map(|(byte, size)| {
        let usual = if byte == 7 { u64::MAX } else { u64::from(byte) * 10 };
        layer(byte, size.unwrap_or(usual))
    });
    prop::collection::vec(layer, 0..5)
}

proptest! {
    #[test]
    fn counts_are_those_of_the_manifests(
        operations in prop::collection::vec((any::<bool>(), 0u8..6, layers()), 0..60),
    ) {
        let mut counted = BlobStore::new(Implementation::Optimised);
        let mut listed = BlobStore::new(Implementation::Baseline);
        for (insert, name, layers) in operations {
            let name = format!("model:{name}");
            prop_assert_eq!(counted.missing(&layers), listed.missing(&layers));
            let freed = counted.freed_by(&name);
            prop_assert_eq!(&freed, &listed.freed_by(&name));
            let before = counted.bytes();
            if insert {
                prop_assert_eq!(counted.insert(&name, &layers), listed.insert(&name, &layers));
            } else {
                prop_assert_eq!(counted.remove(&name), listed.remove(&name));
                if before < Bytes::MAX {
                    prop_assert_eq!(before - counted.bytes(), freed.bytes);
                }
            }
            prop_assert_eq!(counted.bytes(), listed.bytes());
            prop_assert_eq!(counted.len(), listed.len());
            prop_assert_eq!(counted.is_empty(), listed.is_empty());
            for byte in 0..8 {
                let digest = Digest([byte; 32]);
                prop_assert_eq!(counted.references(digest), listed.references(digest));
            }
            let bytes = postcard::to_allocvec(&counted).unwrap();
            prop_assert_eq!(&bytes, &postcard::to_allocvec(&listed).unwrap());
            prop_assert!(postcard::from_bytes::<BlobStore>(&bytes).unwrap() == listed);
            let BlobStore::Optimised(counted) = &counted else { unreachable!("made so") };
            prop_assert!(counted.blobs.values().all(|blob| blob.references > 0));
        }
    }
}

#[test]
fn a_blob_stays_as_long_as_a_manifest_needs_it() {
    for implementation in [Implementation::Optimised, Implementation::Baseline] {
        let mut store = BlobStore::new(implementation);
        let (weights, chat, code) = (layer(1, 4_000), layer(2, 10), layer(3, 20));
        assert_eq!(store.insert("llama:chat", &[weights, chat, chat]), Ok(None));
        let missing = Blobs { layers: vec![code], bytes: Bytes(20) };
        assert_eq!(store.missing(&[code, weights, code]), missing);
        assert_eq!(store.insert("llama:code", &[weights, code]), Ok(None));
        assert_eq!((store.bytes(), store.references(weights.digest)), (Bytes(4_030), 2));
        assert_eq!(store.freed_by("llama:code"), missing);
        assert_eq!(
            store.insert("llama:code", &[chat]),
            Ok(Some(vec![weights, code])),
            "a name is written anew"
        );
        assert_eq!((store.bytes(), store.references(chat.digest)), (Bytes(4_010), 2));
        assert_eq!(store.freed_by("llama:chat").bytes, Bytes(4_000));
        assert_eq!(store.remove("llama:chat"), Some(vec![weights, chat]));
        assert_eq!((store.remove("llama:chat"), store.bytes()), (None, Bytes(10)));
    }
}

#[test]
fn content_with_two_sizes_is_refused() {
    for implementation in [Implementation::Optimised, Implementation::Baseline] {
        let mut store = BlobStore::new(implementation);
        let refused = Err(SizeDiffers { digest: Digest([1; 32]) });
        assert_eq!(store.insert("a", &[layer(1, 5), layer(1, 6)]), refused);
        assert_eq!(store.insert("a", &[layer(1, 5)]), Ok(None));
        assert_eq!(store.insert("b", &[layer(2, 1), layer(1, 6)]), refused);
        assert_eq!((store.bytes(), store.len()), (Bytes(5), 1), "nothing is changed");
    }
}

#[test]
fn a_list_with_a_name_twice_or_two_sizes_is_an_error() {
    let read = |manifests: Vec<(&str, Vec<Layer>)>| {
        postcard::from_bytes::<BlobStore>(&postcard::to_allocvec(&manifests).unwrap())
            .map(|store| store.bytes())
    };
    assert_eq!(read(vec![("a", vec![layer(1, 5)]), ("b", vec![layer(1, 5)])]), Ok(Bytes(5)));
    assert!(read(vec![("a", vec![layer(1, 5)]), ("a", vec![layer(1, 5)])]).is_err());
    assert!(read(vec![("a", vec![layer(1, 5)]), ("b", vec![layer(1, 6)])]).is_err());
}

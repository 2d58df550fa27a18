use alloc::vec::Vec;

use proptest::prelude::*;

use super::{Heap, Positions, Sorted};

proptest! {
    #[test]
    fn heap_and_sorted_vector_agree(operations in prop::collection::vec((0u8..4, 0u32..40, 0u64..6), 0..300)) {
        let (mut heap, mut positions, mut sorted) = (Heap::<(u64, u32)>::default(), Positions::default(), Sorted::<(u64, u32)>::default());
        let mut slots: Vec<u32> = Vec::new();
        for (operation, slot, key) in operations {
            match operation {
                0 | 1 if !slots.contains(&slot) => {
                    heap.push(&mut positions, (key, slot), slot);
                    sorted.push((key, slot), slot);
                    slots.push(slot);
                }
                2 => {
                    let popped = heap.pop(&mut positions);
                    prop_assert_eq!(popped, sorted.pop());
                    slots.retain(|s| Some(*s) != popped.map(|p| p.1));
                }
                _ => {
                    prop_assert_eq!(heap.remove(&mut positions, slot), sorted.remove(slot));
                    slots.retain(|s| *s != slot);
                }
            }
            prop_assert_eq!(heap.len(), slots.len());
            for slot in 0..40 {
                prop_assert_eq!(positions.contains(slot), slots.contains(&slot));
            }
        }
    }
}

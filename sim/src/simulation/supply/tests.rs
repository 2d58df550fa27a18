use control::door::Deed;
use control::ids::ActionId;
use sim_host::api::Engine;
use sim_host::profile::Catalogue;

use super::*;
use crate::config::{FleetFile, FleetSource, NetworkFile};
use crate::registry::RegistryFile;

pub(super) const SECOND: u64 = 1_000_000_000;

/// Two hosts with a model each, which can pull that of the other.
pub(super) fn supply(pulls_at_once: u32) -> Supply {
    let group = |name: &str, model: &str| {
        format!("[[group]]\nname = \"{name}\"\ngpu = \"rtx-4090\"\nmodels = [\"{model}\"]\ndisk_gib = 20\n")
    };
    let text = group("a", "llama3.1:8b") + &group("b", "gemma3:4b");
    let fleet: FleetFile = toml::from_str(&text).expect("a fleet");
    let network = NetworkFile { pulls_at_once, peers: true, ..NetworkFile::default() };
    let registry = RegistryFile::default();
    let fleet = Fleet::check(FleetSource {
        fleet: &fleet,
        network: &network,
        registry: Some(&registry),
        faults: None,
        seed: 1,
        catalogue: Catalogue::builtin(),
        known_models: &[],
        engine: Engine::Coalesced,
    });
    let fleet = fleet.expect("a checked fleet");
    Supply::new(&fleet, fleet.registry.as_ref().expect("a registry"))
}

pub(super) fn action(id: u64, host: u32, deed: Deed, model: u32) -> Action {
    Action { id: ActionId(id), host: HostId(host), deed, model: ModelId(model) }
}

const LLAMA: u32 = 0;
const GEMMA: u32 = 1;

#[test]
fn with_a_host_all_transfers_to_it_and_from_it_end() {
    let mut supply = supply(2);
    let to_it = action(0, 0, Deed::Pull, GEMMA);
    let from_it = action(1, 1, Deed::Fetch(HostId(0)), LLAMA);
    assert_eq!(supply.begin(Instant(0), to_it, 0), None);
    assert_eq!(supply.begin(Instant(0), from_it, 0), None);
    let others = supply.crash(Instant(SECOND), HostId(0));
    assert_eq!(others, [from_it], "the other host is to be told");
    assert_eq!(supply.next_transfer(), None);
    assert!(supply.disks.iter().all(|disk| (disk.pulling, disk.reserved) == (0, Bytes::ZERO)));
}

#[test]
fn a_full_disk_ends_what_is_written_there_and_takes_nothing_more() {
    let mut supply = supply(2);
    let pull = action(0, 0, Deed::Pull, GEMMA);
    assert_eq!(supply.begin(Instant(0), pull, 0), None);
    assert_eq!(supply.fill(Instant(SECOND), HostId(0), true), [pull]);
    let full = ActionOutcome::Failed(ActionFailure::DiskFull);
    assert_eq!(supply.begin(Instant(SECOND), pull, 0), Some((full, None)));
    assert_eq!(supply.fill(Instant(SECOND), HostId(0), false), []);
    assert_eq!(supply.begin(Instant(SECOND), pull, 0), None);
}

#[test]
fn what_waited_for_transfers_that_were_given_up_is_next() {
    let mut supply = supply(1);
    let (first, second) = (action(0, 0, Deed::Pull, GEMMA), action(1, 0, Deed::Push, LLAMA));
    assert_eq!(supply.begin(Instant(0), first, 0), None);
    assert_eq!(supply.begin(Instant(0), second, 0), None);
    assert_eq!(supply.next_waiting(HostId(0)), None);
    supply.reach_registry(Instant(SECOND), false);
    assert_eq!(supply.give_up(Instant(2 * SECOND)), [first]);
    assert_eq!(supply.next_waiting(HostId(0)), Some(second));
}

#[test]
fn a_second_name_takes_no_room_and_outlives_the_first() {
    let mut supply = supply(1);
    let room = supply.disks[0].blobs.bytes();
    let branch = action(0, 0, Deed::Branch, LLAMA);
    let (outcome, change) = supply.begin(Instant(0), branch, 0).expect("at once");
    let (_, second, _) = change.expect("another name on the disk");
    assert_eq!((outcome, supply.disks[0].blobs.bytes()), (ActionOutcome::Done, room));
    let (told, name) = supply.next_name().expect("a new name");
    assert!(told == second && name.starts_with("llama3.1:8b-"), "{name}");
    assert_eq!(supply.begin(Instant(1), branch, 0).expect("at once").1.map(|change| change.1), Some(second));
    assert_eq!(supply.next_name(), None, "the same content has the same name");
    supply.begin(Instant(2), action(1, 0, Deed::Delete, LLAMA), 0);
    assert_eq!(supply.disks[0].blobs.bytes(), room, "the second name needs its layers");
    supply.begin(Instant(3), action(2, 0, Deed::Delete, second.0), 0);
    assert_eq!(supply.disks[0].blobs.bytes(), Bytes::ZERO);
}

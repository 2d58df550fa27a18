//! Which hosts have a model on disk, by their own word, now.

use std::collections::BTreeMap;
use std::time::Duration;

use control::ids::HostId;
use tokio::task::JoinSet;

use super::upstream::Upstream;
use crate::wire::lists::ModelList;
use crate::wire::name;

/// Asks hosts at the same time; `None` for one that does not answer.
pub(super) async fn ask(
    upstream: &Upstream,
    hosts: impl Iterator<Item = HostId>,
    model: &str,
    timeout: Duration,
) -> BTreeMap<HostId, Option<bool>> {
    let mut asked = JoinSet::new();
    for host in hosts {
        let upstream = upstream.clone();
        asked.spawn(async move {
            let answer = upstream.get(host, "/api/tags", timeout).await;
            (host, answer.ok().and_then(|body| serde_json::from_slice::<ModelList>(&body).ok()))
        });
    }
    let mut said = BTreeMap::new();
    while let Some(answered) = asked.join_next().await {
        let (host, list) = answered.expect("asking does not panic, and nobody aborts it");
        said.insert(host, list.map(|list| has(&list, model)));
    }
    said
}

fn has(list: &ModelList, model: &str) -> bool {
    list.listed()
        .any(|listed| name::normalise(&listed.name).is_some_and(|name| name.eq_ignore_ascii_case(model)))
}

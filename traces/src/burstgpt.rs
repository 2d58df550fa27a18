//! BurstGPT, columns by name: six of them, or eight with `Session ID` and `Elapsed time` (which is not read).
//!
//! Seconds are printed `5` or `19440110.0`. Requests that failed have no tokens. A session may be empty (calls of
//! the API). A session's name becomes 64 bits.

use std::collections::BTreeMap;
use std::sync::Arc;

use control::ids::SessionId;

use crate::columns::{Columns, Field};
use crate::error::Fault;
use crate::keyed::{Purpose, name_bits};
use crate::limits::{MODEL_NAMES_MAX, NAME_BYTES_MAX};
use crate::row::RawRow;

const NAMES: [&str; 5] = ["Timestamp", "Model", "Request tokens", "Response tokens", "Session ID"];
const REQUIRED: usize = 4;

/// Reads rows.
pub(crate) struct Parser {
    columns: Columns<5>,
    models: BTreeMap<Box<[u8]>, Arc<str>>,
}

impl Parser {
    pub(crate) fn new(header: &[u8]) -> Result<Self, Fault> {
        Ok(Self { columns: Columns::find(header, NAMES, REQUIRED)?, models: BTreeMap::new() })
    }

    pub(crate) fn row(&mut self, line: &[u8]) -> Result<RawRow, Fault> {
        let [required @ .., session] = self.columns.fields(line)?;
        let [time, model, prompt, output] =
            required.map(|field| field.expect("the header has these columns"));
        Ok(RawRow {
            at: time.seconds()?,
            column: time.column,
            shape: None,
            model: self.model(model)?,
            session: session.map(session_id).transpose()?.flatten(),
            prompt_tokens: prompt.tokens()?,
            output_tokens: output.tokens()?,
            blocks: None,
            asked: None,
        })
    }

    fn model(&mut self, field: Field<'_>) -> Result<Option<Arc<str>>, Fault> {
        let name = field.text.trim_ascii();
        if name.is_empty() {
            return Ok(None);
        }
        if let Some(known) = self.models.get(name) {
            return Ok(Some(Arc::clone(known)));
        }
        let text = std::str::from_utf8(name).ok().filter(|text| text.len() <= NAME_BYTES_MAX);
        let text =
            text.ok_or_else(|| field.fault(&format!("a name in UTF-8 of at most {NAME_BYTES_MAX} bytes")))?;
        if self.models.len() == MODEL_NAMES_MAX {
            return Err(
                field.fault(&format!("one of the {MODEL_NAMES_MAX} names before it, the most allowed"))
            );
        }
        let shared: Arc<str> = text.into();
        self.models.insert(name.into(), Arc::clone(&shared));
        Ok(Some(shared))
    }
}

fn session_id(field: Field<'_>) -> Result<Option<SessionId>, Fault> {
    let name = field.text.trim_ascii();
    if name.len() > NAME_BYTES_MAX {
        return Err(field.fault(&format!("a session's name of at most {NAME_BYTES_MAX} bytes")));
    }
    Ok((!name.is_empty()).then(|| SessionId(name_bits(Purpose::Session, name))))
}

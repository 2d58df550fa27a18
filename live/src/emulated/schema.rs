//! A value that a JSON schema allows, the same each time: what a model that was told to answer in that form could say.
//!
//! Looked at are `type`, `properties`, `required`, `items`, `minItems`, `enum`, `const`, `default`, `anyOf`, `oneOf`
//! and `allOf`. Left out: references, patterns and bounds of numbers.

use serde_json::{Map, Value, json};

/// Deeper schemas are answered with null there.
const DEPTH_MAX: usize = 16;
/// Most items of an array.
const ITEMS_MAX: u64 = 64;
/// Arrays that lie deeper have one item: those of arrays would multiply.
const LONG_LISTS_DEPTH: usize = 2;

/// A value for a schema; a string that may be anything is `text`.
pub(super) fn example(schema: &Value, text: &str) -> Value {
    value(schema, text, 0)
}

fn value(schema: &Value, text: &str, depth: usize) -> Value {
    if depth >= DEPTH_MAX {
        return Value::Null;
    }
    let first = |key: &str| schema.get(key)?.as_array()?.first();
    if let Some(given) = schema.get("const").or_else(|| first("enum")).or_else(|| schema.get("default")) {
        return given.clone();
    }
    if let Some(other) = first("anyOf").or_else(|| first("oneOf")).or_else(|| first("allOf")) {
        return value(other, text, depth + 1);
    }
    // A type may be a list; the first that is not null is taken.
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|&kind| kind != "null").unwrap_or("null")
        }
        _ if schema.get("properties").is_some() => "object",
        _ => "string",
    };
    match kind {
        "object" => object(schema, text, depth),
        "array" => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1).clamp(1, ITEMS_MAX);
            let item = schema.get("items").map_or(Value::Null, |items| value(items, text, depth + 1));
            Value::Array(vec![item; if depth < LONG_LISTS_DEPTH { count as usize } else { 1 }])
        }
        "integer" | "number" => json!(1),
        "boolean" => json!(true),
        "null" => Value::Null,
        _ => text.into(),
    }
}

/// An object with what is required of it; with all that it may have where nothing is.
fn object(schema: &Value, text: &str, depth: usize) -> Value {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return json!({});
    };
    let required = schema.get("required").and_then(Value::as_array);
    let wanted = |name: &str| required.is_none_or(|list| list.iter().any(|entry| entry == name));
    let fields = properties.iter().filter(|(name, _)| wanted(name));
    let fields = fields.map(|(name, property)| (name.clone(), value(property, text, depth + 1)));
    Value::Object(fields.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_of_the_types_that_the_schema_names() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": { "type": "string" },
                "unit": { "type": "string", "enum": ["celsius", "fahrenheit"] },
                "days": { "type": ["null", "integer"] },
                "tags": { "type": "array", "minItems": 2, "items": { "type": "boolean" } },
                "left_out": { "type": "string" },
            },
            "required": ["city", "unit", "days", "tags"],
        });
        assert_eq!(
            example(&schema, "Paris"),
            json!({ "city": "Paris", "unit": "celsius", "days": 1, "tags": [true, true] })
        );
        assert_eq!(
            example(&json!({ "properties": { "a": { "anyOf": [{ "type": "null" }] } } }), ""),
            json!({"a": null})
        );
    }

    #[test]
    fn depth_and_size_are_bounded() {
        let mut schema = json!({ "type": "string" });
        for _ in 0..100 {
            schema = json!({ "type": "array", "items": schema });
        }
        let mut value = &example(&schema, "x");
        let mut depth = 0;
        while let Some(inner) = value.get(0) {
            (value, depth) = (inner, depth + 1);
        }
        assert_eq!((value, depth), (&Value::Null, DEPTH_MAX));
        let wide = json!({ "type": "array", "minItems": 1_000_000_000, "items": {} });
        assert_eq!(example(&wide, "x").as_array().map(Vec::len), Some(64));
    }
}

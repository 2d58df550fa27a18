//! Text and data inside a page: nothing that a name contains can leave its place.

use serde_json::Value;

/// Text between tags or inside a quoted attribute.
pub(super) fn text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// JSON inside a `script` element, which ends at the first `</script` or may be kept open by `<!--`: in JSON these
/// letters occur in strings only, where an escape means the same.
pub(super) fn data(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tag_and_no_quote_is_left_of_a_name() {
        let evil = "<script>alert('x')</script> & \"more\"";
        assert_eq!(text(evil), "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot;");
    }

    #[test]
    fn data_cannot_close_its_script_and_reads_as_it_was() {
        let value = serde_json::json!({ "name": "</script><!--<script> & 'x'" });
        let written = data(&value);
        assert!(!written.contains(['<', '>', '&']), "{written}");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), value);
    }
}

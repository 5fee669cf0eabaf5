//! The scalars of a YAML document by the keys that lead to them, read by events, so that nothing in it is expanded.

use saphyr_parser::{Event, Parser};

/// Deeper nesting is refused, and so are documents with more values.
const MAX_DEPTH: usize = 32;
const MAX_VALUES: usize = 10_000;

/// Scalars with the keys that lead to them; items of a list have the keys of the list.
pub(crate) type Values = Vec<(Vec<String>, String)>;

/// The scalars of a document, in order.
///
/// # Errors
/// In words: no YAML, or nested too deep or too long.
pub(crate) fn values(text: &str) -> Result<Values, String> {
    // Per open collection: whether it is a mapping, and the key whose value comes next.
    let mut stack: Vec<(bool, Option<String>)> = Vec::new();
    let mut found = Values::new();
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        match event {
            Event::MappingStart(..) | Event::SequenceStart(..) if stack.len() >= MAX_DEPTH => {
                return Err(format!("line {}: it is nested deeper than {MAX_DEPTH}", span.start.line()));
            }
            Event::MappingStart(..) => stack.push((true, None)),
            Event::SequenceStart(..) => stack.push((false, None)),
            Event::MappingEnd | Event::SequenceEnd => {
                stack.pop();
                ended(&mut stack);
            }
            Event::Alias(..) => ended(&mut stack),
            Event::Scalar(value, ..) => match stack.last_mut() {
                Some((true, key @ None)) => *key = Some(value.into_owned()),
                Some(_) => {
                    let keys = stack.iter().filter_map(|(_, key)| key.clone()).collect();
                    found.push((keys, value.into_owned()));
                    ended(&mut stack);
                }
                None => {}
            },
            _ => {}
        }
        if found.len() > MAX_VALUES {
            return Err(format!("it holds more than {MAX_VALUES} values"));
        }
    }
    Ok(found)
}

/// A value has ended: the mapping around it, if it lies in one, goes on with a key.
fn ended(stack: &mut [(bool, Option<String>)]) {
    if let Some((true, key)) = stack.last_mut() {
        *key = None;
    }
}

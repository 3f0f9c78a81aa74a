//! Fluent Bit's YAML: `pipeline` with `inputs`, `filters` and `outputs`, `service`, `env`, `includes`.
//!
//! The parser gives events with places; the tree is built here without recursion and with a limit, so that no file can
//! exhaust stack or memory.

use std::path::Path;

use saphyr_parser::{Event, Parser, Span};

use super::{Fault, Files, HostConfig, HostProperty, HostSection, SectionKind, expand};
use crate::config::{Environment, Place};

/// Values in one file; a real configuration has hundreds.
const MAX_NODES: usize = 200_000;
/// Nesting in one file; a real configuration has six levels.
const MAX_DEPTH: usize = 64;

/// Reads `file` and what it includes.
pub(in crate::cli) fn read(file: &Path, environment: &Environment) -> HostConfig {
    let mut reader = Reader {
        files: Files::beside(file),
        config: HostConfig::default(),
        set: Vec::new(),
    };
    reader.file(file, &Place::of(&file.display().to_string()));
    let Reader { mut config, set, .. } = reader;
    expand(&mut config, &set, environment);
    config
}

struct Reader {
    files: Files,
    config: HostConfig,
    set: Vec<(String, String)>,
}

/// A value with its place.
#[derive(Debug)]
struct Node {
    value: Value,
    place: Place,
}

#[derive(Debug)]
enum Value {
    Scalar(String),
    List(Vec<Node>),
    /// Keys and values in turn.
    Map(Vec<Node>),
}

impl Node {
    fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar(text) => Some(text),
            Value::List(_) | Value::Map(_) => None,
        }
    }

    fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            Value::Scalar(_) | Value::Map(_) => &[],
        }
    }

    /// The pairs whose key is text.
    fn pairs(&self) -> impl Iterator<Item = (&str, &Self, &Place)> {
        let nodes: &[Self] = match &self.value {
            Value::Map(nodes) => nodes,
            Value::Scalar(_) | Value::List(_) => &[],
        };
        nodes
            .chunks_exact(2)
            .filter_map(|pair| Some((pair[0].scalar()?, &pair[1], &pair[0].place)))
    }
}

impl Reader {
    fn fault(&mut self, place: &Place, reason: impl Into<String>) {
        let (place, reason) = (place.clone(), reason.into());
        self.config.faults.push(Fault { place, reason });
    }

    // An include nests as deep as there are files, each of which is read once: `Files` limits their number.
    fn file(&mut self, file: &Path, asked_at: &Place) {
        let place = Place::of(&file.display().to_string());
        match self.files.text(file) {
            Err(reason) if asked_at.line_number().is_some() => {
                self.fault(asked_at, format!("{} {reason}", file.display()));
            }
            Err(reason) => self.fault(asked_at, reason),
            Ok(text) => match tree(&text, &place) {
                Err(fault) => self.config.faults.push(fault),
                Ok(None) => {}
                Ok(Some(root)) => self.document(&root),
            },
        }
    }

    fn document(&mut self, root: &Node) {
        if !matches!(root.value, Value::Map(_)) {
            return self.fault(&root.place, "a configuration begins with keys, as `pipeline:`");
        }
        for (key, value, place) in root.pairs() {
            match key {
                "env" => self.set.extend(
                    value
                        .pairs()
                        .filter_map(|(name, value, _)| Some((name.to_owned(), value.scalar()?.to_owned()))),
                ),
                "service" => self.section(SectionKind::Service, value, place),
                "pipeline" => self.pipeline(value),
                "includes" => {
                    for item in value.items() {
                        self.include(item);
                    }
                }
                _ => {}
            }
        }
    }

    fn include(&mut self, item: &Node) {
        let Some(pattern) = item.scalar() else {
            return self.fault(&item.place, "an include is the path of a file");
        };
        let included = self.files.included(pattern);
        if included.is_empty() {
            self.fault(&item.place, format!("no file matches `{pattern}`"));
        }
        for file in included {
            self.file(&file, &item.place);
        }
    }

    fn pipeline(&mut self, pipeline: &Node) {
        for (key, value, _) in pipeline.pairs() {
            let kind = match key {
                "inputs" => SectionKind::Input,
                "filters" => SectionKind::Filter,
                "outputs" => SectionKind::Output,
                _ => continue,
            };
            for item in value.items() {
                self.section(kind, item, &item.place);
            }
        }
    }

    fn section(&mut self, kind: SectionKind, node: &Node, place: &Place) {
        let mut properties = Vec::new();
        for (key, value, place) in node.pairs() {
            let values = match &value.value {
                Value::List(items) => items.iter().collect(),
                Value::Scalar(_) | Value::Map(_) => vec![value],
            };
            // Maps are processors and such: nothing of ours.
            for text in values.into_iter().filter_map(Node::scalar) {
                properties.push(HostProperty {
                    key: snake_case(key),
                    value: text.trim().to_owned(),
                    unset: Vec::new(),
                    place: place.clone(),
                });
            }
        }
        self.config.sections.push(HostSection {
            kind,
            place: place.clone(),
            properties,
        });
    }
}

/// `batchMaxAge` is `batch_max_age` to the host; a key that begins with a capital or has a `_` is taken as it stands.
fn snake_case(key: &str) -> String {
    if key.contains('_') || !key.starts_with(|first: char| first.is_ascii_lowercase()) {
        return key.to_owned();
    }
    let mut snake = String::with_capacity(key.len() + 4);
    for char in key.chars() {
        if char.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(char.to_ascii_lowercase());
    }
    snake
}

/// The first document of `text` as a tree; `None` when it is empty.
fn tree(text: &str, whole: &Place) -> Result<Option<Node>, Fault> {
    let fault = |place: Place, reason: &str| Fault {
        place,
        reason: reason.to_owned(),
    };
    let line_of = |span: &Span| whole.line(u32::try_from(span.start.line()).unwrap_or(u32::MAX));
    let mut open: Vec<Node> = Vec::new();
    let mut nodes = 0_usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let line = u32::try_from(error.marker().line()).unwrap_or(u32::MAX);
            fault(whole.line(line), &format!("not YAML: {}", error.info()))
        })?;
        let place = line_of(&span);
        let finished = match event {
            Event::Scalar(text, ..) => Node {
                value: Value::Scalar(text.into_owned()),
                place,
            },
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let is_list = matches!(event, Event::SequenceStart(..));
                let value = if is_list {
                    Value::List(Vec::new())
                } else {
                    Value::Map(Vec::new())
                };
                if open.len() >= MAX_DEPTH {
                    return Err(fault(place, &format!("is nested deeper than {MAX_DEPTH} levels")));
                }
                open.push(Node { value, place });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(node) => node,
                None => continue,
            },
            Event::Alias(_) => return Err(fault(place, "Fluent Bit does not follow YAML aliases (`*name`)")),
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::Nothing => {
                continue;
            }
        };
        nodes += 1;
        if nodes > MAX_NODES {
            return Err(fault(
                finished.place,
                &format!("has more than {MAX_NODES} values"),
            ));
        }
        match open.last_mut().map(|node| &mut node.value) {
            None => return Ok(Some(finished)),
            Some(Value::List(nodes) | Value::Map(nodes)) => nodes.push(finished),
            // A scalar is never left open.
            Some(Value::Scalar(_)) => {}
        }
    }
    Ok(None)
}

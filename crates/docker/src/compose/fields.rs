//! Reading a mapping key by key, so that what nobody asked for is found at the end, and every error names its path.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::FieldError;

/// The keys of one mapping that have not been read yet.
pub(super) struct Fields {
    path: String,
    map: Map<String, Value>,
}

/// One value and where it was found.
pub(super) struct Field {
    pub path: String,
    pub value: Value,
}

impl Fields {
    /// The value's keys; null is an empty mapping.
    pub fn of(field: Field) -> Result<Self, FieldError> {
        match field.value {
            Value::Object(map) => Ok(Self {
                path: field.path,
                map,
            }),
            Value::Null => Ok(Self {
                path: field.path,
                map: Map::new(),
            }),
            _ => Err(field.error("must be a mapping")),
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Takes a key; null counts as absent.
    pub fn take(&mut self, key: &str) -> Option<Field> {
        let value = self.map.remove(key).filter(|value| !value.is_null())?;
        Some(Field {
            path: self.path_of(key),
            value,
        })
    }

    /// Takes a key and reads it, or gives the type's default.
    pub fn read<T: Default>(
        &mut self,
        key: &str,
        read: impl FnOnce(Field) -> Result<T, FieldError>,
    ) -> Result<T, FieldError> {
        self.take(key).map_or_else(|| Ok(T::default()), read)
    }

    /// Takes every key, in the mapping's order; null values too.
    pub fn into_entries(self) -> impl Iterator<Item = (String, Field)> {
        let path = self.path;
        self.map.into_iter().map(move |(key, value)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            (key, Field { path, value })
        })
    }

    /// Fails for the first key that was not taken; extensions (`x-…`) are free.
    pub fn finish(self) -> Result<(), FieldError> {
        let left = self
            .map
            .iter()
            .find(|(key, value)| !key.starts_with("x-") && !value.is_null());
        match left {
            Some((key, _)) => Err(FieldError {
                path: self.path_of(key),
                problem: "unstale does not know this field and will not build without it".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

impl Field {
    pub fn error(&self, problem: impl Into<String>) -> FieldError {
        FieldError {
            path: self.path.clone(),
            problem: problem.into(),
        }
    }

    /// A string; numbers and booleans as Compose would print them.
    pub fn string(self) -> Result<String, FieldError> {
        match self.value {
            Value::String(text) => Ok(text),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            _ => Err(self.error("must be a string")),
        }
    }

    pub fn optional_string(self) -> Result<Option<String>, FieldError> {
        self.string().map(Some)
    }

    pub fn boolean(self) -> Result<bool, FieldError> {
        match &self.value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text == "true" => Ok(true),
            Value::String(text) if text == "false" => Ok(false),
            _ => Err(self.error("must be true or false")),
        }
    }

    /// A list; a single value counts as a list of one.
    pub fn list(self) -> Result<Vec<Field>, FieldError> {
        match self.value {
            Value::Array(values) => {
                let path = self.path;
                let item = |(index, value)| Field {
                    path: format!("{path}[{index}]"),
                    value,
                };
                Ok(values.into_iter().enumerate().map(item).collect())
            }
            Value::Object(_) => Err(self.error("must be a list")),
            _ => Ok(vec![self]),
        }
    }

    pub fn strings(self) -> Result<Vec<String>, FieldError> {
        self.list()?.into_iter().map(Self::string).collect()
    }

    /// A mapping of strings, written as a mapping or as a list of `KEY=VALUE`; a key without value has [`None`].
    pub fn mapping(self) -> Result<BTreeMap<String, Option<String>>, FieldError> {
        if self.value.is_array() {
            let pair = |text: String| match text.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
                None => (text, None),
            };
            return Ok(self.strings()?.into_iter().map(pair).collect());
        }
        let entry = |(key, field): (String, Self)| match field.value {
            Value::Null => Ok((key, None)),
            _ => Ok((key, Some(field.string()?))),
        };
        Fields::of(self)?.into_entries().map(entry).collect()
    }
}

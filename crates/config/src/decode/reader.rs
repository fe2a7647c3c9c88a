//! One table made of layers: a unit's own keys over its overlay's, over those of `[defaults]`.
//! Every value that is read is noted with its origin, for `abide show`.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::context::Context;
use crate::document::{Origin, Setting};
use crate::keys::{self, Table};
use crate::source::quoted;
use crate::values::{Value, Wrong};

/// Whose table a layer is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum LayerKind {
    Defaults,
    Unit,
}

/// One table of a [`Reader`].
#[derive(Clone, Copy)]
pub(crate) struct Layer<'c> {
    pub kind: LayerKind,
    pub table: &'c DeTable<'c>,
}

/// A key with its value, in one layer.
#[derive(Clone)]
pub(crate) struct Field<'c> {
    pub path: String,
    pub key_span: Range<usize>,
    pub value: &'c Spanned<DeValue<'c>>,
    pub kind: LayerKind,
}

/// Something that was read, and where: for what can only be checked later, for each instance.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub value: T,
    /// The key, dotted.
    pub path: String,
    pub span: Range<usize>,
}

impl<T> Placed<T> {
    /// At the value of a field.
    pub fn at(field: &Field<'_>, value: T) -> Self {
        Self {
            value,
            path: field.path.clone(),
            span: field.value.span(),
        }
    }
}

/// Reads a table made of layers.
pub(crate) struct Reader<'c> {
    pub context: &'c Context<'c>,
    table: Table,
    /// Lowest first: the last one that has a key wins.
    layers: Vec<Layer<'c>>,
    prefix: String,
    settings: Rc<RefCell<Vec<Setting>>>,
}

impl<'c> Reader<'c> {
    pub fn new(context: &'c Context<'c>, table: Table, layers: Vec<Layer<'c>>) -> Self {
        Self {
            context,
            table,
            layers,
            prefix: String::new(),
            settings: Rc::default(),
        }
    }

    /// The key as the highest layer has it.
    pub fn field(&self, name: &str) -> Option<Field<'c>> {
        self.fields(name).pop()
    }

    /// The key in every layer that has it, lowest first.
    pub fn fields(&self, name: &str) -> Vec<Field<'c>> {
        debug_assert!(
            keys::find(self.table, name).is_some(),
            "{name} is not in the table of keys"
        );
        self.layers
            .iter()
            .filter_map(|layer| {
                let (key, value) = layer.table.get_key_value(name)?;
                let path = format!("{}{name}", self.prefix);
                Some(Field {
                    path,
                    key_span: key.span(),
                    value,
                    kind: layer.kind,
                })
            })
            .collect()
    }

    /// Reads a value; a wrong one is reported and absent.
    pub fn get<T: Value>(&self, name: &str) -> Option<T> {
        let field = self.field(name)?;
        match T::read(field.value.get_ref()) {
            Ok(value) => {
                if self.context.caller.origins {
                    self.note(&field, value.show());
                }
                Some(value)
            }
            Err(wrong) => {
                self.wrong(&field, wrong);
                None
            }
        }
    }

    /// Reads a value that has a default; a wrong one is reported and the default.
    pub fn get_or<T: Value>(&self, name: &str, default: T) -> T {
        if self.context.caller.origins && self.field(name).is_none() {
            self.built_in(name, default.show());
        }
        self.get(name).unwrap_or(default)
    }

    /// The tables under a key, merged, and the highest layer's value if that is not a table. A layer
    /// without a table there hides those below it.
    pub fn merged(&self, name: &str, table: Table) -> (Option<Self>, Option<Field<'c>>) {
        let (mut layers, mut other) = (Vec::new(), None);
        for field in self.fields(name) {
            match field.value.get_ref() {
                DeValue::Table(table) => {
                    other = None;
                    layers.push(Layer {
                        kind: field.kind,
                        table,
                    });
                }
                _ => {
                    layers.clear();
                    other = Some(field);
                }
            }
        }
        let inner = (!layers.is_empty()).then(|| self.inner(name, table, layers));
        (inner, other)
    }

    /// The merged tables under a key; a value that is no table is reported.
    pub fn tables(&self, name: &str, table: Table) -> Option<Self> {
        let (inner, other) = self.merged(name, table);
        if let Some(field) = other {
            self.wrong(&field, self.not_a_table(name, &field));
        }
        inner
    }

    /// The table under a key in the highest layer alone.
    pub fn top_table(&self, name: &str, table: Table) -> Option<Self> {
        let field = self.field(name)?;
        match field.value.get_ref() {
            DeValue::Table(found) => Some(self.inner(
                name,
                table,
                vec![Layer {
                    kind: field.kind,
                    table: found,
                }],
            )),
            _ => {
                self.wrong(&field, self.not_a_table(name, &field));
                None
            }
        }
    }

    /// A table that is one of several under a key, or that is shown as a whole: what is read of it is
    /// not noted.
    pub fn item(&self, field: &Field<'_>, table: Table, found: &'c DeTable<'c>) -> Self {
        Self {
            context: self.context,
            table,
            layers: vec![Layer {
                kind: field.kind,
                table: found,
            }],
            prefix: format!("{}.", field.path),
            settings: Rc::default(),
        }
    }

    /// A table with no key at all, for the defaults of what is inside.
    pub fn empty(&self, name: &str, table: Table) -> Self {
        self.inner(name, table, Vec::new())
    }

    fn inner(&self, name: &str, table: Table, layers: Vec<Layer<'c>>) -> Self {
        let prefix = format!("{}{name}.", self.prefix);
        Self {
            context: self.context,
            table,
            layers,
            prefix,
            settings: Rc::clone(&self.settings),
        }
    }

    fn not_a_table(&self, name: &str, field: &Field<'_>) -> Wrong {
        let wrong = Wrong::kind(field.value.get_ref(), "a table");
        match keys::find(self.table, name) {
            Some(key) if !key.example.is_empty() => {
                wrong.help(format!("such as `{name} = {}`", key.example))
            }
            _ => wrong,
        }
    }

    /// Reports a value that was not taken.
    pub fn wrong(&self, field: &Field<'_>, wrong: Wrong) {
        self.wrong_at(field, field.value.span(), wrong);
    }

    /// Reports a part of a value that was not taken.
    pub fn wrong_at(&self, field: &Field<'_>, span: Range<usize>, wrong: Wrong) {
        self.wrong_in(&field.path, span, wrong);
    }

    /// Reports something that was read before and turned out wrong.
    pub fn wrong_placed<T>(&self, placed: &Placed<T>, wrong: Wrong) {
        self.wrong_in(&placed.path, placed.span.clone(), wrong);
    }

    /// Reads a value and remembers where it stands.
    pub fn placed<T: Value>(&self, name: &str) -> Option<Placed<T>> {
        let value = self.get(name)?;
        Some(Placed::at(&self.field(name)?, value))
    }

    /// Reports something about this key that was not taken.
    pub fn wrong_in(&self, path: &str, span: Range<usize>, wrong: Wrong) {
        if self.context.count_unseen() {
            return;
        }
        let mut report = self
            .context
            .source
            .error(span, format!("{}: {}", quoted(path), wrong.message))
            .label(wrong.label);
        report.help = wrong.help;
        self.context.report(report);
    }

    /// Notes where a value came from.
    pub fn note(&self, field: &Field<'_>, value: String) {
        if self.context.caller.origins {
            self.note_as(field.path.clone(), value, self.origin(field));
        }
    }

    /// Notes a value that is built in.
    pub fn built_in(&self, name: &str, value: String) {
        if self.context.caller.origins {
            self.note_as(format!("{}{name}", self.prefix), value, Origin::BuiltIn);
        }
    }

    pub fn note_as(&self, key: String, value: String, origin: Origin) {
        if self.context.caller.origins {
            let mut settings = self.settings.borrow_mut();
            settings.push(Setting { key, value, origin });
        }
    }

    pub fn origin(&self, field: &Field<'_>) -> Origin {
        let file = self.context.source.path.clone();
        let line = self.context.source.line(field.key_span.start);
        match field.kind {
            LayerKind::Defaults => Origin::Defaults { file, line },
            LayerKind::Unit => Origin::Unit { file, line },
        }
    }

    /// Everything noted so far, by all tables that came from this one.
    pub fn settings(&self) -> Vec<Setting> {
        self.settings.borrow().clone()
    }

    /// Texts of an array, each with its place. `one_is_enough`: a single text is taken too.
    pub fn texts(
        &self,
        name: &str,
        one_is_enough: bool,
    ) -> Option<(Field<'c>, Vec<Spanned<String>>)> {
        let field = self.field(name)?;
        let mut texts = Vec::new();
        let mut take = |item: &Spanned<DeValue<'_>>| match String::read(item.get_ref()) {
            Ok(text) => texts.push(Spanned::new(item.span(), text)),
            Err(wrong) => self.wrong_at(&field, item.span(), wrong),
        };
        match field.value.get_ref() {
            DeValue::Array(array) => array.iter().for_each(take),
            DeValue::String(_) if one_is_enough => take(field.value),
            DeValue::String(text) => {
                let help = format!("write `{name} = [{}]`", crate::values::show_text(text));
                self.wrong(
                    &field,
                    Wrong::kind(field.value.get_ref(), "an array").help(help),
                );
                return None;
            }
            other => {
                self.wrong(&field, Wrong::kind(other, "an array of texts"));
                return None;
            }
        }
        Some((field, texts))
    }
}

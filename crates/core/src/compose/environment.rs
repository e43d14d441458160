//! The variables that interpolation sees, and where each was set.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::source::{FileId, Span};

/// Where a variable's value was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingOrigin {
    /// The environment of the process.
    Process,
    /// A line of an env file; the span covers the value.
    File(Span),
}

/// A variable's value and where it was set.
#[derive(Clone)]
pub struct Binding {
    /// The value.
    pub value: Arc<str>,
    /// Where it was set.
    pub origin: BindingOrigin,
}

/// The variables of a project. The first to set a name wins, so add the process first.
#[derive(Clone, Default)]
pub struct Environment {
    bindings: HashMap<Arc<str>, Binding>,
    /// The files that [`BindingOrigin::File`] speaks of.
    files: HashMap<FileId, Arc<str>>,
    lazy: bool,
}

impl Environment {
    /// The process environment alone.
    pub fn from_process(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment = Environment::default();
        for (name, value) in variables {
            environment.set_default(name, Binding { value: value.into(), origin: BindingOrigin::Process });
        }
        environment
    }

    /// Leaves defaults and alternates that are not used alone, as Compose 5 does: `${A:-${B:?message}}` is no
    /// error where A is set. Compose 2 evaluates them all.
    #[must_use]
    pub fn lazily(mut self, lazy: bool) -> Self {
        self.lazy = lazy;
        self
    }

    /// Says where the file lies that variables were read from.
    pub fn name_file(&mut self, file: FileId, path: impl Into<Arc<str>>) {
        self.files.insert(file, path.into());
    }

    /// Where a file lies that variables were read from.
    pub fn path_of(&self, file: FileId) -> Option<&str> {
        self.files.get(&file).map(AsRef::as_ref)
    }

    /// Sets a variable, whatever it was.
    pub fn set(&mut self, name: impl Into<Arc<str>>, binding: Binding) {
        self.bindings.insert(name.into(), binding);
    }

    /// Sets a variable unless it is set.
    pub fn set_default(&mut self, name: impl Into<Arc<str>>, binding: Binding) {
        self.bindings.entry(name.into()).or_insert(binding);
    }

    /// Adds what `other` has and this has not.
    pub fn extend_default(&mut self, other: &Environment) {
        for (name, binding) in &other.bindings {
            self.bindings.entry(name.clone()).or_insert_with(|| binding.clone());
        }
    }

    /// A variable.
    pub fn get(&self, name: &str) -> Option<&Binding> {
        self.bindings.get(name)
    }

    /// All variables, in no promised order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.bindings.iter().map(|(name, binding)| (name.as_ref(), binding))
    }
}

/// Where templates find their variables.
pub trait Lookup {
    /// A variable.
    fn look_up(&self, name: &str) -> Option<&Binding>;

    /// Whether a default or alternate that is not used is left alone, whatever it asks for.
    fn is_lazy(&self) -> bool {
        false
    }
}

impl Lookup for Environment {
    fn look_up(&self, name: &str) -> Option<&Binding> {
        self.get(name)
    }

    fn is_lazy(&self) -> bool {
        self.lazy
    }
}

/// The first that has it wins.
impl Lookup for (&dyn Lookup, &dyn Lookup) {
    fn look_up(&self, name: &str) -> Option<&Binding> {
        self.0.look_up(name).or_else(|| self.1.look_up(name))
    }

    fn is_lazy(&self) -> bool {
        self.0.is_lazy()
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} variables", self.bindings.len())
    }
}

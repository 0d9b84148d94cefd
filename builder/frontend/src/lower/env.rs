//! Environment variables in order.

use std::collections::HashMap;

use crate::dockerfile::expand::Variables;

/// So many variables are searched one after the other, which is faster than hashing.
const FEW: usize = 32;

/// Names and values; a name that is set again moves to the end, as in BuildKit's operations. An image may bring hundreds
/// of thousands of them: none is searched for among many.
#[derive(Debug, Clone, Default)]
pub(super) struct EnvList {
    /// In order; among many, a name that moved leaves a hole.
    variables: Vec<Option<(String, String)>>,
    /// Where each name stands; empty as long as there are few.
    places: HashMap<String, usize>,
}

impl EnvList {
    pub(super) fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        let key = key.into();
        self.remove(&key);
        if !self.places.is_empty() {
            self.places.insert(key.clone(), self.variables.len());
        }
        self.variables.push(Some((key, value.into())));
        let holes = self.variables.len() - self.places.len();
        if self.variables.len() > FEW && holes > self.places.len() + 16 {
            self.index();
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        let Some(place) = self.place(key) else { return };
        if self.places.is_empty() {
            self.variables.remove(place);
        } else {
            self.places.remove(key);
            if let Some(variable) = self.variables.get_mut(place) {
                *variable = None;
            }
        }
    }

    fn place(&self, key: &str) -> Option<usize> {
        if self.places.is_empty() {
            let is_it =
                |variable: &Option<(String, String)>| variable.as_ref().is_some_and(|(name, _)| name == key);
            self.variables.iter().position(is_it)
        } else {
            self.places.get(key).copied()
        }
    }

    /// Closes the holes and notes where each name stands.
    fn index(&mut self) {
        self.variables.retain(Option::is_some);
        self.places.clear();
        if self.variables.len() > FEW {
            let names = self.variables.iter().flatten().map(|(key, _)| key.clone());
            self.places = names.zip(0..).collect();
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// Names and values, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// `KEY=value`, in order.
    pub(super) fn to_vec(&self) -> Vec<String> {
        self.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }
}

impl Variables for EnvList {
    fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(self.place(name)?)?.as_ref().map(|(_, value)| value.as_str())
    }
}

/// Splits `KEY=value`; without `=` the value is empty.
pub(super) fn split(variable: &str) -> (&str, &str) {
    variable.split_once('=').unwrap_or((variable, ""))
}

/// Sets variables in an image configuration: in place when they are there, else at the end.
pub(super) fn set_in_image(env: &mut Vec<String>, variables: &[(String, String)]) {
    let mut places: HashMap<String, usize> = HashMap::new();
    for (place, variable) in env.iter().enumerate() {
        // The first of several counts.
        places.entry(split(variable).0.to_owned()).or_insert(place);
    }
    for (key, value) in variables {
        let place = *places.entry(key.clone()).or_insert(env.len());
        let new = format!("{key}={value}");
        match env.get_mut(place) {
            Some(variable) => *variable = new,
            None => env.push(new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_again_moves_to_the_end() {
        let mut list = EnvList::default();
        for round in 0..50 {
            for key in ["a", "b", "c"] {
                list.set(key, format!("{key}{round}"));
            }
            list.set("a", "last");
        }
        assert_eq!(list.to_vec(), ["b=b49", "c=c49", "a=last"]);
        assert_eq!((list.get("b"), list.get("a"), list.get("d")), (Some("b49"), Some("last"), None));
        assert_eq!(list.keys().collect::<Vec<_>>(), ["b", "c", "a"]);
        list.remove("c");
        list.remove("d");
        list.set("c", "again");
        assert_eq!(list.to_vec(), ["b=b49", "a=last", "c=again"]);
        list.remove("c");
        assert_eq!((list.to_vec().len(), list.get("c")), (2, None));
    }

    /// On both sides of the number from which they are not searched, there and back.
    #[test]
    fn few_and_many_are_the_same_list() {
        for count in [3, FEW, FEW + 1, 4 * FEW] {
            let mut list = EnvList::default();
            let mut expected: Vec<String> = vec![];
            for step in 0..20 * count {
                let key = format!("k{}", step * 7 % (count + 1));
                expected.retain(|variable| split(variable).0 != key);
                if step % 3 == 0 {
                    list.remove(&key);
                } else {
                    list.set(key.as_str(), step.to_string());
                    expected.push(format!("{key}={step}"));
                }
                assert_eq!(list.get(&key).is_some(), step % 3 != 0, "{count} {step}");
            }
            assert_eq!(list.to_vec(), expected, "{count}");
            (0..=count).for_each(|key| list.remove(&format!("k{key}")));
            list.set("last", "");
            assert_eq!((list.to_vec(), list.get("last")), (vec!["last=".to_owned()], Some("")), "{count}");
        }
    }

    /// As an image may bring them: searching for each among the others takes minutes.
    #[test]
    fn hundreds_of_thousands_are_set_and_found() {
        const COUNT: usize = 300_000;
        let variables: Vec<(String, String)> =
            (0..COUNT).map(|number| (format!("A{number}"), String::new())).collect();
        let (mut list, mut env) = (EnvList::default(), vec![]);
        for _ in 0..2 {
            variables.iter().for_each(|(key, value)| list.set(key, value));
            set_in_image(&mut env, &variables);
        }
        assert!(variables.iter().all(|(key, _)| list.get(key).is_some()));
        assert_eq!((list.iter().count(), env.len()), (COUNT, COUNT));
    }

    #[test]
    fn variables_of_an_image_stay_in_their_places() {
        let mut env = ["a=1", "b", "a=2"].map(str::to_owned).to_vec();
        let variables = [("b", "3"), ("c", "4"), ("a", "5"), ("c", "6")];
        set_in_image(&mut env, &variables.map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert_eq!(env, ["a=5", "b=3", "a=2", "c=6"]);
    }
}

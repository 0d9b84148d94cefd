//! The macro behind the closed enums: one list gives the variants, their names and `ALL`.
//!
//! A name stands in one place only, so that reading and printing cannot drift apart. Names are compared as numbers:
//! that is most of the time that reading a platform takes.

/// Longest name, in bytes: with its length it fills a [`key`].
const LONGEST: usize = 15;

/// A name without regard to ASCII case, as a number: its bytes and its length. Longer texts are no names.
pub(crate) const fn key(text: &str) -> Option<u128> {
    if text.len() > LONGEST {
        return None;
    }
    let mut rest = text.as_bytes();
    let mut key = 0;
    while let [first, after @ ..] = rest {
        key = key << 8 | first.to_ascii_lowercase() as u128;
        rest = after;
    }
    Some(key << 8 | text.len() as u128)
}

/// The key of a name that is written in this crate.
pub(crate) const fn known(name: &str) -> u128 {
    match key(name) {
        Some(key) => key,
        None => 0,
    }
}

/// Declares a closed enum whose every member has one canonical name.
macro_rules! axis {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $member:ident = $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $member,)+ }

        impl $name {
            /// Every member, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$member,)+];

            /// Returns the canonical name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$member => $text,)+ }
            }

            /// Finds the member with exactly this canonical name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::from_key($crate::axis::key(name)?).filter(|found| found.name() == name)
            }

            /// Finds the member whose canonical name has this key.
            pub(crate) fn from_key(key: u128) -> Option<Self> {
                const KEYS: &[u128] = &[$($crate::axis::known($text),)+];
                KEYS.iter().position(|known| *known == key).and_then(|at| Self::ALL.get(at)).copied()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use axis;

#[cfg(test)]
mod tests {
    use super::key;
    use crate::{Arch, Libc, Os, Variant};

    #[test]
    fn names_have_keys_of_their_own() {
        let oses = Os::ALL.iter().map(|os| os.name());
        let arches = Arch::ALL.iter().map(|arch| arch.name());
        let others =
            Variant::ALL.iter().map(|variant| variant.name()).chain(Libc::ALL.iter().map(|libc| libc.name()));
        let mut names: Vec<&str> = oses.chain(arches).chain(others).collect();
        names.sort_unstable();
        names.dedup();
        let mut keys: Vec<u128> = names.iter().map(|name| key(name).unwrap()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), names.len());
    }

    #[test]
    fn no_other_text_has_the_key_of_a_name() {
        for text in ["\0amd64", "amd64\0", "amd6", "amd64 ", "", "\0", "linuxlinuxlinuxlinux"] {
            assert_eq!(Arch::from_name(text), None, "{text:?}");
        }
        assert_eq!(key("AMD64"), key("amd64"));
        assert_eq!(Arch::from_name("AMD64"), None);
    }
}

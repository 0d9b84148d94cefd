//! The macro behind the closed enums: one list gives the variants, their names and `ALL`.
//!
//! A name stands in one place only, so that reading and printing cannot drift apart.

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
                match name { $($text => Some(Self::$member),)+ _ => None }
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

//! One table that maps a platform, in any spelling, to every other.

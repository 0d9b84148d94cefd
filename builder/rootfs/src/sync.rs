//! Locks of values that are sound whatever a thread did that panicked with them.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a value.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a value out of its lock, when all threads are done with it.
pub fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

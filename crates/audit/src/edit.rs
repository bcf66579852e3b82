//! Applies fixes to texts.

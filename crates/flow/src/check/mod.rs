//! The check of a project's files: which there are, what is found in them, what is mended.

pub mod discover;

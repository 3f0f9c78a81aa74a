//! exclude

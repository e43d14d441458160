//! cosec core

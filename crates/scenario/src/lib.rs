//! The document: schema, validation, links.

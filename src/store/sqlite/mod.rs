//! What only SQLite understands: connections, the schema, the lock, several statements in one go.

pub(in crate::store) mod connections;
pub(in crate::store) mod dialect;
#[cfg(test)]
pub(in crate::store) mod explain;
pub(in crate::store) mod inspect;
pub(in crate::store) mod lock;

pub(in crate::store) mod open;
pub(in crate::store) mod schema;
pub(in crate::store) mod statements;

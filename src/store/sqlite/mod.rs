//! What only SQLite understands: connections, the schema, the lock, several statements in one go.

pub(in crate::store) mod connections;
#[cfg(test)]
pub(in crate::store) mod explain;
pub(in crate::store) mod inspect;
pub(in crate::store) mod lock;
pub(in crate::store) mod rows;
pub(in crate::store) mod schema;
pub(in crate::store) mod statements;

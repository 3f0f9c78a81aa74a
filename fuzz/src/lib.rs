//! What the fuzz targets assert. Each function takes any bytes and panics only when auditship is wrong.

mod chunk;

pub use chunk::chunk;

//! Continuous SQL: DataFusion's planning on the streams runtime.

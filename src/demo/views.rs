//! The demo's statements: what the topics are to SQL, and two views over them.

/// Streams and tables over the topics that the connectors fill, then the views. Each can be run
/// again.
pub(super) const STATEMENTS: [&str; 5] = [
    "CREATE STREAM IF NOT EXISTS flights (
        carrier VARCHAR, flight BIGINT, tailnum VARCHAR, origin VARCHAR, dest VARCHAR,
        dep_time BIGINT, dep_delay BIGINT, arr_time BIGINT, arr_delay BIGINT,
        air_time BIGINT, distance BIGINT, time_hour TIMESTAMP,
        WATERMARK FOR _timestamp AS _timestamp - INTERVAL '400' DAY
    ) WITH (topic = 'flights', format = 'json')",
    "CREATE TABLE IF NOT EXISTS airlines (carrier VARCHAR PRIMARY KEY, name VARCHAR)
     WITH (topic = 'airlines', format = 'json', key_format = 'string')",
    "CREATE TABLE IF NOT EXISTS weather (
        origin VARCHAR, time_hour TIMESTAMP, visib DOUBLE, temp DOUBLE, wind_speed DOUBLE,
        PRIMARY KEY (origin, time_hour)
    ) WITH (topic = 'weather', format = 'json', key_format = 'json')",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS worst_airline_hours AS
     SELECT a.name AS airline, window_start AS hour, count(*) AS flights,
            avg(f.dep_delay) AS mean_dep_delay
     FROM TUMBLE(flights, _timestamp, INTERVAL '1 hour') f
     JOIN airlines a ON f.carrier = a.carrier
     GROUP BY a.name, window_start",
    "CREATE MATERIALIZED VIEW IF NOT EXISTS delays_by_visibility AS
     SELECT CAST(floor(w.visib) AS BIGINT) AS miles, count(*) AS flights,
            count(*) FILTER (WHERE f.dep_time IS NULL) AS cancelled,
            avg(f.dep_delay) AS mean_dep_delay
     FROM flights f
     JOIN weather w ON f.origin = w.origin AND f.time_hour = w.time_hour
     GROUP BY CAST(floor(w.visib) AS BIGINT)",
];

/// The views, by name.
pub(super) const VIEWS: [&str; 2] = ["worst_airline_hours", "delays_by_visibility"];

/// The ten airline-hours with the longest mean delay, among those with at least five flights.
pub(super) const TEN_WORST: &str = "SELECT airline, hour, flights, mean_dep_delay
     FROM worst_airline_hours WHERE flights >= 5
     ORDER BY mean_dep_delay DESC NULLS LAST, airline, hour LIMIT 10";

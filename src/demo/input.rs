//! The demo's input: which files it has, and whether a data directory was begun with them.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// The files of an input directory, by the topic they feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) planes: PathBuf,
    pub(super) airlines: PathBuf,
    pub(super) airports: PathBuf,
    pub(super) weather: PathBuf,
    /// At least one, in name order.
    pub(super) flights: Vec<PathBuf>,
}

impl Input {
    /// Finds the files in `folder`; each may be plain or gzipped.
    pub(super) fn find(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder
            .canonicalize()
            .with_context(|| format!("cannot open the input directory {}", folder.display()))?;
        // The connectors take lists of files and patterns.
        let is_plain = |c: char| !matches!(c, ',' | '*' | '?' | '[' | ']' | '{' | '}');
        if !folder
            .to_str()
            .is_some_and(|path| path.chars().all(is_plain))
        {
            bail!(
                "the path {} has a comma, a bracket, a wildcard or what is no UTF-8; give the input \
                 directory a plainer name",
                folder.display()
            );
        }
        let table = |name: &str| {
            let plain = folder.join(name);
            let zipped = folder.join(format!("{name}.gz"));
            if plain.is_file() {
                Ok(plain)
            } else if zipped.is_file() {
                Ok(zipped)
            } else {
                bail!("{} has neither {name} nor {name}.gz", folder.display())
            }
        };
        let mut flights = Vec::new();
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot list the input directory {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let is_csv = name.ends_with(".csv") || name.ends_with(".csv.gz");
            if name.starts_with("flights") && is_csv && path.is_file() {
                flights.push(path);
            }
        }
        flights.sort();
        if flights.is_empty() {
            bail!(
                "{} has no flights*.csv or flights*.csv.gz",
                folder.display()
            );
        }
        Ok(Self {
            planes: table("planes.csv")?,
            airlines: table("airlines.csv")?,
            airports: table("airports.csv")?,
            weather: table("weather.csv")?,
            flights,
        })
    }

    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.planes, &self.airlines, &self.airports, &self.weather]
            .into_iter()
            .chain(&self.flights)
    }

    /// Name, length and checksum of every file.
    fn fingerprint(&self) -> anyhow::Result<Fingerprint> {
        let files = self
            .files()
            .map(|path| FileMark::of(path))
            .collect::<Result<_, _>>()?;
        Ok(Fingerprint { files })
    }

    /// Binds `data_dir` to this input, or checks that it was begun with it.
    ///
    /// # Errors
    /// If the directory was begun with other files, or with the same names and other content.
    pub(super) fn bind(&self, data_dir: &Path) -> anyhow::Result<()> {
        let ours = self.fingerprint()?;
        let mark = data_dir.join("demo-input.json");
        match std::fs::read(&mark) {
            Ok(bytes) => {
                let begun: Fingerprint = serde_json::from_slice(&bytes)
                    .with_context(|| format!("{} is damaged", mark.display()))?;
                begun.check(&ours, data_dir)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                write_whole(&mark, &serde_json::to_vec_pretty(&ours)?)
                    .with_context(|| format!("cannot write {}", mark.display()))
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {}", mark.display())),
        }
    }
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprint {
    files: Vec<FileMark>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileMark {
    name: String,
    bytes: u64,
    crc32c: u32,
}

impl FileMark {
    fn of(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("cannot read {}", path.display());
        let mut file = BufReader::new(File::open(path).with_context(cannot)?);
        let (mut bytes, mut crc32c, mut buffer) = (0, 0, vec![0; 1 << 16]);
        loop {
            let read = file.read(&mut buffer).with_context(cannot)?;
            let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else {
                break;
            };
            bytes += chunk.len() as u64;
            crc32c = ::crc32c::crc32c_append(crc32c, chunk);
        }
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Ok(Self {
            name,
            bytes,
            crc32c,
        })
    }
}

impl Fingerprint {
    fn check(&self, ours: &Self, data_dir: &Path) -> anyhow::Result<()> {
        if self == ours {
            return Ok(());
        }
        let other = ours.files.iter().find(|file| !self.files.contains(file));
        let other = other.or_else(|| self.files.iter().find(|file| !ours.files.contains(file)));
        let other = other.map_or("another set of files", |file| file.name.as_str());
        bail!(
            "{} was begun with other input ({other} differs); give the same --input, or another --data-dir and --out",
            data_dir.display()
        )
    }
}

/// Writes a file so that after a crash it is there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in [
            "planes.csv",
            "airlines.csv.gz",
            "airports.csv",
            "weather.csv.gz",
        ] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        std::fs::write(folder.path().join("flights-2.csv"), "two").unwrap();
        std::fs::write(folder.path().join("flights-10.csv.gz"), "ten").unwrap();
        folder
    }

    #[test]
    fn flights_are_taken_in_name_order() {
        let folder = folder();
        let input = Input::find(folder.path()).unwrap();
        let names: Vec<_> = input
            .flights
            .iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["flights-10.csv.gz", "flights-2.csv"]);
    }

    #[test]
    fn a_missing_table_is_named() {
        let folder = folder();
        std::fs::remove_file(folder.path().join("planes.csv")).unwrap();
        let error = Input::find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("planes.csv"), "{error}");
    }

    #[test]
    fn a_directory_stays_with_the_input_it_was_begun_with() {
        let (folder, data) = (folder(), tempfile::tempdir().unwrap());
        let input = Input::find(folder.path()).unwrap();
        input.bind(data.path()).unwrap();
        input.bind(data.path()).unwrap();
        std::fs::write(folder.path().join("flights-2.csv"), "2wo").unwrap();
        let error = input.bind(data.path()).unwrap_err().to_string();
        assert!(error.contains("flights-2.csv"), "{error}");
        std::fs::remove_file(folder.path().join("flights-2.csv")).unwrap();
        assert!(
            Input::find(folder.path())
                .unwrap()
                .bind(data.path())
                .is_err()
        );
    }
}

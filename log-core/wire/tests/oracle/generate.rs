//! Bytes of messages, made from a schema and a seed.

use headwater_wire::Message;
use headwater_wire::codec::{Field, FieldType};

/// A small generator of well-mixed numbers (SplitMix64).
struct Seed(u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }
}

/// The bytes of some message of type `M` in `version`.
pub(crate) fn message<M: Message>(version: i16, seed: u64) -> Vec<u8> {
    let mut writer = Writer {
        out: Vec::new(),
        seed: Seed(seed),
        version,
        flexible: version >= M::FLEXIBLE_FROM,
    };
    writer.structure(M::FIELDS);
    writer.out
}

struct Writer {
    out: Vec<u8>,
    seed: Seed,
    version: i16,
    flexible: bool,
}

impl Writer {
    fn structure(&mut self, fields: &[Field]) {
        let version = self.version;
        let present = || {
            fields
                .iter()
                .filter(|field| field.versions.contains(version))
        };
        for field in present().filter(|field| field.tag.is_none()) {
            self.field(field);
        }
        if !self.flexible {
            return;
        }
        let mut tagged: Vec<_> = present()
            .filter_map(|field| Some((field.tag?, field)))
            .filter(|_| self.seed.one_in(2))
            .collect();
        tagged.sort_by_key(|(tag, _)| *tag);
        self.varint(tagged.len() as u64);
        for (tag, field) in tagged {
            let before = std::mem::take(&mut self.out);
            self.field(field);
            let value = std::mem::replace(&mut self.out, before);
            self.varint(tag.into());
            self.varint(value.len() as u64);
            self.out.extend(value);
        }
    }

    fn field(&mut self, field: &Field) {
        let may_be_null = field
            .nullable
            .is_some_and(|versions| versions.contains(self.version));
        let is_null = may_be_null && self.seed.one_in(4);
        match field.holds {
            FieldType::Structure(fields) if may_be_null => {
                self.out.push(if is_null { 0xff } else { 1 });
                if !is_null {
                    self.structure(fields);
                }
            }
            FieldType::String if is_null && !self.flexible => self.out.extend([0xff; 2]),
            _ if is_null && !self.flexible => self.out.extend([0xff; 4]),
            _ if is_null => self.out.push(0),
            holds => self.value(&holds),
        }
    }

    fn value(&mut self, holds: &FieldType) {
        let any = self.seed.next();
        // Small numbers are as likely as any, since flags, counts and -1 are small.
        let number = if any & 1 == 0 {
            any.rotate_left(32)
        } else {
            ((any >> 1) % 6).wrapping_sub(1)
        };
        match *holds {
            FieldType::Bool => self.out.push((any & 2 != 0).into()),
            FieldType::Int8 => self.out.push(number as u8),
            FieldType::Int16 | FieldType::Uint16 => {
                self.out.extend((number as u16).to_be_bytes());
            }
            FieldType::Int32 | FieldType::Uint32 => {
                self.out.extend((number as u32).to_be_bytes());
            }
            FieldType::Int64 => self.out.extend(number.to_be_bytes()),
            FieldType::Float64 => self.out.extend((number as f64).to_be_bytes()),
            FieldType::Uuid => {
                let low = self.seed.next();
                self.out.extend(any.to_be_bytes());
                self.out.extend(low.to_be_bytes());
            }
            FieldType::String => {
                let text: String = "aß水🜁z".chars().cycle().take(any as usize % 12).collect();
                if self.flexible {
                    self.varint(text.len() as u64 + 1);
                } else {
                    self.out.extend((text.len() as u16).to_be_bytes());
                }
                self.out.extend(text.bytes());
            }
            FieldType::Bytes => {
                let length = if self.seed.one_in(8) {
                    any % 3_000
                } else {
                    any % 9
                };
                self.count(length);
                self.out.extend((0..length).map(|byte| byte as u8));
            }
            FieldType::Array(element) => {
                let count = any % 4;
                self.count(count);
                for _ in 0..count {
                    self.value(element);
                }
            }
            FieldType::Structure(fields) => self.structure(fields),
        }
    }

    fn count(&mut self, count: u64) {
        if self.flexible {
            self.varint(count + 1);
        } else {
            self.out.extend((count as u32).to_be_bytes());
        }
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }
}

//! The fonts: those of the binary first, then those that the child was given. Fonts of
//! the machine are never looked for, so that a fax is the same pages everywhere.

use std::sync::Arc;

use parley::{
    FontContext, GenericFamily,
    fontique::{Blob, Collection, CollectionOptions, FamilyId, SourceCache},
};

/// A collection in which the sans-serif family is DejaVu Sans and the fixed-width one
/// DejaVu Sans Mono, each followed by the `given` fonts for letters that it lacks.
pub(super) fn collection(given: &[Vec<u8>]) -> FontContext {
    let mut collection = Collection::new(CollectionOptions { shared: false, system_fonts: false });
    let mut of_binary = |fonts: &[&'static [u8]]| -> Vec<FamilyId> {
        let mut families = Vec::new();
        for font in fonts {
            register(&mut collection, Blob::new(Arc::new(*font)), &mut families);
        }
        families
    };
    use dejavu::{sans, sans_mono};
    let sans = of_binary(&[sans::regular(), sans::bold(), sans::oblique()]);
    let mono = of_binary(&[sans_mono::regular(), sans_mono::bold()]);
    let mut others = Vec::new();
    for font in given {
        register(&mut collection, Blob::new(Arc::new(font.clone())), &mut others);
    }
    let all = || sans.iter().chain(&others).copied();
    collection.set_generic_families(GenericFamily::SansSerif, all());
    collection.set_generic_families(GenericFamily::Monospace, mono.iter().copied().chain(all()));
    FontContext { collection, source_cache: SourceCache::default() }
}

fn register(collection: &mut Collection, font: Blob<u8>, families: &mut Vec<FamilyId>) {
    for (family, _) in collection.register_fonts(font, None) {
        if !families.contains(&family) {
            families.push(family);
        }
    }
}

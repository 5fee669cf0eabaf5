//! `airlift pack` over a real registry, named after what hurts users of other tools.

use airlift::engine::demo::layer::LayerSpec;
use airlift::engine::demo::sample::ImageSpec;
use serde_json::json;

use crate::rig::world::World;

#[test]
fn r03_two_digests_of_one_repository_are_both_in_the_bundle() {
    let Some(world) = World::start() else { return };
    let digests = world.push(|layout, host| {
        ["1", "2"].map(|tag| {
            let spec =
                ImageSpec::new(vec![LayerSpec::text("etc/base", "shared"), LayerSpec::text("etc/tag", tag)]);
            layout.image(&format!("{host}/team/app:{tag}"), &spec).unwrap()
        })
    });
    let wanted = digests.clone().map(|digest| format!("HOST/team/app@{digest}"));
    let bundle = world.packed(&[&wanted[0], &wanted[1]]);
    let report = world.verify(&bundle, &[]).code(0).report();
    assert_eq!(report["totals"]["images"], json!(2));
    let index = std::fs::read_to_string(bundle.join("index.json")).unwrap();
    for digest in digests {
        assert!(bundle.join(digest.layout_path()).is_file());
        assert!(index.contains(&world.reference(&format!("team/app@{digest}"))), "{index}");
    }
}

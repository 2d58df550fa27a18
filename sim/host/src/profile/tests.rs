use super::*;

#[test]
fn every_pair_of_gpu_and_model_has_a_profile() {
    let catalogue = Catalogue::builtin();
    for gpu in catalogue.gpus() {
        for model in catalogue.models() {
            let profile = catalogue.find(&gpu.name, &model.name).expect("a profile");
            assert_eq!((&profile.gpu.name, &profile.model.name), (&gpu.name, &model.name));
        }
    }
    assert_eq!(catalogue.profiles().len(), catalogue.gpus().len() * catalogue.models().len());
    println!("{}", catalogue.render_list());
}
